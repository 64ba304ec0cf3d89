"""Payloads by reference: what is larger than a threshold goes to the store, and its name to Temporal.

A payload of plain bytes is stored as it is, so that a piece of a log is stored once, whoever stores it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, PayloadCodec

from outlast.temporal.store import Store

THRESHOLD = 400
"""Bytes from which a payload goes to the store."""
_ENCODING = b"outlast/reference"
_PLAIN = b"binary/plain"


class ByReference(PayloadCodec):
    """Keeps large payloads in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [await self._encoded(each) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [await self._decoded(each) for each in payloads]

    async def _encoded(self, payload: Payload) -> Payload:
        if payload.ByteSize() < THRESHOLD:
            return payload
        is_plain = payload.metadata.get("encoding") == _PLAIN
        data = payload.data if is_plain else payload.SerializeToString(deterministic=True)
        name = await self._store.put(data)
        what = b"bytes" if is_plain else b"payload"
        metadata = {"encoding": _ENCODING, "of": what}
        return Payload(metadata=metadata, data=bytes.fromhex(name))

    async def _decoded(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != _ENCODING:
            return payload
        data = await self._store.get(payload.data.hex())
        if payload.metadata.get("of") == b"bytes":
            return Payload(metadata={"encoding": _PLAIN}, data=data)
        return Payload.FromString(data)


def converter(store: Store, of: DataConverter | None = None) -> DataConverter:
    """A data converter that keeps large payloads in ``store``.

    Args:
        store: Where.
        of: What converts otherwise; by default Temporal's own. Its codec, if it has one, is not used:
            encrypt in the store.
    """
    return replace(of or DataConverter.default, payload_codec=ByReference(store))
