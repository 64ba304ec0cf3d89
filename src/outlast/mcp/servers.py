"""The three kinds of servers: a process of our own, and two ways over HTTP."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NotRequired, TypeVar

from typing_extensions import TypedDict

from outlast.core.errors import UserError
from outlast.definitions.function_tool import ToolErrorFunction
from outlast.definitions.tool_guardrail import ToolInputGuardrail, ToolOutputGuardrail
from outlast.mcp.child import Stderr, require_command, stdio_streams
from outlast.mcp.failures import is_transport_failure, quoted
from outlast.mcp.http import HttpClientFactory, HttpOptions
from outlast.mcp.library import http_library, is_v2, module, sse_transport
from outlast.mcp.names import fingerprint, require_url
from outlast.mcp.options import Retries, check_params
from outlast.mcp.pipes import Limits
from outlast.mcp.policies import RequireApprovalSetting, ToolFilter, UncertainSetting
from outlast.mcp.protocol import (
    _UNSET,  # pyright: ignore[reportPrivateUsage]  # upstream's name for it
    MCPToolCustomDataExtractor,
    MCPToolMetaResolver,
    _UnsetType,  # pyright: ignore[reportPrivateUsage]
)
from outlast.mcp.session import SessionServer

T = TypeVar("T")


class MCPServerStdioParams(TypedDict):
    """How a server is started."""

    command: str
    args: NotRequired[list[str]]
    env: NotRequired[dict[str, str]]
    """Besides the few variables that every server gets (PATH, HOME, ...)."""
    cwd: NotRequired[str | Path]
    encoding: NotRequired[str]
    encoding_error_handler: NotRequired[Literal["strict", "ignore", "replace"]]


class MCPServerSseParams(TypedDict):
    """Where a server is that speaks over SSE."""

    url: str
    headers: NotRequired[dict[str, str]]
    timeout: NotRequired[float]
    sse_read_timeout: NotRequired[float]
    auth: NotRequired[Any]
    httpx_client_factory: NotRequired[HttpClientFactory]


class MCPServerStreamableHttpParams(TypedDict):
    """Where a server is that speaks over streamable HTTP."""

    url: str
    headers: NotRequired[dict[str, str]]
    timeout: NotRequired[timedelta | float]
    sse_read_timeout: NotRequired[timedelta | float]
    terminate_on_close: NotRequired[bool]
    httpx_client_factory: NotRequired[HttpClientFactory]
    auth: NotRequired[Any]
    ignore_initialized_notification_failure: NotRequired[bool]


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of all servers among a constructor's locals."""
    own = {"self", "params", "name", "__class__"}
    return {name: setting for name, setting in settings.items() if name not in own}


class MCPServerStdio(SessionServer):
    """A server that is a process of our own, spoken to over its stdin and stdout.

    It ends with us, whatever becomes of us; what it writes to stderr is kept, and quoted in the error
    that says why it did not start.
    """

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        params: MCPServerStdioParams,
        cache_tools_list: bool = False,
        name: str | None = None,
        client_session_timeout_seconds: float | None = 5,
        tool_filter: ToolFilter = None,
        use_structured_content: bool = False,
        max_retry_attempts: int = 0,
        retry_backoff_seconds_base: float = 1.0,
        message_handler: Any = None,
        require_approval: RequireApprovalSetting = None,
        failure_error_function: ToolErrorFunction | _UnsetType | None = _UNSET,
        tool_meta_resolver: MCPToolMetaResolver | None = None,
        custom_data_extractor: MCPToolCustomDataExtractor | None = None,
        retry_backoff_seconds_max: float | None = None,
        *,
        tool_input_guardrails: list[ToolInputGuardrail] | None = None,
        tool_output_guardrails: list[ToolOutputGuardrail] | None = None,
        max_list_pages: int | None = None,
        on_uncertain: UncertainSetting = None,
        max_result_bytes: int | None = 8 * 2**20,
        sampling_callback: Any = None,
        elicitation_callback: Any = None,
        list_roots_callback: Any = None,
        logging_callback: Any = None,
    ) -> None:
        """See `SessionServer` and `MCPServer` for what the settings mean.

        Raises:
            TypeError: A setting is of another type than it has to be.
            ValueError: It has a value that it cannot have.
        """
        super().__init__(**_given(locals()))
        check_params(params, MCPServerStdioParams, "command")
        self.params = _stdio_params(params)
        self._name = name or f"stdio: {self.params.command}"
        self.identity = fingerprint(self.params.command, self.params.args, self.params.cwd)
        self._stderr = Stderr()

    @property
    def name(self) -> str:
        """What people call the server."""
        return self._name

    @property
    def stderr_text(self) -> str:
        """The end of what the server's process wrote to stderr."""
        return self._stderr.text

    def create_streams(self) -> AbstractAsyncContextManager[Any]:
        """A new process, and the streams to it."""
        self._stderr = Stderr()
        require_command(self.params)
        limits = Limits(self.max_result_bytes, self.client_session_timeout_seconds or None)
        return stdio_streams(self.params, self._stderr, limits)

    def _has_ended(self) -> bool:
        return self._stderr.is_over.is_set() or self._stderr.signs.has_ended.is_set()

    def _is_silent(self, since: float) -> bool:
        return self._stderr.signs.heard_at < since

    def _begun(self) -> asyncio.Future[Any]:
        return asyncio.ensure_future(self._stderr.is_started.wait())

    def _last_words(self) -> str:
        text = self._stderr.text
        return f" Its last words on stderr: {quoted(text)}." if text else ""


