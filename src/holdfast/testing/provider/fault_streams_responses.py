"""Faults in the events of a streamed Response, by server-sent events or by websocket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from holdfast.testing.provider.exchange import Exchange, Piece
from holdfast.testing.provider.fault_streams import HUGE_LINE_CHARS, HUGE_TOTAL_MB, Spoil, insert
from holdfast.testing.provider.parsed import Wire

_END = "response.completed"


def _is(piece: Piece, *kinds: str) -> bool:
    return isinstance(piece, dict) and piece.get("type") in kinds


def _each(about: str, change: Callable[[Wire], Wire]) -> tuple[str, Spoil]:
    """Every event changed."""
    return about, lambda good, _: [change(p) if isinstance(p, dict) else p for p in good]


def _drop(about: str, *kinds: str) -> tuple[str, Spoil]:
    """A good stream without the events of some types."""
    return about, lambda good, _: [piece for piece in good if not _is(piece, *kinds)]


def _end(about: str, change: Callable[[Wire], Wire]) -> tuple[str, Spoil]:
    """A good stream whose last event carries a changed response."""

    def spoil(good: list[Piece], _: Exchange) -> list[Piece]:
        end: Any = good[-1]
        return [*good[:-1], {**end, "response": change(end["response"])}]

    return about, spoil


def _ends(about: str, status: str, **fields: Any) -> tuple[str, Spoil]:
    """A stream that breaks off with a response of that status; ``{canary}`` is replaced."""

    def spoil(good: list[Piece], x: Exchange) -> list[Piece]:
        first: Any = good[0]
        told = json.loads(json.dumps(fields).replace("{canary}", x.canary))
        response = {**first["response"], "status": status, **told}
        event = {"type": f"response.{status}", "sequence_number": 3, "response": response}
        return [*good[:3], event]

    return about, spoil


def _says(about: str, told: Any, keep: int = 3) -> tuple[str, Spoil]:
    """An `error` event; ``{canary}`` in it is replaced."""

    def spoil(good: list[Piece], x: Exchange) -> list[Piece]:
        event = json.loads(json.dumps(told).replace("{canary}", x.canary))
        return [*good[:keep], {"type": "error", "sequence_number": keep, **event}]

    return about, spoil


def _without(event: Wire, name: str) -> Wire:
    return {key: value for key, value in event.items() if key != name}


def _deltas(about: str, make: Callable[[], Iterator[str]]) -> tuple[str, Spoil]:
    """A stream with other texts."""

    def spoil(good: list[Piece], _: Exchange) -> Iterator[Piece]:
        at = next(n for n, p in enumerate(good) if _is(p, "response.output_text.delta"))
        event: Any = good[at]
        yield from good[:at]
        yield from ({**event, "delta": text} for text in make())
        yield from (piece for piece in good[at:] if not _is(piece, "response.output_text.delta"))

    return about, spoil


def _call_events(*arguments: str, whole: str, ends: int = 3) -> Iterator[Piece]:
    """A function call's events, the first ``ends`` of its three last ones."""
    item = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "add"}
    at = {"item_id": "fc_1", "output_index": 0, "sequence_number": 2}
    opened = {**item, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", **at, "item": opened}
    for delta in arguments:
        yield {"type": "response.function_call_arguments.delta", **at, "delta": delta}
    done: Any = {**item, "status": "completed", "arguments": whole}
    closing: list[Piece] = [
        {"type": "response.function_call_arguments.done", **at, "name": "add", "arguments": whole},
        {"type": "response.output_item.done", **at, "item": done},
    ]
    yield from closing[:ends]


def _call(about: str, *arguments: str, whole: str, ends: int = 3) -> tuple[str, Spoil]:
    def spoil(good: list[Piece], _: Exchange) -> Iterator[Piece]:
        yield from good[:2]
        yield from _call_events(*arguments, whole=whole, ends=ends)
        if ends < 3:  # noqa: PLR2004 (the events that end a call)
            return
        end: Any = good[-1]
        item = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "add",
                "status": "completed", "arguments": whole}  # fmt: skip
        yield {**end, "response": {**end["response"], "output": [item]}}

    return about, spoil


def _usage(about: str, value: Any) -> tuple[str, Spoil]:
    counts = dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), value)
    return _end(about, lambda response: {**response, "usage": counts})


def _reversed(good: list[Piece], _: Exchange) -> list[Piece]:
    return [*good[:2], *reversed(good[2:-1]), good[-1]]


def _repeated(good: list[Piece], _: Exchange) -> list[Piece]:
    return [piece for piece in good for _ in range(2)][:-1]


_UNKNOWN = {"type": "response.hologram.delta", "sequence_number": 2, "delta": "x"}
_ERROR = {"code": "server_error", "message": "Failed, {canary}"}
_FILTER = {"reason": "content_filter"}

