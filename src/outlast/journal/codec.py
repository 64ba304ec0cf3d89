"""Events to rows and back: one JSON array and one checksum for each append.

Where an event holds a long list of items, the array may name parts of it; see packing.py.

The checksum covers the row's place as well as its body, so a row that was moved, renumbered or
copied from another run is found out like one whose bytes have changed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, get_args
from zlib import crc32

import msgspec

from outlast.core.errors import IncompatibleRun, JournalCorrupt
from outlast.core.events import VERSION, Event, ModelReplied, RunAcquired, RunStarted, UnknownEvent
from outlast.core.identity import NO_METADATA, RunMetadata
from outlast.core.state import Options
from outlast.journal.journal import Lease, NotStorable, Stored
from outlast.journal.packing import Load, Packed, no_parts, packed, unpacked
from outlast.journal.upcast import UPCASTERS, Upcaster, upcast
from outlast.views.status import status_after


class Draft(msgspec.Struct, frozen=True, gc=False):
    """Events that are encoded and have no place in a log yet."""

    body: bytes
    length: int
    crc: int
    """Of the body alone."""
    status: str
    """The run's status after them; empty when they do not change it."""
    started: RunStarted | None
    parts: Mapping[str, bytes] = {}
    """What the events name, to be stored with them."""


class Row(NamedTuple):
    """One append, as it is stored."""

    seq: int
    length: int
    epoch: int
    at: int
    version: int
    crc: int
    body: bytes


_TYPES: dict[str, type[Any]] = {
    str(event.__struct_config__.tag): event for event in get_args(Event)
}
_FIELDS = [int, int, int, int, int, int, bytes]
_UNSAYABLE = (TypeError, ValueError, OverflowError, RecursionError)
_pack = struct.Struct("<5q").pack
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Event | Packed]).decode


def encode(events: Sequence[Event], lease: Lease | None = None, *, packs: bool = False) -> Draft:
    """The events as one body; of a ``lease``'s run, with what its writer says that it comes to.

    Args:
        events: In their order.
        lease: The run's.
        packs: Whether parts of them may be stored beside them.

    Raises:
        NotStorable: An event holds something that JSON cannot say, or that would not be read again.
    """
    status = ""
    started = None
    unknown = False
    for event in events:
        status = status_after(event) or status
        if isinstance(event, RunStarted):
            started = event
        elif type(event) is UnknownEvent:
            unknown = True
    if lease is not None and lease.comes_to:
        status = lease.comes_to if lease.comes_to != lease.status else ""
    parts: dict[str, bytes] = {}
    if packs and not unknown:
        packed_body = _packed_body(events, parts)
        if packed_body:
            return Draft(packed_body, len(events), crc32(packed_body), status, started, parts)
    try:
        body = _encode(_as_written(events) if unknown else events)
    except UnicodeEncodeError:
        body = _without_surrogates(events)
    except _UNSAYABLE as error:
        raise _not_storable(events, "JSON cannot say", error) from error
    if not unknown:
        _require_readable(events, body)
    return Draft(body, len(events), crc32(body), status, started)


def _packed_body(events: Sequence[Event], parts: dict[str, bytes]) -> bytes:
    """The body where something is packed; empty where nothing is, or where it cannot be stored so."""
    try:
        written = [packed(event, parts) for event in events]
        body = _encode(written) if parts else b""
        if body:
            _decode(body)
            _require_options(events)
    except (msgspec.DecodeError, *_UNSAYABLE):  # Whoever stores it whole says what is wrong.
        return b""
    return body


def to_lines(events: Sequence[Event]) -> list[bytes]:
    """Each event as a line of JSON, for a file that `from_lines` reads."""
    return [encode([event]).body[1:-1] for event in events]


def from_lines(run_id: str, version: int, lines: Sequence[bytes]) -> list[Event]:
    """The events that `to_lines` wrote, with the event schema of that ``version``.

    Raises:
        JournalCorrupt: A line is no event.
        IncompatibleRun: A newer version of Outlast wrote it.
    """
    row = Row(0, len(lines), 1, 0, version, 0, b"[" + b",".join(lines) + b"]")
    return [event for _, event in _events(run_id, row, UPCASTERS, no_parts)]


