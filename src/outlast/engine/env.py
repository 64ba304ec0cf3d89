"""Everything live that a run needs beside its log: agents, context, hooks, and typed objects.

Nothing here is remembered. `Live` keeps objects that this process has seen (a model's typed
response, what a tool returned), so that a caller gets those and not copies; after a crash the
same questions are answered from the log.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from outlast.core.effects import Effect
from outlast.core.events import Entry, Item
from outlast.core.growing import new_dict, new_list
from outlast.core.items import copied
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.hooks import RunHooks
from outlast.definitions.run_items import ModelResponse, RunItem, ToolCallOutputItem
from outlast.definitions.stream_events import StreamEvent
from outlast.definitions.tool_output import FailureText
from outlast.engine import sharing
from outlast.engine.config import ModelInputData, RunConfig
from outlast.engine.drive import Done
from outlast.engine.error_handlers import RunErrorHandlers
from outlast.engine.log import RunLog
from outlast.engine.registry import AnyAgent, Registry
from outlast.engine.turn import PreparedTurn
from outlast.sessions.session import Session
from outlast.tracing.traces import TraceState


@dataclass(slots=True)
class Live:
    """Objects that this process has seen."""

    behind: dict[int, tuple[Item, Any]] = field(default_factory=new_dict)
    """By an item's identity, the item and what it was made from: a model's typed object, a tool's
    value."""
    items: dict[int, tuple[Entry, RunItem]] = field(default_factory=new_dict)
    """By an entry's identity, the entry and its typed form."""
    waiting: dict[str, Any] = field(default_factory=new_dict)
    """The approval items of calls that wait, by the key of the request."""
    tools: dict[str, Any] = field(default_factory=new_dict)
    """The tools that calls mean, by call id."""
    asked: dict[str, ModelInputData] = field(default_factory=new_dict)
    """What the model call in progress is given, by effect id: the same in all of its attempts."""
    began: dict[str, float] = field(default_factory=new_dict)
    """When the model call in progress was first made, by effect id; seconds of a monotonic clock."""
    responses: dict[str, ModelResponse] = field(default_factory=new_dict)
    errors: dict[str, Exception] = field(default_factory=new_dict)
    checks: dict[str, Any] = field(default_factory=new_dict)
    """Results of guardrails, by effect id."""
    results: dict[str, Any] = field(default_factory=new_dict)
    """Results of the turn's function tools (`FunctionToolResult`), by call id."""
    output: Any = None
    has_output: bool = False
    input: str | list[Any] | None = None
    """The caller's input, as it was given."""

    trace: TraceState | None = None
    """The trace that the run was told to, where somebody listened."""

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
        fresh = Live(input=self.input, trace=self.trace)
        for name in ("behind", "items", "waiting", "tools", "responses", "checks", "results"):
            getattr(fresh, name).update(getattr(self, name))
        fresh.output, fresh.has_output = self.output, self.has_output
        return fresh


def _own(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001  # a tool may return what cannot be copied, such as a lock
        return value


class Spans(Protocol):
    """Who is told of a run's effects where somebody traces it; see `engine.spans`."""

    def before(self, effect: Effect) -> None:
        """``effect`` is due. Called in the loop's own task."""
        ...

    async def perform(self, effect: Effect, perform: Callable[[Any], Awaitable[Done]]) -> Done:
        """What ``perform`` makes of ``effect``."""
        ...

    def blame(self, message: str, error: Exception) -> None:
        """User code of the turn in progress failed."""
        ...

    def excused(self, name: str, failure: FailureText) -> None:
        """The tool that runs has failed, and the model is told so."""
        ...


@dataclass(slots=True, kw_only=True)
class RunEnv:
    """One run in this process."""

    log: RunLog
    agents: Registry
    context: RunContextWrapper[Any]
    config: RunConfig
    hooks: RunHooks[Any] | None = None
    session: Session | None = None
    error_handlers: RunErrorHandlers[Any] | None = None
    show: Callable[[StreamEvent], None] | None = None
    """Where live events of the model go; None when nobody watches."""
    live: Live = field(default_factory=Live)
    turn: PreparedTurn | None = None
    """The turn in progress, as user code prepared it in this process."""
    restoring: asyncio.Lock | None = None
    """Held while the turn is prepared again: of several effects that need it, one does."""
    spans: Spans | None = None
    """None where nobody traces the run."""
    entered: list[AnyAgent] = field(default_factory=new_list)
    """The agents that this run has used so far."""
    input_shown: list[Item] | None = None
    """The run's input that user code finds in `context.turn_input`."""

    def show_input(self) -> None:
        """Let `context.turn_input` be the run's input as it is now: a copy, made once per input."""
        head = self.log.state.head
        if head is not self.input_shown:
            self.input_shown = head
            self.context.turn_input = [copied(item) for item in head]

    def enter(self, agent: AnyAgent) -> None:
        """Note that the run uses ``agent`` from now on."""
        if not any(known is agent for known in self.entered):
            self.entered.append(agent)
            sharing.enter(agent)

    def leave(self) -> None:
        """Note that the run uses no agent any more."""
        for agent in self.entered:
            sharing.leave(agent)
        self.entered.clear()

    def call_item(self, index: int) -> Item:
        """The item of the reply in progress at ``index``."""
        reply = self.log.state.reply
        assert reply
        return reply.output[index]
