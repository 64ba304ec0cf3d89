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
from outlast.engine.env import RunEnv
from outlast.engine.error_handlers import RunErrorData
from outlast.engine.kept import kept_value
from outlast.engine.registry import reachable
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


def behind(env: RunEnv, item: Item, own: Item | None = None) -> Any:
    """What an item was made from, in this process; made again from the item otherwise.

    It is never the log's item: that of the caller is ``own``, or a copy.
    """
    known = env.live.behind.get(id(item))
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


def run_item(env: RunEnv, entry: Entry) -> RunItem:
    """The typed form of an entry; the same object every time."""
    known = env.live.items.get(id(entry))
    if known and known[0] is entry:
        return known[1]
    made = _made(env, entry)
    env.live.items[id(entry)] = (entry, made)
    return made


def _made(env: RunEnv, entry: Entry) -> RunItem:
    agent, item = env.agents.named(entry.agent), entry.item
    raw: Any = copied(item)  # Whatever its holder does to it, the log's is another.
    kind, _ = KINDS.get(entry.kind, KINDS["tool_call"])
    if kind is run_items.HandoffOutputItem:
        target = env.agents.named(entry.to)
        return kind(agent=agent, raw_item=raw, source_agent=agent, target_agent=target)
    if kind is run_items.ToolCallOutputItem:
        known = env.live.behind.get(id(item))
        tool = _tool(env, agent, item)
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
    raw = raw if entry.kind in _PLAIN else behind(env, item, raw)
    if kind is not run_items.ToolCallItem:
        return kind(agent=agent, raw_item=raw)
    tool = _tool(env, agent, item)
    return kind(
        agent=agent,
        raw_item=raw,
        description=getattr(tool, "description", None),
        title=getattr(tool, "_mcp_title", None),
        tool_origin=_origin(item, tool),
    )


def _tool(env: RunEnv, agent: Any, item: Item) -> Any:
    """The tool of a call or an output: as the call meant it, or else the agent's of that name."""
    known = env.live.tools.get(call_id(item))
    if known is not None or item.get("type") != "function_call":
        return known
    found = _own_tool(agent, {qualified(str(item.get("name")), item.get("namespace"))})
    if found is not None:
        env.live.tools[call_id(item)] = found
    return found


def _own_tool(agent: Any, names: set[str]) -> FunctionTool | None:
    own = (tool for tool in agent.tools if isinstance(tool, FunctionTool))
    return next((tool for tool in own if tool.qualified_name in names), None)


def _origin(item: Item, tool: Any) -> ToolOrigin | None:
    if item.get("type") == "mcp_call":
        return ToolOrigin(ToolOriginType.MCP, mcp_server_name=item.get("server_label"))
    return tool.origin if isinstance(tool, FunctionTool) else None


def entries_of(env: RunEnv, items: Sequence[RunItem], source: str) -> tuple[Entry, ...]:
    """The log's form of typed items: the entries that they were made from, or new ones."""
    known = {id(item): entry for entry, item in env.live.items.values()}
    return tuple(known.get(id(item)) or _new_entry(env, item, source) for item in items)


def _new_entry(env: RunEnv, item: RunItem, source: str) -> Entry:
    kind = next((kind for kind, (cls, _) in KINDS.items() if type(item) is cls), "tool_output")
    to = env.agents.name(item.target_agent) if isinstance(item, run_items.HandoffOutputItem) else ""
    entry = Entry(wire(item.to_input_item()), kind, env.agents.name(item.agent), source, to)
    env.live.items[id(entry)] = (entry, item)
    return entry


# --- A whole run. ------------------------------------------------------------------------


def new_items(env: RunEnv) -> list[RunItem]:
    """What the run has added to the conversation, with what waits for a person at the end."""
    items = [run_item(env, entry) for entry in conversation(env.log.state)]
    return [*items, *interruptions(env)]


def conversation(state: RunState) -> list[Entry]:
    """What the run has added, but for an output that no caller got."""
    entries = [*state.entries, *answered(state)]
    if isinstance(state.ended, RunFailed) and state.output:
        entries = [entry for entry in entries if entry.source != state.output.id]
    return entries


def left_out(env: RunEnv) -> set[int]:
    """Identities of the new items that the run's input as a list leaves out.

    Those that the input tells already, and those that a handoff's filter took away.
    """
    entries = env.log.state.entries
    return {id(run_item(env, each)) for each in entries if each.is_told or each.is_filtered}


def interruptions(env: RunEnv) -> list[ToolApprovalItem]:
    """The calls that wait for a person."""
    return list(waiting(env).values())


def waiting(env: RunEnv) -> dict[str, ToolApprovalItem]:
    """The calls that wait for a person, by the key of their request."""
    calls = waiting_calls(env.log.state)
    return {call.key: approval_item(env, call.key, call.request) for call in calls}


def approval_item(env: RunEnv, key: str, request: ApprovalRequested) -> ToolApprovalItem:
    """The typed form of a request for a person's word; the same object every time."""
    known = env.live.waiting.get(key)
    if known is None:
        item = request.item if request.child else call_item(env.log.state, request.call_id)
        known = env.live.waiting[key] = ToolApprovalItem(
            agent=_asking(env, request),
            raw_item=behind(env, item),
            tool_name=request.name,
            tool_namespace=item.get("namespace"),
        )
    return known


def _asking(env: RunEnv, request: ApprovalRequested) -> Any:
    """The agent that asks; of a child run, one behind the tool of the call that it answers."""
    if not request.child:
        return env.agents.named(request.agent)
    starts: list[Any] = [env.agents.first]
    if (reply := env.log.state.reply) and (owner := env.agents.find(reply.agent)):
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
    return next(state.reply.output[call.index] for call in state.reply.calls if call.id == call_id)


def model_response(env: RunEnv, event: ModelReplied) -> ModelResponse:
    """A model's answer as it came, or made again from the log."""
    known = env.live.responses.get(event.id)
    if known is None:
        known = env.live.responses[event.id] = ModelResponse(
            output=[behind(env, item) for item in event.output],
            usage=usage_of(event.usage),
            response_id=event.response_id,
            request_id=event.request_id,
        )
    return known


def raw_responses(env: RunEnv) -> list[ModelResponse]:
    """All answers of models in the run, oldest first; not one whose calls the run's end cut off."""
    before = env.log.state.before_failure if env.log.state.ended else None
    cut_off = before.reply if before is not None and before.open_calls else None
    replies = (event for event in env.log.events if isinstance(event, ModelReplied))
    return [model_response(env, event) for event in replies if event is not cut_off]


def given_input(env: RunEnv) -> Any:
    """The run's input as its caller gave it, or as its session or a handoff's filter left it.

    Whoever gets it may change it: it shares nothing with the log.
    """
    state, given = env.log.state, env.live.input
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


def error_data(env: RunEnv) -> RunErrorData:
    """What an error handler is told of the run."""
    state = env.log.state
    items = new_items(env)
    output = [item.to_input_item() for item in items]
    return RunErrorData(
        input=given_input(env),
        new_items=items,
        history=cast("Any", [*map(copied, state.head), *output]),
        output=output,
        raw_responses=raw_responses(env),
        last_agent=env.agents.named(state.agent),
    )
