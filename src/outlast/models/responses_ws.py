"""The Responses API over a websocket that stays open between calls.

A model has one socket per event loop. Calls over it take turns: the protocol does not say which
answer an event belongs to. What is asked and what an answer means is the same as over HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from outlast.core.errors import ModelResponseTooLarge
from outlast.models.background import is_background
from outlast.models.call_options import asked
from outlast.models.endpoint import SUCCESS, Request
from outlast.models.errors import truncated
from outlast.models.official import is_official_openai_base_url
from outlast.models.responses import ENDS, OpenAIResponsesModel
from outlast.models.websocket import (
    OpenAIResponsesWebSocketOptions,
    ResponsesWebSocketError,
    address_of,
    closed_meanwhile,
    connect,
    event_of,
    failure,
    frame_of,
    is_too_big,
    mark,
    socket_advice,
    timeouts_of,
    url_of,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import Response

    from outlast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest

__all__ = ["OpenAIResponsesWSModel", "OpenAIResponsesWebSocketOptions", "ResponsesWebSocketError"]

_SOCKET_IS_OLD = "websocket_connection_limit_reached"
"""The provider's code for: this socket has been open for an hour, take another."""


class OpenAIResponsesWSModel(OpenAIResponsesModel):
    """A model behind the Responses API, asked over a websocket. Needs the extra ``websocket``.

    The socket connects with the first call and stays until `close`. Concurrent calls wait for each
    other; use several models to have several answers at once. Calls in background mode go over
    HTTP: sockets have no such mode.

    Args:
        model: Its name.
        openai_client: Yours to configure and to close: key, headers, timeouts, and the address, which
            is its ``websocket_base_url`` or, without one, that of HTTP.
        model_is_explicit: See `OpenAIResponsesModel`.
        websocket_options: Keepalive and size limits.
    """

    def __init__(
        self,
        model: str,
        openai_client: AsyncOpenAI,
        *,
        model_is_explicit: bool = True,
        websocket_options: OpenAIResponsesWebSocketOptions | None = None,
    ) -> None:
        super().__init__(model, openai_client, model_is_explicit=model_is_explicit)
        self._options: OpenAIResponsesWebSocketOptions = websocket_options or {}
        # A socket belongs to the loop that opened it.
        self._lanes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Lane] = (
            weakref.WeakKeyDictionary()
        )

    async def close(self) -> None:
        """Close the sockets, without waiting for the calls that use them. They may be used again."""
        here = asyncio.get_running_loop()
        for loop, lane in list(self._lanes.items()):
            await lane.close(is_here=loop is here)

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """What the failure says about trying again: how far the request had come."""
        return socket_advice(request) or super().get_retry_advice(request)

    async def _response(self, request: Request) -> Response:
        kwargs = self._kwargs(request, stream=True)
        if is_background(kwargs):
            return await super()._response(request)
        response: Response | None = None
        async with contextlib.aclosing(self._answer(kwargs)) as events:
            async for event in events:
                response = event.response if event.type == SUCCESS else response
        if response is None:
            raise truncated(SUCCESS)
        return response

    async def _answer(self, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
        has_begun = False
        try:
            async with contextlib.aclosing(super()._answer(kwargs)) as events:
                async for event in events:
                    has_begun = True
                    yield event
                return
        except ResponsesWebSocketError as error:
            if has_begun or error.code != _SOCKET_IS_OLD:
                raise
        async with contextlib.aclosing(super()._answer(kwargs)) as events:
            async for event in events:
                yield event

    def _sent(self, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
        return super()._sent(kwargs) if is_background(kwargs) else self._over_socket(kwargs)

    async def _over_socket(self, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
        frame, limits = frame_of(kwargs), timeouts_of(self._client, kwargs)
        lane = self._lane()
        async with lane.turn(limits.turn):
            url, headers = await address_of(self._client, kwargs)
            await lane.connect(url, headers, self._options, limits.connect)
            async with contextlib.aclosing(lane.answer(frame, limits.read)) as events:
                async for event in events:
                    yield event

    def _lane(self) -> _Lane:
        loop = asyncio.get_running_loop()
        if loop not in self._lanes:
            for other in [other for other in self._lanes if other.is_closed()]:
                self._lanes.pop(other).drop()  # Its socket would keep it.
            self._lanes[loop] = _Lane()
        return self._lanes[loop]

    def _supports_default_prompt_cache_key(self) -> bool:
        return is_official_openai_base_url(url_of(self._client), websocket=True)


class _Lane:
    """The socket of one loop, and whose turn it is to use it."""

    def __init__(self) -> None:
        self.socket: Any = None
        self._turn: asyncio.Lock = asyncio.Lock()
        self._address: tuple[str, dict[str, str]] | None = None
        self._closings = 0

    @contextlib.asynccontextmanager
    async def turn(self, seconds: float | None) -> AsyncGenerator[None]:
        """Have the socket to oneself, after at most ``seconds`` where others use it."""
        try:
            async with asyncio.timeout(seconds if self._turn.locked() else None):
                await self._turn.acquire()
        except TimeoutError as error:
            text = f"Responses websocket request lock wait timed out after {seconds} seconds."
            raise failure(text, "unsent", is_late=True) from error
        try:
            yield
        finally:
            self._turn.release()

    async def connect(
        self,
        url: str,
        headers: dict[str, str],
        options: OpenAIResponsesWebSocketOptions,
        seconds: float | None,
    ) -> None:
        """Have a socket to ``url``: the one from before where it is still good."""
        if self._address == (url, headers) and self.socket.state.name == "OPEN":
            return
        self.drop()
        closings = self._closings
        tries = 1 if asked().once else 2
        socket = await connect(url, headers, options, timeout_s=seconds, tries=tries)
        if closings != self._closings:
            socket.transport.abort()
            raise closed_meanwhile()
        self.socket, self._address = socket, (url, headers)

    def drop(self) -> None:
        """Cut the connection without a word: what is still to come is not wanted."""
        socket, self.socket, self._address = self.socket, None, None
        if socket is not None:
            with contextlib.suppress(RuntimeError):  # Its loop is closed, and so is the socket.
                socket.transport.abort()

    async def close(self, *, is_here: bool) -> None:
        """Close the connection; by the protocol where nobody is just using it."""
        self._closings += 1
        socket = self.socket
        if socket is None or not is_here or self._turn.locked():
            self.drop()
        else:
            self.socket = self._address = None
            await socket.close()

    async def answer(self, frame: str, read_s: float | None) -> AsyncGenerator[Any]:
        """What is answered to ``frame``. The socket stays if nothing of it can still come."""
        socket = self.socket  # It may be dropped while somebody looks at an event.
        has_begun = has_ended = False
        try:
            await _send(socket, frame)
            while not has_ended:
                received = await _received(socket, read_s, has_begun=has_begun)
                if received is None:
                    return
                event = event_of(received)
                if not has_begun:
                    asked().opened()
                has_begun = True
                asked().data()
                if event is not None:
                    has_ended = event.type in ENDS
                    yield event
        except ResponsesWebSocketError as error:
            has_ended = error.code != _SOCKET_IS_OLD
            if has_begun:
                mark(error, "started")
            raise
        finally:
            if not has_ended:
                self.drop()


async def _send(socket: Any, frame: str) -> None:
    from websockets.exceptions import ConnectionClosed

    try:
        await socket.send(frame)
    except ConnectionClosed as error:
        raise failure(
            "The websocket to the model closed while the request was sent. Run it again.", "sent"
        ) from error


async def _received(socket: Any, seconds: float | None, *, has_begun: bool) -> Any:
    """The next message; None if the socket closed in the middle of the answer."""
    from websockets.exceptions import ConnectionClosed

    try:
        async with asyncio.timeout(seconds):
            return await socket.recv()
    except TimeoutError as error:
        text = f"Responses websocket receive timed out after {seconds} seconds."
        raise failure(text, "started" if has_begun else "sent", is_late=True) from error
    except ConnectionClosed as error:
        if is_too_big(error):
            raise ModelResponseTooLarge(
                "The model sent an event that is larger than the websocket's max_size. If such "
                "events are expected, raise ModelLimits(response_bytes=...) or "
                "OpenAIResponsesWebSocketOptions(max_size=...)."
            ) from error
        if has_begun:
            return None
        raise failure(
            "Responses websocket connection closed before any response events were received. "
            "Run it again.",
            "sent",
        ) from error
