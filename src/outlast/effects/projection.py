"""The typed objects that users see, made from a run's log and from what this process has seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

import msgspec

from outlast.core.errors import WrongType
from outlast.core.events import ApprovalRequested, Entry, Event, Item, ModelReplied
from outlast.core.ids import EffectId
from outlast.core.items import call_id, copied
from outlast.core.state import RunState, approval_key, blocked_output
from outlast.core.usage import usage_of
from outlast.definitions import run_items
from outlast.definitions.approvals import qualified
from outlast.definitions.run_items import ModelResponse, RunItem, ToolApprovalItem
from outlast.definitions.tool import FunctionTool
from outlast.definitions.tool_origin import ToolOrigin, ToolOriginType
from outlast.effects.error_handlers import RunErrorData
from outlast.effects.kept import kept_value
from outlast.effects.registry import reachable
from outlast.effects.view import RunParts
from outlast.views.items import conversation, replies
from outlast.views.status import failure_of
from outlast.views.waiting import questions, waiting_calls

KINDS: dict[str, tuple[Any, str]] = {
    "message": (run_items.MessageOutputItem, "message_output_created"),
    "reasoning": (run_items.ReasoningItem, "reasoning_item_created"),
    "tool_call": (run_items.ToolCallItem, "tool_called"),
    "tool_output": (run_items.ToolCallOutputItem, "tool_output"),
    "handoff_call": (run_items.HandoffCallItem, "handoff_requested"),
    "handoff_output": (run_items.HandoffOutputItem, "handoff_occured"),
    "ignored_handoff": (run_items.ToolCallOutputItem, "tool_output"),
    "input": (run_items.InputItem, ""),
    "mcp_approval_request": (run_items.MCPApprovalRequestItem, "mcp_approval_requested"),
    "mcp_approval_response": (run_items.MCPApprovalResponseItem, "mcp_approval_response"),
    "mcp_list_tools": (run_items.MCPListToolsItem, "mcp_list_tools"),
    "compaction": (run_items.CompactionItem, ""),
    "tool_search_call": (run_items.ToolSearchCallItem, "tool_search_called"),
    "tool_search_output": (run_items.ToolSearchOutputItem, "tool_search_output_created"),
}
"""Of each kind of entry, the class of its item and the event that tells of it, if one does."""
_PLAIN = {"input", "mcp_approval_response", "compaction"}
"""Kinds whose raw item is a dict also when a model's typed object exists."""


def behind(view: RunParts, item: Item, own: Item | None = None) -> Any:
    """What an item was made from, in this process; made again from the item otherwise.

    It is never the log's item: that of the caller is ``own``, or a copy.
    """
    known = view.live.behind.get(id(item))
    if known and known[0] is item and known[1] is not item:
        return known[1]
    return typed(copied(item) if own is None else own)


def wire(raw: Any) -> Item:
    """An item as JSON, without what was not set.

    Raises:
        WrongType: It is no item, or holds something that is no JSON.
    """
    if isinstance(raw, Mapping):
        try:
            return {str(k): v for k, v in msgspec.to_builtins(raw).items() if v is not None}
        except (TypeError, RecursionError) as error:
            raise WrongType(
                f"An item of the input, or of what a filter or a session gave for it, is no JSON: {error}. "
                "Give texts, numbers, true, false, None, and lists and dicts of these."
            ) from error
    if not hasattr(raw, "model_dump"):
        raise WrongType(
            "An item of the input, or of what a filter or a session gave for it, is of type "
            f"{type(raw).__name__}, and an item is a dict such as "
            '{"role": "user", "content": "..."}.'
        )
    item = raw.model_dump(mode="json", exclude_unset=True, by_alias=True, warnings=False)
    item.setdefault("type", raw.type)
    return {key: value for key, value in item.items() if value is not None}


def typed(item: Item) -> Any:
    """An item of a model's reply as an `openai` object; as it is where it does not fit one."""
    try:
        return _adapter().validate_python(item)
    except ValueError:  # The base of pydantic's.
        return item


