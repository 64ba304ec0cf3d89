"""Names of openai-agents' LiteLLM module that code of others imports, beside ours."""

from __future__ import annotations

import importlib
from typing import Any

from outlast.models.adapters.foreign import library

# Their fields beyond OpenAI's are extras, which OpenAI's own classes take, too.
_IN_OPENAI = {
    "InternalChatCompletionMessage": "ChatCompletionMessage",
    "InternalToolCall": "ChatCompletionMessageFunctionToolCall",
}


def __getattr__(name: str) -> Any:
    if name == "litellm":
        return library("litellm", "LiteLLM", "LitellmModel")
    if name in _IN_OPENAI:
        return getattr(importlib.import_module("openai.types.chat"), _IN_OPENAI[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


class LitellmConverter:
    """From LiteLLM's messages to those of `openai`."""

    @classmethod
    def convert_message_to_openai(cls, message: Any, model: str | None = None) -> Any:
        """``message`` with all its fields, also those of one provider only."""
        from openai.types.chat import ChatCompletionMessage

        del model
        return ChatCompletionMessage.model_validate(message.model_dump(warnings=False))
