"""What a log amounts to: the state of a run, and what can be asked of it.

`core/evolve.py` folds events into it, `core/decide.py` says what it needs next.
"""

from __future__ import annotations

from typing import Any

import msgspec

from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    BudgetRaised,
    Call,
    EffectAccepted,
    EffectFailed,
    EffectStarted,
    Entry,
    GuardrailChecked,
    GuardrailNames,
    HandedOff,
    InputAdded,
    Item,
    MessageReceived,
    ModelReplied,
    OutputProduced,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunParked,
    RunPaused,
    RunStarted,
    SessionLoaded,
    StepRecorded,
    ToolReturned,
    TurnPrepared,
    UsageFacts,
)
from outlast.core.growing import Index, Vector
from outlast.core.ids import EffectId, check_place
from outlast.core.items import call_id
from outlast.core.records import CallKind

Answer = ToolReturned | HandedOff
Ending = RunCompleted | RunFailed | RunCancelled


class Options(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The settings of a run that `decide` reads; stored in `RunStarted.options`."""

    session: bool = False
    """Whether the run reads and writes a session."""
    session_id: str = ""
    shortens_session: bool = False
    """Whether that session is asked, after each turn, to shorten itself."""
    hold_side_effects: bool = True
    """Whether tools wait until the input guardrails that run beside the first turn have passed."""
    forgive_unknown_tools: bool = False
    """Whether a name that no tool has is told to the model instead of failing the run."""
    max_parallel_calls: int | None = None
    parks: bool = False
    """Whether the run waits, without a process, where a provider is down."""
    recover_max_turns: bool = False
    """Whether an error handler is to be asked when the turn limit is reached."""
    conversation_id: str | None = None
    """A conversation that the provider keeps: every call sends only what is new."""
    previous_response_id: str | None = None
    chains_responses: bool = False
    """Whether each call continues the response before it, so that only what is new is sent."""
    omits_reasoning_ids: bool = False
    """Whether models are given their own reasoning back without its ids."""
    has_context: bool = False
    """Whether the run began with a context, which only its program can give again."""
    program: str = ""
    """Where the agent was loaded from (`FILE:AGENT`), when a command line did it."""
    budgets: list[dict[str, Any]] = []
    """The limits of the run itself: those of whoever goes on with it and gives none."""
    approval_rules: list[dict[str, Any]] = []
    """Who decides about its calls, likewise; those of the runs that it is inside of come first."""


_NOTHING: Vector[Entry] = Vector()


class RunState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything that follows from a log. Empty before the first event."""

    started: RunStarted | None = None
    options: Options = Options()
    max_turns: int | None = None
    agent: str = ""
    activated: bool = False
    """Whether the agent has begun since it took over."""

    head: list[Item] = []
    """The run's input, as the model sees it."""
    new_input: list[Item] = []
    """What of the input is new to the session."""
    entries: Vector[Entry] = _NOTHING
    """What the run has added to the conversation, for the caller and the session."""
    model_entries: Vector[Entry] = _NOTHING
    """The same for the model. It differs only after a handoff filter said so."""
    has_shell_calls: bool = False
    """Whether the model entries have, or had, a call of the shell: such need a look before they go."""
    answered_upto: int = 0
    """How many model entries the provider has seen or written itself."""
    response_id: str | None = None
    inbox: tuple[InputAdded | MessageReceived, ...] = ()
    staged: tuple[InputAdded | MessageReceived, ...] = ()
    """What was staged for the turn that is next or in progress, for whoever checks it."""

    turn: int = 0
    """How many replies the run has."""
    prepared: TurnPrepared | None = None
    """The turn in progress; None between turns."""
    reply: ModelReplied | None = None
    replies: Vector[ModelReplied] = Vector()
    """All replies so far."""
    open_calls: dict[str, Call] = {}
    answers: dict[str, Answer] = {}
    """Answers of this turn that are not in the conversation yet."""
    failed_calls: frozenset[str] = frozenset()
    """Calls of this turn that failed, so that their answer is no result."""
    handed_to: str = ""
    """The agent that this turn handed off to."""
    is_settled: bool = False
    """Whether user code has looked at the finished turn and let the run go on."""

    requested: dict[str, ApprovalRequested] = {}
    """Calls that wait, or waited, for a person, by call id (`child/call id` for a child's)."""
    requested_as: dict[str, tuple[str, ...]] = {}
    """Their keys by the ids that models gave them, which several runs' calls may have in common."""
    decided: dict[str, ApprovalDecided] = {}
    verdicts: dict[str, ApprovalDecided] = {}
    """The decisions of all turns: of each question by its id, and of calls that have not asked again
    since by their keys and ids, too."""
    questions: dict[str, int] = {}
    """How often each call has asked, by its key: which of its questions was the last."""
    votes: dict[str, tuple[ApprovalVoted, ...]] = {}
    """Who has said what about calls on which several have to agree, by the keys of the requests."""
    waived: frozenset[str] = frozenset()
    standing: dict[tuple[str, str], ApprovalDecided] = {}
    """Decisions that hold for all calls of a tool, by agent and tool."""

    in_flight: dict[str, EffectStarted] = {}
    in_doubt: dict[str, EffectStarted] = {}
    """Begun by a process that is gone, without a result."""
    failures: dict[str, EffectFailed] = {}
    """Effects whose last attempt failed."""
    attempts: dict[str, int] = {}
    failed_attempts: tuple[EffectFailed, ...] = ()
    """Failed attempts of the model call in progress, oldest first."""
    accepted: dict[str, EffectAccepted] = {}
    """Model calls that the provider works on by itself, until they are answered."""
    fired: frozenset[str] = frozenset()
    steps: dict[str, dict[str, StepRecorded]] = {}
    """Of the turn in progress, like `children`: the parts of calls, by effect id and name."""
    children: dict[str, str] = {}
    told_answers: dict[str, dict[str, str]] = {}
    """What people have answered to the questions of calls, by effect id and the name of the question."""

    open_checks: frozenset[str] = frozenset()
    """Input guardrails that have not answered."""
    tripped: GuardrailChecked | None = None
    checks: Vector[GuardrailChecked] = Vector()
    passed: frozenset[str] = frozenset()
    """Output guardrails that let the output through."""
    output: OutputProduced | None = None

    is_loaded: bool = False
    loaded: SessionLoaded | None = None
    """What the session held when its history was read."""
    is_input_saved: bool = False
    saved: int = 0
    """How many entries the session holds."""
    holds_back: bool = False
    """Whether entries, or answers, are kept from the session until the next save."""
    held_back: str = ""
    """The save that did so last; empty where another process, with other guardrails, may save."""
    shortened: int = 0
    """How many entries the session held when it was asked to shorten itself last."""
    left_out: frozenset[str] = frozenset()
    """Calls among those entries that it does not hold: the run failed before they were answered."""
    saved_ahead: frozenset[str] = frozenset()
    """Calls whose answers it holds already, though they are no entries yet."""

    usage: UsageFacts = UsageFacts()
    seen_calls: Index = Index()
    tool_users: frozenset[str] = frozenset()
    """Agents that have used a tool in this run."""
    cancel_requested: bool = False
    last_turn: int | None = None
    """The turn after which the run is to be cancelled, where whoever asks has said so."""
    paused: RunPaused | None = None
    """Who has paused the run; None where nobody has."""
    warned: frozenset[str] = frozenset()
    """The budgets that the log has warned of, by their keys."""
    top_ups: tuple[BudgetRaised, ...] = ()
    """What people have added to budgets."""
    last_turns: frozenset[str] = frozenset()
    """Model calls that are made without tools, for nothing else fits into a budget."""
    commands: frozenset[str] = frozenset()
    """The ids of the commands that the log has taken."""
    abandoned: str = ""
    """What is to become of the run whose caller went away (`finish`, `leave`); empty otherwise."""
    ended: Ending | None = None
    keys: dict[str, str] = {}
    """The idempotency keys of calls that another run has asked for first, by effect id: a fork's."""
    origins: dict[str, str] = {}
    """The runs that have asked for those calls first: runs inside them bear their ids."""
    relatives: frozenset[str] = frozenset()
    """Runs that this one is a copy of, or that are copies of it: they may have made the same calls."""
    before_failure: RunState | None = None
    """The state that the run failed in: where it goes on if it is reopened."""
    spent: frozenset[str] = frozenset()
    """Tool effects that failed after they had begun: a reopened run does not begin them again."""
    parked: dict[str, RunParked] = {}
    """What waits for a provider that is down, by the effect that waits."""
    parks: dict[str, int] = {}
    """How often in a row an effect has waited so."""
    repeated: frozenset[str] = frozenset()
    """Effects that ended the run by their failure, before it was reopened: they are tried again."""


def input_checks(state: RunState, key: str) -> GuardrailNames:
    """The guardrails of the input that the check ``key`` is about, in the order of their ids."""
    lists = [message.guardrails for message in state.staged]
    if checks_input(key) and state.started:
        lists.append(state.started.guardrails)
    return max(lists, key=lambda each: len(each.blocking) + len(each.parallel), default=_UNCHECKED)


_UNCHECKED = GuardrailNames()


def checks_input(key: str) -> bool:
    """Whether a check of input is about what the run began with, and not about what was staged."""
    return EffectId.parse(key).turn == 1


def guardrail_of(state: RunState, key: str) -> tuple[str, int]:
    """The name of the guardrail that makes the check ``key``, and which of that name it is.

    A guardrail is known by its name. Two of one name are told apart by their order.
    """
    side, index = check_place(key)
    if side == "out":
        names = state.output.guardrails if state.output else ()
    else:
        both = input_checks(state, key)
        names = (*both.blocking, *both.parallel)
    if not 0 <= index < len(names):
        return "", 0
    return names[index], names[:index].count(names[index])


def approval_key(event: ApprovalRequested | ApprovalDecided | ApprovalVoted) -> str:
    """Where a call's approval is kept: child runs have call ids of their own."""
    return f"{event.child}/{event.call_id}" if event.child else event.call_id


def own_call_id(request: ApprovalRequested) -> str:
    """The id that the model gave a call, in whichever run it is."""
    return call_id(request.item) if request.child else request.call_id


def question_id(key: str, number: int) -> str:
    """The name of one question of a call, which no later question of the call has."""
    return f"{key}@{number}"


def waiting_keys(state: RunState) -> list[str]:
    """The calls that wait for a person, by their keys, in the order in which they asked."""
    if state.ended:
        return []
    return [
        key
        for key, request in state.requested.items()
        if key not in state.decided and (request.child or request.call_id in state.open_calls)
    ]


def tool_name(state: RunState, request: ApprovalRequested, name: str | None) -> str:
    """What a decision for all calls of the tool is about; a child's run has calls of its own."""
    calls = state.reply.calls if state.reply and not request.child else ()
    scoped = (call.scoped_name for call in calls if call.id == request.call_id)
    return next(scoped, name or request.name)


WHOLE = ""
"""The name of the step that is a whole call, which has run. No other step is without a name."""


def open_doubt(state: RunState, key: str) -> EffectStarted | None:
    """The effect that may have happened, unless the log has what it came to."""
    return None if WHOLE in state.steps.get(key, {}) else state.in_doubt.get(key)


def idempotency_key(state: RunState, run_id: str, effect_id: str) -> str:
    """What the outside world knows a tool call by, whoever makes it and however often."""
    salt = f"{state.started.salt}:" if state.started and state.started.salt else ""
    return state.keys.get(effect_id) or f"{run_id}:{salt}{effect_id}"


def plus(one: UsageFacts, other: UsageFacts) -> UsageFacts:
    """The sum of two usages."""
    return UsageFacts(
        one.requests + other.requests,
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.total_tokens + other.total_tokens,
        one.cached_tokens + other.cached_tokens,
        one.cache_write_tokens + other.cache_write_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
    )


def answered(state: RunState) -> list[Entry]:
    """Entries for the calls that are answered and not in the conversation yet, see `answer_places`."""
    if not state.answers or not state.reply:
        return []
    answers = list(state.answers.values())
    if len(answers) > 1:
        places = answer_places(state.reply)
        answers.sort(key=lambda answer: places.get(answer.call_id, len(places)))
    return [answer_entry(answer, state.reply.agent) for answer in answers]


def answer_places(reply: ModelReplied) -> dict[str, int]:
    """Where the answers of a reply's calls stand among each other, by the ids of the calls.

    By kind, as in openai-agents, and those of one kind in the order of the calls. The first handoff comes
    last wherever it was called: it begins when all else is answered, other handoffs too.
    """
    first = next((call for call in reply.calls if call.kind == "handoff"), None)
    calls = sorted(reply.calls, key=lambda call: (call is first, _KINDS.index(call.kind)))
    return {call.id: number for number, call in enumerate(calls)}


_KINDS: tuple[CallKind, ...] = (
    "function", "computer", "custom", "shell", "apply_patch", "local_shell", "mcp_approval", "hosted",
    "unknown", "handoff",
)  # fmt: skip


def answer_entry(answer: Answer, agent: str) -> Entry:
    """The entry of an answered call."""
    if isinstance(answer, HandedOff):
        return Entry(answer.item, "handoff_output", answer.source, answer.id, answer.to)
    kind = "tool_output" if answer.outcome != "ignored" else "ignored_handoff"
    return Entry(answer.item, kind, agent, answer.id, data=answer.data, value=answer.value)


def blocked_output(state: RunState) -> str | None:
    """What stands for a tool's answer that was to be the output and that a guardrail refused.

    None where nothing like that happened.
    """
    if state.tripped is None or state.tripped.stage != "output":
        return None
    if state.output is None or state.output.kind != "tool":
        return None
    outputs = [entry.item for entry in state.entries if entry.kind == "tool_output"]
    return str(outputs[-1].get("output")) if outputs else None
