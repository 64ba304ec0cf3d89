"""One run in this process: its log, and everything live that it needs beside it.

This is what the life of a run is made of: whoever begins it, goes on with it or looks at it has one.
Those who perform its effects get a `RunView` of it, which has no log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import msgspec

from outlast.core.effects import Effect
from outlast.core.state import RunState
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.hooks import RunHooks
from outlast.definitions.stream_events import StreamEvent
from outlast.definitions.tool_output import FailureText
from outlast.effects.config import RunConfig
from outlast.effects.error_handlers import RunErrorHandlers
from outlast.effects.live import Live
from outlast.effects.outcome import BlobReader, Outcome
from outlast.effects.purse import Purse
from outlast.effects.registry import Registry
from outlast.effects.scope import RunScope
from outlast.effects.turn import PreparedTurn
from outlast.effects.view import RunView
from outlast.engine.log import RunLog
from outlast.engine.neighbours import neighbours_of
from outlast.journal.journal import durability_of
from outlast.sessions.session import Session

Told = Callable[[], Awaitable[None]]


class Spans(Protocol):
    """Who is told of a run's effects where somebody traces it; see `engine.spans`."""

    def before(self, effect: Effect) -> None:
        """``effect`` is due. Called in the loop's own task."""
        ...

    async def perform(
        self, effect: Effect, perform: Callable[[Any], Awaitable[Outcome]]
    ) -> Outcome:
        """What ``perform`` makes of ``effect``."""
        ...

    async def tell(self, effect: Effect, tell: Told) -> None:
        """Let ``tell`` tell the hooks of what ``effect`` came to."""
        ...

    def blame(self, message: str, error: Exception) -> None:
        """User code of the turn in progress failed."""
        ...

    def excused(self, name: str, failure: FailureText) -> None:
        """The tool that runs has failed, and the model is told so."""
        ...


class RunEnv(msgspec.Struct, kw_only=True):
    """One run in this process."""

    log: RunLog
    agents: Registry
    context: RunContextWrapper
    config: RunConfig
    hooks: RunHooks | None = None
    session: Session | None = None
    error_handlers: RunErrorHandlers | None = None
    show: Callable[[StreamEvent], None] | None = None
    """Where live events of the model go; None when nobody watches."""
    live: Live = msgspec.field(default_factory=Live)
    purse: Purse | None = None
    """What the run may spend."""
    spans: Spans | None = None
    """None where nobody traces the run."""
    scope: RunScope
    """What the run has to give back."""
    last_view: RunView | None = None

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.log.run_id

    @property
    def state(self) -> RunState:
        """What its log amounts to now."""
        return self.log.state

    @property
    def turn(self) -> PreparedTurn | None:
        """The turn that was prepared last in this process."""
        return self.live.turn

    @property
    def blobs(self) -> BlobReader:
        """Reads what events name by its hash."""
        return self.log.read_blob

    def view(self) -> RunView:
        """The run as it is now, for whoever performs an effect of it."""
        log, last = self.log, self.last_view
        if (
            last is not None
            and last.state is log.state
            and last.show is self.show
            and last.watcher is self.spans
        ):
            return last  # Effects that begin together see the same.
        self.last_view = view = RunView(
            run_id=log.run_id,
            state=log.state,
            agents=self.agents,
            context=self.context,
            config=self.config,
            hooks=self.hooks,
            session=self.session,
            error_handlers=self.error_handlers,
            live=self.live,
            blobs=log.read_blob,
            health=log.health,
            durability=durability_of(log.journal),
            scope=self.scope,
            purse=self.purse,
            neighbours=partial(neighbours_of, log.journal, log.run_id, log.state),
            show=self.show,
            watcher=self.spans,
        )
        return view
