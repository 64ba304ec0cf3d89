"""Faults in the events of a streamed answer: those of both APIs, and those of Chat Completions.

Name -> what a client sees, and a function of the good stream (its end included) and the exchange
that gives the pieces of the bad one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from outlast.testing.provider.exchange import DONE, Act, Exchange, Piece
from outlast.testing.provider.parsed import GONE, Wire, changed

Spoil = Callable[[list[Piece], Exchange], Iterable[Piece]]
HUGE_LINE_CHARS = 30_000_000
HUGE_TOTAL_MB = 50
_DEEP = 200_000


def cut(about: str, *then: Piece, keep: int | None = None) -> tuple[str, Spoil]:
    """The first events, half of them if no number is given, and then something else."""
    return about, lambda good, _: [*good[: len(good) // 2 if keep is None else keep], *then]


def insert(about: str, *pieces: Piece, at: int = 2) -> tuple[str, Spoil]:
    """Something in the middle of a good stream."""
    return about, lambda good, _: [*good[:at], *pieces, *good[at:]]


def _changed(about: str, change: Callable[[bytes], Iterable[bytes]]) -> tuple[str, Spoil]:
    """The good stream with each event's bytes changed."""
    return about, lambda good, x: (
        raw for p in good if not isinstance(p, Act) for raw in change(x.encoded(p))
    )


def _lines(good: list[Piece], x: Exchange) -> Iterator[Piece]:
    """Each event's JSON over several `data:` lines, which a client has to join."""
    for piece in good:
        if not isinstance(piece, dict):
            yield piece
            continue
        lines = json.dumps(piece, indent=1).splitlines()
        kind = f"event: {piece['type']}\n" if x.api == "responses" else ""
        yield (kind + "".join(f"data: {line}\n" for line in lines) + "\n").encode()


COMMON_STREAMS: dict[str, tuple[str, Spoil]] = {
    "s_hang": cut("stops in the middle", Act.HANG),
    "s_hang_first": cut("the head comes, and no event", Act.HANG, keep=0),
    "s_hang_end": ("all but the last event comes", lambda good, _: [
        *good[: -2 if good[-1] == DONE else -1], Act.HANG]),
    "s_rst": cut("is reset in the middle", Act.RST),
    "s_fin": cut("ends in the middle, as if that were its end"),
    "s_fin_cut": cut("is closed in the middle of a chunk", Act.FIN),
    "s_empty": cut("ends before its first event", keep=0),
    "s_drip": ("comes a byte a second", lambda good, _: [Act.DRIP, *good]),
    "s_drip_mid": ("comes a byte a second, after some events",
                   lambda good, _: [*good[:3], Act.DRIP, *good[3:]]),
    "s_keepalive_only": cut("comments for ever, after some events", Act.COMMENTS),
    "s_comments_only": cut("comments for ever, and no event", Act.COMMENTS, keep=0),
    "s_comments": insert("good, with comments between (no fault)", b": ping\n\n", b":\n\n"),
    "s_bad_json": insert("an event whose JSON is cut", b'data: {"id": \n\n'),
    "s_json_null": insert("an event that is null", b"data: null\n\n"),
    "s_json_list": insert("an event that is a list", b"data: []\n\n"),
    "s_json_text": insert("an event that is a text", b'data: "ok"\n\n'),
    "s_json_number": insert("an event that is a number", b"data: 42\n\n"),
    "s_json_empty": insert("an event that is an empty object", b"data: {}\n\n"),
    "s_empty_data": insert("an event without data", b"data:\n\n"),
    "s_bad_utf8": insert("an event that is not UTF-8", b'data: {"id": "c\xff\xfe"}\n\n'),
    "s_bad_lines": insert("lines that are no server-sent events", b"nonsense\n<html>: x\ndata\n\n"),
    "s_html": cut("a page of HTML in the middle", b"<html><body>Bad gateway</body></html>\n\n"),
    "s_html_only": cut("a page of HTML for a stream", b"<html>x</html>\n", keep=0),
    "s_deep_json": insert("an event of 200,000 lists inside each other",
                          b'data: {"id": ' + b"[" * _DEEP + b"]" * _DEEP + b"}\n\n"),
    "s_no_blank_line": insert("an event that its line end is missing from", b'data: {"x": 1}\n'),
    "s_crlf": _changed("good, with lines that end in CR LF (no fault)",
                       lambda raw: [raw.replace(b"\n", b"\r\n")]),
    "s_bytewise": _changed("good, in pieces of three bytes (no fault)",
                           lambda raw: (raw[at : at + 3] for at in range(0, len(raw), 3))),
    "s_multi_data": ("good, each event over several data lines (no fault)", _lines),
    "s_bom": insert("good, after a byte order mark (no fault)", b"\xef\xbb\xbf", at=0),
    "s_retry_field": insert("good, with ids and times to retry (no fault)",
                            b"id: 7\nretry: 1\n\n", at=0),
    "s_twice": ("the whole stream twice", lambda good, _: [*good, *good]),
}  # fmt: skip


