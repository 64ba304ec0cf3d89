"""From a server's tools to an agent's: names, schemas, and what happens when one is called."""

from __future__ import annotations

import asyncio
import copy
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast
from weakref import WeakKeyDictionary

from outlast.core.errors import (
    AgentsException,
    MCPToolCancellationError,
    ModelBehaviorError,
    UserError,
)
from outlast.core.items import copied
from outlast.definitions import debug
from outlast.definitions.agent import AgentBase
from outlast.definitions.calling import awaited
from outlast.definitions.context import RunContextWrapper, ToolContext, note_fault
from outlast.definitions.enabled import gathered
from outlast.definitions.function_tool import (
    FunctionTool,
    FunctionToolCustomDataContext,
    ToolErrorFunction,
    ToolInvoker,
    default_tool_error_function,
)
from outlast.definitions.handoff import Handoff, handoff
from outlast.definitions.logger import logger
from outlast.definitions.strict_schema import ensure_strict_json_schema
from outlast.definitions.tool import Tool
from outlast.definitions.tool_origin import MCPSource, ToolOrigin, ToolOriginType
from outlast.mcp.calls import in_call
from outlast.mcp.library import plain, protocol_error, value
from outlast.mcp.names import callable_names, fingerprint, prefixed_names, printable, public_name
from outlast.mcp.policies import needs_approval, uncertain_policy
from outlast.mcp.protocol import MCPServer, MCPToolCustomDataContext, MCPToolMetaContext, read_only
from outlast.mcp.results import ToolOutput, check_size, output_of, result_meta, text_of
from outlast.tracing import FunctionSpanData, get_current_span, mcp_tools_span

_RESULTS: WeakKeyDictionary[Any, MCPToolCustomDataContext] = WeakKeyDictionary()
"""By a call's context, what its server answered: for whoever attaches data to its output."""


_VALUES = ("default", "enum", "const", "examples")
"""The parts of a schema that are no schemas."""


class _Body:
    """What a tool does that a server performs."""

    def __init__(self, server: MCPServer, tool: Any) -> None:
        self.server = server
        self.mcp_tool = tool

    async def __call__(self, tool: FunctionTool, context: Any, text: str, /) -> Any:
        return await MCPUtil.invoke_mcp_tool(
            self.server,
            self.mcp_tool,
            context,
            text,
            meta=getattr(self.mcp_tool, "meta", None),
            tool_display_name=tool.name,
        )


