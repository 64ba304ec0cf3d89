"""A session around another one that has OpenAI shorten it (`responses.compact`) when it gets long.

Runs ask for it after a turn. They say what their model was given and what it answered: the exchange.
Only what the model has seen is replaced. So history that a limit, a filter or a callback kept from the
model stays as it is, and so does everything if somebody else has written meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from outlast.core.errors import WrongValue
from outlast.definitions.context import RunContextWrapper
from outlast.sessions.compacted_items import is_openai_model_name, select_compaction_candidate_items
from outlast.sessions.compactor import Compactor
from outlast.sessions.conversations import OpenAIConversationsSession
from outlast.sessions.session import (
    OpenAIResponsesCompactionArgs,
    OpenAIResponsesCompactionMode,
    SessionABC,
    SessionSettings,
    ask_session,
    session_settings_from,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from outlast.definitions.run_items import TResponseInputItem

__all__ = [
    "DEFAULT_COMPACTION_THRESHOLD",
    "OpenAIResponsesCompactionMode",
    "OpenAIResponsesCompactionSession",
    "default_should_trigger_compaction",
    "is_openai_model_name",
    "select_compaction_candidate_items",
]

DEFAULT_COMPACTION_THRESHOLD = 10
"""How many items other than the user's make a session long."""


def default_should_trigger_compaction(context: dict[str, Any]) -> bool:
    """Whether there are ten items or more that compaction would shorten."""
    return len(context["compaction_candidate_items"]) >= DEFAULT_COMPACTION_THRESHOLD


