"""What other APIs have in a conversation, in items that Chat Completions can say, or left out.

A conversation moves between providers: with a handoff, a fallback, a session. Calls that somebody
has answered become function calls, call and answer together. What only the first provider can
read, or what its own answer has taken up, is left out.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from outlast.definitions.logger import logger
from outlast.models.chat_parts import Wire

_SHOT = "[screenshot omitted]"
_CALLS = {
    "custom_tool_call": "input",
    "shell_call": "action",
    "local_shell_call": "action",
    "apply_patch_call": "operation",
    "computer_call": "action",
}
"""Calls that a program answers, and the field that says what they ask for."""
_OUTPUTS = {f"{kind}_output" for kind in _CALLS}
_PLAIN = {"message", "function_call", "function_call_output", "reasoning", "file_search_call"}


def plain_items(items: Iterable[Wire], left_out: Counter[str]) -> Iterator[Wire]:
    """``items`` as Chat Completions can say them; counts in ``left_out`` those that it cannot."""
    for item in items:
        kind = str(item.get("type", "message"))
        if kind in _PLAIN:
            yield item
        elif kind in _CALLS:
            yield _call(item, kind.removesuffix("_call"), _asked(item, _CALLS[kind]))
        elif kind in _OUTPUTS:
            yield _answer(item, _told(item))
        elif kind in _ANSWERED:
            yield from _ANSWERED[kind](item)
        else:
            left_out[kind] += 1


def _call(item: Wire, name: str, arguments: object) -> Wire:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, default=str)
    named = str(item.get("name") or name)
    return {"type": "function_call", "call_id": _id(item), "name": named, "arguments": text}


def _answer(item: Wire, text: object) -> Wire:
    return {"type": "function_call_output", "call_id": _id(item), "output": text}


def _id(item: Wire) -> str:
    return str(item.get("call_id") or item.get("id") or "")


def _asked(item: Wire, name: str) -> Any:
    asked: Any = item.get(name, item.get("actions"))
    return cast("Wire", asked) if isinstance(asked, dict) else {name: asked}


def _told(item: Wire) -> Any:
    output: Any = item.get("output")
    if isinstance(output, dict):  # A computer's, which is what its screen shows.
        return _SHOT
    if isinstance(output, list) and item["type"] != "custom_tool_call_output":
        return json.dumps(output, default=str)
    return str(item.get("status") or "") if output is None else cast("Any", output)


def _mcp(item: Wire) -> list[Wire]:
    answer = item.get("output") or item.get("error") or ""
    text = answer if isinstance(answer, str) else json.dumps(answer, default=str)
    return [_call(item, "mcp", item.get("arguments") or "{}"), _answer(item, text)]


def _code(item: Wire) -> list[Wire]:
    outputs: list[Any] = item.get("outputs") or []
    logs = [str(each.get("logs")) for each in outputs if each.get("logs")]
    call = _call(item, "code_interpreter", {"code": item.get("code") or ""})
    return [call, _answer(item, "\n".join(logs))]


_ANSWERED: dict[str, Callable[[Wire], list[Wire]]] = {
    "mcp_call": _mcp,
    "code_interpreter_call": _code,
}
"""Calls that their provider has answered, with the answer in the call."""


# --- Messages. ---------------------------------------------------------------------------


def paired_messages(messages: list[Wire], left_out: Counter[str]) -> list[Wire]:
    """The messages with each call's answer right after it, and without halves of pairs."""
    answers: dict[str, deque[Wire]] = {}
    for message in messages:
        if message["role"] == "tool":
            answers.setdefault(message["tool_call_id"], deque()).append(message)
    kept: list[Wire] = []
    for message in messages:
        if message["role"] != "tool":
            kept += _answered(message, answers, left_out) if "tool_calls" in message else [message]
    if not kept:
        return messages  # Nothing would be asked; the provider may say what it thinks of this.
    if lost := sum(map(len, answers.values())):
        left_out["output without a call"] += lost
    return kept


def _answered(message: Wire, answers: dict[str, deque[Wire]], left_out: Counter[str]) -> list[Wire]:
    calls: list[Wire] = message["tool_calls"]
    has: list[Wire] = []
    results: list[Wire] = []
    for call in calls:
        if found := answers.get(call["id"]):
            has.append(call)
            results.append(found.popleft())
    if len(has) == len(calls):
        return [message, *results]
    left_out["call without an output"] += len(calls) - len(has)
    rest = {name: value for name, value in message.items() if name != "tool_calls"}
    if has:
        return [{**rest, "tool_calls": has}, *results]
    return [rest] if rest.get("content") or rest.get("refusal") else []


def warn_left_out(left_out: Counter[str], model: str, warned: set[str]) -> None:
    """Say once for each kind what a model is not shown."""
    new = sorted(set(left_out) - warned)
    if new:
        warned.update(new)
        named = ", ".join(f"{left_out[kind]} x {kind}" for kind in new)
        logger.warning(
            "Left out of the conversation for %s, which cannot be told of it: %s. Use a Responses "
            "model to keep it, or strict_feature_validation to make it an error.",
            model,
            named,
        )
