"""The table of features names tests that there are, and the page says what the table says."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import features

TESTS = Path(__file__).parents[1]


def test_every_row_that_works_names_a_test_that_there_is():
    names = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def test_(\w+)", path.read_text(), re.MULTILINE)
    }
    named = {row.known for row in features.rows() if row.verdict == "works"}
    assert named <= names


def test_every_row_is_whole_and_there_once():
    found = features.rows()
    assert len({row.key for row in found}) == len(found)
    assert {row.key[:2] for row in found} == set(features.GROUPS)
    assert all(row.known.removeprefix(features.NOT_YET).strip() for row in found)


def test_the_page_says_what_the_table_says():
    assert features.PAGE.read_text() == features.page()


def test_the_page_about_compatibility_says_the_same():
    assert features.COMPATIBILITY.read_text() == features.compatibility()
