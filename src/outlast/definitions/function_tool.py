"""A tool with JSON arguments: what it is, how its function is called, and what it does when it fails."""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from outlast.core.errors import (
    BudgetExceeded,
    ModelBehaviorError,
    UserError,
    WrongType,
    machine_error,
)
from outlast.core.shown import tame
from outlast.definitions import debug
from outlast.definitions.approvals import field_of
from outlast.definitions.arguments import json_object, parsed_object, validated
from outlast.definitions.attempts import attempt_in_thread
from outlast.definitions.callables import Handler
from outlast.definitions.calling import awaited
from outlast.definitions.choices import check_choice
from outlast.definitions.context import RunContextWrapper, ToolContext, note_unfit
from outlast.definitions.logger import logger
from outlast.definitions.output_contract import OutputContract
from outlast.definitions.schema import Arguments
from outlast.definitions.schema_changes import changed_argument
from outlast.definitions.strict_schema import strict_parameters
from outlast.definitions.tool_callers import (
    ApprovalFunction,
    CustomDataExtractor,
    ToolCaller,
    check_callers,
)
from outlast.definitions.tool_checks import check_tool
from outlast.definitions.tool_guardrail import ToolInputGuardrail, ToolOutputGuardrail
from outlast.definitions.tool_origin import MCPSource, ToolOrigin, ToolOriginType
from outlast.definitions.tool_output import FailureText

if TYPE_CHECKING:
    from pydantic import TypeAdapter

ToolErrorFunction = Callable[[RunContextWrapper, Exception], Awaitable[str] | str]
ToolTimeoutBehavior = Literal["error_as_result", "raise_exception"]
OnUncertain = Literal["retry", "once", "ask"]
# The second argument of this callback is an agent, which is defined above this module.
IsEnabled = bool | Callable[[RunContextWrapper, Any], Awaitable[bool] | bool]
NeedsApproval = bool | ApprovalFunction[dict[str, Any]]

DEFAULT_TOOL_ERROR_MESSAGE = "An error occurred while running the tool. Please try again."
DEFAULT_APPROVAL_REJECTION_MESSAGE = "Tool execution was not approved."
USE_DEFAULT: Any = object()
"""Stands for `default_tool_error_function`, whatever that is when a tool fails."""


@dataclass(frozen=True)
class FunctionToolCustomDataContext:
    """What `FunctionTool.custom_data_extractor` gets to see of a finished call."""

    tool_context: ToolContext
    tool: FunctionTool
    output: Any
    raw_item: Mapping[str, Any]


FunctionToolCustomDataExtractor = CustomDataExtractor[FunctionToolCustomDataContext]


Body: TypeAlias = "Callable[[FunctionTool, Any, str], Awaitable[Any]]"
"""What a tool does with a call's context and arguments, with errors as exceptions."""


class ToolInvoker:
    """A tool's `on_invoke_tool`: its body, with failures answered as the tool wants them.

    It belongs to one tool. A copy of the tool gets a copy of it, so that a copy's name and
    failure policy count.
    """

    __slots__ = ("body", "original", "tool")

    def __init__(
        self,
        body: Body,
        tool: FunctionTool | None = None,
        original: Callable[..., Any] | None = None,
    ) -> None:
        self.body = body
        self.tool = tool
        self.original = original
        """The function that was decorated, if there was one."""

    def bound_to(self, tool: FunctionTool) -> ToolInvoker:
        """The same for another tool."""
        return ToolInvoker(self.body, tool, self.original)

    def __deepcopy__(self, memo: dict[int, Any]) -> ToolInvoker:
        # What a tool calls is not part of the tool: a user's object must not be duplicated.
        return self if self.tool is None else self.bound_to(copy.deepcopy(self.tool, memo))

    async def __call__(self, context: object, arguments: str) -> Any:
        """The tool's result, or the text that stands for its failure, unless it wants that raised."""
        tool = self.tool
        assert tool is not None
        return await self._excused(tool, context, self.body(tool, context, arguments))

    async def settled(self, context: Any, arguments: str) -> Any:
        """The same; a result that is itself still to be awaited, as a wrapper returns it, is."""
        tool = self.tool
        assert tool is not None
        result = _settled(tool, context, self.body(tool, context, arguments))
        return await self._excused(tool, context, result)

    async def _excused(self, tool: FunctionTool, context: Any, result: Awaitable[Any]) -> Any:
        try:
            return await result
        except Exception as error:
            text = await tool.failure_text(context, error)
            if text is None:
                raise
            return text


