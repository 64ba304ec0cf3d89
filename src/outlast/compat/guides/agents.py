"""How guides write agents."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from typing import Any

from outlast.compat.guides.names import Guardrail
from outlast.compat.guides.patching import Patches
from outlast.definitions.agent import Agent
from outlast.definitions.function_tool import FunctionTool, set_function_tool_failure_error_function
from outlast.definitions.guardrail import OutputGuardrail
from outlast.definitions.settings import ModelSettings

_OF_SETTINGS = ("temperature", "max_tokens")
DEFAULT_NAME = "Agent"
ENABLED = "_guide_is_enabled"
"""Where an agent keeps `Agent(is_enabled=)`, which applies wherever the agent is offered."""


def teach(patches: Patches) -> None:
    """Teach `Agent` the spellings of guides."""
    patches.wrap(Agent, "__init__", _init)
    patches.wrap(Agent, "as_tool", _as_tool)
    patches.add(Agent, "run", _run)
    patches.add(Agent, "run_sync", _run_sync)


def _init(original: Any) -> Any:
    def init(self: Any, *args: Any, **options: Any) -> None:
        if not args:
            options.setdefault("name", DEFAULT_NAME)
        _move_settings(options)
        error_function = options.pop("default_tool_error_function", None)
        is_enabled = options.pop("is_enabled", None)
        if error_function is not None:
            options["tools"] = [_failing(each, error_function) for each in options.get("tools", [])]
        if any(isinstance(each, Guardrail) for each in options.get("output_guardrails") or ()):
            options["output_guardrails"] = list(map(_of_output, options["output_guardrails"]))
        original(self, *args, **options)
        if is_enabled is not None:
            self.__dict__[ENABLED] = is_enabled

    return init


def _move_settings(options: dict[str, Any]) -> None:
    """Put `temperature` and `max_tokens` where they belong. None is no setting, and is refused."""
    found = {key: options[key] for key in _OF_SETTINGS if options.get(key) is not None}
    for key in found:
        del options[key]
    if found:
        settings = options.get("model_settings") or ModelSettings()
        if isinstance(settings, ModelSettings):
            options["model_settings"] = dataclasses.replace(settings, **found)
        else:
            options["model_settings"] = {**settings, **found}


def _failing(tool: Any, error_function: Any) -> Any:
    """A tool that has no error function of its own, with this one."""
    if not isinstance(tool, FunctionTool) or not tool.wants_default_failures:
        return tool
    return set_function_tool_failure_error_function(copy.copy(tool), of_error(error_function))


def of_error(function: Any) -> Any:
    """An error function of (context, error), also where it takes the error alone."""
    if not callable(function) or len(inspect.signature(function).parameters) != 1:
        return function

    def both(_: Any, error: Exception) -> Any:
        return function(error)

    vars(both)["__wrapped__"] = function
    return both


def _of_output(guardrail: Any) -> Any:
    if not isinstance(guardrail, Guardrail):
        return guardrail
    made = OutputGuardrail(guardrail.guardrail_function, guardrail.name)
    made.__dict__.update(
        on_fail=guardrail.on_fail, error_message=guardrail.error_message, log=guardrail.log
    )
    return made


def _as_tool(original: Any) -> Any:
    def as_tool(self: Any, *args: Any, **options: Any) -> Any:
        for theirs, ours in (
            ("name", "tool_name"),
            ("description", "tool_description"),
            ("input_type", "parameters"),
        ):
            if theirs in options:
                options[ours] = options.pop(theirs)
        agent = self
        if "output_type" in options:
            agent = self.clone(output_type=options.pop("output_type"))
        if not args:
            options.setdefault("tool_name", None)
        if len(args) < 2:  # noqa: PLR2004 (name and description)
            options.setdefault("tool_description", None)
        enabled = self.__dict__.get(ENABLED)
        if enabled is not None:
            options.setdefault("is_enabled", for_context(enabled))
        return original(agent, *args, **options)

    return as_tool


def for_context(is_enabled: Any) -> Any:
    """`Agent.is_enabled`, which takes the context alone, as the rest of the program asks for it."""
    if not callable(is_enabled):
        return bool(is_enabled)
    if len(inspect.signature(is_enabled).parameters) > 1:
        return is_enabled

    def enabled(context: Any, _: Any) -> Any:
        return is_enabled(context)

    return enabled


async def _run(self: Agent, input: Any, **options: Any) -> Any:  # noqa: A002 (the guides' name)
    """What this agent comes to: `Runner.run`."""
    from outlast.run.runner import Runner

    return await Runner.run(self, input, **options)


def _run_sync(self: Agent, input: Any, **options: Any) -> Any:  # noqa: A002 (the guides' name)
    """The same, for programs without an event loop."""
    from outlast.run.runner import Runner

    return Runner.run_sync(self, input, **options)
