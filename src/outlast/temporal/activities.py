"""The activities of a worker: Outlast's own performers, on a machine that has the program.

What comes in is a position in a log, and what is new in it; what goes out is events. Between two
activities a worker keeps nothing that it could not read again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import msgspec
from temporalio import activity
from temporalio.client import Client, WorkflowHandle  # noqa: TC002  # no library is hidden
from temporalio.exceptions import ApplicationError

from outlast.calls.prices import table_of
from outlast.core.budgets import Ledger
from outlast.core.decide import decide
from outlast.core.effects import CallModel, Conclude, Effect, Prepare, RunTool
from outlast.core.errors import IncompatibleRun, JournalCorrupt, UserError
from outlast.core.events import EffectKind, EffectStarted, Event, RunStarted
from outlast.core.evolve import fold
from outlast.core.state import RunState
from outlast.definitions.agent import Agent
from outlast.definitions.budget import budget_of
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.hooks import RunHooks
from outlast.effects.config import RunConfig
from outlast.effects.hook_calls import tell_hooks
from outlast.effects.live import Live
from outlast.effects.outcome import HookCall, Outcome
from outlast.effects.performers import perform
from outlast.effects.place import Place
from outlast.effects.purse import Purse, purse_of
from outlast.effects.registry import Registry, reachable
from outlast.effects.scope import RunScope
from outlast.effects.view import RunView, restored_context
from outlast.engine.neighbours import neighbours_of
from outlast.journal.health import MemoryHealth
from outlast.sessions.session import Session
from outlast.temporal.asking import answered
from outlast.temporal.chain import Reference, name_of, unpacked
from outlast.temporal.journal import TemporalJournal
from outlast.temporal.reading import log_behind, read_page
from outlast.temporal.settings import TemporalSettings
from outlast.temporal.store import Store, ledger_of
from outlast.temporal.tokens import Streams, TokenWriter, stream_of
from outlast.temporal.workflow import OpenEffect

_encode = msgspec.json.Encoder().encode
_opened = msgspec.json.Decoder(OpenEffect).decode
_STATES_KEPT = 2000
_NOTHING_SENT: tuple[str, list[Any]] = ("", [])
_KINDS: tuple[EffectKind, ...] = (
    "prepare", "model", "tool", "handoff", "guardrail", "approval", "conclude", "recover", "session", "timer",
)  # fmt: skip


@dataclass(kw_only=True)
class Program:
    """What a worker performs runs of: agents, and what surrounds them.

    It takes the place of what a local call of `Runner.run` says beside the input, for that cannot
    travel. Factories are called once a run and worker.
    """

    agent: Agent
    """The first agent; those that it leads to are known with it."""
    agents: Sequence[Agent] = ()
    """Others that runs may begin with."""
    run_config: RunConfig = field(default_factory=RunConfig)
    context: Callable[[RunStarted], Any] | None = None
    """Makes the context of a run from how it began: its input, its metadata."""
    session: Callable[[str], Session] | None = None
    """Makes the session with this id, of runs that were begun with one."""
    hooks: RunHooks | None = None
    error_handlers: Any = None

    def registry(self, name: str) -> Registry:
        """The agents of a run that begins with the agent of this name.

        Raises:
            UserError: The program has none.
        """
        every = [self.agent, *self.agents]
        found = next((each for each in every if each.name == name), None)
        known = Registry(self.agent).known() if found is None else {}
        found = found or known.get(name) or _tool_agents(every).get(name)
        if found is None:
            names = sorted({*known, *(each.name for each in every)})
            raise UserError(
                f"The worker's program has no agent {name!r}; it has {names}. Give the worker a Program "
                "with agents=[...] that has it."
            )
        return Registry(found)


def _tool_agents(roots: Sequence[Agent]) -> dict[str, Agent]:
    return {name: each[0] for root in roots for name, each in reachable(root).items()}


class _Spender(NamedTuple):
    """See `effects.purse.Spender`. An activity that is tried again is another acquisition of its call."""

    run_id: str
    epoch: int
    state: RunState
    store: Store

    def spent_ledger(self) -> Ledger:
        return ledger_of(self.store)


class Performers:
    """Performs the effects of runs for a cluster."""

    def __init__(
        self,
        program: Program,
        client: Client,
        store: Store,
        settings: TemporalSettings | None = None,
    ) -> None:
        self._program, self._client, self._store = program, client, store
        self._settings = settings
        self._health = MemoryHealth()
        self._states: OrderedDict[str, RunState] = OrderedDict()
        """By the name of a log's last piece. Losing one costs reading it."""
        self._contexts: OrderedDict[str, Any] = OrderedDict()
        self._sent: OrderedDict[str, Any] = OrderedDict()
        """What runs asked their models last: how far an estimate of its length was off. See `Live.sent`."""

    def activities(self) -> list[Callable[..., Awaitable[Any]]]:
        """All activities, each under its name: one a kind of effect, and those that carry logs."""

        def named(name: str, act: Callable[[bytes, bytes], Awaitable[bytes]]) -> Any:
            async def performed(asked: bytes, piece: bytes) -> bytes:
                with _beating(), _told_apart():
                    return await act(asked, piece)

            return activity.defn(name=name)(performed)

        kinds = [named(f"outlast.{kind}", self._perform) for kind in _KINDS]
        return [*kinds, named("outlast.tell", self._tell), self._load, self._keep]

    @activity.defn(name="outlast.load")
    async def _load(self, name: str) -> bytes:
        return _encode(await log_behind(self._store, Reference(name)))

    @activity.defn(name="outlast.keep")
    async def _keep(self, piece: bytes) -> str:
        return await self._store.put(piece, name_of(piece))

    async def _perform(self, asked: bytes, piece: bytes) -> bytes:
        said = _opened(asked)
        state = await self._state(piece)
        effect = next((each for each in decide(state) if each.id == said.effect), None)
        if effect is None:  # Somebody else has performed it, or nobody wants it any more.
            return _encode(Outcome([]))
        outcome = await self._performed(effect, said, state)
        events = list(outcome.events)
        # What shortens a conversation says so in the middle of a call, and has to be told behind what the
        # call follows.
        may_go_on = said.goes_on and self._program.run_config.compaction is None
        while may_go_on or isinstance(effect, Prepare):
            state = fold(outcome.events, state)
            following = _following(effect, state) if not outcome.hooks else None
            if following is None:
                break
            start = EffectStarted(following.id, following.kind, following.name)
            state, effect = fold([start], state), following
            outcome = await self._performed(effect, said, state)
            events += [start, *outcome.events]
        return _encode(Outcome(events, outcome.hooks))

    async def _tell(self, asked: bytes, piece: bytes) -> bytes:
        said = _opened(asked)
        view = self._view(said, await self._state(piece))
        with self._place(view, said.effect).entered():
            for call in said.hooks:
                await tell_hooks(call, view)
        return b""

    async def _performed(self, effect: Effect, said: OpenEffect, state: RunState) -> Outcome:
        """What one effect comes to; what its events name is stored."""
        view = self._view(said, state)
        async with self._shown(view, is_watched=said.is_watched) as view:
            with self._place(view, effect.id).entered():
                async with view.scope:
                    outcome = await perform(effect, view, self._emit)
        if isinstance(effect, CallModel) and self._program.run_config.compaction is not None:
            _keep(self._sent, view.run_id, view.live.sent)
        for name, data in outcome.blobs.items():
            await self._store.put(data, name)
        hooks = outcome.hooks if _hears(view, outcome.hooks) else ()
        return Outcome(outcome.events, hooks)

    @asynccontextmanager
    async def _shown(self, view: RunView, *, is_watched: bool) -> AsyncGenerator[RunView]:
        """The view that shows what a model says to those who watch the run elsewhere."""
        if not is_watched or not isinstance(self._store, Streams):
            yield view
            return
        writer = TokenWriter(self._store, stream_of(activity.info().workflow_id or ""))
        try:
            yield msgspec.structs.replace(view, show=writer.show)
        finally:
            await writer.close()

    def _place(self, view: RunView, effect_id: str) -> Place:
        return Place(view, effect_id, self._emit, self._journal(view.run_id))

    def _journal(self, run_id: str) -> TemporalJournal:
        info = activity.info()
        prefix = (info.workflow_id or "").removesuffix(run_id)
        return TemporalJournal(
            self._client, self._store, info.task_queue, self._settings, prefix=prefix
        )

    async def _emit(self, *events: Event) -> None:
        """Add to the run's log while an effect is performed: durable once the server has the signal."""
        await self._workflow().signal("emitted", _encode(events))

    def _workflow(self) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(activity.info().workflow_id or "")

    async def _state(self, piece: bytes) -> RunState:
        """What the log amounts to, with what an earlier attempt has added to it."""
        name = name_of(piece)
        if name not in self._states:
            await self._store.put(piece, name)  # What comes next goes on from it.
        if activity.info().attempt > 1:
            answer = await answered(lambda: self._workflow().query("log", result_type=bytes))
            return fold((await read_page(self._store, answer))[0])
        state = self._states.get(name)
        if state is None:
            told = unpacked(piece)
            before = self._states.get(told.before)
            if before is None:
                before = fold(await log_behind(self._store, Reference(told.before, told.at)))
            state = fold(told.events, before)
            _keep(self._states, name, state)
        return state

    def _view(self, said: OpenEffect, state: RunState) -> RunView:
        program, started = self._program, state.started
        run_id = said.run_id
        assert started is not None
        return RunView(
            run_id=run_id,
            state=state,
            agents=program.registry(started.agent),
            context=self._context(run_id, state),
            config=program.run_config,
            hooks=program.hooks,
            session=self._session(state),
            error_handlers=program.error_handlers,
            live=Live(sent=self._sent.get(run_id, _NOTHING_SENT)),
            blobs=self._blob,
            health=lambda: self._health,
            durability="power",
            scope=RunScope(run_id),
            purse=self._purse(said, state),
            neighbours=partial(neighbours_of, self._journal(run_id), run_id, state),
        )

    def _purse(self, said: OpenEffect, state: RunState) -> Purse | None:
        """What the run may spend: by its own budgets, by the program's, and by those of outer runs."""
        run = _Spender(said.run_id, activity.info().attempt, state, self._store)
        own = replace(self._program.run_config, budgets=())  # Those of the run are in its log.
        budgets = tuple((budget_of(facts), root) for facts, root in said.outer)
        prices = table_of(self._program.run_config.prices)
        outer = Purse(budgets, run.spent_ledger, prices, run.epoch) if budgets else None
        if self._program.run_config.budgets:
            outer = purse_of(self._program.run_config, outer, run)
        return purse_of(own, outer, run)

    def _context(self, run_id: str, state: RunState) -> RunContextWrapper:
        make = self._program.context
        if make is not None and run_id not in self._contexts:
            assert state.started is not None
            _keep(self._contexts, run_id, make(state.started))
        return restored_context(self._contexts.get(run_id), state)

    def _session(self, state: RunState) -> Session | None:
        options = state.options
        if not options.session:
            return None
        if self._program.session is None:
            raise UserError(
                f"The run has session {options.session_id!r}, and the worker's program makes none. Give "
                "it Program(session=...), which makes the session with an id."
            )
        return self._program.session(options.session_id)

    async def _blob(self, name: str) -> bytes:
        return await self._store.get(name)


