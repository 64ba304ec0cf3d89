"""Reading a run's history from its session, and saving what the run adds to it."""

from __future__ import annotations

import copy
import inspect
from itertools import compress
from typing import Any, cast

import msgspec

from outlast.core.compacting import from_summary
from outlast.core.effects import LoadSession, SaveSession
from outlast.core.errors import UserError
from outlast.core.events import Item, SessionHeldBack, SessionLoaded, SessionSaved
from outlast.core.state import RunState, answered
from outlast.definitions.agent import Agent
from outlast.effects.conclude import output_guardrails
from outlast.effects.config import RunConfig
from outlast.effects.history import paired, unrepeated
from outlast.effects.outcome import Emit, Outcome
from outlast.effects.projection import wire
from outlast.effects.session_marks import Writer, held_of, mark_of, place_behind, unclaimed
from outlast.effects.view import RunView
from outlast.sessions.session import SelectiveSession, SyncedSession, ask_session


async def load(effect: LoadSession, view: RunView, emit: Emit) -> Outcome:
    """The conversation so far, with the new input at its end."""
    del emit
    if view.session is None:
        raise UserError(
            f"Run {view.run_id!r} has not read its session {view.state.options.session_id!r} yet, and goes on "
            "without it here. Resume it with that session."
        )
    new = view.state.new_input
    limit = _limit(view)
    history = await _items(view, limit)
    held = len(history) if limit is None or len(history) < limit else None
    place = (held, mark_of(history))
    callback = view.config.session_input_callback
    history = from_summary(history)
    if callback is None:
        head = [*history, *new]
        return _loaded(effect, head, [n >= len(history) for n in range(len(head))], place)
    old, fresh = copy.deepcopy(history), copy.deepcopy(new)
    answer: Any = callback(list[Any](old), list[Any](fresh))
    answer = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(answer, list):
        raise UserError(
            "Session input callback must return a list of input items. It returned a "
            f"{type(answer).__name__}; write `return history + new_input`."
        )
    chosen = cast("list[Any]", answer)  # checked item by item by `wire`
    named = {id(item) for item in chosen}
    rest = [_key(item) for item, given in zip(history, old, strict=True) if id(given) not in named]
    given_as = {id(item): False for item in old} | {id(item): True for item in fresh}
    return _loaded(effect, [wire(item) for item in chosen], _news(chosen, given_as, rest), place)


def _loaded(
    effect: LoadSession,
    head: list[Item],
    is_new: list[bool],
    place: tuple[int | None, tuple[str, ...]],
) -> Outcome:
    new = list(compress(head, is_new))
    return Outcome([SessionLoaded(effect.id, unrepeated(paired(head, is_new)), new, *place)])


async def save(effect: SaveSession, view: RunView, emit: Emit) -> Outcome:
    """Add to the session what it does not hold yet.

    A save in doubt looks up what the session holds of it, and adds the rest.
    """
    del emit
    state = view.state
    if view.session is None or holds_back(effect, view):
        return Outcome([SessionHeldBack(effect.id)])
    items = list(state.new_input)
    if state.is_input_saved:
        entries = [*state.entries.since(state.saved), *answered(state)]
        items = [entry.item for entry in entries[: effect.upto - state.saved]]
        if state.left_out or state.saved_ahead:
            items = _after_failure(state, [entry.item for entry in entries])
        if effect.is_last and state.open_calls:
            items = [item for item in items if item.get("call_id") not in state.open_calls]
    started = state.in_flight.get(effect.id)
    if started and started.attempt > 1 and items:
        items = items[await _held(view, items) :]
    if items:
        if isinstance(view.session, SyncedSession) and view.durability == "power":
            view.session.sync_writes()  # The log is about to say that it was saved.
        items = copy.deepcopy(items)
        if isinstance(view.session, SelectiveSession):
            items = view.session.storable_items(items)
        await ask_session(view.session, "add_items", items, wrapper=view.context)
    return Outcome([SessionSaved(effect.id, effect.upto, effect.is_last)])


def holds_back(effect: SaveSession, view: RunView) -> bool:
    """Whether a turn that waits for a person may then end the run, with what a guardrail may refuse."""
    state = view.state
    if effect.is_last or not state.open_calls:
        return False
    return may_be_refused(view.agents.agent(state.agent), view.config)


def may_be_refused(agent: Agent, config: RunConfig) -> bool:
    """Whether what tools return may be an agent's output, and a guardrail refuse it."""
    return agent.tool_use_behavior != "run_llm_again" and bool(output_guardrails(agent, config))


def _after_failure(state: RunState, items: list[Item]) -> list[Item]:
    """What the session lacks since the run failed in the middle of a turn, and then went on."""
    earlier = [entry.item for entry in state.entries.since(0)[: state.saved]]
    calls = [item for item in earlier if item.get("call_id") in state.left_out]
    return calls + [item for item in items if item.get("call_id") not in state.saved_ahead]


def _limit(view: RunView) -> int | None:
    """How many items of the history the run reads; None for all."""
    own, laid_over = getattr(view.session, "session_settings", None), view.config.session_settings
    settings = own.resolve(laid_over) if own is not None else laid_over
    return settings.limit if settings is not None else None


async def _items(view: RunView, limit: int | None) -> list[Item]:
    assert view.session
    wanted = () if limit is None else (limit,)
    found: Any = await ask_session(view.session, "get_items", *wanted, wrapper=view.context)
    return [wire(item) for item in found]


async def _held(view: RunView, items: list[Item]) -> int:
    """How many of the first of ``items`` the session holds already, whoever wrote to it meanwhile."""
    # A session with a limit of its own hides the rest from who names none.
    found = await _items(view, None if _limit(view) is None else _ALL)
    own = _writer(view.state)
    place = place_behind(found, own.held, own.mark)
    held = held_of(items, unclaimed(place, found, own.written, []))
    if not held or view.neighbours is None:
        return held
    others = [_writer(each) for each in await view.neighbours()]
    return held_of(items, unclaimed(place, found, own.written, others))


def _writer(state: RunState) -> Writer:
    """What a run's log says of its session."""
    written = list(state.new_input) if state.is_input_saved else []
    entries = [entry.item for entry in state.entries.since(0)[: state.saved]]
    written += [item for item in entries if item.get("call_id") not in state.left_out]
    ahead = [entry.item for entry in answered(state)]
    written += [item for item in ahead if item.get("call_id") in state.saved_ahead]
    loaded = state.loaded
    return Writer(loaded.held, loaded.mark, written) if loaded else Writer(0, (), written)


_ALL = 2**31 - 1


def _key(item: Item) -> bytes:
    return msgspec.json.encode(item, order="sorted")


def _news(chosen: list[Any], given: dict[int, bool], rest: list[bytes]) -> list[bool]:
    """Which of the chosen items the session does not hold.

    ``given`` says it of the objects that the callback was given, by identity. Items made anew that
    equal one of the ``rest``, the history not chosen, are that one, as often as it stands there.
    """

    def is_new(item: object) -> bool:
        if id(item) in given:
            return given[id(item)]
        key = _key(wire(item))
        if key not in rest:
            return True
        rest.remove(key)
        return False

    return [is_new(item) for item in chosen]