@cache  # Making it takes milliseconds.
def _adapter() -> Any:
    from openai.types.responses import ResponseOutputItem
    from pydantic import TypeAdapter

    return TypeAdapter[Any](ResponseOutputItem)


def run_item(view: RunParts, entry: Entry) -> RunItem:
    """The typed form of an entry; the same object every time."""
    known = view.live.items.get(id(entry))
    if known and known[0] is entry:
        return known[1]
    made = _made(view, entry)
    view.live.items[id(entry)] = (entry, made)
    return made


def _made(view: RunParts, entry: Entry) -> RunItem:
    agent, item = view.agents.named(entry.agent), entry.item
    raw: Any = copied(item)  # Whatever its holder does to it, the log's is another.
    kind, _ = KINDS.get(entry.kind, KINDS["tool_call"])
    if kind is run_items.HandoffOutputItem:
        target = view.agents.named(entry.to)
        return kind(agent=agent, raw_item=raw, source_agent=agent, target_agent=target)
    if kind is run_items.ToolCallOutputItem:
        known = view.live.behind.get(id(item))
        tool = _tool(view, agent, item)
        if tool is None and entry.value is not None:
            tool = _own_tool(agent, {str(entry.value.get("tool"))})
        is_known = known is not None and known[0] is item
        return kind(
            agent=agent,
            raw_item=raw,
            output=known[1] if known and is_known else kept_value(entry, tool),
            tool_origin=_origin(item, tool),
            custom_data=entry.data,
        )
    raw = raw if entry.kind in _PLAIN else behind(view, item, raw)
    if kind is not run_items.ToolCallItem:
        return kind(agent=agent, raw_item=raw)
    tool = _tool(view, agent, item)
    return kind(
        agent=agent,
        raw_item=raw,
        description=tool.description if isinstance(tool, FunctionTool) else None,
        title=getattr(tool, "_mcp_title", None),
        tool_origin=_origin(item, tool),
    )


def _tool(view: RunParts, agent: object, item: Item) -> Any:
    """The tool of a call or an output: as the call meant it, or else the agent's of that name."""
    known = view.live.tools.get(call_id(item))
    if known is not None or item.get("type") != "function_call":
        return known
    found = _own_tool(agent, {qualified(str(item.get("name")), item.get("namespace"))})
    if found is not None:
        view.live.tools[call_id(item)] = found
    return found


def _own_tool(agent: Any, names: set[str]) -> FunctionTool | None:
    own = (tool for tool in agent.tools if isinstance(tool, FunctionTool))
    return next((tool for tool in own if tool.qualified_name in names), None)


def _origin(item: Item, tool: object) -> ToolOrigin | None:
    if item.get("type") == "mcp_call":
        return ToolOrigin(ToolOriginType.MCP, mcp_server_name=item.get("server_label"))
    return tool.origin if isinstance(tool, FunctionTool) else None


def entries_of(view: RunParts, items: Sequence[RunItem], source: str) -> tuple[Entry, ...]:
    """The log's form of typed items: the entries that they were made from, or new ones."""
    known = {id(item): entry for entry, item in view.live.items.values()}
    return tuple(known.get(id(item)) or _new_entry(view, item, source) for item in items)


def _new_entry(view: RunParts, item: RunItem, source: str) -> Entry:
    kind = next((kind for kind, (cls, _) in KINDS.items() if type(item) is cls), "tool_output")
    to = (
        view.agents.name(item.target_agent) if isinstance(item, run_items.HandoffOutputItem) else ""
    )
    entry = Entry(wire(item.to_input_item()), kind, view.agents.name(item.agent), source, to)
    view.live.items[id(entry)] = (entry, item)
    return entry


# --- A whole run. ------------------------------------------------------------------------