def _keep(kept: OrderedDict[str, Any], name: str, value: Any) -> None:
    """Keep a value with the others, and forget the oldest ones."""
    kept[name] = value
    while len(kept) > _STATES_KEPT:
        kept.popitem(last=False)


def _following(effect: Effect, state: RunState) -> Effect | None:
    """The next step of a turn, if it is the only one and may be repeated together with ``effect``."""
    wanted = decide(state)
    may_go_on = isinstance(effect, Prepare | RunTool | Conclude) and effect.policy == "retry"
    if not may_go_on or len(wanted) != 1 or state.in_flight:
        return None
    following = wanted[0]
    return following if isinstance(following, Prepare | CallModel | Conclude) else None


def _hears(view: RunView, calls: Sequence[HookCall]) -> bool:
    """Whether there is anybody to tell."""
    agents = (view.agents.find(call.agent) for call in calls)
    return view.hooks is not None or any(agent and agent.hooks for agent in agents)


@contextmanager
def _told_apart() -> Generator[None]:
    """A block whose errors of the program are final: another attempt meets the same program."""
    try:
        yield
    except (UserError, IncompatibleRun, JournalCorrupt) as error:
        kind = type(error).__name__
        raise ApplicationError(str(error), type=kind, non_retryable=True) from error


@contextmanager
def _beating() -> Generator[None]:
    """A block in which the cluster knows that this worker lives."""
    timeout = activity.info().heartbeat_timeout

    async def beat(every_s: float) -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(every_s)

    task = asyncio.create_task(beat(timeout.total_seconds() / 3)) if timeout else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
