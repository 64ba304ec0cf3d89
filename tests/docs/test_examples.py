"""Every Python example of the README and of docs/ runs. The examples of a page are one program."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import outlast

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
CLEARED = ("OUTLAST_", "OPENAI_")
"""Variables that must not reach an example: it runs as it would on a fresh machine."""

WITH_EXAMPLES = [page for page in PAGES if BLOCK.search(page.read_text())]


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=page_name)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path):
    program = tmp_path / "example.py"
    program.write_text("\n\n".join(BLOCK.findall(page.read_text())))
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(CLEARED)},
        "OUTLAST_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(Path(outlast.__file__).parents[1]),
    }
    command = [sys.executable, program]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_the_links_of_a_page_lead_somewhere(page: Path):
    links = LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_there_are_examples():
    assert len(WITH_EXAMPLES) > 3
