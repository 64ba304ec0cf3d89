"""What public programs import from openai-agents is there, under both names."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from outlast.compat import install, uninstall

PROGRAMS = [
    line
    for line in Path(__file__).with_name("public_imports.txt").read_text().splitlines()
    if not line.startswith("#")
]


@pytest.fixture(autouse=True)
def alias() -> Iterator[None]:
    install()
    yield
    uninstall()


def test_there_are_a_hundred():
    assert len(PROGRAMS) >= 100


@pytest.mark.parametrize("root", ["agents", "outlast"])
@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_the_imports_of_a_program_resolve(program: str, root: str):
    for part in program.split(" | "):
        module, _, names = part.partition(": ")
        found = importlib.import_module(module.replace("agents", root, 1))
        for name in names.split():
            assert getattr(found, name) is not None, f"{module}.{name}"
