"""What Chat Completions answers, as items and usage.

The values come from many providers, so every field is looked at before it is used: a count may be
null, a field of one provider may be missing at all others, or be of another type. What stands in the
place of something that is needed is a `ModelReplyMalformed`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from outlast.core.errors import AgentsException, UserError
from outlast.core.usage import Usage, input_details, output_details, token_count
from outlast.models import opaque
from outlast.models.chat_fields import Facts, field, listed, text_field
from outlast.models.errors import malformed
from outlast.models.fake_id import FAKE_RESPONSES_ID
from outlast.models.reasoning_replay import REASONING_FIELD, THINKING_BLOCKS

WITHHELD = "Response withheld by the provider's content filter."


def output_items(
    message: Any, about: Facts, *, is_strict: bool = False, logprobs: list[Any] | None = None
) -> list[Any]:
    """The items that a message stands for: reasoning, then the message, then its calls.

    Args:
        message: A `ChatCompletionMessage`, perhaps with fields of a provider's own.
        about: Where it came from; every item gets it as `provider_data`.
        is_strict: Refuse custom tool calls instead of leaving them out.
        logprobs: The log probabilities of its text.
    """
    refuse_audio(field(message, "audio"))
    spoken = _message_item(message, about, logprobs)
    calls = _call_items(message, about, is_strict=is_strict)
    thought = _reasoning_item(message, about)
    if fields := opaque.of_message(message):
        bearer = next((item for item in (spoken, *calls, thought) if item is not None), None)
        if bearer is not None:
            bearer.provider_data = {**about_item(bearer), opaque.OF_MESSAGE: fields}
    return [item for item in (thought, spoken, *calls) if item is not None]


def about_item(item: Any) -> Facts:
    """What an item says about where it came from."""
    return field(item, "provider_data") or {}


def said(message: Any) -> str:
    """The text of a message or of a piece of one; some providers send it in parts."""
    content = field(message, "content")
    if content is None or isinstance(content, str):
        return content or ""
    texts: list[str] = []
    for part in listed(content, "content"):
        if not isinstance(part, Mapping):
            raise malformed(f"a part of the content is a {type(part).__name__}")
        if field(part, "type") == "text":
            texts.append(text_field(part, "text"))
    return "".join(texts)


def written_arguments(function: Any) -> str:
    """A call's arguments, or a piece of them. Some providers send them as JSON and not as text."""
    value = field(function, "arguments")
    if isinstance(value, Mapping):
        return json.dumps(value)
    if value is not None and not isinstance(value, str):
        raise malformed(f"the arguments of a tool call are a {type(value).__name__}")
    return value or ""


def refuse_audio(audio: Any) -> None:
    """Refuse sound, which no item can hold."""
    if audio:
        raise AgentsException(
            "Audio is not currently supported. Ask the model for text: leave `modalities` and "
            "`audio` out of extra_args."
        )


def refuse_custom(*, is_strict: bool) -> None:
    """Refuse a custom tool call, if strict; else it is left out."""
    if is_strict:
        raise UserError(
            "Custom tool calls are not supported with Chat Completions, and the model made one. "
            "Use a Responses model, or leave strict feature validation off to pass over it."
        )


# --- The items. --------------------------------------------------------------------------


def origin_of(answer: Any, model: str | None) -> Facts:
    """Where an answer, or a chunk of one, came from; its own model if ``model`` is None."""
    facts = {"model": model or field(answer, "model"), "response_id": field(answer, "id")}
    return {name: value for name, value in facts.items() if value}


_CLASSES = {
    "message": "ResponseOutputMessage",
    "reasoning": "ResponseReasoningItem",
    "function_call": "ResponseFunctionToolCall",
}


def _item(kind: str, about: Facts, **facts: Any) -> Any:
    from openai.types import responses

    provided = {"provider_data": about} if about else {}
    return getattr(responses, _CLASSES[kind])(id=FAKE_RESPONSES_ID, type=kind, **facts, **provided)


def message_of(parts: list[Any], about: Facts, status: str = "completed") -> Any:
    """A message with ``parts``."""
    return _item("message", about, content=parts, role="assistant", status=status)


def call_of(call_id: str, name: str, arguments: str, about: Facts) -> Any:
    """A function call."""
    return _item("function_call", about, call_id=call_id, name=name, arguments=arguments)


def reasoning_of(
    about: Facts, summary: list[str], content: list[str] | None, signature: str | None = None
) -> Any:
    """A reasoning item. ``content`` is None where the provider sent a summary only."""
    given: Facts = {"summary": [{"text": text, "type": "summary_text"} for text in summary]}
    if content is not None:
        given["content"] = [{"text": text, "type": "reasoning_text"} for text in content]
    if signature is not None:
        given["encrypted_content"] = signature
    return _item("reasoning", about, **given)


def refusal_part(text: str) -> Any:
    """A refusal in a message."""
    from openai.types.responses import ResponseOutputRefusal

    return ResponseOutputRefusal(refusal=text, type="refusal")


def text_part(
    text: str, annotations: list[Any] | None = None, logprobs: list[Any] | None = None
) -> Any:
    """A text in a message."""
    from openai.types.responses import ResponseOutputText

    return ResponseOutputText(
        text=text, type="output_text", annotations=annotations or [], logprobs=logprobs or []
    )


def _message_item(message: Any, about: Facts, logprobs: list[Any] | None) -> Any | None:
    parts: list[Any] = []
    if text := said(message):
        parts.append(text_part(text, url_citations(field(message, "annotations")), logprobs))
    if refusal := text_field(message, "refusal"):
        parts.append(refusal_part(refusal))
    return message_of(parts, about) if parts else None


