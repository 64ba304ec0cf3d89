"""A server that is reached through the `mcp` library: one owner task holds the connection.

    idle ── connect ──▶ connecting ──▶ ready ── cleanup ──▶ idle
                            └─────────▶ idle, and the error is raised

The library wants a connection to be closed by the task that opened it. So a task of the server's own
does both, and `connect` and `cleanup` may be called by any task, also by two. Whoever asks from the
loop of another thread is served in that of the connection. One that was left behind, with a loop that
nobody runs any more or with the process that has forked this one, is opened anew here.
"""

from __future__ import annotations

import asyncio
import contextvars
from abc import abstractmethod
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import Any, Self, TypeVar

from outlast.core.errors import UserError
from outlast.definitions.forks import at_fork, leave_to_parent
from outlast.definitions.logger import logger
from outlast.mcp.errors import MCPConnectionError, MCPTimeoutError
from outlast.mcp.failures import (
    HTTPRefusal,
    call_failure,
    connect_failure,
    is_forgotten,
    is_lost,
    leaves,
    status_of,
    transport_failure,
)
from outlast.mcp.http import Failures, excess, noting_failures
from outlast.mcp.library import Callbacks, Link, link, listening, request_number
from outlast.mcp.listing import Listing
from outlast.mcp.names import public_name
from outlast.mcp.options import Retries, SessionOptions
from outlast.mcp.policies import ToolFilter
from outlast.mcp.protocol import MCPServer

T = TypeVar("T")
CLOSE_S = 10.0
"""How long a connection may take to close before it is left to itself."""


class ForgottenSession(Exception):
    """A server refuses a request because it does not know its session any more."""