class MCPUtil:
    """From servers' tools to function tools."""

    @classmethod
    async def get_all_function_tools(  # noqa: PLR0913 (upstream's signature)
        cls,
        servers: list[MCPServer],
        convert_schemas_to_strict: bool,
        run_context: RunContextWrapper,
        agent: AgentBase,
        failure_error_function: ToolErrorFunction | None = default_tool_error_function,
        include_server_in_tool_names: bool = False,
        reserved_tool_names: set[str] | None = None,
    ) -> list[Tool]:
        """The tools of all servers, in the servers' order.

        Raises:
            UserError: Two of them have the same name.
        """
        listed = await _listed(servers, run_context, agent)
        offers = _offers(servers, listed)
        if include_server_in_tool_names:
            names = prefixed_names(offers, reserved_tool_names or set())
        else:
            names = callable_names(offers)
        made: list[tuple[MCPServer, Tool]] = []
        every = [(s, each) for s, offered in zip(servers, listed, strict=True) for each in offered]
        settings = (convert_schemas_to_strict, agent, failure_error_function)
        for (server, each), name in zip(every, names, strict=True):
            tool = _usable(each, server, *settings, name)
            made += [] if tool is None else [(server, tool)]
        return _distinct(made)

    @classmethod
    async def get_function_tools(  # noqa: PLR0913 (upstream's signature)
        cls,
        server: MCPServer,
        convert_schemas_to_strict: bool,
        run_context: RunContextWrapper,
        agent: AgentBase,
        failure_error_function: ToolErrorFunction | None = default_tool_error_function,
        include_server_in_tool_names: bool = False,
        tool_name_override: Callable[[Any], str] | None = None,
        reserved_tool_names: set[str] | None = None,
        server_index: int = 0,
    ) -> list[Tool]:
        """The tools of one server."""
        del server_index  # Tools are known by their server's name, wherever it stands.
        offered = (await _listed([server], run_context, agent))[0]
        if tool_name_override is not None:
            names = [tool_name_override(each) for each in offered]
        elif include_server_in_tool_names:
            names = prefixed_names(_offers([server], [offered]), reserved_tool_names or set())
        else:
            names = callable_names(_offers([server], [offered]))
        settings = (convert_schemas_to_strict, agent, failure_error_function)
        made = (
            _usable(each, server, *settings, name)
            for each, name in zip(offered, names, strict=True)
        )
        return [tool for tool in made if tool is not None]

    @classmethod
    def to_function_tool(
        cls,
        tool: Any,
        server: MCPServer,
        convert_schemas_to_strict: bool,
        agent: AgentBase | None = None,
        failure_error_function: ToolErrorFunction | None = default_tool_error_function,
        tool_name_override: str | None = None,
    ) -> FunctionTool:
        """A function tool that has a server perform its calls."""
        name = tool_name_override or tool.name
        schema, is_strict = _schema(tool, strict=convert_schemas_to_strict)
        failure = server.failure_function(failure_error_function)
        is_default = failure is default_tool_error_function
        extractor = getattr(server, "custom_data_extractor", None)
        return FunctionTool(
            name,
            _description(tool),
            schema,
            ToolInvoker(_Body(server, tool)),
            strict_json_schema=is_strict,
            needs_approval=needs_approval(server.approval, tool, agent),
            tool_input_guardrails=server.tool_input_guardrails,
            tool_output_guardrails=server.tool_output_guardrails,
            custom_data_extractor=None if extractor is None else _extracting(extractor),
            on_uncertain=uncertain_policy(server.on_uncertain, tool),
            _failure_error_function=None if is_default else failure,
            _use_default_failure_error_function=is_default,
            _mcp_title=_title(tool),
            _mcp_annotations=getattr(tool, "annotations", None),
            _tool_origin=ToolOrigin(ToolOriginType.MCP, mcp_server_name=public_name(server.name)),
            mcp_source=_source(server, tool),
        )

    @classmethod
    async def invoke_mcp_tool(
        cls,
        server: MCPServer,
        tool: Any,
        context: RunContextWrapper,
        input_json: str,
        *,
        meta: dict[str, Any] | None = None,
        tool_display_name: str | None = None,
    ) -> ToolOutput:
        """What a server's tool answers to a model's arguments.

        Args:
            server: The server.
            tool: Its tool, as it was listed.
            context: Of the call.
            input_json: The arguments; empty for none.
            meta: Goes with the call, over what the server's resolver says.
            tool_display_name: What the model calls the tool.

        Raises:
            ModelBehaviorError: The arguments are no JSON object.
            MCPToolCancellationError: The server cancelled the call.
            UserError: The request failed.
            AgentsException: Anything else went wrong.
        """
        shown = tool_display_name or tool.name
        arguments = _arguments(shown, input_json)
        if debug.DONT_LOG_TOOL_DATA:
            logger.debug("Invoking MCP tool %s", shown)
        else:
            logger.debug("Invoking MCP tool %s with input %s", shown, input_json)
        try:
            whole = await _meta(server, tool, context, arguments, meta)
        except AgentsException:
            raise
        except Exception as error:
            raise AgentsException(f"{_failure_of(server, shown)}: {error}") from error
        with in_call(context):
            result = await _called(server, tool, shown, arguments, whole)
        check_size(server.name, shown, result, server.max_result_bytes)
        output = output_of(result, prefers_structure=server.use_structured_content)
        if value(result, "is_error"):
            note_fault(context, text_of(output))
        _note(server, tool, context, shown, arguments, result, output)
        return output


# --- Lists. --------------------------------------------------------------------------------


async def _listed(
    servers: Sequence[MCPServer], run_context: RunContextWrapper, agent: AgentBase
) -> list[list[Any]]:
    """The tools of each server. They are asked at the same time."""
    if len(servers) == 1:
        return [await _tools_of(servers[0], run_context, agent)]
    return await gathered(*(_tools_of(each, run_context, agent) for each in servers))


async def _tools_of(
    server: MCPServer, run_context: RunContextWrapper, agent: AgentBase
) -> list[Any]:
    with mcp_tools_span(server=public_name(server.name)) as span:
        tools = _once(server, await server.list_tools(run_context, agent))
        span.span_data.result = [tool.name for tool in tools]
        return tools


def _once(server: MCPServer, tools: Sequence[Any]) -> list[Any]:
    """The tools without those that the server lists twice, whatever a model will call them."""
    first: dict[str, Any] = {}
    for tool in tools:
        if first.setdefault(tool.name, tool) is not tool:
            logger.warning(
                "MCP server %s lists the tool %s twice; the first one is used.",
                public_name(server.name),
                printable(tool.name),
            )
    return [*first.values()]


