"""What a model's reply means, and which replies are refused: with a false call, or too many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from outlast.calls.model_choice import ModelChoice
from outlast.core.effects import CallModel
from outlast.core.errors import ModelBehaviorError, ModelLoopDetected, TooManyToolCalls
from outlast.core.events import Call, CallKind, Item, ModelReplied
from outlast.core.items import call_id, invocation
from outlast.core.state import RunState
from outlast.core.surrogates import without_surrogates
from outlast.core.usage import facts_of
from outlast.definitions.approvals import qualified
from outlast.definitions.editor import ApplyPatchTool
from outlast.definitions.limits import ModelLimits
from outlast.definitions.run_items import ModelResponse
from outlast.definitions.shell_tools import ShellTool
from outlast.effects.needs import needs_person
from outlast.effects.offers import edition_of
from outlast.effects.paid_calls import model_name, price_of
from outlast.effects.programmatic_calls import check_caller, require_programs
from outlast.effects.projection import typed, wire
from outlast.effects.turn import PreparedTurn
from outlast.effects.view import RunView

LOCAL_CALLS: dict[str, CallKind] = {
    "computer_call": "computer",
    "custom_tool_call": "custom",
    "shell_call": "shell",
    "apply_patch_call": "apply_patch",
    "local_shell_call": "local_shell",
    "mcp_approval_request": "mcp_approval",
}
"""Calls that this process answers, besides functions, by the type of their item."""
_encode = msgspec.json.Encoder().encode
LANES = {"computer", "shell", "apply_patch", "local_shell"}
_WINDOW = 16  # Entries looked at for each repetition: a turn may have other calls as well.


def replied(
    view: RunView,
    effect: CallModel,
    turn: PreparedTurn,
    response: ModelResponse,
    choice: ModelChoice,
) -> ModelReplied:
    """The event of a reply: its items, and the calls in it with what their names mean now.

    Raises:
        ModelBehaviorError: A call has no id, or the id of another one.
    """
    output: list[Item] = []
    calls: list[Call] = []
    seen: dict[str, str] = {}
    is_replay = False
    for place, raw in enumerate(response.output):
        item, given = _received(raw)
        response.output[place] = given
        is_patch = item.get("name") == "apply_patch" and _is_patch(turn, item)
        item = _as_patch_call(item) if is_patch else item
        call = _call(view, turn, item, len(output))
        if call:
            mark = invocation(item)
            if _is_known(view, seen, call, mark):
                _drop_reasoning(output)
                is_replay = True
                continue
            if tool := view.live.tools.get(call.id):
                check_caller(view.state, turn, output, item, tool)
            seen[call.id] = mark
            calls.append(call)
        if item.get("type") in ("program", "program_output"):
            require_programs(turn, f"The model answered with a {item['type']}")
        view.live.behind[id(item)] = (item, item if is_patch else given)
        output.append(item)
    return ModelReplied(
        effect.id,
        effect.agent,
        output,
        tuple(calls),
        facts_of(response.usage),
        _text_or_none(response.response_id),
        _text_or_none(response.request_id),
        is_replay,
        choice.label,
        turn.output_mark,
        choice.settings.store,
        model_name(choice.model),
        price_of(view, choice.model, response.usage),
    )


def _text_or_none(value: object) -> str | None:
    """An id as the log keeps it: some endpoints number their responses."""
    return value if value is None or isinstance(value, str) else str(value)


def _received(raw: object) -> tuple[Item, Any]:
    """An item of a reply as it is kept and sent back, and as an object."""
    item = wire(raw)
    try:
        _encode(item)  # Twenty times as fast as looking at every text of it.
    except UnicodeEncodeError:
        sound = without_surrogates(item)
        return sound, typed(sound)
    return item, raw


def _drop_reasoning(output: list[Item]) -> None:
    """Leave out what led to a call that is there already: that reasoning has its call."""
    while output and output[-1].get("type") == "reasoning":
        output.pop()


def _is_patch(turn: PreparedTurn, item: Item) -> bool:
    """Whether an ordinary call means the patch tool: models fall back to that form."""
    if item.get("type") not in ("function_call", "custom_tool_call"):
        return False
    is_function = "apply_patch" in turn.functions or "apply_patch" in turn.transfers
    return not is_function and isinstance(turn.others.get("apply_patch"), ApplyPatchTool)


def _as_patch_call(item: Item) -> Item:
    try:
        operation = msgspec.json.decode(item.get("arguments") or item.get("input") or "")
    except msgspec.DecodeError as error:
        raise ModelBehaviorError(f"Invalid apply_patch arguments JSON: {error}") from error
    kept = {key: item[key] for key in ("id", "call_id", "caller", "status") if key in item}
    return {"type": "apply_patch_call", **kept, "operation": operation}


def _is_known(view: RunView, seen: dict[str, str], call: Call, mark: str) -> bool:
    """Whether the run has this very call already.

    Raises:
        ModelBehaviorError: It has another call under the same id, or the call has no id.
    """
    if not call.id:
        raise ModelBehaviorError(
            f"The model called {call.name!r} without a non-empty string call ID."
        )
    if (here := seen.get(call.id)) is not None and here != mark:
        raise ModelBehaviorError(
            f"Model reused a tool call ID for a different invocation in one response: {call.id!r}, of "
            f"{call.name!r}. Each invocation needs a unique call ID."
        )
    known = view.state.seen_calls.get(call.id) or view.live.past_calls.get(call.id)
    if known is not None and known != mark:
        raise ModelBehaviorError(
            "Model reused a completed tool call ID for a different invocation. Use a unique call ID for "
            f"each tool invocation. It was {call.id!r}, of {call.name!r}."
        )
    return here is not None or known is not None


def _call(view: RunView, turn: PreparedTurn, item: Item, index: int) -> Call | None:
    kind = item.get("type")
    if kind == "function_call":
        return _function_call(view, turn, item, index)
    if kind not in LOCAL_CALLS:
        return None
    local = LOCAL_CALLS[kind]
    name = str(item.get("name") or local)
    lane = local if local in LANES else ""
    call = Call(
        call_id(item),
        name,
        local,
        index,
        lane=lane,
        namespace=item.get("namespace"),
        server=str(item.get("server_label") or ""),
    )
    tool = turn.tool(call)
    if isinstance(tool, ShellTool) and not tool.is_local:
        return None  # The provider runs it.
    if tool is not None:
        view.live.tools[call.id] = tool
    return msgspec.structs.replace(call, approval=needs_person(tool, item))


def _function_call(view: RunView, turn: PreparedTurn, item: Item, index: int) -> Call:
    name, key = str(item.get("name")), str(item.get("call_id") or "")
    if name in turn.transfers:
        return Call(key, name, "handoff", index)
    namespace = item.get("namespace")
    tool = turn.functions.get(qualified(name, namespace))
    if tool is None:
        return Call(key, name, "unknown", index, namespace=namespace)
    view.live.tools[key] = tool
    needs, edition = needs_person(tool, item), edition_of(tool)
    return Call(key, name, "function", index, needs, tool.on_uncertain, namespace, edition=edition)


# --- Replies that ask for too much. ------------------------------------------------------


def check_excess(
    state: RunState, output: Sequence[Item], calls: Sequence[Call], limits: ModelLimits
) -> None:
    """Refuse a reply whose calls go beyond ``limits``.

    Raises:
        TooManyToolCalls: It has too many calls.
        ModelLoopDetected: A call has been made, and been answered the same, too often.
    """
    if limits.tool_calls is not None and len(calls) > limits.tool_calls:
        raise TooManyToolCalls(
            f"The model asked for {len(calls):,} tool calls in one reply, more than the "
            f"{limits.tool_calls:,} that ModelLimits(tool_calls=...) allows. None of them was run."
        )
    bound = limits.same_calls
    if bound is None or state.turn < bound:
        return
    for call in calls:
        if call.kind == "function" and _repetitions(state, output[call.index], bound) >= bound:
            raise ModelLoopDetected(
                f"The model called {call.name!r} with the same arguments and was answered the same "
                f"{bound} times, and calls it again. If that is as it should be, raise "
                "RunConfig(model_limits=ModelLimits(same_calls=...))."
            )


def _repetitions(state: RunState, item: Item, bound: int) -> int:
    """How often in a row the call ``item`` was made before and had the same result."""
    entries = state.model_entries
    results: dict[str, object] = {}
    found: list[object] = []
    for entry in reversed(entries.since(max(0, len(entries) - _WINDOW * bound))):
        past = entry.item
        if past.get("type") == "function_call_output":
            results[call_id(past)] = past.get("output")
        elif _is_same(past, item):
            result = results.get(call_id(past))
            if found and result != found[0]:
                break
            found.append(result)
    return len(found)


def _is_same(past: Item, item: Item) -> bool:
    names = ("type", "name", "namespace", "arguments")
    return all(past.get(name) == item.get(name) for name in names)
