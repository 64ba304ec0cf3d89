"""How guides start runs and read what they came to."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

from outlast.compat.guides.names import ApprovalResult
from outlast.compat.guides.patching import Patches
from outlast.definitions.budget import Budget
from outlast.definitions.compaction import Compaction
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.hooks import RunHooksBase
from outlast.definitions.run_items import ItemHelpers
from outlast.definitions.settings import ModelSettings
from outlast.effects.config import DEFAULT_MAX_TURNS, RunConfig
from outlast.run.result import RunResultBase
from outlast.run.run_state import RunState
from outlast.run.runner import AgentRunner, Runner
from outlast.sessions.sqlite import SQLiteSession

_OF_CONFIG = ("max_turns", "max_steps", "tools", "timeout")
_EXTRAS = "_guide_options"


def teach(patches: Patches) -> None:
    """Teach runs, their results and sessions the spellings of guides."""
    patches.wrap(RunConfig, "__init__", _config_init)
    patches.wrap(AgentRunner, "run", _run)
    patches.wrap(AgentRunner, "run_streamed", _run_streamed)
    patches.wrap(RunHooksBase, "on_tool_start", _on_tool_start)
    patches.add(RunContextWrapper, "__getattr__", _of_context)
    for name, read in VIEWS.items():
        patches.add(RunResultBase, name, property(read))
    patches.add(Runner, "resume", classmethod(_resume(Runner.resume.__func__)))
    patches.wrap(RunState, "__init__", _state_init)
    patches.wrap(SQLiteSession, "__init__", _session_init)
    patches.add(SQLiteSession, "initialize", _initialize)
    patches.add(SQLiteSession, "is_initialized", _is_initialized)


def _config_init(original: Any) -> Any:
    def init(self: Any, *args: Any, **options: Any) -> None:
        extras = {key: options.pop(key) for key in _OF_CONFIG if key in options}
        if "tool_choice" in options:
            settings = options.get("model_settings") or ModelSettings()
            choice = options.pop("tool_choice")
            options["model_settings"] = dataclasses.replace(settings, tool_choice=choice)
        if (calls := options.pop("max_tools", None)) is not None:
            known: Any = options.get("budgets") or ()
            budgets = (known,) if isinstance(known, Budget) else known
            options["budgets"] = (*budgets, Budget(tool_calls=calls))
        if (tokens := options.pop("context_length", None)) is not None:
            options.setdefault("compaction", Compaction(context_tokens=tokens))
        original(self, *args, **options)
        if extras:
            self.__dict__[_EXTRAS] = extras

    return init


def _extras(options: dict[str, Any]) -> dict[str, Any]:
    return getattr(options.get("run_config"), "__dict__", {}).get(_EXTRAS, {})


def _prepared(agent: Any, options: dict[str, Any]) -> Any:
    """The agent to begin with, once what stood in the config is where it belongs."""
    extras = _extras(options)
    limit = extras.get("max_turns", extras.get("max_steps"))
    if limit is not None and options.get("max_turns", DEFAULT_MAX_TURNS) == DEFAULT_MAX_TURNS:
        options["max_turns"] = limit
    tools = extras.get("tools")
    return agent.clone(tools=[*agent.tools, *tools]) if tools else agent


def _run(original: Any) -> Any:
    async def run(self: Any, starting_agent: Any, input: Any, **options: Any) -> Any:  # noqa: A002 (upstream's)
        agent = _prepared(starting_agent, options)
        seconds = _extras(options).get("timeout")
        if seconds is None:
            return await original(self, agent, input, **options)
        # Only this deadline becomes a TimeoutError of its own: one that a tool raises stays that.
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                return await original(self, agent, input, **options)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise TimeoutError(f"The run took longer than RunConfig(timeout={seconds}).") from error

    return run


def _run_streamed(original: Any) -> Any:
    def run_streamed(self: Any, starting_agent: Any, input: Any, **options: Any) -> Any:  # noqa: A002 (upstream's)
        return original(self, _prepared(starting_agent, options), input, **options)

    return run_streamed


def _on_tool_start(original: Any) -> Any:
    async def on_tool_start(self: Any, context: Any, agent: Any, tool: Any) -> None:
        await original(self, context, agent, tool)
        react = getattr(self, "on_tool_call", None)
        if react is not None:
            await react(context, agent, tool)

    return on_tool_start


def _of_context(self: Any, name: str) -> Any:
    """An attribute of the user's own context, where the wrapper has none of that name."""
    own = self.__dict__.get("context")
    if own is not None and not name.startswith("_") and hasattr(own, name):
        return getattr(own, name)
    raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name)


def _items(result: Any, kind: str) -> list[Any]:
    return [each for each in result.new_items if each.type == kind]


def _final_response(result: Any) -> str:
    return ItemHelpers.text_message_outputs(result.new_items) or str(result.final_output)


VIEWS: dict[str, Callable[[Any], Any]] = {
    "messages": lambda result: result.to_input_list(),
    "tool_calls": lambda result: _items(result, "tool_call_item"),
    "tool_results": lambda result: _items(result, "tool_call_output_item"),
    "handoffs": lambda result: _items(result, "handoff_output_item"),
    "final_response": _final_response,
    "agent": lambda result: result.last_agent,
    "output": lambda result: result.final_output,
}


def _resume(original: Any) -> Any:
    async def resume(cls: Any, run_id: str, *args: Any, **options: Any) -> Any:
        """`Runner.resume`, which also takes `approval_result=` and `agent=`."""
        decision: ApprovalResult | None = options.pop("approval_result", None)
        args = (options.pop("agent"),) if not args and "agent" in options else args
        if decision is None:
            return await original(cls, run_id, *args, **options)
        waiting = await original(cls, run_id, *args, **options)
        config = {"run_config": options.get("run_config")}
        for item in waiting.interruptions:
            if decision.approved:
                await cls.approve(run_id, item.call_id, **config)
            else:
                await cls.reject(run_id, item.call_id, message=decision.message, **config)
        return await original(cls, run_id, *args, **options)

    return resume


def _state_init(original: Any) -> Any:
    """`RunState(current_agent=, model_response=, generated_items=, run_config=)`: a run's beginning."""

    def init(self: Any, *args: Any, **options: Any) -> None:
        if args or "current_agent" not in options:
            original(self, *args, **options)
            return
        agent, config = options.pop("current_agent"), options.pop("run_config", None)
        items = options.pop("generated_items", None) or ()
        history = [
            each.to_input_item() if hasattr(each, "to_input_item") else each for each in items
        ]
        answer = options.pop("model_response", None)
        history += answer.to_input_items() if answer is not None and not history else []
        limit = _extras({"run_config": config}).get("max_turns", DEFAULT_MAX_TURNS)
        options.setdefault("context", RunContextWrapper(None))
        options.setdefault("original_input", history)
        options.setdefault("max_turns", limit)
        original(self, starting_agent=agent, **options)

    return init


def _session_init(original: Any) -> Any:
    def init(self: Any, *args: Any, resume: bool = True, **options: Any) -> None:
        del resume  # A session of a known id always goes on.
        original(self, *args, **options)

    return init


async def _initialize(self: Any) -> None:
    """Nothing is left to do: a session makes its tables when it is made."""
    del self


async def _is_initialized(self: Any) -> bool:
    """Always so."""
    del self
    return True
