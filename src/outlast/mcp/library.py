"""The `mcp` library in its versions 1 and 2: the one module that knows how they differ."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import inspect
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from types import FunctionType
from typing import Any, TypeVar

from outlast.core.errors import UserError
from outlast.version import __version__

T = TypeVar("T")
CANCEL_S = 2.0
"""How long it may take to tell a server that nobody waits for its answer any more."""
FIRST_TO_BE_ASKED = "2026-07-28"
"""The first revision of the protocol in which a client has to ask for news."""
LISTENING_S = 2.0
"""How long a connection is not used before its server says that it tells news."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
"""How long to wait before asking for news again where the server has ended the stream of it."""
CONNECTION_CLOSED = -32000
METHOD_NOT_FOUND = -32601
_DEAF = (METHOD_NOT_FOUND, -32600, -32602)
"""The codes of a server that has no news to tell."""


@cache
def is_v2() -> bool:
    """Whether the library is version 2 or later.

    Raises:
        UserError: It is not installed.
    """
    try:
        return int(importlib.metadata.version("mcp").partition(".")[0]) >= 2  # noqa: PLR2004
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            "MCP servers need the `mcp` library, which is not installed: pip install mcp."
        ) from None


def module(name: str = "") -> Any:
    """A module of the library: ``types``, ``client.stdio``, or the package itself.

    Raises:
        UserError: The library is not installed.
    """
    is_v2()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the library, about itself
        return importlib.import_module(f"mcp.{name}" if name else "mcp")


def http_library() -> Any:
    """The HTTP library that this version of `mcp` speaks through."""
    return importlib.import_module("httpx2" if is_v2() else "httpx")


def sse_transport(
    limit: int | None, on_excess: Callable[[], None]
) -> Callable[..., AbstractAsyncContextManager[Any]]:
    """The library's SSE client, with events as large as ``limit``, and told of larger ones.

    Version 2.3 bounds them at 1 MiB, and has a setting for it in its streamable HTTP client only. So
    its function is used with another one of those that it calls. To be dropped once it has a setting.
    """
    usual: Any = module("client.sse").sse_client
    function: Any = getattr(usual, "__wrapped__", None)
    names: dict[str, Any] = getattr(function, "__globals__", {})
    opened: Any = names.get("sse_within_origin")
    if opened is None or "max_event_size" not in inspect.signature(opened).parameters:
        return usual

    @asynccontextmanager
    async def bounded(*about: Any, **more: Any) -> AsyncGenerator[Any]:
        async with opened(*about, max_event_size=limit, **more) as source:
            yield _Events(source, on_excess)

    code, names = function.__code__, {**names, "sse_within_origin": bounded}
    defaults, closure = function.__defaults__, function.__closure__
    return asynccontextmanager(FunctionType(code, names, code.co_name, defaults, closure))


class _Events:
    """Server-sent events, whose reader says when one is too large."""

    def __init__(self, source: Any, on_excess: Callable[[], None]) -> None:
        self._source, self._on_excess = source, on_excess
        self.response = source.response

    async def __aiter__(self) -> AsyncGenerator[Any]:
        try:
            async for event in self._source:
                yield event
        except Exception as error:
            if "byte limit" in str(error):
                self._on_excess()
            raise


_CAMEL = {
    "input_schema": "inputSchema", "output_schema": "outputSchema", "is_error": "isError",
    "structured_content": "structuredContent", "next_cursor": "nextCursor", "mime_type": "mimeType",
    "read_only_hint": "readOnlyHint", "destructive_hint": "destructiveHint",
    "idempotent_hint": "idempotentHint", "open_world_hint": "openWorldHint",
    "server_info": "serverInfo", "protocol_version": "protocolVersion",
    "requested_schema": "requestedSchema", "uri_template": "uriTemplate",
    "resource_templates": "resourceTemplates",
}  # fmt: skip


def value(thing: Any, name: str) -> Any:
    """A field of the library's models, by its name in version 2; None if it has none such."""
    found = getattr(thing, name, None)
    return getattr(thing, _CAMEL[name], None) if found is None and name in _CAMEL else found


def set_value(thing: Any, name: str, content: Any) -> None:
    """Set a field that `value` reads."""
    setattr(thing, name if is_v2() else _CAMEL[name], content)


def protocol_error() -> type[Exception]:
    """The library's class for an error that the other side, or the session, reports."""
    exceptions = module("shared.exceptions")
    return exceptions.MCPError if is_v2() else exceptions.McpError


def error_code(error: BaseException) -> int | None:
    """The code of such an error; None for any other."""
    found: Any = error
    return found.error.code if isinstance(error, protocol_error()) else None


def timeout_code() -> int:
    """The code that the session itself gives to a request that nobody answered in time."""
    return -32001 if is_v2() else 408


def params_of(cursor: str) -> Any:
    """What asks for the page behind ``cursor``."""
    return module("types").PaginatedRequestParams(cursor=cursor)


@dataclass
class Callbacks:
    """What a server may ask of, or tell, its client."""

    message: Any = None
    sampling: Any = None
    elicitation: Any = None
    roots: Any = None
    logging: Any = None
    log_level: str | None = None

    def arguments(self) -> dict[str, Any]:
        """The library's keywords for them."""
        wanted = {
            "message_handler": self.message,
            "sampling_callback": self.sampling,
            "elicitation_callback": self.elicitation,
            "list_roots_callback": self.roots,
            "logging_callback": self.logging,
        }
        wanted["client_info"] = module("types").Implementation(name="outlast", version=__version__)
        if is_v2():
            wanted["log_level"] = self.log_level
        return {name: function for name, function in wanted.items() if function is not None}