def _stdio_params(params: Any) -> Any:
    kind: Any = module("client.stdio").StdioServerParameters
    given = {key: params[key] for key in MCPServerStdioParams.__annotations__ if key in params}
    try:
        return kind(**given)
    except ValueError as error:
        errors: Any = getattr(error, "errors", list[Any])()
        wrong = {f"{each['loc'][0]!r} ({each['msg']})" for each in errors if each["loc"]}
        raise UserError(  # Without the values: there are passwords in many an `env`.
            f"The params of an MCP server do not fit: {', '.join(sorted(wrong)) or 'a value'}."
        ) from None


class _RemoteServer(SessionServer):
    """What both ways over HTTP have in common."""

    _kind: str
    _params_kind: type
    params: Any

    def __init__(self, params: Any, name: str | None, settings: dict[str, Any]) -> None:
        super().__init__(**settings)
        check_params(params, self._params_kind, "url")
        require_url(params["url"])
        self.params = params
        self._name = name or f"{self._kind}: {params['url']}"
        self.identity = fingerprint(params["url"])
        self._session_id: str | None = None

    @property
    def name(self) -> str:
        """What people call the server."""
        return self._name

    def _http(self) -> HttpOptions:
        options = HttpOptions(
            self.params.get("httpx_client_factory"),
            self.params.get("auth"),
            self.max_result_bytes,
            self._begin_session,
            bool(self.params.get("ignore_initialized_notification_failure")),
        )
        options.check_auth()
        return options

    def _begin_session(self, session_id: str) -> None:
        self._session_id = session_id

    def _seconds(self, name: str, default: float) -> float:
        given: timedelta | float = self.params.get(name, default)
        return given.total_seconds() if isinstance(given, timedelta) else given


class MCPServerSse(_RemoteServer):
    """A remote server that speaks over HTTP with server-sent events, as older ones do."""

    _kind = "sse"
    _params_kind = MCPServerSseParams

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        params: MCPServerSseParams,
        cache_tools_list: bool = False,
        name: str | None = None,
        client_session_timeout_seconds: float | None = 5,
        tool_filter: ToolFilter = None,
        use_structured_content: bool = False,
        max_retry_attempts: int = 0,
        retry_backoff_seconds_base: float = 1.0,
        message_handler: Any = None,
        require_approval: RequireApprovalSetting = None,
        failure_error_function: ToolErrorFunction | _UnsetType | None = _UNSET,
        tool_meta_resolver: MCPToolMetaResolver | None = None,
        custom_data_extractor: MCPToolCustomDataExtractor | None = None,
        retry_backoff_seconds_max: float | None = None,
        *,
        tool_input_guardrails: list[ToolInputGuardrail] | None = None,
        tool_output_guardrails: list[ToolOutputGuardrail] | None = None,
        max_list_pages: int | None = None,
        on_uncertain: UncertainSetting = None,
        max_result_bytes: int | None = 8 * 2**20,
        sampling_callback: Any = None,
        elicitation_callback: Any = None,
        list_roots_callback: Any = None,
        logging_callback: Any = None,
    ) -> None:
        """See `SessionServer` and `MCPServer` for what the settings mean.

        Raises:
            TypeError: A setting is of another type than it has to be.
            ValueError: It has a value that it cannot have.
        """
        super().__init__(params, name, _given(locals()))

    def create_streams(self) -> AbstractAsyncContextManager[Any]:
        """A new connection."""
        http = self._http()
        http.on_refusal = self._end_with
        http.max_bytes = None  # Its stream has no end: what comes in it is bounded one by one.
        return sse_transport(self.max_result_bytes, self._end_with_excess)(
            url=self.params["url"],
            headers=self.params.get("headers"),
            timeout=self._seconds("timeout", 5),
            sse_read_timeout=self._seconds("sse_read_timeout", 300),
            httpx_client_factory=http.make,
            auth=self.params.get("auth"),
        )


