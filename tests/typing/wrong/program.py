"""Mistakes of users. Each line marked `# wrong: RULE` has to fail to check, and no other line."""

from dataclasses import dataclass
from typing import Any

from outlast import (
    Agent,
    ModelSettings,
    RunConfig,
    RunContextWrapper,
    RunErrorHandlerResult,
    RunHooks,
    Runner,
    RunState,
    SQLiteSession,
    function_tool,
    recover_runs,
)


@dataclass
class Shop:
    name: str


class Other:
    pass


class ShopHooks(RunHooks[Shop]):
    pass


class OtherHooks(RunHooks[Other]):
    pass


clerk = Agent[Shop](name="Clerk")


async def arguments_of_a_run(state: RunState[Other, Any]) -> None:
    await Runner.run(clerk, "Hello", context=Other())  # wrong: reportArgumentType
    await Runner.run(clerk, 3)  # wrong: reportArgumentType
    await Runner.run("clerk", "Hello")  # wrong: reportArgumentType
    await Runner.run(clerk, state)  # wrong: reportArgumentType
    await Runner.run(clerk, "Hello", hooks=OtherHooks())  # wrong: reportArgumentType
    await Runner.run(clerk, "Hello", hooks=print)  # wrong: reportArgumentType
    await Runner.run(clerk, "Hello", session="customer-17")  # wrong: reportArgumentType
    await Runner.run(clerk, "Hello", error_handlers=print)  # wrong: reportArgumentType
    await Runner.run(clerk, "x", error_handlers={"max_turn": print})  # wrong: reportArgumentType
    await Runner.run(clerk, "Hello", max_turns="10")  # wrong: reportArgumentType
    await Runner.run(clerk, "Hello", run_id=17)  # wrong: reportArgumentType
    await Runner.run(clerk, "Hello", contxt=Shop("ours"))  # wrong: reportCallIssue
    await Runner.run(clerk, "Hello", run_config="fast")  # wrong: reportArgumentType


def arguments_of_other_entries() -> None:
    Runner.run_sync(clerk, "Hello", context=Other())  # wrong: reportArgumentType
    Runner.run_sync(clerk, 3)  # wrong: reportArgumentType
    Runner.run_streamed(clerk, "Hello", context=Other())  # wrong: reportArgumentType
    Runner.run_streamed(clerk, "Hello", session=3)  # wrong: reportArgumentType


async def arguments_of_a_resume() -> None:
    await Runner.resume("order-17", clerk, context=Other())  # wrong: reportArgumentType
    await Runner.resume("order-17", clerk, contxt=Shop("ours"))  # wrong: reportCallIssue
    await Runner.resume(clerk, "order-17")  # wrong: reportArgumentType
    await Runner.resume("order-17", clerk, hooks=OtherHooks())  # wrong: reportArgumentType
    await recover_runs(clerk, max_turn=3)  # wrong: reportCallIssue


async def what_a_result_has() -> None:
    result = await Runner.run(clerk, "Hello")
    print(result.final_outptu)  # wrong: reportAttributeAccessIssue
    print(result.new_item)  # wrong: reportAttributeAccessIssue
    streamed = Runner.run_streamed(clerk, "Hello")
    print(streamed.final_outptu)  # wrong: reportAttributeAccessIssue
    async for event in streamed.stream_events():
        print(event.typ)  # wrong: reportAttributeAccessIssue


def definitions() -> None:
    Agent(name=1)  # wrong: reportArgumentType
    Agent(name="Clerk", instructons="Help.")  # wrong: reportCallIssue
    Agent(name="Clerk", tools=[print])  # wrong: reportArgumentType
    Agent(name="Clerk", hooks=ShopHooks())  # wrong: reportArgumentType
    Agent(name="Clerk", tool_use_behavior="stop")  # wrong: reportArgumentType
    ModelSettings(temperature="hot")  # wrong: reportArgumentType
    RunConfig(durability="pwoer")  # wrong: reportArgumentType
    function_tool(on_uncertain="onec")  # wrong: reportArgumentType


def what_is_right(ctx: RunContextWrapper[Shop]) -> None:
    """Nothing in here is wrong: the rules above are about mistakes alone."""
    Runner.run_sync(clerk, "Hello", context=Shop("ours"), hooks=ShopHooks())
    Runner.run_sync(clerk, [{"role": "user", "content": "Hello"}], session=SQLiteSession("17"))
    Runner.run_sync(clerk, "Hello", context=ctx)
    Runner.run_sync(Agent(name="Any"), "Hello", context=Other(), hooks=OtherHooks())
    Runner.run_sync(
        clerk, "Hello", error_handlers={"max_turns": lambda data: RunErrorHandlerResult("late")}
    )
