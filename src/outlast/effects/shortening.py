"""Letting a session shorten itself after a turn: what the model has seen of it may be replaced."""

from __future__ import annotations

import inspect
from typing import Any

from outlast.core.effects import ShortenSession
from outlast.core.events import SessionShortened
from outlast.core.ids import effect_id
from outlast.core.pairs import OUTPUT_OF
from outlast.core.usage import Usage
from outlast.effects.outcome import Emit, Outcome
from outlast.effects.paid_calls import usage_added
from outlast.effects.projection import wire
from outlast.effects.view import RunView
from outlast.sessions.compactor import Exchange, compacting
from outlast.sessions.session import OpenAIResponsesCompactionArgs, takes_wrapper


async def shorten(effect: ShortenSession, view: RunView, emit: Emit) -> Outcome:
    """Ask the session, which knows when it is time. A turn with tools is only noted."""
    del emit
    done = SessionShortened(effect.id, effect.upto)
    reply, session = view.state.reply, view.session
    if session is None or reply is None or reply.response_id is None:
        return Outcome([done])
    is_kept = reply.store
    if _has_outputs(view, effect.upto):
        defer: Any = getattr(session, "_defer_compaction", None)
        if callable(defer):
            await _awaited(defer(reply.response_id, store=is_kept))
        return Outcome([done])
    deferred: Any = getattr(session, "_get_deferred_compaction_response_id", None)
    args: OpenAIResponsesCompactionArgs = {
        "response_id": reply.response_id,
        "force": deferred() is not None if callable(deferred) else False,
    }
    if is_kept is not None:
        args["store"] = is_kept
    with compacting(_exchange(view)) as exchange:
        run: Any = getattr(session, "run_compaction", None)
        if callable(run):
            wanted = {"wrapper": view.context} if takes_wrapper(run) else {}
            await _awaited(run(args, **wanted))
    cost = Usage()
    for each in exchange.usage:
        cost.add(each)
    events = [usage_added(effect.id, view, session, cost)] if exchange.usage else []
    return Outcome([*events, done])


async def _awaited(answer: object) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


def _exchange(view: RunView) -> Exchange:
    """What the model was given last and answered, as far as this process has seen it."""
    state = view.state
    call, given = view.live.sent
    is_known = call == effect_id("model", state.turn)
    items = [*map(wire, given), *state.reply.output] if is_known and state.reply else None
    own = state.saved - state.shortened + (len(state.new_input) if not state.shortened else 0)
    has_waited = bool(state.requested or state.verdicts)
    return Exchange(items, own, state.options.omits_reasoning_ids, has_waited)


def _has_outputs(view: RunView, upto: int) -> bool:
    """Whether the turn has outputs of local tools, or of a handoff."""
    entries = view.state.entries.since(view.state.shortened)[: upto - view.state.shortened]
    return any(entry.item.get("type") in OUTPUT_OF for entry in entries)
