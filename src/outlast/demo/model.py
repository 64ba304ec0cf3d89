"""A stand-in for a language model: rules that read the customer's message and call the tools.

It answers from what the conversation says and keeps nothing, as a real model does, so that it
says the same thing in the process that resumes a run.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from outlast.core.usage import Usage
from outlast.definitions.model import Model
from outlast.definitions.run_items import ModelResponse
from outlast.models.streaming import reply_events
from outlast.testing import assistant_message, function_call

PAUSE_S = 0.02
"""Between two tokens, so that one sees them come."""
_ORDER = re.compile(r"\b[A-Z]-\d{4}\b")
_BROKEN = re.compile(r"refund|money back|broken|damaged|wrong|torn", re.IGNORECASE)
_FACTS = 4
"""What `lookup_order` says of an order."""
_WHERE = re.compile(r"where|when|arriv|deliver|track|late", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class DeskModel(Model):
    """Plays all three agents of the desk: which one, the tools on offer tell."""

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        """The reply to the conversation so far."""
        items, tools, handoffs = _asked(args, options)
        output = _reply(items, {tool.name for tool in tools}, bool(handoffs))
        read = sum(len(str(item)) for item in items) // 4
        wrote = sum(len(str(item)) for item in output) // 16
        usage = Usage(requests=1, input_tokens=read, output_tokens=wrote, total_tokens=read + wrote)
        return ModelResponse(output=output, usage=usage, response_id=None)

    async def stream_response(self, *args: Any, **options: Any) -> AsyncIterator[Any]:
        """The same reply, word by word."""
        reply = await self.get_response(*args, **options)
        for event in reply_events(reply, model="desk-rules", split=_words):
            if event.type == "response.output_text.delta":
                await asyncio.sleep(PAUSE_S)
            yield event


def _asked(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[list[Any], Any, Any]:
    """The conversation, the tools and the handoffs of a request, in whatever way they came."""
    names = ("system_instructions", "input", "model_settings", "tools", "output_schema", "handoffs")
    told = dict(zip(names, args, strict=False)) | options
    given = told["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return items, told["tools"], told["handoffs"]


def _reply(items: list[Any], tools: set[str], is_first: bool) -> list[Any]:
    message = " ".join(str(item["content"]) for item in items if item.get("role") == "user")
    if is_first:
        return [_triage(message)]
    answers = {item["call_id"]: str(item["output"]) for item in items if _is_answer(item)}
    orders = list(dict.fromkeys(_ORDER.findall(message)))
    unseen = [order for order in orders if f"look-{order}" not in answers]
    if unseen:
        return [
            function_call("lookup_order", {"order_id": order}, call_id=f"look-{order}")
            for order in unseen
        ]
    due = [order for order in orders if _is_due(order, message, answers)]
    if "refund" in tools and due:
        return [
            function_call(
                "refund", {"order_id": order, "reason": "arrived broken"}, call_id=f"pay-{order}"
            )
            for order in due
        ]
    return [assistant_message(_answer(orders, answers))]


def _is_answer(item: Any) -> bool:
    return item.get("type") == "function_call_output" and not item["call_id"].startswith("to-")


def _triage(message: str) -> Any:
    if _BROKEN.search(message):
        return function_call("transfer_to_refunds", {}, call_id="to-refunds")
    if _WHERE.search(message) or _ORDER.search(message):
        return function_call("transfer_to_shipping", {}, call_id="to-shipping")
    return assistant_message(
        "I can look up orders and refund what arrived broken. Which order is it about? "
        "Name it like A-1007."
    )


def _is_due(order: str, message: str, answers: dict[str, str]) -> bool:
    if f"pay-{order}" in answers or "delivered" not in answers[f"look-{order}"]:
        return False
    sentences = _SENTENCE.split(message)
    return any(order in sentence and _BROKEN.search(sentence) for sentence in sentences)


def _answer(orders: list[str], answers: dict[str, str]) -> str:
    if not orders:
        return "Which order is it about? Name it like A-1007."
    return " ".join(_about(order, answers) for order in orders)


def _about(order: str, answers: dict[str, str]) -> str:
    if paid := re.search(r"refunded (EUR [\d.]+)", answers.get(f"pay-{order}", "")):
        return f"I am sorry about {order}: I have refunded {paid[1]}, and you may keep it."
    found = answers[f"look-{order}"].partition(": ")[2]
    if found.count(", ") != _FACTS - 1:
        return f"I find no order {order}."
    item, _, status, note = found.split(", ")
    joint = " and" if status == "on its way" else ":"
    return f"Your {item} ({order}) is {status}{joint} {note}."


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text) or [""]
