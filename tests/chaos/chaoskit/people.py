"""Programs to kill in which people decide, budgets end, and conversations outgrow their model."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from chaoskit.stage import Outcome, output_of, pages, scenario, tool
from chaoskit.world import RUN, World, answered, call, say, script
from outlast import (
    Agent,
    AlreadyDecided,
    Budget,
    BudgetExceeded,
    Compaction,
    RunHasEnded,
    Runner,
    RunState,
    function_tool,
)
from outlast.core.events import HistoryCompacted
from outlast.definitions.context import ToolContext


@scenario
async def approval(world: World) -> Outcome:
    """A person approves one call and rejects another; the decisions are recorded."""
    calls = [call("pay", "a", order=6), call("void", "b", order=7)]
    agent = Agent(
        name="desk",
        model=world.model("desk", script(calls, say("as you say"))),
        tools=[tool(world, "pay", needs_approval=True), tool(world, "void", needs_approval=True)],
    )
    return output_of(await settle(world, agent, await world.run(agent, "pay and void")))


@scenario
async def question(world: World) -> Outcome:
    """A tool asks a person twice, after a step that is made once."""

    async def order(ctx: ToolContext[Any]) -> str:
        await ctx.step("reserve", lambda: "reserved")
        color = await ctx.ask("Which color?", choices=["red", "blue"])
        return f"{color} {await ctx.ask('Which size?')}"

    agent = Agent(
        name="shop",
        model=world.model("shop", script([call("order", "a")], say("ordered"))),
        tools=[function_tool(order)],
    )
    result = await world.run(agent, "a cup")
    while result.interruptions:
        (item,) = result.interruptions
        answer = "blue" if item.choices else "L"
        with suppress(AlreadyDecided):  # By another process that went on with the run, too.
            await Runner.answer(RUN, item.question_id, answer, by="ann", run_config=world.config())
        result = await world.run(agent, "a cup")
    outputs = [item["output"] for item in result.to_input_list() if "output" in item]
    return {**output_of(result), "answered": outputs}


@scenario
async def budget(world: World) -> Outcome:
    """Calls under a budget: what was set aside is settled, whatever died in between."""
    rules = script([call("look", "a", order=1)], [call("look", "b", order=2)], say("seen"))
    agent = Agent(name="desk", model=world.model("desk", rules), tools=[tool(world, "look")])
    settings = world.config(budgets=Budget(tool_calls=50, tokens=10**6))
    result = await world.run(agent, "look", config=settings)
    (account,) = world.journal.ledger.all().values()  # pyright: ignore[reportAttributeAccessIssue]
    assert account.spent.plus(account.held).tool_calls >= 2
    return output_of(result)


@scenario
async def topped_up(world: World) -> Outcome:
    """A budget is used up, somebody adds to it, and the same run goes on; nothing is done for less."""
    rules = script([call("look", "a", order=1)], [call("pay", "b", order=2)], say("paid"))
    tools = [tool(world, "look"), tool(world, "pay")]
    agent = Agent(name="desk", model=world.model("desk", rules), tools=tools)
    settings = world.config(budgets=Budget(tool_calls=1))
    result: Any = None
    while result is None:
        try:
            result = await world.run(agent, "go", config=settings)
        except BudgetExceeded:  # Again where a call died, which counts as well.
            with suppress(RunHasEnded):  # Another process was first.
                await Runner.top_up(RUN, tool_calls=1, by="ann", run_config=settings)
    (account,) = world.journal.ledger.all().values()  # pyright: ignore[reportAttributeAccessIssue]
    assert 2 <= account.spent.plus(account.held).tool_calls <= 1 + account.credit.tool_calls
    return output_of(result)


@scenario
async def shortened(world: World) -> Outcome:
    """A conversation that outgrows its model is made shorter once, and stays so."""

    def rules(items: Any) -> list[Any]:
        page = max(map(int, answered(items)), default=0) + 1
        return [call("fetch", str(page), order=page)] if page <= 5 else say("read")

    notes = world.model("notes", lambda _: say("pages were read"))
    wanted = Compaction(
        context_tokens=1200, keep_tool_results=1, summary_words=5, summary_model=notes
    )
    agent = Agent(name="desk", model=world.model("desk", rules), tools=[pages(world, 400)])
    result = await world.run(agent, "read", config=world.config(compaction=wanted))
    log = [each.event for each in await world.journal.read(RUN)]
    heads = [str(each.history) for each in log if isinstance(each, HistoryCompacted)]
    assert heads
    return {**output_of(result), "heads": heads}


@scenario
async def deep_approval(world: World) -> Outcome:
    """A call three agents deep waits for a person, whose decision travels as JSON."""
    agent = Agent(
        name="clerk",
        model=world.model("clerk", script([call("pay", "c", order=3)], say("paid"))),
        tools=[tool(world, "pay", needs_approval=True)],
    )
    for n in (1, 0):
        rules = script([call("ask", f"a{n}", input="pay 3")], say("it is paid"))
        helper = agent.as_tool("ask", "Asks.")
        agent = Agent(name=f"boss {n}", model=world.model(f"boss{n}", rules), tools=[helper])
    result = await world.run(agent, "pay 3")
    while result.interruptions:
        state = await RunState.from_string(agent, result.to_state().to_string())
        state.approve(state.get_interruptions()[0])
        result = await Runner.run(agent, state, run_config=world.config())
    return output_of(result)


async def settle(world: World, agent: Agent[Any], result: Any) -> Any:
    """Decide what a run waits for: payments yes, everything else no."""
    while result.interruptions:
        state = result.to_state()
        for item in result.interruptions:
            decide = state.approve if item.tool_name == "pay" else state.reject
            decide(item)
        result = await Runner.run(agent, state, run_config=world.config())
    return result
