"""How a session is shortened: what is due, what may be replaced, and how that happens in one step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from outlast.core.pairs import whole_from
from outlast.core.usage import Usage
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.logger import logger
from outlast.models.streaming import usage_in
from outlast.sessions.compacted_items import (
    as_compared,
    for_request,
    for_store,
    has_open_calls,
    seen_suffix,
    select_compaction_candidate_items,
)
from outlast.sessions.encrypted import EncryptedSession
from outlast.sessions.rewriting import rewrites_in_one_step
from outlast.sessions.session import (
    OpenAIResponsesCompactionArgs,
    OpenAIResponsesCompactionMode,
    ask_session,
)
from outlast.sessions.stored import run_to_end

Mode = Literal["previous_response_id", "input"]
_ALL = 2**31 - 1
"""More items than a session has: a limit that overrides the session's own."""


@dataclass
class Exchange:
    """What a run's model was given last and answered, and what compaction cost."""

    items: Sequence[Any] | None
    """None where this process has not seen it: then nothing is known to be seen."""
    own: int = 0
    """How many of the session's last items the run itself has added."""
    omits_reasoning_ids: bool = False
    has_waited: bool = False
    """Whether a person was asked meanwhile: others may have used the session since."""
    usage: list[Usage] = field(default_factory=list[Usage])


_exchange: ContextVar[Exchange | None] = ContextVar("outlast_exchange", default=None)


@contextmanager
def compacting(exchange: Exchange) -> Generator[Exchange]:
    """What a session shortens in here, it shortens for a run."""
    token = _exchange.set(exchange)
    try:
        yield exchange
    finally:
        _exchange.reset(token)


@dataclass(frozen=True)
class _Found:
    """Items that may be replaced: the last ones of the session."""

    items: list[Any]
    """As the reader sees them, and as the model was given them."""
    stored: list[Any]
    """As the reader sees them, and as they are kept."""
    is_whole: bool
    """Whether there are no others."""


class Shortened(Protocol):
    """A session that is shortened. See `OpenAIResponsesCompactionSession`."""

    session_id: str
    underlying_session: Any
    model: str
    compaction_mode: OpenAIResponsesCompactionMode
    should_trigger_compaction: Callable[[dict[str, Any]], bool]
    max_rollback_items: int | None
    lock: asyncio.Lock
    response_id: str | None
    is_response_kept: bool
    deferred: str | None
    is_reviewed: bool

    @property
    def client(self) -> Any:
        """The client that asks OpenAI."""
        ...


