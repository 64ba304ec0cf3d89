"""A provider inside LiteLLM's proxy, which answers by rule; the proxy does all that goes over HTTP.

The model `busy` refuses, and `careless` leaves half of a form out. All others do the same: they
call every function that they are offered once, in their order, then they answer: with the form that is asked
for, else with what the last function returned, else with a sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

from litellm import CustomLLM, ModelResponse, RateLimitError

SENTENCE = "Rain is water that falls: drop by drop, and then all at once."
FORM = {"city": "Oslo", "degrees": -3}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


class Scripted(CustomLLM):
    async def acompletion(self, *args: Any, **kwargs: Any) -> ModelResponse:
        text, call = answer(kwargs["model"], kwargs["messages"], kwargs["optional_params"])
        message = {"role": "assistant", "content": text, "tool_calls": [call] if call else None}
        reason = "tool_calls" if call else "stop"
        choices = [{"index": 0, "message": message, "finish_reason": reason}]
        return ModelResponse(choices=choices, usage=USAGE, model=kwargs["model"])

    async def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[dict[str, Any]]:
        text, call = answer(kwargs["model"], kwargs["messages"], kwargs["optional_params"])
        for word in re.findall(r"\S+\s*", text or ""):
            yield piece(text=word)
        if call:
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            for part in (arguments[:5], arguments[5:]):
                function = {"name": name, "arguments": part}
                yield piece(tool_use={**call, "function": function, "index": 0})
                name = None
        yield piece(is_finished=True, finish_reason="tool_calls" if call else "stop", usage=USAGE)


def piece(**given: Any) -> dict[str, Any]:
    blank = {"text": "", "tool_use": None, "is_finished": False, "finish_reason": "", "usage": None}
    return {**blank, "index": 0, **given}


def answer(
    model: str, messages: list[dict[str, Any]], asked: dict[str, Any]
) -> tuple[str | None, dict[str, Any] | None]:
    if model == "busy":
        raise RateLimitError("Too many questions.", llm_provider="scripted", model=model)
    offered = [tool["function"]["name"] for tool in asked.get("tools") or ()]
    called = [
        call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()
    ]
    for name in offered:
        if name not in called:
            arguments = {} if name.startswith("transfer_to_") else {"city": "Oslo"}
            function = {"name": name, "arguments": json.dumps(arguments)}
            return None, {"id": f"call_{len(called)}", "type": "function", "function": function}
    if asked.get("response_format"):
        form = json.dumps(FORM)
        return form[: len(form) // 2] if model == "careless" else form, None
    if messages[-1]["role"] == "tool":
        return f"I was told: {messages[-1]['content']}", None
    return SENTENCE, None


scripted = Scripted()
