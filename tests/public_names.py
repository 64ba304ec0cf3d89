"""The public names, seen from outside. `python tests/public_names.py` rewrites the stub."""

from pathlib import Path

import outlast

STUB = Path(outlast.__file__).with_suffix(".pyi")
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


def words(path: Path) -> list[str]:
    """Return the lines of a data file without comments."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


if __name__ == "__main__":
    STUB.write_text(stub_text())
