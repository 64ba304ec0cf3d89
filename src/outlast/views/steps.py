"""What a run did, read from its log alone: steps, who performed them, and where a process died.

    log ──Reader.add──▶ rows ──Reader.timeline──▶ Timeline

A step is one effect that touched the world (a model call, a tool, a handoff, a guardrail, a session
write) as one process performed it, or a wait for a person or a provider. An effect that was in flight
when its process died is two steps: the one in doubt, and the one that settled it.

An event's epoch says which process wrote it. A step whose epoch is older than the log's last one was
reused by the processes that came after; the others performed theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from outlast.core.commanding import TOLD
from outlast.core.decide import decide
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ChildStarted,
    EffectFailed,
    EffectLost,
    EffectStarted,
    GuardrailChecked,
    HandedOff,
    Item,
    ModelReplied,
    RunAcquired,
    RunFailed,
    RunForked,
    RunParked,
    RunUnparked,
    SessionHeldBack,
    SessionLoaded,
    SessionSaved,
    SessionShortened,
    ToolReturned,
    TurnPrepared,
)
from outlast.core.evolve import evolve
from outlast.core.identity import NO_METADATA
from outlast.core.ids import EffectId, approval_id
from outlast.core.items import text_of
from outlast.core.state import RunState
from outlast.core.stored import Stored
from outlast.views.status import status
from outlast.views.timeline import Outcome, Settled, Step, Takeover, Timeline, Turn
from outlast.views.waiting import retry_at
from outlast.views.words import answer_from, arguments_of, text_from

_EFFECTS = ("model", "tool", "handoff", "guardrail", "session")


def timeline(log: Iterable[Stored]) -> Timeline:
    """What a run did, its steps in the order in which they began."""
    reader = Reader()
    for stored in log:
        reader.add(stored)
    return reader.timeline()


class Reader:
    """Reads a log event by event, as it grows."""

    def __init__(self) -> None:
        self.state = RunState()
        self._rows: list[Step | Takeover] = []
        self._turns: list[Turn] = []
        self._handoffs = 0
        self._open: dict[str, Step] = {}  # The step that an effect id began last.
        self._doubts: dict[str, tuple[Takeover, str]] = {}
        """The takeover that an effect in doubt belongs to, and the effect's key."""
        self._asked: dict[str, str] = {}
        """The effects whose calls wait for a person, by the steps of that."""
        self._agreed: dict[str, list[Step]] = {}
        """Approvals of calls that have not begun since, by the calls' effects."""
        self._calls: dict[str, Item] = {}
        self._parents: dict[str, Step] = {}
        """The step that a run inside the run stands below, by the effect that it performs."""
        self._first: Stored | None = None
        self._last: Stored | None = None
        self._epoch: int = 0
        self._own_at = 0.0
        """When the process that performs the run last wrote of it."""
        self._source = ""

    def add(self, stored: Stored) -> None:
        """Read an event."""
        if not isinstance(stored.event, TOLD):  # Who notes a person's word need not go on.
            # Of a run that was enqueued there is nothing to take over: who acquires it begins it.
            is_begun = self._last is not self._first
            if self._last and is_begun and self.state.started and stored.epoch != self._epoch:
                self._take_over(stored, self._last)
            self._epoch, self._own_at = stored.epoch, stored.at
        if read := _READERS.get(type(stored.event)):
            read(self, stored, stored.event)
        self.state = evolve(self.state, stored.event)
        self._first, self._last = self._first or stored, stored

    def timeline(self) -> Timeline:
        """What the run did as far as the log was read."""
        if self._first is None or self._last is None:
            return Timeline()
        started, ended, output = self.state.started, self.state.ended, self.state.output
        error = ended.error if isinstance(ended, RunFailed) else None
        said = [text_of(item) for item in started.input] if started else []
        return Timeline(
            status=status(self.state),
            agent=started.agent if started else "",
            input=" / ".join(filter(None, said)),
            # An output that a guardrail refused is nobody's to read.
            output=text_from(output.output) if output and not error else "",
            error=f"{error.kind}: {error.message}" if error else "",
            retry_at=retry_at(self.state) or 0.0,
            failure=error,
            program=self.state.options.program,
            metadata=started.metadata if started else NO_METADATA,
            rows=tuple(self._rows),
            turns=tuple(self._turns),
            usage=self.state.usage,
            started_at=self._first.at,
            duration_s=max(self._last.at - self._first.at, 0.0),
            last_epoch=self._epoch,
            salt=started.salt if started else "",
            source=self._source,
        )

    def _take_over(self, stored: Stored, last: Stored) -> None:
        steps = [row for row in self._rows if isinstance(row, Step)]
        doubts = [step for step in steps if step.outcome == "open"]
        is_left = not isinstance(last.event, TOLD) and decide(self.state)
        was_crash = not self.state.abandoned and bool(doubts or is_left)
        takeover = Takeover(
            was_crash=was_crash,
            reused=sum(step.is_recorded for step in steps),
            settled=dict.fromkeys((step.id for step in doubts), "open"),
            at=stored.at,
            gap_s=max(stored.at - (self._own_at if was_crash else last.at), 0.0),
            owner=stored.event.owner if isinstance(stored.event, RunAcquired) else "",
            epoch=stored.epoch,
        )
        for step in doubts:
            step.outcome, step.ended_at = "in doubt", stored.at
            self._place(step)
            self._doubts[step.id] = (takeover, step.key)
            self._open.pop(step.id, None)
        self._rows.append(takeover)

    # --- What each event says of a step. -------------------------------------------------

    def prepare(self, stored: Stored, event: TurnPrepared) -> None:
        """A turn begins, or begins anew after a crash."""
        self._turn(stored, event.agent)
        if self._turns:
            last, asked = self._turns[-1], (event.instructions or "", event.tools or "")
            self._turns[-1] = replace(last, instructions=asked[0], tools=asked[1])

    def _turn(self, stored: Stored, agent: str) -> None:
        number = self.state.turn + 1
        if not self._turns or self._turns[-1].number < number:
            self._turns.append(
                Turn(
                    number=number,
                    agent=agent,
                    started_at=stored.at,
                    epoch=stored.epoch,
                    activation=self._handoffs,
                )
            )

    def begin(self, stored: Stored, event: EffectStarted) -> None:
        """A new step, or another attempt of the one at hand."""
        if event.kind == "prepare":
            self._turn(stored, self.state.agent)
        if event.kind not in _EFFECTS:
            return
        self._perform(event.id)
        is_same = self._settle(event.id, "retried", event.key)
        step = self._opened(stored, event.id, event.kind)
        if step.started_at is None:
            step.started_at = stored.at
        step.name = event.name
        step.epoch = stored.epoch
        step.attempt = event.attempt
        step.key = event.key
        step.same_key = is_same and bool(event.key)
        if event.kind in ("tool", "handoff"):
            step.call = self._calls.get(EffectId.parse(event.id).key)
            step.detail = arguments_of(step.call or {})
        if (before := self._parents.get(event.id)) is not None and before is not step:
            step.child, before.child = before.child, ""  # The run inside goes on, and is still one.
            self._parents[event.id] = step

    def _finish(
        self, stored: Stored, effect_id: str, kind: str, outcome: Outcome, detail: str = ""
    ) -> Step:
        """An effect has an outcome, which may be the first that the log says of it."""
        step = self._opened(stored, effect_id, kind)
        if step.outcome != "waiting":
            step.epoch = stored.epoch
        step.outcome = outcome
        step.detail = detail or step.detail
        step.ended_at = stored.at
        self._place(step)
        return step

    def _place(self, step: Step) -> None:
        """A check of the input belongs to the turn that runs beside it, which may have begun later."""
        if step.kind == "guardrail" and self._turns:
            step.turn = self._turns[-1].number

    def _opened(self, stored: Stored, effect_id: str, kind: str) -> Step:
        step = self._open.get(effect_id)
        if step is None or step.is_over:
            turn = self._turns[-1].number if self._turns else 0
            agent = self.state.agent
            step = Step(id=effect_id, kind=kind, agent=agent, turn=turn, epoch=stored.epoch)
            self._open[effect_id] = step
            self._rows.append(step)
        return step

    def _settle(self, effect_id: str, how: Settled, key: str = "") -> bool:
        """Say what became of an effect in doubt. Returns whether it was in doubt under ``key``."""
        if effect_id not in self._doubts:
            return False
        takeover, old_key = self._doubts.pop(effect_id)
        takeover.settled[effect_id] = how
        if how == "retried" and key != old_key:
            takeover.same_keys = False
        return key == old_key

    def lose(self, stored: Stored, event: EffectLost) -> None:
        """Nobody knows what became of an attempt, and the others go on."""
        if (step := self._open.get(event.id)) is not None and step.outcome == "open":
            step.outcome, step.ended_at = "in doubt", stored.at
            self._place(step)
            del self._open[event.id]

    def fail(self, stored: Stored, event: EffectFailed) -> None:
        """An attempt has failed, perhaps the last one."""
        if event.id not in self._open:
            return
        kind, message = event.error.kind, event.error.message
        if event.retry_at is None:
            step = self._finish(stored, event.id, "tool", "error", f"{kind}: {message}")
        else:
            wait = max(0.0, event.retry_at - stored.at)
            kind = f"{kind}, again after {wait:.1f} s" if wait else kind
            step = self._finish(stored, event.id, "model", "failed attempt", f"{kind}: {message}")
        step.model = event.model or step.model
        step.error = event.error

    def reply(self, stored: Stored, event: ModelReplied) -> None:
        """A model has answered."""
        for call in event.calls:
            if 0 <= call.index < len(event.output):
                self._calls[call.id] = event.output[call.index]
        said = " ".join(filter(None, (text_of(item) for item in event.output)))
        called = ", ".join(call.name for call in event.calls)
        step = self._finish(stored, event.id, "model", "ok", f"→ {called}" if called else said)
        step.agent = event.agent or step.agent
        step.usage = event.usage
        step.model = event.model or step.model
        step.served_by = event.served_by
        step.output = tuple(event.output)
        step.unknown = tuple(call.name for call in event.calls if call.kind == "unknown")

    def answer(self, stored: Stored, event: ToolReturned) -> None:
        """A call has an answer, not always a tool's."""
        self._perform(event.id)
        if event.outcome == "unknown":
            self._settle(event.id, "told unknown")
        call = self._calls.get(event.call_id, {})
        answer = answer_from(event.item.get("output", ""))
        outcome = event.outcome
        if event.error is not None:
            outcome, answer = "error", f"{event.error.kind}: {event.error.message}"
        detail = f"{arguments_of(call)} → {answer}".lstrip()
        kind = "handoff" if event.outcome == "ignored" else "tool"
        step = self._finish(stored, event.id, kind, outcome, detail)
        step.name = event.name or str(call.get("name", "")) or step.name
        step.call, step.output, step.error = call or None, (event.item,), event.error

    def hand_off(self, stored: Stored, event: HandedOff) -> None:
        """Another agent has taken over."""
        step = self._finish(stored, event.id, "handoff", "ok", f"{event.source} → {event.to}")
        step.call, step.output, step.to = self._calls.get(event.call_id), (event.item,), event.to
        self._handoffs += 1

    def check(self, stored: Stored, event: GuardrailChecked) -> None:
        """A guardrail has answered."""
        refused = event.tripped or event.behavior in ("reject_content", "raise_exception")
        stage = event.stage.replace("_", " ")
        step = self._finish(stored, event.id, "guardrail", "tripped" if refused else "ok", stage)
        step.name, step.stage = event.name or step.name, event.stage

    def load(self, stored: Stored, event: SessionLoaded) -> None:
        """The session's history was read."""
        self._finish(stored, event.id, "session", "ok", f"{len(event.head)} items").name = "load"

    def save(self, stored: Stored, event: SessionSaved) -> None:
        """The session holds what the run has added."""
        self._finish(stored, event.id, "session", "ok").name = "save"

    def hold_back(self, stored: Stored, event: SessionHeldBack) -> None:
        """The session is not told yet."""
        self._finish(
            stored, event.id, "session", "ok", "held back: a guardrail may refuse it"
        ).name = "save"

    def shorten(self, stored: Stored, event: SessionShortened) -> None:
        """The session was asked to shorten itself."""
        self._finish(stored, event.id, "session", "ok").name = "shorten"

    def ask(self, stored: Stored, event: ApprovalRequested) -> None:
        """A call waits for a person."""
        self._settle(event.id, "asked")
        asking = self._open.pop(event.id, None)
        if asking is not None and asking.outcome == "open":
            # The tool's step ends here: it begins anew when a person has said yes.
            asking.outcome, asking.detail, asking.ended_at = "ignored", "stopped to ask", stored.at
        step = self._finish(stored, _approval_step(event), "approval", "waiting", _wish(event))
        step.name = event.name or step.name
        step.started_at, step.ended_at = stored.at, None
        step.key, step.stage = approval_id(event.id), event.reason
        self._asked[step.id] = event.id
        before = self._parents.get(event.id)
        if event.child and (
            before is None or before.child != event.child
        ):  # It stands in one place.
            step.child, self._parents[event.id] = event.child, step
        step.call = event.item if event.child else self._calls.get(event.call_id)

    def decided(self, stored: Stored, event: ApprovalDecided) -> None:
        """A person has decided about a call."""
        if (key := _approval_step(event)) in self._open:
            outcome: Outcome = "ok" if event.approved else "rejected"
            step = self._finish(stored, key, "approval", outcome, _word(event))
            if event.approved:
                step.detail += _NOT_BEGUN
                self._agreed.setdefault(self._asked[step.id], []).append(step)

    def _perform(self, effect_id: str) -> None:
        """What was approved has begun, or was answered."""
        for step in self._agreed.pop(effect_id, ()):
            step.detail = step.detail.removesuffix(_NOT_BEGUN)

    def park(self, stored: Stored, event: RunParked) -> None:
        """The run waits for a provider."""
        begun = self._open.get(event.of)
        if begun is not None and begun.outcome == "open":  # A call whose own run waits.
            begun.outcome, begun.ended_at = "ignored", stored.at
        detail = f"a provider is down; asks again after {event.wait_s:.0f} s"
        step = self._finish(stored, event.id, "wait", "waiting", detail)
        step.name, step.started_at, step.ended_at = "provider", stored.at, None

    def unpark(self, stored: Stored, _: RunUnparked) -> None:
        """The wait for a provider is over."""
        for step in list(self._open.values()):
            if step.kind == "wait" and step.outcome == "waiting":
                self._finish(stored, step.id, "wait", "ok", "asked again")

    def enter(self, _: Stored, event: ChildStarted) -> None:
        """A step is a run of its own."""
        if (step := self._open.get(event.id)) is not None:
            step.child = event.run_id
            self._parents[event.id] = step

    def fork(self, _: Stored, event: RunForked) -> None:
        """All before this is another run's, and happened there."""
        self._source = event.source


