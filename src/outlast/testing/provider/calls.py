"""A request of the wire as the `ModelCall` that a model in the same process would have got."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any, NoReturn

from outlast.core.errors import UserError
from outlast.definitions.function_tool import FunctionTool
from outlast.definitions.handoff import Handoff
from outlast.definitions.model import ModelTracing
from outlast.definitions.output import AgentOutputSchemaBase
from outlast.definitions.settings import ModelSettings
from outlast.testing.provider.parsed import Wire, as_object, objects_in
from outlast.testing.steps import ModelCall

_TRANSFER = "transfer_to_"


class BadRequest(Exception):
    """A request that the API would refuse; the text says why, and ``code`` is the API's word."""

    def __init__(self, message: str, code: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.code = code


def responses_call(body: Wire) -> ModelCall:
    """What a request to `/v1/responses` asks, in the terms of a model."""
    given = body.get("input")
    if not isinstance(given, str | list) and body.get("prompt") is None:
        raise BadRequest("`input` must be a string or a list of items.")
    wanted = as_object(body.get("text")).get("format")
    return _call(body, given or [], objects_in(body.get("tools")), wanted)


def chat_call(body: Wire) -> ModelCall:
    """What a request to `/v1/chat/completions` asks, in the terms of a model."""
    if not isinstance(body.get("messages"), list):
        raise BadRequest("`messages` must be a list of messages.")
    given = objects_in(body["messages"])
    system = [m for m in given if m.get("role") in ("system", "developer")]
    instructions = "\n\n".join(_text(message.get("content")) for message in system) or None
    items = [item for m in given if m not in system for item in _items(m)]
    tools = [
        {"type": tool.get("type"), **as_object(tool.get("function"))}
        for tool in objects_in(body.get("tools"))
    ]
    wanted = as_object(body.get("response_format")).get("json_schema")
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        choice = as_object(body["tool_choice"]).get("function")
    return _call(
        {**body, "instructions": instructions, "tool_choice": choice}, items, tools, wanted
    )


def items_of(given: str | list[Any]) -> list[Any]:
    """The input of a request as items."""
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def replies_in(items: str | list[Any]) -> int:
    """How many replies of a model a conversation holds."""
    return sum(is_reply for is_reply, _ in itertools.groupby(objects_in(items), _is_reply))


def has_tool_output(items: str | list[Any]) -> bool:
    """Whether a conversation holds what a tool returned."""
    return any(str(item.get("type", "")).endswith("_output") for item in objects_in(items))


def _is_reply(item: Wire) -> bool:
    if item.get("role") == "assistant":
        return True
    kind = str(item.get("type", "message"))
    return kind == "reasoning" or kind.endswith("_call")


def _items(message: Wire) -> list[Wire]:
    """A chat message as items of a conversation."""
    role, content = message.get("role"), message.get("content")
    if role == "tool":
        call_id = message.get("tool_call_id")
        return [{"type": "function_call_output", "call_id": call_id, "output": _text(content)}]
    if role != "assistant":
        return [{"role": role, "content": content if isinstance(content, str) else _parts(content)}]
    said: list[Wire] = [{"role": "assistant", "content": _text(content)}] if content else []
    for call in objects_in(message.get("tool_calls")):
        told = as_object(call.get("function"))
        what = {"name": told.get("name"), "arguments": told.get("arguments")}
        said.append({"type": "function_call", "call_id": call.get("id"), **what})
    return said


_PARTS = {"text": "input_text", "image_url": "input_image", "file": "input_file"}


def _parts(content: Any) -> list[Wire]:
    kinds = [(part, str(part.get("type"))) for part in objects_in(content)]
    return [{**part, "type": _PARTS.get(kind, kind)} for part, kind in kinds]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in objects_in(content))


def _call(body: Wire, items: Any, tools: list[Wire], wanted: Any) -> ModelCall:
    functions = [tool for tool in tools if tool.get("type") == "function"]
    return ModelCall(
        system_instructions=body.get("instructions"),
        input=items,
        model_settings=_settings(body),
        tools=[_tool(tool) for tool in functions if not _is_transfer(tool)],
        output_schema=_schema(wanted),
        handoffs=[_handoff(tool) for tool in functions if _is_transfer(tool)],
        tracing=ModelTracing.DISABLED,
        previous_response_id=body.get("previous_response_id"),
        conversation_id=_conversation(body.get("conversation")),
        prompt=body.get("prompt"),
        streamed=body.get("stream") is True,
    )


def _conversation(told: Any) -> str | None:
    found = as_object(told).get("id") or told
    return found if isinstance(found, str) else None


def _settings(body: Wire) -> ModelSettings:
    choice: Any = body.get("tool_choice")
    if isinstance(choice, dict):
        choice = as_object(body["tool_choice"]).get("name")
    limit = body.get("max_output_tokens") or body.get("max_completion_tokens")
    return ModelSettings(
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        max_tokens=limit or body.get("max_tokens"),
        tool_choice=choice,
        parallel_tool_calls=body.get("parallel_tool_calls"),
        store=body.get("store"),
        metadata=body.get("metadata"),
        preserve_raw_usage=True,
    )


def _is_transfer(tool: Wire) -> bool:
    return str(tool.get("name", "")).startswith(_TRANSFER)


def _tool(tool: Wire) -> FunctionTool:
    return FunctionTool(
        name=str(tool.get("name")),
        description=tool.get("description") or "",
        params_json_schema=tool.get("parameters") or {"type": "object", "properties": {}},
        on_invoke_tool=_elsewhere,
        strict_json_schema=False,
    )


def _handoff(tool: Wire) -> Handoff:
    name = str(tool["name"])
    return Handoff(
        tool_name=name,
        tool_description=tool.get("description") or "",
        input_json_schema=tool.get("parameters") or {},
        on_invoke_handoff=_elsewhere,
        agent_name=name.removeprefix(_TRANSFER).replace("_", " "),
        strict_json_schema=False,
    )


async def _elsewhere(*_: Any) -> NoReturn:
    raise UserError("This tool runs in the program that asked the provider, not here.")


def _schema(wanted: Any) -> AgentOutputSchemaBase | None:
    told = as_object(wanted)
    schema = as_object(told.get("schema"))
    if not schema:
        return None
    return WireSchema(str(told.get("name", "output")), schema, told.get("strict") is True)


@dataclass(frozen=True)
class WireSchema(AgentOutputSchemaBase):
    """The schema that a request asks its answer to have."""

    title: str
    schema: dict[str, Any]
    is_strict: bool

    def is_plain_text(self) -> bool:
        return False

    def name(self) -> str:
        return self.title

    def json_schema(self) -> dict[str, Any]:
        return self.schema

    def is_strict_json_schema(self) -> bool:
        return self.is_strict

    def validate_json(self, json_str: str) -> Any:
        return json.loads(json_str)
