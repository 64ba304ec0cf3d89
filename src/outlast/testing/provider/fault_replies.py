"""Faults of the model itself: what it says is bad, and is sent properly.

Name -> what a client sees, and a function of a `Reply`, which it may change, and the request's
number that gives the items.
By the model's name they recover: once the conversation holds a tool's output, the reply says
"recovered". Only those that never end do not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from outlast.testing.provider.parsed import Wire, as_object, objects_in
from outlast.testing.provider.replies import Reply

Spoil = Callable[[Reply, int], list[Wire]]
_MANY = 2_000
_HUGE_ARGUMENT = 10_000_000
NEVER_RECOVER = {"loop_tool", "ping_pong", "loop_unknown_tool", "loop_bad_args"}


def message(text: Any) -> Wire:
    """A message item that says ``text``."""
    part: Wire = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [part]}  # fmt: skip


def call(name: str, arguments: str, call_id: str = "call_1") -> Wire:
    """A function call item."""
    return {"id": f"fc_{call_id}", "type": "function_call", "status": "completed",
            "call_id": call_id, "name": name, "arguments": arguments}  # fmt: skip


def _names(reply: Reply, *, transfers: bool = False) -> list[str]:
    """The names of the tools that are offered, or of the handoffs."""
    tools = objects_in(reply.asked.get("tools"))
    found = [tool.get("name") or as_object(tool.get("function")).get("name") for tool in tools]
    return [n for n in found if isinstance(n, str) and n.startswith("transfer_to_") is transfers]


def _tool(reply: Reply, wanted: str = "add") -> str:
    """The tool of that name, else the first that is offered."""
    names = _names(reply)
    return wanted if wanted in names or not names else names[0]


def _says(about: str, *items: Wire, finish: str = "stop", **told: Any) -> tuple[str, Spoil]:
    """A reply of some items; ``told`` is what else it says beside them."""

    def spoil(reply: Reply, _: int) -> list[Wire]:
        reply.finish = finish
        reply.usage = told.get("usage", reply.usage)
        return list(items)

    return about, spoil


def _calls(
    about: str, *arguments: str, ids: str = "call_{}", tool: str = "add"
) -> tuple[str, Spoil]:
    """Calls of one tool; ``ids`` makes an id of the call's number."""

    def spoil(reply: Reply, _: int) -> list[Wire]:
        name = _tool(reply, tool)
        return [call(name, a, ids.format(n)) for n, a in enumerate(arguments, 1)]

    return about, spoil


def _loops(about: str, arguments: str, name: str | None = None) -> tuple[str, Spoil]:
    """A call of another id each time."""
    return about, lambda reply, number: [call(name or _tool(reply), arguments, f"call_{number}")]


def _many(reply: Reply, _: int) -> list[Wire]:
    name = _tool(reply, "slow")
    return [call(name, "{}", f"call_{number}") for number in range(_MANY)]


def _ping_pong(reply: Reply, number: int) -> list[Wire]:
    first, *_ = (*_names(reply, transfers=True), "transfer_to_nobody")
    return [call(first, "{}", f"call_{number}")]


def _all_handoffs(reply: Reply, _: int) -> list[Wire]:
    names = _names(reply, transfers=True) * 2
    return [call(name, "{}", f"call_{n}") for n, name in enumerate(names)]


def _huge_args(reply: Reply, _: int) -> list[Wire]:
    return [call(_tool(reply, "echo"), json.dumps({"s": "A" * _HUGE_ARGUMENT}))]


def _cut_call(reply: Reply, _: int) -> list[Wire]:
    reply.finish = "length"
    return [call(_tool(reply), '{"a": 1, "b"')]


_REFUSAL = {"type": "refusal", "refusal": "I will not do that."}
_THOUGHT = {"type": "summary_text", "text": "I could say something."}
_HUGE_USAGE = {"input_tokens": 10**12, "output_tokens": 10**12, "total_tokens": 2 * 10**12}
_GOOD = '{"a": 1, "b": 2}'