def _reasoning_item(message: Any, about: Facts) -> Any | None:
    summary = text_field(message, "reasoning_content")
    blocks = thinking_blocks(field(message, THINKING_BLOCKS))
    if blocks:
        thoughts = [block for block in blocks if block.get("type") == "thinking"]
        signatures = [block["signature"] for block in thoughts if block.get("signature")]
        return reasoning_of(
            {**about, THINKING_BLOCKS: blocks},
            [summary] if summary else [],
            [block["thinking"] for block in thoughts if block.get("thinking")],
            "\n".join(signatures) or None,
        )
    if summary:
        return reasoning_of(about, [summary], None)
    if plain := text_field(message, "reasoning"):
        return reasoning_of({**about, REASONING_FIELD: "reasoning"}, [], [plain])
    return None


def thinking_blocks(given: Any) -> list[Facts]:
    """Claude's blocks of thinking among what stands in that field."""
    if not isinstance(given, list | tuple):
        return []
    return [cast("Facts", block) for block in cast("list[Any]", given) if isinstance(block, dict)]


def _call_items(message: Any, about: Facts, *, is_strict: bool) -> list[Any]:
    items: list[Any] = []
    for call in listed(field(message, "tool_calls"), "tool_calls"):
        function = field(call, "function")
        if field(call, "type") == "custom":
            refuse_custom(is_strict=is_strict)
            continue
        if function is None:
            raise malformed("a tool call has no function")
        told = text_field(call, "id")
        call_id, mine = clean_call_id(told, about.get("model")), call_facts(call, told)
        name, arguments = text_field(function, "name"), written_arguments(function)
        items.append(call_of(call_id, name, arguments, {**about, **mine}))
    return items


def call_facts(call: Any, call_id: str) -> Facts:
    """What a provider wants back with a call, and where it stood."""
    facts: Facts = {}
    google = field(field(field(call, "extra_content"), "google"), "thought_signature")
    specific = field(field(call, "provider_specific_fields"), "thought_signature")
    in_id = call_id.partition(SIGNED_ID)[2]
    if signature := google or specific or in_id:
        facts["thought_signature"] = signature
    if not google and signature:
        facts[SIGNED_IN] = "provider_specific_fields" if specific else "id"
    if fields := opaque.of_call(call):
        facts[opaque.OF_CALL] = fields
    return facts


SIGNED_ID = "__thought__"
"""What stands in a call's id before the signature that LiteLLM appends for Gemini."""
SIGNED_IN = "thought_signature_in"
"""Key of a call's `provider_data` that says where its signature stood, if not where Google has it."""


def clean_call_id(call_id: str, model: str | None) -> str:
    """A call's id without the signature that LiteLLM appends to it for Gemini."""
    if model is None or "gemini" not in model.lower():
        return call_id
    return call_id.partition(SIGNED_ID)[0]


def url_citations(raw_annotations: Any) -> list[Any]:
    """The citations among what stands in a message's `annotations`; the rest is left out."""
    if not isinstance(raw_annotations, list | tuple):
        return []
    from openai.types.responses.response_output_text import AnnotationURLCitation
    from pydantic import ValidationError

    found: list[Any] = []
    for each in cast("list[Any]", raw_annotations):
        cited = field(each, "url_citation")
        if field(each, "type") != "url_citation" or cited is None:
            continue
        names = ("start_index", "end_index", "url", "title")
        facts: Facts = {name: field(cited, name) for name in names}
        try:
            found.append(AnnotationURLCitation.model_validate({"type": "url_citation", **facts}))
        except ValidationError:  # incomplete, which is no reason to lose the answer
            continue
    return found


# --- Figures. ----------------------------------------------------------------------------


def usage_of_completion(wire: Any) -> Usage:
    """What one request took; no tokens where the provider does not say."""
    if wire is None:
        return Usage(requests=1)
    given = field(wire, "prompt_tokens_details")
    cached = count(given, "cached_tokens"), count(given, "cache_write_tokens")
    thought = count(field(wire, "completion_tokens_details"), "reasoning_tokens")
    return Usage(
        requests=1,
        input_tokens=count(wire, "prompt_tokens"),
        output_tokens=count(wire, "completion_tokens"),
        total_tokens=count(wire, "total_tokens"),
        input_tokens_details=input_details(*cached),
        output_tokens_details=output_details(thought),
    )


def raw_usage(wire: Any) -> Facts | None:
    """The usage in the provider's own words."""
    return None if wire is None else wire.model_dump(exclude_unset=True, warnings=False)


def count(of: Any, name: str) -> int:
    """A count among the fields; 0 where it is missing, null or no number."""
    return token_count(field(of, name))


def text_logprobs(logprobs: Any) -> list[Any]:
    """The log probabilities of a whole text."""
    if not logprobs:
        return []
    from openai.types.responses.response_output_text import Logprob

    def facts(each: Any) -> Facts:
        return {"token": each.token, "logprob": each.logprob, "bytes": each.bytes or []}

    return [
        Logprob.model_validate(
            {**facts(each), "top_logprobs": [facts(top) for top in each.top_logprobs]}
        )
        for each in logprobs
    ]


def delta_logprobs(logprobs: Any) -> list[Any]:
    """The log probabilities of a piece of a text."""
    if not logprobs:
        return []
    from openai.types.responses.response_text_delta_event import Logprob

    return [Logprob.model_validate(each, from_attributes=True) for each in logprobs]
