"""The fold of turns: prepared, replied, answered, concluded."""

from __future__ import annotations

from msgspec.structs import replace

from outlast.core.events import (
    Entry,
    HandedOff,
    Item,
    MessageReceived,
    ModelReplied,
    OutputBlocked,
    OutputProduced,
    ToolReturned,
    TurnContinued,
    TurnPrepared,
)
from outlast.core.folds.conversation import flushed, has_shell_calls, with_entries
from outlast.core.folds.effects import finished, without
from outlast.core.folds.table import Folds
from outlast.core.growing import Vector
from outlast.core.ids import check_id
from outlast.core.items import entry_kind, invocation
from outlast.core.state import RunState, plus


def _prepared(state: RunState, event: TurnPrepared) -> RunState:
    added = [
        Entry(item, "input", state.agent, message.id)
        for message in state.inbox
        for item in message.items
    ]
    state = _checked_anew(with_entries(state, added)) if added else state
    return replace(
        state,
        prepared=event,
        reply=None,
        inbox=(),
        activated=True,
        is_settled=False,
        handed_to="",
        requested={},
        requested_as={},
        decided={},
        waived=frozenset(),
        steps={},
        children={},
        told_answers={},
        votes={},
        failed_attempts=(),
        in_flight=without(state.in_flight, event.id),
        in_doubt=without(state.in_doubt, event.id),
    )


def _checked_anew(state: RunState) -> RunState:
    """What somebody has sent meanwhile passes the guardrails of the input in the turn that it enters."""
    sent = [message for message in state.inbox if isinstance(message, MessageReceived)]
    names = [message.guardrails for message in sent]
    count = max((len(each.blocking) + len(each.parallel) for each in names), default=0)
    if not count:
        return state
    fresh = {check_id("input", n, state.turn + 1) for n in range(count)}
    return replace(state, staged=state.inbox, open_checks=state.open_checks | fresh)


def _replied(state: RunState, event: ModelReplied) -> RunState:
    kinds = {call.index: call.kind for call in event.calls}
    added = [
        Entry(item, _kind(item, kinds.get(n)), event.agent, event.id)
        for n, item in enumerate(event.output)
    ]
    state = with_entries(state, added)
    made = [call for call in event.calls if 0 <= call.index < len(event.output)]
    calls = {call.id: call for call in made}
    return replace(
        state,
        turn=state.turn + 1,
        reply=event,
        replies=state.replies.extended((event,)),
        open_calls=calls,
        answers={},
        failed_calls=frozenset(),
        answered_upto=len(state.model_entries),
        response_id=event.response_id or state.response_id,
        usage=plus(state.usage, event.usage),
        seen_calls=state.seen_calls.added(
            (call.id, invocation(event.output[call.index])) for call in made
        ),
        tool_users=state.tool_users | {event.agent} if calls else state.tool_users,
        attempts={},
        parks={},
        accepted={},
        # What failed beside the model's call, such as a guardrail, has failed for good.
        failures=without(state.failures, event.id),
        in_flight=without(state.in_flight, event.id),
        in_doubt=without(state.in_doubt, event.id),
    )


def _kind(item: Item, call: str | None) -> str:
    return "handoff_call" if call == "handoff" else entry_kind(item)


def _answered(state: RunState, event: ToolReturned | HandedOff) -> RunState:
    still_open = without(state.open_calls, event.call_id)
    if isinstance(event, ToolReturned) and event.outcome == "error":
        state = replace(state, failed_calls=state.failed_calls | {event.call_id})
    state = replace(
        state,
        open_calls=still_open,
        answers={**state.answers, event.call_id: event},
        in_flight=without(state.in_flight, event.id),
        in_doubt=without(state.in_doubt, event.id),
    )
    return state if still_open else flushed(state)


def _handed_off(state: RunState, event: HandedOff) -> RunState:
    state = _answered(state, event)
    if event.history:
        entries = Vector(event.history.entries)
        seen = event.history.model_entries
        model_entries = entries if seen is None else Vector(seen)
        state = replace(
            state,
            head=event.history.head,
            entries=entries,
            model_entries=model_entries,
            saved=min(state.saved, len(entries)),
            has_shell_calls=has_shell_calls(model_entries),
        )
    return replace(state, agent=event.to, handed_to=event.to, activated=False)


def _output(state: RunState, event: OutputProduced) -> RunState:
    if event.message:
        entry = Entry(event.message, "message", state.agent, event.id)
        state = with_entries(state, [entry])
    return finished(replace(state, output=event, passed=frozenset()), event.id)


def _continued(state: RunState, event: TurnContinued) -> RunState:
    return finished(replace(state, is_settled=True), event.id)


def _blocked(state: RunState, event: OutputBlocked) -> RunState:
    def blocked(entry: Entry) -> Entry:
        is_it = entry.kind == "tool_output" and entry.item.get("call_id") == event.call_id
        return replace(entry, item=event.item, value=None) if is_it else entry

    def stays(place: int, entry: Entry) -> bool:
        # What the model said beside the call may tell of its answer.
        is_beside = state.reply is not None and entry.source == state.reply.id
        return place < state.saved or not is_beside or entry.kind != "message"

    def left(entries: Vector[Entry]) -> Vector[Entry]:
        return Vector([blocked(entry) for n, entry in enumerate(entries) if stays(n, entry)])

    entries = left(state.entries)
    if state.model_entries is state.entries:
        return replace(state, entries=entries, model_entries=entries)
    # A handoff's filter made them differ: what it took from the model stays away from it.
    return replace(state, entries=entries, model_entries=left(state.model_entries))


FOLDS: Folds = {
    TurnPrepared: _prepared,
    ModelReplied: _replied,
    ToolReturned: _answered,
    HandedOff: _handed_off,
    OutputProduced: _output,
    TurnContinued: _continued,
    OutputBlocked: _blocked,
}
