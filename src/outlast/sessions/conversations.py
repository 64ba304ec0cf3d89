"""A session in OpenAI's Conversations API: the provider keeps the items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from outlast.core.errors import WrongValue
from outlast.sessions.per_loop import LoopsLock
from outlast.sessions.session import SessionABC, SessionSettings, check_items, session_settings_from
from outlast.sessions.stored import run_to_end

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from outlast.definitions.run_items import TResponseInputItem

_PAGE = 20
"""How many items the API takes at once."""
_KEEP_ID = ("reasoning", "program", "program_output", "item_reference", "compaction")
"""Kinds of items of which the API wants the id back; it makes those of all others itself."""
_OURS = ("provider_data",)


async def start_openai_conversations_session(openai_client: AsyncOpenAI | None = None) -> str:
    """Begin an empty conversation at OpenAI, and return its id.

    Args:
        openai_client: None for the default client.

    Raises:
        openai.OpenAIError: No key is set, or the provider refuses.
    """
    client = _client(openai_client)
    return (await client.conversations.create(items=[])).id


class OpenAIConversationsSession(SessionABC):
    """A conversation that OpenAI keeps, begun at the first use.

    More than 20 items are added in several requests, so a failure in the middle leaves the first
    ones there; none of them is repeated. A reasoning item without an id and without encrypted
    content is left out, because the API refuses it. Writes of one object happen one after another.

    Args:
        conversation_id: A conversation that exists; None to begin one.
        openai_client: None for the default client.
        session_settings: How the session is read where a run does not say.
    """

    def __init__(
        self,
        *,
        conversation_id: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        self._session_id = conversation_id
        self._openai_client = _client(openai_client)
        self.session_settings = session_settings_from(session_settings) or SessionSettings()
        self._lock = LoopsLock()

    @property
    def session_id(self) -> str:
        """The conversation's id.

        Raises:
            ValueError: It has not begun yet.
        """
        if self._session_id is None:
            raise WrongValue(
                "Session ID not yet available. The conversation begins with the first get_items(), or "
                "add_items() with a non-empty list. Await one of these first."
            )
        return self._session_id

    @session_id.setter
    def session_id(self, value: str) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._session_id = value

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest ``limit`` items, the oldest first."""
        async with self._lock:
            return await self._get_items(limit)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        check_items(items)
        storable = self.storable_items(items)
        if not storable:
            return
        async with self._lock:
            conversation_id = await self._get_session_id()
            if len(storable) <= _PAGE:
                await self._create(self._openai_client, conversation_id, storable)
                return
            # A request that is repeated after its answer was lost would add its items twice.
            client = self._openai_client.with_options(max_retries=0)
            for first in range(0, len(storable), _PAGE):
                page = storable[first : first + _PAGE]
                await run_to_end(self._create(client, conversation_id, page))

    async def pop_item(self) -> TResponseInputItem | None:
        async with self._lock:
            items = await self._get_items(1)
            if not items:
                return None
            item_id = cast("dict[str, Any]", items[0])["id"]
            await self._openai_client.conversations.items.delete(
                conversation_id=await self._get_session_id(), item_id=item_id
            )
            return items[0]

    async def clear_session(self) -> None:
        """Delete the conversation; the next use begins another one."""
        async with self._lock:
            await run_to_end(self._delete())

    def storable_items(self, items: list[Any]) -> list[Any]:
        """What of ``items`` the API takes: without ids that it makes itself, and facts of ours."""
        return [
            {
                name: value
                for name, value in item.items()
                if name not in _OURS and (name != "id" or item.get("type") in _KEEP_ID)
            }
            for item in items
            if not _is_empty_reasoning(item)
        ]

    async def _get_items(self, limit: int | None) -> list[TResponseInputItem]:
        conversation_id = await self._get_session_id()
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        if limit == 0:
            return []
        order = "asc" if limit is None else "desc"
        found: list[Any] = []
        pages: Any = self._openai_client.conversations.items.list(
            conversation_id=conversation_id, order=order
        )
        async for item in pages:
            found.append(item.model_dump(exclude_unset=True))
            if limit is not None and len(found) >= limit:
                break
        return found if limit is None else found[::-1]

    async def _create(self, client: AsyncOpenAI, conversation_id: str, items: list[Any]) -> None:
        await client.conversations.items.create(conversation_id=conversation_id, items=items)

    async def _delete(self) -> None:
        conversation_id = await self._get_session_id()
        await self._openai_client.conversations.delete(conversation_id=conversation_id)
        if self._session_id == conversation_id:  # Not one that was set meanwhile.
            await self._clear_session_id()

    async def _get_session_id(self) -> str:
        if self._session_id is None:
            self._session_id = await start_openai_conversations_session(self._openai_client)
        return self._session_id

    async def _clear_session_id(self) -> None:
        self._session_id = None


def _is_empty_reasoning(item: Any) -> bool:
    return item.get("type") == "reasoning" and not (item.get("id") or item.get("encrypted_content"))


def _client(openai_client: AsyncOpenAI | None) -> AsyncOpenAI:
    if openai_client is not None:
        return openai_client
    from openai import AsyncOpenAI

    from outlast.models.defaults import get_default_openai_client

    default = get_default_openai_client()
    return AsyncOpenAI() if default is None else default
