"""Faults in the events of a streamed Response, by server-sent events or by websocket."""

from __future__ import annotations

from typing import Any

from outlast.testing.provider.exchange import Exchange, Piece
from outlast.testing.provider.fault_streams import HUGE_LINE_CHARS, HUGE_TOTAL_MB, Spoil, insert
from outlast.testing.provider.parsed import GONE, Wire, changed

_TEXT = "response.output_text.delta"


def _drop(about: str, *kinds: str) -> tuple[str, Spoil]:
    """A good stream without the events of some types."""
    return about, lambda good, _: [piece for piece in good if _type(piece) not in kinds]


def _each(about: str, **fields: Any) -> tuple[str, Spoil]:
    """A good stream with a field changed in every event."""
    return about, lambda good, _: [changed(p, **fields) if _type(p) else p for p in good]


def _last(about: str, **fields: Any) -> tuple[str, Spoil]:
    """A good stream whose last event has other fields."""
    return about, lambda good, _: [*good[:-1], changed(good[-1], **fields)]


def _end(about: str, **fields: Any) -> tuple[str, Spoil]:
    """A good stream whose last event carries a response with other fields."""

    def spoil(good: list[Piece], _: Exchange) -> list[Piece]:
        end: Any = good[-1]
        return [*good[:-1], {**end, "response": changed(end["response"], **fields)}]

    return about, spoil


def _usage(about: str, value: Any) -> tuple[str, Spoil]:
    counts = dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), value)
    return _end(about, usage=counts)


def _ends(about: str, status: str, **fields: Any) -> tuple[str, Spoil]:
    """A stream that breaks off with a response of that status; ``{canary}`` is replaced."""

    def spoil(good: list[Piece], x: Exchange) -> list[Piece]:
        return [*good[:3], _ended(good, x, status, **fields)]

    return about, spoil


def _ended(good: list[Piece], x: Exchange, status: str, **fields: Any) -> Wire:
    first: Any = good[0]
    response = {**first["response"], "status": status, **x.told(fields)}
    return {"type": f"response.{status}", "sequence_number": 3, "response": response}


def _says(about: str, told: Wire, keep: int = 3) -> tuple[str, Spoil]:
    """An `error` event; ``{canary}`` in it is replaced."""
    event = {"type": "error", "sequence_number": keep, **told}
    return about, lambda good, x: [*good[:keep], x.told(event)]


def _deltas(about: str, text: str, size: int, times: int = 1) -> tuple[str, Spoil]:
    """A good stream with huge texts instead, which are made when they are asked for."""

    def spoil(good: list[Piece], _: Exchange) -> list[Piece]:
        at = next(place for place, piece in enumerate(good) if _type(piece) == _TEXT)
        others = [piece for piece in good[at:] if _type(piece) != _TEXT]
        return [*good[:at], *[changed(good[at], delta=text * size)] * times, *others]

    return about, spoil


def _call(about: str, delta: str, *, whole: str, ends: int = 3) -> tuple[str, Spoil]:
    """A function call's stream, with the first ``ends`` of its three last events."""
    at = {"item_id": "fc_1", "output_index": 0, "sequence_number": 2}
    item = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "add"}
    done = {**item, "status": "completed", "arguments": whole}
    opened = {**item, "status": "in_progress", "arguments": ""}
    call = "response.function_call_arguments"

    def spoil(good: list[Piece], _: Exchange) -> list[Piece]:
        end: Any = good[-1]
        closing: list[Piece] = [
            {"type": f"{call}.done", **at, "name": "add", "arguments": whole},
            {"type": "response.output_item.done", **at, "item": done},
            {**end, "response": {**end["response"], "output": [done]}},
        ]
        return [
            *good[:2],
            {"type": "response.output_item.added", **at, "item": opened},
            {"type": f"{call}.delta", **at, "delta": delta},
            *closing[:ends],
        ]

    return about, spoil


def _type(piece: Piece) -> Any:
    return piece.get("type") if isinstance(piece, dict) else None


_UNKNOWN = {"type": "response.hologram.delta", "sequence_number": 2, "delta": "x"}
_ERROR = {"code": "server_error", "message": "Failed, {canary}"}
_OVERLOADED = {"code": "server_error", "param": None, "message": "overloaded {canary}"}
_FILTER = {"reason": "content_filter"}

