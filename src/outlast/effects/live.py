"""What this process has seen of a run: objects, so that a caller gets those and not copies.

Nothing here is remembered. All of it may be lost, or be empty from the start as in a process that
performs one effect: then the same questions are answered from the log.
"""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import msgspec

from outlast.calls.retry import is_outage, longest_wish
from outlast.core.effects import CallModel, Effect
from outlast.core.events import EffectFailed, Entry, Item
from outlast.definitions.run_items import ModelResponse, RunItem, ToolCallOutputItem
from outlast.effects.config import ModelInputData
from outlast.effects.failures import error_facts
from outlast.effects.turn import PreparedTurn
from outlast.tracing.traces import TraceState


class Live(msgspec.Struct):
    """Objects that this process has seen."""

    behind: dict[int, tuple[Item, Any]] = {}
    """By an item's identity, the item and what it was made from: a model's typed object, a tool's
    value."""
    items: dict[int, tuple[Entry, RunItem]] = {}
    """By an entry's identity, the entry and its typed form."""
    waiting: dict[str, Any] = {}
    """The approval items of calls that wait, by the key of the request."""
    tools: dict[str, Any] = {}
    """The tools that calls mean, by call id."""
    asked: dict[str, ModelInputData] = {}
    """What the model call in progress is given, by effect id: the same in all of its attempts."""
    began: dict[str, float] = {}
    """When the model call in progress was first made, by effect id; seconds of a monotonic clock."""
    responses: dict[str, ModelResponse] = {}
    sent: tuple[str, list[Any]] = ("", [])
    """The model call that was answered last, by effect id, and what the model was given."""
    errors: dict[str, Exception] = {}
    checks: dict[str, Any] = {}
    """Results of guardrails, by effect id."""
    results: dict[str, Any] = {}
    """Results of the turn's function tools (`FunctionToolResult`), by call id."""
    output: Any = None
    has_output: bool = False
    input: str | list[Any] | None = None
    """The caller's input, as it was given."""

    pins: dict[str, str] = {}
    """The instructions that agents keep, whatever the program says, by the agents' names in the log."""
    turn: PreparedTurn | None = None
    """The turn that was prepared last in this process."""
    turn_id: str = ""
    """The effect that prepared it."""
    restoring: asyncio.Lock | None = None
    """Held while the turn is prepared again: of several effects that need it, one does."""
    input_shown: list[Item] | None = None
    """The run's input that user code finds in `context.turn_input`."""
    tool_ends: dict[str, tuple[Any, Any, Any]] = {}
    """What hooks are about to hear of calls that have ended, by effect id: context, tool, value."""

    counted: set[str] = set()
    """Calls that runs of this process performed: those have counted what they cost."""
    has_usage: bool = False
    """Whether the context's usage has what runs inside this one have cost before they went on."""
    trace: TraceState | None = None
    """The trace that the run was told to, where somebody listened."""
    namesakes: dict[str, str] = {}
    """What tells agents of one name apart, by the names that the log has; see `Registry`."""
    past_calls: dict[str, str] = {}
    """What calls asked for that were decided about and answered before the log began, by their ids."""

    def begin_turn(self, turn_id: str, turn: PreparedTurn) -> None:
        """Keep a turn as it was prepared."""
        self.turn_id, self.turn = turn_id, turn
        self.results.clear()

    def settle(self) -> None:
        """Keep what tools returned as it is now, whatever its owners change in it later."""
        memo: dict[int, Any] = {}
        for key, (item, value) in self.behind.items():
            if str(item.get("type")).endswith("_output"):
                self.behind[key] = (item, _own(value, memo))
        for result in self.results.values():
            result.output = _own(result.output, memo)
        for _, made in self.items.values():
            if isinstance(made, ToolCallOutputItem):
                made.output = _own(made.output, memo)

    def copied(self) -> Live:
        """The same objects for a run that goes on: what it sees from now on, this does not."""
        fresh = Live(
            input=self.input,
            trace=self.trace,
            namesakes=self.namesakes,
            past_calls=self.past_calls,
        )
        for name in ("behind", "items", "waiting", "tools", "responses", "checks", "results"):
            getattr(fresh, name).update(getattr(self, name))
        fresh.output, fresh.has_output = self.output, self.has_output
        fresh.counted |= self.counted
        return fresh


def failure_event(effect: Effect, live: Live, error: Exception) -> EffectFailed:
    """The failure of ``effect``: the error for the caller, its class and message for the log."""
    live.errors[effect.id] = error
    facts = error_facts(error, effect.id)
    if not isinstance(effect, CallModel) or not is_outage(error):
        return EffectFailed(effect.id, facts)
    return EffectFailed(effect.id, facts, wait_s=longest_wish(error), is_outage=True)


def _own(value: object, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001  # a tool may return what cannot be copied, such as a lock
        return value
