"""Where in a run user code is called: what a run that it begins takes its identity from.

A run inside a tool is a part of the tool's work. It has the id of its place, so that the tool finds it
again when it is called again after a crash; it is kept where its parent is; nobody else goes on with it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from copy import copy
from hashlib import sha256

import msgspec

from outlast.core.events import ApprovalDecided, ChildStarted, Item
from outlast.core.identity import canonical
from outlast.core.state import RunState, tool_name
from outlast.effects.needs import rules_of_run
from outlast.effects.outcome import Emit
from outlast.effects.view import RunParts
from outlast.journal.journal import Journal


class Place:
    """One effect while it is performed."""

    __slots__ = (
        "_emit", "_lock", "_loop", "approval_rules", "counted", "counts", "effect_id", "is_over", "journal", "purse",
        "run_id", "state",
    )  # fmt: skip

    def __init__(self, view: RunParts, effect_id: str, emit: Emit, journal: Journal) -> None:
        self.run_id = view.run_id
        self.state = view.state
        """The state of the run when the effect began."""
        self.effect_id = effect_id
        self.purse = view.purse
        """What the run may spend, and with it the runs inside it."""
        self.approval_rules = rules_of_run(view)
        """Who decides about its calls, and about those of the runs inside it."""
        self.journal = journal
        """Where the runs inside it are kept."""
        self._emit = emit
        self.counted = view.context.usage if view.live.has_usage else None
        """The usage that has the cost of what runs inside the effect have done before."""
        self.is_over = False
        """Whether the effect has ended: what its code has left running is nobody's part."""
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self.counts: dict[str, int] = {}

    @property
    def is_repeated(self) -> bool:
        """Whether it ended the run by failing, which goes on since: so do the runs inside it."""
        return self.effect_id in self.state.repeated

    @property
    def call_id(self) -> str:
        """The id of the run that performs the whole effect, for the call of an agent used as a tool."""
        return f"{self.run_id}/{self.effect_id}"

    def child_id(self, agent: str, items: list[Item]) -> str:
        """The id of the next run of ``agent`` with this input; a second such run has another one.

        Never an arrival number alone: runs that begin at once may arrive in another order next time.
        """
        said = b"\n".join((agent.encode("utf-8", "replace"), *map(canonical, items)))
        digest = sha256(said).hexdigest()[:16]
        number = self.counts[digest] = self.counts.get(digest, 0) + 1
        parent = self.state.origins.get(self.effect_id, self.run_id)
        return f"{parent}/{self.effect_id}/{digest}.{number}"

    def decisions(self, state: RunState) -> list[ApprovalDecided]:
        """What the run's log says of the calls that a run inside this effect waits with."""
        found: list[ApprovalDecided] = []
        outer = self.state
        for key, asked in outer.requested.items():
            if asked.id != self.effect_id or not asked.child or key not in outer.decided:
                continue
            request = state.requested.get(asked.call_id)
            is_same = asked.inner_number in (0, state.questions.get(asked.call_id))
            if request is not None and is_same and asked.call_id not in state.decided:
                about = {"agent": request.agent, "name": tool_name(state, request, None)}
                about |= {"call_id": request.call_id, "child": request.child}
                found.append(msgspec.structs.replace(outer.decided[key], **about))
        return found

    async def note_child(self, run_id: str, agent: str) -> None:
        """Record in the run's log that a run begins inside the effect."""
        if asyncio.get_running_loop() is self._loop:
            await self._record(run_id, agent)
        else:
            # A blocking tool, in a thread with a loop of its own. The run's loop may wait for it.
            asyncio.run_coroutine_threadsafe(self._record(run_id, agent), self._loop)

    async def _record(self, run_id: str, agent: str) -> None:
        if not self.is_over:
            await self._emit(ChildStarted(self.effect_id, run_id, agent, is_nested=True))

    def afterwards(self) -> Place:
        """The same place for hooks that are told of the effect; what its code left running stays out."""
        later = copy(self)
        later.is_over = False
        return later

    def beside(self, effect_id: str) -> Place:
        """The place of another effect of the run."""
        other = self.afterwards()
        other.effect_id = effect_id
        other.counts = {}
        return other

    @contextmanager
    def entered(self) -> Generator[None]:
        """A block in which user code is a part of the effect."""
        outer = HERE.set(self)
        try:
            yield
        finally:
            self.is_over = True
            HERE.reset(outer)


HERE: ContextVar[Place | None] = ContextVar("outlast_place", default=None)


def here() -> Place | None:
    """The effect that the caller is a part of, if it is still performed."""
    place = HERE.get()
    return None if place is None or place.is_over else place


def at_effect(run_id: str, effect_id: str) -> AbstractContextManager[None]:
    """A block in which user code is a part of another effect of the run, if the caller is in the run."""
    place = here()
    if place is None or place.run_id != run_id:
        return nullcontext()
    return place.beside(effect_id).entered()
