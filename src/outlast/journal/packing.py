"""Long lists of items that begin alike are stored once: every run of a chat is given all of it.

Of such a list, events name parts by the hash of their content, and hold the rest. Parts have fixed
sizes and begin at multiples of them, so a list that has grown at its end has all but a few parts in
common with what it was. A chat of n turns takes about n log n bytes that way, and not n².

Only stored rows know of it: whoever reads a log gets its events whole. A version that does not know
`packed` takes it for an event of a newer one, and goes on with no run that holds one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from outlast.core.errors import JournalCorrupt
from outlast.core.events import Event, HandedOff, RunStarted, SessionLoaded
from outlast.core.identity import content_hash

_SIZES = (512, 64, 8)
_INLINE_BYTES = 1024
"""A shorter rest stands in the event. Of a longer one, which has pictures or files, each item is a part."""
_ALONE_BYTES = 32_768
"""A longer item is a part by itself, and is stored once. Others are once for each size of part."""
_LISTS: dict[type, tuple[tuple[str, ...], ...]] = {
    RunStarted: (("input",),),
    SessionLoaded: (("head",), ("new",)),
    HandedOff: (("history", "head"),),
}
"""Where events have such lists."""
_HEAD = b"items"
"""What a part begins with, so that nothing else has its hash."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[dict[str, Any]]).decode

Load = Callable[[str], bytes]


def no_parts(name: str) -> bytes:
    """For rows that have none.

    Raises:
        JournalCorrupt: They name one.
    """
    raise JournalCorrupt(f"A log names a part {name!r} that nothing was stored for.")


class Packed(msgspec.Struct, frozen=True, tag="packed", gc=False):
    """An event whose long lists are elsewhere."""

    lists: list[tuple[list[str], list[str]]]
    """Where in the event each stands, and the names of the parts that it begins with."""
    event: dict[str, Any]
    """The event, with what comes behind those parts."""


def packed(event: Event, parts: dict[str, bytes]) -> Event | Packed:
    """What is stored of an event. ``parts`` gets the parts that it names."""
    lists: list[tuple[list[str], list[str]]] = []
    rests: list[list[Any]] = []
    for path in _LISTS.get(type(event), ()):
        items = _at(event, path)
        names, count = _parts(items, parts) if items else ([], 0)
        if names:
            lists.append(([*path], names))
            rests.append(items[count:])
    if not lists:
        return event
    fields = msgspec.to_builtins(event)
    for (path, _), rest in zip(lists, rests, strict=True):
        _put(fields, path, rest)
    return Packed(lists, fields)


def unpacked(stored: Packed, load: Load) -> dict[str, Any]:
    """The event, whole, as it would have been stored by itself."""
    fields = stored.event
    for path, names in stored.lists:
        found = [item for name in names for item in _decode(load(name).removeprefix(_HEAD))]
        _put(fields, path, found + _of(fields, path))
    return fields


def _parts(items: list[Any], parts: dict[str, bytes]) -> tuple[list[str], int]:
    """The names of what ``items`` begins with, and how many of them that is."""
    bodies = [_encode(item) for item in items]
    names: list[str] = []
    count = 0
    for size in _SIZES:
        while count + size <= len(items):
            names += _group(bodies[count : count + size], parts)
            count += size
    if sum(map(len, bodies[count:])) > _INLINE_BYTES:
        names += [_part([body], parts) for body in bodies[count:]]
        count = len(items)
    return names, count


def _group(bodies: list[bytes], parts: dict[str, bytes]) -> list[str]:
    if len(bodies) == 1 or max(map(len, bodies)) <= _ALONE_BYTES:
        return [_part(bodies, parts)]
    size = len(bodies) // _SIZES[-1]
    return [
        name
        for start in range(0, len(bodies), size)
        for name in _group(bodies[start : start + size], parts)
    ]


def _part(bodies: list[bytes], parts: dict[str, bytes]) -> str:
    body = b"[" + b",".join(bodies) + b"]"
    name = content_hash(_HEAD + body)
    if name not in parts:
        _decode(body)  # What cannot be read again is refused now, as events are.
        parts[name] = _HEAD + body
    return name


def _at(event: object, path: Sequence[str]) -> Any:
    for name in path:
        event = getattr(event, name, None)
    return event


def _of(fields: Any, path: Sequence[str]) -> list[Any]:
    for name in path:
        fields = fields.get(name)
    return fields or []


def _put(fields: dict[str, Any], path: Sequence[str], items: list[Any]) -> None:
    *outer, last = path
    for name in outer:
        fields = fields[name]
    fields[last] = items
