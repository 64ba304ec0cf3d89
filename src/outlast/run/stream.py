"""Watching a run while it goes on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from outlast.core.commands import Cancel
from outlast.core.errors import JournalError
from outlast.core.events import Entry, ErrorFacts, Event, HandedOff, ModelReplied, ToolReturned
from outlast.core.state import answer_entry, answer_places
from outlast.definitions.agent import Agent
from outlast.definitions.choices import check_choice
from outlast.definitions.logger import logger
from outlast.definitions.stream_events import (
    AgentUpdatedStreamEvent,
    RawResponsesStreamEvent,
    RunItemStreamEvent,
    StreamEvent,
)
from outlast.effects.config import OnAbandon
from outlast.effects.projection import KINDS, run_item
from outlast.engine.env import RunEnv
from outlast.run.abandon import note_departure
from outlast.run.commands import new_command_id
from outlast.run.result import RunResultBase, described, fill
from outlast.run.run_state import RunState
from outlast.run.tracebacks import is_of_setup, shorten
from outlast.views.items import tool_error
from outlast.views.news import News, news

BREATH_TICKS = 64
"""How many turns of the loop a reader gets to hear what was told, before more begins: 0.3 ms if idle."""


UNREAD_TOKENS_MAX = 2000
"""How many raw events of models wait for a reader; a megabyte or two. Then the older tokens go."""


class Feed:
    """Events on their way to one reader: never waits for the reader, ends when the run does.

    What waits for one who does not read is bounded by the log: of more raw events than
    `UNREAD_TOKENS_MAX`, the tokens are dropped, which nobody needs whose items are to come.
    """

    __slots__ = ("_events", "_is_late", "_raw", "_wake", "is_closed", "readers", "turn")

    def __init__(self) -> None:
        self._events: deque[tuple[int, StreamEvent]] = deque()
        """Each with the turn that it is of."""
        self._is_late = False
        self._raw = 0
        """How many of them are a model's own."""
        self.turn = 0
        """The turn of the newest event that was read."""
        self._wake = asyncio.Event()
        """Not set while a reader waits for an event."""
        self.is_closed = False
        self.readers = 0
        """How many read."""

    def put(self, event: StreamEvent, turn: int) -> None:
        """Queue an event; nothing happens after `close`."""
        if self.is_closed:
            return
        self._events.append((turn, event))
        self._wake.set()
        if isinstance(event, RawResponsesStreamEvent):
            self._raw += 1
            if self._raw > UNREAD_TOKENS_MAX:
                self._keep(lambda each: not _is_token(each))
            if self._raw > UNREAD_TOKENS_MAX:
                self._keep(lambda each: not isinstance(each, RawResponsesStreamEvent))

    def _keep(self, is_kept: Callable[[StreamEvent], bool]) -> None:
        self._events = deque(each for each in self._events if is_kept(each[1]))
        self._raw = sum(isinstance(each[1], RawResponsesStreamEvent) for each in self._events)

    async def breath(self) -> None:
        """Give a reader who keeps up the time to hear what was told and to stop the run.

        Never waits for one who does not: that one gets no more time until it has caught up.
        """
        for _ in range(0 if self._is_late or not self.readers else BREATH_TICKS):
            if self.is_closed or not self._wake.is_set():
                return
            await asyncio.sleep(0)
        self._is_late = True

    def close(self, *, drop: bool = False) -> None:
        """No more events come; those queued are dropped if ``drop``."""
        self.is_closed = True
        if drop:
            self._events.clear()
        self._wake.set()

    async def take(self) -> StreamEvent | None:
        """The next event, waiting for it if need be; None after the last."""
        while not self._events and not self.is_closed:
            self._is_late = False
            self._wake.clear()
            await self._wake.wait()
        if not self._events:
            return None
        self.turn, event = self._events.popleft()
        self._raw -= isinstance(event, RawResponsesStreamEvent)
        return event


def _is_token(event: StreamEvent) -> bool:
    return isinstance(event, RawResponsesStreamEvent) and str(event.data.type).endswith(".delta")