REPLIES: dict[str, tuple[str, Spoil]] = {
    "unknown_tool": _loops("a call of a tool that there is not", "{}", "no_such_tool"),
    "empty_tool_name": _says("a call of a tool without name", call("", "{}")),
    "bad_args": _calls("arguments that end in the middle", '{"a": 1, "b":'),
    "empty_args": _calls("arguments that are an empty text", ""),
    "nonobj_args": _calls("arguments that are a list", "[1, 2]"),
    "null_args": _calls("arguments that are null", "null"),
    "nan_args": _calls("arguments with NaN and Infinity", '{"a": NaN, "b": Infinity}'),
    "bigint_args": _calls("an argument of 5,000 digits", '{"a": 1' + "0" * 5000 + ', "b": 1}'),
    "extra_args": _calls("arguments that the tool does not have", '{"a": 1, "b": 2, "rm": "-rf"}'),
    "wrong_type_args": _calls("arguments of the wrong types", '{"a": [], "b": {}}'),
    "double_args": _calls("arguments that are JSON inside a text", json.dumps(_GOOD)),
    "duplicate_key_args": _calls("arguments that name one key twice", '{"a": 1, "a": 9, "b": 2}'),
    "deep_args": _calls("arguments of 100,000 lists inside each other",
                        '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"),
    "nul_args": _calls("an argument with a NUL character", '{"s": "a\\u0000b"}', tool="echo"),
    "surrogate_args": _calls("an argument with half of a surrogate pair", '{"s": "\\ud800"}',
                             tool="echo"),
    "huge_args": ("an argument of 10 MB", _huge_args),
    "dup_call_ids": _calls("two calls of one id", _GOOD, '{"a": 3, "b": 4}', ids="call_1"),
    "empty_call_id": _calls("a call whose id is empty", _GOOD, ids=""),
    "long_call_id": _calls("a call whose id has 10,000 characters", _GOOD, ids="c" * 10_000),
    "hostile_call_id": _calls("a call whose id is a path", _GOOD, ids="../../etc/{}/passwd"),
    "many_tools": ("2,000 calls in one reply", _many),
    "loop_tool": _loops("the same call for ever", _GOOD),
    "loop_unknown_tool": _loops("a tool that there is not, for ever", "{}", "no_such_tool"),
    "loop_bad_args": _loops("bad arguments for ever", '{"a": 1, "b":'),
    "ping_pong": ("hands off for ever", _ping_pong),
    "all_handoffs": ("hands off to everybody at once, twice", _all_handoffs),
    "text_and_call": ("a text and a call in one reply", lambda reply, _: [
        message("I will add."), call(_tool(reply), _GOOD)]),
    "length_stop": _says("the reply is cut by the limit of tokens", message("half of"),
                         finish="length"),
    "length_empty": _says("the limit of tokens left nothing to say", finish="length"),
    "length_tool": ("a call that is cut by the limit of tokens", _cut_call),
    "content_filter": _says("the content filter took the reply", finish="content_filter"),
    "content_filter_text": _says("the content filter cut the reply", message("half of"),
                                 finish="content_filter"),
    "refusal": _says("the model refuses", {**message(""), "content": [_REFUSAL]}),
    "empty_reply": _says("the reply has nothing in it"),
    "empty_text": _says("the reply says an empty text", message("")),
    "only_reasoning": _says("the reply is reasoning alone",
                            {"id": "rs_1", "type": "reasoning", "summary": [_THOUGHT]}),
    "surrogate_text": _says("a text with half of a surrogate pair", message("a \ud800 b")),
    "nul_text": _says("a text with a NUL character", message("a\0b")),
    "escape_text": _says("a text with escape sequences of a terminal", message("\x1b]0;x\x07\x1b[2J")),
    "bidi_text": _says("a text that turns its direction", message("user\u202etxt.exe\u202c")),
    "not_json_text": _says("prose, where JSON may have been asked for", message("Here you are: {")),
    "usage_missing": _says("no usage, plain or streamed", message("ok"), usage=None),
    "usage_huge": _says("a usage of 10^12 tokens", message("ok"), usage=_HUGE_USAGE),
}  # fmt: skip
