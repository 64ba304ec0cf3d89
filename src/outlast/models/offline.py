"""A stand-in for a language model: deterministic, without network, key or cost.

It is for trying out agents, for demos and for tests of everything around a model. It understands
nothing. It matches words of the conversation with the names, descriptions and parameters of tools
and handoffs, and then does what an agent usually has to:

1. hand off, when a handoff's words fit the request better than the agent's own tools do;
2. look first: call every tool that reads (`lookup_order`, `get_weather`) and fits, in parallel,
   once for each thing that is mentioned;
3. then act (`refund_order`), where the request says so, and nothing that was looked up failed;
   arguments come from the request, then from what tools returned;
4. close by saying what the tools returned, or answer in the JSON that the output schema wants.

It has no state: a reply is a function of the request alone. So it continues a resumed run where
that was, and a call is never made twice, because the conversation shows that it has been made.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from outlast.core.usage import Usage
from outlast.definitions.handoff import Handoff
from outlast.definitions.model import Model, ModelTracing
from outlast.definitions.run_items import ModelResponse
from outlast.definitions.tool import FunctionTool, Tool
from outlast.models.offline_args import instance
from outlast.models.offline_plan import Call, Conversation, Option, next_calls, read
from outlast.models.offline_text import plain
from outlast.models.streaming import reply_events

if TYPE_CHECKING:
    from openai.types.responses import (
        ResponseInputItemParam,
        ResponseOutputItem,
        ResponsePromptParam,
        ResponseStreamEvent,
    )

    from outlast.definitions.output import AgentOutputSchemaBase
    from outlast.definitions.settings import ModelSettings

NOTICE = "(This is Outlast's offline stand-in, not a language model.)"


class OfflineModel(Model):
    """Stands in for a language model where there is no network or no key. See the module's head."""

    model = "offline"

    async def get_response(  # noqa: PLR0913 (upstream's signature)
        self,
        system_instructions: str | None,
        input: str | list[ResponseInputItemParam],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,  # noqa: ARG002 (upstream's signature)
        *,
        previous_response_id: str | None = None,  # noqa: ARG002 (upstream's signature)
        conversation_id: str | None = None,  # noqa: ARG002 (upstream's signature)
        prompt: ResponsePromptParam | None = None,  # noqa: ARG002 (upstream's signature)
    ) -> ModelResponse:
        """The next calls, or the closing text."""
        talk = read(input)
        options = [
            Option(tool.name, tool.description, tool.params_json_schema, source=tool.mcp_source)
            for tool in tools
            if isinstance(tool, FunctionTool)
        ]
        for each in handoffs:
            told = f"{each.agent_name} {each.tool_description}"
            options.append(Option(each.tool_name, told, each.input_json_schema, is_handoff=True))
        calls, reasons = next_calls(talk, options, model_settings.tool_choice)
        if hosted := sorted(tool.name for tool in tools if not isinstance(tool, FunctionTool)):
            reasons.append(f"I did not use {', '.join(hosted)}, which a provider's model has.")
        output = [
            _call(name, arguments, talk.calls_so_far + index)
            for index, (name, arguments) in enumerate(calls)
        ]
        if not output:
            said = f"{_prose(talk, reasons, options)} {NOTICE}"
            if output_schema is not None and not output_schema.is_plain_text():
                wire = instance(output_schema.json_schema(), talk.source(), said)
                said = json.dumps(wire, ensure_ascii=False)
            output = [_message(said, talk)]
        asked = _count(system_instructions) + _count(input)
        answered = sum(_count(item.model_dump(exclude_unset=True)) for item in output)
        usage = Usage(1, asked, output_tokens=answered, total_tokens=asked + answered)
        return ModelResponse(output=output, usage=usage, response_id=None)

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncIterator[ResponseStreamEvent]:
        """The same reply, word by word."""
        reply = await self.get_response(*args, **kwargs)
        for event in reply_events(reply, model=self.model, split=_tokens):
            yield event


def _call(name: str, arguments: dict[str, Any], place: int) -> ResponseOutputItem:
    from openai.types.responses import ResponseFunctionToolCall

    text = json.dumps(arguments, ensure_ascii=False)
    # The place in the conversation, and what is asked: a filter may have cut calls out of the
    # history, and two different calls must not have one id.
    call_id = f"call_{place}_{zlib.crc32(f'{name} {text}'.encode()):08x}"
    return ResponseFunctionToolCall(
        type="function_call", name=name, arguments=text, call_id=call_id, id=f"fc_{call_id}"
    )


def _message(text: str, talk: Conversation) -> ResponseOutputItem:
    from openai.types.responses import ResponseOutputMessage, ResponseOutputText

    part = ResponseOutputText(type="output_text", text=text, annotations=[], logprobs=[])
    item_id = f"msg_{talk.items}_{zlib.crc32(text.encode()):08x}"
    return ResponseOutputMessage(
        id=item_id, type="message", role="assistant", status="completed", content=[part]
    )


def _prose(talk: Conversation, reasons: list[str], options: list[Option]) -> str:
    lines = [_report(call) for call in talk.calls if not call.is_transfer] + reasons
    if lines:
        return " ".join(lines)
    said = f'You said: "{talk.request.strip()}".' if talk.request.strip() else "You said nothing."
    if not options:
        return f"{said} I have no tools, so this is all that I can answer."
    names = ", ".join(option.name for option in options)
    return f"{said} That fits none of what I can do here: {names}."


def _report(call: Call) -> str:
    given = [entry for entry in call.arguments.values() if entry not in (None, "", [], {})]
    about = f" for {plain(given[0])}" if given else ""
    # An agent as a tool has said it too.
    text = plain(call.value).replace(NOTICE, "").strip() or "nothing"
    return f"I called {call.name}{about}, and it returned: {text}{'' if text[-1] in '.!?' else '.'}"


_COUNTED = ("content", "text", "output", "arguments", "input")


def _count(value: object) -> int:
    """The words in a text, an item or a list of items, by the fields that hold text."""
    if isinstance(value, list):
        entries: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  wire items
        return sum(map(_count, entries))
    if isinstance(value, dict):
        fields: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]  wire items
        return sum(_count(fields.get(key)) for key in _COUNTED)
    return len(value.split()) if isinstance(value, str) else 0


def _tokens(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text) or [text]
