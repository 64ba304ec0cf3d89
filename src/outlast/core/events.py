"""What happened in a run: the closed union of facts that its log is made of.

A run is nothing but these, in order. Everything else (state, results, streams, spans, usage,
the runs that `outlast show` prints) is computed from them.

Rules for changing this file:

* An event is added, never changed or removed: logs are for ever. A new field has a default.
* A rename or a split bumps `VERSION` and needs an upcaster in `journal/upcast.py` and a golden log.
* An event holds what user code or the world *answered*, never what our code derives from it.
* JSON types only. No class paths, no pickles, no live objects.

Ids of effects are positions in the run and never random: ``p3`` prepares turn 3, ``m3`` is its
model call, ``t3.<call_id>`` a tool call, ``h3.<call_id>`` a handoff, ``g1.in.<n>`` the n-th input
guardrail, ``f3`` concludes turn 3, ``s3`` saves it to the session.
"""

from __future__ import annotations

from typing import Any, Literal

from outlast.core.approval_events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    ApprovalWaived,
)
from outlast.core.budget_events import BudgetRaised, BudgetWarned, LastTurnBegun, UsageAdded
from outlast.core.command_events import (
    CancelRequested,
    CommandTaken,
    LimitRaised,
    RunPaused,
    RunUnpaused,
)
from outlast.core.identity import NO_METADATA, RunMetadata
from outlast.core.records import (
    Call,
    CallKind,  # noqa: F401  # pyright: ignore[reportUnusedImport]  # records are imported from here
    Entry,  # noqa: F401  # pyright: ignore[reportUnusedImport]
    ErrorFacts,
    Fact,
    GuardrailNames,
    History,
    Item,
    Policy,
    UsageFacts,
)

VERSION = 2
"""The version of the event schema that this code writes."""

EffectKind = Literal[
    "prepare", "model", "tool", "handoff", "guardrail", "approval", "conclude", "session", "timer",
    "recover",
]  # fmt: skip


# --- The life of a run. ------------------------------------------------------------------


class RunStarted(Fact, frozen=True, tag="run.started"):
    """A run began."""

    agent: str
    input: list[Item]
    is_text: bool = False
    """Whether the caller gave the input as one text."""
    max_turns: int | None = None
    guardrails: GuardrailNames = GuardrailNames()
    options: dict[str, Any] = {}  # noqa: RUF012  # each event gets its own
    """The settings of the run that `decide` reads; see `core.state.Options`."""
    parent: str = ""
    """The run whose tool call this run performs."""
    parent_effect: str = ""
    metadata: RunMetadata = NO_METADATA
    salt: str = ""
    """Random, and a part of all idempotency keys: other journals have runs of the same id."""


class RunAcquired(Fact, frozen=True, tag="run.acquired"):
    """A process took a run over that another one had begun: what was in flight is now in doubt."""

    owner: str
    options: dict[str, Any] = {}  # noqa: RUF012  # each event gets its own
    """What the caller says anew about the run, in place of what `RunStarted.options` says."""
    ending: Literal["", "asked"] = ""
    """`asked` where user code has a word in how the turn in progress ends, which it had not before."""
    max_turns: int | None = None
    has_limit: bool = False
    """Whether `max_turns` replaces the limit (None then means: no limit)."""


class RunCompleted(Fact, frozen=True, tag="run.completed"):
    """The run ended with an output."""


class RunFailed(Fact, frozen=True, tag="run.failed"):
    """The run ended with an error."""

    error: ErrorFacts


class RunCancelled(Fact, frozen=True, tag="run.cancelled"):
    """The run ended because somebody stopped it."""

    mode: Literal["immediate", "after_turn"] = "immediate"
    by: str = ""
    """Who stopped it, if somebody says so."""
    why: str = ""


class RunAbandoned(Fact, frozen=True, tag="run.abandoned"):
    """Whoever asked for the run went away: a time-out, a closed tab, Ctrl-C."""

    policy: Literal["finish", "leave"] = "leave"
    """`finish`: it is to go on without them. `leave`: nobody goes on with it until asked to."""


class RunParked(Fact, frozen=True, tag="run.parked"):
    """The run waits for a provider that is down, and no process waits with it."""

    id: str
    of: str
    """The effect that waits: a model call, or the tool call of a run that waits so."""
    until: float
    """When to ask again, in seconds since the epoch."""
    wait_s: float
    """How long that was when it was written: a clock that was wrong then does not count."""
    number: int = 1
    """How often in a row this effect has waited so."""


class RunUnparked(Fact, frozen=True, tag="run.unparked"):
    """The wait is over, or somebody does not want to wait: the run goes on."""


class RunForked(Fact, frozen=True, tag="run.forked"):
    """This log begins with a copy of another run's first events."""

    source: str
    at: int
    """How many events were copied."""


class RunCopied(Fact, frozen=True, tag="run.copied"):
    """Another run began with a copy of this log."""

    run_id: str


