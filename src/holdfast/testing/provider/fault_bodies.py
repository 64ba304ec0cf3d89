"""Faults in the JSON of a plain answer.

Name -> what a client sees, and a function of the good answer and the exchange that gives the bad
one: a mapping, which is encoded, or bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from holdfast.testing.provider.exchange import Exchange, error_body
from holdfast.testing.provider.parsed import Wire, as_object

Spoil = Callable[[Wire, Exchange], Any]
_HUGE_TEXT_CHARS = 50_000_000
_DEEP = 200_000
_SAID = "\x00said\x00"
"""Stands for the reply's text until it is replaced by bytes that JSON cannot have."""


def _with(about: str, **fields: Any) -> tuple[str, Spoil]:
    return about, lambda good, _: {**good, **fields}


def _without(about: str, name: str) -> tuple[str, Spoil]:
    return about, lambda good, _: {key: value for key, value in good.items() if key != name}


def _raw(about: str, raw: bytes) -> tuple[str, Spoil]:
    return about, lambda _good, _x: raw


def _text(about: str, raw: bytes) -> tuple[str, Spoil]:
    """The good answer with other bytes as its text."""

    def spoil(good: Wire, _: Exchange) -> bytes:
        said = json.dumps(_SAID).encode()
        return json.dumps(with_text(good, _SAID)).encode().replace(said, b'"' + raw + b'"')

    return about, spoil


def with_text(good: Wire, text: Any) -> Wire:
    """A plain answer of either API that says ``text``."""
    if "choices" in good:
        return _message(good, {"role": "assistant", "content": text})
    part: Wire = {"type": "output_text", "text": text, "annotations": []}
    return {**good, "output": [_item(content=[part])]}


def _huge(good: Wire, _: Exchange) -> bytes:
    return (
        json.dumps(with_text(good, _SAID))
        .encode()
        .replace(json.dumps(_SAID).encode(), b'"' + b"A" * _HUGE_TEXT_CHARS + b'"')
    )


def _cut(share: float) -> Spoil:
    def spoil(good: Wire, _: Exchange) -> bytes:
        raw = json.dumps(good).encode()
        return raw[: int(len(raw) * share)]

    return spoil


def _deep(good: Wire, _: Exchange) -> bytes:
    place = "choices" if "choices" in good else "output"
    nested = b"[" * _DEEP + b"]" * _DEEP
    return b'{"id": "deep_1", "object": "x", "' + place.encode() + b'": ' + nested + b"}"


def _usage(about: str, value: Any) -> tuple[str, Spoil]:
    """The same number, or none, as each of the counts."""

    def spoil(good: Wire, _: Exchange) -> Wire:
        names = as_object(good.get("usage"))
        return {**good, "usage": {key: value for key in names if not key.endswith("_details")}}

    return about, spoil


COMMON_BODIES: dict[str, tuple[str, Spoil]] = {
    "trunc_json": ("JSON that ends in the middle, of the right length", _cut(0.5)),
    "trunc_json_end": ("JSON without its last tenth", _cut(0.9)),
    "json_null": _raw("the body is null", b"null"),
    "json_list": _raw("the body is a list", b"[]"),
    "json_text": _raw("the body is a text", b'"ok"'),
    "json_number": _raw("the body is a number", b"42"),
    "json_nan": _raw("the body is NaN", b"NaN"),
    "json_empty": _raw("the body is an empty object", b"{}"),
    "json_bom": ("a byte order mark before good JSON",
                 lambda good, _: b"\xef\xbb\xbf" + json.dumps(good).encode()),
    "json_utf16": ("good JSON in UTF-16", lambda good, _: json.dumps(good).encode("utf-16")),
    "json_tail": ("good JSON, and more behind it",
                  lambda good, _: json.dumps(good).encode() + b"\n<!-- cache hit -->"),
    "wrong_shape": _raw("an object of another API", b'{"hello": "world"}'),
    "bad_utf8": _text("bytes that are not UTF-8 in the text", b"\xff\xfe\xed\xa0\x80"),
    "control_chars": _text("raw control characters in the text", b"a\x00\x01\x1bb"),
    "huge_text": ("a text of 50 MB", _huge),
    "deep_json": ("200,000 lists inside each other", _deep),
    "number_text": ("the text is a number", lambda good, _: with_text(good, 42)),
    "list_text": ("the text is a list", lambda good, _: with_text(good, ["a", "b"])),
    "null_text": ("the text is null", lambda good, _: with_text(good, None)),
    "nan_usage": _usage("the counts of tokens are NaN", float("nan")),
    "inf_usage": _usage("the counts of tokens are infinite", float("inf")),
    "neg_usage": _usage("the counts of tokens are negative", -5),
    "text_usage": _usage("the counts of tokens are texts", "12"),
    "null_usage_counts": _usage("the counts of tokens are null", None),
    "huge_usage": _usage("the counts of tokens are 10^30", 10**30),
    "null_usage": _with("the usage is null", usage=None),
    "list_usage": _with("the usage is a list", usage=[1, 2]),
    "no_usage": _without("there is no usage", "usage"),
    "no_id": _without("there is no id", "id"),
    "null_id": _with("the id is null", id=None),
    "number_id": _with("the id is a number", id=7),
    "no_model": _without("there is no model", "model"),
    "wrong_object": _with("it says that it is a list of embeddings", object="list"),
    "extra_fields": _with("fields that nobody knows", x_new={"deep": [1]}, provider="foreign"),
    "sse_for_json": ("events where JSON was asked for",
                     lambda good, _: b"data: " + json.dumps(good).encode() + b"\n\n"),
    "error_and_answer": ("an answer with an error beside it",
                         lambda good, x: {**good, **error_body(x.canary, "server_error")}),
}  # fmt: skip


