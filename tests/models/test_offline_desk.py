"""The offline model through the runner: a support desk of three agents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from outlast import Agent, RunConfig, Runner, function_tool

if TYPE_CHECKING:
    import pytest

ORDERS = {"A-1001": {"item": "lamp", "total": 39.9}, "A-1002": {"item": "desk", "total": 120.0}}
REQUEST = "Please refund order A-1001 and check A-1002 too, the lamp arrived broken"
OFFLINE = RunConfig(model="offline")


@function_tool
def lookup_order(order_id: str) -> str:
    """Look up an order by its id."""
    return json.dumps(ORDERS[order_id])


@function_tool
def refund_order(order_id: str, amount: float, reason: str) -> str:
    """Refund an order."""
    return f"Refunded {amount} for {order_id}: {reason}."


@function_tool
def track_parcel(order_id: str) -> str:
    """Track the parcel of an order."""
    return f"The parcel of {order_id} is in Leipzig."


def desk() -> Agent[Any]:
    shipping = Agent(
        name="Shipping",
        handoff_description="Tracks parcels",
        tools=[track_parcel, lookup_order],
    )
    refunds = Agent(
        name="Refunds",
        handoff_description="Refunds orders and broken goods",
        tools=[lookup_order, refund_order],
        handoffs=[shipping],
    )
    return Agent(name="Triage", handoffs=[refunds, shipping])


def asked_for(result: Any) -> list[tuple[str, Any]]:
    calls = [item.raw_item for item in result.new_items if item.type == "tool_call_item"]
    return [(call.name, json.loads(call.arguments)) for call in calls]


async def test_one_message_leads_through_handoff_lookups_and_refund_to_an_answer() -> None:
    result = await Runner.run(desk(), REQUEST, run_config=OFFLINE)

    assert result.last_agent.name == "Refunds"
    assert asked_for(result) == [
        ("lookup_order", {"order_id": "A-1001"}),
        ("lookup_order", {"order_id": "A-1002"}),
        (
            "refund_order",
            {"order_id": "A-1001", "amount": 39.9, "reason": "the lamp arrived broken"},
        ),
    ]
    assert "Refunded 39.9 for A-1001" in result.final_output
    assert "not a language model" in result.final_output


async def test_what_another_agent_is_better_at_is_handed_on() -> None:
    result = await Runner.run(
        desk(), "refund A-1001 and track the parcel of A-1002", run_config=OFFLINE
    )
    assert result.last_agent.name == "Shipping"
    assert asked_for(result)[-1] == ("track_parcel", {"order_id": "A-1002"})
    assert [name for name, _ in asked_for(result)].count("refund_order") == 1


async def test_streamed_and_plain_runs_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAST_OFFLINE", "1")
    streamed = Runner.run_streamed(desk(), REQUEST)
    deltas = [
        event.data.delta
        async for event in streamed.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    plain = await Runner.run(desk(), REQUEST)
    assert streamed.final_output == plain.final_output
    assert "".join(deltas) == plain.final_output


async def test_an_agent_that_is_a_tool_is_told_all_of_the_request() -> None:
    @function_tool
    def get_price(product: str) -> str:
        """The price of a product."""
        return f"{product}: EUR 20"

    prices = Agent(name="Prices", tools=[get_price])
    clerk = Agent(
        name="Clerk",
        tools=[prices.as_tool("ask_price", "Ask for the price of a product.", run_config=OFFLINE)],
    )
    result = await Runner.run(clerk, 'What is the price of the "kettle"?', run_config=OFFLINE)
    assert "kettle: EUR 20" in result.final_output
    assert result.final_output.count("not a language model") == 1
