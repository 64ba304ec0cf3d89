"""A session in a state store of Dapr: a list of items under one key, facts about it under another."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from outlast.definitions.clock import wall_s
from outlast.sessions.extras import library
from outlast.sessions.per_loop import has_loop
from outlast.sessions.rewriting import Change
from outlast.sessions.server_session import ServerSession
from outlast.sessions.session import SessionSettings
from outlast.sessions.stored import run_to_end

if TYPE_CHECKING:
    from dapr.aio.clients import DaprClient

    from outlast.definitions.run_items import TResponseInputItem

_T = TypeVar("_T")
DAPR_CONSISTENCY_EVENTUAL = "eventual"
DAPR_CONSISTENCY_STRONG = "strong"
_WAITS_S = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Waits before a write is tried again that somebody else was quicker than."""

_CONFLICTS = ("etag", "conflict", "aborted", "failed to set key")
"""What stores say when a key is not as it was; the last one is Redis', of a key that was new."""

_logger = logging.getLogger("outlast.sessions")


class DaprSession(ServerSession):
    """A conversation in whatever store a Dapr sidecar offers, which many processes may share.

    Each write replaces the whole list if nobody else has changed it meanwhile, and is tried again
    otherwise. Needs the extra ``dapr``.

    Args:
        session_id: The conversation.
        state_store_name: The name of the component.
        dapr_client: A client of `dapr.aio`. It stays the caller's to close.
        ttl: Seconds after the last write in which the conversation is forgotten, if the store can.
        consistency: ``"strong"`` reads what was written last, at a price.
        session_settings: How the session is read where a run does not say.

    Raises:
        RuntimeError: By every call after `close`, if the session made its client.
    """

    def __init__(
        self,
        session_id: str,
        *,
        state_store_name: str,
        dapr_client: DaprClient,
        ttl: int | None = None,
        consistency: Literal["eventual", "strong"] = "eventual",
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        super().__init__(session_id, dapr_client, session_settings)
        self._store = state_store_name
        self._ttl = ttl
        self._consistency = consistency
        self._messages_key = f"{session_id}:messages"
        self._metadata_key = f"{session_id}:metadata"

    @classmethod
    def from_address(
        cls,
        session_id: str,
        *,
        state_store_name: str,
        dapr_address: str = "localhost:50001",
        session_settings: SessionSettings | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> DaprSession:
        """A session with a client of its own, which `close` closes.

        Args:
            session_id: The conversation.
            state_store_name: The name of the component.
            dapr_address: The gRPC address of the sidecar.
            session_settings: How the session is read where a run does not say.
            **kwargs: More arguments for the session.
        """
        clients = library("dapr.aio.clients", cls.__name__, "dapr")
        make = partial(clients.DaprClient, address=dapr_address)
        client: Any = make() if has_loop() else None  # It wants a loop.
        session = cls(
            session_id,
            state_store_name=state_store_name,
            dapr_client=client,
            session_settings=session_settings,
            **kwargs,
        )
        return session.owning_its_client(make)

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest ``limit`` items, the oldest first; none if it is 0 or less."""
        self.require_open()
        limit = self.read_limit(limit)
        if limit is not None and limit <= 0:
            return []
        data, _ = await self._state()
        try:
            texts = _texts(data, self.session_id)
        except ValueError:
            return []

        async def tail(count: int | None) -> list[Any]:
            return texts if count is None else texts[-count:]

        return await self.newest(limit, tail)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        self.require_open()
        fresh = await self.serialized(items)
        if fresh:
            await run_to_end(self._append(fresh))

    async def pop_item(self) -> TResponseInputItem | None:
        self.require_open()
        while (text := await run_to_end(self._change(_without_last))) is not None:
            if (item := await self.readable(text)) is not None:
                return item
        return None

    async def clear_session(self) -> None:
        self.require_open()
        await run_to_end(self._delete())

    async def rewrite_items(self, change: Change) -> bool:
        """See `RewritableSession`. What cannot be read stays where it is."""
        self.require_open()
        return await run_to_end(self._again(lambda: self._rewrite_once(change)))

    async def _answers(self) -> bool:
        await self._client.get_state(
            store_name=self._store, key="__ping__", state_metadata=self._read_metadata()
        )
        return True

    async def _append(self, fresh: list[str]) -> None:
        await self._change(lambda texts: ([*texts, *fresh], None))
        try:
            await self._write_metadata()
        except Exception as error:  # noqa: BLE001  # raising would invite to add the items again
            _logger.warning(
                "The items of session %r are saved, and its times are not: %s.",
                self.session_id, type(error).__name__,
            )  # fmt: skip

    async def _change(self, change: Callable[[list[Any]], tuple[list[Any] | None, _T]]) -> _T:
        """Replace the list by what ``change`` makes of it, unless that is None."""
        return await self._again(lambda: self._change_once(change))

    async def _again(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do ``work``, which reads and writes; if somebody else was quicker, from its beginning."""
        for wait in (*_WAITS_S, None):
            try:
                async with self._lock:
                    return await work()
            except Exception as error:
                if wait is None or not _is_conflict(error):
                    raise
            await asyncio.sleep(wait * (1 + random.random() / 10))  # noqa: S311
        raise AssertionError

    async def _change_once(self, change: Callable[[list[Any]], tuple[list[Any] | None, _T]]) -> _T:
        data, etag = await self._state()
        texts, answer = change(_texts(data, self.session_id))
        if texts is not None:
            await self._save(texts, etag)
        return answer

    async def _rewrite_once(self, change: Change) -> bool:
        data, etag = await self._state()
        texts = await self.rewritten(_texts(data, self.session_id), change)
        if texts is not None:
            await self._save(texts, etag)
        return texts is not None

    async def _state(self) -> tuple[bytes, str]:
        response = await self._client.get_state(
            store_name=self._store, key=self._messages_key, state_metadata=self._read_metadata()
        )
        return response.data, response.etag

    async def _save(self, texts: list[Any], etag: str) -> None:
        await self._client.save_state(
            store_name=self._store,
            key=self._messages_key,
            value=json.dumps(texts, separators=(",", ":")),
            state_metadata=self._write_metadata_of_store(),
            options=self._options(is_first_write=True),
            # A key that was never written has no etag.
            etag=etag or None,
        )

    async def _write_metadata(self) -> None:
        now = str(int(wall_s()))
        facts = {"session_id": self.session_id, "created_at": now, "updated_at": now}
        stored = await self._client.get_state(
            store_name=self._store, key=self._metadata_key, state_metadata=self._read_metadata()
        )
        with contextlib.suppress(ValueError, KeyError, TypeError):  # New, or nobody can read it.
            facts["created_at"] = json.loads(stored.data)["created_at"]
        await self._client.save_state(
            store_name=self._store,
            key=self._metadata_key,
            value=json.dumps(facts),
            state_metadata=self._write_metadata_of_store(),
            options=self._options(is_first_write=False),
        )

    async def _delete(self) -> None:
        async with self._lock:
            for key in (self._messages_key, self._metadata_key):
                await self._client.delete_state(
                    store_name=self._store,
                    key=key,
                    options=self._options(is_first_write=False),
                )

    def _read_metadata(self) -> dict[str, str]:
        return {"consistency": self._consistency}

    def _write_metadata_of_store(self) -> dict[str, str]:
        return {} if self._ttl is None else {"ttlInSeconds": str(self._ttl)}

    def _options(self, *, is_first_write: bool) -> Any:
        state = library("dapr.clients.grpc._state", type(self).__name__, "dapr")
        concurrency = (
            state.Concurrency.first_write if is_first_write else state.Concurrency.last_write
        )
        consistency = (
            state.Consistency.strong
            if self._consistency == DAPR_CONSISTENCY_STRONG
            else state.Consistency.eventual
        )
        return state.StateOptions(concurrency=concurrency, consistency=consistency)


def _texts(data: bytes | str | None, session_id: str) -> list[Any]:
    """The texts of a session's items, as they are in the store.

    Raises:
        ValueError: It holds something else, which a write would destroy.
    """
    if not data:
        return []
    try:
        texts: object = json.loads(data)
    except ValueError as error:
        raise ValueError(_unreadable(session_id)) from error
    if not isinstance(texts, list):
        raise ValueError(_unreadable(session_id))  # noqa: TRY004  # a value, not a caller's type
    return cast("list[Any]", texts)


def _unreadable(session_id: str) -> str:
    return (
        f"The stored Dapr session messages of {session_id!r} are no list of items. Nothing was "
        "written, to lose nothing. Look at what is under the key, or clear the session."
    )


def _without_last(texts: list[Any]) -> tuple[list[Any] | None, Any]:
    return (texts[:-1], texts[-1]) if texts else (None, None)


def _is_conflict(error: Exception) -> bool:
    """Whether somebody else changed the key: Dapr says so in words, gRPC by a code."""
    text = str(error).lower()
    code = getattr(error, "code", None)
    name = str(code() if callable(code) else code).lower()
    return "aborted" in name or any(word in text for word in _CONFLICTS)
