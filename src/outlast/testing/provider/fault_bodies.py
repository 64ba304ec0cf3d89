"""Faults in the JSON of a plain answer.

Name -> what a client sees, and a function of the good answer and the exchange that gives the bad
one: a mapping, which is encoded, or bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from outlast.testing.provider.exchange import Exchange, error_body
from outlast.testing.provider.fault_replies import message
from outlast.testing.provider.parsed import GONE, Wire, as_object, changed

Spoil = Callable[[Wire, Exchange], Any]
_HUGE_TEXT_CHARS = 50_000_000
_DEEP = 200_000
_SAID = "\x00said\x00"
"""Stands for the reply's text until it is replaced by bytes that JSON cannot have."""


def _with(about: str, **fields: Any) -> tuple[str, Spoil]:
    """The good answer with other fields."""
    return about, lambda good, _: changed(good, **fields)


def _raw(about: str, raw: bytes) -> tuple[str, Spoil]:
    return about, lambda _good, _x: raw


def _text(about: str, text: Any) -> tuple[str, Spoil]:
    """The good answer with something else as its text."""
    return about, lambda good, _: _saying(good, text)


def _text_bytes(about: str, raw: bytes, times: int = 1) -> tuple[str, Spoil]:
    """The good answer with other bytes as its text."""

    def spoil(good: Wire, _: Exchange) -> bytes:
        said = json.dumps(_SAID).encode()
        return json.dumps(_saying(good, _SAID)).encode().replace(said, b'"' + raw * times + b'"')

    return about, spoil


def _saying(good: Wire, text: Any) -> Wire:
    if "choices" in good:
        said = {"role": "assistant", "content": text}
        return {**good, "choices": [{**good["choices"][0], "message": said}]}
    return {**good, "output": [message(text)]}


def _encoded(about: str, change: Callable[[bytes], bytes]) -> tuple[str, Spoil]:
    """The good answer's bytes changed."""
    return about, lambda good, _: change(json.dumps(good).encode())


def _deep(good: Wire, _: Exchange) -> bytes:
    place = b"choices" if "choices" in good else b"output"
    nested = b"[" * _DEEP + b"]" * _DEEP
    return b'{"id": "deep_1", "object": "x", "' + place + b'": ' + nested + b"}"


def _usage(about: str, value: Any) -> tuple[str, Spoil]:
    """The same number, or none, as each of the counts."""

    def spoil(good: Wire, _: Exchange) -> Wire:
        names = as_object(good.get("usage"))
        return {**good, "usage": {key: value for key in names if not key.endswith("_details")}}

    return about, spoil