def new_items(view: RunParts, events: Sequence[Event] = ()) -> list[RunItem]:
    """What the run has added to the conversation, and what it asked a person, where it asked.

    Args:
        view: The run.
        events: Its log, which alone knows what it asked.
    """
    asking = _asking_replies(view, events)
    if not asking:
        return [run_item(view, entry) for entry in conversation(view.state)]
    items: list[RunItem] = []
    waiting: list[_Question] = []
    places: dict[str, int] = {}
    for entry in conversation(view.state):
        if (reply := asking.get(entry.source)) is not None:
            if places is not reply.places:
                items += [question.item for question in waiting]
                waiting, places = list(reply.questions), reply.places
        elif waiting and entry.kind != "input":
            place = places.get(call_id(entry.item), len(places))
            # What is answered before a person is stands in the order of the calls, all else behind.
            is_asked = any(question.place == place for question in waiting)
            due = [question for question in waiting if is_asked or question.place < place]
            items += [question.item for question in due]
            waiting = waiting[len(due) :]
        items.append(run_item(view, entry))
    return [*items, *(question.item for question in waiting)]


class _Question(NamedTuple):
    """A call that a person was asked about."""

    place: int
    """Of the call, among those of its reply."""
    item: ToolApprovalItem


class _AskingReply(NamedTuple):
    """A reply with calls that a person was asked about."""

    places: dict[str, int]
    questions: list[_Question]


def _asking_replies(view: RunParts, events: Sequence[Event]) -> dict[str, _AskingReply]:
    """The replies with calls that a person was asked about, by their id; not those of child runs."""
    return {
        reply.reply.id: _AskingReply(
            reply.places,
            [
                _Question(place, approval_item(view, approval_key(request), request, item))
                for place, request, item in reply.questions
            ],
        )
        for reply in questions(events, view.state)
    }


def left_out(view: RunParts) -> set[int]:
    """Identities of the new items that the run's input as a list leaves out.

    Those that the input tells already, and those of a turn that hands off which the handoff's filter
    took away: what was said in the turns before is still what was said.
    """
    entries = view.state.entries
    handoffs = {_turn(each) for each in entries if each.kind == "handoff_output"}
    return {
        id(run_item(view, each))
        for each in entries
        if each.is_told or (each.is_filtered and _turn(each) in handoffs)
    }


def _turn(entry: Entry) -> int:
    return EffectId.parse(entry.source).turn


def interruptions(view: RunParts) -> list[ToolApprovalItem]:
    """The calls that wait for a person."""
    return list(waiting(view).values())


def waiting(view: RunParts) -> dict[str, ToolApprovalItem]:
    """The calls that wait for a person, by the key of their request."""
    calls = waiting_calls(view.state)
    return {call.key: approval_item(view, call.key, call.request, call.item) for call in calls}


def approval_item(
    view: RunParts, key: str, request: ApprovalRequested, item: Item
) -> ToolApprovalItem:
    """The typed form of a request for a person's word about a call; the same object every time."""
    live_key = live_question(request)
    known = view.live.waiting.get(live_key)
    if known is None:
        known = view.live.waiting[live_key] = ToolApprovalItem(
            agent=_asking(view, request),
            raw_item=_asked_about(view, item),
            tool_name=request.name,
            tool_namespace=item.get("namespace"),
            change=request.change,
            question_number=_number(view.state, key, request),
            call_key=key,
        )
        if known.agent is not None and item.get("type") == "function_call":
            tool = _own_tool(known.agent, {qualified(request.name, item.get("namespace"))})
            known.tool_origin = _origin(item, tool)
            is_deferred = tool is not None and tool.defer_loading
            known.tool_lookup_key = lookup_key(
                request.name, item.get("namespace"), is_deferred=is_deferred
            )
    known.question, known.choices = request.question or None, request.choices
    known.rules = request.rules
    known.is_in_doubt = request.is_in_doubt or request.reason == "in_doubt"
    return known


def live_question(request: ApprovalRequested) -> str:
    """What a process knows a request by: calls of other turns, and later questions, have other names."""
    place = (request.id, approval_key(request), request.reason, request.number)
    return "\0".join(map(str, (*place, request.inner_number, request.ask)))


