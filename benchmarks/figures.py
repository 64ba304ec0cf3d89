"""Count what the house is made of: `python benchmarks/figures.py`.

Functions that a run with one tool call enters, and the files they stand in (the second run of a
process; comprehensions and generator expressions are no functions). Code lines are lines without
blanks, comments and docstrings. A cycle counts imports by statement, for type checkers only, and by
name.
"""

import ast
import asyncio
import io
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

SOURCE = Path(__file__).parents[1] / "src" / "outlast"
HEART = ("core", "views", "journal", "calls", "effects", "engine", "run")
# What a model call passes through that may be late, fail, be made again or go to another model.
ONE_MODEL_CALL = (
    "effects/model.py", "effects/reply.py",
    "calls/attempt.py", "calls/deadlines.py", "calls/fallback.py", "calls/health.py",
    "calls/model_choice.py", "calls/retry.py", "models/call_options.py",
    "models/background.py", "models/errors.py", "models/normalized.py", "definitions/retry.py",
    "definitions/limits.py", "journal/health.py",
)  # fmt: skip


def main() -> None:
    modules = sorted(SOURCE.rglob("*.py"))
    texts = {path: path.read_text() for path in modules}
    code = {path: code_lines(text) for path, text in texts.items()}
    entered = functions_entered()
    call = [SOURCE / name for name in ONE_MODEL_CALL if (SOURCE / name).exists()]
    rows = {
        "functions entered by a run with one tool call": len(entered),
        "files they stand in": len({file for file, _ in entered}),
        "files of one model call that may fail": len(call),
        "lines of them": sum(texts[path].count("\n") for path in call),
        "code lines of them": sum(code[path] for path in call),
        "heart, code lines": sum(code[p] for p in modules if room_of(p) in HEART),
        "src/outlast, lines": sum(text.count("\n") for text in texts.values()),
        "src/outlast, code lines": sum(code.values()),
        "files in cycles of imports": len(in_cycles(texts)),
        "noqa: SLF001": sum(text.count("SLF001") for text in texts.values()),
        "Any": sum(names(text)["Any"] for text in texts.values()),
    }
    for title, figure in rows.items():
        print(f"{figure:>8,}  {title}")
    for room in sorted({room_of(path) for path in modules}):
        print(f"{sum(code[p] for p in modules if room_of(p) == room):>8,}  code lines of {room}")


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def code_lines(text: str) -> int:
    """Return how many lines have code on them."""
    told: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                told |= {*range(node.lineno, (node.end_lineno or node.lineno) + 1)}
            case _:
                pass
    lines: set[int] = set()
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in {*skipped, tokenize.ENDMARKER}:
            lines |= {*range(token.start[0], token.end[0] + 1)}
    return len(lines - told)


def names(text: str) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return Counter(token.string for token in tokens if token.type == tokenize.NAME)


def in_cycles(texts: dict[Path, str]) -> list[str]:
    """Return the modules that import themselves by some way round; the public table is no part."""
    known = {module_of(path): text for path, text in texts.items()}
    left = {
        name: {*used(text, known.keys())} - {name, "outlast"}
        for name, text in known.items()
        if name != "outlast"
    }
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def used(text: str, known: Any) -> Iterator[str]:
    tree = ast.parse(text)
    passed_on = {
        id(part)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).split(".")[-1] in ("getLogger", "files")
        for part in ast.walk(call)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (whole & {*known}) or {str(node.module)} & {*known}
        elif isinstance(node, ast.Constant) and id(node) not in passed_on:
            name = str(node.value).rstrip(".")
            if name in known and "." in name:
                yield name


def functions_entered() -> set[tuple[str, str]]:
    """Return file and name of each function of ours that is entered."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_traced(Path(folder)))


async def _traced(folder: Path) -> set[tuple[str, str]]:
    from outlast import Agent, RunConfig, Runner, function_tool
    from outlast.journal import SqliteJournal
    from outlast.testing import ScriptedModel, assistant_message, function_call

    @function_tool
    async def look(order: str) -> str:
        """Look an order up."""
        return order

    def desk() -> Any:
        script = [[function_call("look", {"order": "A"}, call_id="1")], [assistant_message("done")]]
        return Agent(
            name="desk", instructions="Be brief.", tools=[look], model=ScriptedModel(script)
        )

    journal = SqliteJournal(folder / "journal.db", durability="process")
    config = RunConfig(journal=journal)
    await Runner.run(desk(), "first", run_config=config)
    entered: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        is_ours = code.co_filename.startswith(str(SOURCE)) and "testing" not in code.co_filename
        if event == "call" and is_ours and not code.co_name.startswith("<"):
            entered.add((code.co_filename, code.co_qualname))

    agent = desk()
    sys.setprofile(note)
    try:
        await Runner.run(agent, "second", run_config=config)
    finally:
        sys.setprofile(None)
        await journal.close()
    return entered


if __name__ == "__main__":
    main()
