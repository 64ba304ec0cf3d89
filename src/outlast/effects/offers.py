"""Tools that somebody else's server offers: which one a call in the log means, and whether it changed.

A server may change its list, their order and their names between a turn and the process that goes on
with it. The log has where each tool came from, and a hash of what its server said about it.
"""

from __future__ import annotations

from outlast.core.decide import standing
from outlast.core.effects import RunTool
from outlast.core.events import ApprovalRequested, Call
from outlast.core.items import invocation
from outlast.definitions.tool import FunctionTool
from outlast.effects.prepare import tools_on_record
from outlast.effects.view import RunView


def edition_of(tool: object) -> str:
    """A hash of what a server says about its tool; empty for tools of the program's own."""
    source = tool.mcp_source if isinstance(tool, FunctionTool) else None
    return "" if source is None else source.fingerprint


async def asked_again(
    view: RunView, effect: RunTool, tool: FunctionTool
) -> ApprovalRequested | None:
    """The question for a person who approved a tool that is another one now; None if nobody has to be.

    A person has agreed to what the server said then.
    """
    call, now = effect.call, edition_of(tool)
    if not now:
        return None
    state = view.state
    request = state.requested.get(call.id)
    decision = state.decided.get(call.id)
    if request is not None and decision is not None:
        then = request.edition
    elif standing(state, call) is not None:
        then = call.edition
    else:
        return None
    if not then or then == now:
        return None
    change = await _change(view, call, tool)
    item = view.call_item(call.index)
    return ApprovalRequested(
        effect.id,
        call.id,
        effect.agent,
        call.name,
        invocation(item),
        edition=now,
        change=change,
        description=tool.description,
        number=0 if request is None else request.number + 1,
    )


async def _change(view: RunView, call: Call, tool: FunctionTool) -> str:
    """Which parts of a tool are others than those that the turn offered."""
    prepared = view.state.prepared
    record = await tools_on_record(view, prepared) if prepared else []
    entry = next((each for each in record if each["name"] == call.qualified_name), None)
    if entry is None:
        return "what the server says about it"
    parts = {"description": tool.description, "parameters": tool.params_json_schema}
    changed = [name for name, value in parts.items() if entry.get(name) != value]
    hints = tool.mcp_source.hints if tool.mcp_source else ""
    if not changed or entry.get("mcp", {}).get("hints", hints) != hints:
        changed.append("annotations")
    return " and ".join(changed)


def change_since(view: RunView, call: Call) -> str:
    """What to say of a tool of which all calls were approved once, before it became another one."""
    if not call.edition or standing(view.state, call) is not None:
        return ""
    name, _, _ = call.scoped_name.rpartition("@")
    for agent, approved in view.state.standing:
        if agent == view.state.agent and approved.rpartition("@")[0] == name:
            return "what the server says about it"
    return ""