class FunctionBody:
    """The body of a decorated function: parse, validate, call, check the result."""

    def __init__(self, handler: Handler, arguments: Arguments) -> None:
        self.handler = handler
        self.arguments = arguments
        self._is_async = handler.is_async

    def bound_to(self, owner: object) -> FunctionBody:
        """The same with the object, or the class, whose method the function is."""
        return FunctionBody(self.handler.bound_to(owner), self.arguments)

    async def __call__(self, tool: FunctionTool, context: ToolContext, text: str, /) -> Any:
        args, kwargs = self.arguments.shape.arguments(self._validated(tool.name, text))
        if debug.DONT_LOG_TOOL_DATA:
            logger.debug("Invoking tool %s", tool.name)
        else:
            # A copy: the context joins the arguments later, and is nobody's business.
            logger.debug("Tool call args: %s, kwargs: %s", list(args), kwargs)
        if self.arguments.takes_context:
            args.insert(0, context)
        if self._is_async:
            result = await self.handler.call(*args, **kwargs)
        else:
            result = await attempt_in_thread(_key_of(context), self.handler.call, *args, **kwargs)
        return checked(tool, context, result)

    def accepts(self, name: str, text: str) -> bool:
        """Whether the function takes these arguments."""
        try:
            self._validated(name, text)
        except ModelBehaviorError:
            return False
        return True

    def _validated(self, name: str, text: str) -> Mapping[str, Any]:
        model = self.arguments.model
        given = json_object(name, text)
        message = f"Invalid JSON input for tool {name}"
        return vars(validated(message, given, model.model_validate, self.arguments.optional))


def _key_of(context: object) -> str:
    return context.idempotency_key if isinstance(context, ToolContext) else ""


def checked(tool: FunctionTool, context: ToolContext, result: object) -> Any:
    """A result as the tool declares it.

    Raises:
        UserError: It is none; the context has it then.
    """
    if tool.output_adapter is None or inspect.isawaitable(result):
        return result
    try:
        return tool.output_adapter.validate_python(result)
    except ValueError as error:
        note_unfit(context, result)
        raise UserError(
            f"The result of tool {tool.name} does not match its declared output type."
        ) from error


async def _settled(tool: FunctionTool, context: ToolContext, answer: Awaitable[Any]) -> Any:
    """What a plain function around an async one comes to in the end."""
    result = await answer
    if type(result) is str:
        return result
    result = tame(result)
    if inspect.isawaitable(result):
        while inspect.isawaitable(result):
            result = tame(await result)
        result = checked(tool, context, result)
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        # It may have acted before: what it did is not refused for what it returned.
        logger.warning(
            "Tool %s returned a %s, and a tool returns one value. Nothing of it was worked off, and "
            "the model is told what it was. Collect what it yields, and return that: a list, or a text.",
            tool.name,
            type(result).__name__,
        )
    return result


class _Wrapped:
    """Gives a decorated tool's function as `__wrapped__`, and hides that attribute from others."""

    def __get__(self, tool: FunctionTool | None, kind: type) -> Callable[..., Any]:
        invoker = None if tool is None else tool.on_invoke_tool
        if not isinstance(invoker, ToolInvoker) or invoker.original is None:
            raise AttributeError("__wrapped__")
        return invoker.original

    def __set__(self, tool: FunctionTool, value: object) -> None:
        raise AttributeError("__wrapped__ of a FunctionTool cannot be set.")


