"""The tables of the reference say what the code says, no more and no less."""

import dataclasses
import re
from pathlib import Path
from typing import get_args

import typer.main

import outlast
from outlast.cli.app import app
from outlast.core.events import Event

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "outlast"
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"

VARIABLE = re.compile(r'"((?:OUTLAST|OPENAI)_[A-Z_]+)"')
NOT_VARIABLES = {"OPENAI_DEFAULT_MODEL_ENV_VARIABLE_NAME"}
"""Texts of that form that name something else: a public name."""


def first_cells(page: str) -> list[str]:
    """The code in the first column of a page's tables."""
    rows = [line for line in (REFERENCE / page).read_text().splitlines() if line.startswith("| `")]
    return [code for row in rows for code in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def test_every_variable_of_the_environment_is_listed():
    texts = [path.read_text() for path in SOURCE.rglob("*.py")]
    read = {name for text in texts for name in VARIABLE.findall(text)} - NOT_VARIABLES
    assert set(first_cells("environment.md")) == read


def test_every_event_is_listed():
    tags = {str(event.__struct_config__.tag) for event in get_args(Event)}
    listed = {cell for cell in first_cells("events.md") if re.fullmatch(r"[a-z]+\.?[a-z]+", cell)}
    assert listed == tags


def test_events_that_are_read_and_not_written_are_marked():
    texts = [path.read_text() for path in SOURCE.rglob("*.py") if path.name != "events.py"]
    code = "\n".join(texts)
    unwritten = {
        event.__name__
        for event in get_args(Event)
        # `Name()` and `Name(field=dict())` are patterns of a match statement too.
        if not re.search(rf"(?<!case )(?<!\| )\b{event.__name__}\(", code)
    }
    page = (REFERENCE / "events.md").read_text()
    assert set(re.findall(r"† \| `(\w+)`", page)) == unwritten - {"UnknownEvent"}


def test_every_setting_of_ours_is_listed():
    ours = {each.name for each in dataclasses.fields(outlast.RunConfig) if each.kw_only}
    page = (REFERENCE / "settings.md").read_text()
    table = page.split("## `RunConfig`")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == ours


def test_every_error_of_ours_is_listed():
    page = (REFERENCE / "settings.md").read_text().split("## Errors")[1].split("\n## ")[0]
    listed = {name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
              for name in re.findall(r"`(\w+)`", row)}  # fmt: skip
    upstream = (ROOT / "tests" / "compat" / "upstream_names.txt").read_text().split()
    ours = {
        name
        for name in outlast.__all__
        if isinstance(getattr(outlast, name), type)
        and issubclass(getattr(outlast, name), Exception)
    }
    assert listed == ours - set(upstream)


EVERYWHERE = {"trace"}
"""Options that each command has; the page says so once."""


def test_every_command_and_option_is_listed():
    group = typer.main.get_command(app)
    commands = {command.split()[1] for command in first_cells("commands.md")
                if command.startswith("outlast ")}  # fmt: skip
    assert commands == set(group.commands)
    options = {
        f"{name} {option.opts[0]}"
        for name, command in group.commands.items()
        for option in command.params
        if option.param_type_name == "option" and option.name not in EVERYWHERE
        if not option.hidden
    }
    page = (REFERENCE / "commands.md").read_text()
    assert set(re.findall(r"^\| `(\w+ --[a-z-]+)", page, re.MULTILINE)) == options


def test_pages_name_only_commands_and_targets_that_exist():
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    commands = set(re.findall(r"(?:^|`)outlast ([a-z]+)", text, re.MULTILINE))
    targets = set(re.findall(r"(?:^ +|`)make ([a-z]+)", text, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text()
    assert commands <= set(typer.main.get_command(app).commands)
    assert targets <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_pages_name_only_files_that_exist():
    places = [ROOT, SOURCE, SOURCE / "core", ROOT / "docs"]
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        named = re.findall(r"`((?:[\w.]+/)+[\w]+\.(?:py|md|txt))`", page.read_text())
        made = {"tests/conformance/known_failures.txt"}
        missing = [name for name in named if not any((place / name).exists() for place in places)]
        assert set(missing) <= made, page


def test_nothing_is_installed_by_a_name_that_is_not_on_pypi():
    texts = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *SOURCE.rglob("*.py")]
    wrong = re.compile(r"pip install '?outlast\b")
    assert [str(text) for text in texts if wrong.search(text.read_text())] == []
