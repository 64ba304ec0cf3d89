"""Agents: a model, instructions, tools, and other agents to hand the conversation to."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FunctionType, NoneType
from typing import TYPE_CHECKING, Any, Generic, Literal, NotRequired, Self, TypeAlias, cast

from typing_extensions import TypedDict

from outlast.core import doors
from outlast.core.errors import UserError, WrongType
from outlast.core.surrogates import is_sound
from outlast.definitions.calling import awaited
from outlast.definitions.context import RunContextWrapper, TContext
from outlast.definitions.default_models import are_default_settings, default_settings_for
from outlast.definitions.enabled import enabled
from outlast.definitions.function_tool import (
    FunctionTool,
    FunctionToolResult,
    ToolErrorFunction,
    default_tool_error_function,
)
from outlast.definitions.guardrail import InputGuardrail, OutputGuardrail
from outlast.definitions.handoff import Handoff
from outlast.definitions.hooks import AgentHooks, AgentHooksBase, RunHooksBase
from outlast.definitions.members import (
    check_exclusive,
    check_guardrails,
    check_handoffs,
    check_keys,
    check_servers,
    check_tools,
)
from outlast.definitions.model import Model
from outlast.definitions.output import AgentOutputSchemaBase
from outlast.definitions.prompt import DynamicPromptFunction, Prompt, resolved_prompt
from outlast.definitions.pydantic_support import PydanticInstance
from outlast.definitions.settings import ModelSettings, settings_from
from outlast.definitions.tool import Tool

if TYPE_CHECKING:
    from openai.types.responses import ResponseFunctionToolCall
    from openai.types.responses.response_prompt_param import ResponsePromptParam

    from outlast.definitions.agent_tool_input import StructuredToolInputBuilder
    from outlast.definitions.hooks import RunHooks
    from outlast.definitions.stream_events import StreamEvent

_UNSET: Any = object()


def _unset() -> ModelSettings:
    return _UNSET


@dataclass
class ToolsToFinalOutputResult:
    """Whether the tools' results end the run, and with what."""

    is_final_output: bool
    final_output: Any | None = None


ToolsToFinalOutputFunction: TypeAlias = Callable[
    [RunContextWrapper[TContext], list[FunctionToolResult]],
    ToolsToFinalOutputResult | Awaitable[ToolsToFinalOutputResult],
]


class StopAtTools(TypedDict):
    """The tools whose results end the run."""

    stop_at_tool_names: list[str]


class AgentToolStreamEvent(TypedDict):
    """What an agent that runs as a tool reports."""

    event: StreamEvent
    agent: Agent
    tool_call: ResponseFunctionToolCall | None


class MCPConfig(TypedDict):
    """How the tools of MCP servers become an agent's tools."""

    convert_schemas_to_strict: NotRequired[bool]
    failure_error_function: NotRequired[ToolErrorFunction | None]
    include_server_in_tool_names: NotRequired[bool]


_MCP_KEYS = tuple(MCPConfig.__annotations__)
_STOP_KEYS = tuple(StopAtTools.__annotations__)
WATCHED: dict[int, Callable[[], None]] = {}
"""By an agent's identity, who wants to hear of it when the agent's list of tools is replaced."""


_NO_TOOLS: list[Tool] = []


@dataclass
class AgentBase(PydanticInstance, Generic[TContext]):
    """What all kinds of agents have."""

    name: str
    handoff_description: str | None = None
    """For other agents' models: when to hand the conversation to this one."""
    tools: list[Tool] = field(default_factory=list[Any])
    mcp_servers: list[Any] = field(default_factory=list[Any])
    """Servers whose tools the agent has too. Connecting and closing them is the caller's business."""
    mcp_config: MCPConfig = field(default_factory=MCPConfig)

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if name == "tools" and (told := WATCHED.get(id(self))):
            told()

    async def get_mcp_tools(self, run_context: RunContextWrapper[TContext]) -> list[Tool]:
        """The tools of the agent's MCP servers."""
        if not self.mcp_servers:
            return []
        return await doors.behind("agent_tools")(self, run_context)

    def steady_mcp_tools(self) -> list[Tool] | None:
        """The tools of the agent's MCP servers, if they are known not to have changed."""
        if not self.mcp_servers:
            return _NO_TOOLS
        offer = self.__dict__.get("_mcp_offer")
        return None if offer is None else offer.tools_of(self)

    async def get_all_tools(self, run_context: RunContextWrapper[TContext]) -> list[Tool]:
        """The tools that the agent has right now: those of its MCP servers, then its own."""
        found = await self.get_mcp_tools(run_context)
        tools = [*found, *await enabled(self.tools, run_context, self)]
        check_exclusive(self, tools)
        return tools