class Compactor:
    """Shortens a session for one who reads it: itself, or a session around it that encrypts it."""

    def __init__(self, session: Shortened, reader: Any) -> None:
        self._session = session
        self._reader = reader
        self._ciphers: list[EncryptedSession] = []
        if isinstance(reader, EncryptedSession):
            self._ciphers.append(reader)
        self._backend: Any = session.underlying_session
        while isinstance(self._backend, EncryptedSession):
            self._ciphers.append(self._backend)
            self._backend = self._backend.underlying_session

    async def run_compaction(
        self,
        args: OpenAIResponsesCompactionArgs | None = None,
        *,
        wrapper: RunContextWrapper | None = None,
    ) -> None:
        """See `OpenAIResponsesCompactionSession.run_compaction`."""
        session = self._session
        async with session.lock:
            args = args or {}
            mode = self._resolved(args)
            exchange = _exchange.get()
            if exchange is None:
                await self._whole(args, mode, wrapper)
                session.is_reviewed = True
            elif exchange.items is not None and (session.is_reviewed or not exchange.has_waited):
                await self._seen(args, mode, exchange, wrapper)
            else:
                logger.debug("What the model saw is not known here. Session history was retained.")

    async def defer(self, response_id: str, store: bool | None) -> None:
        """Note that it is time, if it is: a turn with tools is not a good end."""
        session = self._session
        async with session.lock:
            if session.deferred is not None:
                return
            args: OpenAIResponsesCompactionArgs = {"response_id": response_id}
            if store is not None:
                args["store"] = store
            mode = self._resolved(args)
            if self._is_due(await self._read(None, None), mode):
                session.deferred = response_id

    # --- What is due. --------------------------------------------------------------------

    def _resolved(self, args: OpenAIResponsesCompactionArgs) -> Mode:
        """From what the shorter form is made, now that the newest response is known."""
        session = self._session
        if response_id := args.get("response_id"):
            session.response_id, session.is_response_kept = response_id, True
        if (store := args.get("store")) is not None:
            session.is_response_kept = store
        mode = args.get("compaction_mode") or session.compaction_mode
        if mode == "auto":
            is_kept = session.response_id is not None and session.is_response_kept
            return "previous_response_id" if is_kept else "input"
        if mode == "previous_response_id" and session.response_id is None:
            raise ValueError(
                "OpenAIResponsesCompactionSession.run_compaction requires a response_id when using "
                "previous_response_id compaction. Pass one, or use compaction_mode='input'."
            )
        return mode

    def _is_due(self, items: list[Any], mode: Mode) -> bool:
        context: dict[str, Any] = {
            "response_id": self._session.response_id,
            "compaction_mode": mode,
            "compaction_candidate_items": select_compaction_candidate_items(items),
            "session_items": items,
        }
        return bool(self._session.should_trigger_compaction(context))

    def _is_found_due(self, found: _Found, mode: Mode) -> bool:
        """Whether it is time, for the items as they are kept and as the model was given them."""
        is_shown_so = found.stored == found.items
        return (is_shown_so or self._is_due(found.stored, mode)) and self._is_due(found.items, mode)

    # --- Asked for by somebody: all of it. -------------------------------------------------

    async def _whole(
        self,
        args: OpenAIResponsesCompactionArgs,
        mode: Mode,
        wrapper: RunContextWrapper | None,
    ) -> None:
        budget = self._session.max_rollback_items
        items = await self._read(None if budget is None else budget + 1, wrapper)
        if not args.get("force") and not self._is_due(items, mode):
            return
        self._require_budget(items)
        before = await self._raw(wrapper)
        output = await self._compacted(items, mode, wrapper)
        if all(map(rewrites_in_one_step, (self._backend, *self._ciphers))):
            sealed = list(map(self._encoded, output))

            def change(raw: list[Any]) -> list[Any] | None:
                return sealed if raw == before else None

            done = await self._backend.rewrite_items(change)
            self._settle(done)
            return
        await self._refill(before, output, wrapper)
        self._settle(True)

    # --- Asked for by a run: what its model has seen. --------------------------------------

    async def _seen(
        self,
        args: OpenAIResponsesCompactionArgs,
        mode: Mode,
        exchange: Exchange,
        wrapper: RunContextWrapper | None,
    ) -> None:
        assert exchange.items is not None
        in_one_step = all(map(rewrites_in_one_step, (self._backend, *self._ciphers)))
        found = await self._seen_items(exchange, in_one_step, mode, wrapper)
        is_partial = not found.is_whole
        if (
            is_partial
            and self._session.compaction_mode == "auto"
            and not args.get("compaction_mode")
        ):
            mode = "input"
        if not args.get("force") and not self._is_found_due(found, mode):
            return
        if is_partial and not (in_one_step and mode == "input"):
            logger.warning(
                "Session %r holds items that the model has not seen. Session history was retained.",
                self._session.session_id,
            )
            return
        if len(found.items) < exchange.own or has_open_calls(found.items):
            logger.debug(
                "Somebody else has written, or a call is open. Session history was retained."
            )
            return
        if in_one_step:
            output = await self._compacted(found.items, mode, wrapper)
            done = await self._backend.rewrite_items(self._change(found, output))
            self._settle(done)
            return
        self._require_budget(found.items)
        before = await self._raw(wrapper)
        output = await self._compacted(found.items, mode, wrapper)
        if await self._raw(wrapper) != before:
            self._settle(False)
            return
        await self._refill(before, output, wrapper)
        self._settle(True)

    async def _seen_items(
        self,
        exchange: Exchange,
        in_one_step: bool,
        mode: Mode,
        wrapper: RunContextWrapper | None,
    ) -> _Found:
        assert exchange.items is not None
        window = len(exchange.items) + (mode == "previous_response_id") if in_one_step else _ALL
        compared = self._compared(exchange)
        seen = list(map(compared, exchange.items))
        stored = await self._read(window, wrapper)
        count = seen_suffix(list(map(compared, stored)), seen)
        if count == window:  # What stands before them may belong to them.
            window += 1
            stored = await self._read(window, wrapper)
        shown = [
            as_compared(item, omits_reasoning_ids=exchange.omits_reasoning_ids, ignores_ids=False)
            for item in stored
        ]
        start = whole_from(shown, len(shown) - count)
        is_whole = start == 0 and len(stored) < window
        return _Found(shown[start:], stored[start:], is_whole)

    def _compared(self, exchange: Exchange) -> Callable[[Any], Any]:
        ignores_ids = bool(getattr(self._backend, "_ignore_ids_for_matching", False))
        return lambda item: as_compared(
            item, omits_reasoning_ids=exchange.omits_reasoning_ids, ignores_ids=ignores_ids
        )

    def _change(self, found: _Found, output: list[Any]) -> Callable[[list[Any]], list[Any] | None]:
        """Replace what was found, if it still stands at the end, and what expired at the beginning."""

        def change(raw: list[Any]) -> list[Any] | None:
            readable = [(n, item) for n, each in enumerate(raw) if (item := self._decoded(each))]
            tail = readable[len(readable) - len(found.stored) :]
            if len(tail) < len(found.stored) or [item for _, item in tail] != found.stored:
                return None
            replaced = {n for n, _ in tail}
            first = next((n for n, each in enumerate(raw) if not self._is_expired(each)), len(raw))
            kept = [each for n, each in enumerate(raw) if n >= first and n not in replaced]
            return [*kept, *map(self._encoded, output)]

        return change

    # --- Reading, asking, writing. -----------------------------------------------------------

    async def _read(self, limit: int | None, wrapper: RunContextWrapper | None) -> list[Any]:
        """The newest items as the reader sees them."""
        reader = (
            self._reader if self._reader is not self._session else self._session.underlying_session
        )
        window = {} if limit is None else {"limit": limit}
        return list(await ask_session(reader, "get_items", wrapper=wrapper, **window))

    async def _raw(self, wrapper: RunContextWrapper | None) -> list[Any]:
        """All items as the innermost session keeps them."""
        settings = getattr(self._backend, "session_settings", None)
        limited = isinstance(getattr(settings, "limit", None), int)
        window = {"limit": _ALL} if limited else {}
        return list(await ask_session(self._backend, "get_items", wrapper=wrapper, **window))

    def _require_budget(self, items: list[Any]) -> None:
        budget = self._session.max_rollback_items
        if budget is not None and len(items) > budget:
            raise ValueError(
                f"Session {self._session.session_id!r} exceeds max_rollback_items ({budget}), so it "
                "was not shortened. Raise it, or use a session that is replaced in one step."
            )

    async def _compacted(
        self, items: list[Any], mode: Mode, wrapper: RunContextWrapper | None
    ) -> list[Any]:
        session = self._session
        basis: dict[str, Any] = (
            {"input": for_request(items)}
            if mode == "input"
            else {"previous_response_id": session.response_id}
        )
        answer = await session.client.responses.compact(**basis, model=session.model)
        self._count(answer, wrapper)
        return for_store(answer.output)

    def _count(self, answer: Any, wrapper: RunContextWrapper | None) -> None:
        if getattr(answer, "usage", None) is None:
            return
        usage = usage_in(answer)
        if (exchange := _exchange.get()) is not None:
            exchange.usage.append(usage)
        elif wrapper is not None:
            wrapper.usage.add(usage)

    async def _refill(
        self,
        before: list[Any],
        output: list[Any],
        wrapper: RunContextWrapper | None,
    ) -> None:
        """Empty the session and fill it with the shorter form; with its old items if that fails."""
        inner = self._session.underlying_session
        outer = [each for each in self._ciphers if each is self._reader]
        sealed = [_through(outer, item) for item in output]
        is_empty = False
        try:
            await ask_session(inner, "clear_session", wrapper=wrapper)
            is_empty = True
            if sealed:
                await ask_session(inner, "add_items", sealed, wrapper=wrapper)
        except (Exception, asyncio.CancelledError):
            await run_to_end(self._restore(before, wrapper, was_emptied=is_empty))
            raise

    async def _restore(
        self, before: list[Any], wrapper: RunContextWrapper | None, *, was_emptied: bool
    ) -> None:
        """The innermost session gets its items back as they were: what had expired stays expired."""
        if not was_emptied:
            now = await self._raw(wrapper)
            if now == before:
                return
            was_emptied = bool(now)
        if was_emptied:
            await ask_session(self._backend, "clear_session", wrapper=wrapper)
        if before:
            await ask_session(self._backend, "add_items", before, wrapper=wrapper)

    def _settle(self, done: bool) -> None:
        if done:
            self._session.deferred = None
        else:
            logger.warning(
                "Session %r has changed while it was shortened. Session history was retained.",
                self._session.session_id,
            )

    # --- The form in which the innermost session keeps items. --------------------------------

    def _encoded(self, item: Any) -> Any:
        return _through(self._ciphers, item)

    def _decoded(self, raw: Any) -> Any:
        for cipher in reversed(self._ciphers):
            if raw is not None:
                raw = cipher.opened(raw)
        return raw

    def _is_expired(self, raw: Any) -> bool:
        return bool(self._ciphers) and self._ciphers[-1].has_expired(raw)


def _through(ciphers: Sequence[EncryptedSession], item: Any) -> Any:
    for cipher in ciphers:
        item = cipher.sealed(item)
    return item
