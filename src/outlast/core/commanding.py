"""What comes of a command: the events that taking it adds to a run's log.

`taken(state, run_id, command)` is pure and total, so whoever takes a command says the same of it. Each
command stands in the log once, as `CommandTaken`, and what it changed is in the same append. That is how
a process that takes over knows what was taken, and how whoever posted it learns what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, assert_never

import msgspec
from msgspec.structs import replace

from outlast.core.commands import Cancel, Command, Decide, GoOn, Pause, RaiseLimit, Send, TopUp
from outlast.core.deciding import has_expired, is_same_vote, may_decide, settled, votes_with
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    BudgetRaised,
    CancelRequested,
    CommandTaken,
    ErrorFacts,
    Event,
    GuardrailNames,
    LimitRaised,
    MessageReceived,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunUnparked,
    RunUnpaused,
)
from outlast.core.items import is_of_run
from outlast.core.state import (
    RunState,
    approval_key,
    own_call_id,
    question_id,
    tool_name,
    waiting_keys,
)

TOLD = (
    CommandTaken
    | ApprovalDecided
    | MessageReceived
    | CancelRequested
    | RunPaused
    | RunUnpaused
    | LimitRaised
    | BudgetRaised
    | ApprovalVoted
)
"""What a person's word adds to a log: whoever writes it need not go on with the run."""


def taken(state: RunState, run_id: str, command: Command) -> tuple[Event, ...]:
    """The events that ``command`` comes to in ``state``; the first says that it was taken."""
    receipt = CommandTaken(command.id, _kind(command), command.by)
    try:
        return (receipt, *_changes(state, run_id, command))
    except _Refusal as refusal:
        return (replace(receipt, error=refusal.facts),)


def wanted(event: Event, **head: Any) -> Command | None:
    """What to tell a run so that whoever performs it adds ``event``; None where no command does that.

    Args:
        event: What somebody who does not perform the run would add.
        head: The head of the command.
    """
    match event:
        case ApprovalDecided() | ApprovalVoted():
            said = {name: getattr(event, name) for name in _SAID if hasattr(event, name)}
            return Decide(**head, call_id=approval_key(event), **said)
        case MessageReceived():
            return Send(**head, items=event.items)
        case RunCancelled() | CancelRequested():
            is_late = isinstance(event, CancelRequested)
            return Cancel(**head, mode="after_turn" if is_late else "immediate")
        case LimitRaised():
            return RaiseLimit(**head, max_turns=event.max_turns)
        case BudgetRaised():
            fields = ("per", "agent", "tokens", "requests", "tool_calls", "nano_usd", "ms")
            return TopUp(**head, **{name: getattr(event, name) for name in fields})
        case RunPaused():
            return Pause(**head)
        case RunUnpaused() | RunUnparked():
            return GoOn(**head)
        case _:
            return None


class _Refusal(Exception):  # it leaves this module as facts
    def __init__(self, kind: str, message: str, **data: object) -> None:
        super().__init__(message)
        self.facts = ErrorFacts(kind, message, data=data)


def _changes(state: RunState, run_id: str, command: Command) -> Sequence[Event]:
    """What changes; nothing where all is as it is wanted already."""
    match command:
        case Cancel():
            return _cancelled(state, run_id, command)
        case Decide():
            return _decided(state, run_id, command)
        case RaiseLimit():
            return _raised(state, run_id, command)
        case TopUp():
            return _topped_up(state, run_id, command)
        case Send():
            _require_open(state, run_id)
            _require_said(command)
            names = state.started.guardrails if state.started else GuardrailNames()
            return [MessageReceived(command.id, command.items, command.by, names)]
        case Pause():
            _require_open(state, run_id)
            return [] if state.paused else [RunPaused(command.by, command.why)]
        case GoOn():
            _require_open(state, run_id)
            return _gone_on(state, command)
        case _:
            assert_never(command)


def _kind(command: Command) -> str:
    return str(type(command).__struct_config__.tag)


# --- Each command. -----------------------------------------------------------------------


def ended_word(state: RunState) -> Literal["", "completed", "failed", "cancelled"]:
    """How a run has ended, in a word; empty where it has not."""
    match state.ended:
        case None:
            return ""
        case RunCompleted():
            return "completed"
        case RunFailed():
            return "failed"
        case RunCancelled():
            return "cancelled"