Instructions: TypeAlias = Callable[
    [RunContextWrapper[TContext], "Agent[TContext]"], str | Awaitable[str]
]


@dataclass
class Agent(AgentBase[TContext]):
    """A model with instructions, tools and guardrails.

    Agents are templates: a run never changes them, and many runs may share one.

    Args:
        name: What it is called, in the log and to the model that may hand off to it.
        handoff_description: What it is for, as other agents' models read it.
        tools: What it may call: functions, hosted tools, agents by `as_tool`.
        mcp_servers: Servers whose tools it may call, too.
        mcp_config: How their tools are made ready.
        instructions: The system prompt, or a function of context and agent that returns it.
        prompt: A prompt that the provider keeps.
        handoffs: The agents that may take over.
        model: A name, or a `Model`; None for the default one.
        model_settings: Temperature and the like; the model's own defaults if left out.
        input_guardrails: Checked if this agent begins the run.
        output_guardrails: Checked if this agent ends the run.
        output_type: What the final output is; None for text.
        hooks: Told of what this agent does.
        tool_use_behavior: Whether the model sees the tools' results, or they end the run.
        reset_tool_choice: Whether a tool choice is dropped once a tool was used, so that the model
            does not loop.
    """

    instructions: str | Instructions[TContext] | None = None
    prompt: Prompt | DynamicPromptFunction | None = None
    handoffs: list[Agent | Handoff[TContext, Any]] = field(default_factory=list[Any])
    model: str | Model | None = None
    model_settings: ModelSettings = field(default_factory=_unset)
    input_guardrails: list[InputGuardrail[TContext]] = field(default_factory=list[Any])
    output_guardrails: list[OutputGuardrail[TContext]] = field(default_factory=list[Any])
    output_type: type[Any] | AgentOutputSchemaBase | None = None
    hooks: AgentHooks[TContext] | None = None
    tool_use_behavior: (
        Literal["run_llm_again", "stop_on_first_tool"] | StopAtTools | ToolsToFinalOutputFunction
    ) = "run_llm_again"
    reset_tool_choice: bool = True

    def __post_init__(self) -> None:
        for name, (kind, expected) in _EXPECTED.items():
            value = getattr(self, name)
            if not (kind(value) if isinstance(kind, FunctionType) else isinstance(value, kind)):
                raise WrongType(f"Agent {name} must be {expected}, got {_kind(name, value)}")
        if not is_sound(self.name):
            raise UserError(
                f"Agent name {self.name!r} has half of a surrogate pair, which cannot be stored or sent. "
                'Decode what it was read from without errors="surrogateescape".'
            )
        check_tools(self, self.tools)
        check_handoffs(self, self.handoffs)
        check_servers(self, self.mcp_servers)
        owner = f"agent {self.name!r}"
        check_keys(f"mcp_config of {owner}", {**self.mcp_config}, _MCP_KEYS)
        behavior: Any = self.tool_use_behavior
        if isinstance(behavior, dict):
            given = cast("dict[str, Any]", behavior)
            check_keys(f"tool_use_behavior of {owner}", given, _STOP_KEYS)
        check_guardrails(owner, "input", self.input_guardrails)
        check_guardrails(owner, "output", self.output_guardrails)
        if self.model_settings is _UNSET:
            self.model_settings = default_settings_for(self.model)
        else:
            self.model_settings = settings_from(self.model_settings, "Agent model_settings")

    def clone(self, **kwargs: object) -> Self:
        """A copy with some fields replaced. Lists that are not replaced are shared."""
        is_implied = "model" in kwargs and "model_settings" not in kwargs
        if is_implied and are_default_settings(self.model_settings, self.model):
            kwargs["model_settings"] = default_settings_for(kwargs["model"])
        return dataclasses.replace(self, **kwargs)

    def as_tool(  # noqa: PLR0913 (upstream's signature)
        self,
        tool_name: str | None,
        tool_description: str | None,
        custom_output_extractor: Callable[[Any], Awaitable[str]] | None = None,
        is_enabled: bool | Callable[[RunContextWrapper, AgentBase], Any] = True,
        on_stream: Callable[[AgentToolStreamEvent], Any] | None = None,
        run_config: Any | None = None,
        max_turns: int | None = None,
        hooks: RunHooks[TContext] | None = None,
        previous_response_id: str | None = None,
        conversation_id: str | None = None,
        session: Any | None = None,
        failure_error_function: ToolErrorFunction | None = default_tool_error_function,
        needs_approval: bool
        | Callable[[RunContextWrapper, dict[str, Any], str], Awaitable[bool]] = False,
        parameters: type[Any] | None = None,
        input_builder: StructuredToolInputBuilder | None = None,
        include_input_schema: bool = False,
        on_stream_max_pending_events: int | None = 1024,
    ) -> FunctionTool:
        """This agent as a tool: it answers, and the conversation stays with the caller.

        Args:
            tool_name: What the model calls it; made of the agent's name if None.
            tool_description: What the model is told about it.
            custom_output_extractor: Makes the tool's output of the run's result.
            is_enabled: Whether the model is offered it; a function is asked every turn.
            on_stream: Told what the agent does while it does it.
            run_config: For the agent's run; the calling run's if None.
            max_turns: For the agent's run; 10 if None.
            hooks: For the agent's run.
            previous_response_id: For the agent's run.
            conversation_id: For the agent's run.
            session: For the agent's run.
            failure_error_function: Makes the tool's output of an error; None raises it.
            needs_approval: Whether a person has to agree first.
            parameters: What the model has to say: a pydantic model or dataclass. Text if None.
            input_builder: Makes the agent's input of that.
            include_input_schema: Whether the agent is told the schema of its input.
            on_stream_max_pending_events: How many events may wait for `on_stream`.
        """
        options = {name: value for name, value in locals().items() if name != "self"}
        return doors.behind("agent_as_tool")(self, **options)

    async def get_system_prompt(self, run_context: RunContextWrapper[TContext]) -> str | None:
        """The instructions as text.

        Raises:
            TypeError: They are a function that does not take exactly context and agent.
        """
        instructions = self.instructions
        if instructions is None or isinstance(instructions, str):
            return instructions
        names = _parameters(instructions)
        if len(names) != 2:  # noqa: PLR2004 (the two that the text names)
            raise WrongType(
                "'instructions' callable must accept exactly 2 arguments (context, agent), but got"
                f" {len(names)}: {names}"
            )
        text: Any = await awaited(instructions(run_context, self))
        if text is not None and not isinstance(text, str):
            raise WrongType(
                f"The instructions of agent {self.name!r} are a function that must return a string or "
                f"None, got {type(text).__name__}."
            )
        return text

    async def get_prompt(
        self, run_context: RunContextWrapper[TContext]
    ) -> ResponsePromptParam | None:
        """The prompt in the form that the API takes."""
        return await resolved_prompt(self.prompt, run_context, self)