class MCPServerStreamableHttp(_RemoteServer):
    """A remote server that speaks over streamable HTTP."""

    _kind = "streamable_http"
    _params_kind = MCPServerStreamableHttpParams

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        params: MCPServerStreamableHttpParams,
        cache_tools_list: bool = False,
        name: str | None = None,
        client_session_timeout_seconds: float | None = 5,
        tool_filter: ToolFilter = None,
        use_structured_content: bool = False,
        max_retry_attempts: int = 0,
        retry_backoff_seconds_base: float = 1.0,
        message_handler: Any = None,
        require_approval: RequireApprovalSetting = None,
        failure_error_function: ToolErrorFunction | _UnsetType | None = _UNSET,
        tool_meta_resolver: MCPToolMetaResolver | None = None,
        custom_data_extractor: MCPToolCustomDataExtractor | None = None,
        retry_backoff_seconds_max: float | None = None,
        *,
        tool_input_guardrails: list[ToolInputGuardrail] | None = None,
        tool_output_guardrails: list[ToolOutputGuardrail] | None = None,
        max_list_pages: int | None = None,
        on_uncertain: UncertainSetting = None,
        max_result_bytes: int | None = 8 * 2**20,
        sampling_callback: Any = None,
        elicitation_callback: Any = None,
        list_roots_callback: Any = None,
        logging_callback: Any = None,
    ) -> None:
        """See `SessionServer` and `MCPServer` for what the settings mean.

        Raises:
            TypeError: A setting is of another type than it has to be.
            ValueError: It has a value that it cannot have.
        """
        super().__init__(params, name, _given(locals()))

    @property
    def session_id(self) -> str | None:
        """The server's name for this session: a later process can go on with it, in its headers."""
        return self._session_id if self.session is not None else None

    @property
    def is_stateful(self) -> bool:
        """Whether the server knows us by a session."""
        return self._session_id is not None

    def create_streams(self) -> AbstractAsyncContextManager[Any]:
        """A new connection.

        Raises:
            UserError: An option does not fit the version of the library.
        """
        if is_v2() and self.params.get("ignore_initialized_notification_failure"):
            raise UserError(
                "ignore_initialized_notification_failure is not supported with MCP Python SDK v2, and "
                "not needed: it goes on if that notification is refused. Leave the option out."
            )
        return self._streams(self._http())

    @asynccontextmanager
    async def _streams(self, http: HttpOptions) -> AsyncGenerator[Any]:
        timeout = http_library().Timeout(
            self._seconds("timeout", 5), read=self._seconds("sse_read_timeout", 300)
        )
        client = http.make(self.params.get("headers"), timeout, self.params.get("auth"))
        transport: Any = module("client.streamable_http").streamable_http_client
        more: dict[str, Any] = {"terminate_on_close": self.params.get("terminate_on_close", True)}
        if "max_sse_event_size" in inspect.signature(transport).parameters:
            more["max_sse_event_size"] = self.max_result_bytes  # As a whole answer is.
        async with (
            client,
            transport(self.params["url"], http_client=client, **more) as streams,
        ):
            yield streams

    async def _retried(self, doing: str, ask: Callable[[Any], Awaitable[T]]) -> T:
        """As for any server; but a broken connection gets a fresh one for the next attempt."""
        retries = Retries(self)
        while True:
            try:
                return await self._request(doing, ask)
            except BaseException as error:
                failure = error
                if _is_ours_to_end(error):
                    raise
            if not _is_broken(failure):
                if not isinstance(failure, Exception) or not await retries.again():
                    raise failure
                continue
            if not retries.spend():
                raise failure
            answer = await self._apart(doing, ask)
            if answer is not _NONE:
                return answer
            if not await retries.again():
                raise failure

    async def _apart(self, doing: str, ask: Callable[[Any], Awaitable[Any]]) -> Any:
        """The answer over a connection of its own; `_NONE` if that one broke, too."""
        try:
            async with self._isolated_client_session() as session:
                return await self._asked(doing, session, ask)
        except BaseException as error:
            if _is_ours_to_end(error) or not _is_broken(error):
                raise
            return _NONE


_NONE: Any = object()


def _is_ours_to_end(error: BaseException) -> bool:
    """Whether somebody cancels us, and not the server its answer."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and bool(task and task.cancelling())


def _is_broken(error: BaseException) -> bool:
    cause = error.__context__ if isinstance(error, UserError) else None
    return is_transport_failure(cause if cause is not None else error)


_MCPServerWithClientSession = SessionServer
"""What the class is called by code that knows openai-agents' insides."""