@dataclass
class Link:
    """A session with a server, as long as the block that made it lasts."""

    session: Any
    client: Any = None
    """The library's own client around it, which version 2 has: it answers what a call asks back."""
    initialize_result: Any = None
    extra: tuple[Any, ...] = field(default=())
    """What the transport gave besides its two streams."""


@asynccontextmanager
async def link(
    streams: AbstractAsyncContextManager[Any], timeout_s: float | None, callbacks: Callbacks
) -> AsyncGenerator[Link]:
    """A session over ``streams``, past its handshake."""
    refusal: BaseException | None = None
    try:
        async with AsyncExitStack() as stack:
            try:
                connect = _link_v2 if is_v2() else _link_v1
                made = await connect(stack, streams, timeout_s, callbacks)
                _check_results(made.session)
            except Exception as error:
                refusal = error
                raise
            yield made
    except BaseException:
        # What closing a connection came to that never was, says less than why it never was.
        if refusal is not None:
            raise refusal from None
        raise


async def _link_v2(
    stack: AsyncExitStack, streams: Any, timeout_s: float | None, callbacks: Callbacks
) -> Link:
    transport = _Transport(streams)
    client = module().Client(
        transport,
        mode="auto",
        cache=None,  # What is kept, and until when, is said once: by the server object.
        read_timeout_seconds=timeout_s,
        **callbacks.arguments(),
    )
    client = await stack.enter_async_context(client)
    session = client.session
    return Link(session, client, getattr(session, "initialize_result", None), transport.extra)


async def _link_v1(
    stack: AsyncExitStack, streams: Any, timeout_s: float | None, callbacks: Callbacks
) -> Link:
    read, write, *extra = await stack.enter_async_context(streams)
    timeout = None if timeout_s is None else timedelta(seconds=timeout_s)
    kind = module("client.session").ClientSession
    session = await stack.enter_async_context(kind(read, write, timeout, **callbacks.arguments()))
    return Link(session, None, await session.initialize(), tuple(extra))


class Unfit(Exception):
    """What a tool answered does not fit the output schema that its server tells of it."""


def _check_results(session: Any) -> None:
    """Have a result checked as the library does, but take it if its schema cannot be learnt.

    The library asks for the list of tools first, where it has not seen the tool's. A call that was
    performed has not failed because of that.
    """
    name = "validate_tool_result" if is_v2() else "_validate_tool_result"
    check: Any = getattr(session, name, None)
    if check is None:
        return

    async def checked(tool_name: str, result: Any) -> None:
        try:
            await check(tool_name, result)
        except RuntimeError as error:
            raise Unfit(str(error)) from None
        except Exception:  # noqa: BLE001  # no list: of whatever kind
            return

    setattr(session, name, checked)


@asynccontextmanager
async def listening(made: Link, changed: Callable[[], None] | None) -> AsyncGenerator[None]:
    """Call ``changed`` for each change of the list of tools that the server tells in this block.

    Servers of before 2026-07-28 tell of them without being asked.
    """
    version = getattr(made.session, "protocol_version", None)
    if changed is None or made.client is None or str(version or "") < FIRST_TO_BE_ASKED:
        yield
        return
    begun = asyncio.Event()
    task = asyncio.create_task(_listen(made.client, changed, begun), name="mcp-listener")
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(begun.wait(), LISTENING_S)
        begun.set()
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _listen(client: Any, changed: Callable[[], None], begun: asyncio.Event) -> None:
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            await _hear(client, changed, begun)
            pause_s = FIRST_PAUSE_S
        except Exception as error:  # noqa: BLE001  # without it, the list is as old as it is
            begun.set()
            if error_code(error) in _DEAF:
                return
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def _hear(client: Any, changed: Callable[[], None], begun: asyncio.Event) -> None:
    async with client.listen(tools_list_changed=True) as events:
        if begun.is_set():
            changed()  # Nobody told us what happened before.
        begun.set()
        async for _ in events:
            changed()


class _Transport:
    """A transport with just the two streams that the library's client expects."""

    def __init__(self, streams: Any) -> None:
        self._streams = streams
        self.extra: tuple[Any, ...] = ()

    async def __aenter__(self) -> tuple[Any, Any]:
        read, write, *extra = await self._streams.__aenter__()
        self.extra = tuple(extra)
        return read, write

    async def __aexit__(self, *about: object) -> Any:
        return await self._streams.__aexit__(*about)


def request_number(session: Any) -> Any:
    """What the next request of ``session`` is known by, where it is sent in another context than its own."""
    return None if is_v2() else getattr(session, "_request_id", None)


def cancelling(session: Any) -> Callable[[Awaitable[T]], Awaitable[T]]:
    """Makes the next request of ``session`` tell the server when nobody waits for it any more.

    Version 2 does so by itself.
    """
    number = request_number(session)
    if number is None:
        return _as_it_is

    async def with_cancel(request: Awaitable[T]) -> T:
        try:
            return await request
        except asyncio.CancelledError:
            await asyncio.shield(_say_cancelled(session, number))
            raise

    return with_cancel


async def _as_it_is(request: Awaitable[T]) -> T:
    return await request


async def _say_cancelled(session: Any, number: int) -> None:
    types: Any = module("types")
    params = types.CancelledNotificationParams(requestId=number, reason="caller cancelled")
    note = types.CancelledNotification(method="notifications/cancelled", params=params)
    try:
        async with asyncio.timeout(CANCEL_S):
            await session.send_notification(types.ClientNotification(note))
    except Exception:  # noqa: BLE001  # it was a courtesy: the connection may be gone
        return


def plain(model: Any) -> dict[str, Any]:
    """A model of the library as the JSON that went over the wire."""
    if isinstance(model, Mapping):
        return dict(model)  # pyright: ignore[reportUnknownArgumentType]  # of somebody's own server
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
