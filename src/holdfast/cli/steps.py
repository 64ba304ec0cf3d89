"""What a run did, read from its log alone: steps, who performed them, and where a process died.

`read_steps(log)` is pure. A step is one effect that touched the world (a model call, a tool, a
handoff, a guardrail, a session write) as one process performed it: an effect that was in flight
when its process died is two steps, the one in doubt and the one that settled it.

An event's epoch says which process wrote it. A step whose epoch is older than the log's last one
was reused by the processes that came after; the others performed theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from holdfast.core.decide import decide
from holdfast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ChildStarted,
    EffectFailed,
    EffectStarted,
    Event,
    GuardrailChecked,
    HandedOff,
    Item,
    ModelReplied,
    RunAcquired,
    RunCancelled,
    RunCompleted,
    RunFailed,
    SessionLoaded,
    SessionSaved,
    ToolReturned,
    UsageFacts,
)
from holdfast.core.evolve import evolve
from holdfast.core.items import text_of
from holdfast.core.state import RunState
from holdfast.journal.journal import Stored

Kind = Literal["model", "tool", "handoff", "guardrail", "session", "approval"]
Outcome = Literal[
    "ok", "error", "tripped", "rejected", "unknown", "blocked", "ignored", "in doubt", "open",
    "waiting", "failed attempt",
]  # fmt: skip
Settled = Literal["retried", "told unknown", "asked", "open"]

_SHOWN: dict[str, Kind] = {
    "model": "model",
    "tool": "tool",
    "handoff": "handoff",
    "guardrail": "guardrail",
    "session": "session",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One effect, as one process performed it."""

    id: str
    kind: Kind
    name: str
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """The place where another process went on with the run."""

    epoch: int
    was_crash: bool
    """False when the run had only waited for a person, or had been ended and reopened."""
    reused: int
    """Steps that were recorded and are not performed again."""
    in_doubt: tuple[str, ...]
    """Ids of the steps that had begun and had no result."""
    settled: dict[str, Settled] = field(default_factory=dict[str, Settled])
    """What became of each of those."""
    same_keys: bool = True
    """Whether every retried step was given the idempotency key that it had before."""
    gap_s: float = 0.0
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run, ready to be shown."""

    agent: str = ""
    status: str = "empty"
    input: str = ""
    output: str = ""
    error: str = ""
    program: str = ""
    rows: tuple[Step | Takeover, ...] = ()
    usage: UsageFacts = field(default_factory=UsageFacts)
    duration_s: float = 0.0
    last_epoch: int = 0

    @property
    def steps(self) -> tuple[Step, ...]:
        """The rows that are steps."""
        return tuple(row for row in self.rows if isinstance(row, Step))

    @property
    def takeovers(self) -> tuple[Takeover, ...]:
        """The rows where another process went on."""
        return tuple(row for row in self.rows if isinstance(row, Takeover))

    def is_reused(self, step: Step) -> bool:
        """Whether an earlier process performed ``step`` and the last one found it recorded."""
        return step.is_recorded and step.epoch < self.last_epoch


def read_steps(log: Sequence[Stored]) -> RunView:
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
        self.open: dict[str, int] = {}
        """Where in `rows` the step stands that an effect id began last."""
        self.doubts: dict[str, tuple[int, str]] = {}
        """Where the takeover stands that an effect in doubt belongs to, and the effect's key."""
        self.calls: dict[str, Item] = {}
        self.epoch = 0
        self.last_at = 0.0
        self.last: Event | None = None

    def add(self, stored: Stored) -> None:
        """Take the next event in."""
        event = stored.event
        if self.state.started and stored.epoch != self.epoch:
            self._take_over(stored)
        self.epoch = stored.epoch
        if reader := _READERS.get(type(event)):
            reader(self, stored, event)
        self.state = evolve(self.state, event)
        self.last_at = stored.at
        self.last = event

    def begin(self, stored: Stored, event: EffectStarted) -> None:
        """An effect started: a new step, or another attempt of the one at hand."""
        kind = _SHOWN.get(event.kind)
        if not kind:
            return
        is_same = self.settle(event.id, "retried", event.key)
        step = Step(
            id=event.id,
            kind=kind,
            name=event.name,
            agent=self.state.agent,
            epoch=stored.epoch,
            attempt=event.attempt,
            key=event.key,
            same_key=is_same and bool(event.key),
            started_at=stored.at,
            detail=arguments_of(self.calls.get(event.id.partition(".")[2], {})),
        )
        place = self.open.get(event.id)
        if place is None or self._step(place).is_over:
            self.open[event.id] = len(self.rows)
            self.rows.append(step)
        else:
            self.rows[place] = replace(step, started_at=self._step(place).started_at)

    def finish(self, stored: Stored, effect_id: str, kind: Kind, **facts: Any) -> None:
        """An effect has an outcome, which may be the first that the log says of it."""
        place = self.open.get(effect_id)
        if place is None or self._step(place).is_over:
            place = self.open[effect_id] = len(self.rows)
            agent = self.state.agent
            self.rows.append(
                Step(id=effect_id, kind=kind, name="", agent=agent, epoch=stored.epoch)
            )
        step = self._step(place)
        took = None if step.started_at is None else stored.at - step.started_at
        known = {key: value for key, value in facts.items() if value not in ("", None)}
        self.rows[place] = replace(step, epoch=stored.epoch, duration_s=took, **known)

    def settle(self, effect_id: str, how: Settled, key: str = "") -> bool:
        """Say what became of an effect in doubt. Returns whether it was in doubt under ``key``."""
        if effect_id not in self.doubts:
            return False
        place, old_key = self.doubts.pop(effect_id)
        takeover = cast("Takeover", self.rows[place])  # `doubts` points at takeovers only
        self.rows[place] = replace(
            takeover,
            settled={**takeover.settled, effect_id: how},
            same_keys=takeover.same_keys and (how != "retried" or key == old_key),
        )
        return key == old_key

    def view(self, log: Sequence[Stored]) -> RunView:
        """What has been read."""
        started, ended, output = self.state.started, self.state.ended, self.state.output
        if not started:
            return RunView()
        error = ended.error if isinstance(ended, RunFailed) else None
        return RunView(
            agent=started.agent,
            status=_status(self.state),
            input=" / ".join(filter(None, map(text_of, started.input))),
            output=_text(output.output) if output else "",
            error=f"{error.kind}: {error.message}" if error else "",
            program=self.state.options.program,
            rows=tuple(self.rows),
            usage=self.state.usage,
            duration_s=log[-1].at - log[0].at,
            last_epoch=self.epoch,
        )

    def _take_over(self, stored: Stored) -> None:
        doubts = [row for row in self.rows if isinstance(row, Step) and row.outcome == "open"]
        for step in doubts:
            self.doubts[step.id] = (len(self.rows), step.key)
            self.rows[self.open.pop(step.id)] = replace(step, outcome="in doubt")
        recorded = [row for row in self.rows if isinstance(row, Step) and row.is_recorded]
        # Who records a person's word may leave the work to others.
        is_decided = isinstance(self.last, ApprovalDecided)
        self.rows.append(
            Takeover(
                epoch=stored.epoch,
                was_crash=bool(doubts or (decide(self.state) and not is_decided)),
                reused=len(recorded),
                in_doubt=tuple(step.id for step in doubts),
                settled=dict.fromkeys((step.id for step in doubts), "open"),
                gap_s=max(stored.at - self.last_at, 0.0),
                owner=stored.event.owner if isinstance(stored.event, RunAcquired) else "",
            )
        )

    def _step(self, place: int) -> Step:
        return cast("Step", self.rows[place])  # `open` points at steps only


