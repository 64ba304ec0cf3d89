"""Tools, handoffs, tool choices and output schemas in the wire shape of the Responses API."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outlast.core.errors import UserError
from outlast.definitions.computer import AsyncComputer, Computer, ComputerTool
from outlast.definitions.custom_tool import CustomTool
from outlast.definitions.editor import ApplyPatchTool
from outlast.definitions.handoff import Handoff
from outlast.definitions.hosted_tools import (
    CodeInterpreterTool,
    FileSearchTool,
    HostedMCPTool,
    ImageGenerationTool,
    ProgrammaticToolCallingTool,
    ToolSearchTool,
    WebSearchTool,
)
from outlast.definitions.settings import MCPToolChoice
from outlast.definitions.shell_tools import LocalShellTool, ShellTool
from outlast.definitions.tool import FunctionTool, Tool
from outlast.definitions.tool_callers import may_be_programmatic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from outlast.definitions.output import AgentOutputSchemaBase

Wire = dict[str, Any]

_HOSTED_CHOICES = (
    "file_search",
    "web_search",
    "web_search_preview",
    "image_generation",
    "code_interpreter",
    "mcp",
    "programmatic_tool_calling",
)
_COMPUTER_CHOICES = ("computer", "computer_use", "computer_use_preview")
_LOCAL_CHOICES: dict[str, type] = {"shell": ShellTool, "apply_patch": ApplyPatchTool}
_MOST_RESULTS = 50  # What the API takes for file_search.


def function_facts(given: FunctionTool | Handoff) -> Wire:
    """What every API is told of a function, and of a handoff, which is one to a model."""
    if isinstance(given, FunctionTool):
        name, description = given.name, given.description
        schema = given.params_json_schema
    else:
        name, description = given.tool_name, given.tool_description
        schema = given.input_json_schema
    facts = {"name": name, "description": description, "parameters": schema}
    return {**facts, "strict": given.strict_json_schema}


def output_format(schema: AgentOutputSchemaBase | None) -> Wire | None:
    """What every API is told of an output schema; None for plain text."""
    if schema is None or schema.is_plain_text():
        return None
    strict = schema.is_strict_json_schema()
    return {"name": "final_output", "schema": schema.json_schema(), "strict": strict}


@dataclass
class ConvertedTools:
    """Tools as a request carries them, and what the request has to ask for because of them."""

    tools: list[Any]
    includes: list[Any]


class Converter:
    """The translation from definitions to a Responses request; it changes none of its arguments."""

    @classmethod
    def convert_tool_choice(
        cls,
        tool_choice: Any,
        *,
        tools: Sequence[Tool] | None = None,
        handoffs: Sequence[Handoff] | None = None,
        model: str | None = None,
    ) -> Any:
        """What the request says about which tool to call; `openai.omit` for None.

        Raises:
            UserError: A choice that the API could not act on: a namespace, a tool that is not loaded.
        """
        from openai import omit

        given = list(tools or ())
        if tool_choice is None:
            return omit
        if isinstance(tool_choice, MCPToolChoice):
            label = tool_choice.server_label
            return {"type": "mcp", "server_label": label, "name": tool_choice.name}
        if tool_choice == "required":
            _check_required(given)
        if tool_choice in ("auto", "required", "none"):
            return tool_choice
        if tool_choice in _HOSTED_CHOICES:
            return {"type": tool_choice}
        if tool_choice in _COMPUTER_CHOICES and (
            tool_choice == "computer_use_preview" or _has(given, ComputerTool)
        ):
            return {"type": _computer_choice(tool_choice, given, model)}
        if tool_choice in _LOCAL_CHOICES and _has(given, _LOCAL_CHOICES[tool_choice]):
            return {"type": tool_choice}
        _check_function_choice(tool_choice, given, list(handoffs or ()))
        return {"type": "function", "name": tool_choice}

    @classmethod
    def resolve_computer_tool_model(
        cls, *, request_model: str | None, tools: Sequence[Tool] | None
    ) -> str | None:
        """The model that decides on the computer tool's form; None when the prompt owns it."""
        return request_model if _has(list(tools or ()), ComputerTool) else None

    @classmethod
    def get_response_format(cls, output_schema: AgentOutputSchemaBase | None) -> Any:
        """The ``text`` setting that asks for an output schema; `openai.omit` for plain text."""
        from openai import omit

        wanted = output_format(output_schema)
        return omit if wanted is None else {"format": {"type": "json_schema", **wanted}}

    @classmethod
    def convert_tools(
        cls,
        tools: list[Tool],
        handoffs: list[Handoff],
        *,
        allow_opaque_tool_search_surface: bool = False,
        model: str | None = None,
        tool_choice: object = None,
    ) -> ConvertedTools:
        """Tools, then handoffs, as a request carries them.

        Args:
            tools: Tools of every kind; those of a namespace are grouped where its first one stands.
            handoffs: They become functions.
            allow_opaque_tool_search_surface: A prompt kept by the provider may bring tools that
                are not known here.
            model: The model that is asked; None when the provider's prompt names it.
            tool_choice: A choice of the computer tool decides on its form where no model does.

        Raises:
            UserError: The tools do not go together, or one cannot be sent as it is.
        """
        _check_tools(tools, opaque=allow_opaque_tool_search_surface)
        wire: list[Wire] = []
        groups: dict[str, Wire] = {}
        for tool in tools:
            if not isinstance(tool, FunctionTool) or tool.namespace is None:
                wire.append(_tool(tool, model, tool_choice))
                continue
            if tool.namespace not in groups:
                about = {"name": tool.namespace, "description": tool.namespace_description}
                groups[tool.namespace] = {"type": "namespace", **about, "tools": []}
                wire.append(groups[tool.namespace])
            _join(groups[tool.namespace], tool)
        wire += [{"type": "function", **function_facts(handoff)} for handoff in handoffs]
        return ConvertedTools(wire, _includes(tools))


