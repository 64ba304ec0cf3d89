"""The rules of the layout, as tests: who may import whom, and how big a thing may grow."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "outlast"
MODULES = sorted(SOURCE.rglob("*.py"))

# A layer may import itself and the layers to its left. This line is the architecture.
LAYERS = (
    "core", "views", "definitions", "tracing", "models", "calls", "journal", "sessions", "effects",
    "engine", "run",
)  # fmt: skip
# Leaves may import every layer, and nothing of ours imports them.
LEAVES = (
    "testing",
    "sandbox",
    "compat",
    "cli",
    "demo",
    "mcp",
    "extras",
    "otel",
    "replay",
    "evals",
    "temporal",
    "server",
    "client",
)
# A leaf that builds on another one: the demo is a program of the command line's kind.
LEAF_ON_LEAF = {
    ("cli", "demo"),
    ("demo", "cli"),
    ("demo", "testing"),
    ("testing", "sandbox"),
    ("cli", "testing"),
    ("cli", "compat"),
    ("cli", "temporal"),
    ("cli", "server"),
    ("cli", "client"),
    ("cli", "otel"),
    ("cli", "replay"),
    ("cli", "evals"),
    ("server", "replay"),
    ("cli", "mcp"),
    ("compat", "mcp"),
    ("compat", "temporal"),
    ("compat", "extras"),
    ("temporal", "mcp"),
    ("cli", "extras"),
}
# A layer to the left of which it has nothing to say: who performs an effect knows of no log.
BARRED = {"effects": {"journal"}}
# The settings of a run and its place name a journal, and pass it on.
NAME_A_JOURNAL = {"effects/config.py", "effects/place.py"}
# At the root stand the public table and the version, which anything may read.
ROOT_MODULES = {"__init__", "__main__", "version"}

MAX_FILE = 500
MAX_FUNCTION = 50
MAX_NESTING = 3
# Ceilings in lines, docstrings and blank lines included: what is there, and a little. A part that
# needs more says so here, in the change that needs it.
MAX_LINES = {
    "core": 5_940, "definitions": 10_390, "tracing": 2_580, "models": 9_060, "journal": 5_450,
    "sessions": 5_040, "effects": 7_550, "engine": 2_780, "calls": 1_840, "run": 5_775,
    "testing": 4_540, "compat": 2_740, "cli": 7_600, "demo": 580, "extras": 4_050, "mcp": 5_300,
    "temporal": 4_810, "views": 2_240, "otel": 840, "replay": 1_020, "evals": 920,
    "server": 7_640, "client": 610, "sandbox": 420,
}  # fmt: skip

# A reason, or it does not stand here.
TOO_LONG_FILES: dict[str, str] = {}
TOO_LONG_FUNCTIONS: dict[str, str] = {}
TOO_DEEP_FUNCTIONS: dict[str, str] = {}

IMPURE = {
    "asyncio", "concurrent", "contextlib", "datetime", "io", "logging", "multiprocessing", "os",
    "pathlib", "random", "secrets", "socket", "sqlite3", "subprocess", "tempfile", "threading",
    "time", "uuid",
}  # fmt: skip
HEAVY = ("openai", "pydantic", "mcp", "griffe", "griffelib", "rich", "typer", "httpx", "requests")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Block = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar,
    ast.Match,
)  # fmt: skip

PASSED_ON = {"getLogger", "logging.getLogger", "files"}
"""Calls that are told a name of ours, and import nothing."""


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


KNOWN = {module_of(path): path for path in MODULES}

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))


def imported(tree: ast.AST) -> Iterator[str]:
    """Name every module that a tree imports, wherever in it, also for type checkers only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "." * node.level
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def named(tree: ast.AST) -> Iterator[str]:
    """Name every module of ours that a tree says in a text, whole or up to what it fills in.

    What is found by its name when it is used is imported all the same.
    """
    passed_on = {
        id(text)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in PASSED_ON
        for text in ast.walk(call)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in passed_on:
            continue
        text = str(node.value)
        if text.startswith("outlast.") and text.rstrip(".") in KNOWN:
            yield text.rstrip(".")


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def parts_imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = [name.split(".") for name in [*imported(tree), *named(tree)]]
    return {name[1] for name in names if name[0] == "outlast" and len(name) > 1}


@each_module
def test_every_module_has_its_place(path: Path):
    assert part_of(path) in {*LAYERS, *LEAVES, *ROOT_MODULES}


@each_module
def test_imports_point_down(path: Path):
    part, used = part_of(path), parts_imported(path)
    if part in LAYERS:
        above = {*LAYERS[LAYERS.index(part) + 1 :], *LEAVES}
        assert not used & above
        is_named = str(path.relative_to(SOURCE)) in NAME_A_JOURNAL
        assert is_named or not used & BARRED.get(part, set())
    if part in LEAVES:
        leaves = {(part, other) for other in used & {*LEAVES} - {part}}
        assert leaves <= LEAF_ON_LEAF


def test_no_leaf_may_build_on_one_that_it_does_not_use():
    leaves = {
        (part_of(path), other)
        for path in MODULES
        for other in parts_imported(path) & {*LEAVES} - {part_of(path)}
        if part_of(path) in LEAVES
    }
    assert LEAF_ON_LEAF - leaves == set()


def test_no_module_imports_itself_by_a_way_round():
    """Not by a statement, not for type checkers only, not by name. The public table is no part."""
    graph = {name: modules_used(path) - {name} for name, path in KNOWN.items() if name != "outlast"}
    left = dict(graph)
    while free := [name for name, used in left.items() if not used & left.keys()]:
        for name in free:
            del left[name]
    assert sorted(left) == []


def modules_used(path: Path) -> set[str]:
    """Every module of ours that another one imports, in whatever way."""
    tree = ast.parse(path.read_text())
    found = {*named(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= whole & {*KNOWN} or {str(node.module)}
    return found & {*KNOWN}


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        ('import_module("outlast.run.runner")', {"outlast.run.runner"}),
        ('HOMES = {"Runner": "outlast.run.runner"}', {"outlast.run.runner"}),
        ('import_module(f"outlast.sessions.{home}")', {"outlast.sessions"}),
        ('logging.getLogger("outlast.journal")', set()),
        ('"outlast show"', set()),
    ],
)
def test_a_module_that_is_named_in_a_text_is_found(line: str, modules: set[str]):
    assert {*named(ast.parse(line))} == modules


@each_module
def test_imports_are_absolute(path: Path):
    assert not [name for name in imported(ast.parse(path.read_text())) if name.startswith(".")]


@each_module
def test_a_file_fits_the_limit(path: Path):
    lines = path.read_text().count("\n")
    assert lines <= MAX_FILE or str(path.relative_to(SOURCE)) in TOO_LONG_FILES


@each_module
def test_functions_are_short_and_flat(path: Path):
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, Function)]
    name = str(path.relative_to(SOURCE))
    long = [f.name for f in functions if length(f) > MAX_FUNCTION]
    deep = [f.name for f in functions if nesting(f) > MAX_NESTING]
    assert [f for f in long if f"{name}:{f}" not in TOO_LONG_FUNCTIONS] == []
    assert [f for f in deep if f"{name}:{f}" not in TOO_DEEP_FUNCTIONS] == []