# --- What each event says of a step. -----------------------------------------------------


def _begun(reading: _Reading, stored: Stored, event: EffectStarted) -> None:
    reading.begin(stored, event)


def _failed(reading: _Reading, stored: Stored, event: EffectFailed) -> None:
    if event.id not in reading.open:
        return
    kind, message = event.error.kind, event.error.message
    text = f"{kind}: {message}"
    if event.retry_at is None:
        reading.finish(stored, event.id, "tool", outcome="error", detail=text, model=event.model)
        return
    wait = max(0.0, event.retry_at - stored.at)
    text = f"{kind}, again after {wait:.1f} s: {message}" if wait else text
    reading.finish(
        stored, event.id, "model", outcome="failed attempt", detail=text, model=event.model
    )


def _replied(reading: _Reading, stored: Stored, event: ModelReplied) -> None:
    for call in event.calls:
        reading.calls[call.id] = event.output[call.index]
    said = " ".join(filter(None, (text_of(item) for item in event.output)))
    called = ", ".join(call.name for call in event.calls)
    reading.finish(
        stored,
        event.id,
        "model",
        outcome="ok",
        agent=event.agent,
        usage=event.usage,
        detail=f"→ {called}" if called else said,
        model=event.model,
    )


def _returned(reading: _Reading, stored: Stored, event: ToolReturned) -> None:
    if event.outcome == "unknown":
        reading.settle(event.id, "told unknown")
    arguments = arguments_of(reading.calls.get(event.call_id, {}))
    answer = _text(event.item.get("output", ""))
    detail = f"{arguments} → {answer}" if arguments else f"→ {answer}"
    kind: Kind = "handoff" if event.outcome == "ignored" else "tool"
    name = event.name or str(reading.calls.get(event.call_id, {}).get("name", ""))
    reading.finish(stored, event.id, kind, outcome=event.outcome, detail=detail, name=name)


