"""The runs of a server as a journal: whatever reads a journal, or tells a run something, works over HTTP.

It performs nothing: runs go on where the server is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn, Unpack, cast

import msgspec

from outlast.calls.health import HealthStore
from outlast.client.client import Client, Json, ServerProblem, ServerUnreachable, check_address
from outlast.core.budgets import Ledger
from outlast.core.commands import Command, Inbox, Reader
from outlast.core.errors import AlreadyRunning, JournalCorrupt, JournalUnavailable, RunNotFound
from outlast.core.events import Event
from outlast.core.identity import RunMetadata
from outlast.core.stored import Stored
from outlast.journal.journal import BlobStore, Change, Lease, RunFilter, RunSummary

_FILTERS = {
    "agent": "agent", "user": "user", "session_id": "session", "tag": "tag", "began_since": "since",
    "began_before": "until", "run_id_starts": "starts", "roots_only": "roots",
}  # fmt: skip
_HELD = {"queued", "interrupted"}
"""Words for a run that has something to do, and that nobody performs."""


class ServerJournal:
    """See `Journal`. Reads over HTTP, and posts commands.

    Args:
        url: The server's address.
        key: A key, or the token that it has printed.
        transport: As of `Client`.
    """

    durability = "power"

    def __init__(self, url: str, key: str = "", *, transport: Any = None) -> None:
        check_address("ServerJournal", url)
        self.url = url
        self._key = key
        self._transport = transport

    def _client(self) -> Client:
        # One for each question: a command line asks from one loop after another.
        return Client(self.url, self._key, transport=self._transport)

    @property
    def blobs(self) -> BlobStore:
        """There are none: what events name by its hash stays where the server is."""
        return _NoBlobs()

    @property
    def health(self) -> HealthStore:
        """Nobody is asked from here."""
        return _elsewhere("health")

    @property
    def ledger(self) -> Ledger:
        """Nothing is spent here."""
        return _elsewhere("ledger")

    @property
    def inbox(self) -> Inbox:
        """Commands go to the server at once; there is nothing to take here."""
        return _NoInbox()

    async def acquire(self, run_id: str, *, new: bool = False, force: bool = False) -> Lease:
        """Nobody gets a run from here.

        Raises:
            AlreadyRunning: Always: it is the server's.
        """
        del new, force
        raise AlreadyRunning(
            f"Run {run_id!r} is performed where the server {self.url} is, not here."
        )

    def append(
        self, lease: Lease, events: Sequence[Event], *, barrier: bool = True
    ) -> Awaitable[None]:
        """Nothing is written from here: nobody has a lease."""
        del events, barrier
        return _elsewhere(f"log of {lease.run_id!r}")

    async def read(self, run_id: str, *, after: int = -1) -> Sequence[Stored]:
        """See `Journal`."""
        async with self._client() as client:
            log = await _asked(client.log(run_id), run_id)
        return [_stored(each) for each in log if each["seq"] > after]

    async def runs(
        self, *, status: str | None = None, limit: int | None = None, before: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[RunSummary]:  # fmt: skip
        """See `Journal`."""
        asked = {
            _FILTERS[name]: value for name, value in which.items() if name in _FILTERS and value
        }
        asked["roots"] = bool(which.get("roots_only"))
        async with self._client() as client:
            rows = await _asked(client.runs(status=status, limit=limit, cursor=before, **asked), "")
        return [_summary(row) for row in rows]

    async def changes(
        self,
        since: int = 0,
        *,
        limit: int = 100,
        status: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[Change]:
        """Not asked of a server yet."""
        del since, limit, status, which
        return _elsewhere("feed")

    async def watch(self, run_id: str, *, after: int = -1) -> AsyncIterator[Stored]:
        """See `Journal`; ends when the run has ended."""
        async with self._client() as client:
            async for each in client.events(run_id, after=after):
                yield _stored(each)

    async def post(self, run_id: str, command: Command) -> None:
        """See `Journal`."""
        body = cast("Json", msgspec.to_builtins(command))
        async with self._client() as client:
            await _asked(client.post_command(run_id, body), run_id)

    async def release(self, lease: Lease, *, waits: bool = False) -> None:
        """Nothing was acquired."""

    async def close(self) -> None:
        """Nothing is open."""

    def holds_runs(self) -> bool:
        """It never does."""
        return False


class _NoBlobs:
    def put(self, data: bytes, name: str | None = None) -> str:
        del data, name
        return _elsewhere("blobs")

    def get(self, name: str) -> bytes:
        raise JournalCorrupt(f"{name} is kept where the server is.")


class _NoInbox:
    def post(self, run_id: str, command: Command, *, patience_s: float = 0.5) -> None:
        del run_id, command, patience_s
        _elsewhere("inbox")

    def pending(self, lease: Reader) -> Sequence[Command]:
        del lease
        return ()

    def listen(self, run_id: str, ring: Callable[[], None]) -> Callable[[], None]:
        del run_id, ring
        return lambda: None


def _elsewhere(what: str) -> NoReturn:
    raise JournalUnavailable(f"The {what} is where the server is. Perform runs there.")


async def _asked(question: Awaitable[Any], run_id: str) -> Any:
    try:
        return await asyncio.shield(asyncio.ensure_future(question))
    except ServerUnreachable as error:
        raise JournalUnavailable(str(error)) from error
    except ServerProblem as problem:
        if problem.kind in ("run-not-found", "not-found"):
            error = RunNotFound(f"There is no run {run_id!r} on that server.")
            raise error from problem
        raise


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _stored(fact: Json) -> Stored:
    body = {
        name: value for name, value in fact.items() if name not in ("seq", "at", "epoch", "said_at")
    }
    if fact.get("said_at") is not None:
        body["at"] = _seconds(fact["said_at"])
    event: Event = msgspec.convert(body, type=Event)
    return Stored(fact["seq"], _seconds(fact["at"]), fact["epoch"], event)


def _summary(row: Json) -> RunSummary:
    word = row["status"]
    pairs = [f"{name}={value}" for name, value in row["metadata"].items()]
    metadata = RunMetadata(
        user=row["user"],
        tenant=row["tenant"],
        session_id=row["session_id"],
        tags=(*row["tags"], *pairs),
    )
    return RunSummary(
        row["run_id"],
        row["agent"],
        "running" if word in _HELD else word,
        row["parent"] or "",
        _seconds(row["created_at"]),
        _seconds(row["updated_at"]),
        row["events"],
        owner_alive=word == "running",
        metadata=metadata,
    )
