"""A run as those see it who perform its effects: its state, what the program defines, what was seen.

Nothing here writes. What a performer adds to the log goes through its `Emit` and its `Outcome`. So a
performer needs no journal, and can work in a process that has none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from outlast.calls.health import HealthStore
from outlast.core.events import Item
from outlast.core.items import copied
from outlast.core.state import RunState
from outlast.core.usage import usage_of
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.hooks import RunHooks
from outlast.definitions.stream_events import StreamEvent
from outlast.definitions.tool_output import FailureText
from outlast.effects.config import RunConfig
from outlast.effects.error_handlers import RunErrorHandlers
from outlast.effects.live import Live
from outlast.effects.outcome import BlobReader
from outlast.effects.purse import Purse
from outlast.effects.registry import Registry
from outlast.effects.scope import RunScope
from outlast.sessions.session import Session


class RunParts(Protocol):
    """What there is to read of a run, for its performers and for those who look at it."""

    @property
    def run_id(self) -> str:
        """Its id."""
        ...

    @property
    def state(self) -> RunState:
        """What its log amounts to."""
        ...

    @property
    def agents(self) -> Registry:
        """The program's agents, by the names that the log has."""
        ...

    @property
    def context(self) -> RunContextWrapper:
        """What user code is handed."""
        ...

    @property
    def config(self) -> RunConfig:
        """The settings of the run."""
        ...

    @property
    def hooks(self) -> RunHooks | None:
        """The run's hooks."""
        ...

    @property
    def error_handlers(self) -> RunErrorHandlers | None:
        """What to output instead of failing."""
        ...

    @property
    def purse(self) -> Purse | None:
        """What the run may spend."""
        ...

    @property
    def live(self) -> Live:
        """Objects that this process has seen."""
        ...

    @property
    def blobs(self) -> BlobReader:
        """Reads what events name by its hash."""
        ...


class Watcher(Protocol):
    """Who hears of failures of user code that are no events: the spans of a run."""

    def blame(self, message: str, error: Exception) -> None:
        """User code of the turn in progress failed."""
        ...

    def excused(self, name: str, failure: FailureText) -> None:
        """The tool that runs has failed, and the model is told so."""
        ...


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One run at the moment at which an effect begins. It does not change while that is performed."""

    run_id: str
    state: RunState
    agents: Registry
    context: RunContextWrapper
    config: RunConfig
    hooks: RunHooks | None
    session: Session | None
    error_handlers: RunErrorHandlers | None
    live: Live
    """May be empty: then everything is answered from the log."""
    blobs: BlobReader
    health: Callable[[], HealthStore]
    """How models answer; asked for only where a run needs it."""
    durability: str
    """What the run's log survives."""
    scope: RunScope
    """Owns what is made for the run, and the agents that it uses."""
    purse: Purse | None = None
    """What the run may spend; None where it has no budget and no prices of its own."""
    neighbours: Callable[[], Awaitable[Sequence[RunState]]] | None = None
    """Reads the other runs of its session; None where nobody knows them."""
    show: Callable[[StreamEvent], None] | None = None
    """Where live events of the model go; None when nobody watches."""
    watcher: Watcher | None = None
    """None where nobody traces the run."""

    def call_item(self, index: int) -> Item:
        """The item of the reply in progress at ``index``."""
        reply = self.state.reply
        assert reply
        return reply.output[index]


def restored_context(value: object, state: RunState) -> RunContextWrapper:
    """The context of a run for a process that performs one effect: what it has cost is in the log."""
    return RunContextWrapper(value, usage_of(state.usage))


def call_item_at(state: RunState, index: int) -> Item:
    """The item of the reply in progress at ``index``."""
    assert state.reply
    return state.reply.output[index]


def show_input(view: RunParts) -> None:
    """Let `context.turn_input` be the run's input as it is now: a copy, made once per input."""
    head = view.state.head
    if head is not view.live.input_shown:
        view.live.input_shown = head
        view.context.turn_input = [copied(item) for item in head]
