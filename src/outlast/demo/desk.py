"""The support desk: agents and tools, as a user of Outlast would write them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    RunContextWrapper,
    function_tool,
    input_guardrail,
)
from outlast.definitions.context import ToolContext
from outlast.definitions.model import Model
from outlast.demo.orders import Shop

LONGEST_MESSAGE = 2_000


@dataclass(frozen=True)
class Desk:
    """What the tools work on. It is given anew to every process that performs a run."""

    shop: Shop
    posted: Callable[[str, bool], None]
    """Told of every refund (order, whether it is new), before the tool returns."""


@function_tool
def lookup_order(ctx: RunContextWrapper[Desk], order_id: str) -> str:
    """Look an order up.

    Args:
        ctx: What the desk works on.
        order_id: The order's id, for example A-1007.
    """
    order = ctx.context.shop.order(order_id)
    if order is None:
        return f"{order_id}: no such order"
    return f"{order.id}: {order.item}, {order.price}, {order.status}, {order.note}"


@function_tool(on_uncertain="retry")
def refund(ctx: ToolContext[Desk], order_id: str, reason: str) -> str:
    """Pay the customer back. Only for orders that were delivered.

    Args:
        ctx: What the desk works on, and the key of this call.
        order_id: The order's id.
        reason: Why, in a few words.
    """
    del reason
    order = ctx.context.shop.order(order_id)
    if order is None or order.status != "delivered":
        return f"{order_id}: not refunded, it has not been delivered"
    # The ledger knows the key again after a crash: asking twice posts once.
    is_new = ctx.context.shop.refund(order, ctx.idempotency_key, os.getpid())
    ctx.context.posted(order.id, is_new)
    return f"{order.id}: refunded {order.price}"


@input_guardrail
def short_enough(
    ctx: RunContextWrapper[Desk], agent: Agent, message: str | list[Any]
) -> GuardrailFunctionOutput:
    """A message of reasonable length."""
    del ctx, agent
    size = sum(len(str(part)) for part in message)
    return GuardrailFunctionOutput(
        output_info={"characters": size}, tripwire_triggered=size > LONGEST_MESSAGE
    )


def triage(model: Model | None) -> Agent[Desk]:
    """The desk's first agent. Without a model, the agents use the default one."""
    refunds = Agent[Desk](
        name="refunds",
        instructions="Look up every order that is named, at once. Refund what arrived broken or "
        "wrong. Then answer in two or three short sentences.",
        tools=[lookup_order, refund],
        model=model,
    )
    shipping = Agent[Desk](
        name="shipping",
        instructions="Look up every order that is named, at once. Say where each of them is.",
        tools=[lookup_order],
        model=model,
    )
    return Agent[Desk](
        name="triage",
        instructions="Hand refunds, broken and wrong goods to refunds; hand questions about "
        "deliveries to shipping. Answer other questions yourself, in a sentence.",
        handoffs=[refunds, shipping],
        input_guardrails=[short_enough],
        model=model,
    )
