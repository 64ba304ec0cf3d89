"""The workflow of every run: the core and its loop, in Temporal's sandbox.

Nothing of the user's is imported here, so a deploy of theirs cannot break the replay of a history. An
effect is one activity. Its arguments are where it stands and the events that are new; its result is
events. Commands are updates, and what an effect adds in its middle is a signal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from outlast.core.commanding import taken
    from outlast.core.commands import Command
    from outlast.core.effects import CallModel, Effect, Prepare, RunTool, Wait
    from outlast.core.events import (
        EffectFailed,
        EffectLost,
        EffectStarted,
        ErrorFacts,
        Event,
        RunUnparked,
        TimerFired,
    )
    from outlast.core.evolve import fold
    from outlast.core.state import RunState
    from outlast.effects.outcome import Emit, HookCall, Outcome
    from outlast.engine.drive import drive
    from outlast.temporal.attributes import attributes_of, updates
    from outlast.temporal.chain import NOTHING, Reference, name_of, packed
    from outlast.temporal.settings import TemporalSettings
    from outlast.views.costs import cost_of
    from outlast.views.status import status

_MINUTE = timedelta(minutes=1)
_EVENTS_PER_STEP = 6
"""What an activity, an update or a signal adds to a history, with the workflow's task behind it."""
_events = msgspec.json.Decoder(list[Event]).decode
_outcome = msgspec.json.Decoder(Outcome).decode
_command = msgspec.json.Decoder(Command).decode
_encode = msgspec.json.Encoder().encode


