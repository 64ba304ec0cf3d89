"""Handing off: the callback, the new agent, and what its history filter leaves."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from outlast.core.effects import HandOff
from outlast.core.errors import ModelBehaviorError, UserError
from outlast.core.events import Entry, HandedOff, History, Item, ToolReturned
from outlast.core.ids import effect_id
from outlast.core.items import tool_text
from outlast.core.state import RunState, answered
from outlast.definitions.arguments import told_fault
from outlast.definitions.enabled import gathered
from outlast.definitions.handoff import HandoffInputData, handoff_target
from outlast.definitions.handoff_history import (
    held_items,
    held_positions,
    nest_handoff_history,
    number_of,
    own_copy,
)
from outlast.definitions.logger import logger
from outlast.definitions.run_items import RunItem
from outlast.effects.outcome import Emit, HookCall, Outcome
from outlast.effects.prepare import live_turn, missing_tool, tells_of_missing_tools
from outlast.effects.projection import as_given, as_items, entries_of, run_item, wire
from outlast.effects.turn import AnyAgent, AnyHandoff
from outlast.effects.unexecuted_calls import not_found, told
from outlast.effects.view import RunView

_REFUSED = "The handoff did not take place. Please try again."


async def hand_off(effect: HandOff, view: RunView, emit: Emit) -> Outcome:
    """Let the handoff say who takes over, and with what history."""
    del emit
    call, turn = effect.call, await live_turn(view)
    transfer = turn.transfers.get(call.name)
    if transfer is None and tells_of_missing_tools(view):
        return await not_found(view, effect)
    if transfer is None:
        raise missing_tool(view, turn.agent, call)
    known: AnyAgent | None = handoff_target(transfer)
    if known is not None:
        view.scope.enter(known)  # User code that runs from here on may change it for another run.
    source = turn.agent
    arguments = view.call_item(call.index).get("arguments") or ""
    target: AnyAgent
    try:
        (target,) = await gathered(transfer.on_invoke_handoff(view.context, arguments))
    except ModelBehaviorError as error:
        if error.explanation is None:
            raise  # Of the callback's own: no word of the model's arguments.
        return await _refused(view, effect, error)
    item = tool_text(call.id, transfer.get_transfer_message(target))
    name = view.agents.name(target)
    view.scope.enter(target)
    history = await _history(view, effect, transfer, item, name)
    event = HandedOff(effect.id, call.id, effect.agent, name, item, history)
    if view.hooks is None and source.hooks is None:
        return Outcome([event])
    return Outcome([event], (HookCall("on_handoff", effect.id, effect.agent, name),))


async def _refused(view: RunView, effect: HandOff, error: ModelBehaviorError) -> Outcome:
    """The model hears what was wrong with its arguments, as of a tool's, and the agent stays."""
    call = effect.call
    text = await told(view, "tool_exception", effect, told_fault(_REFUSED, error), error)
    return Outcome([ToolReturned(effect.id, call.id, tool_text(call.id, text), "error", call.name)])


async def _history(
    view: RunView, effect: HandOff, transfer: AnyHandoff, item: Item, name: str
) -> History | None:
    """The conversation as the filter that applies leaves it; None where none applies."""
    config, chosen, nests = view.config, transfer.input_filter, transfer.nest_handoff_history
    chosen = config.handoff_input_filter if chosen is None else chosen
    nests = config.nest_handoff_history if nests is None else nests
    options = view.state.options
    is_kept = options.conversation_id or options.previous_response_id or options.chains_responses
    if is_kept and chosen is not None:
        raise UserError(
            "Server-managed conversations do not support handoff input filters. Remove "
            "Handoff.input_filter or RunConfig.handoff_input_filter, or disable conversation_id, "
            "previous_response_id, and auto_previous_response_id."
        )
    if is_kept and nests:
        logger.warning(
            "Server-managed conversations do not support nest_handoff_history: it is disabled here, for "
            "the provider keeps the conversation."
        )
    if chosen is None and (is_kept or not nests):
        return None
    output = Entry(item, "handoff_output", effect.agent, effect.id, name)
    conversation = _Conversation(view, effect, output)
    data = conversation.data
    if chosen is None:
        answer: Any = nest_handoff_history(data, history_mapper=config.handoff_history_mapper)
        return conversation.left(answer)
    if not callable(chosen):
        raise UserError(f"Invalid input filter: {chosen!r} cannot be called.")
    answer = chosen(data)
    answer = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(answer, HandoffInputData):
        raise UserError(f"Invalid input filter result: {answer!r}")
    return conversation.left(answer)