RESPONSES_STREAMS: dict[str, tuple[str, Spoil]] = {
    "s_no_terminal": _drop("all but the last event", _END),
    "s_terminal_only": ("nothing but the last event", lambda good, _: good[-1:]),
    "s_failed": _ends("ends with response.failed", "failed", error=_ERROR),
    "s_failed_bare": _ends("ends with response.failed, without error", "failed", error=None),
    "s_failed_rate_limit": _ends("fails, because of too many requests", "failed",
                                 error={"code": "rate_limit_exceeded", "message": "{canary}"}),
    "s_incomplete": _ends("is cut by the limit of tokens", "incomplete",
                          incomplete_details={"reason": "max_output_tokens"}),
    "s_incomplete_filter": _ends("is cut by the content filter", "incomplete",
                                 incomplete_details=_FILTER),
    "s_incomplete_bare": _ends("is incomplete, and does not say why", "incomplete"),
    "s_cancelled": _ends("ends with response.cancelled", "cancelled"),
    "s_error_event": _says("an error in the middle", {"code": "server_error", "param": None,
                                                      "message": "overloaded {canary}"}),
    "s_error_first": _says("an error as the first event", {"code": "server_error", "param": None,
                                                           "message": "overloaded {canary}"}, 0),
    "s_error_nested": _says("an error in an object of its own", {"error": {
        "type": "server_error", "code": "server_error", "message": "overloaded {canary}"}}),
    "s_error_bare": _says("an error that says nothing", {}),
    "s_unknown_event": insert("good, with an event of an unknown type (no fault)", _UNKNOWN),
    "s_unknown_item": insert("an item of an unknown type", {
        "type": "response.output_item.done", "sequence_number": 2, "output_index": 0,
        "item": {"id": "x_1", "type": "hologram"}}),
    "s_no_type": _each("events without type", lambda event: _without(event, "type")),
    "s_null_type": insert("an event whose type is null", {"type": None, "sequence_number": 2}),
    "s_wrong_event_name": insert("an event whose name and type differ",
                                 b'event: ping\ndata: {"type": "response.hologram"}\n\n'),
    "s_huge_line": _deltas("a text of 30 MB in one event", lambda: iter(["B" * HUGE_LINE_CHARS])),
    "s_huge_total": _deltas("a text of 50 MB in 50 events",
                            lambda: ("C" * 2**20 for _ in range(HUGE_TOTAL_MB))),
    "s_number_delta": insert("a delta that is a number", {
        "type": "response.output_text.delta", "delta": 42, "item_id": "m", "output_index": 0,
        "content_index": 0, "sequence_number": 2, "logprobs": []}, at=3),
    "s_after_terminal": ("events after the last one", lambda good, _: [*good, good[-2], _UNKNOWN]),
    "s_error_after_terminal": ("an error after the last event", lambda good, x: [
        *good, {"type": "error", "message": x.canary, "code": "server_error", "sequence_number": 99}]),
    "s_two_terminals": ("completed, and then failed", lambda good, x: [
        *good, *list(_ends("", "failed", error=_ERROR)[1](good, x))[-1:]]),
    "s_done_marker": ("good, with [DONE] behind it (no fault)",
                      lambda good, _: [*good, b"data: [DONE]\n\n"]),
    "s_no_created": _drop("without response.created (no fault)", "response.created",
                          "response.in_progress"),
    "s_no_deltas": _drop("without the deltas (no fault)", "response.output_text.delta"),
    "s_no_items": ("nothing between the first event and the last (no fault)",
                   lambda good, _: [good[0], good[-1]]),
    "s_out_of_order": ("events in the wrong order", _reversed),
    "s_repeated": ("each event twice", _repeated),
    "s_no_sequence": _each("events without numbers", lambda e: _without(e, "sequence_number")),
    "s_dup_sequence": _each("events of one number", lambda event: {**event, "sequence_number": 0}),
    "s_no_item_id": _each("events without item ids", lambda event: _without(event, "item_id")),
    "s_no_output_index": _each("events without indices", lambda e: _without(e, "output_index")),
    "s_no_response": _each("the last event has no response", lambda event: _without(
        event, "response" if event["type"] == _END else "")),
    "s_null_response": _each("the last event's response is null", lambda event: {
        **event, **({"response": None} if event["type"] == _END else {})}),
    "s_no_id": _end("the response has no id", lambda response: _without(response, "id")),
    "s_null_id": _end("the response's id is null", lambda response: {**response, "id": None}),
    "s_other_id": _end("the response has another id at the end",
                       lambda response: {**response, "id": "resp_other"}),
    "s_null_output": _end("the output is null at the end", lambda r: {**r, "output": None}),
    "s_completed_empty": _end("the output is empty at the end, though items were streamed",
                              lambda response: {**response, "output": []}),
    "s_completed_in_progress": _end("completed, and the status says in_progress",
                                    lambda response: {**response, "status": "in_progress"}),
    "s_completed_failed": _end("completed, and the status says failed",
                               lambda response: {**response, "status": "failed"}),
    "s_null_item": _end("an item of the output is null at the end",
                        lambda response: {**response, "output": [None]}),
    "s_no_usage": _end("no usage", lambda response: _without(response, "usage")),
    "s_null_usage": _end("the usage is null", lambda response: {**response, "usage": None}),
    "s_nan_usage": _usage("counts of tokens that are NaN", float("nan")),
    "s_neg_usage": _usage("counts of tokens that are negative", -5),
    "s_text_usage": _usage("counts of tokens that are texts", "12"),
    "s_tool_trunc": _call("ends inside a function call", '{"a": 1,', whole="", ends=0),
    "s_tool_trunc_item": _call("ends after a function call, before the end", '{"a": 1, "b": 2}',
                               whole='{"a": 1, "b": 2}', ends=2),
    "s_tool_args_differ": _call("deltas and the whole of the arguments differ", '{"a": 9, "b": 9}',
                                whole='{"a": 1, "b": 2}'),
}  # fmt: skip
