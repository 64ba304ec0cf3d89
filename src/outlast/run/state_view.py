"""What a stored run shows beside its log: the names that programs have learnt to look at.

All of it is a view of the log, and none of it is read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from outlast.core.events import Call, Item, ModelReplied
from outlast.core.shown import shown
from outlast.core.surrogates import without_surrogates
from outlast.core.usage import serialize_usage
from outlast.definitions.run_items import HandoffOutputItem, ModelResponse, ToolApprovalItem
from outlast.definitions.tool import FunctionTool
from outlast.definitions.tool_origin import ToolOrigin
from outlast.effects.guardrail import check_results
from outlast.effects.projection import interruptions, lookup_key, new_items, raw_responses
from outlast.engine.env import RunEnv

_STAGES = ("input", "output", "tool_input", "tool_output")
_ACTIONS = {
    "custom": ("custom_tool_actions", "custom_tool"),
    "computer": ("computer_actions", "computer"),
    "shell": ("shell_actions", "shell"),
    "local_shell": ("local_shell_actions", "local_shell"),
    "apply_patch": ("apply_patch_actions", "apply_patch"),
}
"""Of each kind of call but functions: the list that it stands in, and what its tool is called there."""
_NAMES = {
    "computer_call": "computer_use_preview",
    "shell_call": "shell",
    "local_shell_call": "local_shell",
    "apply_patch_call": "apply_patch",
}


def views_of(env: RunEnv) -> dict[str, Any]:
    """Items, replies, guardrails and what waits, as JSON types."""
    items = [_item(env, item) for item in new_items(env, env.log.events)]
    responses = [_response(each) for each in raw_responses(env)]
    results = {
        f"{stage}_guardrail_results": [
            _result(each, stage, env) for each in check_results(env, stage)
        ]
        for stage in _STAGES
    }
    return {
        "model_responses": responses,
        "last_model_response": responses[-1] if responses else None,
        "generated_items": items,
        "session_items": items,
        "generated_session_item_indexes": list(range(len(items))),
        "nested_history_owned_session_item_refs": [],
        "tool_use_tracker": tools_used(env),
        **results,
        **_step(env),
    }


def tools_used(env: RunEnv) -> dict[str, list[str]]:
    """The names of what each agent has called, in order, each as often as it was called."""
    used: dict[str, list[str]] = {}
    for reply in env.log.state.replies:
        if names := _names(reply):
            used.setdefault(reply.agent, []).extend(names)
    return used


def _names(reply: ModelReplied) -> list[str]:
    calls = {call.index: call for call in reply.calls}
    names = (_name(item, calls.get(n)) for n, item in enumerate(reply.output))
    return [name for name in names if name]


def _name(item: Item, call: Call | None) -> str | None:
    kind = str(item.get("type"))
    if kind in _NAMES:
        return _NAMES[kind]
    if call is not None and call.kind != "hosted":
        return call.qualified_name
    return kind.removesuffix("_call") if kind.endswith("_call") else None


def _step(env: RunEnv) -> dict[str, Any]:
    """What waits for a person, and the reply that asked for it."""
    state = env.log.state
    waiting = [_item(env, item) for item in interruptions(env)]
    step: Any = None
    if waiting:
        step = {"type": "next_step_interruption", "data": {"interruptions": waiting}}
    reply: Any = None
    if state.reply and not state.ended:
        reply = _processed(env, state.reply) | {"interruptions": waiting}
    return {"current_step": step, "last_processed_response": reply}


def _processed(env: RunEnv, reply: ModelReplied) -> dict[str, Any]:
    lists: dict[str, list[Any]] = {"functions": [], "handoffs": [], "mcp_approval_requests": []}
    lists |= {name: [] for name, _ in _ACTIONS.values()}
    for call in reply.calls:
        item = reply.output[call.index]
        if call.kind in ("function", "unknown"):
            tool = {"name": call.name, **_definition(env.live.tools.get(call.id), call)}
            lists["functions"].append({"tool_call": item, "tool": tool})
        elif call.kind == "handoff":
            handoff = {"tool_name": call.name}
            lists["handoffs"].append({"tool_call": item, "handoff": handoff})
        elif (action := _ACTIONS.get(call.kind)) is not None:
            lists[action[0]].append({"tool_call": item, action[1]: {"name": call.name}})
    said = [item for item in new_items(env, env.log.events) if item.type not in _ANSWERS]
    return {
        **lists,
        "new_items": [_item(env, item) for item in said[-len(reply.output) :]],
        "tools_used": _names(reply),
    }


_ANSWERS = {"tool_call_output_item", "handoff_output_item", "tool_approval_item"}


def _definition(tool: object, call: Call) -> dict[str, Any]:
    if not isinstance(tool, FunctionTool):
        return {}
    key = lookup_key(call.name, call.namespace, is_deferred=tool.defer_loading)
    form = {
        "description": tool.description,
        "lookupKey": _key_form(key),
        "paramsJsonSchema": tool.params_json_schema,
    }
    return msgspec.to_builtins(form, enc_hook=str)


def _key_form(key: tuple[str, ...]) -> dict[str, str]:
    kind, *names = key
    fields = ("namespace", "name") if kind == "namespaced" else ("name",)
    return {"kind": kind, **dict(zip(fields, names, strict=True))}


def _item(env: RunEnv, item: Any) -> dict[str, Any]:
    raw = msgspec.to_builtins(item.raw_item, enc_hook=as_sent)
    if getattr(item.raw_item, "type", "") == "function_call":
        raw.setdefault("async_", None)  # A null that the log does not have, and readers want.
    form = {"type": item.type, "raw_item": raw, "agent": named(env, item.agent)}
    for name in ("tool_name", "tool_namespace", "description", "title"):
        if (value := getattr(item, name, None)) is not None:
            form[name] = value
    origin = getattr(item, "tool_origin", None)
    if isinstance(origin, ToolOrigin):
        form["tool_origin"] = origin.to_json_dict()
    if isinstance(item, ToolApprovalItem) and item.tool_lookup_key is not None:
        form["tool_lookup_key"] = _key_form(item.tool_lookup_key)
    if isinstance(item, HandoffOutputItem):
        form["source_agent"] = named(env, item.source_agent)
        form["target_agent"] = named(env, item.target_agent)
    if item.type == "tool_call_output_item":
        form["output"] = _json_of(item.output)
        form.pop("tool_name", None)
    return form


def _result(result: Any, stage: str, env: RunEnv) -> dict[str, Any]:
    """What a guardrail answered."""
    said = result.output
    output: dict[str, Any] = {"outputInfo": _json_of(said.output_info)}
    if stage.startswith("tool_"):
        output["behavior"] = _json_of(dict(said.behavior))
    else:
        output["tripwireTriggered"] = said.tripwire_triggered
    form = {"guardrail": {"type": stage, "name": result.guardrail.get_name()}, "output": output}
    if stage == "output":
        form |= {"agentOutput": _json_of(result.agent_output), "agent": named(env, result.agent)}
    return msgspec.to_builtins(form, enc_hook=jsonable)


def named(env: RunEnv, agent: Any) -> dict[str, Any]:
    """How the log, and a reader, know an agent."""
    known = env.agents.name(agent)
    return {"name": agent.name} if known == agent.name else {"name": agent.name, "identity": known}


def _json_of(value: object) -> Any:
    """A value of a tool as JSON that can be written; its text, or what it was, where it has none."""
    try:
        form = without_surrogates(msgspec.to_builtins(value, enc_hook=jsonable))
        msgspec.json.encode(form)
    except Exception:  # noqa: BLE001  # its forms are user code
        return without_surrogates(shown(value))
    return form


def jsonable(value: Any) -> Any:
    """The JSON form of a value of user code; its text where it has none."""
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def as_sent(value: Any) -> Any:
    """The JSON form of a model's item: what was not set is not there."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_unset=True, warnings=False)
    return str(value)


def _response(response: ModelResponse) -> dict[str, Any]:
    return {
        "usage": serialize_usage(response.usage),
        "output": msgspec.to_builtins(response.output, enc_hook=as_sent),
        "response_id": response.response_id,
        "request_id": response.request_id,
    }


def normal_input(given: object) -> Any:
    """A run's input with messages of an assistant in full."""
    if not isinstance(given, list):
        return given
    items = cast("list[Any]", msgspec.to_builtins(given, enc_hook=jsonable))
    for n, item in enumerate(items):
        fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
        if fields.get("role") == "assistant":
            items[n] = {"status": "completed", **fields}
            if isinstance(text := fields.get("content"), str):
                items[n]["content"] = [{"type": "output_text", "text": text, "annotations": []}]
    return items