_READERS: dict[type, Callable[[Reader, Stored, Any], None]] = {
    TurnPrepared: Reader.prepare,
    EffectStarted: Reader.begin,
    EffectFailed: Reader.fail,
    EffectLost: Reader.lose,
    ModelReplied: Reader.reply,
    ToolReturned: Reader.answer,
    HandedOff: Reader.hand_off,
    GuardrailChecked: Reader.check,
    SessionLoaded: Reader.load,
    SessionSaved: Reader.save,
    SessionHeldBack: Reader.hold_back,
    SessionShortened: Reader.shorten,
    ApprovalRequested: Reader.ask,
    ApprovalDecided: Reader.decided,
    RunParked: Reader.park,
    RunUnparked: Reader.unpark,
    ChildStarted: Reader.enter,
    RunForked: Reader.fork,
}


_NOT_BEGUN = ", not begun"
"""What is said of an approved call until it begins: a process may have died in between."""


def _wish(event: ApprovalRequested) -> str:
    """What a person is asked for."""
    if event.question:
        return f"asks: {event.question}" + f" ({', '.join(event.choices)})" * bool(event.choices)
    why = {"policy": "needs a person", "in_doubt": "its outcome is unknown: run it again?"}
    return why.get(event.reason, "a run inside it waits")


def _word(event: ApprovalDecided) -> str:
    """What a person has said."""
    said = "approved" if event.approved else "rejected"
    said = said if event.answer is None else "answered"
    said = f"{said} by {event.by}" if event.by else said
    said = said if event.answer is None else f"{said}: {event.answer}"
    return f"{said}, for all calls of this tool" if event.always else said


def _approval_step(event: ApprovalRequested | ApprovalDecided) -> str:
    return f"approval {event.child}/{event.call_id}"
