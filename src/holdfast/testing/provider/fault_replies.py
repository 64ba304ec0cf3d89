"""Faults of the model itself: what it says is bad, and is sent properly.

Name -> what a client sees, and a function that changes a `Reply`, given what the request offers.
By the model's name they recover: once the conversation holds a tool's output, the reply says
"recovered". Only those that never end do not.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from holdfast.testing.provider.parsed import Wire, as_object, objects_in
from holdfast.testing.provider.replies import Reply

Spoil = Callable[[Reply, int], None]
_MANY = 2_000
_HUGE_ARGUMENT = 10_000_000
NEVER_RECOVER = {"loop_tool", "ping_pong", "loop_unknown_tool", "loop_bad_args"}


def message(text: str) -> Wire:
    """A message item that says ``text``."""
    part: Wire = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [part]}  # fmt: skip


def call(name: str, arguments: str, call_id: str = "call_1") -> Wire:
    """A function call item."""
    return {"id": f"fc_{call_id}", "type": "function_call", "status": "completed",
            "call_id": call_id, "name": name, "arguments": arguments}  # fmt: skip


def _names(reply: Reply) -> list[str]:
    tools = objects_in(reply.asked.get("tools"))
    found = [tool.get("name") or as_object(tool.get("function")).get("name") for tool in tools]
    return [name for name in found if isinstance(name, str)]


def _tool(reply: Reply, wanted: str = "add") -> str:
    """The tool of that name, else the first that is offered."""
    names = [name for name in _names(reply) if not name.startswith("transfer_to_")]
    return wanted if wanted in names or not names else names[0]


def _says(about: str, text: str, finish: str = "stop") -> tuple[str, Spoil]:
    def spoil(reply: Reply, _: int) -> None:
        reply.items, reply.finish = [message(text)] if text else [], finish

    return about, spoil


def _calls(
    about: str, *arguments: str, ids: str = "call_{}", tool: str = "add"
) -> tuple[str, Spoil]:
    """Calls of one tool; ``ids`` makes an id of the call's number."""

    def spoil(reply: Reply, _: int) -> None:
        name = _tool(reply, tool)
        reply.items = [call(name, a, ids.format(n)) for n, a in enumerate(arguments, 1)]

    return about, spoil


def _loop(name: str, arguments: str) -> Spoil:
    def spoil(reply: Reply, number: int) -> None:
        reply.items = [call(_tool(reply, name), arguments, f"call_{number}")]

    return spoil


def _unknown(reply: Reply, number: int) -> None:
    reply.items = [call("no_such_tool", "{}", f"call_{number}")]


def _many(reply: Reply, _: int) -> None:
    name = _tool(reply, "slow")
    reply.items = [call(name, "{}", f"call_{number}") for number in range(_MANY)]


def _ping_pong(reply: Reply, number: int) -> None:
    names = [name for name in _names(reply) if name.startswith("transfer_to_")]
    reply.items = [call(names[0] if names else "transfer_to_nobody", "{}", f"call_{number}")]


def _all_handoffs(reply: Reply, _: int) -> None:
    names = [name for name in _names(reply) if name.startswith("transfer_to_")]
    reply.items = [call(name, "{}", f"call_{n}") for n, name in enumerate(names * 2)]


def _filtered(reply: Reply, _: int) -> None:
    reply.items, reply.finish = [], "content_filter"


def _cut_call(reply: Reply, _: int) -> None:
    reply.items, reply.finish = [call(_tool(reply), '{"a": 1, "b"')], "length"


def _refusal(reply: Reply, _: int) -> None:
    part = {"type": "refusal", "refusal": "I will not do that."}
    reply.items = [{**message(""), "content": [part]}]


def _no_usage(reply: Reply, _: int) -> None:
    reply.items, reply.usage = [message("ok")], None


def _huge_usage(reply: Reply, _: int) -> None:
    reply.items = [message("ok")]
    reply.usage = {"input_tokens": 10**12, "output_tokens": 10**12, "total_tokens": 2 * 10**12}


def _only_reasoning(reply: Reply, _: int) -> None:
    part = {"type": "summary_text", "text": "I could say something."}
    reply.items = [{"id": "rs_1", "type": "reasoning", "summary": [part]}]


_GOOD = '{"a": 1, "b": 2}'

REPLIES: dict[str, tuple[str, Spoil]] = {
    "unknown_tool": ("a call of a tool that there is not", _unknown),
    "empty_tool_name": ("a call of a tool without name", lambda reply, _: reply.items.__setitem__(
        slice(None), [call("", "{}")])),
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
    "huge_args": ("an argument of 10 MB", lambda reply, _: reply.items.__setitem__(
        slice(None), [call(_tool(reply, "echo"), json.dumps({"s": "A" * _HUGE_ARGUMENT}))])),
    "dup_call_ids": _calls("two calls of one id", _GOOD, '{"a": 3, "b": 4}', ids="call_1"),
    "empty_call_id": _calls("a call whose id is empty", _GOOD, ids=""),
    "long_call_id": _calls("a call whose id has 10,000 characters", _GOOD, ids="c" * 10_000),
    "hostile_call_id": _calls("a call whose id is a path", _GOOD, ids="../../etc/{}/passwd"),
    "many_tools": ("2,000 calls in one reply", _many),
    "loop_tool": ("the same call for ever", _loop("add", _GOOD)),
    "loop_unknown_tool": ("a tool that there is not, for ever", _unknown),
    "loop_bad_args": ("bad arguments for ever", _loop("add", '{"a": 1, "b":')),
    "ping_pong": ("hands off for ever", _ping_pong),
    "all_handoffs": ("hands off to everybody at once, twice", _all_handoffs),
    "text_and_call": ("a text and a call in one reply", lambda reply, _: reply.items.__setitem__(
        slice(None), [message("I will add."), call(_tool(reply), _GOOD)])),
    "length_stop": _says("the reply is cut by the limit of tokens", "half of", "length"),
    "length_empty": _says("the limit of tokens left nothing to say", "", "length"),
    "length_tool": ("a call that is cut by the limit of tokens", _cut_call),
    "content_filter": ("the content filter took the reply", _filtered),
    "content_filter_text": _says("the content filter cut the reply", "half of", "content_filter"),
    "refusal": ("the model refuses", _refusal),
    "empty_reply": _says("the reply has nothing in it", ""),
    "empty_text": ("the reply says an empty text",
                   lambda reply, _: reply.items.__setitem__(slice(None), [message("")])),
    "only_reasoning": ("the reply is reasoning alone", _only_reasoning),
    "surrogate_text": _says("a text with half of a surrogate pair", "a \ud800 b"),
    "nul_text": _says("a text with a NUL character", "a\0b"),
    "escape_text": _says("a text with escape sequences of a terminal", "\x1b]0;x\x07\x1b[2J"),
    "bidi_text": _says("a text that turns its direction", "user\u202etxt.exe\u202c"),
    "not_json_text": _says("prose, where JSON may have been asked for", "Here you are: {"),
    "usage_missing": ("no usage, plain or streamed", _no_usage),
    "usage_huge": ("a usage of 10^12 tokens", _huge_usage),
}  # fmt: skip
