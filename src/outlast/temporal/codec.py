"""Payloads by reference: what is larger than a threshold goes to the store, and its name to Temporal.

A payload of plain bytes is stored as it is, so that a piece of a log is stored once, whoever stores it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, PayloadCodec

from outlast.temporal.store import DirectoryStore, Store

THRESHOLD = 400
"""Bytes from which a payload goes to the store."""
_ENCODING = b"outlast/reference"
_PLAIN = b"binary/plain"


class ByReference(PayloadCodec):
    """Keeps large payloads in a store.

    Args:
        store: Where.
        inner: A codec of the program's, such as one that encrypts. It has what stays in histories.
    """

    def __init__(self, store: Store, inner: PayloadCodec | None = None) -> None:
        self._store, self.inner = store, inner

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        short = [await self._encoded(each) for each in payloads]
        return short if self.inner is None else await self.inner.encode(short)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        short = payloads if self.inner is None else await self.inner.decode(payloads)
        return [await self._decoded(each) for each in short]

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
        of: What converts otherwise; by default Temporal's own. If it has a codec, such as one that
            encrypts, that is used for what stays in histories and, by `sealed`, for what is stored.
    """
    found = of or DataConverter.default
    return replace(found, payload_codec=ByReference(sealed(store, found), _inner(found)))


def sealed(store: Store, of: DataConverter) -> Store:
    """``store``, encoded by the codec of a converter; a store that is none of a folder seals by itself."""
    codec = _inner(of)
    if codec is None or not isinstance(store, DirectoryStore) or store.codec is not None:
        return store
    return DirectoryStore(store.path, codec, accounts=store.accounts)


def _inner(of: DataConverter) -> PayloadCodec | None:
    codec = of.payload_codec
    return codec.inner if isinstance(codec, ByReference) else codec