def length(function: Function) -> int:
    """Return the lines of a function, without its docstring: an explained one is not a long one."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    said = function.body[0]
    return lines - ((said.end_lineno or 0) - said.lineno + 1)


def nesting(node: ast.AST, depth: int = 0) -> int:
    """Return how deep blocks stand in blocks; a function inside is measured on its own."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        inside = depth + (isinstance(child, Block) and not is_elif)
        deepest = max(deepest, nesting(child, inside))
    return deepest


@pytest.mark.parametrize("package", MAX_LINES)
def test_a_package_stays_under_its_ceiling(package: str):
    files = (SOURCE / package).rglob("*.py")
    assert sum(path.read_text().count("\n") for path in files) <= MAX_LINES[package]


@pytest.mark.parametrize(
    "path", sorted((SOURCE / "core").rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE))
)
def test_the_core_is_pure(path: Path):
    tree = ast.parse(path.read_text())
    typing_only = {
        id(n) for block in ast.walk(tree) if is_typing_block(block) for n in ast.walk(block)
    }
    names = [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in typing_only
        for name in imported(node)
    ]
    roots = {name.split(".")[0] for name in names}
    assert not roots & IMPURE
    assert roots - {"outlast"} <= {*sys.stdlib_module_names, "msgspec"} | lazily_allowed(tree)


