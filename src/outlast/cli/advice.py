"""What to do about mistakes that most people make once, by what Python says of them."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Collection
from typing import Any

import outlast

_COROUTINE = "A coroutine wants `await`. Without a coroutine around it, call Runner.run_sync(...)."
_ADVICE = {
    r"'coroutine' object (has no attribute|is not)|unsupported operand.*'coroutine'": _COROUTINE,
    r"asyncio.run\(\) cannot be called from a running": "In a coroutine, write `await` in its place.",
    r"'(await|async for|async with)' outside": (
        "Put it into `async def main():` and call asyncio.run(main()), or use Runner.run_sync(...)."
    ),
    r"RunResultStreaming'?( object)? can't be (used in 'await'|awaited)": (
        "It is not awaited: `async for event in result.stream_events():`"
    ),
    r"'async_generator' object is not iterable": "Write `async for`, in a coroutine.",
    r"object with __aiter__ method, got method": "Call it: put () behind its name.",
    r"'Agent' object has no attribute 'run'": 'Write Runner.run_sync(agent, "...").',
    r"Runner\(\) takes no arguments": 'Write Runner.run_sync(agent, "...").',
    r"'FunctionTool' object is not callable": (
        "Agents call tools. To call the function too, keep it: tool = function_tool(function)."
    ),
    r"'(Tool|RunContextWrapper)\w*' object has no attribute": "What you passed as context= is ctx.context.",
    r"partially initialized module": (
        "Two files import each other. Move what both need into a third one."
    ),
    r"MaxTurnsExceeded": "Let it make more turns: max_turns=N.",
    r"maximum recursion depth": "A function calls itself without an end.",
}
_KEYWORD = re.compile(r"(?:(\w+)\.)?(\w+)\(\) got an unexpected keyword argument '(\w+)'$")


def about_context(said: str) -> str:
    """What to do about an error that a missing context explains, in a run of the command line."""
    return _NO_CONTEXT if _OF_NONE.search(said) else ""


_OF_NONE = re.compile(r"'NoneType' object (has no attribute|is not (subscriptable|iterable))")
_NO_CONTEXT = (
    "Was that ctx.context? A command line gives none: call Runner.run(..., context=...) in the file, "
    "and run it whole: outlast run FILE"
)


def advice(error: BaseException) -> tuple[str, ...]:
    """Lines that say what to write instead; none where nothing is known of such an error."""
    said = f"{type(error).__name__}: {error}"
    known = [text for pattern, text in _ADVICE.items() if re.search(pattern, said)]
    meant = _meant(error)
    return (*([f"Did you mean {meant}?"] if meant else []), *known)


def _meant(error: BaseException) -> str:
    """The name that a wrong one was probably meant to be, in quotes; empty if none is near."""
    if isinstance(error, NameError) and error.name and not isinstance(error, UnboundLocalError):
        return _nearest(error.name, _names_at(error))
    if found := _KEYWORD.search(str(error)):
        return _nearest(found[3], _parameters(found[1], found[2]))
    if isinstance(error, ImportError) and error.name in ("outlast", "agents"):
        wrong = re.search(r"cannot import name '(\w+)'", str(error))
        return _nearest(wrong[1], outlast.__all__) if wrong else ""
    if (
        isinstance(error, AttributeError)
        and error.name
        and type(error.obj).__module__.startswith("outlast")
    ):
        return _nearest(error.name, [name for name in dir(error.obj) if not name.startswith("_")])
    return ""


def _names_at(error: BaseException) -> Collection[str]:
    """The names that there are where ``error`` was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace and trace.tb_frame
    return [*frame.f_locals, *frame.f_globals] if frame else []


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.75)
    words = set(name.split("_"))
    longer = [each for each in known if words <= set(each.split("_"))]
    return repr((close or longer)[0]) if close or longer else ""


def _parameters(owner: str | None, name: str) -> Collection[str]:
    """The parameters of a public function, class or method of Outlast's."""
    public = owner or name
    found: Any = getattr(outlast, public) if public in outlast.__all__ else None
    if owner and name != "__init__":
        found = getattr(found, name, None)
    return inspect.signature(found).parameters if callable(found) else ()