def _handed(reading: _Reading, stored: Stored, event: HandedOff) -> None:
    detail = f"{event.source} → {event.to}"
    reading.finish(stored, event.id, "handoff", outcome="ok", detail=detail)


def _checked(reading: _Reading, stored: Stored, event: GuardrailChecked) -> None:
    refused = event.tripped or event.behavior in ("reject_content", "raise_exception")
    stage = event.stage.replace("_", " ")
    outcome: Outcome = "tripped" if refused else "ok"
    reading.finish(stored, event.id, "guardrail", outcome=outcome, name=event.name, detail=stage)


def _loaded(reading: _Reading, stored: Stored, event: SessionLoaded) -> None:
    detail = f"{len(event.head)} items"
    reading.finish(stored, event.id, "session", outcome="ok", name="load", detail=detail)


def _saved(reading: _Reading, stored: Stored, event: SessionSaved) -> None:
    reading.finish(stored, event.id, "session", outcome="ok", name="save")


def _asked(reading: _Reading, stored: Stored, event: ApprovalRequested) -> None:
    reading.settle(event.id, "asked")
    place = reading.open.pop(event.id, None)
    row = reading.rows[place] if place is not None else None
    if place is not None and isinstance(row, Step) and row.outcome == "open":
        # The tool's step ends here: it begins anew when a person has said yes.
        reading.rows[place] = replace(row, outcome="ignored", detail="stopped to ask")
    why = {"policy": "needs a person", "in_doubt": "its outcome is unknown: run it again?"}
    key = _asking(event)
    detail = why.get(event.reason, "a run inside it waits")
    name = event.name
    reading.finish(stored, key, "approval", outcome="waiting", name=name, detail=detail)


def _decided(reading: _Reading, stored: Stored, event: ApprovalDecided) -> None:
    key = _asking(event)
    if key not in reading.open:
        return
    said = "approved" if event.approved else "rejected"
    outcome: Outcome = "ok" if event.approved else "rejected"
    detail = f"{said}, for all calls of this tool" if event.always else said
    reading.finish(stored, key, "approval", outcome=outcome, detail=detail)


def _child(reading: _Reading, _: Stored, event: ChildStarted) -> None:
    if (place := reading.open.get(event.id)) is not None:
        row = reading.rows[place]
        assert isinstance(row, Step)
        reading.rows[place] = replace(row, child=event.run_id)


_READERS: dict[type, Callable[[_Reading, Stored, Any], None]] = {
    EffectStarted: _begun,
    EffectFailed: _failed,
    ModelReplied: _replied,
    ToolReturned: _returned,
    HandedOff: _handed,
    GuardrailChecked: _checked,
    SessionLoaded: _loaded,
    SessionSaved: _saved,
    ApprovalRequested: _asked,
    ApprovalDecided: _decided,
    ChildStarted: _child,
}


# --- Words. ------------------------------------------------------------------------------


def _asking(event: ApprovalRequested | ApprovalDecided) -> str:
    return f"approval {event.child}/{event.call_id}"


def _status(state: RunState) -> str:
    match state.ended:
        case RunCompleted():
            return "completed"
        case RunFailed():
            return "failed"
        case RunCancelled():
            return "cancelled"
        case None:
            return "running" if decide(state) else "waiting"


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
