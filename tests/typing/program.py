"""A program as users write it. It only has to type-check: names, signatures, return types."""

from dataclasses import dataclass
from typing import Any

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    ModelSettings,
    RunConfig,
    RunContextWrapper,
    Runner,
    RunResult,
    SQLiteSession,
    ToolContext,
    TResponseInputItem,
    function_tool,
    handoff,
    input_guardrail,
    trace,
)


@dataclass
class Shop:
    name: str


@function_tool
def lookup(ctx: RunContextWrapper[Shop], order_id: str) -> str:
    return f"{ctx.context.name}: {order_id}"


@function_tool(needs_approval=True, on_uncertain="once")
async def refund(ctx: ToolContext[Shop], order_id: str) -> str:
    return f"{ctx.idempotency_key} {order_id}"


@input_guardrail
async def polite(
    ctx: RunContextWrapper[Shop], agent: Agent[Any], message: str | list[Any]
) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=not message)


refunds = Agent[Shop](name="Refunds", tools=[refund])
clerk = Agent[Shop](
    name="Clerk",
    instructions="Help.",
    tools=[lookup],
    handoffs=[refunds, handoff(refunds)],
    input_guardrails=[polite],
    model_settings=ModelSettings(temperature=0.5),
)


async def main() -> str:
    config = RunConfig(durability="process")
    with trace("desk"):
        result: RunResult = await Runner.run(
            clerk, "Hello", context=Shop("ours"), run_config=config, run_id="order-17"
        )
    streamed = Runner.run_streamed(clerk, "Hello", session=SQLiteSession("conversation"))
    async for event in streamed.stream_events():
        print(event.type)
    return result.final_output_as(str)


class OwnSession:
    """The four methods are all that a run needs."""

    def __init__(self) -> None:
        self._items: list[TResponseInputItem] = []

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        return self._items if limit is None else self._items[-limit:]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        self._items.extend(items)

    async def pop_item(self) -> TResponseInputItem | None:
        return self._items.pop() if self._items else None

    async def clear_session(self) -> None:
        self._items.clear()


def with_an_own_session() -> RunResult:
    return Runner.run_sync(clerk, "Hello", context=Shop("ours"), session=OwnSession())
