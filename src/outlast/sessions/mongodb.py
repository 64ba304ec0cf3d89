"""A session in MongoDB: a document per conversation, and one per batch of items."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from outlast.core.errors import WrongType
from outlast.definitions.clock import utc, wall_s
from outlast.sessions.extras import library
from outlast.sessions.rewriting import Change
from outlast.sessions.server_session import ServerSession
from outlast.sessions.session import SessionSettings
from outlast.sessions.stored import run_to_end

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

    from outlast.definitions.run_items import TResponseInputItem


_ATTEMPTS = 30
_REMEMBERED = 8
"""How many replacements are noted: a writer may be passed over by several before it looks."""
"""How often items are to be replaced, where others write meanwhile."""


class MongoDBSession(ServerSession):
    """A conversation in MongoDB, which any number of processes may share.

    A call of `add_items` is one document: all items or none, and at most 16 MB of them. Needs the
    extra ``mongodb``.

    Args:
        session_id: The conversation.
        client: A `pymongo.AsyncMongoClient`. It stays the caller's to close.
        database: The database.
        sessions_collection: The collection of conversations.
        messages_collection: The collection of items.
        session_settings: How the session is read where a run does not say.

    Raises:
        TypeError: ``session_id`` is no text.
        RuntimeError: By every call after `close`, if the session made its client.
    """

    def __init__(
        self,
        session_id: str,
        *,
        client: AsyncMongoClient[Any],
        database: str = "agents",
        sessions_collection: str = "agent_sessions",
        messages_collection: str = "agent_messages",
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(session_id, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's value
            raise WrongType("session_id must be a string")
        super().__init__(session_id, client, session_settings)
        self._database = database
        self._collections = (sessions_collection, messages_collection)
        self._is_indexed = False

    @classmethod
    def from_uri(
        cls,
        session_id: str,
        *,
        uri: str,
        database: str = "agents",
        client_kwargs: dict[str, Any] | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> MongoDBSession:
        """A session with a client of its own, which `close` closes.

        Args:
            session_id: The conversation.
            uri: Such as ``mongodb://localhost:27017``.
            database: The database.
            client_kwargs: More arguments for the client.
            session_settings: How the session is read where a run does not say.
            **kwargs: More arguments for the session.
        """
        pymongo = library("pymongo", cls.__name__, "mongodb")
        make = partial(pymongo.AsyncMongoClient, uri, **(client_kwargs or {}))
        session = cls(
            session_id,
            client=make(),
            database=database,
            session_settings=session_settings,
            **kwargs,
        )
        return session.owning_its_client(make)

    @property
    def _sessions(self) -> Any:
        return self._client[self._database][self._collections[0]]

    @property
    def _messages(self) -> Any:
        return self._client[self._database][self._collections[1]]

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest ``limit`` items, the oldest first; none if it is 0 or less."""
        self.require_open()
        limit = self.read_limit(limit)
        if limit is not None and limit <= 0:
            return []
        batches = self._messages.find(self._own(await self._session()))
        # A batch holds at least one item, and an emptied one none, so all may have to be read.
        documents = await batches.sort([("seq", 1), ("_id", 1)]).to_list()
        texts = [text for document in documents for text in _texts(document)]

        async def tail(count: int | None) -> list[Any]:
            return texts if count is None else texts[-count:]

        return await self.newest(limit, tail)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        self.require_open()
        texts = await self.serialized(items)
        if texts:
            await run_to_end(self._append(texts))

    async def pop_item(self) -> TResponseInputItem | None:
        self.require_open()
        while True:
            found, text = await run_to_end(self._pop())
            if not found:
                return None
            if (item := await self.readable(text)) is not None:
                return item

    async def clear_session(self) -> None:
        self.require_open()
        await run_to_end(self._clear())

    async def rewrite_items(self, change: Change) -> bool:
        """See `RewritableSession`. What it holds afterwards has to fit into one document of 16 MB."""
        self.require_open()
        return await run_to_end(self._rewrite(change))

    async def _answers(self) -> bool:
        await self._client.admin.command("ping")
        return True

    async def _append(self, texts: list[str]) -> None:
        async with self._lock:
            await self._make_indexes()
            is_hidden = True
            while is_hidden:
                session = await self._touch({"$inc": {"_seq": len(texts)}})
                batch = self._batch(session["_seq"], session.get("_generation", 0), texts)
                await self._messages.insert_one(batch)
                is_hidden = self._is_hidden(batch, await self._session())

    def _batch(self, seq: int, generation: int, texts: list[Any]) -> dict[str, Any]:
        return {
            "session_id": self.session_id,
            "seq": seq,
            "generation": generation,
            "message_data": texts,
        }

    def _is_hidden(self, batch: dict[str, Any], session: dict[str, Any]) -> bool:
        """Whether somebody has replaced all items without having seen this batch, or what became of it."""
        replaced = _replaced(session, batch["generation"])
        return replaced is not None and batch["seq"] not in replaced["batches"]

    async def _rewrite(self, change: Change) -> bool:
        async with self._lock:
            for _ in range(_ATTEMPTS):
                done = await self._rewrite_once(change)
                if done is not None:
                    return done
        raise RuntimeError(
            f"Session {self.session_id!r} was written {_ATTEMPTS} times while its items were to be "
            "replaced. They are as they were; try again when fewer processes write to it."
        )

    async def _rewrite_once(self, change: Change) -> bool | None:
        """Whether the items were replaced; None if somebody else has written meanwhile.

        What is wanted is written as a generation that nobody reads, and then made the one that counts.
        """
        session = await self._session()
        own = self._own(session)
        batches = await self._messages.find(own).sort([("seq", 1), ("_id", 1)]).to_list()
        texts = await self.rewritten([text for each in batches for text in _texts(each)], change)
        if texts is None:
            return False
        # Of two who replace the items at once, each writes a generation of its own.
        generation = session.get("_generation", 0) + 1 + secrets.randbelow(2**40)
        batch = self._batch(session.get("_seq", 0) + len(texts), generation, texts)
        if texts:
            await self._messages.insert_one(batch)
        is_done = await self._make_current(session, batch, [each.get("seq") for each in batches])
        outdated = {"$lt": generation} if is_done else generation
        await self._messages.delete_many({"session_id": self.session_id, "generation": outdated})
        return True if is_done else None

    async def _make_current(
        self, session: dict[str, Any], batch: dict[str, Any], seen: list[Any]
    ) -> bool:
        """Let the generation of a batch count, if the session is as it was."""
        noted = {"generation": session.get("_generation", 0), "batches": seen}
        earlier: list[Any] = session.get("_rewritten") or []
        found = await self._sessions.find_one_and_update(
            {
                "session_id": self.session_id,
                **{name: session.get(name) for name in ("_generation", "_seq", "_pops")},
            },
            {
                "$set": {
                    "_generation": batch["generation"],
                    "_seq": batch["seq"],
                    "_rewritten": [*earlier[1 - _REMEMBERED :], noted],
                    "updated_at": utc(wall_s()),
                }
            },
        )
        return found is not None

    async def _pop(self) -> tuple[bool, str | None]:
        """Take the newest text away. Whether there was one, and the text."""
        newest = [("seq", -1), ("_id", -1)]
        while True:
            session = await self._session()
            own = self._own(session)
            batch = await self._messages.find_one_and_update(
                own, {"$pop": {"message_data": 1}}, sort=newest
            )
            if batch is None:
                return False, None
            texts = _texts(batch)
            if len(texts) <= 1:  # It is empty now: only then it may go.
                await self._messages.delete_one({"_id": batch["_id"], "message_data": []})
            if texts and not await self._is_put_back(session):
                return True, texts[-1]

    async def _is_put_back(self, session: dict[str, Any]) -> bool:
        """Whether somebody who has seen the item that was taken has replaced all items since."""
        now = await self._touch({"$inc": {"_pops": 1}})
        return _replaced(now, session.get("_generation", 0)) is not None

    async def _clear(self) -> None:
        """Begin a new generation, which hides the items at once, and delete those of the old one."""
        async with self._lock:
            session = await self._touch({"$inc": {"_generation": 1}})
            await self._messages.delete_many(
                {"session_id": self.session_id, "generation": {"$lt": session["_generation"]}}
            )

    async def _touch(self, change: dict[str, Any]) -> dict[str, Any]:
        now = utc(wall_s())
        return cast(
            "dict[str, Any]",
            await self._sessions.find_one_and_update(
                {"session_id": self.session_id},
                {**change, "$set": {"updated_at": now}, "$setOnInsert": {"created_at": now}},
                upsert=True,
                return_document=True,
            ),
        )

    async def _session(self) -> dict[str, Any]:
        """What is known of the session as a whole; nothing before its first item."""
        found = await self._sessions.find({"session_id": self.session_id}).limit(1).to_list()
        return found[0] if found else {}

    def _own(self, session: dict[str, Any]) -> dict[str, Any]:
        """What matches the batches of this session since it was cleared, or rewritten, last."""
        generation = session.get("_generation", 0)
        own: dict[str, Any] = {"session_id": self.session_id, "generation": generation}
        if generation == 0:  # Batches of old have none.
            own["generation"] = {"$in": [0, None]}
        return own

    async def _make_indexes(self) -> None:
        if self._is_indexed:
            return
        await self._sessions.create_index([("session_id", 1)], unique=True)
        await self._messages.create_index([("session_id", 1), ("generation", 1), ("seq", 1)])
        self._is_indexed = True


def _replaced(session: dict[str, Any], generation: int) -> dict[str, Any] | None:
    """What is noted of whoever has replaced the items of a generation; None if nobody has."""
    noted: list[dict[str, Any]] = session.get("_rewritten") or []
    return next((each for each in noted if each["generation"] == generation), None)


def _texts(document: dict[str, Any]) -> list[Any]:
    """The texts of a batch; a document of old holds one of them, and no list."""
    data: object = document.get("message_data")
    return cast("list[Any]", data) if isinstance(data, list) else [data]