class OpenAIResponsesCompactionSession(SessionABC):
    """A conversation that OpenAI shortens when it gets long.

    Another session keeps the items. After each turn of a run, `should_trigger_compaction` says whether
    it is time; then what the model has seen is replaced by what ``responses.compact`` made of it.
    Where the other session can, that is one step, as in every one of ours but OpenAI's own. Elsewhere it is
    emptied and filled anew, and gets its old items back if that fails; a process that is killed
    in between loses them.

    Args:
        session_id: The conversation.
        underlying_session: Who keeps the items.
        client: None for the default client.
        model: Which model shortens; one of OpenAI's.
        compaction_mode: From what the shorter form is made.
        should_trigger_compaction: Says whether it is time. It is given a dict: ``response_id``,
            ``compaction_mode``, ``compaction_candidate_items``, ``session_items``. None for
            `default_should_trigger_compaction`.
        max_rollback_items: How many items may have to be kept in memory to be put back if something
            fails; a longer session is not shortened where that could be necessary. None for any number.

    Raises:
        ValueError: The model is not one of OpenAI's, the other session is OpenAI's own, or
            ``max_rollback_items`` is not positive.
    """

    def __init__(  # noqa: PLR0913  # upstream's signature
        self,
        session_id: str,
        underlying_session: Any,
        *,
        client: AsyncOpenAI | None = None,
        model: str = "gpt-4.1",
        compaction_mode: OpenAIResponsesCompactionMode = "auto",
        should_trigger_compaction: Callable[[dict[str, Any]], bool] | None = None,
        max_rollback_items: int | None = None,
    ) -> None:
        if isinstance(underlying_session, OpenAIConversationsSession):
            raise WrongValue(  # as in openai-agents
                "OpenAIResponsesCompactionSession cannot wrap OpenAIConversationsSession because it "
                "manages its own history on the server. Wrap a session that keeps items itself."
            )
        if not is_openai_model_name(model):
            raise WrongValue(
                f"Unsupported model for OpenAI responses compaction: {model}. Expected one of "
                "OpenAI's, such as 'gpt-4.1', 'o3' or 'ft:gpt-4.1:...'."
            )
        if max_rollback_items is not None and max_rollback_items <= 0:
            raise WrongValue(
                f"max_rollback_items must be positive or None, got {max_rollback_items}."
            )
        self.session_id = session_id
        self.underlying_session = underlying_session
        self.model = model
        self.compaction_mode: OpenAIResponsesCompactionMode = compaction_mode
        self.should_trigger_compaction = (
            default_should_trigger_compaction
            if should_trigger_compaction is None
            else should_trigger_compaction
        )
        self.max_rollback_items = max_rollback_items
        self.lock = asyncio.Lock()
        """Held by who changes the items: nobody adds to what is just being shortened."""
        self.response_id: str | None = None
        """The response that the newest items belong to; None where nobody has said."""
        self.is_response_kept = True
        """Whether the provider keeps that response, with all that came before it."""
        self.deferred: str | None = None
        """The response of a turn with tools that it was time after: the next turn's end is used."""
        self.is_reviewed = False
        """Whether somebody but a run has had it shortened, or looked whether it is time: all in it counts."""
        self._client = client

    @property
    def client(self) -> AsyncOpenAI:
        """The client that asks OpenAI."""
        if self._client is None:
            from openai import AsyncOpenAI

            from outlast.models.defaults import get_default_openai_client

            self._client = get_default_openai_client() or AsyncOpenAI()
        return self._client

    @property
    def session_settings(self) -> SessionSettings | None:
        """The settings of the underlying session."""
        return getattr(self.underlying_session, "session_settings", None)

    @session_settings.setter
    def session_settings(self, value: SessionSettings | dict[str, Any] | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self.underlying_session.session_settings = session_settings_from(value)

    @property
    def _ignore_ids_for_matching(self) -> bool:
        return bool(getattr(self.underlying_session, "_ignore_ids_for_matching", False))

    async def get_items(
        self, limit: int | None = None, *, wrapper: RunContextWrapper | None = None
    ) -> list[TResponseInputItem]:
        """The newest ``limit`` items, the oldest first."""
        window = () if limit is None else (limit,)
        return await self._ask("get_items", *window, wrapper=wrapper)

    async def add_items(
        self, items: list[TResponseInputItem], *, wrapper: RunContextWrapper | None = None
    ) -> None:
        """Add ``items`` at the end, once a compaction that goes on has ended."""
        async with self.lock:
            await self._ask("add_items", items, wrapper=wrapper)
            if items:
                self.is_response_kept = self.is_response_kept and self.response_id is None

    async def pop_item(
        self, *, wrapper: RunContextWrapper | None = None
    ) -> TResponseInputItem | None:
        async with self.lock:
            self._forget_response()
            return cast("TResponseInputItem | None", await self._ask("pop_item", wrapper=wrapper))

    async def clear_session(self, *, wrapper: RunContextWrapper | None = None) -> None:
        async with self.lock:
            self._forget_response()
            await self._ask("clear_session", wrapper=wrapper)

    async def run_compaction(
        self,
        args: OpenAIResponsesCompactionArgs | None = None,
        *,
        wrapper: RunContextWrapper | None = None,
    ) -> None:
        """Shorten the conversation if it is time, or in any case if ``args`` has ``force``.

        Called by a run, it replaces what the model has seen; called by you, it replaces everything.

        Args:
            args: ``response_id``: the response that the newest items belong to. ``store``: whether
                the provider keeps it. ``compaction_mode``: in place of the session's. ``force``.
            wrapper: Is told what it cost.

        Raises:
            ValueError: It is to be made from a response, and none is known; or there are more items
                than ``max_rollback_items``.
            openai.OpenAIError: The provider did not answer. The items are as they were.
        """
        await self.seen_through(self).run_compaction(args, wrapper=wrapper)

    def seen_through(self, reader: Any) -> Compactor:
        """What shortens this session for ``reader``, who gives its items another form."""
        return Compactor(self, reader)

    async def _defer_compaction(self, response_id: str, store: bool | None = None) -> None:
        """Shorten it at the end of the next turn, if it is time now."""
        await self.seen_through(self).defer(response_id, store)

    def _get_deferred_compaction_response_id(self) -> str | None:
        return self.deferred

    def _forget_response(self) -> None:
        self.response_id, self.is_response_kept, self.deferred = None, True, None

    async def _ask(self, method: str, *args: Any, wrapper: RunContextWrapper | None) -> Any:
        return await ask_session(self.underlying_session, method, *args, wrapper=wrapper)
