"""Calls a decorated function with what a model sent: parse, validate, call, check the result."""

from __future__ import annotations

import copy
import functools
import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.core.errors import ModelBehaviorError, UserError
from holdfast.definitions import debug
from holdfast.definitions.callables import Handler
from holdfast.definitions.context import RunContextWrapper, ToolContext
from holdfast.definitions.logger import logger
from holdfast.definitions.schema import Arguments
from holdfast.definitions.threads import run_in_thread

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class InvokedTool(Protocol):
    """What an invoker needs to know of the tool that it belongs to."""

    name: str

    @property
    def output_adapter(self) -> TypeAdapter[Any] | None: ...

    async def failure_text(
        self, context: RunContextWrapper[Any], error: Exception
    ) -> str | None: ...


class Body(Protocol):
    """What a tool does, with errors as exceptions."""

    async def __call__(self, tool: InvokedTool, context: Any, arguments: str, /) -> Any: ...


class ToolInvoker:
    """A tool's `on_invoke_tool`: its body, with failures answered as the tool wants them.

    It belongs to one tool. A copy of the tool gets a copy of it, so that a copy's name and
    failure policy count.
    """

    __slots__ = ("body", "original", "tool")

    def __init__(
        self,
        body: Body,
        tool: InvokedTool | None = None,
        original: Callable[..., Any] | None = None,
    ) -> None:
        self.body = body
        self.tool = tool
        self.original = original
        """The function that was decorated, if there was one."""

    def bound_to(self, tool: InvokedTool) -> ToolInvoker:
        """The same for another tool."""
        return ToolInvoker(self.body, tool, self.original)

    def __deepcopy__(self, memo: dict[int, Any]) -> ToolInvoker:
        # What a tool calls is not part of the tool: a user's object must not be duplicated.
        return self if self.tool is None else self.bound_to(copy.deepcopy(self.tool, memo))

    async def __call__(self, context: Any, arguments: str) -> Any:
        """The tool's result, or the text that stands for its failure.

        Raises:
            Exception: Whatever the body raised, if the tool wants failures raised.
        """
        tool = self.tool
        assert tool is not None
        try:
            return await self.body(tool, context, arguments)
        except Exception as error:
            text = await tool.failure_text(context, error)
            if text is None:
                raise
            return text


class FunctionBody:
    """The body of a decorated function."""

    __slots__ = ("__dict__", "_arguments", "_handler", "_is_async")

    def __init__(self, handler: Handler, arguments: Arguments) -> None:
        self._handler = handler
        self._arguments = arguments
        self._is_async = handler.is_async

    async def __call__(self, tool: InvokedTool, context: ToolContext[Any], text: str, /) -> Any:
        values = self._validated(tool.name, text)
        args, kwargs = self._arguments.shape.arguments(values)
        if logger.isEnabledFor(logging.DEBUG):
            _log_call(tool.name, args, kwargs)
        if self._arguments.takes_context:
            args.insert(0, context)
        if self._is_async:
            result = await self._handler.call(*args, **kwargs)
        else:
            result = await run_in_thread(self._handler.call, *args, **kwargs)
        adapter = tool.output_adapter
        return result if adapter is None else _typed(tool.name, result, adapter)

    def _validated(self, name: str, text: str) -> Mapping[str, Any]:
        from pydantic import ValidationError

        given = json_object(name, text)
        try:
            return vars(self._arguments.model.model_validate(given))
        except ValidationError as error:
            if not debug.DONT_LOG_TOOL_DATA:
                raise ModelBehaviorError(f"Invalid JSON input for tool {name}: {error}") from error
        # Outside the handler: pydantic's error quotes the model, and must not hang on ours.
        raise ModelBehaviorError(f"Invalid JSON input for tool {name}")

    def approval_arguments(self, text: str) -> dict[str, Any] | None:
        """What the model sent, if the function gets exactly that; None if it gets anything else.

        Whoever decides on a call must see what will run. Values that validation would change or
        fill in, or that code of the user's would look at first, cannot be shown.
        """
        from holdfast.definitions.exact_arguments import exact_arguments

        given = parsed_object(text)
        if given is None or not self._is_plain:
            return None
        return exact_arguments(self._arguments, given)

    @functools.cached_property
    def _is_plain(self) -> bool:
        from holdfast.definitions.exact_arguments import is_plain

        return is_plain(self._arguments.model)


def json_object(name: str, text: str) -> dict[str, Any]:
    """The JSON object in ``text``; empty text stands for an empty one.

    Raises:
        ModelBehaviorError: It is something else.
    """
    parsed: Any = None
    try:
        parsed = json.loads(text) if text else {}
    except ValueError as error:
        if not debug.DONT_LOG_TOOL_DATA:
            logger.debug("Invalid JSON input for tool %s: %s", name, text)
            raise ModelBehaviorError(f"Invalid JSON input for tool {name}: {text}") from error
        logger.debug("Invalid JSON input for tool %s", name)
        is_json = False
    else:
        is_json = True
    # Outside the handler: the parser's error quotes the model, and must not hang on ours.
    if not is_json:
        raise ModelBehaviorError(f"Invalid JSON input for tool {name}")
    if not isinstance(parsed, dict):
        raise ModelBehaviorError(f"Invalid JSON input for tool {name}: expected a JSON object")
    return parsed  # pyright: ignore[reportUnknownVariableType] # JSON


def parsed_object(text: str) -> dict[str, Any] | None:
    """The JSON object in ``text``; None if it is none, or has numbers that JSON does not."""
    try:
        parsed = json.loads(text or "{}", parse_constant=_refuse_constant)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None  # pyright: ignore[reportUnknownVariableType] # JSON


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


def _log_call(name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    if debug.DONT_LOG_TOOL_DATA:
        logger.debug("Invoking tool %s", name)
    else:
        # A copy: the context joins the arguments later, and is nobody's business.
        logger.debug("Tool call args: %s, kwargs: %s", list(args), kwargs)


def _typed(name: str, result: Any, adapter: TypeAdapter[Any]) -> Any:
    try:
        return adapter.validate_python(result)
    except ValueError as error:
        raise UserError(
            f"The result of tool {name} does not match its declared output type."
        ) from error
