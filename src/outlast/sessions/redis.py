"""A session in Redis: one hash, one list of items, and one counter of old, as openai-agents has them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from outlast.definitions.clock import wall_s
from outlast.sessions.extras import library
from outlast.sessions.rewriting import Change
from outlast.sessions.server_session import ServerSession
from outlast.sessions.session import SessionSettings
from outlast.sessions.stored import run_to_end

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from outlast.definitions.run_items import TResponseInputItem

_LAST_MS = 2**63 - 1
"""The latest time at which Redis lets a key expire: a signed 64-bit number of milliseconds."""


_LOST = "while watching"
"""What the client says when a connection was lost in a transaction."""
_LOST_MAX = 3
_MARK = "last_write"
"""The field of the hash that says which transaction was made last."""
_UNKNOWN = (
    "The connection to Redis was lost while session {!r} was written, and again. Try again later."
)


@dataclass
class _Step:
    """A transaction, and what became of it."""

    mark: str
    pipeline: Any = None
    lost: int = 0
    """How often its answer was lost."""
    is_made: bool = False
    """Whether one of which the answer was lost was made."""


class RedisSession(ServerSession):
    """A conversation in Redis, which any number of processes may share.

    A call of `add_items` is one transaction: all items or none. Needs the extra ``redis``. On a
    cluster it can only read, for its keys lie in different slots.

    Args:
        session_id: The conversation.
        redis_client: An `asyncio` client of `redis`. It stays the caller's to close.
        key_prefix: What the keys begin with.
        ttl: Seconds after the last write in which the conversation is forgotten; None for never.
        session_settings: How the session is read where a run does not say.

    Raises:
        ImportError: `redis` is not installed.
        RuntimeError: By every call after `close`, if the session made its client.
    """

    def __init__(
        self,
        session_id: str,
        *,
        redis_client: Redis,
        key_prefix: str = "agents:session",
        ttl: int | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        super().__init__(session_id, redis_client, session_settings)
        self._key_prefix = key_prefix
        self._ttl = ttl
        self._session_key = f"{key_prefix}:{session_id}"
        self._messages_key = f"{self._session_key}:messages"
        self._counter_key = f"{self._session_key}:counter"

    @classmethod
    def from_url(
        cls,
        session_id: str,
        *,
        url: str,
        redis_kwargs: dict[str, Any] | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> RedisSession:
        """A session with a client of its own, which `close` closes.

        Args:
            session_id: The conversation.
            url: Such as ``redis://localhost:6379/0``.
            redis_kwargs: More arguments for the client.
            session_settings: How the session is read where a run does not say.
            **kwargs: More arguments for the session.
        """
        redis = library("redis.asyncio", cls.__name__, "redis")
        make = partial(redis.from_url, url, **(redis_kwargs or {}))
        session = cls(session_id, redis_client=make(), session_settings=session_settings, **kwargs)
        return session.owning_its_client(make)

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest ``limit`` items, the oldest first; none if it is 0 or less."""
        self.require_open()
        limit = self.read_limit(limit)
        if limit is not None and limit <= 0:
            return []
        async with self._lock:
            return await self.newest(limit, self._tail)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        self.require_open()
        texts = await self.serialized(items)
        if texts:
            async with self._lock:
                await self._append(texts)

    async def pop_item(self) -> TResponseInputItem | None:
        self.require_open()
        async with self._lock:
            return await run_to_end(self._pop())

    async def clear_session(self) -> None:
        self.require_open()
        async with self._lock:
            await run_to_end(self._transact(self._empty))

    async def rewrite_items(self, change: Change) -> bool:
        """See `RewritableSession`. What cannot be read stays where it is."""
        self.require_open()
        async with self._lock:
            return await self._transact(lambda step: self._refill(step, change))

    async def _close_client(self, client: Any) -> None:
        await client.aclose()

    async def _answers(self) -> bool:
        return bool(await self._client.ping())

    async def _tail(self, count: int | None) -> list[str | bytes]:
        first = 0 if count is None else -count
        return cast("list[str | bytes]", await self._client.lrange(self._messages_key, first, -1))

    async def _pop(self) -> TResponseInputItem | None:
        while (text := await self._client.rpop(self._messages_key)) is not None:
            if (item := await self.readable(text)) is not None:
                return item
        return None

    async def _append(self, texts: list[str]) -> None:
        await self._transact(lambda step: self._fill(step, texts))

    async def _transact(self, fill: Callable[[_Step], Awaitable[bool]]) -> bool:
        """What ``fill`` says in one transaction, again if somebody else wrote meanwhile.

        False where it says nothing: then nothing is done. A transaction whose answer was lost has left
        its mark if it was made: then it is not made again.
        """
        from redis.exceptions import ConnectionError, WatchError  # noqa: A004

        step = _Step(uuid.uuid4().hex)
        while True:
            try:
                return await self._transact_once(step, fill)
            except WatchError as error:
                await step.pipeline.reset()
                # The connection may be gone, and with it the answer, if there was one.
                step.lost += _LOST in str(error)
                if step.lost > _LOST_MAX:
                    raise ConnectionError(_UNKNOWN.format(self.session_id)) from error

    async def _transact_once(self, step: _Step, fill: Callable[[_Step], Awaitable[bool]]) -> bool:
        from redis.exceptions import WatchError

        step.pipeline = pipeline = self._client.pipeline(transaction=True)
        try:
            if not await fill(step):
                await pipeline.reset()
                return step.is_made
            await _execute(pipeline)
        except WatchError:
            raise
        except asyncio.CancelledError:
            await _discard(pipeline)  # An answer may still be on its way in it.
            raise
        except BaseException:
            await pipeline.reset()
            raise
        await run_to_end(_reset_quietly(pipeline))
        return True

    async def _empty(self, step: _Step) -> bool:
        keys = (self._session_key, self._messages_key, self._counter_key)
        await step.pipeline.watch(*keys)
        await self._require_types(step.pipeline)  # What somebody else keeps there is not ours.
        step.pipeline.multi()
        step.pipeline.delete(*keys)
        return True

    async def _refill(self, step: _Step, change: Change) -> bool:
        pipeline = step.pipeline
        await pipeline.watch(self._messages_key)
        texts = await self.rewritten(await pipeline.lrange(self._messages_key, 0, -1), change)
        return await self._fill(step, texts or [], is_whole=True, is_wanted=texts is not None)

    async def _fill(
        self, step: _Step, texts: list[Any], *, is_whole: bool = False, is_wanted: bool = True
    ) -> bool:
        keys, pipeline = (self._session_key, self._messages_key, self._counter_key), step.pipeline
        await pipeline.watch(*keys)
        if step.lost:
            mark = await pipeline.hget(self._session_key, _MARK)
            step.is_made = mark in (step.mark, step.mark.encode())
        if step.is_made or not is_wanted:
            return False
        await self._require_types(pipeline)
        expires = await self._expiry(pipeline)
        now = str(int(wall_s()))
        pipeline.multi()
        if is_whole:
            pipeline.delete(self._messages_key)
        facts = {"session_id": self.session_id, "updated_at": now, _MARK: step.mark}
        pipeline.hsetnx(self._session_key, "created_at", now)
        pipeline.hset(self._session_key, mapping=facts)
        if texts:
            pipeline.rpush(self._messages_key, *texts)
        if expires is not None:
            for key in keys:
                pipeline.pexpireat(key, expires)
        return True

    async def _require_types(self, pipeline: Any) -> None:
        """Refuse keys that hold something else: in a transaction the other half would be done."""
        from redis.exceptions import ResponseError

        for key, kind in ((self._session_key, "hash"), (self._messages_key, "list")):
            found = await pipeline.type(key)
            found = found.decode() if isinstance(found, bytes) else found
            if found not in ("none", kind):
                raise ResponseError(
                    f"WRONGTYPE Redis key {key!r} holds a {found}, and a session needs a {kind}. "
                    "Choose another key_prefix."
                )

    async def _expiry(self, pipeline: Any) -> int | None:
        """When the session expires, in milliseconds of the server's clock."""
        if self._ttl is None:
            return None
        seconds, microseconds = await pipeline.time()
        expires = int(seconds) * 1000 + int(microseconds) // 1000 + self._ttl * 1000
        if not 0 <= expires <= _LAST_MS:
            raise ValueError(
                f"The ttl of {self._ttl} seconds is outside Redis's supported expiration range."
            )
        return expires