READS_TEXT = {
    "startswith", "endswith", "partition", "rpartition", "split", "rsplit", "removeprefix",
    "removesuffix",
}  # fmt: skip


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) in {"core", "views", "calls", "effects", "engine", "run", "cli"}],
    ids=lambda p: str(p.relative_to(SOURCE)),
)  # fmt: skip
def test_ids_of_effects_are_written_and_read_in_one_module(path: Path):
    if path == SOURCE / "core" / "ids.py":
        return
    tree = ast.parse(path.read_text())
    assert [
        ast.unparse(node) for node in ast.walk(tree) if is_id_made(node) or is_id_read(node)
    ] == []


def is_id_made(node: ast.AST) -> bool:
    """Whether a text is put together as ids are: a letter, a number, a key."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), ast.FormattedValue(), *_]):
            return start.removesuffix(".") in set("pmtahgfeswki")
    return False


def is_id_read(node: ast.AST) -> bool:
    """Whether parts are taken from a text that is called as ids of effects are."""
    match node:
        case ast.Call(func=ast.Attribute(value=text, attr=name)) if name in READS_TEXT:
            return is_called_id(text)
        case ast.Subscript(value=text, slice=ast.Slice() | ast.Constant(value=int())):
            return is_called_id(text)
    return False


def is_called_id(node: ast.AST) -> bool:
    name = {ast.Name: "id", ast.Attribute: "attr"}.get(type(node), "")
    return getattr(node, name, "") in {"id", "key", "effect_id", "source", "parent_effect"}


@pytest.mark.parametrize(
    "line",
    [
        "failure.id[0] == 'g'",
        "key.startswith('s')",
        "event.id[1:]",
        "event.id.partition('.')[2]",
        "state.ended.error.source.startswith('s')",
        "f't{turn}.{call_id}'",
        "f'w.{failure.id}.1'",
        "f'p{turn}'",
    ],
)
def test_reading_an_id_by_hand_is_found(line: str):
    assert any(is_id_made(node) or is_id_read(node) for node in ast.walk(ast.parse(line)))


# What an event means is said in the core (the fold) and in the views. Elsewhere, who makes events may
# look at what it made, and a journal at what it stores; the numbers only go down.
MAX_EVENTS_READ = {"temporal": 3, "effects": 3, "engine": 10, "run": 2, "journal": 5}
EVENTS = {
    event.name
    for event in ast.parse((SOURCE / "core" / "events.py").read_text()).body
    if isinstance(event, ast.ClassDef) and any(word.arg == "tag" for word in event.keywords)
}


@pytest.mark.parametrize("package", [*LAYERS[2:], *LEAVES])
def test_events_are_interpreted_in_the_core_and_in_views(package: str):
    found = [
        f"{path.relative_to(SOURCE)}:{ast.unparse(node)}"
        for path in (SOURCE / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if is_event_read(node)
    ]
    assert len(found) <= MAX_EVENTS_READ.get(package, 0), found


def is_event_read(node: ast.AST) -> bool:
    """Whether a kind of event is asked for: by `isinstance`, or in a `case`."""
    match node:
        case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]) | ast.MatchClass(cls=kinds):
            names = (getattr(each, "id", getattr(each, "attr", "")) for each in ast.walk(kinds))
            return not EVENTS.isdisjoint(names)
    return False


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("isinstance(event, ToolReturned)", True),
        ("isinstance(event, events.ToolReturned | HandedOff)", True),
        ("isinstance(event, (TurnPrepared, int))", True),
        ("match event:\n case ModelReplied():\n  pass", True),
        ("isinstance(effect, RunTool)", False),
        ("ToolReturned(key)", False),
    ],
)
def test_reading_an_event_is_found(line: str, is_one: bool):
    assert any(map(is_event_read, ast.walk(ast.parse(line)))) == is_one


def test_views_are_pure():
    """They read logs that are handed to them: no layer above the core, no clock, no file."""
    for path in (SOURCE / "views").rglob("*.py"):
        assert parts_imported(path) <= {"core", "views"}
        roots = {name.split(".")[0] for name in imported(ast.parse(path.read_text()))}
        assert not roots & IMPURE


def is_typing_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def lazily_allowed(tree: ast.Module) -> set[str]:
    """Return what functions import for themselves: types of these, built when asked for."""
    local = {
        name.split(".")[0]
        for function in ast.walk(tree)
        if isinstance(function, Function)
        for name in imported(function)
    }
    return local & {"openai", "pydantic_core"}


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statement", ["import outlast", "from outlast import Agent, Runner, function_tool"]
)
def test_importing_loads_no_heavy_library(statement: str):
    loaded = {name.split(".")[0] for name in modules_after(statement)}
    assert not loaded & {*HEAVY}