COMMON_BODIES: dict[str, tuple[str, Spoil]] = {
    "trunc_json": _encoded("JSON that ends in the middle, of the right length",
                           lambda raw: raw[: len(raw) // 2]),
    "trunc_json_end": _encoded("JSON without its last tenth",
                               lambda raw: raw[: int(len(raw) * 0.9)]),
    "json_null": _raw("the body is null", b"null"),
    "json_list": _raw("the body is a list", b"[]"),
    "json_text": _raw("the body is a text", b'"ok"'),
    "json_number": _raw("the body is a number", b"42"),
    "json_nan": _raw("the body is NaN", b"NaN"),
    "json_empty": _raw("the body is an empty object", b"{}"),
    "json_bom": _encoded("a byte order mark before good JSON", lambda raw: b"\xef\xbb\xbf" + raw),
    "json_utf16": _encoded("good JSON in UTF-16", lambda raw: raw.decode().encode("utf-16")),
    "json_tail": _encoded("good JSON, and more behind it", lambda raw: raw + b"\n<!-- cache hit -->"),
    "wrong_shape": _raw("an object of another API", b'{"hello": "world"}'),
    "bad_utf8": _text_bytes("bytes that are not UTF-8 in the text", b"\xff\xfe\xed\xa0\x80"),
    "control_chars": _text_bytes("raw control characters in the text", b"a\x00\x01\x1bb"),
    "huge_text": _text_bytes("a text of 50 MB", b"A", times=_HUGE_TEXT_CHARS),
    "deep_json": ("200,000 lists inside each other", _deep),
    "number_text": _text("the text is a number", 42),
    "list_text": _text("the text is a list", ["a", "b"]),
    "null_text": _text("the text is null", None),
    "nan_usage": _usage("the counts of tokens are NaN", float("nan")),
    "inf_usage": _usage("the counts of tokens are infinite", float("inf")),
    "neg_usage": _usage("the counts of tokens are negative", -5),
    "text_usage": _usage("the counts of tokens are texts", "12"),
    "null_usage_counts": _usage("the counts of tokens are null", None),
    "huge_usage": _usage("the counts of tokens are 10^30", 10**30),
    "null_usage": _with("the usage is null", usage=None),
    "list_usage": _with("the usage is a list", usage=[1, 2]),
    "no_usage": _with("there is no usage", usage=GONE),
    "no_id": _with("there is no id", id=GONE),
    "null_id": _with("the id is null", id=None),
    "number_id": _with("the id is a number", id=7),
    "no_model": _with("there is no model", model=GONE),
    "wrong_object": _with("it says that it is a list of embeddings", object="list"),
    "extra_fields": _with("fields that nobody knows", x_new={"deep": [1]}, provider="foreign"),
    "sse_for_json": _encoded("events where JSON was asked for",
                             lambda raw: b"data: " + raw + b"\n\n"),
    "error_and_answer": ("an answer with an error beside it",
                         lambda good, x: {**good, **error_body(x.canary, "server_error")}),
}  # fmt: skip


def _choice(about: str, **fields: Any) -> tuple[str, Spoil]:
    """The good answer with other fields in its choice."""
    return about, lambda good, _: {**good, "choices": [{**good["choices"][0], **fields}]}


def _calls(about: str, calls: Any) -> tuple[str, Spoil]:
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    return _choice(about, message=message, finish_reason="tool_calls")


def _call(**fields: Any) -> Wire:
    function = {"name": "add", "arguments": "{}"}
    return {"id": "call_1", "type": "function", "function": function, **fields}


def _function_call(**fields: Any) -> Wire:
    return _call(function={"name": "add", "arguments": "{}", **fields})


CHAT_BODIES: dict[str, tuple[str, Spoil]] = {
    "null_choices": _with("the choices are null", choices=None),
    "empty_choices": _with("there is no choice", choices=[]),
    "no_choices": _with("the choices are missing", choices=GONE),
    "object_choices": _with("the choices are an object", choices={"0": {}}),
    "null_choice": _with("the choice is null", choices=[None]),
    "text_choice": _with("the choice is a text", choices=["ok"]),
    "null_message": _choice("the message is null", message=None),
    "text_message": _choice("the message is a text", message="ok"),
    "null_content": _text("a message that says nothing", None),
    "no_content": _choice("a message without content", message={"role": "assistant"}),
    "foreign_role": _choice("a message of the role tool", message={"role": "tool", "content": "ok"}),
    "null_finish": _choice("no finish reason", finish_reason=None),
    "unknown_finish": _choice("a finish reason that nobody knows", finish_reason="eos_token"),
    "finish_error": _choice("the finish reason `error`", finish_reason="error"),
    "calls_without_calls": _choice("finish reason tool_calls, and no call",
                                   finish_reason="tool_calls"),
    "two_choices": ("two choices", lambda good, _: {**good, "choices": good["choices"] * 2}),
    "null_tool_calls": _calls("the tool calls are null", None),
    "object_tool_calls": _calls("the tool calls are an object", {"0": _call()}),
    "null_tool_call": _calls("a tool call is null", [None]),
    "call_no_function": _calls("a tool call without function", [changed(_call(), function=GONE)]),
    "call_null_name": _calls("a tool call whose name is null", [_function_call(name=None)]),
    "call_null_args": _calls("a tool call whose arguments are null", [_function_call(arguments=None)]),
    "call_object_args": _calls("a tool call whose arguments are no text",
                               [_function_call(arguments={"a": 1, "b": 2})]),
    "call_no_id": _calls("a tool call without id", [changed(_call(), id=GONE)]),
    "call_unknown_type": _calls("a tool call of an unknown type", [_call(type="robot")]),
}  # fmt: skip


def _outputs(about: str, *items: Any) -> tuple[str, Spoil]:
    return _with(about, output=list(items))


def _function(**fields: Any) -> Wire:
    return {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1",
            "name": "add", "arguments": "{}", **fields}  # fmt: skip


RESPONSES_BODIES: dict[str, tuple[str, Spoil]] = {
    "null_output": _with("the output is null", output=None),
    "empty_output": _with("the output is empty", output=[]),
    "no_output": _with("the output is missing", output=GONE),
    "object_output": _with("the output is an object", output={"0": {}}),
    "null_item": _outputs("an item is null", None),
    "text_item": _outputs("an item is a text", "ok"),
    "unknown_item": _outputs("an item of an unknown type", {"id": "x_1", "type": "hologram"}),
    "item_no_type": _outputs("an item without type", {"id": "x_1", "role": "assistant"}),
    "item_no_id": _outputs("a message without id", changed(message("ok"), id=GONE)),
    "null_content": _outputs("a message whose content is null", changed(message("ok"), content=None)),
    "null_part": _outputs("a message whose part is null", changed(message("ok"), content=[None])),
    "unknown_part": _outputs("a part of an unknown type", changed(message("ok"), content=[{"type": "smell"}])),
    "call_null_name": _outputs("a call whose name is null", _function(name=None)),
    "call_null_args": _outputs("a call whose arguments are null", _function(arguments=None)),
    "call_object_args": _outputs("a call whose arguments are no text",
                                 _function(arguments={"a": 1, "b": 2})),
    "call_no_call_id": _outputs("a call without call id",
                                {"type": "function_call", "name": "add", "arguments": "{}"}),
    "status_failed": ("the status is failed", lambda good, x: changed(
        good, status="failed", output=[], usage=None,
        error={"code": "server_error", "message": f"Failed, {x.canary}"})),
    "status_failed_bare": _with("the status is failed, without error", status="failed", output=[]),
    "status_cancelled": _with("the status is cancelled", status="cancelled", output=[]),
    "status_incomplete": _with("the status is incomplete, without details", status="incomplete"),
    "status_queued": _with("the status is queued, though nobody asked", status="queued", output=[]),
    "status_in_progress": _with("the status is in_progress, though nobody asked",
                                status="in_progress", output=[]),
    "status_unknown": _with("a status that nobody knows", status="melted"),
    "no_status": _with("there is no status", status=GONE),
}  # fmt: skip