@dataclass(eq=False)
class FunctionTool:
    """A tool with JSON arguments. Most are made by `function_tool`."""

    name: str
    description: str
    params_json_schema: dict[str, Any]
    """Of the arguments. Made strict, in a copy, if `strict_json_schema` says so."""
    on_invoke_tool: Callable[[ToolContext, str], Awaitable[Any]]
    strict_json_schema: bool = True
    is_enabled: IsEnabled = True
    """Asked anew for every turn, and again before a call."""
    tool_input_guardrails: list[ToolInputGuardrail] | None = None
    tool_output_guardrails: list[ToolOutputGuardrail] | None = None
    needs_approval: NeedsApproval = False
    timeout_seconds: float | None = None
    timeout_behavior: ToolTimeoutBehavior = "error_as_result"
    timeout_error_function: ToolErrorFunction | None = None
    defer_loading: bool = False
    _: KW_ONLY
    custom_data_extractor: FunctionToolCustomDataExtractor | None = None
    allowed_callers: list[ToolCaller] | None = None
    output_json_schema: dict[str, Any] | None = None
    on_uncertain: OnUncertain = "retry"
    """What to do about a call that was started and whose outcome is unknown after a crash."""
    _output_type_adapter: TypeAdapter[Any] | None = field(default=None, repr=False)
    _failure_error_function: ToolErrorFunction | None = field(default=None, repr=False)
    _use_default_failure_error_function: bool = field(default=True, repr=False)
    _is_agent_tool: bool = field(default=False, repr=False)
    _agent_instance: Any = field(default=None, repr=False)
    _agent_config: Any = field(default=None, repr=False)
    _tool_namespace: str | None = field(default=None, repr=False)
    _tool_namespace_description: str | None = field(default=None, repr=False)
    _mcp_title: str | None = field(default=None, repr=False)
    _tool_origin: ToolOrigin | None = field(default=None, repr=False)
    _emit_tool_origin: bool = field(default=True, repr=False)
    _mcp_annotations: Any | None = field(default=None, repr=False)
    mcp_source: MCPSource | None = field(default=None, repr=False)
    __wrapped__ = _Wrapped()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise WrongType(f"A tool's name must be a text, got {type(self.name).__name__}.")
        if isinstance(self.on_invoke_tool, ToolInvoker):
            self.on_invoke_tool = self.on_invoke_tool.bound_to(self)
        if self.strict_json_schema:
            self.params_json_schema = strict_parameters(
                f"tool {self.name!r}", self.params_json_schema
            )
        check_callers(f"tool {self.name!r}", self.allowed_callers)
        if self.output_json_schema is not None:
            self.output_json_schema = OutputContract.of_schema(self.output_json_schema).schema
        check_choice("FunctionTool on_uncertain", self.on_uncertain, OnUncertain)
        check_tool(self)

    def __copy__(self) -> FunctionTool:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        invoke = self.on_invoke_tool
        if isinstance(invoke, ToolInvoker):
            twin.on_invoke_tool = invoke.bound_to(twin)
        elif isinstance(invoke, types.MethodType) and invoke.__self__ is self:
            twin.on_invoke_tool = types.MethodType(invoke.__func__, twin)
        return twin

    @property
    def qualified_name(self) -> str:
        """Its name, behind its namespace if it has one."""
        return f"{self._tool_namespace}.{self.name}" if self._tool_namespace else self.name

    @property
    def namespace(self) -> str | None:
        """Its namespace."""
        return self._tool_namespace

    @property
    def namespace_description(self) -> str | None:
        """What the model is told about its namespace."""
        return self._tool_namespace_description

    def move_to(self, namespace: str, description: str) -> None:
        """Put it into a namespace."""
        self._tool_namespace = namespace
        self._tool_namespace_description = description

    @property
    def origin(self) -> ToolOrigin | None:
        """Where it came from; None if its calls should not tell."""
        return (self._tool_origin or _FROM_FUNCTION) if self._emit_tool_origin else None

    @property
    def mcp_annotations(self) -> Any | None:
        """What its MCP server says about it."""
        return self._mcp_annotations

    @property
    def agent(self) -> Any | None:
        """The agent behind it, if it is one."""
        return self._agent_instance if self._is_agent_tool else None

    @property
    def agent_config(self) -> Any | None:
        """The settings of that agent's runs, if they have some of their own."""
        return self._agent_config

    @property
    def sources(self) -> tuple[Any, ...]:
        """What makes its values: functions, and the types that an agent behind it answers with."""
        invoke = self.on_invoke_tool
        if not isinstance(invoke, ToolInvoker):
            return (invoke,)
        own: tuple[Any, ...] = getattr(invoke.body, "sources", ())
        return own if invoke.original is None else (invoke.original, *own)

    @property
    def exclusive_kind(self) -> str | None:
        """What kind of tool it is, if an agent may have one of its name only."""
        return getattr(getattr(self.on_invoke_tool, "body", None), "exclusive_kind", None)

    @property
    def output_adapter(self) -> TypeAdapter[Any] | None:
        """The type behind `output_json_schema`, if it was made from one."""
        return self._output_type_adapter

    @property
    def wants_default_failures(self) -> bool:
        """Whether its author left open what the model is told when it fails."""
        return self._use_default_failure_error_function

    def fail_with(self, function: ToolErrorFunction | None) -> None:
        """Have ``function`` say what the model is told when it fails; None lets the run fail."""
        self._use_default_failure_error_function = function is USE_DEFAULT
        self._failure_error_function = None if function is USE_DEFAULT else function

    def failure_function(
        self, context: RunContextWrapper | None = None
    ) -> ToolErrorFunction | None:
        """What turns its failures into text for the model; None if they should be raised."""
        if not self._use_default_failure_error_function:
            return self._failure_error_function
        # A program was promised a value of the declared shape: an excuse in its place would be
        # taken for one.
        if self.output_json_schema is not None and _is_programs(context):
            return None
        return default_tool_error_function

    async def failure_text(
        self, context: RunContextWrapper, error: Exception
    ) -> FailureText | None:
        """What the model is told about ``error``; None if it should be raised.

        An error of the machine is no answer of the tool's, nor is a limit of what may be spent: whatever
        its author wants told of errors, those are raised.
        """
        function = self.failure_function(context)
        if function is None or machine_error(error) or isinstance(error, BudgetExceeded):
            return None
        _log_failure(self.name, error)
        text: Any = await awaited(function(context, error))
        if text is None:  # Its author has nothing to say to the model about this one.
            return None
        return FailureText(text, error, is_default=self._use_default_failure_error_function)

    def accepts(self, text: str) -> bool:
        """Whether its function takes these arguments; yes where only its author could say."""
        invoke = self.on_invoke_tool
        if not isinstance(invoke, ToolInvoker) or not isinstance(invoke.body, FunctionBody):
            return True
        return invoke.body.accepts(self.name, text)

    def changes(self, text: str, earlier: Mapping[str, Any]) -> str | None:
        """Which of a call's arguments, sent for ``earlier``, would be lost or be another value now."""
        invoke = self.on_invoke_tool
        body = invoke.body if isinstance(invoke, ToolInvoker) else None
        own = body.arguments if isinstance(body, FunctionBody) else None
        return changed_argument(own, parsed_object(text) or {}, earlier, self.params_json_schema)

    def approval_arguments(self, text: str) -> dict[str, Any] | None:
        """What `needs_approval` may decide on; None if only a person may, so never the callback.

        Whoever decides on a call must see what will run. What validation would change or fill in,
        or what code of the user's would look at first, cannot be shown.
        """
        given = parsed_object(text)
        invoke = self.on_invoke_tool
        if isinstance(invoke, ToolInvoker) and isinstance(invoke.body, FunctionBody):
            return given if given is not None and invoke.body.arguments.are_exactly(given) else None
        return given