def _parameters(function: Callable[..., Any]) -> list[str]:
    if type(function) is FunctionType and not hasattr(function, "__wrapped__"):
        code = function.__code__
        if code.co_kwonlyargcount == 0 and not code.co_flags & (CO_VARARGS | CO_VARKEYWORDS):
            return list(code.co_varnames[: code.co_argcount])  # 10 µs quicker than a signature.
    return list(inspect.signature(function).parameters)


def _is_type(value: object) -> bool:
    # Not only classes: list[int] and int | str are types too.
    if value is None or isinstance(value, type | AgentOutputSchemaBase):
        return True
    return getattr(value, "__origin__", None) is not None or hasattr(value, "__args__")


def _kind(name: str, value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}. Make an object of it: {value.__name__}(...)."
    kind = type(value).__name__
    if name == "output_type":
        return f"{kind}. Pass the type itself: output_type={kind}."
    if name == "hooks" and isinstance(value, RunHooksBase):
        return f"{kind}, which are hooks of a run: Runner.run(..., hooks=...)."
    return kind


def _is_behavior(value: object) -> bool:
    if isinstance(value, str):
        return value in ("run_llm_again", "stop_on_first_tool")
    if not isinstance(value, dict):
        return callable(value)
    names: Any = cast("dict[str, Any]", value).get("stop_at_tool_names", [])
    is_list = isinstance(names, list | tuple | set | frozenset)  # A text is looked for letters.
    return is_list and all(isinstance(each, str) for each in cast("list[Any]", names))


# What isinstance wants, or a function that says whether a value is fine; and how that reads.
_EXPECTED: dict[str, tuple[Any, str]] = {
    "name": (str, "a string"),
    "handoff_description": ((str, NoneType), "a string or None"),
    "tools": (list, "a list"),
    "mcp_servers": (list, "a list"),
    "mcp_config": (dict, "a dict"),
    "instructions": ((str, Callable, NoneType), "a string, callable, or None"),
    "prompt": ((dict, Callable, NoneType), "a Prompt, DynamicPromptFunction, or None"),
    "handoffs": (list, "a list"),
    "model": ((str, Model, NoneType), "a string, Model, or None"),
    "input_guardrails": (list, "a list"),
    "output_guardrails": (list, "a list"),
    "output_type": (_is_type, "a type, AgentOutputSchemaBase, or None"),
    "hooks": ((AgentHooksBase, NoneType), "an AgentHooks instance or None"),
    "tool_use_behavior": (
        _is_behavior,
        "'run_llm_again', 'stop_on_first_tool', StopAtTools dict, or callable",
    ),
    "reset_tool_choice": (bool, "a boolean"),
}
