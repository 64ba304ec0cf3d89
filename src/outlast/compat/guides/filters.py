"""How guides write filters: of what a handoff passes on, and of what a server offers."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from outlast.compat.guides.patching import Patches
from outlast.definitions import handoff as handoffs
from outlast.definitions.calling import awaited
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.handoff import HandoffInputData
from outlast.effects import handoff as handing_over
from outlast.mcp import policies
from outlast.mcp.policies import ToolFilterContext


def teach(patches: Patches) -> None:
    """Teach filters the spellings of guides."""
    patches.replace(handoffs.HandoffInputFilter, FilterAlias(handoffs.HandoffInputFilter))
    patches.wrap(handing_over, "_history", _history)
    patches.replace(policies.filtered, _filtered(policies.filtered))


class FilterAlias:
    """`HandoffInputFilter` as a type, and as a decorator on a predicate about an item."""

    def __init__(self, alias: Any) -> None:
        self._alias = alias

    def __call__(self, keeps: Callable[[Any], Any]) -> Callable[[HandoffInputData], Any]:
        def kept(items: Any) -> tuple[Any, ...]:
            return tuple(each for each in items if keeps(_raw(each)))

        def filter_input(data: HandoffInputData) -> HandoffInputData:
            history: Any = data.input_history
            return dataclasses.replace(
                data,
                input_history=history if isinstance(history, str) else kept(history),
                pre_handoff_items=kept(data.pre_handoff_items),
                new_items=kept(data.new_items),
            )

        return filter_input

    def __or__(self, other: Any) -> Any:
        return self._alias | other

    def __ror__(self, other: Any) -> Any:
        return other | self._alias


def _raw(item: Any) -> Any:
    return item.to_input_item() if hasattr(item, "to_input_item") else item


def _history(original: Any) -> Any:
    """What is left of a conversation, by a filter that may answer with the context."""

    async def history(view: Any, effect: Any, transfer: Any, *more: Any) -> Any:
        if callable(transfer.input_filter):  # A copy, for the program's own keeps its own filter.
            transfer = copy.copy(transfer)
            transfer.input_filter = _filtering(transfer.input_filter)
        return await original(view, effect, transfer, *more)

    return history


def _filtering(choose: Any) -> Any:
    """A filter that returns a context has changed that one, and nothing of what is passed on."""

    async def filter_input(data: HandoffInputData) -> Any:
        answer: Any = await awaited(choose(data))
        own: Any = data.run_context
        if not isinstance(answer, RunContextWrapper):
            return answer
        if own is not None and own is not answer:
            own.context = vars(answer)["context"]
        return data

    return filter_input


def _filtered(original: Any) -> Any:
    async def filtered(tool_filter: Any, tools: Any, about: Any) -> Any:
        names: Any = tool_filter
        if isinstance(tool_filter, list | tuple | set | frozenset):
            tool_filter = {"allowed_tool_names": [*names]}
        elif callable(tool_filter) and _takes_three(tool_filter):
            tool_filter = _with_agent(tool_filter)
        return await original(tool_filter, tools, about)

    return filtered


def _takes_three(function: Any) -> bool:
    try:
        return len(inspect.signature(function).parameters) == 3  # noqa: PLR2004 (context, agent, tool)
    except (TypeError, ValueError):
        return False


def _with_agent(choose: Any) -> Any:
    def ask(context: ToolFilterContext, tool: Any) -> Any:
        return choose(context.run_context, context.agent, tool)

    return ask
