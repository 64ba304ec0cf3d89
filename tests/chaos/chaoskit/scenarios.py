"""Programs to kill. Each is what a user would write: it starts its run, or goes on with it.

A scenario returns what its user sees at the end, as JSON. It must be the same whatever happened
before, except where a tool's policy says otherwise (see `harness.check`).
"""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel

from chaoskit.people import settle
from chaoskit.stage import SCENARIOS, SPECIAL, Outcome, Scenario, output_of, pages, scenario, tool
from chaoskit.world import World, answered, call, say, script, until
from outlast import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    ModelRetryBackoffSettings,
    ModelRetrySettings,
    ModelSettings,
    ModelUnavailable,
    RunContextWrapper,
    RunErrorHandlerResult,
    RunHooks,
    Runner,
    RunParked,
    SQLiteSession,
    function_tool,
    input_guardrail,
)
from outlast.definitions.context import ToolContext

__all__ = ["SCENARIOS", "SPECIAL", "Scenario"]


@scenario
async def plain(world: World) -> Outcome:
    """Two turns, one tool each."""
    rules = script([call("look", "a", order=1)], [call("pay", "b", order=1)], say("paid"))
    tools = [tool(world, "look"), tool(world, "pay")]
    agent = Agent(name="desk", model=world.model("desk", rules), tools=tools)
    return output_of(await world.run(agent, "pay 1"))


@scenario
async def streamed(world: World) -> Outcome:
    """The same through `run_streamed`."""
    rules = script([call("look", "a", order=1)], say("seen"))
    agent = Agent(name="desk", model=world.model("desk", rules), tools=[tool(world, "look")])
    result = Runner.run_streamed(agent, "look at 1", run_id="run", run_config=world.config())
    async for _ in result.stream_events():
        pass
    return output_of(result)


@scenario
async def cyclic_handoffs(world: World) -> Outcome:
    """There and back again: two agents that hand off to each other."""

    def there(items: list[Any]) -> list[Any]:
        return (
            say("all done") if "back" in answered(items) else [call("transfer_to_second", "there")]
        )

    def back(items: list[Any]) -> list[Any]:
        if "look" not in answered(items):
            return [call("look", "look", order=2)]
        return [call("transfer_to_first", "back")]

    first = Agent(name="first", model=world.model("first", there))
    second = Agent(name="second", model=world.model("second", back), tools=[tool(world, "look")])
    first.handoffs, second.handoffs = [second], [first]
    return output_of(await world.run(first, "go"))


@scenario
async def parallel_tools(world: World) -> Outcome:
    """Four tools of one reply that end in another order than they begin."""
    names = ["a", "b", "c", "d"]
    tools = [tool(world, name, pause_s=0.004 - n / 1000) for n, name in enumerate(names)]
    calls = [call(name, f"call-{name}", order=n) for n, name in enumerate(names)]
    agent = Agent(name="desk", model=world.model("desk", script(calls, say("four"))), tools=tools)
    result = await world.run(agent, "all")
    outputs = [item.output for item in result.new_items if item.type == "tool_call_output_item"]
    return {**output_of(result), "outputs": outputs}


@scenario
async def failing_sibling(world: World) -> Outcome:
    """One of three parallel tools raises; the model is told, the others count."""

    @function_tool
    async def broken(ctx: ToolContext[Any], order: int) -> str:
        world.did(f"tool:broken:{ctx.tool_call_id}", ctx.idempotency_key)
        raise ValueError(f"no {order}")

    calls = [
        call("a", "call-a", order=1),
        call("broken", "call-x", order=2),
        call("b", "call-b", order=3),
    ]
    agent = Agent(
        name="desk",
        model=world.model("desk", script(calls, say("two of three"))),
        tools=[tool(world, "a"), broken, tool(world, "b")],
    )
    return output_of(await world.run(agent, "all"))


@scenario
async def tripped_guardrail(world: World) -> Outcome:
    """A guardrail beside the first turn trips: no tool may have run."""

    @input_guardrail
    async def refuse(
        ctx: RunContextWrapper[Any], agent: Agent[Any], message: Any
    ) -> GuardrailFunctionOutput:
        await asyncio.sleep(0.002)
        world.did("guardrail:refuse")
        return GuardrailFunctionOutput(output_info="no", tripwire_triggered=True)

    rules = script([call("pay", "a", order=1)], say("paid"))
    agent = Agent(
        name="desk",
        model=world.model("desk", rules),
        tools=[tool(world, "pay")],
        input_guardrails=[refuse],
    )
    try:
        await world.run(agent, "pay")
    except InputGuardrailTripwireTriggered as error:
        return {"tripped": error.guardrail_result.guardrail.get_name()}
    return "not tripped"


