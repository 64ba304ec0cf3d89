"""Where big payloads, pieces of logs and blobs of a cluster are kept: outside of Temporal's history.

All workers and callers need the same store. Everything in it is named by its content, so it is written
once, never changed, and safe to write from anywhere at the same time.
"""

from __future__ import annotations

import asyncio
import os
from hashlib import blake2b
from pathlib import Path
from typing import Protocol, runtime_checkable

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec  # noqa: TC002  # no library is hidden

from outlast.core.budgets import Ledger
from outlast.core.errors import JournalCorrupt, JournalUnavailable, UserError
from outlast.journal.files import write_whole
from outlast.journal.opening import open_journal
from outlast.temporal.accounts import FolderLedger

_HEAD = 4
"""Bytes before each part of a stream, which say how long it is."""
_PLAIN = {"encoding": b"binary/plain"}


class Store(Protocol):
    """Keeps bytes by the hash of their content (blake2b, 20 bytes, as hexadecimal text)."""

    async def put(self, data: bytes, name: str | None = None) -> str:
        """The name of ``data``, which is durable when this returns.

        Args:
            data: The content.
            name: Its name, where the caller has it already.

        Raises:
            JournalUnavailable: It could not be stored. Trying again may help.
        """
        ...

    async def get(self, name: str) -> bytes:
        """What is stored under a name.

        Raises:
            JournalCorrupt: Nothing is, or it is not what its name says.
            JournalUnavailable: The store does not answer. Trying again may help.
        """
        ...


@runtime_checkable
class Accounting(Protocol):
    """A store that counts what is spent under budgets, too."""

    def ledger(self) -> Ledger:
        """Where that is counted, for all who use the store."""
        ...


def ledger_of(store: Store) -> Ledger:
    """Where a store counts what is spent under budgets.

    Raises:
        UserError: It does not.
    """
    if not isinstance(store, Accounting):
        raise UserError(
            f"A run has a budget, and its store, a {type(store).__name__}, counts nothing. Give it a method "
            "ledger(), as DirectoryStore has, or run it without budgets."
        )
    return store.ledger()


class DirectoryStore:
    """A folder that all workers and callers share: a local disk, a network mount.

    Files are private to their owner (0600) and appear whole. Nothing is deleted.

    Args:
        path: The folder.
        codec: Encodes what is written, such as a codec that encrypts; a client's own is taken by itself.
        accounts: The file of a journal on this machine, whose runs share budgets with those of the
            cluster. By default what is spent is counted in the folder, and for the cluster alone.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        codec: PayloadCodec | None = None,
        *,
        accounts: str | os.PathLike[str] | None = None,
    ) -> None:
        self.path = Path(path).absolute()
        self.codec = codec
        self.accounts = None if accounts is None else Path(accounts).absolute()
        self._ledger: Ledger | None = None

    def ledger(self) -> Ledger:
        """Where is counted what is spent under budgets; see `Accounting`."""
        if self._ledger is None:
            folder = FolderLedger(self.path / "accounts")
            self._ledger = folder if self.accounts is None else open_journal(self.accounts).ledger
        return self._ledger

    async def put(self, data: bytes, name: str | None = None) -> str:
        name = name or blake2b(data, digest_size=20).hexdigest()
        path = self._file(name)
        if not path.exists():
            await asyncio.to_thread(_write, path, await self._encoded(data))
        return name

    async def get(self, name: str) -> bytes:
        path = self._file(name)
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise JournalCorrupt(
                f"There is nothing under {name!r} in the store. All workers and callers must use the same "
                "one, and what is in it must stay."
            ) from None
        except OSError as error:
            raise _unavailable(error) from None
        data = await self._decoded(data)
        if blake2b(data, digest_size=20).hexdigest() != name:
            raise JournalCorrupt(
                f"What the store has under {name!r} has changed since it was written."
            )
        return data

    async def append(self, stream: str, data: bytes) -> None:
        """Add to a stream; see `Streams`."""
        data = await self._encoded(data)
        frame = len(data).to_bytes(4, "big") + data
        await asyncio.to_thread(_append, self._stream(stream), frame)

    async def tail(self, stream: str, offset: int) -> tuple[list[bytes], int]:
        """What was appended since ``offset``; see `Streams`."""
        path, parts = self._stream(stream), list[bytes]()
        if offset < 0:
            return parts, path.stat().st_size if path.exists() else 0
        data = await asyncio.to_thread(_rest, path, offset)
        while len(data) >= _HEAD and len(data) >= (
            end := _HEAD + int.from_bytes(data[:_HEAD], "big")
        ):
            parts.append(await self._decoded(data[_HEAD:end]))
            data, offset = data[end:], offset + end
        return parts, offset

    async def drop(self, stream: str) -> None:
        """Forget a stream; see `Streams`."""
        await asyncio.to_thread(self._stream(stream).unlink, missing_ok=True)

    def _stream(self, name: str) -> Path:
        return self.path / "streams" / name

    async def _encoded(self, data: bytes) -> bytes:
        if self.codec is None:
            return data
        [payload] = await self.codec.encode([Payload(metadata=_PLAIN, data=data)])
        return payload.SerializeToString(deterministic=True)

    async def _decoded(self, data: bytes) -> bytes:
        if self.codec is None:
            return data
        [payload] = await self.codec.decode([Payload.FromString(data)])
        return payload.data

    def _file(self, name: str) -> Path:
        return self.path / name[:2] / name[2:]


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        raise _unavailable(error) from None


def _append(path: Path, frame: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, frame)
        finally:
            os.close(file)
    except OSError as error:
        raise _unavailable(error) from None


def _rest(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unavailable(error) from None


def _unavailable(error: OSError) -> JournalUnavailable:
    return JournalUnavailable(
        f"The store cannot be used: {error.strerror}. Workers and callers must be able to read and "
        "write it."
    )