async def _execute(pipeline: Any) -> None:
    """Send the transaction. Giving the connection back is a step of its own.

    The client does both in one call, and so a connection that cannot be given back would look like
    a transaction that failed: it would be done again.
    """
    give_back = pipeline.reset

    async def keep() -> None:
        pass

    pipeline.reset = keep
    try:
        await pipeline.execute()
    finally:
        pipeline.reset = give_back


async def _reset_quietly(pipeline: Any) -> None:
    """Give the connection back. The items are in Redis: what fails here does not undo that."""
    connection = pipeline.connection
    try:
        await pipeline.reset()
    except (Exception, asyncio.CancelledError):  # noqa: BLE001   # it cancels itself: nobody waits for a caller here
        await _close(pipeline, connection)


async def _discard(pipeline: Any) -> None:
    connection, pipeline.connection, pipeline.watching = pipeline.connection, None, False
    await run_to_end(_close(pipeline, connection))


async def _close(pipeline: Any, connection: Any) -> None:
    """Close a connection, so that nobody reads what is left in it, and let the pool have it."""
    if connection is None:
        return
    try:
        await connection.disconnect(nowait=True)
    except Exception:  # noqa: BLE001  # it is given up either way
        connection.mark_for_reconnect()
    with contextlib.suppress(KeyError):  # It was given back before it failed.
        await pipeline.connection_pool.release(connection)
