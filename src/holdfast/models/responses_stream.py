"""The events of one answer of the Responses API, whatever they come over, and the errors on the way."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.models.asking import limits_of
from holdfast.models.errors import in_our_family, terminal_error, truncated
from holdfast.models.parsed import quick
from holdfast.models.shape import checked_event
from holdfast.models.streaming import mark_request
from holdfast.models.wire import closing_of, let_go

if TYPE_CHECKING:
    from openai import AsyncOpenAI

SUCCESS = "response.completed"
FAILURES = ("response.failed", "response.incomplete", "error")


class Events(Protocol):
    """An answer as it comes."""

    async def next_event(self, *, may_fail: bool) -> Any:
        """The next event; None when there are no more, or it fails and ``may_fail``."""
        ...

    async def close(self, *, may_fail: bool) -> None:
        """Let go of the connection. ``may_fail`` says that the answer's last event was seen."""
        ...


async def passed_on(events: Events) -> AsyncGenerator[Any]:
    """The events of an answer, which are closed afterwards.

    Raises:
        ModelRequestError: The connection failed.
        ModelBehaviorError: The provider says that it failed.
        ModelStreamTruncated: The events end without a last one.
    """
    ended = False
    try:
        while True:
            event = await events.next_event(may_fail=ended)
            if event is None:
                break
            ended = ended or event.type in (SUCCESS, *FAILURES)
            yield event
            if event.type in FAILURES:
                raise terminal_error(event)
    finally:
        await events.close(may_fail=ended)
    if not (ended or limits_of().lenient_eof):
        raise truncated(SUCCESS)


async def opened(client: AsyncOpenAI, kwargs: dict[str, Any]) -> Events:
    """The events that answer an HTTP request.

    Raises:
        ModelRequestError: The request failed.
    """
    with in_our_family():
        return await _opened(client, kwargs)


# --- One stream over HTTP. ---------------------------------------------------------------


class _HttpEvents:
    """Events of a provider and the way to let go of them, once."""

    def __init__(self, events: Any, close: Callable[[], Awaitable[Any]], request_id: Any) -> None:
        self._events = aiter(events)
        self._close = close
        self._request_id = request_id

    async def next_event(self, *, may_fail: bool) -> Any:
        try:
            with in_our_family():
                event = await anext(self._events, None)
                if event is not None:
                    checked_event(event)
        except Exception:
            if may_fail:  # All that was to be said has been said.
                return None
            raise
        if event is not None and event.type == SUCCESS and self._request_id is not None:
            mark_request(event.response, self._request_id)
        return event

    async def close(self, *, may_fail: bool) -> None:
        try:
            await let_go(self._close)
        except Exception:
            if not may_fail:
                raise


async def _opened(client: AsyncOpenAI, kwargs: dict[str, Any]) -> Events:
    responses: Any = client.responses
    # Only this way does the library tell the request's id. A client of the user's may not have it.
    streaming = getattr(responses, "with_streaming_response", None)
    if streaming is None:
        events = quick(await responses.create(**kwargs))
        return _HttpEvents(events, closing_of(events), None)
    manager = streaming.create(**kwargs)
    answer = await manager.__aenter__()

    async def leave() -> None:
        await manager.__aexit__(None, None, None)

    try:
        return _HttpEvents(quick(await answer.parse()), leave, answer.request_id)
    except BaseException:
        await let_go(leave)
        raise
