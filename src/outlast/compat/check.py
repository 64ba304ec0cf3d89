"""What a code base uses of openai-agents, and what Outlast does with each of it.

    python -m outlast.compat check PATH

Nothing of the code base is run: names are read off its import lines, and off what it reads from a
module that it has imported.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from outlast.compat.aliases import ROOT, ROOTS, install_unless_taken, targets
from outlast.compat.table import ABSENT

_SKIPPED = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__", "site-packages"})


@dataclass
class Finding:
    """A name that a code base uses, and where."""

    name: str
    """`agents.run.RunConfig`, or the module alone."""
    verdict: str
    """"works", "not yet" or "unknown"."""
    places: list[str] = field(default_factory=list[str])
    """`file.py:12`."""


def check(path: Path) -> list[Finding]:
    """What is found in the Python files at ``path``, by name; files that do not parse are passed over."""
    install_unless_taken()
    findings: dict[str, Finding] = {}
    for file in python_files(path):
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError, OSError):
            continue
        for name, line in _uses(tree):
            known = findings.setdefault(name, Finding(name, verdict_of(name)))
            known.places.append(f"{file}:{line}")
    return [findings[name] for name in sorted(findings)]


def verdict_of(name: str) -> str:
    """What Outlast does with a name or a module of openai-agents."""
    if targets(name) is not None:
        return "works"
    module, _, last = name.rpartition(".")
    if targets(module) is not None:
        try:
            getattr(importlib.import_module(module), last)
        except (AttributeError, ImportError):
            return _absence(name)
        return "works"
    return _absence(name)


def _absence(name: str) -> str:
    rest = name.partition(".")[2]
    is_later = any(f"{ROOT}.{rest}.".startswith(f"{absent}.") for absent in ABSENT)
    return "not yet" if is_later else "unknown"


def report(findings: Iterable[Finding]) -> Iterator[str]:
    """Lines for people: first what does not work, with places, then what does."""
    found = list(findings)
    for verdict, title in (("unknown", "Not known"), ("not yet", "Not there yet")):
        for each in (one for one in found if one.verdict == verdict):
            yield f"{title}: {each.name}  ({', '.join(each.places[:3])}{_more(each.places)})"
    working = [each.name for each in found if each.verdict == "works"]
    yield f"{len(working)} of {len(found)} names work."
    yield from (f"  {name}" for name in working)


def _more(places: list[str]) -> str:
    return f" and {len(places) - 3} more" if len(places) > 3 else ""  # noqa: PLR2004 (shown above)


def python_files(path: Path) -> Iterator[Path]:
    """The Python files at ``path``, those of environments and of tools aside."""
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*.py")):
        if not _SKIPPED & {*file.relative_to(path).parts}:
            yield file


def _uses(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names of openai-agents, under its own name for the package."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                ours = [each for each in aliases if _is_of_agents(each.name)]
                for each in ours:
                    root = each.name.partition(".")[0]
                    modules[each.asname or root] = each.name if each.asname else root
                yield from ((_upstream(each.name), node.lineno) for each in ours)
            case ast.ImportFrom(module=str(module), level=0, names=aliases):
                if _is_of_agents(module):
                    yield from (
                        (
                            _upstream(module if each.name == "*" else f"{module}.{each.name}"),
                            node.lineno,
                        )
                        for each in aliases
                    )
            case _:
                pass
    yield from _attributes(tree, modules)


def _attributes(tree: ast.AST, modules: dict[str, str]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(variable), attr=name) if variable in modules:
                yield _upstream(f"{modules[variable]}.{name}"), node.lineno
            case _:
                pass


def _is_of_agents(module: str) -> bool:
    return module.partition(".")[0] in ROOTS


def _upstream(name: str) -> str:
    _, dot, rest = name.partition(".")
    return f"{ROOT}{dot}{rest}"
