"""The events of one answer of the Responses API over HTTP, and the errors on the way."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from holdfast.models.asking import limits_of
from holdfast.models.endpoint import SUCCESS
from holdfast.models.errors import in_our_family, terminal_error, truncated
from holdfast.models.parsed import quick
from holdfast.models.shape import checked_event
from holdfast.models.streaming import mark_request
from holdfast.models.wire import closing_of, let_go

if TYPE_CHECKING:
    from openai import AsyncOpenAI

FAILURES = ("response.failed", "response.incomplete", "error")
ENDS = (SUCCESS, *FAILURES)


async def passed_on(events: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    """The events of an answer, whatever they come over; they are closed afterwards.

    Raises:
        ModelRequestError: The connection failed.
        ModelBehaviorError: The provider says that it failed.
        ModelStreamTruncated: The events end without a last one.
    """
    ended = False
    async with contextlib.aclosing(events):
        async for event in events:
            yield event
            if event.type in FAILURES:
                raise terminal_error(event)
            ended = ended or event.type == SUCCESS
    if not (ended or limits_of().lenient_eof):
        raise truncated(SUCCESS)


async def http_events(client: AsyncOpenAI, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
    """The events that answer an HTTP request. Nothing can fail any more after the last one.

    Raises:
        ModelRequestError: The request or the connection failed.
    """
    with in_our_family():
        events, close, request_id = await _opened(client, kwargs)
    ended = False
    try:
        while (event := await _next(events)) is not None:
            ended = ended or event.type in ENDS
            if event.type == SUCCESS and request_id is not None:
                mark_request(event.response, request_id)
            yield event
    except Exception:
        if not ended:
            raise
    finally:
        try:
            await let_go(close)
        except Exception:
            if not ended:
                raise


async def _next(events: AsyncIterator[Any]) -> Any | None:
    with in_our_family():
        event = await anext(events, None)
        return None if event is None else checked_event(event)


async def _opened(
    client: AsyncOpenAI, kwargs: dict[str, Any]
) -> tuple[AsyncIterator[Any], Callable[[], Awaitable[Any]], str | None]:
    """A stream, what closes it, and the request's id."""
    responses: Any = client.responses
    # Only this way does the library tell the request's id. A client of the user's may not have it.
    streaming = getattr(responses, "with_streaming_response", None)
    if streaming is None:
        stream = quick(await responses.create(**kwargs))
        return aiter(stream), closing_of(stream), None
    manager = streaming.create(**kwargs)
    answer = await manager.__aenter__()

    async def leave() -> None:
        await manager.__aexit__(None, None, None)

    try:
        return aiter(quick(await answer.parse())), leave, answer.request_id
    except BaseException:
        await let_go(leave)
        raise
