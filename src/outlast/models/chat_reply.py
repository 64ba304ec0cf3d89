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
from outlast.models.errors import malformed
from outlast.models.fake_id import FAKE_RESPONSES_ID
from outlast.models.reasoning_replay import REASONING_FIELD, THINKING_BLOCKS

Facts = dict[str, Any]
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
    return [item for item in (thought, spoken, *calls) if item is not None]


def field(of: Any, name: str) -> Any:
    """A field of an object or a mapping; None if there is none."""
    if isinstance(of, dict):
        return cast("Facts", of).get(name)
    # A model of pydantic's takes long to say that it has no such attribute. Pieces of a stream are
    # asked for many that they do not have.
    extra: Facts | None = getattr(of, "__pydantic_extra__", None)
    if extra is None:
        return getattr(of, name, None)
    kept: Facts = of.__dict__
    return kept[name] if name in kept else extra.get(name)


def text_field(of: Any, name: str) -> str:
    """A text among the fields; empty if it is missing or anything else."""
    value = field(of, name)
    return value if isinstance(value, str) else ""


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


def listed(value: Any, name: str) -> list[Any]:
    """A list among the fields; empty if it is missing, and an error if it is anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed(f"{name} is a {type(value).__name__}")
    return cast("list[Any]", value)


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
        signature = thought_signature(call)
        signed = {"thought_signature": signature} if signature else {}
        call_id = clean_call_id(text_field(call, "id"), about.get("model"))
        name, arguments = text_field(function, "name"), written_arguments(function)
        items.append(call_of(call_id, name, arguments, {**about, **signed}))
    return items


def thought_signature(call: Any) -> Any:
    """Gemini's signature of the thought behind a call, as Google or as LiteLLM has it."""
    google = field(field(call, "extra_content"), "google")
    found = field(google, "thought_signature")
    return found or field(field(call, "provider_specific_fields"), "thought_signature")


def clean_call_id(call_id: str, model: str | None) -> str:
    """A call's id without the signature that LiteLLM appends to it for Gemini."""
    if model is None or "gemini" not in model.lower():
        return call_id
    return call_id.partition("__thought__")[0]


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
