"""What a server that is reached through the `mcp` library is asked for: tools, prompts, resources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from outlast.definitions.agent import AgentBase
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.logger import logger
from outlast.mcp.calls import CALL, IDEMPOTENCY_KEY
from outlast.mcp.connection import ConnectedServer
from outlast.mcp.errors import MCPRequestError
from outlast.mcp.library import cancelling, params_of, set_value, value
from outlast.mcp.listing import all_pages, copy_of
from outlast.mcp.names import printable, public_name
from outlast.mcp.options import Retries
from outlast.mcp.policies import filtered, forbids_repeats, names_in

if TYPE_CHECKING:
    from mcp.types import (
        CallToolResult,
        GetPromptResult,
        ListPromptsResult,
        ListResourcesResult,
        ListResourceTemplatesResult,
        ReadResourceResult,
        Tool as MCPTool,
    )


class SessionServer(ConnectedServer):
    """What the servers have in common that the library speaks to."""

    # --- Tools. ----------------------------------------------------------------------------

    def steady(self) -> object | None:
        """What stands for the tools of now, as long as no list, filter or connection changes."""
        if not self.cache_tools_list or callable(self.tool_filter) or self._is_gone():
            return None
        return self._listing.fresh()

    @property
    def cached_tools(self) -> list[MCPTool] | None:
        """Copies of the tools as they were listed last; None if they were not."""
        return self._listing.copies()

    async def list_tools(
        self,
        run_context: RunContextWrapper | None = None,
        agent: AgentBase | None = None,
    ) -> list[MCPTool]:
        """Copies of the tools that the filter lets through.

        Raises:
            UserError: There is no connection, or the server's list has no end.
        """
        if self.session is None:
            await self._live()
        tools = self._listing.fresh() if self.cache_tools_list and not self._is_gone() else None
        if tools is None:
            ticket = self._listing.begin()
            tools = await self._listed_tools()
            self._listing.publish(ticket, tools)
        kept = await filtered(self.tool_filter, tools, (run_context, agent, self.name))
        return [copy_of(tool) for tool in kept]

    async def _listed_tools(self) -> list[Any]:
        retries = Retries(self)

        async def page(cursor: str | None) -> Any:
            while True:
                try:
                    return await self._read("list tools from", _lister("list_tools", cursor))
                except Exception:
                    if not await retries.again():
                        raise

        pages = await all_pages(self.name, "tools", page, self.max_list_pages)
        tools = [tool for each in pages for tool in each.tools]
        self._warn_of_names({tool.name for tool in tools})
        return tools

    def _warn_of_names(self, known: set[str]) -> None:
        """Say once which names in the settings are those of no tool: a mistyped one protects nothing."""
        unknown = {
            setting: absent
            for setting, names in names_in(self).items()
            if (absent := sorted(names - known))
        }
        for setting, names in unknown.items():
            if self._unknown.get(setting) != names:
                logger.warning(
                    "%s of MCP server %s names tools that it does not have: %s. It has: %s.",
                    setting,
                    public_name(self.name),
                    printable(", ".join(names)),
                    printable(", ".join(sorted(known))) or "none",
                )
        self._unknown = unknown

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """What a tool answers.

        Raises:
            UserError: There is no connection, an argument is missing, or the request failed.
        """
        if self.session is None:
            await self._live()
        self._check_required(tool_name, arguments)
        ask = self._caller(tool_name, arguments, meta)
        doing = f"call tool {tool_name!r} on"
        if self.max_retry_attempts and self._may_repeat(tool_name):
            return await self._retried(doing, ask)
        return await self._request(doing, ask)

    def _caller(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None
    ) -> Callable[[Any], Awaitable[Any]]:
        run_call = CALL.get()
        options: dict[str, Any] = {}
        if run_call is not None:
            meta = {**(meta or {}), IDEMPOTENCY_KEY: run_call.key} if run_call.key else meta
            options = run_call.options(self.client_session_timeout_seconds or None)
        if meta is not None:
            options["meta"] = meta

        async def ask(session: Any) -> Any:
            made = self._link
            # The library's client answers what a server asks back in the middle of a call.
            is_ours = made is not None and made.client is not None and session is made.session
            client: Any = made.client if is_ours and made else session
            with_cancel = cancelling(session)
            request = with_cancel(client.call_tool(tool_name, arguments, **options))
            return await (request if run_call is None else run_call.watched(request))

        return ask

    def _may_repeat(self, tool_name: str) -> bool:
        if self.on_uncertain == "retry":
            return True
        known = next((t for t in self._listing.tools or [] if t.name == tool_name), None)
        return known is None or not forbids_repeats(known)

    def _check_required(self, tool_name: str, arguments: dict[str, Any] | None) -> None:
        """Refuse a call that lacks what the tool needs, where the tool is known."""
        known = next((t for t in self._listing.tools or [] if t.name == tool_name), None)
        schema = None if known is None else value(known, "input_schema")
        required: Any = schema.get("required") if isinstance(schema, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
        if not isinstance(required, list):
            return
        names = [name for name in required if isinstance(name, str)]  # pyright: ignore[reportUnknownVariableType]
        missing = [name for name in names if name not in (arguments or {})]
        if missing:
            why = f"missing required parameters: {printable(', '.join(missing))}."
            server = public_name(self.name)
            refusal = MCPRequestError(
                f"Failed to call tool {tool_name!r} on MCP server {server!r}: {why}"
            )
            refusal.to_model = f"Invalid arguments: {why}"
            raise refusal

    # --- Prompts and resources. ------------------------------------------------------------

    async def list_prompts(self) -> ListPromptsResult:
        """All of the server's prompts."""

        async def page(cursor: str | None) -> Any:
            return await self._read("list prompts from", _lister("list_prompts", cursor))

        pages = await all_pages(self.name, "prompts", page, self.max_list_pages)
        whole = pages[0].model_copy(
            update={"prompts": [prompt for each in pages for prompt in each.prompts]}
        )
        set_value(whole, "next_cursor", None)
        return whole

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None
    ) -> GetPromptResult:
        """One of the server's prompts, with its arguments filled in."""
        return await self._read(
            f"get prompt {name!r} from", lambda session: session.get_prompt(name, arguments)
        )

    async def list_resources(self, cursor: str | None = None) -> ListResourcesResult:
        """A page of what the server has to read; ``cursor`` comes from the page before."""
        return await self._read("list resources from", _lister("list_resources", cursor))

    async def list_resource_templates(
        self, cursor: str | None = None
    ) -> ListResourceTemplatesResult:
        """A page of what the server could make to read."""
        ask = _lister("list_resource_templates", cursor)
        return await self._read("list resource templates from", ask)

    async def read_resource(self, uri: str) -> ReadResourceResult:
        """What stands in a resource."""
        return await self._read("read a resource from", _reader(uri))


def _lister(method: str, cursor: str | None) -> Callable[[Any], Awaitable[Any]]:
    async def ask(session: Any) -> Any:
        function = getattr(session, method)
        return await (function() if cursor is None else function(params=params_of(cursor)))

    return ask


def _reader(uri: str) -> Callable[[Any], Awaitable[Any]]:
    async def ask(session: Any) -> Any:
        from outlast.mcp.library import is_v2

        if is_v2():
            return await session.read_resource(uri)
        from pydantic import AnyUrl

        return await session.read_resource(AnyUrl(uri))

    return ask
