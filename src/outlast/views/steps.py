"""What a run did, read from its log alone: steps, who performed them, and where a process died.

`timeline(log)` is pure. A step is one effect that touched the world (a model call, a tool, a
handoff, a guardrail, a session write) as one process performed it: an effect that was in flight
when its process died is two steps, the one in doubt and the one that settled it.

An event's epoch says which process wrote it. A step whose epoch is older than the log's last one
was reused by the processes that came after; the others performed theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from outlast.core.decide import decide
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ChildStarted,
    EffectFailed,
    EffectStarted,
    ErrorFacts,
    GuardrailChecked,
    HandedOff,
    Item,
    ModelReplied,
    RunAcquired,
    RunFailed,
    SessionLoaded,
    SessionSaved,
    ToolReturned,
    UsageFacts,
)
from outlast.core.evolve import evolve
from outlast.core.failing import can_go_on
from outlast.core.identity import NO_METADATA, RunMetadata
from outlast.core.ids import EffectId
from outlast.core.items import text_of
from outlast.core.state import RunState
from outlast.core.stored import Stored
from outlast.views.status import Status, status
from outlast.views.waiting import retry_at

Outcome = Literal[
    "ok", "error", "tripped", "rejected", "unknown", "blocked", "ignored", "in doubt", "open",
    "waiting", "failed attempt",
]  # fmt: skip
Settled = Literal["retried", "told unknown", "asked", "open"]

_SHOWN = ("model", "tool", "handoff", "guardrail", "session")
"""The kinds of effects that are steps."""


@dataclass(slots=True, kw_only=True)
class Step:
    """One effect, as one process performed it. Changes only while the log is read."""

    id: str
    kind: str
    """One of `_SHOWN`, or an approval."""
    name: str = ""
    agent: str
    epoch: int
    """Of the process that recorded the outcome, or that left it in doubt."""
    outcome: Outcome = "open"
    detail: str = ""
    model: str = ""
    """The model that answered, or failed, where there are several."""
    attempt: int = 1
    key: str = ""
    same_key: bool = False
    """Whether it repeats a step in doubt under the idempotency key that this one had."""
    started_at: float | None = None
    duration_s: float | None = None
    usage: UsageFacts | None = None
    child: str = ""
    """The run that performed this step, for an agent used as a tool."""

    @property
    def is_recorded(self) -> bool:
        """Whether the log has a result, so that nobody performs the step again."""
        return self.outcome not in ("open", "in doubt", "waiting", "failed attempt")

    @property
    def is_over(self) -> bool:
        """Whether nothing more can become of it."""
        return self.is_recorded or self.outcome == "failed attempt"


@dataclass(slots=True, kw_only=True)
class Takeover:
    """The place where another process went on with the run. Changes only as a `Step` does."""

    was_crash: bool
    """False when the run had only waited for a person, or had been ended and reopened."""
    reused: int
    """Steps that were recorded and are not performed again."""
    settled: dict[str, Settled]
    """What became of each of the steps that had begun and had no result, by their ids."""
    same_keys: bool = True
    """Whether every retried step was given the idempotency key that it had before."""
    gap_s: float = 0.0
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What a run did and came to."""

    status: Status = "empty"
    input: str = ""
    output: str = ""
    error: str = ""
    retry_at: float = 0.0
    """When it goes on that waits for a provider, in seconds since the epoch."""
    failure: ErrorFacts | None = None
    """What it failed of."""
    program: str = ""
    metadata: RunMetadata = NO_METADATA
    rows: tuple[Step | Takeover, ...] = ()
    usage: UsageFacts = field(default_factory=UsageFacts)
    duration_s: float = 0.0
    last_epoch: int = 0

    @property
    def can_go_on(self) -> bool:
        """Whether it has failed of something that can pass."""
        return self.failure is not None and can_go_on(self.failure)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The rows that are steps."""
        return tuple(row for row in self.rows if isinstance(row, Step))

    def is_reused(self, step: Step) -> bool:
        """Whether an earlier process performed ``step`` and the last one found it recorded."""
        return step.is_recorded and step.epoch < self.last_epoch


def timeline(log: Sequence[Stored]) -> Timeline:
    """The steps of a run, in the order in which they began."""
    reading = _Reading()
    for stored in log:
        reading.add(stored)
    return reading.view(log)


def summary(takeover: Takeover) -> str:
    """What a takeover came to, in one line: counted from the log."""
    parts = [f"{counted(takeover.reused)} reused"]
    for settled, words in _SETTLED.items():
        number = sum(1 for value in takeover.settled.values() if value == settled)
        if number:
            parts.append(f"{number} in doubt {words}")
    text = ", ".join(parts)
    return text if takeover.same_keys else text.replace("the same key", "ANOTHER key")


_SETTLED: dict[Settled, str] = {
    "retried": "retried with the same key",
    "told unknown": "not run again: the model was told",
    "asked": "not run again: a person is asked",
    "open": "still open",
}


def counted(number: int) -> str:
    """That many steps, in words."""
    return f"{number} step" if number == 1 else f"{number} steps"


class _Reading:
    """A log being read: the steps so far, and the run's state for what only it knows."""

    def __init__(self) -> None:
        self.state = RunState()
        self.rows: list[Step | Takeover] = []
        self.open: dict[str, Step] = {}
        """The step that an effect id began last."""
        self.doubts: dict[str, tuple[Takeover, str]] = {}
        """The takeover that an effect in doubt belongs to, and the effect's key."""
        self.calls: dict[str, Item] = {}
        self.last: Stored | None = None

    def add(self, stored: Stored) -> None:
        if self.last is not None and self.state.started and stored.epoch != self.last.epoch:
            self._take_over(stored, self.last)
        if read := _READERS.get(type(stored.event)):
            read(self, stored, stored.event)
        self.state = evolve(self.state, stored.event)
        self.last = stored

    def view(self, log: Sequence[Stored]) -> Timeline:
        started, ended, output = self.state.started, self.state.ended, self.state.output
        if not log:
            return Timeline()
        error = ended.error if isinstance(ended, RunFailed) else None
        return Timeline(
            status=status(self.state),
            input=" / ".join(filter(None, map(text_of, started.input if started else ()))),
            output=_text(output.output) if output else "",
            error=f"{error.kind}: {error.message}" if error else "",
            retry_at=retry_at(self.state) or 0.0,
            failure=error,
            program=self.state.options.program,
            metadata=started.metadata if started else NO_METADATA,
            rows=tuple(self.rows),
            usage=self.state.usage,
            duration_s=log[-1].at - log[0].at,
            last_epoch=log[-1].epoch,
        )

    def _take_over(self, stored: Stored, last: Stored) -> None:
        steps = [row for row in self.rows if isinstance(row, Step)]
        doubts = [step for step in steps if step.outcome == "open"]
        # Who records a person's word may leave the work to others.
        is_decided = isinstance(last.event, ApprovalDecided)
        takeover = Takeover(
            was_crash=not self.state.abandoned
            and bool(doubts or (decide(self.state) and not is_decided)),
            reused=sum(step.is_recorded for step in steps),
            settled=dict.fromkeys((step.id for step in doubts), "open"),
            gap_s=max(stored.at - last.at, 0.0),
            owner=stored.event.owner if isinstance(stored.event, RunAcquired) else "",
        )
        for step in doubts:
            step.outcome = "in doubt"
            self.doubts[step.id] = (takeover, step.key)
            del self.open[step.id]
        self.rows.append(takeover)

    # --- What each event says of a step. -------------------------------------------------

    def begin(self, stored: Stored, event: EffectStarted) -> None:
        """A new step, or another attempt of the one at hand."""
        if event.kind not in _SHOWN:
            return
        is_same = self._settle(event.id, "retried", event.key)
        step = self._open(stored, event.id, event.kind)
        if step.started_at is None:
            step.started_at = stored.at
        step.name = event.name
        step.epoch = stored.epoch
        step.attempt = event.attempt
        step.key = event.key
        step.same_key = is_same and bool(event.key)
        step.detail = arguments_of(self.calls.get(EffectId.parse(event.id).key, {}))

    def _finish(
        self, stored: Stored, effect_id: str, kind: str, outcome: Outcome, detail: str = ""
    ) -> Step:
        """An effect has an outcome, which may be the first that the log says of it."""
        step = self._open(stored, effect_id, kind)
        step.outcome = outcome
        step.detail = detail or step.detail
        step.epoch = stored.epoch
        step.duration_s = None if step.started_at is None else stored.at - step.started_at
        return step

    def _open(self, stored: Stored, effect_id: str, kind: str) -> Step:
        step = self.open.get(effect_id)
        if step is None or step.is_over:
            step = Step(id=effect_id, kind=kind, agent=self.state.agent, epoch=stored.epoch)
            self.open[effect_id] = step
            self.rows.append(step)
        return step

    def _settle(self, effect_id: str, how: Settled, key: str = "") -> bool:
        """Say what became of an effect in doubt. Returns whether it was in doubt under ``key``."""
        if effect_id not in self.doubts:
            return False
        takeover, old_key = self.doubts.pop(effect_id)
        takeover.settled[effect_id] = how
        if how == "retried" and key != old_key:
            takeover.same_keys = False
        return key == old_key

    def fail(self, stored: Stored, event: EffectFailed) -> None:
        """An attempt has failed, perhaps the last one."""
        if event.id not in self.open:
            return
        kind, message = event.error.kind, event.error.message
        if event.retry_at is None:
            step = self._finish(stored, event.id, "tool", "error", f"{kind}: {message}")
        else:
            wait = max(0.0, event.retry_at - stored.at)
            kind = f"{kind}, again after {wait:.1f} s" if wait else kind
            step = self._finish(stored, event.id, "model", "failed attempt", f"{kind}: {message}")
        step.model = event.model or step.model

    def reply(self, stored: Stored, event: ModelReplied) -> None:
        for call in event.calls:
            self.calls[call.id] = event.output[call.index]
        said = " ".join(filter(None, (text_of(item) for item in event.output)))
        called = ", ".join(call.name for call in event.calls)
        step = self._finish(stored, event.id, "model", "ok", f"→ {called}" if called else said)
        step.agent = event.agent or step.agent
        step.usage = event.usage
        step.model = event.model or step.model

    def answer(self, stored: Stored, event: ToolReturned) -> None:
        """A call has an answer, not always a tool's."""
        if event.outcome == "unknown":
            self._settle(event.id, "told unknown")
        call = self.calls.get(event.call_id, {})
        answer = _text(event.item.get("output", ""))
        outcome = event.outcome
        if event.error is not None:
            outcome, answer = "error", f"{event.error.kind}: {event.error.message}"
        detail = f"{arguments_of(call)} → {answer}".lstrip()
        kind = "handoff" if event.outcome == "ignored" else "tool"
        step = self._finish(stored, event.id, kind, outcome, detail)
        step.name = event.name or str(call.get("name", "")) or step.name

    def hand_off(self, stored: Stored, event: HandedOff) -> None:
        self._finish(stored, event.id, "handoff", "ok", f"{event.source} → {event.to}")

    def check(self, stored: Stored, event: GuardrailChecked) -> None:
        refused = event.tripped or event.behavior in ("reject_content", "raise_exception")
        stage = event.stage.replace("_", " ")
        step = self._finish(stored, event.id, "guardrail", "tripped" if refused else "ok", stage)
        step.name = event.name or step.name

    def load(self, stored: Stored, event: SessionLoaded) -> None:
        self._finish(stored, event.id, "session", "ok", f"{len(event.head)} items").name = "load"

    def save(self, stored: Stored, event: SessionSaved) -> None:
        self._finish(stored, event.id, "session", "ok").name = "save"

    def ask(self, stored: Stored, event: ApprovalRequested) -> None:
        self._settle(event.id, "asked")
        asking = self.open.pop(event.id, None)
        if asking is not None and asking.outcome == "open":
            # The tool's step ends here: it begins anew when a person has said yes.
            asking.outcome, asking.detail = "ignored", "stopped to ask"
        why = {"policy": "needs a person", "in_doubt": "its outcome is unknown: run it again?"}
        detail = why.get(event.reason, "a run inside it waits")
        step = self._finish(stored, _asking(event), "approval", "waiting", detail)
        step.name = event.name or step.name

    def decided(self, stored: Stored, event: ApprovalDecided) -> None:
        if (key := _asking(event)) in self.open:
            said = "approved" if event.approved else "rejected"
            detail = f"{said}, for all calls of this tool" if event.always else said
            self._finish(stored, key, "approval", "ok" if event.approved else "rejected", detail)

    def enter(self, _: Stored, event: ChildStarted) -> None:
        """A step is a run of its own."""
        if event.id in self.open:
            self.open[event.id].child = event.run_id


_READERS: dict[type, Callable[[_Reading, Stored, Any], None]] = {
    EffectStarted: _Reading.begin,
    EffectFailed: _Reading.fail,
    ModelReplied: _Reading.reply,
    ToolReturned: _Reading.answer,
    HandedOff: _Reading.hand_off,
    GuardrailChecked: _Reading.check,
    SessionLoaded: _Reading.load,
    SessionSaved: _Reading.save,
    ApprovalRequested: _Reading.ask,
    ApprovalDecided: _Reading.decided,
    ChildStarted: _Reading.enter,
}


# --- Words. ------------------------------------------------------------------------------


def _asking(event: ApprovalRequested | ApprovalDecided) -> str:
    return f"approval {event.child}/{event.call_id}"


def arguments_of(call: Item) -> str:
    """What a call says, on one line."""
    body = call.get("arguments", call.get("input", ""))
    try:
        values: Any = json.loads(body) if isinstance(body, str) else body
    except ValueError:
        return _text(body)
    if not isinstance(values, dict):
        return _text(body)
    pairs = cast("dict[str, Any]", values).items()
    return ", ".join(f"{key}={_text(value)}" for key, value in pairs)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