def _number(state: RunState, key: str, request: ApprovalRequested) -> int:
    """Which question of its call a request is; 0 for one that is past, about which nobody can decide."""
    count, last = state.questions.get(key, 0), state.requested.get(key)
    if last == request:
        return count
    is_next = last is None and EffectId.parse(request.id).turn == state.turn
    return count + 1 if is_next else 0


def _asked_about(view: RunParts, item: Item) -> Any:
    """A call as whoever is asked about it sees it."""
    raw = behind(view, item)
    if id(item) not in view.live.behind and hasattr(raw, "async_"):
        raw.model_fields_set.add("async_")  # The log has no nulls, and readers want this one.
    return raw


def lookup_key(name: str, namespace: str | None, *, is_deferred: bool) -> tuple[str, ...]:
    """What openai-agents' programs look a function tool up by."""
    if namespace and namespace != name:
        return ("namespaced", namespace, name)
    return ("deferred_top_level" if is_deferred else "bare", name)


def _asking(view: RunParts, request: ApprovalRequested) -> Any:
    """The agent that asks; of a child run, one behind the tool of the call that it answers."""
    if not request.child:
        return view.agents.named(request.agent)
    starts: list[Any] = [view.agents.first]
    if (reply := view.state.reply) and (owner := view.agents.find(reply.agent)):
        called = EffectId.parse(request.id).key
        tool = _own_tool(owner, {call.qualified_name for call in reply.calls if call.id == called})
        starts.insert(0, tool and tool.agent)
    for start in starts:
        if start is not None and (found := reachable(start).get(request.agent)):
            return found[0]
    return None


def model_response(view: RunParts, event: ModelReplied) -> ModelResponse:
    """A model's answer as it came, or made again from the log."""
    known = view.live.responses.get(event.id)
    if known is None:
        known = view.live.responses[event.id] = ModelResponse(
            output=[behind(view, item) for item in event.output],
            usage=usage_of(event.usage),
            response_id=event.response_id,
            request_id=event.request_id,
        )
    return known


def raw_responses(view: RunParts) -> list[ModelResponse]:
    """All answers of models in the run, oldest first; not one whose calls the run's end cut off."""
    failure = failure_of(view.state)
    if failure is not None and failure.kind == "InputGuardrailTripwireTriggered":
        return []  # Nor does what they led to count.
    responses = [model_response(view, each) for each in replies(view.state)]
    if responses and blocked_output(view.state) is not None:
        responses[-1] = dataclasses.replace(responses[-1], output=[])
    return responses


def given_input(view: RunParts) -> Any:
    """The run's input as its caller gave it, or as its session or a handoff's filter left it.

    Whoever gets it may change it: it shares nothing with the log.
    """
    state, given = view.state, view.live.input
    assert state.started
    if state.head is not state.started.input or given is None:
        return as_given(state, state.head)
    return given if isinstance(given, str) else [copied(item) for item in given]


def as_given(state: RunState, head: list[Item]) -> Any:
    """What a run begins with: a text where it was given one and no session stands before it."""
    is_text = state.started and state.started.is_text and not state.is_loaded
    is_text = is_text and len(head) == 1 and head[0].keys() == {"content", "role"}
    if is_text and head[0]["role"] == "user" and isinstance(head[0]["content"], str):
        return head[0]["content"]
    return [copied(item) for item in head]


def as_items(given: Any) -> list[Any]:
    """An input as items: a text is a message of the user's."""
    return [{"content": given, "role": "user"}] if isinstance(given, str) else list(given)


def error_data(view: RunParts) -> RunErrorData:
    """What an error handler is told of the run."""
    state = view.state
    items = new_items(view)
    output = [item.to_input_item() for item in items if not isinstance(item, ToolApprovalItem)]
    return RunErrorData(
        input=given_input(view),
        new_items=items,
        history=cast("Any", [*map(copied, state.head), *output]),
        output=output,
        raw_responses=raw_responses(view),
        last_agent=view.agents.named(state.agent),
    )
