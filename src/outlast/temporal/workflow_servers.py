"""MCP servers of agents in workflows: each operation is an activity of a worker that has the server.

worker:    OpenAIAgentsPlugin(mcp_servers={"files": lambda: MCPServerStdio(...)})
workflow:  Agent(name="Clerk", mcp_servers=[temporal_mcp_server("files")])
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError as TimedOut
from temporalio.workflow import ActivityCancellationType

from outlast.core.errors import UserError
from outlast.definitions.context import RunContextWrapper
from outlast.mcp.policies import filtered
from outlast.mcp.protocol import MCPServer
from outlast.temporal.placement import InWorkflow

if TYPE_CHECKING:
    from mcp.types import CallToolResult, GetPromptResult, ListPromptsResult, Tool

Config: TypeAlias = Mapping[str, Any] | None
"""Options of `workflow.execute_activity`."""
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
_TO_START = timedelta(seconds=30)
_BEAT = timedelta(seconds=15)
_ONCE = RetryPolicy(maximum_attempts=1)
LIST_TOOLS, CALL_TOOL, LIST_PROMPTS, GET_PROMPT, SESSION, END = (
    "list-tools", "call-tool", "list-prompts", "get-prompt", "server-session", "end-session",
)  # fmt: skip


class ServerProvider:
    """A server that workers can connect, by name."""

    is_stateful = False

    def __init__(self, name: str, server_factory: Callable[..., MCPServer]) -> None:
        takes = len(_positional(server_factory))
        if takes > 1:
            raise UserError(
                f"What makes the MCP server {name!r} takes {takes} arguments. It may take one: what the "
                "workflow says as factory_argument."
            )
        self.name = name
        self._make, self._takes = server_factory, takes

    def make(self, argument: Any) -> MCPServer:
        """A server that is not connected yet."""
        return self._make(argument) if self._takes else self._make()


class StatelessMCPServerProvider(ServerProvider):
    """Makes a server for each operation of a workflow: it is connected, asked, and ended.

    Args:
        name: By which workflows know it.
        server_factory: Makes a server. It may take what the workflow says as ``factory_argument``.
    """


class StatefulMCPServerProvider(ServerProvider):
    """Makes a server for a block of a workflow, which keeps its state until the block is left.

    If its worker dies, so does the state: an operation fails with an `ApplicationError` of type
    "DedicatedWorkerFailure", and a tool call of an agent as any call that fails.

    Args:
        name: By which workflows know it.
        server_factory: Makes a server. It may take what the workflow says as ``factory_argument``.
    """

    is_stateful = True


class WorkflowServer(MCPServer, InWorkflow):
    """Stands for a server in a workflow."""

    def __init__(
        self,
        name: str,
        config: Config,
        argument: Any,
        *,
        cache_tools_list: bool = False,
        tool_filter: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._name, self._argument = name, argument
        self._config: dict[str, Any] = {**(config or {})}
        if not {"start_to_close_timeout", "schedule_to_close_timeout"} & {*self._config}:
            self._config["start_to_close_timeout"] = _MINUTE
        self._keeps_tools, self._tools = cache_tools_list, list[Any]()
        self._tool_filter = tool_filter

    @property
    def name(self) -> str:
        return self._name

    @property
    def cached_tools(self) -> list[Tool] | None:
        return self._tools or None

    async def connect(self) -> None:
        """Nothing: workers connect it."""

    async def cleanup(self) -> None:
        """Nothing: workers end it."""

    async def list_tools(
        self, run_context: RunContextWrapper | None = None, agent: Any = None
    ) -> list[Tool]:
        from mcp.types import Tool

        tools = self._tools
        if not tools or not self._keeps_tools:
            tools = [Tool.model_validate(each) for each in await self._asked(LIST_TOOLS)]
            self._tools = tools
        return await filtered(self._tool_filter, tools, (run_context, agent, self.name))

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        from mcp.types import CallToolResult

        answer = await self._asked(CALL_TOOL, tool_name, arguments, meta, summary=tool_name)
        return CallToolResult.model_validate(answer)

    async def list_prompts(self) -> ListPromptsResult:
        from mcp.types import ListPromptsResult

        return ListPromptsResult.model_validate(await self._asked(LIST_PROMPTS))

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None
    ) -> GetPromptResult:
        from mcp.types import GetPromptResult

        return GetPromptResult.model_validate(await self._asked(GET_PROMPT, name, arguments))

    async def _asked(self, operation: str, *args: Any, summary: str = "") -> Any:
        options: dict[str, Any] = {}
        if operation == CALL_TOOL:
            options["summary"] = summary[:200]
            options["retry_policy"] = None if self._may_repeat(summary) else _ONCE
        return await workflow.execute_activity(
            f"{self._name}-{operation}",
            args=[[*args], self._argument],
            **{**options, **self._config},
        )

    def _may_repeat(self, tool_name: str) -> bool:
        """Whether the server says that a tool may be called again where nobody knows what came of it."""
        found = next((each for each in self._tools if each.name == tool_name), None)
        hints: Any = found and found.annotations
        said: dict[str, Any] = hints.model_dump(by_alias=True) if hints else {}
        return bool(said.get("readOnlyHint") or said.get("idempotentHint"))


class _SessionServer(WorkflowServer):
    """Stands for a server that keeps its state, at the worker that has connected it."""

    async def end(self) -> None:
        """Have the worker end it."""
        await self._asked(END)

    async def _asked(self, operation: str, *args: Any, summary: str = "") -> Any:
        try:
            return await super()._asked(operation, *args, summary=summary)
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, TimedOut):
                raise ApplicationError(
                    f"The worker that had MCP server {self._name!r} is gone, and the server's state with it.",
                    type="DedicatedWorkerFailure",
                ) from error
            raise


def temporal_mcp_server(
    name: str,
    activity_config: Config = None,
    cache_tools_list: bool = True,
    factory_argument: Any = None,
    **server_options: Any,
) -> MCPServer:
    """A server for agents in workflows, whose operations are activities.

    Args:
        name: One of `OpenAIAgentsPlugin(mcp_servers={name: factory})`.
        activity_config: Options of the activities; by default each has a minute.
        cache_tools_list: Whether its tools are listed once, and not for every turn.
        factory_argument: Given to the factory, which then makes a server for each operation. It stands in
            the history: no secrets.
        server_options: What `MCPServer` takes, such as ``require_approval``, and ``tool_filter``.
    """
    return WorkflowServer(
        name,
        activity_config,
        factory_argument,
        cache_tools_list=cache_tools_list,
        **server_options,
    )


def stateless_mcp_server(
    name: str,
    config: Config = None,
    cache_tools_list: bool = False,
    factory_argument: Any = None,
) -> MCPServer:
    """A server that is made for each operation; see `StatelessMCPServerProvider`.

    Args:
        name: The provider's.
        config: Options of the activities; by default each has a minute.
        cache_tools_list: Whether its tools are listed once, and not for every turn.
        factory_argument: Given to the factory. It stands in the history: no secrets.
    """
    return WorkflowServer(name, config, factory_argument, cache_tools_list=cache_tools_list)


def stateful_mcp_server(
    name: str,
    config: Config = None,
    server_session_config: Config = None,
    factory_argument: Any = None,
) -> AbstractAsyncContextManager[MCPServer]:
    """A server that keeps its state for a block: `async with ... as server`.

    Args:
        name: The provider's, see `StatefulMCPServerProvider`.
        config: Options of the activities; by default each has a minute, and 30 seconds to begin.
        server_session_config: Options of the activity that holds the connection; by default an hour.
        factory_argument: Given to the factory. It stands in the history: no secrets.
    """
    return _session(name, config, server_session_config, factory_argument)


@asynccontextmanager
async def _session(
    name: str, config: Config, session_config: Config, argument: Any
) -> AsyncGenerator[MCPServer]:
    queue = f"{name}@{workflow.uuid4()}"
    usual: dict[str, Any] = {"start_to_close_timeout": _HOUR, "heartbeat_timeout": _BEAT}
    session = workflow.start_activity(
        f"{name}-{SESSION}",
        args=[queue, argument],
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        **{**usual, **(session_config or {})},
    )
    options = {"schedule_to_start_timeout": _TO_START, **(config or {}), "task_queue": queue}
    server = _SessionServer(name, options, argument)
    try:
        yield server
    finally:
        if not session.done():
            with suppress(ActivityError, ApplicationError):
                await server.end()
        session.cancel()
        with suppress(ActivityError):  # It has been cancelled, or its worker has gone.
            await session


def _positional(function: Callable[..., Any]) -> list[Any]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each for each in inspect.signature(function).parameters.values() if each.kind in kinds]