class RunReopened(Fact, frozen=True, tag="run.reopened"):
    """A run that had ended goes on: it was stopped after a turn, or failed of what can pass."""

    max_turns: int | None = None
    has_limit: bool = False
    """Whether `max_turns` replaces the limit (None then means: no limit)."""
    repeats_tools: bool = False
    """Whether tools that failed are in doubt, so that their policies say if they run again. Else they
    are not run again."""


# --- Input. ------------------------------------------------------------------------------


class InputAdded(Fact, frozen=True, tag="input.added"):
    """Staged input: stands in the conversation right before the next model call."""

    id: str
    items: list[Item]
    guardrails: GuardrailNames = GuardrailNames()


class MessageReceived(Fact, frozen=True, tag="message.received"):
    """Input that arrived while the run was going on."""

    id: str
    items: list[Item]
    by: str = ""
    guardrails: GuardrailNames = GuardrailNames()
    """Those that it has to pass, once it enters the conversation."""


class SessionLoaded(Fact, frozen=True, tag="session.loaded"):
    """The session's history was read and joined with the input."""

    id: str
    head: list[Item]
    """What the model sees as the run's input: history and new input, as the session gave them."""
    new: list[Item]
    """What of it is to be saved to the session."""
    held: int | None = None
    """How many items the session held; None where only its newest were read."""
    mark: tuple[str, ...] = ()
    """Hashes of the last items that it held, oldest first: where to look for what came after."""


class SessionSaved(Fact, frozen=True, tag="session.saved"):
    """The session holds a part of the run."""

    id: str
    upto: int
    """How many of the run's entries the session holds now."""
    is_last: bool = False
    """Whether the run fails: calls without an answer were left out."""


class SessionHeldBack(Fact, frozen=True, tag="session.withheld"):
    """What the run has added since the last save stays out of the session, until the next one."""

    id: str


class SessionShortened(Fact, frozen=True, tag="session.shortened"):
    """The session was asked to shorten itself, which it may have done."""

    id: str
    upto: int
    """How many of the run's entries it held then."""


class ContextPatched(Fact, frozen=True, tag="context.patched"):
    """A part of the run's context was changed."""

    patch: dict[str, Any]


class HistoryCompacted(Fact, frozen=True, tag="history.compacted"):
    """The conversation was replaced by a shorter one."""

    id: str
    history: History


# --- Turns. ------------------------------------------------------------------------------


class TurnPrepared(Fact, frozen=True, tag="turn.prepared"):
    """What user code said about a turn before its model call. Big things stand as content hashes."""

    id: str
    agent: str
    instructions: str | None = None
    """The content hash of the system prompt; None when there is none."""
    tools: str | None = None
    """The content hash of the enabled tools' and handoffs' names and schemas."""
    settings: str | None = None
    ending: Literal["text", "structured", "asked"] = "text"
    """How the turn ends: with the message's text, a validated value, or as user code says."""
    tools_may_end: bool = False
    """Whether user code has to be asked if the tools' results are the final output."""
    prompt: Item | None = None


class EffectStarted(Fact, frozen=True, tag="effect.started"):
    """Committed before the effect begins. Without a result it is in doubt after a crash."""

    id: str
    kind: EffectKind
    name: str = ""
    attempt: int = 1
    policy: Policy = "retry"
    key: str = ""
    """The idempotency key that the outside world is given."""


class EffectAccepted(Fact, frozen=True, tag="effect.accepted"):
    """The provider has the request and can be asked about it again under this id."""

    id: str
    response_id: str
    """Empty when there is nothing to ask about any more, and the request has to be made anew."""
    model: str = ""
    """Who has it, where several may be asked."""


class EffectFailed(Fact, frozen=True, tag="effect.failed"):
    """An attempt of an effect ended with an error."""

    id: str
    error: ErrorFacts
    retry_at: float | None = None
    """Seconds since the epoch; None when it is not tried again."""
    model: str = ""
    """Which of several models it was that failed."""
    is_model_spent: bool = False
    """Whether the next attempt is another model's."""
    wait_s: float | None = None
    """How long to wait until then, or how long the provider wants to be left alone: the moment alone is
    as wrong as the clock was."""
    is_outage: bool = False
    """Whether the provider is down, or does not want to be asked, and the wait is a long one."""


class EffectLost(Fact, frozen=True, tag="effect.lost"):
    """Whoever performed this effect is gone, without a result; the run and its other effects go on."""

    id: str


class ModelReplied(Fact, frozen=True, tag="model.replied"):
    """The model answered: the result of a model call."""

    id: str
    agent: str
    output: list[Item]
    calls: tuple[Call, ...] = ()
    usage: UsageFacts = UsageFacts()
    response_id: str | None = None
    request_id: str | None = None
    is_replay: bool = False
    """Whether it repeated calls that were answered before; those are not in `output`."""
    model: str = ""
    """Which of several models answered."""
    output_type: str = ""
    """The name and content hash of the schema that it was to fit; empty for plain text."""
    store: bool | None = None
    """Whether the provider was told to keep the response; None where nothing was said."""
    served_by: str = ""
    """The model that answered, by the name that prices go by."""
    nano_usd: int | None = None
    """What it cost by the prices that the run had, in billionths of a dollar; None where it had none."""