RESPONSES_STREAMS: dict[str, tuple[str, Spoil]] = {
    "s_no_terminal": _drop("all but the last event", "response.completed"),
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
    "s_error_event": _says("an error in the middle", _OVERLOADED),
    "s_error_first": _says("an error as the first event", _OVERLOADED, keep=0),
    "s_error_nested": _says("an error in an object of its own", {"error": {
        "type": "server_error", "code": "server_error", "message": "overloaded {canary}"}}),
    "s_error_bare": _says("an error that says nothing", {}),
    "s_unknown_event": insert("good, with an event of an unknown type (no fault)", _UNKNOWN),
    "s_unknown_item": insert("an item of an unknown type", {
        "type": "response.output_item.done", "sequence_number": 2, "output_index": 0,
        "item": {"id": "x_1", "type": "hologram"}}),
    "s_no_type": _each("events without type", type=GONE),
    "s_null_type": insert("an event whose type is null", {"type": None, "sequence_number": 2}),
    "s_wrong_event_name": insert("an event whose name and type differ",
                                 b'event: ping\ndata: {"type": "response.hologram"}\n\n'),
    "s_huge_line": _deltas("a text of 30 MB in one event", "B", HUGE_LINE_CHARS),
    "s_huge_total": _deltas("a text of 50 MB in 50 events", "C", 2**20, HUGE_TOTAL_MB),
    "s_number_delta": insert("a delta that is a number", {
        "type": "response.output_text.delta", "delta": 42, "item_id": "m", "output_index": 0,
        "content_index": 0, "sequence_number": 2, "logprobs": []}, at=3),
    "s_after_terminal": ("events after the last one", lambda good, _: [*good, good[-2], _UNKNOWN]),
    "s_error_after_terminal": ("an error after the last event", lambda good, x: [
        *good, {"type": "error", "message": x.canary, "code": "server_error", "sequence_number": 99}]),
    "s_two_terminals": ("completed, and then failed", lambda good, x: [
        *good, _ended(good, x, "failed", error=_ERROR)]),
    "s_done_marker": ("good, with [DONE] behind it (no fault)",
                      lambda good, _: [*good, b"data: [DONE]\n\n"]),
    "s_no_created": _drop("without response.created (no fault)", "response.created",
                          "response.in_progress"),
    "s_no_deltas": _drop("without the deltas (no fault)", "response.output_text.delta"),
    "s_no_items": ("nothing between the first event and the last (no fault)",
                   lambda good, _: [good[0], good[-1]]),
    "s_out_of_order": ("events in the wrong order", lambda good, _: [
        *good[:2], *reversed(good[2:-1]), good[-1]]),
    "s_repeated": ("each event twice", lambda good, _: [
        piece for piece in good for _ in range(2)][:-1]),
    "s_no_sequence": _each("events without numbers", sequence_number=GONE),
    "s_dup_sequence": _each("events of one number", sequence_number=0),
    "s_no_item_id": _each("events without item ids", item_id=GONE),
    "s_no_output_index": _each("events without indices", output_index=GONE),
    "s_no_response": _last("the last event has no response", response=GONE),
    "s_null_response": _last("the last event's response is null", response=None),
    "s_no_id": _end("the response has no id", id=GONE),
    "s_null_id": _end("the response's id is null", id=None),
    "s_other_id": _end("the response has another id at the end", id="resp_other"),
    "s_null_output": _end("the output is null at the end", output=None),
    "s_completed_empty": _end("the output is empty at the end, though items were streamed",
                              output=[]),
    "s_completed_in_progress": _end("completed, and the status says in_progress",
                                    status="in_progress"),
    "s_completed_failed": _end("completed, and the status says failed", status="failed"),
    "s_null_item": _end("an item of the output is null at the end", output=[None]),
    "s_no_usage": _end("no usage", usage=GONE),
    "s_null_usage": _end("the usage is null", usage=None),
    "s_nan_usage": _usage("counts of tokens that are NaN", float("nan")),
    "s_neg_usage": _usage("counts of tokens that are negative", -5),
    "s_text_usage": _usage("counts of tokens that are texts", "12"),
    "s_tool_trunc": _call("ends inside a function call", '{"a": 1,', whole="", ends=0),
    "s_tool_trunc_item": _call("ends after a function call, before the end", '{"a": 1, "b": 2}',
                               whole='{"a": 1, "b": 2}', ends=2),
    "s_tool_args_differ": _call("deltas and the whole of the arguments differ", '{"a": 9, "b": 9}',
                                whole='{"a": 1, "b": 2}'),
}  # fmt: skip
