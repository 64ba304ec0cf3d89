"""Every Python example of the README, of docs/ and of examples/ runs, and runs again in the same folder.

The examples of a page are one program.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import outlast

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
HEADING_LINK = re.compile(r"\]\((?!https?:)([^)#]*)#([^)]+)\)")
CLEARED = ("OUTLAST_", "OPENAI_")
"""Variables that must not reach an example: it runs as it would on a fresh machine."""

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
WITH_EXAMPLES = [page for page in PAGES if BLOCK.search(page.read_text())]

PAGES_SAY = {
    "docs/tutorial/first-agent.md": "A-1007: refunded.",
    "docs/tutorial/mcp-server.md": "it returned: Order tea.",
}
"""What programs print that is the point of their page."""
SAYS = {
    "hello.py": "sunny in Lisbon",
    "handoffs.py": "[Billing]",
    "survive_a_crash.py": "killed",
    "approval.py": "waits for a person: send_money",
    "agents_as_tools.py": "EUR 49",
    "structured_output.py": "2027-03-01",
    "session.py": "4 items in the session",
    "guardrail.py": "stopped by no_secrets",
}


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=page_name)
def test_the_examples_of_a_page_run_and_run_again(page: Path, tmp_path: Path):
    program = tmp_path / "example.py"
    program.write_text("\n\n".join(BLOCK.findall(page.read_text())))
    for shown in runs_twice(program):
        assert PAGES_SAY.get(page_name(page), "") in shown.stdout


def test_every_example_is_listed():
    assert {file.name for file in EXAMPLES} == set(SAYS)
    table = (ROOT / "examples" / "README.md").read_text()
    assert all(f"`{name}`" in table for name in SAYS)


@pytest.mark.parametrize("example", EXAMPLES, ids=page_name)
def test_an_example_runs_offline_and_runs_again(example: Path, tmp_path: Path):
    first, _ = runs_twice(Path(shutil.copy(example, tmp_path)))
    assert first.stderr == ""
    assert SAYS[example.name] in first.stdout


def runs_twice(program: Path) -> list[subprocess.CompletedProcess[str]]:
    """Run a program as on a fresh machine, and again where it has been already."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(CLEARED)},
        "PYTHONPATH": str(Path(outlast.__file__).parents[1]),
    }
    runs: list[subprocess.CompletedProcess[str]] = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, program], cwd=program.parent, env=env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        runs.append(done)
    return runs


async def test_the_cells_of_the_page_on_notebooks_run_and_run_again(tmp_path, monkeypatch):
    """As a notebook runs them: one after the other, with `await` at their top, in a running loop."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTLAST_HOME", str(tmp_path / "home"))
    page = ROOT / "docs" / "howto" / "work-in-a-notebook.md"
    cells = re.findall(r"^```ipython\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert len(cells) > 3
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in [*cells, *cells]:
        code = compile(cell, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        waiting = eval(code, names)
        if waiting is not None:
            await waiting


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_the_links_of_a_page_lead_somewhere(page: Path):
    links = LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_the_links_of_a_page_lead_to_headings_that_are_there(page: Path):
    missing = []
    for place, heading in HEADING_LINK.findall(page.read_text()):
        target = page.parent / place if place else page
        if heading not in headings(target):
            missing.append(f"{place}#{heading}")
    assert missing == []


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them of its headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_there_are_examples():
    assert len(WITH_EXAMPLES) > 3
    assert EXAMPLES