@scenario
async def nested_agents(world: World) -> Outcome:
    """An agent as a tool of an agent as a tool: three logs."""
    inner = Agent(
        name="inner",
        model=world.model("inner", script([call("look", "in", order=3)], say("deep"))),
        tools=[tool(world, "look")],
    )
    middle = Agent(
        name="middle",
        model=world.model("middle", script([call("ask_inner", "mid", input="?")], say("middle"))),
        tools=[inner.as_tool("ask_inner", "asks the inner one")],
    )
    outer = Agent(
        name="outer",
        model=world.model("outer", script([call("ask_middle", "out", input="?")], say("outer"))),
        tools=[middle.as_tool("ask_middle", "asks the middle one")],
    )
    return output_of(await world.run(outer, "go"))


class Receipt(BaseModel):
    """What the structured scenario ends with."""

    order: int
    paid: bool


@scenario
async def structured_output(world: World) -> Outcome:
    """The final output is a validated value."""
    rules = script([call("pay", "a", order=5)], say('{"order": 5, "paid": true}'))
    agent = Agent(
        name="desk",
        model=world.model("desk", rules),
        tools=[tool(world, "pay")],
        output_type=Receipt,
    )
    result = await world.run(agent, "pay 5")
    assert isinstance(result.final_output, Receipt)
    return output_of(result)


@scenario
async def session(world: World) -> Outcome:
    """A conversation in a session: after any crash it holds each item once."""
    rules = script([call("look", "a", order=8)], say("seen"))
    agent = Agent(name="desk", model=world.model("desk", rules), tools=[tool(world, "look")])
    kept = SQLiteSession("talk", str(world.folder / "session.db"))
    result = await world.run(agent, "look at 8", session=kept)
    items = [item.get("type", item.get("role")) for item in await kept.get_items()]
    kept.close()
    return {**output_of(result), "session": items}


@scenario
async def cancelled(world: World) -> Outcome:
    """Cancelled after its first turn: it stays cancelled, and the turn is complete."""
    rules = script([call("look", "a", order=9)], [call("pay", "b", order=9)], say("paid"))
    tools = [tool(world, "look"), tool(world, "pay")]
    agent = Agent(name="desk", model=world.model("desk", rules), tools=tools)
    result = Runner.run_streamed(agent, "go", run_id="run", run_config=world.config())
    if world.has_begun:
        result.cancel(mode="after_turn")  # Its user has asked for that before the crash.
    async for event in result.stream_events():
        if event.type == "run_item_stream_event" and event.name == "tool_called":
            result.cancel(mode="after_turn")
    return {"output": str(result.final_output)}


@scenario
async def once_policy(world: World) -> Outcome:
    """A tool that must not run twice: in doubt, the model is told so."""

    def rules(items: list[Any]) -> list[Any]:
        done = answered(items)
        if "a" not in done:
            return [call("pay", "a", order=10)]
        return say("unknown" if "unknown" in done["a"] else "paid")

    pay = tool(world, "pay", policy="once")
    agent = Agent(name="desk", model=world.model("desk", rules), tools=[pay])
    return output_of(await world.run(agent, "pay 10"))


@scenario
async def ask_policy(world: World) -> Outcome:
    """A tool that a person decides about when it is in doubt."""
    rules = script([call("pay", "a", order=11)], say("paid"))
    pay = tool(world, "pay", policy="ask")
    agent = Agent(name="desk", model=world.model("desk", rules), tools=[pay])
    result = await world.run(agent, "pay 11")
    was_asked = bool(result.interruptions)
    return {**output_of(await settle(world, agent, result)), "asked": was_asked}


@scenario
async def asked(world: World) -> Outcome:
    """The program says of each call whether a person has to agree."""

    async def is_large(ctx: Any, arguments: dict[str, Any], call_id: str) -> bool:
        return arguments["order"] > 10

    calls = [call("pay", "a", order=6), call("pay", "b", order=60)]
    pay = tool(world, "pay", needs_approval=is_large)
    agent = Agent(name="desk", model=world.model("desk", script(calls, say("done"))), tools=[pay])
    return output_of(await settle(world, agent, await world.run(agent, "pay both")))


