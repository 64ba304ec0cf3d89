"""The typed objects that users see, made from a run's log and from what this process has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

import msgspec

from outlast.core.events import ApprovalRequested, Entry, Item, ModelReplied, RunFailed
from outlast.core.ids import EffectId
from outlast.core.items import call_id, copied
from outlast.core.state import RunState, answered
from outlast.core.usage import usage_of
from outlast.definitions import run_items
from outlast.definitions.approvals import qualified
from outlast.definitions.run_items import ModelResponse, RunItem, ToolApprovalItem
from outlast.definitions.tool import FunctionTool
from outlast.definitions.tool_origin import ToolOrigin, ToolOriginType
from outlast.engine.error_handlers import RunErrorData
from outlast.engine.kept import kept_value
from outlast.engine.registry import reachable
from outlast.engine.view import RunParts
from outlast.views.waiting import waiting_calls

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
    """A reply's item as JSON, without what was not set."""
    if isinstance(raw, Mapping):
        return {str(k): v for k, v in msgspec.to_builtins(raw).items() if v is not None}
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
        description=getattr(tool, "description", None),
        title=getattr(tool, "_mcp_title", None),
        tool_origin=_origin(item, tool),
    )


def _tool(view: RunParts, agent: Any, item: Item) -> Any:
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


def _origin(item: Item, tool: Any) -> ToolOrigin | None:
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


def new_items(view: RunParts) -> list[RunItem]:
    """What the run has added to the conversation, with what waits for a person at the end."""
    items = [run_item(view, entry) for entry in conversation(view.state)]
    return [*items, *interruptions(view)]


def conversation(state: RunState) -> list[Entry]:
    """What the run has added, but for an output that no caller got."""
    entries = [*state.entries, *answered(state)]
    if isinstance(state.ended, RunFailed) and state.output:
        entries = [entry for entry in entries if entry.source != state.output.id]
    return entries


def left_out(view: RunParts) -> set[int]:
    """Identities of the new items that the run's input as a list leaves out.

    Those that the input tells already, and those that a handoff's filter took away.
    """
    entries = view.state.entries
    return {id(run_item(view, each)) for each in entries if each.is_told or each.is_filtered}


def interruptions(view: RunParts) -> list[ToolApprovalItem]:
    """The calls that wait for a person."""
    return list(waiting(view).values())


def waiting(view: RunParts) -> dict[str, ToolApprovalItem]:
    """The calls that wait for a person, by the key of their request."""
    calls = waiting_calls(view.state)
    return {call.key: approval_item(view, call.key, call.request) for call in calls}


def approval_item(view: RunParts, key: str, request: ApprovalRequested) -> ToolApprovalItem:
    """The typed form of a request for a person's word; the same object every time."""
    known = view.live.waiting.get(key)
    if known is None:
        item = request.item if request.child else call_item(view.state, request.call_id)
        known = view.live.waiting[key] = ToolApprovalItem(
            agent=_asking(view, request),
            raw_item=behind(view, item),
            tool_name=request.name,
            tool_namespace=item.get("namespace"),
        )
    return known


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


def call_item(state: RunState, call_id: str) -> Item:
    """The item of a call of the reply in progress."""
    assert state.reply
    call = state.open_calls.get(call_id)
    if call is None:
        call = next(each for each in state.reply.calls if each.id == call_id)
    return state.reply.output[call.index]


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
    before = view.state.before_failure if view.state.ended else None
    cut_off = before.reply if before is not None and before.open_calls else None
    return [model_response(view, each) for each in view.state.replies if each is not cut_off]


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
    return head[0]["content"] if is_text else [copied(item) for item in head]


def as_items(given: Any) -> list[Any]:
    """An input as items: a text is a message of the user's."""
    return [{"content": given, "role": "user"}] if isinstance(given, str) else list(given)


def error_data(view: RunParts) -> RunErrorData:
    """What an error handler is told of the run."""
    state = view.state
    items = new_items(view)
    output = [item.to_input_item() for item in items]
    return RunErrorData(
        input=given_input(view),
        new_items=items,
        history=cast("Any", [*map(copied, state.head), *output]),
        output=output,
        raw_responses=raw_responses(view),
        last_agent=view.agents.named(state.agent),
    )