def _offers(
    servers: Sequence[MCPServer], listed: Sequence[Sequence[Any]]
) -> list[tuple[str, int, str]]:
    """What tools are named after. A server's name is a public one there: names go to models and logs."""
    twins = dict[int, int]()
    counts = Counter[str]()
    for index in sorted(range(len(servers)), key=lambda i: (servers[i].name, i)):
        name = public_name(servers[index].name)
        twins[index] = counts[name]
        counts[name] += 1
    return [
        (public_name(server.name), twins[index], tool.name)
        for index, (server, offered) in enumerate(zip(servers, listed, strict=True))
        for tool in offered
    ]


def _usable(tool: Any, server: MCPServer, *settings: Any) -> FunctionTool | None:
    """The function tool that is made of a server's; None, and a warning, if none can be.

    One tool that cannot be used must not keep an agent from the others.
    """
    try:
        return MCPUtil.to_function_tool(tool, server, *settings)
    except (RecursionError, UnicodeEncodeError) as error:
        is_deep = isinstance(error, RecursionError)
        logger.warning(
            "Tool %r of MCP server %s is left out: what the server says about it %s.",
            tool.name,
            public_name(server.name),
            "is nested too deeply" if is_deep else "has half of a character in it",
        )
        return None


def _distinct(made: Sequence[tuple[MCPServer, Tool]]) -> list[Tool]:
    """The tools, each of a name of its own; of two that one server comes to call alike the first.

    Raises:
        UserError: Two servers have tools of the same name.
    """
    owners: dict[str, MCPServer] = {}
    kept: dict[str, Tool] = {}
    doubles = set[str]()
    for server, tool in made:
        if owners.setdefault(tool.name, server) is not server:
            doubles.add(tool.name)
        kept.setdefault(tool.name, tool)
    if doubles:
        raise UserError(
            f"Duplicate tool names found across MCP servers: {', '.join(map(repr, sorted(doubles)))}. "
            "Rename them, filter them with tool_filter, or put the server into the names: "
            'mcp_config={"include_server_in_tool_names": True} of the agent.'
        )
    return [*kept.values()]


def reserved_names(agent: AgentBase, own: Sequence[Any], handoffs: Sequence[Any]) -> set[str]:
    """The names that an agent's own tools and handoffs have, which no tool of a server may get."""
    del agent
    names = {tool.qualified_name for tool in own if isinstance(tool, FunctionTool)}
    for target in handoffs:
        names.add((target if isinstance(target, Handoff) else handoff(target)).tool_name)
    return names


# --- One tool. -----------------------------------------------------------------------------


def _source(server: MCPServer, tool: Any) -> MCPSource:
    identity = getattr(server, "identity", "")
    hints = fingerprint(_title(tool), _hints(tool))
    reads = value(getattr(tool, "annotations", None), "read_only_hint")
    about = (public_name(server.name), tool.name, _fingerprint(tool))
    return MCPSource(*about, reads, hints, identity)


def _fingerprint(tool: Any) -> str:
    """A hash of all that somebody who approves a call, or a model, is told of a tool."""
    parts = [tool.name, _title(tool), tool.description, value(tool, "input_schema")]
    return fingerprint(*parts, _hints(tool))


def _hints(tool: Any) -> dict[str, Any] | None:
    hints = getattr(tool, "annotations", None)
    return None if hints is None else plain(hints)


def _title(tool: Any) -> str | None:
    hints = getattr(tool, "annotations", None)
    return getattr(tool, "title", None) or getattr(hints, "title", None)


def _description(tool: Any) -> str:
    return tool.description or _title(tool) or ""


def _schema(tool: Any, *, strict: bool) -> tuple[dict[str, Any], bool]:
    schema: dict[str, Any] = copied(value(tool, "input_schema") or {})
    schema.setdefault("properties", {})
    if not strict or _is_open(schema, schema):
        return schema, False
    try:
        return ensure_strict_json_schema(copied(schema)), True
    except Exception as error:  # noqa: BLE001  # of somebody else's schema, which works as it is
        logger.info("The schema of MCP tool %s has no strict form: %s", tool.name, error)
        return schema, False


