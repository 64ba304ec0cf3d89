"""Function tools: made from functions (or by hand), and invoked.

    @function_tool
    async def weather(city: str) -> str: ...

A decorated function's schema is made at once, what validates its arguments when it is first called.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import json
import re
import typing
from collections.abc import Callable
from typing import Annotated, Any, Concatenate, ParamSpec, TypedDict, overload

from typing_extensions import Unpack

from outlast.core.errors import ToolTimeoutError, UserError, WrongValue
from outlast.definitions.callables import checked_name, handler_of
from outlast.definitions.calling import awaited
from outlast.definitions.choices import check_choice
from outlast.definitions.computer import ComputerTool
from outlast.definitions.context import RunContextWrapper, ToolContext, plain_context
from outlast.definitions.custom_tool import CustomTool
from outlast.definitions.docstrings import DocstringStyle
from outlast.definitions.editor import ApplyPatchTool
from outlast.definitions.function_tool import (
    USE_DEFAULT,
    FunctionBody,
    FunctionTool,
    FunctionToolCustomDataContext,
    FunctionToolCustomDataExtractor,
    FunctionToolResult,
    IsEnabled,
    NeedsApproval,
    OnUncertain,
    ToolErrorFunction,
    ToolInvoker,
    ToolTimeoutBehavior,
    default_tool_timeout_error_message,
    maybe_invoke_function_tool_failure_error_function,
)
from outlast.definitions.given import check_function, check_text
from outlast.definitions.hosted_tools import (
    CodeInterpreterTool,
    FileSearchTool,
    HostedMCPTool,
    ImageGenerationTool,
    ProgrammaticToolCallingTool,
    ToolSearchTool,
    WebSearchTool,
)
from outlast.definitions.method_tool import MethodTool
from outlast.definitions.output_contract import declared_output
from outlast.definitions.schema import Arguments
from outlast.definitions.shell_tools import LocalShellTool, ShellTool
from outlast.definitions.tool_callers import ToolCaller, may_be_programmatic
from outlast.definitions.tool_guardrail import ToolInputGuardrail, ToolOutputGuardrail
from outlast.definitions.tool_output import FailureText

__all__ = [
    "FunctionTool",
    "FunctionToolCustomDataContext",
    "FunctionToolResult",
    "Tool",
    "extracted_custom_data",
    "function_tool",
    "invoke_function_tool",
    "maybe_invoke_function_tool_failure_error_function",
    "tool_namespace",
]

ToolParams = ParamSpec("ToolParams")
ToolFunctionWithoutContext = Callable[ToolParams, Any]
ToolFunctionWithContext = Callable[Concatenate[RunContextWrapper, ToolParams], Any]
ToolFunctionWithToolContext = Callable[Concatenate[ToolContext, ToolParams], Any]
ToolFunction = (
    ToolFunctionWithoutContext[ToolParams]
    | ToolFunctionWithContext[ToolParams]
    | ToolFunctionWithToolContext[ToolParams]
)

Tool = (
    FunctionTool
    | FileSearchTool
    | WebSearchTool
    | ComputerTool
    | HostedMCPTool
    | CustomTool
    | ShellTool
    | ApplyPatchTool
    | LocalShellTool
    | ImageGenerationTool
    | CodeInterpreterTool
    | ToolSearchTool
    | ProgrammaticToolCallingTool
)


class FunctionToolOptions(TypedDict, total=False):
    """The keywords of `function_tool`."""

    name_override: str | None
    description_override: str | None
    docstring_style: DocstringStyle | None
    use_docstring_info: bool
    failure_error_function: ToolErrorFunction | None
    strict_mode: bool
    is_enabled: IsEnabled
    needs_approval: NeedsApproval
    tool_input_guardrails: list[ToolInputGuardrail] | None
    tool_output_guardrails: list[ToolOutputGuardrail] | None
    timeout: float | None
    timeout_behavior: ToolTimeoutBehavior
    timeout_error_function: ToolErrorFunction | None
    defer_loading: bool
    custom_data_extractor: FunctionToolCustomDataExtractor | None
    allowed_callers: list[ToolCaller] | None
    output_type: Any
    output_json_schema: dict[str, Any] | None
    on_uncertain: OnUncertain


@overload
def function_tool(
    func: ToolFunction[...], **options: Unpack[FunctionToolOptions]
) -> FunctionTool: ...
@overload
def function_tool(
    **options: Unpack[FunctionToolOptions],
) -> Callable[[ToolFunction[...]], FunctionTool]: ...
def function_tool(  # noqa: PLR0913 (upstream's signature)
    func: ToolFunction[...] | None = None,
    *,
    name_override: str | None = None,
    description_override: str | None = None,
    docstring_style: DocstringStyle | None = None,
    use_docstring_info: bool = True,
    failure_error_function: ToolErrorFunction | None = USE_DEFAULT,
    strict_mode: bool = True,
    is_enabled: IsEnabled = True,
    needs_approval: NeedsApproval = False,
    tool_input_guardrails: list[ToolInputGuardrail] | None = None,
    tool_output_guardrails: list[ToolOutputGuardrail] | None = None,
    timeout: float | None = None,
    timeout_behavior: ToolTimeoutBehavior = "error_as_result",
    timeout_error_function: ToolErrorFunction | None = None,
    defer_loading: bool = False,
    custom_data_extractor: FunctionToolCustomDataExtractor | None = None,
    allowed_callers: list[ToolCaller] | None = None,
    output_type: Any | None = None,
    output_json_schema: dict[str, Any] | None = None,
    on_uncertain: OnUncertain = "retry",
) -> FunctionTool | Callable[[ToolFunction[...]], FunctionTool]:
    """A tool that calls a function; usable with and without parentheses.

    Args:
        func: Sync or async. Sync functions run in a thread. A first parameter that is annotated
            with a context gets the call's context.
        name_override: The tool's name, in place of the function's.
        description_override: What the model is told, in place of the docstring's first part.
        docstring_style: How the docstring is written; without it, the style is guessed.
        use_docstring_info: Whether to read the docstring at all.
        failure_error_function: What the model is told when the function raises, by default a
            sentence without details. None: the run fails.
        strict_mode: Whether the provider should hold the model to the schema.
        is_enabled: Whether the model gets to see the tool.
        needs_approval: Whether a person has to agree to a call.
        tool_input_guardrails: Asked before each call, in this order.
        tool_output_guardrails: Asked about each result, in this order.
        timeout: Seconds; for async functions only.
        timeout_behavior: Whether a late call is a text for the model, or fails the run.
        timeout_error_function: That text.
        defer_loading: Whether the model has to search for the tool first.
        custom_data_extractor: What to attach to the output's item, for your own use.
        allowed_callers: Whether programs of the model may call it, too.
        output_type: What it returns to programs; by default, what it is annotated with.
        output_json_schema: The same as a schema.
        on_uncertain: What to do when a crash leaves open whether a call took place: call "retry"
            again, tell the model that nobody knows ("once"), or "ask" a person.

    Raises:
        UserError: The signature has no (strict) schema.
        ValueError: A sync function has a timeout.
    """
    options = locals()  # Exactly the parameters: nothing else has a name yet.
    del options["func"]
    return functools.partial(_made, options) if func is None else _made(options, func)


def _made(options: dict[str, Any], func: Callable[..., Any]) -> FunctionTool:
    try:
        return _tool_from(options, func)
    except UserError as error:
        # Where a schema was being made when it turned out that there is none helps nobody.
        raise error.with_traceback(None)  # noqa: B904  # it is the same error


def _tool_from(options: dict[str, Any], func: Callable[..., Any]) -> FunctionTool:
    handler = handler_of(func)
    timeout, failure = options["timeout"], options["failure_error_function"]
    if timeout is not None and not handler.is_async:
        raise WrongValue(
            "timeout is only supported for async @function_tool handlers: the thread of a sync "
            f"function cannot be stopped. Make {handler.name()!r} async (with each decorator between "
            "it and @function_tool), or drop the timeout."
        )
    for option in ("name_override", "description_override"):
        check_text(f"{option} of @function_tool", options[option])
    if failure is not USE_DEFAULT:
        check_function("failure_error_function of @function_tool", failure)
    override = options["name_override"]
    name = checked_name(override) if override else handler.name()
    style = options["docstring_style"]
    check_choice("docstring_style", style, DocstringStyle, may_be_none=True)
    doc = handler.documentation(style) if options["use_docstring_info"] else None
    arguments = Arguments(handler, name, doc, strict=options["strict_mode"])
    contract = declared_output(
        options["output_type"],
        options["output_json_schema"],
        handler.hints.get("return"),
        infers=may_be_programmatic(options["allowed_callers"]),
    )
    kind = MethodTool if handler.owner else FunctionTool
    return kind(
        name,
        options["description_override"] or (doc and doc.description) or "",
        arguments.json_schema,
        ToolInvoker(FunctionBody(handler, arguments), original=func),
        options["strict_mode"],
        timeout_seconds=timeout,
        output_json_schema=contract and contract.schema,
        _output_type_adapter=contract and contract.adapter,
        _failure_error_function=None if failure is USE_DEFAULT else failure,
        _use_default_failure_error_function=failure is USE_DEFAULT,
        **{option: options[option] for option in _SAME},
    )


# The options that a tool has, too, under the same names.
_SAME = (
    "is_enabled", "tool_input_guardrails", "tool_output_guardrails", "needs_approval",
    "timeout_behavior", "timeout_error_function", "defer_loading", "custom_data_extractor",
    "allowed_callers", "on_uncertain",
)  # fmt: skip


async def invoke_function_tool(
    function_tool: FunctionTool, context: ToolContext, arguments: str
) -> Any:
    """What a tool answers to ``arguments``, within its timeout.

    Hand-made tools that ask for a `RunContextWrapper` get one that is not about the call.

    Raises:
        ToolTimeoutError: It was late, and wants that to fail the run.
        Exception: It failed, and wants that raised.
    """
    invoke = function_tool.on_invoke_tool
    invoke = invoke.settled if isinstance(invoke, ToolInvoker) else invoke
    given: Any = context
    if invoke is function_tool.on_invoke_tool and _wants_plain_context(invoke):
        given = plain_context(context)
    seconds = function_tool.timeout_seconds
    if seconds is None:
        return await invoke(given, arguments)
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            return await invoke(given, arguments)
    except TimeoutError as expired:
        if not deadline.expired():
            raise  # The tool's own.
        error = ToolTimeoutError(function_tool.name, seconds)
        error.__cause__ = expired
    return await _timed_out(function_tool, context, error)


async def _timed_out(
    tool: FunctionTool, context: ToolContext, error: ToolTimeoutError
) -> FailureText:
    if tool.timeout_behavior == "raise_exception":
        raise error
    if tool.timeout_error_function is None:
        text = default_tool_timeout_error_message(
            tool_name=error.tool_name, timeout_seconds=error.timeout_seconds
        )
        return FailureText(text, error, is_default=True)
    answer = await awaited(tool.timeout_error_function(context, error))
    return FailureText(answer, error, is_default=False)


_PLAIN_CONTEXT = re.compile(r"(?:[\w.]*\bAnnotated\[\s*)?(?:\w+\.)*RunContextWrapper\b")


def _wants_plain_context(invoke: Callable[..., Any]) -> bool:
    function = invoke if inspect.isroutine(invoke) else type(invoke).__call__
    notes: dict[str, Any] = getattr(function, "__annotations__", {})
    kind = next((note for name, note in notes.items() if name != "return"), None)
    if isinstance(kind, str):
        return _PLAIN_CONTEXT.match(kind) is not None
    if typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    return (typing.get_origin(kind) or kind) is RunContextWrapper


async def extracted_custom_data(
    extractor: Callable[[Any], Any] | None, context: object
) -> dict[str, Any] | None:
    """What a tool's `custom_data_extractor` returns for a finished call.

    Raises:
        UserError: That is not JSON, which the run's state could not keep.
    """
    if extractor is None:
        return None
    found: Any = await awaited(extractor(context))
    if found is None:
        return None
    try:
        return json.loads(json.dumps(dict(found), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"custom_data_extractor must return JSON-compatible data: {error}"
        ) from error


def tool_namespace(
    *, name: str, description: str | None, tools: list[FunctionTool]
) -> list[FunctionTool]:
    """Copies of ``tools`` that the model sees as a group, with `name` before their names.

    Raises:
        UserError: The name or description is blank, or one of the tools cannot be in a group.
    """
    name, told = name.strip(), (description or "").strip()
    if not name:
        raise UserError("tool_namespace() requires a non-empty namespace name.")
    if not told:
        raise UserError(f"tool_namespace({name!r}) requires a non-empty description.")
    return [_in_namespace(tool, name, told) for tool in tools]


def _in_namespace(tool: object, name: str, description: str) -> FunctionTool:
    if not isinstance(tool, FunctionTool):
        raise UserError(
            f"tool_namespace({name!r}) only supports FunctionTool instances, got "
            f"{type(tool).__name__}."
        )
    if tool.name == name:
        raise UserError(
            f"Tool search reserves the synthetic namespace `{name}.{name}` for a deferred tool "
            "outside of namespaces. Rename the namespace or the tool."
        )
    twin = copy.copy(tool)
    twin.move_to(name, description)
    return twin