class _Conversation:
    """What a filter is given of a conversation, and what it left of it."""

    def __init__(self, view: RunView, effect: HandOff, output: Entry) -> None:
        self._view = view
        self._effect = effect
        state = view.state
        self._entries = [*state.model_entries, *answered(state), output]
        self._own = [*state.entries, *answered(state), output]
        items = [own_copy(run_item(view, entry)) for entry in self._entries]
        self._given = {
            number_of(item): (entry, wire(item.to_input_item()))
            for item, entry in zip(items, self._entries, strict=True)
        }
        start = _turn_start(state, self._entries)
        head = as_given(state, state.head)
        self.data = HandoffInputData(
            input_history=head if isinstance(head, str) else tuple(head),
            pre_handoff_items=tuple(items[:start]),
            new_items=tuple(items[start:]),
            run_context=view.context,
        )
        told = [run_item(view, entry) for entry in state.entries if entry.is_told]
        if told:
            self.data = self.data.holding(held_items(told))

    def left(self, data: HandoffInputData) -> History:
        """The conversation as the filter wants the next agent to see it; the result's stays whole."""
        new = self._entries_of(data.new_items)
        shown = new if data.input_items is None else self._entries_of(data.input_items)
        seen = (*self._entries_of(data.pre_handoff_items), *shown)
        added = [
            entry
            for item, entry in zip(data.new_items, new, strict=True)
            if number_of(item) not in self._given
        ]
        kept = [*self._own, *added]
        held = set(held_positions(data, [run_item(self._view, entry) for entry in kept]))
        head = as_items(data.input_history)
        gone = self._removed(data) if head == self._view.state.head else set[int]()
        told = tuple(
            _told(self._view, entry, n in held, is_filtered=entry.is_filtered or id(entry) in gone)
            for n, entry in enumerate(kept)
        )
        return History(head, told, seen)

    def _removed(self, data: HandoffInputData) -> set[int]:
        """The entries that the filter took away. A summary, or input of its own, replaces none."""
        if data.input_items is not None:
            return set()
        left = {number_of(item) for item in (*data.pre_handoff_items, *data.new_items)}
        return {id(entry) for number, (entry, _) in self._given.items() if number not in left}

    def _entries_of(self, items: Sequence[RunItem]) -> tuple[Entry, ...]:
        """The log's form of items: the entries that they stand for, or new ones where they differ."""
        return tuple(map(self._entry, items))

    def _entry(self, item: RunItem) -> Entry:
        known = self._given.get(number_of(item))
        if known is None:
            (made,) = entries_of(self._view, (item,), self._effect.id)
            return made
        entry, before = known
        now = wire(item.to_input_item())
        return entry if now == before else replace(entry, item=now, value=None)


def _told(view: RunView, entry: Entry, is_told: bool, *, is_filtered: bool) -> Entry:
    """An entry, with whether the run's input has it word for word: the same item for the caller."""
    if (entry.is_told, entry.is_filtered) == (is_told, is_filtered):
        return entry
    told = replace(entry, is_told=is_told, is_filtered=is_filtered)
    known = view.live.items.get(id(entry))
    if known:
        view.live.items[id(told)] = (told, known[1])
    return told


def _turn_start(state: RunState, entries: Sequence[Entry]) -> int:
    """How many of the entries are from before the turn in progress."""
    source = effect_id("model", state.turn)
    return next((n for n, entry in enumerate(entries) if entry.source == source), len(entries))