def _has(tools: list[Tool], kind: type) -> bool:
    return any(isinstance(tool, kind) for tool in tools)


def _is_preview(model: str | None) -> bool:
    return model is not None and str(model).startswith("computer-use-preview")


def _computer_choice(choice: str, tools: list[Tool], model: str | None) -> str:
    if _is_preview(model) or (model is None and choice == "computer_use_preview"):
        return "computer_use_preview"
    return "computer" if _has(tools, ComputerTool) else choice


# --- One tool. ---------------------------------------------------------------------------


def _tool(tool: Tool, model: str | None, tool_choice: object) -> Wire:  # noqa: C901, PLR0911, PLR0912 (one case per kind of tool)
    match tool:
        case FunctionTool():
            return _function(tool)
        case FileSearchTool():
            return _file_search(tool)
        case WebSearchTool():
            return _web_search(tool)
        case ComputerTool():
            wants_new = isinstance(tool_choice, str) and tool_choice in ("computer", "computer_use")
            if _is_preview(model) or (model is None and not wants_new):
                return _preview_computer(tool)
            return {"type": "computer"}
        case HostedMCPTool() | CodeInterpreterTool() | ImageGenerationTool():
            return tool.tool_config  # pyright: ignore[reportReturnType]  a TypedDict is a dict
        case ShellTool():
            return {"type": "shell", "environment": tool.environment} | _callers(tool)
        case ApplyPatchTool():
            return {"type": "apply_patch"} | _callers(tool)
        case LocalShellTool():
            return {"type": "local_shell"}
        case CustomTool():
            return _custom(tool)
        case ToolSearchTool():
            return {"type": "tool_search"} | _said(
                description=tool.description, execution=tool.execution, parameters=tool.parameters
            )
        case ProgrammaticToolCallingTool():
            return {"type": "programmatic_tool_calling"}
        case _:
            raise UserError(
                f"A {type(tool).__name__} cannot be sent to the Responses API. Give the agent one "
                "of the tools that outlast exports, or wrap it with function_tool."
            )


def _function(tool: FunctionTool) -> Wire:
    is_programmatic = may_be_programmatic(tool.allowed_callers)
    more = _said(
        defer_loading=tool.defer_loading or None,
        output_schema=tool.output_json_schema if is_programmatic else None,
    )
    return {"type": "function", **function_facts(tool), **more, **_callers(tool)}