def _choice(good: Wire, **fields: Any) -> Wire:
    return {**good, "choices": [{**good["choices"][0], **fields}]}


def _message(good: Wire, message: Any) -> Wire:
    return _choice(good, message=message)


def _calls(about: str, calls: Any) -> tuple[str, Spoil]:
    message = {"role": "assistant", "content": None, "tool_calls": calls}

    def spoil(good: Wire, _: Exchange) -> Wire:
        return _choice(good, message=message, finish_reason="tool_calls")

    return about, spoil


def _call(**fields: Any) -> Wire:
    return {
        "id": "call_1",
        "type": "function",
        "function": {"name": "add", "arguments": "{}"},
        **fields,
    }


CHAT_BODIES: dict[str, tuple[str, Spoil]] = {
    "null_choices": _with("the choices are null", choices=None),
    "empty_choices": _with("there is no choice", choices=[]),
    "no_choices": _without("the choices are missing", "choices"),
    "object_choices": _with("the choices are an object", choices={"0": {}}),
    "null_choice": _with("the choice is null", choices=[None]),
    "text_choice": _with("the choice is a text", choices=["ok"]),
    "null_message": ("the message is null", lambda good, _: _message(good, None)),
    "text_message": ("the message is a text", lambda good, _: _message(good, "ok")),
    "null_content": ("a message that says nothing",
                     lambda good, _: _message(good, {"role": "assistant", "content": None})),
    "no_content": ("a message without content",
                   lambda good, _: _message(good, {"role": "assistant"})),
    "foreign_role": ("a message of the role tool",
                     lambda good, _: _message(good, {"role": "tool", "content": "ok"})),
    "null_finish": ("no finish reason", lambda good, _: _choice(good, finish_reason=None)),
    "unknown_finish": ("a finish reason that nobody knows",
                       lambda good, _: _choice(good, finish_reason="eos_token")),
    "finish_error": ("the finish reason `error`",
                     lambda good, _: _choice(good, finish_reason="error")),
    "calls_without_calls": ("finish reason tool_calls, and no call",
                            lambda good, _: _choice(good, finish_reason="tool_calls")),
    "two_choices": ("two choices", lambda good, _: {**good, "choices": good["choices"] * 2}),
    "null_tool_calls": _calls("the tool calls are null", None),
    "object_tool_calls": _calls("the tool calls are an object", {"0": _call()}),
    "null_tool_call": _calls("a tool call is null", [None]),
    "call_no_function": _calls("a tool call without function", [{"id": "call_1", "type": "function"}]),
    "call_null_name": _calls("a tool call whose name is null",
                             [_call(function={"name": None, "arguments": "{}"})]),
    "call_null_args": _calls("a tool call whose arguments are null",
                             [_call(function={"name": "add", "arguments": None})]),
    "call_object_args": _calls("a tool call whose arguments are no text",
                               [_call(function={"name": "add", "arguments": {"a": 1, "b": 2}})]),
    "call_no_id": _calls("a tool call without id",
                         [{"type": "function", "function": {"name": "add", "arguments": "{}"}}]),
    "call_unknown_type": _calls("a tool call of an unknown type", [_call(type="robot")]),
}  # fmt: skip


def _item(**fields: Any) -> Wire:
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", **fields}


def _outputs(about: str, *items: Any) -> tuple[str, Spoil]:
    return _with(about, output=list(items))


def _function(**fields: Any) -> Wire:
    return {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1",
            "name": "add", "arguments": "{}", **fields}  # fmt: skip


RESPONSES_BODIES: dict[str, tuple[str, Spoil]] = {
    "null_output": _with("the output is null", output=None),
    "empty_output": _with("the output is empty", output=[]),
    "no_output": _without("the output is missing", "output"),
    "object_output": _with("the output is an object", output={"0": {}}),
    "null_item": _outputs("an item is null", None),
    "text_item": _outputs("an item is a text", "ok"),
    "unknown_item": _outputs("an item of an unknown type", {"id": "x_1", "type": "hologram"}),
    "item_no_type": _outputs("an item without type", {"id": "x_1", "role": "assistant"}),
    "item_no_id": _outputs("a message without id",
                           {"type": "message", "role": "assistant", "status": "completed",
                            "content": [{"type": "output_text", "text": "ok", "annotations": []}]}),
    "null_content": _outputs("a message whose content is null", _item(content=None)),
    "null_part": _outputs("a message whose part is null", _item(content=[None])),
    "unknown_part": _outputs("a part of an unknown type", _item(content=[{"type": "smell"}])),
    "call_null_name": _outputs("a call whose name is null", _function(name=None)),
    "call_null_args": _outputs("a call whose arguments are null", _function(arguments=None)),
    "call_object_args": _outputs("a call whose arguments are no text",
                                 _function(arguments={"a": 1, "b": 2})),
    "call_no_call_id": _outputs("a call without call id",
                                {"type": "function_call", "name": "add", "arguments": "{}"}),
    "status_failed": ("the status is failed", lambda good, x: {
        **good, "status": "failed", "output": [], "usage": None,
        "error": {"code": "server_error", "message": f"Failed, {x.canary}"}}),
    "status_failed_bare": _with("the status is failed, without error", status="failed", output=[]),
    "status_cancelled": _with("the status is cancelled", status="cancelled", output=[]),
    "status_incomplete": _with("the status is incomplete, without details", status="incomplete"),
    "status_queued": _with("the status is queued, though nobody asked", status="queued", output=[]),
    "status_in_progress": _with("the status is in_progress, though nobody asked",
                                status="in_progress", output=[]),
    "status_unknown": _with("a status that nobody knows", status="melted"),
    "no_status": _without("there is no status", "status"),
}  # fmt: skip