def metadata_text(metadata: RunMetadata) -> str:
    """The metadata as the list of runs keeps it: JSON, or nothing where it says nothing."""
    return "" if metadata == NO_METADATA else msgspec.json.encode(metadata).decode()


def metadata_of(text: str) -> RunMetadata:
    """What `metadata_text` wrote. The run's log has it too, with a checksum; this is for lists."""
    try:
        return msgspec.json.decode(text, type=RunMetadata) if text else NO_METADATA
    except (msgspec.DecodeError, TypeError):
        return NO_METADATA


def _require_readable(events: Sequence[Event], body: bytes) -> None:
    """Refuse what the decoder would: found now, it costs an append; found later, the run."""
    try:
        _require_options(_decode(body))
    except (msgspec.DecodeError, RecursionError) as error:
        raise _not_storable(events, "could not be read again", error) from error


def _require_options(events: Sequence[Event | Packed]) -> None:
    """Raise as the decoder does where a run's settings are not what the fold will take them for."""
    for event in events:
        if isinstance(event, RunStarted | RunAcquired) and event.options:
            msgspec.convert(event.options, Options)


def _not_storable(events: Sequence[Event], why: str, error: Exception) -> NotStorable:
    """Which event it is, and why. Its values are not for a message."""
    kind = next((_kind(event) for event in events if not _is_storable(event)), "")
    where = f"A {kind!r} event" if kind else "An event"
    return NotStorable(
        f"{where} holds what {why} ({error}), so nothing was written. What tools, steps and guardrails "
        "return must be made of None, booleans, numbers, texts, lists, and dicts with texts as keys."
    )


def _is_storable(event: Event) -> bool:
    try:
        _require_options(_decode(_encode([event])))
    except UnicodeEncodeError:
        return True
    except (msgspec.DecodeError, *_UNSAYABLE):
        return False
    return True


def _kind(event: Event) -> str:
    return event.kind if isinstance(event, UnknownEvent) else str(event.__struct_config__.tag)


def seal(draft: Draft, run_id: str, seq: int, epoch: int, at: int) -> Row:
    """The draft at a place in a log."""
    crc = checksum(draft, run_id, seq, epoch, at)
    return Row(seq, draft.length, epoch, at, VERSION, crc, draft.body)


def checksum(draft: Draft, run_id: str, seq: int, epoch: int, at: int) -> int:
    """What binds the draft to a place in a log, and to the time of writing, in microseconds."""
    return crc32(_pack(seq, draft.length, epoch, at, VERSION) + run_id.encode(), draft.crc)


def decode(
    run_id: str,
    rows: Iterable[Sequence[Any]],
    *,
    after: int = -1,
    end: tuple[int, int] | None = None,
    upcasters: Mapping[int, Upcaster] = UPCASTERS,
    load: Load = no_parts,
) -> list[Stored]:
    """The events of consecutive rows behind position `after`, verified.

    Args:
        run_id: The run.
        rows: From the one that holds the next position, or from the last one, to the end.
        after: The last position that is not wanted.
        end: How many events the log has, and the checksum of its last row, where that is known. There
            may be more by now.
        upcasters: What reads older versions.
        load: What reads the parts that events name.

    Raises:
        JournalCorrupt: A row's checksum, place or body is wrong.
        IncompatibleRun: A newer version wrote an event in a form that this one cannot read.
    """
    found: list[Stored] = []
    head: int | None = 0 if after < 0 else None
    newest = 0
    for fields in rows:
        row = Row(*fields)
        # SQLite lets a damaged file hand out other types than were stored.
        sound = [type(field) for field in fields] == _FIELDS
        if not sound or crc32(_pack(*row[:5]) + run_id.encode(), crc32(row.body)) != row.crc:
            raise _corrupt(run_id, head or row.seq, "does not match its checksum")
        if head not in (None, row.seq):
            raise _corrupt(run_id, head, f"is missing; the next one stored is {row.seq}")
        if row.epoch < newest:
            raise _corrupt(run_id, row.seq, "was written by an owner that had lost the run")
        newest, head, at = row.epoch, row.seq + row.length, row.at / 1e6
        if (head, row.crc) == end:
            end = None
        found += [
            Stored(seq, at, row.epoch, event)
            for seq, event in _events(run_id, row, upcasters, load)
            if seq > after
        ]
    if head == 0:
        raise _corrupt(run_id, 0, "is missing, and so is all that came after it")
    if end is not None:
        raise _corrupt(run_id, head or 0, f"is missing; the log has {end[0]} events")
    return found


