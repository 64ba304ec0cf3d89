"""The provider: a server that speaks OpenAI's wire on a port of this machine, well or badly."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from outlast.core.errors import UserError
from outlast.models.offline import OfflineModel
from outlast.testing.provider.answers import Answers
from outlast.testing.provider.exchange import Exchange
from outlast.testing.provider.http import (
    MAX_HEAD_BYTES,
    ClientLeft,
    Connection,
    Cut,
    ProviderRequest,
)
from outlast.testing.provider.script import ScriptSource, answers_of
from outlast.testing.provider.websocket import WebSocket, wants_websocket
from outlast.testing.steps import ModelScriptItem, UnconsumedModelSteps

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from outlast.definitions.model import Model

KEY = "sk-test-key"


@dataclass(frozen=True)
class ProviderSettings:
    """How a provider serves, beside what it says."""

    host: str = "127.0.0.1"
    pause_s: float = 0.0
    """Between two events of a good stream."""
    drip_s: float = 1.0
    """Between two bytes, or comments, of the faults that are slow."""
    background_polls: int = 2
    """How many polls it takes until a background response is complete."""
    websocket: bool = True
    """Whether a client may go on as a websocket; if not, the handshake gets 404."""
    checks_history: bool = True
    """Whether a conversation is refused that OpenAI would refuse: halves of calls, torn reasoning."""
    context_tokens: int | None = None
    """How long a request may be, at about four characters to a token; None for any length."""
    on_request: Callable[[ProviderRequest], None] | None = None
    """Told of every request when it has arrived."""


class Listener:
    """A listening port, the requests that came to it, and who answers them."""

    def __init__(
        self,
        answer: Callable[[Connection, ProviderRequest], Awaitable[None]],
        on_request: Callable[[ProviderRequest], None] | None = None,
    ) -> None:
        self.requests: list[ProviderRequest] = []
        """Everything that was asked, oldest first."""
        self._answer = answer
        self._on_request = on_request
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = 0

    @property
    def base_url(self) -> str:
        """The address of the API, ending in ``/v1``."""
        if self._server is None:
            raise UserError("The provider is not running. Use it as a context manager.")
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"

    @property
    def connections(self) -> int:
        """How many connections clients have made."""
        return self._connections

    async def open(self, host: str, port: int) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=MAX_HEAD_BYTES)

    async def close(self) -> None:
        """Stop listening, and end all connections."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    async def attend(
        self, request: ProviderRequest, answer: Callable[[ProviderRequest], Awaitable[None]]
    ) -> None:
        """Note a request, and answer it."""
        self.requests.append(request)
        if self._on_request is not None:
            self._on_request(request)
        try:
            await answer(request)
        except ClientLeft as error:
            request.client_left = not isinstance(error, Cut)
            raise

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections += 1
        connection = Connection(reader, writer, self._connections)
        try:
            await self._serve(connection)
        except asyncio.CancelledError:
            pass  # The provider closes; the stream's own callback would report it as an error.
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, connection: Connection) -> None:
        with contextlib.suppress(ClientLeft):
            while True:
                request = await connection.read_request()
                await self.attend(request, functools.partial(self._answer, connection))
                if request.headers.get("connection", "").lower() == "close":
                    return