def _custom(tool: CustomTool) -> Wire:
    wire: Wire = {"type": "custom", "name": tool.name, "description": tool.description}
    more = _said(format=tool.format, defer_loading=tool.defer_loading or None)
    return {**wire, **more, **_callers(tool)}


def _callers(tool: FunctionTool | CustomTool | ShellTool | ApplyPatchTool) -> Wire:
    allowed = tool.allowed_callers
    return {} if allowed is None else {"allowed_callers": list(allowed)}


def _said(**facts: object) -> Wire:
    """What is said of ``facts``: those that are not None."""
    return {name: value for name, value in facts.items() if value is not None}


def _file_search(tool: FileSearchTool) -> Wire:
    most: Any = tool.max_num_results
    is_count = isinstance(most, int) and not isinstance(most, bool) and 0 <= most <= _MOST_RESULTS
    if most is not None and not is_count:
        raise UserError(
            "FileSearchTool max_num_results must be zero, an integer between 1 and 50, or None. "
            f"It is {most!r}."
        )
    return {"type": "file_search", "vector_store_ids": tool.vector_store_ids} | _said(
        max_num_results=most or None, ranking_options=tool.ranking_options, filters=tool.filters
    )


def _web_search(tool: WebSearchTool) -> Wire:
    filters: Any = tool.filters
    wire: Wire = {
        "type": "web_search",
        "filters": filters if filters is None else filters.model_dump(exclude_unset=True),
        "user_location": tool.user_location,
        "search_context_size": tool.search_context_size,
    }
    return wire | _said(
        external_web_access=tool.external_web_access,
        search_content_types=tool.search_content_types,
        image_settings=tool.image_settings,
    )


def _preview_computer(tool: ComputerTool) -> Wire:
    computer = tool.computer
    if not isinstance(computer, Computer | AsyncComputer):
        raise UserError(
            "Computer tool is not initialized for serialization: it holds a factory, which the run "
            "resolves. Give it a computer, or ask a model that takes the tool without its size."
        )
    environment, dimensions = computer.environment, computer.dimensions
    if environment is None or dimensions is None:
        raise UserError(
            "Preview computer tool payloads require `environment` and `dimensions`. Define both "
            f"on {type(computer).__name__}."
        )
    return {
        "type": "computer_use_preview",
        "environment": environment,
        "display_width": dimensions[0],
        "display_height": dimensions[1],
    }


def _includes(tools: list[Tool]) -> list[str]:
    asked: list[str] = []
    for tool in tools:
        if isinstance(tool, FileSearchTool) and tool.include_search_results:
            asked.append("file_search_call.results")
        elif isinstance(tool, WebSearchTool) and "image" in (tool.search_content_types or ()):
            asked.append("web_search_call.results")
    return list(dict.fromkeys(asked))


def _join(group: Wire, tool: FunctionTool) -> None:
    if tool.namespace_description != group["description"]:
        raise UserError(
            f"All tools in namespace {group['name']!r} must share the same description."
        )
    group["tools"].append(_function(tool))


# --- What goes together. -----------------------------------------------------------------


def _check_tools(tools: list[Tool], *, opaque: bool) -> None:
    if sum(isinstance(tool, ComputerTool) for tool in tools) > 1:
        raise UserError("Only one ComputerTool is allowed per agent; the API takes no more.")
    searches = sum(isinstance(tool, ToolSearchTool) for tool in tools)
    if searches > 1:
        raise UserError("Only one ToolSearchTool() is allowed when using OpenAI Responses models.")
    if not searches and any(map(_is_deferred, tools)):
        raise UserError(
            "Deferred-loading Responses tools require ToolSearchTool() when using OpenAI Responses "
            "models. Add ToolSearchTool() to the agent's tools."
        )
    if searches and not opaque and not any(map(_is_searchable, tools)):
        raise UserError(
            "ToolSearchTool() requires at least one searchable Responses surface: tools of a "
            "tool_namespace(...), a function_tool(..., defer_loading=True), or a HostedMCPTool "
            "with 'defer_loading': True in its tool_config."
        )
    _check_callers(tools, opaque=opaque or bool(searches))
    _check_names([tool for tool in tools if isinstance(tool, FunctionTool)])