class Start(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """What a workflow begins with: a log, or the name of one and what came after it."""

    run_id: str
    settings: TemporalSettings
    events: list[Event] = []
    name: str = ""
    """Of the last piece of a log that the store has."""
    length: int = 0
    """How many events that log has."""
    is_watched: bool = False
    """Whether somebody wants to see what models say while they speak."""
    outer: list[tuple[dict[str, Any], str]] = []
    """The budgets of the runs that this one is inside of, each with the run that brought it."""
    is_searchable: bool = False
    """Whether the namespace has the search attributes of runs."""


class OpenEffect(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an activity is told beside the new events."""

    run_id: str
    effect: str
    """Its id; empty where only the log is to be read."""
    hooks: Sequence[HookCall] = ()
    """What hooks are to be told, instead of performing the effect."""
    goes_on: bool = False
    """Whether the same activity may perform what follows, too, where that is a turn's next step."""
    is_watched: bool = False
    """Whether what a model says is shown while it speaks."""
    outer: Sequence[tuple[dict[str, Any], str]] = ()
    """See `Start`."""


class Page(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """A log, as a query answers: by reference, and what came after it."""

    name: str
    length: int
    events: list[Event]
    status: str


class HistoryLog:
    """The log of a run, kept by Temporal's history: what activities answered is there already."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.run_id = start.run_id
        self.settings = start.settings
        self.is_watched = start.is_watched
        self.outer = start.outer
        self.nano_usd = 0
        """What the run has cost, as far as prices are known."""
        self.events: list[Event] = []
        """Those after `stored`."""
        self.state = RunState()
        self.stored = Reference()
        """What the store has for certain."""
        self.history = 0
        """About how many events Temporal's own history has by now. Counted here, for what the server says
        of it differs when a history is replayed."""
        self._commands: list[Command] = []
        self._fresh: list[Event] = []
        """What was added since the last commit."""
        self._wake: Callable[[], None] | None = None

    def open(self, events: Iterable[Event], stored: Reference = NOTHING) -> None:
        """Begin with these events, of which the store has the first ones."""
        every = list(events)
        self.state = fold(every, self.state)
        self.nano_usd = cost_of(every)
        self.events, self.stored = every[stored.length :], stored

    is_put_down = False
    """A cluster stops workers, not runs: an effect in flight is an activity, and ends elsewhere."""

    @property
    def has_commands(self) -> bool:
        """Whether somebody has posted a command that was not taken yet."""
        return bool(self._commands)

    @property
    def length(self) -> int:
        """How many events there are."""
        return self.stored.length + len(self.events)

    def add(self, events: Iterable[Event]) -> None:
        fresh = list(events)
        self.events += fresh
        self._fresh += fresh
        self.nano_usd += cost_of(fresh)
        self.state = fold(fresh, self.state)

    async def commit(self) -> None:
        """Nothing waits to be written; here a run goes on in a fresh history, if the old one is long."""
        fresh, self._fresh = self._fresh, []
        begun = {event.id for event in fresh if isinstance(event, EffectStarted)}
        if self.history <= self.settings.events_per_history or self.state.ended:
            return
        in_flight = set(self.state.in_flight)
        if not in_flight or in_flight - begun:
            return  # Hooks are still to be told, or something is being performed.
        while self.events and isinstance(self.events[-1], EffectStarted):
            self.events.pop()  # It has not begun.
        await self.quiet()
        length, piece = self.length, packed(self.stored, self.events)
        kept = await workflow.execute_activity(
            "outlast.keep", args=[piece], result_type=str, start_to_close_timeout=_MINUTE
        )
        await self.quiet()  # Somebody may have said something while it was kept.
        later = self.events[length - self.stored.length :]
        start = msgspec.structs.replace(self.start, events=later, name=kept, length=length)
        workflow.continue_as_new(arg=_encode(start))

    def take(self) -> None:
        commands, self._commands = self._commands, []
        for command in commands:
            if command.id not in self.state.commands:
                self.add(taken(self.state, self.run_id, command))

    def listen(self, wake: Callable[[], None], stop: Callable[[], None]) -> Callable[[], None]:
        del stop  # Nobody but the workflow's own loop performs the run.
        self._wake = wake

        def leave() -> None:
            self._wake = None

        return leave

    async def quiet(self) -> None:
        """Let whoever has said something hear what came of it, where the loop takes nothing more."""
        while not workflow.all_handlers_finished():
            self.take()
            await workflow.wait_condition(
                lambda: workflow.all_handlers_finished() or self.has_commands
            )

    def post(self, command: Command) -> None:
        """Have a command taken."""
        self.history += _EVENTS_PER_STEP
        self._commands.append(command)
        self.wake()

    def wake(self) -> None:
        """Have the loop look again."""
        if self._wake is not None:
            self._wake()


class Activities:
    """Performs each effect as an activity."""

    def __init__(self, log: HistoryLog) -> None:
        self._log = log
        self._settings = log.settings

    def derive(self, effect: Effect, state: RunState) -> Sequence[Event] | None:
        del effect, state
        return None  # What a program defines, its workers know.

    async def perform(self, effect: Effect, emit: Emit) -> Outcome:
        del emit  # A worker's reaches the workflow as a signal.
        if isinstance(effect, Wait):
            left = max(0.0, effect.at - workflow.time())
            await workflow.sleep(left if effect.longest_s is None else min(left, effect.longest_s))
            return Outcome([TimerFired(effect.id)])
        log = self._log
        length, piece = log.length, packed(log.stored, log.events)
        try:
            answer = await self._asked(effect, (), piece)
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.non_retryable:
                facts = ErrorFacts(cause.type or "", cause.message)
                return Outcome([EffectFailed(effect.id, facts)])
            if effect.policy == "retry" or is_cancelled_exception(error):
                raise
            return Outcome([EffectLost(effect.id)])
        if length > log.stored.length:
            log.events = log.events[length - log.stored.length :]
            log.stored = Reference(name_of(piece), length)
        return _outcome(answer)

    async def tell(self, effect: Effect, hooks: Sequence[HookCall]) -> None:
        await self._asked(effect, hooks, packed(self._log.stored, self._log.events))

    def failed(self, effect: Effect, error: Exception) -> Event:
        return EffectFailed(effect.id, ErrorFacts(type(error).__name__, str(error)))

    async def _asked(self, effect: Effect, hooks: Sequence[HookCall], piece: bytes) -> bytes:
        settings, names = self._settings, self._names(effect)
        self._log.history += _EVENTS_PER_STEP
        log = self._log
        asked = OpenEffect(
            log.run_id, effect.id, hooks, settings.is_plain, log.is_watched, log.outer
        )
        beat = settings.heartbeat_s
        policy = RetryPolicy(
            initial_interval=timedelta(seconds=settings.retry_first_s),
            maximum_interval=timedelta(seconds=settings.retry_longest_s),
            maximum_attempts=0 if effect.policy == "retry" or hooks else 1,
        )
        return await workflow.execute_activity(
            f"outlast.{'tell' if hooks else effect.kind}",
            args=[_encode(asked), piece],
            result_type=bytes,
            task_queue=settings.queue(names),
            start_to_close_timeout=timedelta(seconds=settings.timeout(names)),
            heartbeat_timeout=timedelta(seconds=beat) if beat else None,
            retry_policy=policy,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=effect.name or self._log.state.agent,
        )

    def _names(self, effect: Effect) -> tuple[str, ...]:
        tool = effect.name if isinstance(effect, RunTool) else ""
        agent = getattr(effect, "agent", "") or self._log.state.agent
        return tool, agent, "model" if isinstance(effect, Prepare | CallModel) else effect.kind


@workflow.defn(name="OutlastRun")
class OutlastRun:
    """One run."""

    @workflow.init
    def __init__(self, start: bytes) -> None:
        self._start = msgspec.json.decode(start, type=Start)
        self._log = HistoryLog(self._start)
        self._is_open = False

    @workflow.run
    async def run(self, start: bytes) -> bytes:
        """The log of the run, as a `Page`, once it has ended."""
        del start  # `__init__` has it.
        log, begun = self._log, self._start
        if begun.name:
            stored = Reference(begun.name, begun.length)
            whole = await workflow.execute_activity(
                "outlast.load", args=[begun.name], result_type=bytes, start_to_close_timeout=_MINUTE
            )
            log.open([*_events(whole), *begun.events], stored)
        else:
            log.open(begun.events)
        self._is_open = True
        engine = Activities(log)
        await drive(log, engine)
        while not log.state.ended:
            self._note()
            await self._told()
            log.take()
            self._note()
            await drive(log, engine)
        self._note()
        await log.quiet()
        return self._page()

    def _note(self) -> None:
        """Let Temporal find the run by what it has come to."""
        if self._start.is_searchable:
            found = attributes_of(self._log.state, self._log.nano_usd)
            changed = updates(workflow.info().typed_search_attributes, found)
            if changed:
                workflow.upsert_search_attributes(changed)  # pyright: ignore[reportUnknownMemberType]  # Temporal's own types

    async def _told(self) -> None:
        """Wait until somebody says something, or a provider is to be asked again."""
        log, parked = self._log, self._log.state.parked.values()
        due = min((each.until for each in parked), default=None)
        left = None if due is None else max(0.0, due - workflow.time())
        try:
            await workflow.wait_condition(lambda: log.has_commands, timeout=left)
        except TimeoutError:
            log.add([RunUnparked()])

    @workflow.update(name="command")
    async def command(self, said: bytes) -> None:
        """Have a command taken. What came of it is an event that bears its id."""
        await workflow.wait_condition(lambda: self._is_open)
        command, log = _command(said), self._log
        log.post(command)
        await workflow.wait_condition(lambda: command.id in log.state.commands)

    @workflow.signal(name="emitted")
    async def emitted(self, events: bytes) -> None:
        """What an effect adds while it is performed."""
        await workflow.wait_condition(lambda: self._is_open)
        self._log.history += _EVENTS_PER_STEP
        self._log.add(_events(events))
        self._log.wake()

    @workflow.query(name="log")
    def log(self) -> bytes:
        """The log by reference, as a `Page`."""
        return self._page()

    def _page(self) -> bytes:
        log = self._log
        settled = status(log.state) if self._is_open else "running"
        return _encode(Page(log.stored.name, log.stored.length, log.events, settled))
