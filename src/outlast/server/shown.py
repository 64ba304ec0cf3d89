"""Runs, events and calls as JSON: views of the log, in the words of the API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from outlast.core.events import ErrorFacts
from outlast.core.evolve import fold
from outlast.core.identity import RunMetadata, content_hash
from outlast.core.state import RunState
from outlast.core.stored import Stored
from outlast.core.surrogates import without_surrogates
from outlast.definitions.clock import utc
from outlast.journal.journal import RunSummary
from outlast.views.status import failure_of, seen, status
from outlast.views.waiting import WaitingCall, retry_at, waiting_calls

Json = dict[str, Any]
BODY_TAG = "sent:"
"""How the tag begins by which a request is found that a client sends again; nobody else's concern."""
_WAITS = {"waiting": "approval", "parked": "provider", "paused": "resume"}


def moment(at: float | None) -> str | None:
    """A time as RFC 3339, to the millisecond."""
    if at is None:
        return None
    return utc(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_row(run: RunSummary) -> Json:
    """A line of a list of runs."""
    word = _word(run.status, is_held=run.owner_alive, events=run.events)
    return {
        "run_id": run.run_id,
        "status": word,
        "agent": run.agent,
        "created_at": moment(run.created_at),
        "updated_at": moment(run.updated_at),
        "events": run.events,
        "parent": run.parent or None,
        **whose(run.metadata),
    }


def run_state(run_id: str, log: Sequence[Stored], *, is_held: bool) -> Json:
    """A run as it is."""
    state = fold([each.event for each in log])
    word = _word(status(state), is_held=is_held, events=len(log))
    started = state.started
    assert started is not None
    usage = state.usage
    return {
        "run_id": run_id,
        "status": word,
        "waits_for": [_WAITS[word]] if word in _WAITS else [],
        "agent": state.agent or started.agent,
        "created_at": moment(log[0].at),
        "updated_at": moment(log[-1].at),
        "turn": state.turn,
        "max_turns": state.max_turns,
        "usage": {
            "requests": usage.requests,
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens,
        },
        "approvals": [approval(call, state, log) for call in waiting_calls(state)],
        "output": output_of(state),
        "error": error_of(failure_of(state)),
        "retry_at": moment(retry_at(state)),
        "parent": started.parent or None,
        **whose(started.metadata),
        "events": len(log),
        "last_seq": log[-1].seq,
        "links": links(run_id),
    }


def _word(word: str, *, is_held: bool, events: int) -> str:
    """The word for a run. One that has only begun, and that nobody performs, is enqueued."""
    return (
        "queued"
        if word == "running" and not is_held and events == 1
        else seen(word, is_held=is_held)
    )


def output_of(state: RunState) -> Any:
    """What a completed run came to, as JSON."""
    is_complete = status(state) == "completed" and state.output is not None
    return without_surrogates(state.output.output) if is_complete and state.output else None


def error_of(failure: ErrorFacts | None) -> Json | None:
    """What a run has failed of."""
    if failure is None:
        return None
    return {"kind": failure.kind, "message": failure.message, "source": failure.source or None}


def whose(metadata: RunMetadata) -> Json:
    """What is said about a run."""
    pairs = dict(tag.split("=", 1) for tag in metadata.tags if "=" in tag)
    return {
        "session_id": metadata.session_id,
        "user": metadata.user,
        "tenant": metadata.tenant,
        "tags": [tag for tag in metadata.tags if "=" not in tag and not tag.startswith(BODY_TAG)],
        "metadata": pairs,
    }


def links(run_id: str) -> Json:
    """Where more of a run is."""
    place = f"/api/v1/runs/{quote(run_id, safe='')}"
    return {"self": place, "stream": f"{place}/events"}


def approval(call: WaitingCall, state: RunState, log: Sequence[Stored]) -> Json:
    """A call that waits for a person."""
    request, rules = call.request, call.request.rules
    asked = next((each.at for each in reversed(log) if each.event is request), None)
    body: Any = call.item.get("arguments", call.item.get("input", ""))
    return {
        "key": call.key,
        "tool": call.tool,
        "agent": call.agent,
        "arguments": _read(body),
        "reason": "in_doubt" if call.is_in_doubt else request.reason,
        "fingerprint": content_hash(request.fingerprint.encode())[:16],
        "question": request.question or None,
        "choices": list(request.choices),
        "votes": [
            {"by": vote.by, "approved": vote.approved} for vote in state.votes.get(call.key, ())
        ],
        "needed": rules.needed if rules else 1,
        "expires_at": moment(rules.expires_at) if rules else None,
        "asked_at": moment(asked),
    }


def _read(body: Any) -> Any:
    try:
        return json.loads(body) if isinstance(body, str) else body
    except (ValueError, RecursionError):  # What a model wrote need not be JSON.
        return body


def fact(stored: Stored) -> Json:
    """An event of the log."""
    body: Json = without_surrogates(msgspec.to_builtins(stored.event))
    said = {"said_at": moment(body["at"])} if body.get("at") is not None else {}
    return {"seq": stored.seq, "epoch": stored.epoch, **body, **said, "at": moment(stored.at)}


def kind_of(stored: Stored) -> str:
    """The kind of an event, as the reference lists them."""
    return str(stored.event.__struct_config__.tag)
