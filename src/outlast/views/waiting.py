"""Who waits for what: calls for a person, runs for a provider."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from outlast.core.decide import decide
from outlast.core.events import ApprovalDecided, ApprovalRequested, Event, Item, ModelReplied
from outlast.core.state import RunState, approval_key, own_call_id, question_id, waiting_keys


class WaitingCall(NamedTuple):
    """A call that waits for a person."""

    key: str
    """Where its decision is kept: the call's id, behind a run's id and a slash for a child's call."""
    request: ApprovalRequested
    item: Item
    """The call as the model made it."""
    is_in_doubt: bool = False
    """Whether it began already, and nobody knows how it ended: a yes runs it again."""
    server: str = ""
    """The MCP server whose tool is called; empty for tools of the program's own."""
    description: str = ""
    """What that server says about the tool."""
    number: int = 1
    """How often the call has asked, this time included."""

    @property
    def question_id(self) -> str:
        """What a decision about this is told as: no later question of the call has this id."""
        return question_id(self.key, self.number)

    @property
    def agent(self) -> str:
        """Whose call it is."""
        return self.request.agent

    @property
    def tool(self) -> str:
        """What is to run."""
        return self.request.name

    @property
    def own_id(self) -> str:
        """The id that the model gave the call, in whichever run it is."""
        return own_call_id(self.request)


def waiting_calls(state: RunState) -> list[WaitingCall]:
    """The calls that wait for a person, in the order in which they asked; none once the run has ended."""
    return [
        WaitingCall(
            key,
            request,
            item,
            request.is_in_doubt or request.reason == "in_doubt",
            number=state.questions.get(key, 1),
        )
        for key in waiting_keys(state)
        if (item := requested_item(state, request := state.requested[key])) is not None
    ]


class AskingReply(NamedTuple):
    """A reply with calls that a person was asked about."""

    reply: ModelReplied
    places: dict[str, int]
    """Of its calls, by their ids."""
    questions: list[tuple[int, ApprovalRequested, Item]]
    """In the order of the calls: the place of the call, what was asked, and the call itself."""


def questions(events: Sequence[Event], state: RunState) -> list[AskingReply]:
    """What people were asked about the calls of a run's replies; not about those of child runs.

    Args:
        events: The run's log, which alone knows what it asked.
        state: What the log comes to.
    """
    found: dict[str, AskingReply] = {}
    waiting = {call.key for call in waiting_calls(state)}
    reply: ModelReplied | None = None
    for event, following in pairwise([*events, None]):
        if isinstance(event, ModelReplied):
            reply = event
            found.pop(event.id, None)
        if reply is None or not isinstance(event, ApprovalRequested) or event.child:
            continue
        if _was_asked(event, following, waiting):
            _note_question(found, reply, event)
    return list(found.values())


def _was_asked(request: ApprovalRequested, following: Event | None, waiting: set[str]) -> bool:
    if isinstance(following, ApprovalDecided) and following.call_id == request.call_id:
        return False  # The program's own function has decided: nobody was asked.
    # What a crash has asked does not belong to what was said.
    return request.reason != "in_doubt" or approval_key(request) in waiting


def _note_question(
    found: dict[str, AskingReply], reply: ModelReplied, request: ApprovalRequested
) -> None:
    places = {call.id: number for number, call in enumerate(reply.calls)}
    asking = found.setdefault(reply.id, AskingReply(reply, places, []))
    place = asking.places.get(request.call_id)
    if place is None or any(known == place for known, *_ in asking.questions):
        return
    item = reply.output[reply.calls[place].index]
    asking.questions.append((place, request, item))
    asking.questions.sort(key=lambda each: each[0])


def waits_for_person(state: RunState) -> bool:
    """Whether the run does nothing until a person has decided about a call."""
    if not state.requested or state.parked or not waiting_calls(state):
        return False
    return not decide(state)


def waits_for_provider(state: RunState) -> bool:
    """Whether the run does nothing until a provider answers again.

    This wait ends by itself. So a run of which one call waits for a provider and another for a person
    waits for the provider: it is to go on when that is back, whatever the person does.
    """
    return bool(state.parked) and not state.ended and not decide(state)


def retry_at(state: RunState) -> float | None:
    """When a parked run asks its provider again, in seconds since 1970; None if it is not parked."""
    return min((each.until for each in state.parked.values()), default=None)


def requested_item(state: RunState, request: ApprovalRequested) -> Item | None:
    """The call that a request is about; None where it is answered, or the log does not have it."""
    if request.child:
        return request.item
    call = state.open_calls.get(request.call_id)
    return state.reply.output[call.index] if call and state.reply else None