class ConnectedServer(MCPServer):
    """The connection of a server that the library speaks to, and the requests over it."""

    def __init__(self, **settings: Any) -> None:
        options = SessionOptions.of(settings)
        super().__init__(**options.of_all_servers)
        options.check()
        self.session: Any = None
        """The library's session; None while there is no connection."""
        self.server_initialize_result: Any = None
        """What an older server said in its handshake; None of one that has none."""
        self.tool_filter: ToolFilter = options.tool_filter
        self.cache_tools_list = options.cache_tools_list
        self.client_session_timeout_seconds = options.client_session_timeout_seconds
        self.message_handler = options.message_handler
        self.max_retry_attempts = options.max_retry_attempts
        self.retry_backoff_seconds_base = options.retry_backoff_seconds_base
        self.retry_backoff_seconds_max = options.retry_backoff_seconds_max
        self.max_list_pages = options.max_list_pages
        self._options = options
        self._listing = Listing()
        self.offers: tuple[Any, ...] = ()
        """The latest function tools that were made of the list."""
        self._link: Link | None = None
        self._owner: asyncio.Task[None] | None = None
        self._closing: asyncio.Event | None = None
        self._is_wanted = False
        """Whether there is to be a connection: from the first that succeeded until `cleanup`."""
        self._gate = asyncio.Lock()
        self._seen: Failures | None = None
        """What has gone wrong in HTTP for whoever owns the connection."""
        self._unknown: dict[str, list[str]] = {}
        """By setting, the names in it that no tool has."""
        self._end_error: BaseException | None = None
        """Why the connection has ended, where HTTP says so."""
        self._in_turn: asyncio.Lock | None = None
        """Held for each request by a server whose requests go one after the other."""
        at_fork(self)

    @abstractmethod
    def create_streams(self) -> AbstractAsyncContextManager[Any]:
        """The transport: a context manager of a stream to read from and one to write to."""

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *about: object) -> None:
        await self.cleanup()

    # --- The connection. -------------------------------------------------------------------

    async def connect(self) -> None:
        """Begin to talk to the server. Does nothing if there is a connection.

        Raises:
            MCPConnectionError: It cannot be reached, or does not speak MCP.
            MCPCommandNotFound: Its command does not exist.
        """
        await self._at_home(partial(self._alone, self._connect))

    async def _alone(self, change: Callable[[], Awaitable[None]]) -> None:
        async with self._gate:
            await change()

    async def _at_home(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do what needs the connection in the loop that has it, be it that of another thread."""
        loop = self._owner.get_loop() if self._owner is not None else None
        if loop is None or loop is asyncio.get_running_loop():
            return await work()
        if not loop.is_running():
            self._leave()
            return await work()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), loop))

    def _leave(self) -> None:
        """Have no connection, as it stands: nobody can close it."""
        self._owner = self._closing = self._link = self.session = None
        self._gate, self._listing = asyncio.Lock(), Listing()
        self._in_turn = self._in_turn and asyncio.Lock()

    def before_fork(self) -> None:
        """See `Forked`. The connection stays with the parent."""

    def in_child(self) -> None:
        """See `Forked`. The next request opens a connection of the child's own."""
        leave_to_parent(self._owner, self._link)
        self._leave()

    async def _connect(self) -> None:
        if self.session is not None and not self._is_gone():
            return
        await self._close()
        await self._open()
        self._is_wanted = True

    async def _connect_again(self) -> None:
        if self._is_wanted:  # Nobody has cleaned up meanwhile.
            await self._connect()

    def _is_gone(self) -> bool:
        """Whether there was a connection that nobody has closed, and there is none any more."""
        if self._owner is None or self._closing is None:
            return self._is_wanted
        return self._owner.done() or self._closing.is_set() or self._has_ended()

    def _has_ended(self) -> bool:
        """Whether the transport knows that nobody is there any more."""
        return False

    def _is_silent(self, since: float) -> bool:
        """Whether it is known that nothing at all was heard of the server since a time of the loop."""
        del since
        return False

    async def _open(self) -> None:
        ready: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
        self._end_error = None
        self._closing = asyncio.Event()
        # The connection outlives whoever asks for it, and so does not see what is theirs.
        self._owner = asyncio.create_task(
            self._own(ready, self._closing), name="mcp-owner", context=contextvars.Context()
        )
        try:
            made = await asyncio.shield(ready)
        except BaseException:
            ready.cancel()
            await self._close()
            raise
        self._link, self.session = made, made.session
        self.server_initialize_result = made.initialize_result
        self._listing.invalidate()

    async def _own(self, ready: asyncio.Future[Link], closing: asyncio.Event) -> None:
        self._seen = seen = Failures()
        with noting_failures(seen):
            try:
                connection = self._linked()
            except BaseException as error:  # noqa: BLE001  # it is raised where somebody waits
                ready.set_exception(transport_failure(self.name, error))
                return
            try:
                await self._held(connection, ready, closing)
            except BaseException as error:  # noqa: BLE001  # it is told to whoever waits
                if not ready.done():
                    ready.set_exception(connect_failure(self.name, error, seen, self._last_words()))
                elif not isinstance(error, asyncio.CancelledError) and not ready.cancelled():
                    self._end_error = next((e for e in leaves(error) if status_of(e)), None)
                    self._report(error, is_closing=closing.is_set())

    def _report(self, error: BaseException, *, is_closing: bool) -> None:
        text = "Closing the connection to MCP server %s: %s."
        text = text if is_closing else "The connection to MCP server %s ended: %s."
        kinds = ", ".join(sorted({type(each).__name__ for each in leaves(error)}))
        logger.warning(text, public_name(self.name), kinds)

    def _begun(self) -> asyncio.Future[Any]:
        """Done once a connection may be interrupted on its way, without leaving something behind."""
        return asyncio.ensure_future(asyncio.sleep(0))

    def _last_words(self) -> str:
        """What there is to say about why nobody is there; empty for nothing."""
        return ""

    def _linked(self) -> AbstractAsyncContextManager[Link]:
        timeout = self.client_session_timeout_seconds or None
        return link(self.create_streams(), timeout, self._callbacks())

    def _callbacks(self) -> Callbacks:
        own = self._options.callbacks
        return Callbacks(
            self._hear, own.sampling, own.elicitation, own.roots, own.logging, own.log_level
        )

    async def _hear(self, message: Any) -> None:
        root = getattr(message, "root", message)
        if getattr(root, "method", None) == "notifications/tools/list_changed":
            self.invalidate_tools_cache()
        if self.message_handler is None:
            return
        try:
            await self.message_handler(message)
        except Exception:  # noqa: BLE001  # a user's function
            logger.exception(
                "The message_handler of MCP server %s raised; the connection goes on.",
                public_name(self.name),
            )

    async def _held(
        self,
        connection: AbstractAsyncContextManager[Link],
        ready: asyncio.Future[Link],
        closing: asyncio.Event,
    ) -> None:
        """Keep a connection until it is to be closed."""
        changed = self.invalidate_tools_cache if self.cache_tools_list else None
        async with connection as made, listening(made, changed):
            if not ready.done():
                ready.set_result(made)
            await closing.wait()

    async def cleanup(self) -> None:
        """Stop talking to the server. Does nothing if there is no connection."""
        await self._at_home(partial(self._alone, self._end))

    async def _end(self) -> None:
        self._is_wanted = False
        await self._close()

    async def _close(self) -> None:
        owner, closing, is_ready = self._owner, self._closing, self._link is not None
        self._owner = self._closing = self._link = self.session = None
        self.server_initialize_result = None
        if owner is None or closing is None:
            return
        closing.set()
        if not is_ready:
            begun = self._begun()
            await asyncio.wait({owner, begun}, timeout=CLOSE_S, return_when=FIRST_COMPLETED)
            begun.cancel()
            owner.cancel()
        try:
            await self._joined(owner)
        except asyncio.CancelledError:
            owner.cancel()  # Nothing is left behind, though nobody waits for it.
            raise

    async def _joined(self, owner: asyncio.Task[None]) -> None:
        done, _ = await asyncio.wait([owner], timeout=CLOSE_S)
        if not done:
            owner.cancel()
            done, _ = await asyncio.wait([owner], timeout=CLOSE_S)
        if not done:
            logger.error(
                "MCP server %s did not close within %s s; it is left to itself.",
                public_name(self.name),
                2 * CLOSE_S,
            )

    # --- Requests. -------------------------------------------------------------------------

    async def _live(self) -> Any:
        """The session to use now. One that has ended by itself is opened again, until that succeeds."""
        if self._is_gone():
            logger.warning("Connecting again to MCP server %s.", public_name(self.name))
            await self._at_home(partial(self._alone, self._connect_again))
        if self.session is None:
            raise UserError(
                "Server not initialized. Make sure you call `connect()` first: MCP server "
                f"{public_name(self.name)!r} has no connection. `async with server:` makes one."
            )
        return self.session

    async def _request(self, doing: str, ask: Callable[[Any], Awaitable[T]]) -> T:
        """What the server answers; ``ask`` makes the request on a session."""
        return await self._at_home(partial(self._request_here, doing, ask))

    async def _request_here(self, doing: str, ask: Callable[[Any], Awaitable[T]]) -> T:
        session = await self._live()
        try:
            return await self._asked(doing, session, ask)
        except ForgottenSession:
            # It has not looked at the request, so this is no second attempt of it.
            return await self._asked(doing, await self._live(), ask)

    async def _read(self, doing: str, ask: Callable[[Any], Awaitable[T]]) -> T:
        """As `_request`, for what changes nothing: asked again if the connection ends under it.

        So does one to a process that a call has left hanging, and that is deaf from then on.
        """
        return await self._at_home(partial(self._read_here, doing, ask))

    async def _read_here(self, doing: str, ask: Callable[[Any], Awaitable[T]]) -> T:
        began, connection = asyncio.get_running_loop().time(), self._closing
        try:
            return await self._request(doing, ask)
        except MCPTimeoutError:
            if connection is None or not self._is_silent(began):
                raise
            connection.set()
            return await self._request(doing, ask)
        except MCPConnectionError:
            if self._owner is None or not self._is_gone():
                raise
            return await self._request(doing, ask)

    async def _asked(self, doing: str, session: Any, ask: Callable[[Any], Awaitable[T]]) -> T:
        seen = Failures()

        async def request() -> T:
            with noting_failures(seen, self._seen, request_number(session)):
                return await ask(session)

        try:
            async with self._in_turn or nullcontext():
                return await self._while_connected(session, request())
        except BaseException as error:
            if self._forgets(error, seen, session):
                raise ForgottenSession from error
            self._note_loss(error)
            if is_lost(error) and isinstance(self._end_error, UserError):
                raise self._end_error from None
            failure = call_failure(self.name, doing, error, seen, self._last_words())
            if failure is error:
                raise
            raise failure from None

    async def _while_connected(self, session: Any, request: Awaitable[T]) -> T:
        """The answer to ``request``, which nobody gives any more once the connection has ended."""
        owner = self._owner
        if owner is None or session is not self.session:
            return await request
        asking = asyncio.ensure_future(request)
        try:
            await asyncio.wait({asking, owner}, return_when=FIRST_COMPLETED)
        except asyncio.CancelledError:
            asking.cancel()
            await asyncio.wait([asking])
            raise
        if not asking.done():
            asking.cancel()
            await asyncio.wait([asking])
            raise self._end_error or ConnectionResetError
        return asking.result()

    def _end_with(self, status: int) -> None:
        """End a connection over which no request gets through any more."""
        self._end_error = HTTPRefusal(status)
        if self._closing is not None:
            self._closing.set()

    def _end_with_excess(self) -> None:
        """End a connection in whose one stream there is more than may be read."""
        self._end_error = excess(self.max_result_bytes)
        if self._closing is not None:
            self._closing.set()

    def _forgets(self, error: BaseException, seen: Failures, session: Any) -> bool:
        """Whether the server refuses the session: it was restarted, or has let it go."""
        if self._closing is None or session is not self.session or not is_forgotten(error, seen):
            return False
        is_first = not self._closing.is_set() and self.is_stateful
        self._closing.set()
        return is_first

    @property
    def is_stateful(self) -> bool:
        """Whether the server knows us by a session."""
        return False

    def _note_loss(self, error: BaseException) -> None:
        """End a connection that is known to be gone, so that the next request opens another."""
        if self._closing is not None and is_lost(error):
            self._closing.set()

    async def _retried(self, doing: str, ask: Callable[[Any], Awaitable[T]]) -> T:
        retries = Retries(self)
        while True:
            try:
                return await self._request(doing, ask)
            except Exception:
                if not await retries.again():
                    raise

    @asynccontextmanager
    async def _isolated_client_session(self) -> AsyncGenerator[Any]:
        """A session of its own for one call."""
        async with self._linked() as made:
            yield made.session

    def invalidate_tools_cache(self) -> None:
        """Have the tools listed anew when they are wanted next."""
        self._listing.invalidate()
