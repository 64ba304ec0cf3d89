"""The public names, seen from outside. `python tests/public_names.py` rewrites the stubs."""

import shutil
from pathlib import Path

import outlast
from outlast.compat.guides import table as guides
from outlast.compat.stubs import late_stubs

STUB = Path(outlast.__file__).with_suffix(".pyi")
LATE_STUBS = STUB.parents[1] / "outlast-stubs"
GUIDES = Path(__file__).parents[1] / "docs" / "reference" / "guide-spellings.md"
UPSTREAM = Path(__file__).parent / "compat" / "upstream_names.txt"
ABSENT = Path(__file__).parent / "compat" / "absent_names.txt"


def table() -> dict[str, str]:
    """Public name -> module, as `outlast/__init__.py` has it."""
    return dict(outlast._MODULES)


def stub_text() -> str:
    """Return what type checkers have to see, one re-export a line."""
    modules = table()
    lines = [
        f"from {module} import {name} as {name}"
        for name, module in sorted(modules.items(), key=lambda pair: (pair[1], pair[0]))
    ]
    listed = [f"    {name!r},".replace("'", '"') for name in sorted(modules)]
    head = "# Written by `python tests/public_names.py` from the table in __init__.py."
    return "\n".join([head, *lines, "", "__all__ = [", *listed, "]", ""])


def late_files() -> dict[str, str]:
    """Return what stands in the package of stubs for modules without a file: path, text."""
    files = (path for path in LATE_STUBS.rglob("*") if path.is_file())
    return {str(path.relative_to(LATE_STUBS)): path.read_text() for path in files}


def write_late_stubs() -> None:
    """Write that package anew."""
    shutil.rmtree(LATE_STUBS, ignore_errors=True)
    for name, text in late_stubs().items():
        path = LATE_STUBS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def words(path: Path) -> list[str]:
    """Return the lines of a data file without comments."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


if __name__ == "__main__":
    STUB.write_text(stub_text())
    write_late_stubs()
    GUIDES.write_text(guides.page())
