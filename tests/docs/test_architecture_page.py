"""The page about the architecture names files and functions that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "outlast"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
FILES = sorted({*re.findall(r"`(?:src/outlast/)?([a-z_]+/[a-z_/]+\.py)`", PAGE)})
PLACES = re.findall(r"`(\w+)` in `([a-z_]+/[a-z_/]+\.py)`", PAGE)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_the_page_names_is_there(name: str):
    assert (SOURCE / name).exists() or (ROOT / name).exists()


@pytest.mark.parametrize(("name", "file"), PLACES)
def test_what_is_to_be_found_in_a_file_is_in_it(name: str, file: str):
    assert re.search(
        rf"^(?:async )?(?:def|class) {name}\b", (SOURCE / file).read_text(), re.MULTILINE
    )


def test_the_page_says_where_some_things_are():
    assert len(PLACES) >= 7
    assert len(FILES) >= 20
