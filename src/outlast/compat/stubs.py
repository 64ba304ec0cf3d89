"""What editors and type checkers have to read to know the modules that no file is there for.

    outlast stubs typings

An alias is made when the program runs; a type checker runs nothing. So each alias is written out
as a file of plain imports. The names are read off our source, without importing it: a module whose
extra is not installed has names all the same.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

import outlast
from outlast.compat.aliases import OURS, ROOT
from outlast.compat.table import ALIASES

_HEAD = "# Written by `{command}`. {why}\n"


def write_stubs(folder: Path) -> list[Path]:
    """Write the package `agents` into ``folder``, and return its files.

    They end in `.py`, not `.pyi`: a checker that finds nothing but a stub warns at each import that
    the source is missing. Files of an earlier version are replaced; others in the folder stay.
    """
    head = _HEAD.format(
        command="outlast stubs", why="For editors and type checkers; not to be run."
    )
    paths: list[Path] = []
    for name in ALIASES:
        path = folder / ROOT / _file(_rest(name), ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + _imports(name))
        paths.append(path)
    return sorted(paths)


def late_stubs() -> dict[str, str]:
    """Path in the package `outlast-stubs` -> text, for the modules of `outlast` without a file."""
    head = _HEAD.format(command="python tests/public_names.py", why="The module has no file.")
    source = Path(outlast.__file__).parent
    # Without the package's own names here, some checkers take this folder for all there is.
    public = Path(outlast.__file__).with_suffix(".pyi").read_text()
    stubs = {"py.typed": "partial\n", "__init__.pyi": public}
    for name in ALIASES:
        place = source.joinpath(*_rest(name).split("."))
        if not place.is_dir() and not place.with_suffix(".py").is_file():
            stubs[str(_file(_rest(name), ".pyi"))] = head + _imports(name)
    return stubs


def _rest(alias: str) -> str:
    return alias.partition(".")[2]


def _file(rest: str, suffix: str) -> Path:
    is_package = not rest or any(each.startswith(f"{ROOT}.{rest}.") for each in ALIASES)
    path = Path(*rest.split("."))
    return path / f"__init__{suffix}" if is_package else path.with_suffix(suffix)


def _imports(alias: str) -> str:
    lines: list[str] = []
    seen: set[str] = set()
    for target in ALIASES[alias]:
        names = sorted({*public_names(target)} - seen)
        seen.update(names)
        lines += [f"from {target} import {name} as {name}" for name in names]
    return "".join(f"{line}\n" for line in lines)


@functools.cache
def public_names(module: str) -> tuple[str, ...]:
    """The public names that a module of ours defines or passes on, read off its source."""
    if module == OURS:
        return tuple(outlast.__all__)
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return ()
    names = _bound(ast.parse(Path(spec.origin).read_text()).body)
    return tuple(dict.fromkeys(name for name in names if not name.startswith("_")))


def _bound(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The names that statements bind, those of imports only where they say `as` the same name."""
    for statement in body:
        match statement:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield statement.name
            case ast.Assign(targets=[ast.Name("__all__")], value=ast.List(elts=elements)):
                yield from map(ast.literal_eval, elements)
            case ast.Assign(targets=targets):
                yield from (each.id for each in targets if isinstance(each, ast.Name))
            case ast.AnnAssign(target=ast.Name(name)):
                yield name
            case ast.ImportFrom(names=aliases):
                yield from (each.name for each in aliases if each.asname == each.name)
            case ast.If(body=inner, orelse=other):
                yield from _bound([*inner, *other])
            case _:
                pass
