"""What a provider refuses of a conversation: halves of calls, reasoning torn from what it led to, too much.

The checks are those of OpenAI's endpoints, with their words. A program that passes here sends nothing
that a real provider would refuse for its form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from outlast.core.pairs import OUTPUT_OF
from outlast.testing.provider.calls import BadRequest
from outlast.testing.provider.parsed import Wire, as_object, objects_in

_LED_TO = frozenset({"message", *OUTPUT_OF.values()})
_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_ITEM = 4


def check_items(items: Sequence[Any], partners: Mapping[str, str]) -> None:
    """Refuse items that do not belong together.

    Args:
        items: The conversation, with what the provider itself has kept of it.
        partners: Of items that this provider made, by id, the reasoning that led to them.

    Raises:
        BadRequest: The request is refused; says which item is wrong.
    """
    known = objects_in(items)
    _check_calls(known)
    _check_reasoning(known)
    _check_ids(known, partners)


def check_messages(messages: Sequence[Any]) -> None:
    """Refuse chat messages of which calls and answers do not stand together.

    Raises:
        BadRequest: The request is refused.
    """
    waiting: set[str] = set()
    for message in objects_in(messages):
        if message.get("role") == "tool":
            call_id = str(message.get("tool_call_id"))
            if call_id not in waiting:
                raise BadRequest(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    f"preceding message with 'tool_calls' ({call_id})."
                )
            waiting.discard(call_id)
            continue
        _require_answered(waiting)
        waiting = {str(call.get("id")) for call in objects_in(message.get("tool_calls"))}
    _require_answered(waiting)


def _require_answered(waiting: set[str]) -> None:
    if waiting:
        raise BadRequest(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to "
            f"each 'tool_call_id'. Without response: {', '.join(sorted(waiting))}."
        )


def _check_calls(items: Sequence[Wire]) -> None:
    waiting: dict[tuple[str, str], None] = {}
    answered: set[tuple[str, str]] = set()
    for item in items:
        kind = str(item.get("type"))
        if kind.startswith("mcp_"):
            continue
        key = str(item.get("call_id") or item.get("id"))
        if kind in OUTPUT_OF.values():
            waiting[kind, key] = None
        elif kind in OUTPUT_OF:
            pair = (OUTPUT_OF[kind], key)
            if pair in answered:
                raise BadRequest(f"Duplicate tool output found for function call {key}.")
            if pair not in waiting:
                raise BadRequest(f"No tool call found for function call output with call_id {key}.")
            answered.add(pair)
            del waiting[pair]
    if waiting:
        _, key = next(iter(waiting))
        raise BadRequest(f"No tool output found for function call {key}.")


def _check_reasoning(items: Sequence[Wire]) -> None:
    for item, following in zip(items, [*items[1:], {}], strict=True):
        if item.get("type") != "reasoning":
            continue
        kind = str(following.get("type", "message" if following.get("role") else ""))
        if kind == "reasoning":
            continue
        is_led_to = kind in _LED_TO or kind.endswith("_call")
        if not is_led_to or following.get("role", "assistant") != "assistant":
            raise BadRequest(
                f"Item '{item.get('id')}' of type 'reasoning' was provided without its required "
                "following item."
            )


def _check_ids(items: Sequence[Wire], partners: Mapping[str, str]) -> None:
    present = {str(item.get("id")) for item in items if item.get("id")}
    for item in items:
        partner = partners.get(str(item.get("id")))
        if partner is not None and partner not in present:
            raise BadRequest(
                f"Item '{item.get('id')}' of type '{item.get('type')}' was provided without its "
                f"required 'reasoning' item: '{partner}'."
            )


def partners_in(output: Sequence[Any]) -> dict[str, str]:
    """Of the items of a reply, by id, the reasoning that led to them."""
    partners: dict[str, str] = {}
    thought = ""
    for item in objects_in(output):
        if item.get("type") == "reasoning":
            thought = str(item.get("id") or "")
        elif thought and item.get("id"):
            partners[str(item["id"])] = thought
    return partners


def tokens_in(body: Wire) -> int:
    """How many tokens a request is counted as: what a tokenizer would say of English, about."""
    parts = [body.get("instructions"), body.get("tools"), body.get("text")]
    given: Any = body.get("input", body.get("messages")) or []
    items = [given] if isinstance(given, str) else objects_in(given)
    text = sum(len(json.dumps(each, ensure_ascii=False)) for each in (*parts, *items) if each)
    return text // _CHARACTERS_PER_TOKEN + _TOKENS_PER_ITEM * len(items)


def check_size(body: Wire, most: int | None) -> None:
    """Refuse a request that is longer than the model's context.

    Raises:
        BadRequest: It is.
    """
    if most is not None and (tokens := tokens_in(body)) > most:
        raise BadRequest(
            f"This model's maximum context length is {most} tokens. However, your messages resulted "
            f"in {tokens} tokens. Please reduce the length of the messages.",
            "context_length_exceeded",
        )


def as_counted(usage: Any, body: Wire) -> Wire:
    """The usage of a reply, with the tokens that its request is counted as."""
    told = as_object(usage)
    tokens = tokens_in(body)
    output = int(told.get("output_tokens") or 0)
    return {**told, "input_tokens": tokens, "total_tokens": tokens + output}
