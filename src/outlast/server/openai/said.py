"""What an agent has said in a run, as OpenAI's APIs have it: messages, and calls that want a yes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from outlast.core.errors import UserError
from outlast.core.evolve import evolve, fold
from outlast.core.items import text_of
from outlast.core.records import Item
from outlast.core.state import RunState
from outlast.core.stored import Stored
from outlast.run import decisions
from outlast.server.callers import Caller
from outlast.server.service import Service
from outlast.server.shown import Json
from outlast.views.decisions import decision_records
from outlast.views.news import news
from outlast.views.waiting import WaitingCall, waiting_calls


class Message(NamedTuple):
    """Something that an agent has said."""

    effect: str
    place: int
    """Of the event that has it."""
    item: Item


class Said(NamedTuple):
    """A run, as far as a client of OpenAI's is concerned."""

    state: RunState
    messages: list[Message]
    waiting: list[WaitingCall]
    began_at: float
    last: int
    """The place of the last event."""
    decisions: int
    """How many calls people have decided about."""

    @property
    def text(self) -> str:
        """The output; what was said last, where there is none yet."""
        output = self.state.output
        if output is not None:
            said = output.output
            return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        return text_of(self.messages[-1].item) if self.messages else ""


def said_in(log: Sequence[Stored]) -> Said:
    """What was said in a run."""
    state, messages = RunState(), list[Message]()
    for stored in log:
        state = evolve(state, stored.event)
        reply = news(stored.event, state).reply
        if reply is not None:
            messages += [
                Message(reply.id, stored.seq, item) for item in reply.output if _is_message(item)
            ]
    words = decision_records([stored.event for stored in log])
    decided = sum(word.kind == "decision" for word in words)
    return Said(state, messages, waiting_calls(state), log[0].at, log[-1].seq, decided)


def _is_message(item: Item) -> bool:
    return item.get("type", "message") == "message" and bool(text_of(item))


def arguments_of(call: WaitingCall) -> str:
    """What a call is made with, as its model wrote it."""
    body: Any = call.item.get("arguments", call.item.get("input", ""))
    return body if isinstance(body, str) else json.dumps(body)


async def decide(service: Service, caller: Caller, run_id: str, answers: dict[str, Json]) -> None:
    """Decide about calls of a run as a client has answered, and let it go on.

    The same answers again change nothing.

    Raises:
        UserError: An answer is neither yes nor no.
    """
    state = fold([stored.event for stored in await service.log(run_id, caller)])
    for key, answer in answers.items():
        approved = answer.get("approve")
        if not isinstance(approved, bool):
            raise UserError(f'Call {key!r:.150} is answered by {{"approve": true}} or false.')
        known = state.verdicts.get(key) or state.decided.get(key)
        if known is not None and known.approved == approved:
            continue
        said: Any = {
            "by": caller.id,
            "why": answer.get("reason"),
            "run_config": {"journal": service.journal},
        }
        if approved:
            await decisions.approve(run_id, key, **said)
        else:
            await decisions.reject(run_id, key, message=answer.get("reason"), **said)
    if service.performs:
        await service.worker.offer(run_id)


def usage_of(state: RunState) -> Json:
    """What a run has used, in the words of the Responses API."""
    usage = state.usage
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