@scenario
async def out_of_turns(world: World) -> Outcome:
    """An error handler gives the output where the run may make no other turn."""

    def excuse(data: Any) -> RunErrorHandlerResult:
        return RunErrorHandlerResult(final_output="too long")

    rules = script([call("look", "a", order=1)], [call("look", "b", order=1)], say("never said"))
    agent = Agent(name="desk", model=world.model("desk", rules), tools=[tool(world, "look")])
    handlers: Any = {"max_turns": excuse}
    return output_of(await world.run(agent, "go", max_turns=2, error_handlers=handlers))


@scenario
async def retried(world: World) -> Outcome:
    """A model that is away for a moment is asked again."""

    def rules(items: list[Any]) -> list[Any]:
        world.fails_once("model", ConnectionError("away"))
        return script([call("look", "a", order=1)], say("seen"))(items)

    retry = ModelRetrySettings(
        max_retries=2,
        policy=lambda _: True,
        backoff=ModelRetryBackoffSettings(initial_delay=0.002, jitter=False),
    )
    agent = Agent(
        name="desk",
        model=world.model("desk", rules),
        model_settings=ModelSettings(retry=retry),
        tools=[tool(world, "look")],
    )
    return output_of(await world.run(agent, "look"))


@scenario
async def parked(world: World) -> Outcome:
    """A run whose provider is down waits without a process."""

    def rules(items: list[Any]) -> list[Any]:
        if answered(items):
            world.fails_once("model", ModelUnavailable("down"))
        return script([call("look", "a", order=1)], say("seen"))(items)

    agent = Agent(name="desk", model=world.model("desk", rules), tools=[tool(world, "look")])
    config = world.config(on_outage="park")
    try:
        return output_of(await world.run(agent, "look", config=config))
    except RunParked:
        return output_of(await Runner.resume("run", agent, run_config=config))


class Ears(RunHooks[Any]):
    """Hears everything that there is to hear."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def on_agent_start(self, context: Any, agent: Any) -> None:
        self.world.did(f"hook:agent_start {agent.name}")

    async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:
        self.world.did(f"hook:llm_end {len(response.output)}")

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: Any) -> None:
        self.world.did(f"hook:tool_end {context.tool_call_id} {result}")

    async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
        self.world.did(f"hook:handoff {from_agent.name} {to_agent.name}")


@scenario
async def hooks_and_steps(world: World) -> Outcome:
    """A tool that records its parts, an agent that hands off, and hooks that hear of it."""

    @function_tool
    async def ship(ctx: ToolContext[Any], order: int) -> str:
        world.did(f"tool:ship:{ctx.tool_call_id}", ctx.idempotency_key)
        packed = await ctx.step("pack", lambda: f"box {order}")
        label = await ctx.step("label", lambda: f"label {order}")
        return f"{packed}, {label}"

    clerk = Agent(name="clerk", model=world.model("clerk", script(say("shipped"))))
    over = [call("transfer_to_clerk", "h")]
    desk = Agent(
        name="desk",
        model=world.model("desk", script([call("ship", "a", order=3)], over)),
        tools=[ship],
        handoffs=[clerk],
    )
    return output_of(await world.run(desk, "ship 3", hooks=Ears(world)))


async def stuck(world: World) -> Outcome:
    """A tool that hangs until it is told to go on; the process that took over does not wait."""

    @function_tool
    async def wait(ctx: ToolContext[Any]) -> str:
        world.did(f"tool:wait:{ctx.tool_call_id}", ctx.idempotency_key)
        if not world.force:
            await until(world.folder / "go")
        return "waited"

    rules = script([call("wait", "a")], [call("pay", "b", order=12)], say("paid"))
    tools = [wait, tool(world, "pay")]
    agent = Agent(name="desk", model=world.model("desk", rules), tools=tools)
    return output_of(await world.run(agent, "pay 12"))


async def bulky(world: World) -> Outcome:
    """Three turns whose tools return more than a page of the journal each."""
    steps = [[call("fetch", f"call-{n}", order=n)] for n in range(3)]
    model = world.model("desk", script(*steps, say("paid")))
    agent = Agent(name="desk", model=model, tools=[pages(world, 6_000)])
    return output_of(await world.run(agent, "fetch"))


SPECIAL |= {"stuck": stuck, "bulky": bulky}
