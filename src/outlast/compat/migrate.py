"""A code base from openai-agents to Outlast: the import lines, and nothing else.

`from agents import Agent` becomes `from outlast import Agent`, `import agents` becomes
`import outlast as agents`, so that the code below stays as it is. A line with a name that Outlast
has under openai-agents' name only, or has not, stays, and is reported.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from outlast.compat.aliases import OURS, ROOTS, targets
from outlast.compat.check import python_files

_GUIDES = "outlast.compat"
_TEXT = re.compile(r"""["'](?:agents|openai_agents)\.[A-Za-z_.]+["']""")


@dataclass
class Migration:
    """What becomes of one file."""

    path: Path
    before: str
    after: str
    left: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """Lines that stay: their number, and why."""

    @property
    def changes(self) -> bool:
        """Whether anything of the file is different afterwards."""
        return self.before != self.after

    def diff(self) -> Iterator[str]:
        """The change, as `diff -u` shows it."""
        one, other = (text.splitlines(keepends=True) for text in (self.before, self.after))
        name = str(self.path).lstrip("/")
        yield from difflib.unified_diff(one, other, f"a/{name}", f"b/{name}")


def migrations(path: Path) -> Iterator[Migration]:
    """What becomes of the Python files at ``path`` that import openai-agents. Nothing is written."""
    for file in python_files(path):
        try:
            text = file.read_bytes().decode()
            tree = ast.parse(text)
        except (SyntaxError, ValueError, OSError):
            continue
        found = migrated(file, text, tree)
        if found.changes or found.left:
            yield found


def migrated(file: Path, text: str, tree: ast.AST) -> Migration:
    """What becomes of a file with this text."""
    # The lines of bytes: positions in the tree count those.
    lines = text.encode().splitlines(keepends=True)
    result = Migration(file, text, text)
    for node in _imports(tree):
        if reason := _why_it_stays(node, file):
            result.left.append((node.lineno, reason))
        else:
            _rewrite(node, lines)
    result.after = b"".join(lines).decode()
    for number, line in enumerate(text.encode().splitlines(), 1):
        if _TEXT.search(line.decode()):
            result.left.append((number, "names a module in a text"))
    result.left.sort()
    return result


def _imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.walk(tree):
        if (isinstance(node, ast.Import) and any(_is_of_agents(a.name) for a in node.names)) or (
            isinstance(node, ast.ImportFrom) and not node.level and _is_of_agents(node.module or "")
        ):
            yield node


def _is_of_agents(module: str) -> bool:
    return module.partition(".")[0] in ROOTS


def _why_it_stays(node: ast.Import | ast.ImportFrom, file: Path) -> str:
    """Why an import is not rewritten; empty if it is."""
    if any(_is_own(root, file) for root in ROOTS):
        return "imports a module of the project's own"
    if isinstance(node, ast.Import):
        missing = [a.name for a in node.names if _is_of_agents(a.name) and not _has_module(a.name)]
        return f"Outlast has no {', '.join(missing)}" if missing else ""
    module = node.module or ""
    if not _has_module(module):
        return f"Outlast has no {module}"
    names = [alias.name for alias in node.names if alias.name != "*"]
    lacking = [name for name in names if not _has(module, name)]
    return f"only under openai-agents' name: {', '.join(lacking)}" if lacking else ""


def _is_own(root: str, file: Path) -> bool:
    """Whether the package of that name is the project's own: beside the file, or above it."""
    places = [parent / root for parent in list(file.absolute().parents)[:4]]
    return any(
        place.with_suffix(".py").is_file() or (place / "__init__.py").is_file() for place in places
    )


def _has_module(module: str) -> bool:
    return targets(_ours(module)) is not None


def _has(module: str, name: str) -> bool:
    ours = _ours(module)
    if targets(f"{ours}.{name}") is not None:
        return True
    try:
        value = getattr(importlib.import_module(ours), name)
    except (AttributeError, ImportError):
        return False
    # What only guides write is translated under openai-agents' name alone.
    home = getattr(value, "__module__", None) or ""
    return not home.startswith(_GUIDES) or ours != OURS


def _ours(module: str) -> str:
    _, dot, rest = module.partition(".")
    return f"{OURS}{dot}{rest}"


def _rewrite(node: ast.Import | ast.ImportFrom, lines: list[bytes]) -> None:
    if isinstance(node, ast.ImportFrom):
        _replace(
            lines, node.lineno, node.col_offset, rb"(from\s+)(?:openai_)?agents\b", rb"\1outlast"
        )
        return
    for alias in reversed(node.names):
        if _is_of_agents(alias.name):
            _replace(lines, alias.lineno, alias.col_offset, *_pattern(alias))


def _pattern(alias: ast.alias) -> tuple[bytes, bytes]:
    root, dot, _ = alias.name.partition(".")
    name = root.encode()
    if alias.asname:
        return name, OURS.encode()
    if not dot:
        return name, f"{OURS} as {root}".encode()
    # `import agents.run` binds `agents`.
    return re.escape(alias.name.encode()), f"{OURS} as {root}, {_ours(alias.name)}".encode()


def _replace(lines: list[bytes], number: int, column: int, pattern: bytes, by: bytes) -> None:
    line = lines[number - 1]
    lines[number - 1] = line[:column] + re.sub(pattern, by, line[column:], count=1)


def write(found: Sequence[Migration]) -> None:
    """Write the files that change."""
    for each in found:
        if each.changes:
            each.path.write_bytes(each.after.encode())