def over(run_id: str, status: str) -> str:
    """What is said to whoever wants something of a run that has ended."""
    advice = {
        "failed": "Runner.resume goes on with it where it stopped; then it can be told something.",
        "cancelled": "What it did can be read; begin another run for more.",
    }.get(status, "Its answer can be read; begin another run for more.")
    return f"Run {run_id!r} is {status}: nothing was changed. {advice}"


def _require_open(state: RunState, run_id: str) -> None:
    status = ended_word(state)
    if status:
        raise _Refusal("RunHasEnded", over(run_id, status), run_id=run_id, status=status)
    if state.output is not None:
        message = (
            f"Run {run_id!r} has its answer and is about to end: nothing was changed. Begin another run "
            "for more."
        )
        raise _Refusal("RunHasEnded", message, run_id=run_id, status="running")


def _require_said(command: Send) -> None:
    """Refuse items that only the run adds, such as an answer of a call: each call has one answer."""
    kinds = sorted({str(item["type"]) for item in command.items if is_of_run(item)})
    if kinds:
        raise _Refusal(
            "UserError",
            f"What was sent has items that only the run itself adds: {', '.join(kinds)}. Send a text, or "
            "messages; a call that waits is answered by a decision about it. Nothing was changed.",
        )


def _gone_on(state: RunState, command: GoOn) -> Sequence[Event]:
    """A run that is parked asks its provider again, too: whoever wants it to go on does not wait."""
    changes: list[Event] = []
    if state.paused or state.abandoned == "leave":
        changes.append(RunUnpaused(command.by, command.why))
    if state.parked:
        changes.append(RunUnparked())
    return changes


def _cancelled(state: RunState, run_id: str, command: Cancel) -> Sequence[Event]:
    if isinstance(state.ended, RunCancelled):
        return []
    if isinstance(state.ended, RunCompleted):
        raise _Refusal("RunHasEnded", over(run_id, "completed"), run_id=run_id, status="completed")
    if state.ended or command.mode == "immediate":
        return [RunCancelled(by=command.by, why=command.why)]
    if state.cancel_requested:
        return []
    return [CancelRequested(command.by, command.why, command.turn)]


def _raised(state: RunState, run_id: str, command: RaiseLimit) -> Sequence[Event]:
    if not isinstance(state.ended, RunFailed):
        _require_open(state, run_id)
    old, new = state.max_turns, command.max_turns
    if old == new:
        return []
    if old is None or (new is not None and new < old):
        has = "no limit" if old is None else f"a limit of {old} turns"
        raise _Refusal(
            "UserError",
            f"Run {run_id!r} has {has}, and was to get one of {new}: nothing was changed. A limit can "
            "only be raised.",
        )
    return [LimitRaised(new, command.by, command.why)]


def _topped_up(state: RunState, run_id: str, command: TopUp) -> Sequence[Event]:
    if not isinstance(state.ended, RunFailed):
        _require_open(state, run_id)
    return [
        BudgetRaised(
            command.id,
            command.per,
            command.agent,
            command.tokens,
            command.requests,
            command.tool_calls,
            command.nano_usd,
            command.ms,
            command.by,
            command.why,
        )
    ]


def bound(state: RunState, command: Decide) -> Decide:
    """The command, about the one question that it means in ``state``, and about no later one."""
    if command.number or _name(command) in state.verdicts:
        return command
    keys = _keys(state, command)
    if len(keys) != 1:
        return command
    return replace(command, call_id=keys[0], number=state.questions.get(keys[0], 0))


def _keys(state: RunState, command: Decide) -> list[str]:
    """The calls that wait and that a decision may mean: by their keys, by their ids, by a question's."""
    waiting, name = waiting_keys(state), _name(command)
    if not command.number and name in waiting:
        return [name]
    if not command.number and (
        named := [key for key in waiting if own_call_id(state.requested[key]) == name]
    ):
        return named
    numbers = state.questions
    asked = [key for key in waiting if question_id(key, numbers.get(key, 1)) == name]
    return asked or [
        key
        for key in waiting
        if question_id(own_call_id(state.requested[key]), numbers.get(key, 1)) == name
    ]


def _name(command: Decide) -> str:
    return question_id(command.call_id, command.number) if command.number else command.call_id