def _events(
    run_id: str, row: Row, upcasters: Mapping[int, Upcaster], load: Load
) -> list[tuple[int, Event]]:
    """The row's events by position. Those that one old event was split into share its position."""
    try:
        if row.version == VERSION:
            return [
                _sound(run_id, seq, _whole(run_id, seq, event, load))
                for seq, event in enumerate(_decode(row.body), row.seq)
            ]
    except msgspec.DecodeError:
        pass  # A type that this version does not know, most likely: look at each event.
    try:
        found = msgspec.json.decode(row.body, type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        raise _corrupt(run_id, row.seq, "is not a valid list of events") from error
    return [
        _sound(run_id, seq, _event(run_id, seq, row.version, data))
        for seq, old in enumerate(found, row.seq)
        for data in upcast(_whole_fields(old, load), row.version, VERSION, upcasters)
    ]


def _whole(run_id: str, seq: int, event: Event | Packed, load: Load) -> Event:
    if not isinstance(event, Packed):
        return event
    return _event(run_id, seq, VERSION, unpacked(event, load))


def _whole_fields(fields: dict[str, Any], load: Load) -> dict[str, Any]:
    if fields.get("type") != "packed":
        return fields
    return unpacked(msgspec.convert(fields, Packed), load)


def _sound(run_id: str, seq: int, event: Event) -> tuple[int, Event]:
    """The event at its place, if what its type cannot say holds too: the fold believes it."""
    if isinstance(event, ModelReplied) and any(
        not 0 <= call.index < len(event.output) for call in event.calls
    ):
        raise _corrupt(run_id, seq, "names a call that no item of its reply makes")
    try:
        _require_options([event])
    except msgspec.ValidationError as error:
        raise _corrupt(run_id, seq, "has options of another type") from error
    return seq, event


def _event(run_id: str, seq: int, version: int, data: dict[str, Any]) -> Event:
    kind = str(data.get("type", ""))
    if kind not in _TYPES:
        return UnknownEvent(kind=kind, body=data)
    try:
        return msgspec.convert(data, _TYPES[kind])
    except msgspec.ValidationError as error:
        if version > VERSION:
            raise IncompatibleRun(
                f"Event {seq} of run {run_id!r} is a {kind!r} of schema version {version}; this "
                f"Outlast reads up to {VERSION}. Upgrade Outlast to go on with the run."
            ) from error
        raise _corrupt(run_id, seq, f"is not a valid {kind!r}") from error


def _as_written(events: Sequence[Event]) -> list[object]:
    """An event that this version does not know is copied as whoever knew it wrote it."""
    return [event.body if isinstance(event, UnknownEvent) else event for event in events]


def _without_surrogates(events: Sequence[Event]) -> bytes:
    """Models do answer halves of UTF-16 pairs, which UTF-8 cannot say. They become U+FFFD."""
    try:
        text = json.dumps(msgspec.to_builtins(_as_written(events)), ensure_ascii=False)
    except _UNSAYABLE as error:
        raise _not_storable(events, "JSON cannot say", error) from error
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _corrupt(run_id: str, seq: int, what: str) -> JournalCorrupt:
    error = JournalCorrupt(
        f"Event {seq} of run {run_id!r} {what}. The journal's file was damaged or changed by "
        "something other than Outlast; restore it from a copy. Other runs are not affected."
    )
    error.run_id, error.seq = run_id, seq
    return error