@dataclass
class RunResultStreaming(RunResultBase):
    """A run that goes on; its fields follow it, and `stream_events` tells what happens."""

    current_agent: Agent
    current_turn: int = 0
    max_turns: int | None = 10
    _current_agent_output_schema: Any = field(default=None, repr=False)
    """Holds a place: who makes a result by position counts it."""
    trace: Any = field(default=None, repr=False)
    is_complete: bool = False
    run_loop_task: asyncio.Task[Any] | None = field(default=None, repr=False, kw_only=True)
    _feed: Feed = field(default_factory=Feed, repr=False, kw_only=True)
    _past: set[int] = field(default_factory=set[int], repr=False, kw_only=True)
    """Identities of the events that happened before anybody watched: those of a copy's original too."""
    _reply: ModelReplied | None = field(default=None, repr=False, kw_only=True)
    """The reply whose calls are answered."""
    _answers: list[Entry] = field(default_factory=list[Entry], repr=False, kw_only=True)
    _cancel: Literal["", "immediate", "after_turn"] = field(default="", repr=False, kw_only=True)
    _is_interrupted: bool = field(default=False, repr=False, kw_only=True)
    on_abandon: OnAbandon = field(default="finish", repr=False, kw_only=True)
    """What becomes of the run when its only reader goes away; see `RunConfig`."""
    _error: BaseException | None = field(default=None, repr=False, kw_only=True)
    _first_state: Callable[[], RunState] | None = field(default=None, repr=False, kw_only=True)
    """Makes the state of the run as long as it has not begun."""

    def __post_init__(self) -> None:
        self._last_agent = self.current_agent

    def __str__(self) -> str:
        return described(
            self,
            "RunResultStreaming",
            f'- Current agent: Agent(name="{self.current_agent.name}", ...)',
            f"- Current turn: {self.current_turn}",
            f"- Max turns: {self.max_turns}",
            f"- Is complete: {self.is_complete}",
        )

    def to_state(self) -> RunState:
        """See `RunResultBase.to_state`. A run that has not begun yet has the state of its input."""
        if self._env is None and self._first_state is not None:
            return self._first_state()
        return super().to_state()

    def release_agents(self, *, release_new_items: bool = True) -> None:
        """See `RunResultBase.release_agents`."""
        super().release_agents(release_new_items=release_new_items)
        self._first_state = None  # It holds the agent.

    @property
    def run_loop_exception(self) -> BaseException | None:
        """What the run failed with; None while it goes on or when it did not fail."""
        return self._error

    @property
    def is_stopped(self) -> bool:
        """Whether somebody wanted it stopped at once: ended, or left to be resumed."""
        return self._cancel == "immediate"

    @property
    def is_given_up(self) -> bool:
        """Whether somebody has decided that the run is to end at once."""
        return self._cancel == "immediate" and not self._is_interrupted

    def tool_error(self, call_id: str | None) -> ErrorFacts | None:
        """What the tool raised whose answer has this id; None if it did not fail."""
        events = self._env.log.events if self._env else []
        return tool_error(reversed(events), call_id)

    def cancel(self, mode: Literal["immediate", "after_turn"] = "immediate") -> None:
        """Stop the run.

        Args:
            mode: ``immediate`` stops what is in flight and drops queued events. ``after_turn``
                lets the turn end, with its tools and its saving to the session.

        Raises:
            ValueError: The mode is neither.
        """
        check_choice("mode", mode, Literal["immediate", "after_turn"])
        if self._cancel == "immediate":
            return  # What cleans up since the first time is not to be stopped.
        self._cancel = mode
        if mode == "after_turn":
            self._post(Cancel(id=new_command_id(), mode=mode, turn=max(1, self._feed.turn)))
            return
        if not self._is_interrupted:
            self._post(Cancel(id=new_command_id()))
        self._feed.close(drop=True)
        self.is_complete = True
        if self._env and self.run_loop_task and not self.run_loop_task.done():
            if self._env.log.stop is not None:
                self._env.log.stop()
            self.run_loop_task.cancel()

    def _post(self, command: Cancel) -> None:
        """Have the run ended; it is on disk when this returns, unless the disk refuses."""
        if self._env is None or self._env.log.state.ended:
            return
        try:
            self._env.log.post(command)
        except JournalError as error:  # It is ended all the same, as long as this process lives.
            logger.warning("Could not record that a run is to end: %s", type(error).__name__)

    def interrupt(self) -> None:
        """Stop the run, which can be resumed: a client has gone away, or Ctrl-C."""
        if self._cancel != "immediate":
            self._is_interrupted = True
            self.cancel()

    def put_down(self) -> None:
        """Begin nothing more. What is performed ends and is kept; another process may go on then."""
        if self._env is not None:
            self._env.log.is_put_down = True
        elif self.run_loop_task is not None:
            self.run_loop_task.cancel()

    def _depart(self) -> None:
        """Whoever reads goes away before the end."""
        is_over = self.is_complete or self.run_loop_task is None or self.run_loop_task.done()
        if is_over or self._cancel or self._feed.readers > 1:
            return
        if self.on_abandon == "cancel":
            self.cancel()
        elif self.on_abandon == "leave":
            self.interrupt()
        elif self._env is not None:
            note_departure(self._env.log, "finish")

    async def stream_events(self) -> AsyncIterator[StreamEvent]:
        """The run's events as they happen, until it ends or waits for a person.

        Tokens come as raw events; items come once they are in the log. Leaving the loop early, or
        cancelling the task that reads, does what `RunConfig(on_abandon=...)` says; by default the run
        goes on in this process.

        Raises:
            AgentsException: The run failed; the same error as `Runner.run` raises.
        """
        feed = self._feed
        feed.readers += 1
        try:
            try:
                while (event := await feed.take()) is not None:
                    yield event
            except (asyncio.CancelledError, GeneratorExit):
                self._depart()
                raise
            finally:
                feed.readers -= 1
        except GeneratorExit:
            if self.run_loop_task:  # Whoever closes the iterator finds the run at its end.
                await asyncio.wait([self.run_loop_task])
            raise
        if self.run_loop_task:
            await asyncio.wait([self.run_loop_task])
        if self._error is not None and self._cancel != "immediate":
            if is_of_setup(self._error):
                shorten(self._error)
            raise self._error

    # --- What the run tells. -------------------------------------------------------------

    def attach(self, env: RunEnv) -> None:
        """Follow a run from here on."""
        self._env, self._first_state = env, None
        env.show = self._show
        env.log.listeners.append(self._heard)
        self._past = {id(event) for event in env.log.events}
        state = env.log.state
        if state.is_loaded or not state.options.session:
            self.current_turn = max(state.turn, 1)
        self._reply = state.reply
        self._show(AgentUpdatedStreamEvent(new_agent=env.agents.named(state.agent)))
        if self._cancel == "after_turn":
            self._post(Cancel(id=new_command_id(), mode="after_turn", turn=1))

    def _settle(self, env: RunEnv) -> None:
        """Bring every field up to the run's last event."""
        self._tell_answers(env, is_last=True)
        fill(self, env)
        self.current_agent = env.agents.named(env.log.state.agent)

    def finish(self, error: BaseException | None) -> None:
        """No more events come; every field says what the run came to."""
        self._error = error
        try:
            if self._env is not None:
                self._settle(self._env)
        except Exception as failure:  # whoever reads hears of it, and of the run's own error first
            self._error = error or failure
            raise
        finally:
            self.is_complete = True
            self._feed.close()

    def _show(self, event: StreamEvent) -> None:
        self._feed.put(event, self.current_turn)

    def _heard(self, events: Sequence[Event]) -> Awaitable[None] | None:
        env = self._env
        if env is None:
            return None
        past, self._past = self._past, set()
        for event in events:
            if id(event) in past:
                continue
            self._tell_news(env, news(event, env.log.state))
        self._tell_answers(env)
        return self._feed.breath()

    def _tell_news(self, env: RunEnv, told: News) -> None:
        if told.answer is not None:
            self._answers.append(_answer(env, told.answer))
        if not told.is_between:
            self._tell_answers(env)
        self.current_turn = told.turn or self.current_turn
        if told.reply is not None:
            self._reply = reply = told.reply
            newest = _tail(env, len(reply.output))
            self._tell(env, *(entry for entry in newest if entry.source == reply.id))
        if told.agent is not None:
            self.current_agent = env.agents.agent(told.agent)
            self._show(AgentUpdatedStreamEvent(new_agent=self.current_agent))
        if told.has_message:
            self._tell(env, _tail(env, 1)[-1])

    def _tell_answers(self, env: RunEnv, *, is_last: bool = False) -> None:
        """Answers are told when none is open, in the order in which they stand in the conversation."""
        if not self._answers or (env.log.durable.open_calls and not is_last):
            return
        if self._reply is not None and len(self._answers) > 1:
            places = answer_places(self._reply)
            self._answers.sort(key=lambda entry: places.get(str(entry.item.get("call_id")), 0))
        self._tell(env, *self._answers)
        self._answers.clear()

    def _tell(self, env: RunEnv, *entries: Entry) -> None:
        for entry in entries:
            name: Any = KINDS.get(entry.kind, (None, ""))[1]
            if name:
                self._show(RunItemStreamEvent(name=name, item=run_item(env, entry)))


def _answer(env: RunEnv, event: ToolReturned | HandedOff) -> Entry:
    """The entry of an answer: the conversation's own, where it is there already."""
    own = (entry for entry in _tail(env, 1) if entry.item is event.item)
    return next(own, None) or answer_entry(event, env.log.state.agent)


def _tail(env: RunEnv, count: int) -> list[Entry]:
    """The newest entries, more than ``count`` of them: reading all would cost more every turn."""
    entries = env.log.state.entries
    return entries.since(max(0, len(entries) - 2 * count - 256))
