"""How guides write tools."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from outlast.compat.guides.agents import of_error
from outlast.compat.guides.patching import Patches
from outlast.core.errors import UserError
from outlast.definitions import tool as module
from outlast.definitions.computer import ComputerTool
from outlast.definitions.function_tool import FunctionTool
from outlast.definitions.hosted_tools import (
    CodeInterpreterTool,
    FileSearchTool,
    ImageGenerationTool,
)
from outlast.definitions.shell_tools import LocalShellTool
from outlast.definitions.tool_guardrail import ToolGuardrailFunctionOutput, ToolInputGuardrail


def teach(patches: Patches) -> None:
    """Teach tools the spellings of guides."""
    patches.wrap(FunctionTool, "__init__", _init)
    patches.add(FunctionTool, "__call__", _call)
    patches.replace(module.function_tool, _function_tool(module.function_tool))
    for kind, defaults in (
        (CodeInterpreterTool, {"tool_config": _interpreter}),
        (ImageGenerationTool, {"tool_config": lambda: {"type": "image_generation"}}),
        (FileSearchTool, {"vector_store_ids": list}),
        (LocalShellTool, {"executor": lambda: _missing("LocalShellTool(executor=...)")}),
        (ComputerTool, {"computer": lambda: _missing("ComputerTool(computer=...)")}),
    ):
        patches.wrap(kind, "__init__", functools.partial(_with_defaults, defaults))


def _interpreter() -> dict[str, Any]:
    return {"type": "code_interpreter", "container": {"type": "auto"}}


def _missing(what: str) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise UserError(f"This tool was made without {what}, so it cannot do anything. Pass one.")

    return fail


def _with_defaults(defaults: dict[str, Any], original: Any) -> Any:
    def init(self: Any, *args: Any, **options: Any) -> None:
        if not args and not options:
            options = {name: make() for name, make in defaults.items()}
        original(self, *args, **options)

    return init


def _function_tool(original: Any) -> Any:
    @functools.wraps(original)
    def function_tool(*args: Any, **options: Any) -> Any:
        if "failure_error_function" in options:
            options["failure_error_function"] = of_error(options["failure_error_function"])
        if options.get("tool_input_guardrails"):
            options["tool_input_guardrails"] = list(
                map(_guardrail, options["tool_input_guardrails"])
            )
        return original(*args, **options)

    return function_tool


def _init(original: Any) -> Any:
    def init(self: Any, *args: Any, **options: Any) -> None:
        if options.get("tool_input_guardrails"):
            options["tool_input_guardrails"] = list(
                map(_guardrail, options["tool_input_guardrails"])
            )
        self.__name__ = args[0] if args else options.get("name")
        handle = options.pop("handle_invoke", None)
        policy = options.pop("require_approval", None)
        if policy is not None:
            options["needs_approval"] = str(getattr(policy, "value", policy)) == "always"
        if handle is None:
            original(self, *args, **options)
            return
        options.setdefault("description", inspect.getdoc(handle) or "")
        options.setdefault("params_json_schema", {})
        options["on_invoke_tool"] = _invoking(handle)
        original(self, *args, **options)

    return init


def _invoking(handle: Any) -> Any:
    """``handle`` takes (context, arguments), or the arguments alone."""
    takes_one = len(inspect.signature(handle).parameters) == 1

    async def invoke(context: Any, arguments: str) -> Any:
        answer = handle(arguments) if takes_one else handle(context, arguments)
        return await answer if inspect.isawaitable(answer) else answer

    return invoke


def _call(self: Any, *args: Any, **options: Any) -> Any:
    """Call the function that the tool was made of, as if it had not been decorated."""
    function = getattr(self, "__wrapped__", None)
    if function is None:
        raise TypeError(f"Tool {self.name!r} was not made of a function, so it cannot be called.")
    return function(*args, **options)


def _guardrail(check: Any) -> Any:
    """A plain function of (context, tool, arguments) as a guardrail of a tool's input."""
    if not inspect.isroutine(check) or len(inspect.signature(check).parameters) != 3:  # noqa: PLR2004 (these three)
        return check

    async def guarding(data: Any) -> Any:
        answer = check(data.context, data.context.tool_name, data.input)
        answer = await answer if inspect.isawaitable(answer) else answer
        verdict: dict[str, Any] | None = getattr(answer, "__dict__", {}).get("_guide_verdict")
        if isinstance(answer, bool):
            verdict = {"passes": answer, "info": None}
        if verdict is None:
            return answer
        if verdict["passes"]:
            return ToolGuardrailFunctionOutput.allow(verdict["info"])
        return ToolGuardrailFunctionOutput.reject_content(verdict["info"] or "Refused.")

    return ToolInputGuardrail(guarding, check.__name__)