_FROM_FUNCTION = ToolOrigin(ToolOriginType.FUNCTION)


@dataclass
class FunctionToolResult:
    """What came of one call of a function tool."""

    tool: FunctionTool
    output: Any
    run_item: Any
    """The item in the run's result; None where there is none."""
    interruptions: list[Any] = field(default_factory=list[Any])
    """Open questions of an agent that runs as this tool."""
    agent_run_result: Any = None


def default_tool_error_function(ctx: RunContextWrapper, error: Exception) -> str:
    """What the model is told of a failure by default: not the error's text, which may hold secrets."""
    del ctx, error
    return DEFAULT_TOOL_ERROR_MESSAGE


def default_tool_timeout_error_message(*, tool_name: str, timeout_seconds: float) -> str:
    """What the model is told of a late call by default."""
    return f"Tool '{tool_name}' timed out after {timeout_seconds:g} seconds."


def get_function_tool_origin(function_tool: FunctionTool) -> ToolOrigin | None:
    """Where a tool came from; None if its calls should not tell."""
    return function_tool.origin


def set_function_tool_failure_error_function(
    function_tool: FunctionTool, failure_error_function: ToolErrorFunction | None = USE_DEFAULT
) -> FunctionTool:
    """``function_tool``, with another failure policy."""
    function_tool.fail_with(failure_error_function)
    return function_tool


def resolve_function_tool_failure_error_function(
    function_tool: FunctionTool, context: RunContextWrapper | None = None
) -> ToolErrorFunction | None:
    """What turns a tool's failures into text for the model; None if they should be raised."""
    return function_tool.failure_function(context)


async def maybe_invoke_function_tool_failure_error_function(
    *, function_tool: FunctionTool, context: RunContextWrapper, error: BaseException
) -> FailureText | None:
    """What the model is told about ``error``; None if it should be raised.

    A cancellation reaches the tool's failure function as an ordinary exception.
    """
    told = error if isinstance(error, Exception) else RuntimeError("Tool execution cancelled.")
    text = await function_tool.failure_text(context, told)
    if text is not None:
        text.error = error
    return text


def _log_failure(name: str, error: Exception) -> None:
    if debug.DONT_LOG_TOOL_DATA:
        logger.debug("Tool %s failed", name)
    else:
        logger.error("Tool %s failed", name, exc_info=error)


def _is_programs(context: RunContextWrapper | None) -> bool:
    """Whether a call was made by a program of the model's."""
    if not isinstance(context, ToolContext):
        return False
    return field_of(field_of(context.tool_call, "caller"), "type") == "program"
