"""A log by reference: a chain of pieces, each named by the hash of what it holds and of what came before.

Whoever has the last name has the whole log. A workflow says only what is new and the name of what came
before it, so its history does not grow with the conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from outlast.core.events import Event

_encode = msgspec.json.Encoder().encode


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A part of a log, and the name of the part before it."""

    before: str
    """Empty for the first one."""
    at: int
    """How many events come before."""
    events: list[Event]


class Reference(NamedTuple):
    """A log up to a position: the name of its last piece, and how many events that makes."""

    name: str = ""
    length: int = 0


NOTHING = Reference()
"""The log that has no events."""


def packed(before: Reference, events: Sequence[Event]) -> bytes:
    """A piece that goes on from ``before``, as it is stored."""
    return _encode(Piece(before.name, before.length, list(events)))


def name_of(piece: bytes) -> str:
    """The name under which a piece is stored."""
    return blake2b(piece, digest_size=20).hexdigest()


unpacked = msgspec.json.Decoder(Piece).decode