class ToolReturned(Fact, frozen=True, tag="tool.returned"):
    """What a call came to: its answer, an error told to the model, a refusal, an unknown outcome."""

    id: str
    call_id: str
    item: Item
    """The output item that the model is given."""
    outcome: Literal["ok", "error", "rejected", "unknown", "blocked", "ignored"] = "ok"
    name: str = ""
    data: dict[str, Any] | None = None
    """What the tool's author attached to the output for the caller; no model sees it."""
    value: dict[str, Any] | None = None
    """What the tool returned, where that is not the item's output: `is`, in the form of
    `definitions.values`, and the `tool` whose it is. Or `lost`, the class that it was of, where it
    has no such form."""
    error: ErrorFacts | None = None
    """What the tool's own code raised, or a server's tool answered as an error, for whoever reads the
    log; the model sees the item only."""


class StepRecorded(Fact, frozen=True, tag="step.recorded"):
    """A part of a tool's work that is not to be repeated."""

    id: str
    """The effect whose part it is."""
    name: str
    result: Any = None
    """In the form of `definitions.values`."""
    refused: str = ""
    """Why there is no result, though the part was performed: it is not to be repeated either."""


class GuardrailChecked(Fact, frozen=True, tag="guardrail.checked"):
    """A guardrail answered."""

    id: str
    stage: Literal["input", "output", "tool_input", "tool_output"]
    name: str
    tripped: bool = False
    info: Any = None
    agent: str = ""
    call_id: str = ""
    behavior: str = ""
    """A tool guardrail's answer: allow, reject_content or raise_exception."""
    message: str = ""
    """What a tool guardrail lets the model read in place of a result."""
    tool: str = ""
    """The tool that a tool guardrail belongs to."""


class HandedOff(Fact, frozen=True, tag="handed.off"):
    """Another agent took over: the result of a handoff."""

    id: str
    call_id: str
    source: str
    to: str
    item: Item
    history: History | None = None


class OutputProduced(Fact, frozen=True, tag="output.produced"):
    """The run has a final output; output guardrails may still refuse it."""

    id: str
    output: Any = None
    """As JSON; text as it is, other values as their JSON form."""
    kind: Literal["text", "structured", "tool", "handler"] = "text"
    message: Item | None = None
    """A message that an error handler wants in the history."""
    guardrails: tuple[str, ...] = ()
    """The output guardrails that it has to pass."""


class TurnContinued(Fact, frozen=True, tag="turn.continued"):
    """User code looked at a finished turn and did not end the run."""

    id: str


class OutputBlocked(Fact, frozen=True, tag="output.blocked"):
    """An output guardrail refused the output of a tool: the model and the session see this instead."""

    id: str
    call_id: str
    item: Item


# --- Timers, children, usage. ------------------------------------------------------------


class TimerSet(Fact, frozen=True, tag="timer.set"):
    """The run waits for a moment."""

    id: str
    at: float
    """Seconds since the epoch."""


class TimerFired(Fact, frozen=True, tag="timer.fired"):
    """The moment came."""

    id: str


class ChildStarted(Fact, frozen=True, tag="child.started"):
    """A run began that performs a call of this one."""

    id: str
    """The tool effect that the child run performs."""
    run_id: str
    agent: str
    is_nested: bool = False
    """Whether user code inside the effect began it, which may begin several."""


class ChildCompleted(Fact, frozen=True, tag="child.completed"):
    """That run ended."""

    id: str
    run_id: str


class UnknownEvent(Fact, frozen=True, tag="unknown"):
    """An event of a newer version. It is kept, and changes nothing."""

    kind: str
    body: dict[str, Any]


Event = (
    RunStarted | RunAcquired | RunCompleted | RunFailed | RunCancelled | RunAbandoned | RunForked
    | RunCopied | RunParked | RunUnparked | RunPaused | RunUnpaused | LimitRaised | CommandTaken
    | CancelRequested | RunReopened | InputAdded | MessageReceived | SessionLoaded | SessionSaved
    | SessionHeldBack | SessionShortened | ContextPatched | HistoryCompacted | TurnPrepared | EffectStarted | EffectAccepted
    | EffectFailed | EffectLost | ModelReplied | ToolReturned | StepRecorded | GuardrailChecked
    | ApprovalRequested | ApprovalWaived | ApprovalDecided | HandedOff | OutputProduced
    | TurnContinued | OutputBlocked | TimerSet | TimerFired | ChildStarted | ChildCompleted
    | UsageAdded | ApprovalVoted | BudgetWarned | LastTurnBegun | BudgetRaised | UnknownEvent
)  # fmt: skip
