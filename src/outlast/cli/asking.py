"""A call that waits for a person, shown as exactly what will run.

One field a line, each value as JSON with everything escaped that does not look like itself. A line
begins with a field's name or with a bar, which no value can write: what stands in a value cannot look
like another field.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, cast

from outlast.cli.text import chunks, is_hidden, plain
from outlast.core.events import Item
from outlast.views.waiting import WaitingCall
from outlast.views.words import command_line

CUT = 600
"""Characters of a value that are shown. What is cut is counted, in a line of its own."""

_BODIES = ("arguments", "input", "action", "actions", "operation", "server_label")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def call_lines(
    run_id: str, call: WaitingCall, width: int, *, is_full: bool = False
) -> Iterator[str]:
    """The call, its arguments, whether it began before, and the commands that answer it."""
    yield f"{plain(call.key)}  {plain(call.agent)}"
    yield f"  {plain(call.tool)}"
    for name, value in fields(call.item):
        yield from _field(name, value, width, is_full=is_full)
    if call.server:
        yield from _field("mcp_server", exact(call.server), width, is_full=True)
        yield from _field("description", exact(call.description), width, is_full=True)
    if call.request.change:
        yield f"  CHANGED since it was approved: {plain(call.request.change)}. Is it still fine?"
    if call.is_in_doubt:
        yield "  It began already, outcome unknown: run it again?"
    request = call.request
    if request.question:
        yield f"  asks: {exact(request.question)}"
        if request.choices:
            yield f"  one of: {', '.join(map(exact, request.choices))}"
    if request.question:
        yield f"  answer: {_typed('answer', run_id, call.question_id, *(request.choices or ('ANSWER',))[:1])}"
    else:
        yield f"  yes: {_typed('approve', run_id, call.question_id)}"
    yield f"  no:  {_typed('reject', run_id, call.question_id)}"


def _typed(command: str, *words: str) -> str:
    return plain(command_line(command, *words))


def fields(item: Item) -> list[tuple[str, str]]:
    """The names and values of what a call asks for, both as they are shown."""
    found: list[tuple[str, str]] = []
    for body in _BODIES:
        if body not in item:
            continue
        pairs = _pairs(item[body]) if body in ("arguments", "action", "operation") else None
        if pairs is None:
            found.append((body, exact(item[body])))
        else:
            found += [(_named(key), exact(value)) for key, value in pairs]
    return found


def exact(value: Any) -> str:
    """``value`` as JSON on one line, with whatever is not plainly visible as its number."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return "".join(_spelled(character) if _misleads(character) else character for character in text)


def _misleads(character: str) -> bool:
    """Whether a character shows nothing, another one's place, or something on top of another."""
    if character == " ":
        return False
    return is_hidden(character) or unicodedata.category(character) in ("Zs", "Mn", "Me")


def _spelled(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(
        f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True)
    )


def _named(name: str) -> str:
    return name if _NAME.fullmatch(name) else exact(name)


def _pairs(body: Any) -> list[tuple[str, Any]] | None:
    """What a body names, in its order; None where it is no object or names something twice."""
    if isinstance(body, dict):
        return list(cast("dict[str, Any]", body).items())
    try:
        parsed: Any = json.loads(body, object_pairs_hook=_once)
    except (ValueError, TypeError, RecursionError):
        return None
    return list(cast("dict[str, Any]", parsed).items()) if isinstance(parsed, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("A name stands twice, and who reads it decides which one counts.")
    return dict(pairs)


def _field(name: str, value: str, width: int, *, is_full: bool) -> Iterator[str]:
    shown = value if is_full else value[:CUT]
    first, *rest = chunks(f"    {name}: {shown}", width)
    yield first
    for piece in chunks("".join(rest), width - 6) if rest else ():
        yield f"    | {piece}"
    if len(shown) < len(value):
        yield f"    + {len(value) - len(shown):,} more characters: --full shows them"
