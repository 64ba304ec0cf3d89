"""What the backends share: items as text, the newest readable ones, writes that are never half known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from outlast.sessions.rewriting import Change, plan
from outlast.sessions.session import (
    SessionABC,
    SessionSettings,
    check_items,
    item_text,
    session_settings_from,
)

if TYPE_CHECKING:
    from outlast.definitions.run_items import TResponseInputItem

_T = TypeVar("_T")


class StoredSession(SessionABC):
    """A session that keeps each item as text, which a subclass may write in its own way."""

    def __init__(
        self, session_id: str, session_settings: SessionSettings | dict[str, Any] | None
    ) -> None:
        self.session_id = session_id
        self.session_settings = session_settings_from(session_settings) or SessionSettings()

    def read_limit(self, limit: int | None) -> int | None:
        """How many items a call reads: what it asks for, else what the settings say."""
        if limit is None and self.session_settings is not None:
            return self.session_settings.limit
        return limit

    async def _serialize_item(self, item: TResponseInputItem) -> str:
        """The text that stands for ``item`` in the store."""
        return item_text(item, separators=(",", ":"))

    async def _deserialize_item(self, item: str) -> TResponseInputItem:
        """The item that a text of the store stands for. A `ValueError` marks it as unreadable."""
        return json.loads(item)

    async def serialized(self, items: Sequence[TResponseInputItem]) -> list[str]:
        """The texts of ``items``, in their order."""
        check_items(items)
        return [await self._serialize_item(item) for item in items]

    async def readable(self, text: str | bytes | None) -> TResponseInputItem | None:
        """The item that ``text`` stands for; None if there is no reading it."""
        if text is None:
            return None
        try:
            plain = text.decode() if isinstance(text, bytes) else text
            item = cast("object", await self._deserialize_item(plain))
        except (ValueError, TypeError):
            return None
        return cast("TResponseInputItem", item) if isinstance(item, dict) else None

    async def newest(
        self,
        limit: int | None,
        read: Callable[[int | None], Awaitable[Sequence[str | bytes | None]]],
    ) -> list[TResponseInputItem]:
        """The newest ``limit`` items that can be read, oldest first.

        What cannot be read does not count, so the window grows until it holds enough.

        Args:
            limit: None for all.
            read: The newest so many texts of the store, oldest first; None for all of them.
        """
        window = limit
        while True:
            texts = await read(window)
            found = [item for text in texts if (item := await self.readable(text)) is not None]
            if limit is None or window is None or len(texts) < window or len(found) >= limit:
                return found if limit is None else found[max(0, len(found) - limit) :]
            window *= 2

    async def rewritten(self, texts: Sequence[str | bytes], change: Change) -> list[Any] | None:
        """The texts that the store is to hold in place of ``texts``; None if it keeps those.

        What cannot be read stays where it is.
        """
        known = [
            (place, item)
            for place, text in enumerate(texts)
            if (item := await self.readable(text)) is not None
        ]
        stored = [item for _, item in known]
        if (wanted := change(stored)) is None:
            return None
        dropped, added = plan(stored, wanted)
        gone = {known[place][0] for place in dropped}
        kept = [text for place, text in enumerate(texts) if place not in gone]
        return [*kept, *await self.serialized(added)]


async def run_to_end(work: Awaitable[_T]) -> _T:
    """Wait for ``work`` to the end even if cancelled, so that its outcome is never unknown."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(asyncio.wait([task]))
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # The caller has been cancelled; a failure is nobody's any more.
    raise cancelled