class ScriptedProvider:
    """A provider for tests: OpenAI's APIs over real sockets, answered from a script.

    It serves `/v1/responses` (plain, streamed, by websocket, in the background),
    `/v1/chat/completions` (plain, streamed) and `/v1/models`. `async with` runs it in the loop of
    the test; plain `with` runs it in a thread of its own.

    Args:
        steps: The script, of what `ScriptedModel` takes, and of `fault(name)`. Without one, every
            request is answered by the model.
        model: Answers where there is no script; the offline model by default.
        stateless: Choose a step by how many replies the conversation holds, not by the number of
            requests, so that a program that was killed may ask again.
        canary: A secret that stands in every error's body. Look for it where it must not be.
        port: Where to listen; 0 takes a free port.
        settings: How it serves.

    Raises:
        InvalidModelStep: A step cannot be played.
        UserError: Both steps and model were given.
    """

    def __init__(
        self,
        steps: Iterable[ModelScriptItem] | None = None,
        *,
        model: Model | None = None,
        stateless: bool = False,
        canary: str = "sk-canary-err",
        port: int = 0,
        settings: ProviderSettings | None = None,
    ) -> None:
        if steps is not None and model is not None:
            raise UserError("ScriptedProvider takes steps or a model, not both.")
        self._script = None if steps is None else ScriptSource(steps, stateless=stateless)
        self._settings = settings or ProviderSettings()
        self._canary = canary
        self._port = port
        self._answers = Answers(
            self._script or answers_of(model or OfflineModel()),
            background_polls=self._settings.background_polls,
            checks_history=self._settings.checks_history,
            context_tokens=self._settings.context_tokens,
        )
        self._listener = Listener(self._answer, self._settings.on_request)
        self.elsewhere = Listener(self._answer_elsewhere)
        """Where redirects lead. Its `requests` show whether they were followed."""
        self._clients: list[AsyncOpenAI] = []
        self._thread: _Thread | None = None

    @property
    def base_url(self) -> str:
        """The address of the API, ending in ``/v1``. It is there while the provider runs."""
        return self._listener.base_url

    @property
    def websocket_base_url(self) -> str:
        """The same address for a websocket."""
        return self.base_url.replace("http", "ws", 1)

    @property
    def requests(self) -> list[ProviderRequest]:
        """Everything that was asked, oldest first."""
        return self._listener.requests

    @property
    def connections(self) -> int:
        """How many connections clients have made."""
        return self._listener.connections

    def client(self, **options: Any) -> AsyncOpenAI:
        """A client of this provider, which closes it at its end.

        Args:
            options: Of `AsyncOpenAI`. It has a test's key and this address by default.
        """
        from openai import AsyncOpenAI

        told: dict[str, Any] = {"base_url": self.base_url, "api_key": KEY, **options}
        made = AsyncOpenAI(**told)
        self._clients.append(made)
        return made

    def sync_client(self, **options: Any) -> OpenAI:
        """A client without asyncio. Yours to close."""
        from openai import OpenAI

        told: dict[str, Any] = {"base_url": self.base_url, "api_key": KEY, **options}
        return OpenAI(**told)

    def extend(self, steps: Iterable[ModelScriptItem]) -> None:
        """Add steps to the end of the script.

        Raises:
            UserError: There is no script.
        """
        if self._script is None:
            raise UserError("This provider answers from a model; it was given no script.")
        self._script.extend(steps)

    def assert_complete(self) -> None:
        """Check that the script has been played to its end.

        Raises:
            UnconsumedModelSteps: Steps are left.
        """
        left = self._script.remaining if self._script is not None else 0
        if left:
            raise UnconsumedModelSteps(
                f"{left} scripted step(s) were not asked for.", remaining_steps=left
            )

    async def open(self) -> None:
        """Listen. `async with` does it.

        Raises:
            OSError: The port is taken, or may not be used.
        """
        await self._listener.open(self._settings.host, self._port)
        try:
            await self.elsewhere.open(self._settings.host, 0)
        except OSError:
            await self._listener.close()
            raise

    async def close(self) -> None:
        """Close the clients, the connections and the ports."""
        for client in self._clients:
            await client.close()
        await self._listener.close()
        await self.elsewhere.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __enter__(self) -> Self:
        self._thread = _Thread()
        try:
            self._thread.run(self.open())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._thread is not None
        self._clients.clear()  # They belong to the loop of whoever made them.
        self._thread.run(self.close())
        self._thread.stop()

    # --- Who answers. --------------------------------------------------------------------

    def _exchange(self, connection: Connection, request: ProviderRequest) -> Exchange:
        number = len(self.requests)
        return Exchange(
            connection=connection,
            request=request,
            api="chat" if request.path.endswith("/chat/completions") else "responses",
            base_url=self.base_url,
            elsewhere_url=self.elsewhere.base_url,
            canary=self._canary,
            pause_s=self._settings.pause_s,
            drip_s=self._settings.drip_s,
            number=number,
            headers={"x-request-id": f"req_{number:04}"},
        )

    async def _answer(self, connection: Connection, request: ProviderRequest) -> None:
        x = self._exchange(connection, request)
        path = request.path.rstrip("/").split("/")[2:]  # behind the empty part and v1
        if wants_websocket(request):
            await self._websocket(x, path)
            return
        match (request.method, path):
            case ("POST", ["responses"] | ["chat", "completions"]):
                await self._answers.create(x)
            case _ if await self._answers.elsewhere(x):
                pass
            case ("GET" | "DELETE", ["responses", response_id]):
                await self._answers.stored(x, response_id)
            case ("POST", ["responses", response_id, "cancel"]):
                await self._answers.stored(x, response_id)
            case ("GET", ["models"]):
                await x.respond(200, {"object": "list", "data": [_model("scripted-model")]})
            case ("GET", ["models", name]):
                await x.respond(200, _model(name))
            case _:
                await x.refuse(404, f"There is no {request.method} {request.path}.", "not_found")

    async def _websocket(self, x: Exchange, path: list[str]) -> None:
        if await self._answers.elsewhere(x):
            return
        if path != ["responses"] or not self._settings.websocket:
            await x.refuse(404, f"There is no websocket at {x.request.path}.", "not_found")
            return
        opened = x.request
        socket = await WebSocket.accept(x.connection, opened)

        async def answer(frame: ProviderRequest) -> None:
            each = self._exchange(x.connection, frame)
            each.socket = socket
            await self._answers.create(each)

        while True:
            try:
                raw = await socket.receive()
            except ClientLeft as error:
                raise Cut from error  # Between two answers, that is how a websocket ends.
            frame = ProviderRequest(
                "WS", opened.path, opened.query, opened.headers, raw, opened.connection, "websocket"
            )
            await self._listener.attend(frame, answer)

    async def _answer_elsewhere(self, connection: Connection, request: ProviderRequest) -> None:
        del request
        await connection.respond(200, {"object": "list", "data": [], "followed": True})


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1, "owned_by": "outlast"}


class _Thread:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Any) -> None:
        """Do something in the loop, and wait for it."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        """End the loop and the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        with contextlib.suppress(RuntimeError):
            self._loop.close()