# --- Chat Completions. -------------------------------------------------------------------


def _chunk(delta: Any, finish: Any = None, **fields: Any) -> Wire:
    """A chunk with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [choice], **fields}  # fmt: skip


def _part(arguments: Any, *, index: Any = 0, name: Any = "add", call_id: Any = "call_1") -> Wire:
    """A chunk with the first part of a tool call."""
    kind = GONE if call_id is GONE else "function"
    function = changed({"arguments": arguments}, name=name)
    told = changed({"function": function}, index=index, id=call_id, type=kind)
    return _chunk({"tool_calls": [told]})


def _more(arguments: Any, *, index: int = 0) -> Wire:
    """A chunk with a later part of a tool call."""
    return _part(arguments, index=index, name=GONE, call_id=GONE)


_ROLE = _chunk({"role": "assistant", "content": ""})
_HE, _Y = _chunk({"content": "he"}), _chunk({"content": "y"})
_STOP, _CALLED = _chunk({}, "stop"), _chunk({}, "tool_calls")
_GOOD, _OTHER = '{"a": 1, "b": 2}', '{"a": 3, "b": 4}'
_ADD, _HALF = _part(""), _more('{"a": 1, "b"')


def _chat(about: str, *pieces: Piece) -> tuple[str, Spoil]:
    """A stream of its own, after the usual first chunk."""
    return about, lambda _good, _x: [_ROLE, *pieces]


def _calls(about: str, *parts: Piece) -> tuple[str, Spoil]:
    """A stream of tool calls, properly finished."""
    return _chat(about, *parts, _CALLED, DONE)


def _said(about: str, told: Any, *, key: str = "error") -> tuple[str, Spoil]:
    """An error as event; ``{canary}`` in it is replaced."""
    return about, lambda _, x: [_ROLE, _HE, x.told({key: told})]


def _long(about: str, text: str, size: int, times: int = 1) -> tuple[str, Spoil]:
    """A stream of huge texts, which are made when they are asked for."""
    return about, lambda _good, _x: [
        _ROLE, *[_chunk({"content": text * size})] * times, _STOP, DONE]  # fmt: skip


def _usage(about: str, value: Any) -> tuple[str, Spoil]:
    counts = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), value)
    return _chat(about, _HE, _Y, _STOP, _chunk({}, choices=[], usage=counts), DONE)


CHAT_STREAMS: dict[str, tuple[str, Spoil]] = {
    "s_no_done": _chat("finishes, and ends without [DONE]", _HE, _Y, _STOP),
    "s_no_finish": _chat("[DONE] without a finish reason", _HE, _Y, DONE),
    "s_done_only": ("nothing but [DONE]", lambda _good, _x: [DONE]),
    "s_role_only": _chat("a role, a finish and no text", _STOP, DONE),
    "s_after_done": _chat("text after [DONE]", _HE, _Y, _STOP, DONE, _chunk({"content": " more"}), DONE),
    "s_after_finish": _chat("text after the finish reason", _HE, _STOP, _Y, DONE),
    "s_dup_finish": _chat("two finish reasons", _HE, _Y, _STOP, _chunk({}, "length"), DONE),
    "s_error_event": _said("an error in the middle",
                           {"message": "overloaded {canary}", "type": "server_error"}),
    "s_error_text": _said("an error that is a text", "overloaded {canary}"),
    "s_error_detail": _said("an error of another server's form", "overloaded {canary}", key="detail"),
    "s_unknown_event": insert("good, with an event of an unknown name (no fault)",
                              b'event: telemetry\ndata: {"x": 1}\n\n'),
    "s_huge_line": _long("a text of 30 MB in one line", "B", HUGE_LINE_CHARS),
    "s_huge_total": _long("a text of 50 MB in 50 chunks", "C", 2**20, HUGE_TOTAL_MB),
    "s_many_tools": ("2,000 tool calls", lambda _good, _x: [
        _ROLE, *(_part("{}", index=n, name="slow", call_id=f"call_{n}") for n in range(2_000)),
        _CALLED, DONE]),
    "s_null_choices": _chat("choices that are null", _chunk({}, choices=None), _HE, _STOP, DONE),
    "s_no_choices": _chat("a chunk without choices", {"id": "chatcmpl-1"}, _HE, _STOP, DONE),
    "s_null_choice": _chat("a choice that is null", _chunk({}, choices=[None]), _STOP, DONE),
    "s_null_delta": _chat("a delta that is null", _HE, _chunk(None), _STOP, DONE),
    "s_number_content": _chat("a text that is a number", _chunk({"content": 42}), _STOP, DONE),
    "s_list_content": _chat("a text that is a list", _chunk({"content": ["a"]}), _STOP, DONE),
    "s_changing_id": _chat("another id in each chunk", _HE, {**_Y, "id": "other"}, _STOP, DONE),
    "s_no_id": ("chunks without ids", lambda good, _: [
        changed(each, id=GONE) if isinstance(each, dict) else each for each in good]),
    "s_tool_trunc": _chat("ends inside a tool call", _ADD, _HALF),
    "s_tool_trunc_done": _calls("a tool call of half arguments, finished", _ADD, _HALF),
    "s_tool_trunc_length": _chat("a tool call that the limit of tokens cuts", _ADD, _HALF,
                                 _chunk({}, "length"), DONE),
    "s_tool_no_id": _calls("a tool call without id", _part(_GOOD, call_id=GONE)),
    "s_tool_no_name": _calls("a tool call without name", _part(_GOOD, name=GONE)),
    "s_tool_no_index": _calls("a tool call without index", _part(_GOOD, index=GONE)),
    "s_tool_text_index": _calls("a tool call whose index is a text", _part(_GOOD, index="a")),
    "s_tool_index_gap": _calls("tool calls 0 and 7", _part(_GOOD),
                               _part(_GOOD, index=7, call_id="call_2")),
    "s_tool_same_index": _calls("two tool calls of one index", _part(_GOOD),
                                _part(_GOOD, call_id="call_2")),
    "s_tool_dup_ids": _calls("two tool calls of one id", _part(_GOOD), _part(_OTHER, index=1)),
    "s_tool_null_args": _calls("arguments that are null", _ADD, _more(None)),
    "s_tool_repeated_name": _calls("the tool's name in each chunk (no fault)", _ADD, _part(_GOOD)),
    "s_interleave": _calls("two tool calls in turns (no fault)", _part('{"a": 1,'),
                           _part('{"a": 3,', index=1, call_id="call_2"),
                           _more(' "b": 2}'), _more(' "b": 4}', index=1)),
    "s_tool_finish_stop": _chat("tool calls, and the finish reason stop", _part(_GOOD), _STOP, DONE),
    "s_finish_tools_none": _chat("the finish reason tool_calls, and no call", _HE, _CALLED, DONE),
    "s_finish_unknown": _chat("a finish reason that nobody knows", _HE, _chunk({}, "eos"), DONE),
    "s_length": _chat("cut by the limit of tokens", _HE, _chunk({}, "length"), DONE),
    "s_content_filter": _chat("cut by the content filter", _HE, _chunk({}, "content_filter"), DONE),
    "s_two_choices": _chat("two choices in turns", _HE,
                           _chunk({}, choices=[{"index": 1, "delta": {"content": "other"}}]),
                           _STOP, DONE),
    "s_nan_usage": _usage("counts of tokens that are NaN", float("nan")),
    "s_neg_usage": _usage("counts of tokens that are negative", -5),
    "s_text_usage": _usage("counts of tokens that are texts", "12"),
    "s_null_usage": _usage("counts of tokens that are null", None),
}  # fmt: skip
