"""Words for what a log holds, as people read them."""

from __future__ import annotations

import json
import shlex
from typing import Any, cast

from outlast.core.events import Item


def counted(number: int) -> str:
    """That many steps, in words."""
    return f"{number} step" if number == 1 else f"{number} steps"


def command_line(command: str, *words: str, options: str = "") -> str:
    """A command of ours as it is typed; what begins with a dash is no option behind ``--``."""
    is_dashed = any(word.startswith("-") for word in words)
    named = ["--", shlex.join(words)] if is_dashed else [shlex.join(words)]
    parts = [options, *named] if is_dashed else [*named, options]
    return " ".join(filter(None, ["outlast", command, *parts]))


def arguments_of(call: Item) -> str:
    """What a call says, on one line."""
    body = call.get("arguments", call.get("input", ""))
    try:
        values: Any = json.loads(body) if isinstance(body, str) else body
    except (ValueError, RecursionError):  # What a model wrote need not be JSON.
        return text_from(body)
    if not isinstance(values, dict):
        return text_from(body)
    pairs = cast("dict[str, Any]", values).items()
    return ", ".join(f"{key}={text_from(value)}" for key, value in pairs)


def body_of(call: Item) -> str | None:
    """What a call gives its tool, as text; None where it gives nothing."""
    names = ("arguments", "input", "action", "operation", "actions")
    body = next((call[name] for name in names if call.get(name)), call.get("arguments"))
    return None if body is None else text_from(body)


def answer_from(output: Any) -> str:
    """What a tool answered: the text of its parts where it has such, and what the others are."""
    given = cast("list[Any]", output if isinstance(output, list) else [output])
    parts = [cast("dict[str, Any]", each) for each in given if isinstance(each, dict)]
    if not parts or len(parts) < len(given) or not {_kind(each) for each in parts} <= _PARTS:
        return text_from(output)
    return "\n".join(_part(part) for part in parts)


def _kind(part: dict[str, Any]) -> str:
    return str(part.get("type", "")).removeprefix("input_")


def _part(part: dict[str, Any]) -> str:
    return text_from(part.get("text", "")) if _kind(part) == "text" else f"({_kind(part)})"


_PARTS = {"text", "image", "file"}


def text_from(value: Any) -> str:
    """A text as it is; anything else as JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return f"({type(value).__name__} that is too deep to show)"