def _check_callers(tools: list[Tool], *, opaque: bool) -> None:
    asked = (FunctionTool, CustomTool, ShellTool, ApplyPatchTool)
    callers = [(tool.name, tool.allowed_callers) for tool in tools if isinstance(tool, asked)]
    if not _has(tools, ProgrammaticToolCallingTool):
        for name, allowed in callers:
            if allowed is not None and "direct" not in allowed:
                raise UserError(
                    f"Tool `{name}` only allows programmatic callers and requires "
                    "ProgrammaticToolCallingTool() when using OpenAI Responses models."
                )
    elif not opaque and not any(may_be_programmatic(allowed) for _, allowed in callers):
        raise UserError(
            "ProgrammaticToolCallingTool() requires at least one tool whose allowed_callers "
            "includes 'programmatic', a ToolSearchTool(), or a prompt that brings tools."
        )


def _check_names(tools: list[FunctionTool]) -> None:
    spaced = [tool for tool in tools if tool.namespace is not None]
    for tool in spaced:
        if tool.namespace == tool.name:
            raise UserError(
                f"The synthetic namespace `{tool.name}.{tool.name}` is how the API writes a deferred "
                "top-level tool. Rename the namespace or the tool."
            )
    deferred = Counter(t.name for t in tools if t.defer_loading and t.namespace is None)
    for name in (name for name, count in deferred.items() if count > 1):
        raise UserError(
            f"Ambiguous function tool configuration: the deferred top-level tool name `{name}` is "
            "used by multiple tools. Rename one."
        )
    qualified = {f"{tool.namespace}.{tool.name}" for tool in spaced}
    used = Counter(tool.qualified_name for tool in tools)
    for name in (name for name, count in used.items() if count > 1 and name in qualified):
        raise UserError(
            f"Ambiguous function tool configuration: the qualified name `{name}` is used by "
            "multiple tools. Rename the namespace's tool or the other one."
        )


def _is_deferred(tool: Tool) -> bool:
    if isinstance(tool, HostedMCPTool):
        return bool(tool.tool_config.get("defer_loading"))
    return isinstance(tool, FunctionTool) and tool.defer_loading


def _is_searchable(tool: Tool) -> bool:
    return _is_deferred(tool) or (isinstance(tool, FunctionTool) and tool.namespace is not None)


def _check_required(tools: list[Tool]) -> None:
    if any(map(_is_deferred, tools)) and not _has(tools, ToolSearchTool):
        raise UserError(
            "tool_choice='required' needs ToolSearchTool() where deferred-loading tools are "
            "configured. Add ToolSearchTool() or use `auto`."
        )


def _check_function_choice(choice: str, tools: list[Tool], handoffs: list[Handoff]) -> None:
    functions = [tool for tool in tools if isinstance(tool, FunctionTool)]
    callable_now = {t.qualified_name for t in functions if not t.defer_loading}
    callable_now |= {handoff.tool_name for handoff in handoffs}
    if choice in callable_now:
        return
    if choice == "tool_search" and _has(tools, ToolSearchTool):
        raise UserError(
            "tool_choice='tool_search' is not supported for ToolSearchTool(). Use `auto` or "
            "`required`, or name a top-level function tool."
        )
    if choice == "tool_search" and functions:
        raise UserError(
            "tool_choice='tool_search' requires ToolSearchTool() or a real top-level function tool "
            "named `tool_search`."
        )
    if any(choice in (t.namespace, t.name) for t in functions if t.namespace):
        raise UserError(
            "Named tool_choice must target a callable tool, not a namespace wrapper or bare inner "
            f"name from tool_namespace(), as {choice!r} is. Use `auto`, `required`, `none`, or the "
            "qualified name."
        )
    if any(t.defer_loading and choice in (t.name, t.qualified_name) for t in functions):
        raise UserError(
            "Named tool_choice is not supported for deferred-loading function tools, as "
            f"{choice!r} is. Use `auto`, `required` or `none`."
        )