def _is_open(part: Any, root: dict[str, Any]) -> bool:
    """Whether a schema has an object of any fields in it, or leads nowhere.

    A strict schema allows no field that it does not name: such an object could only be empty.
    """
    if isinstance(part, list):
        return any(_is_open(each, root) for each in cast("list[Any]", part))
    if not isinstance(part, dict):
        return False
    schema = cast("dict[str, Any]", part)
    kinds, reference = schema.get("type"), schema.get("$ref")
    is_object = kinds == "object" or (isinstance(kinds, list) and "object" in kinds)
    is_closed = schema.get("properties") or schema.get("additionalProperties") is False
    if is_object and not is_closed:
        return True
    if isinstance(reference, str) and not _leads_somewhere(reference, root):
        return True
    return any(_is_open(each, root) for name, each in schema.items() if name not in _VALUES)


def _leads_somewhere(reference: str, root: dict[str, Any]) -> bool:
    target: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        target = cast("dict[str, Any]", target).get(name) if isinstance(target, dict) else None
    return reference.startswith("#") and target is not None


def _extracting(extractor: Callable[[Any], Any]) -> Callable[[FunctionToolCustomDataContext], Any]:
    async def extract(finished: FunctionToolCustomDataContext) -> Any:
        seen = _RESULTS.pop(finished.tool_context, None)
        return None if seen is None else await awaited(extractor(seen))

    return extract


# --- One call. -----------------------------------------------------------------------------


def _arguments(shown: str, input_json: str) -> dict[str, Any]:
    try:
        parsed: Any = json.loads(input_json) if input_json else {}
        why = ": expected a JSON object"
    except ValueError:
        parsed, why = None, ""
    if isinstance(parsed, dict):
        return parsed  # pyright: ignore[reportUnknownVariableType]  # JSON
    text = f"Invalid JSON input for tool {shown}{why}"
    raise ModelBehaviorError(text if debug.DONT_LOG_TOOL_DATA else f"{text}: {input_json}")


async def _meta(
    server: MCPServer,
    tool: Any,
    context: RunContextWrapper,
    arguments: dict[str, Any],
    given: dict[str, Any] | None,
) -> dict[str, Any] | None:
    """What travels with a call: what the resolver says, under what is fixed."""
    resolved: Any = None
    if (resolver := getattr(server, "tool_meta_resolver", None)) is not None:
        about = MCPToolMetaContext(context, server.name, tool.name, copy.deepcopy(arguments))
        resolved = await awaited(resolver(about))
        if resolved is not None and not isinstance(resolved, dict):
            kind = type(resolved).__name__
            raise TypeError(f"MCP meta resolver must return a dict or None. It returned {kind}.")
    if resolved is None and given is None:
        return None
    return {**(resolved or {}), **(copy.deepcopy(given) or {})}


def _failure_of(server: MCPServer, shown: str) -> str:
    return f"Error invoking MCP tool {printable(shown)} on server {public_name(server.name)!r}"


async def _called(
    server: MCPServer,
    tool: Any,
    shown: str,
    arguments: dict[str, Any],
    meta: dict[str, Any] | None,
) -> Any:
    more: dict[str, Any] = {} if meta is None else {"meta": meta}
    about = _failure_of(server, shown)
    # A task of its own: so it is known whether the run was cancelled, or the server its answer.
    task = asyncio.ensure_future(server.call_tool(tool.name, arguments, **more))
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        raise
    try:
        return task.result()
    except asyncio.CancelledError as error:
        where = f"{printable(shown)!r} on MCP server {public_name(server.name)!r}"
        text = f"Failed to call tool {where}: tool execution was cancelled."
        raise MCPToolCancellationError(text) from error
    except UserError:
        raise
    except protocol_error() as error:
        logger.warning("%s: %s", about, type(error).__name__)
        raise
    except AgentsException:
        raise
    except Exception as error:
        logger.debug("%s: %s", about, type(error).__name__)
        raise AgentsException(f"{about}: {error}") from error


def _note(  # noqa: PLR0913 (a finished call, and all that it came from)
    server: MCPServer,
    tool: Any,
    context: RunContextWrapper,
    shown: str,
    arguments: dict[str, Any],
    result: Any,
    output: ToolOutput,
) -> None:
    span = get_current_span()
    if span is not None and isinstance(span.span_data, FunctionSpanData):
        span.span_data.mcp_data = {"server": public_name(server.name)}
    if getattr(server, "custom_data_extractor", None) is None or not isinstance(
        context, ToolContext
    ):
        return
    _RESULTS[context] = MCPToolCustomDataContext(
        context,
        server.name,
        tool.name,
        shown,
        read_only(copy.deepcopy(arguments)),
        read_only(copy.deepcopy(result_meta(result))),
        read_only(copy.deepcopy(value(result, "structured_content"))),
        value(result, "is_error"),
        copy.deepcopy(output),
    )