def _decided(state: RunState, run_id: str, command: Decide) -> Sequence[Event]:
    if _is_settled(state, run_id, command):
        return []
    keys = _keys(state, command)
    if len(keys) != 1:
        waiting = waiting_keys(state)
        what = f"{len(keys)} calls have the id" if keys else "no call waits that has the whole id"
        ended = f" The run is {ended_word(state)}." if state.ended else ""
        raise _Refusal(
            "CallNotFound",
            f"In run {run_id!r}, {what} {_name(command)!r}. These wait: "
            f"{', '.join(waiting) or 'none'}.{ended} Nothing was decided.",
            run_id=run_id,
            waiting=tuple(waiting),
        )
    request = state.requested[keys[0]]
    _check_fit(state, request, command)
    vote, before = _vote(request, command), state.votes.get(keys[0], ())
    is_new = not any(each.by == vote.by and is_same_vote(each, vote) for each in before)
    votes = [vote] if is_new else []
    word = settled(request, votes_with(state, vote))
    if word is None:
        return votes
    decision = ApprovalDecided(
        call_id=request.call_id,
        approved=word.approved,
        always=word.always,
        message=word.message,
        agent=request.agent,
        name=tool_name(state, request, None),
        child=request.child,
        by=command.by,
        why=command.why,
        at=command.at,
        arguments=word.arguments,
        answer=word.answer,
    )
    return [decision] if _is_alone(request) else [*votes, decision]


def _is_alone(request: ApprovalRequested) -> bool:
    return request.rules is None or request.rules.needed == 1


def _vote(request: ApprovalRequested, command: Decide) -> ApprovalVoted:
    """The vote that a decision is, where rules say who may decide, and how many have to agree."""
    about, nothing = f"Call {command.call_id!r}", "Nothing was decided."
    if has_expired(request, command.at):
        raise _Refusal(
            "AlreadyDecided", f"{about} has expired: what was to hold then holds. {nothing}"
        )
    if not may_decide(request, command.by, command.at):
        raise _Refusal("UserError", f"{about} is not for {command.by!r} to decide about. {nothing}")
    if not (_is_alone(request) or command.by):
        raise _Refusal(
            "UserError", f"Several have to agree about {about.lower()}: say who you are. {nothing}"
        )
    said = {name: getattr(command, name) for name in ("by", "why", "at", *_SAID)}
    return ApprovalVoted(call_id=request.call_id, child=request.child, **said)


_SAID = ("approved", "always", "message", "arguments", "answer")


def _check_fit(state: RunState, request: ApprovalRequested, command: Decide) -> None:
    """Refuse an answer where nobody asked, a question left open, and arguments that are none."""
    about, nothing = f"Call {command.call_id!r}", "Nothing was decided."
    if request.question and command.approved:
        if command.answer is None:
            wrong = (
                f"{about} asks {request.question!r}, and was approved without an answer. Answer it."
            )
        elif request.choices and command.answer not in request.choices:
            wrong = f"{about} was answered {command.answer!r:.80}; may be: {', '.join(map(repr, request.choices))}."
        else:
            wrong = ""
        if wrong:
            raise _Refusal("UserError", f"{wrong} {nothing}")
    elif command.answer is not None:
        raise _Refusal("UserError", f"{about} asks no question that is to be answered. {nothing}")
    if command.arguments is None:
        return
    call = state.open_calls.get(request.call_id)
    kind = request.item.get("type") if request.child else call and call.kind
    if kind not in ("function", "function_call") or request.question:
        raise _Refusal("UserError", f"{about} is of no function, so its arguments stay. {nothing}")
    try:
        is_object = isinstance(msgspec.json.decode(command.arguments), dict)
    except msgspec.DecodeError:
        is_object = False
    if not is_object:
        raise _Refusal(
            "UserError", f"{about} was to be made with arguments that are no JSON object. {nothing}"
        )


def _is_settled(state: RunState, run_id: str, command: Decide) -> bool:
    """Whether this very decision was made before, and the call has not asked again since."""
    before = state.verdicts.get(_name(command))
    if before is None:
        return False
    votes = state.votes.get(approval_key(before), ())
    own = (before, *(vote for vote in votes if vote.approved == before.approved))
    wanted_now = [getattr(command, name) for name in ("by", *_SAID)]
    if before.by == command.by and any(
        [getattr(each, name) for name in ("by", *_SAID)] == wanted_now for each in own
    ):
        return True
    who = f"by {before.by!r}" if before.by else "by somebody who gave no name"
    word = "approved" if before.approved else "rejected"
    raise _Refusal(
        "AlreadyDecided",
        f"Call {command.call_id!r} of run {run_id!r} was {word} already, {who}. That holds; nothing was "
        "changed.",
        run_id=run_id,
        call_id=command.call_id,
        approved=before.approved,
        by=before.by,
        why=before.why,
        at=before.at,
    )
