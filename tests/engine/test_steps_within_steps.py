"""A step that waits for itself would wait for ever: it is refused, and says which it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from outlast import Agent, Runner, ToolContext, UserError, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call


async def run(body: Callable[[Any], Any]) -> str:
    """What a tool made from ``body`` answers."""

    @function_tool(failure_error_function=None)
    async def work(ctx: ToolContext[None]) -> str:
        return str(await body(ctx))

    return await _answer(work)


async def run_plain(body: Callable[[Any], Any]) -> str:
    """The same for a tool that is a plain function."""

    @function_tool(failure_error_function=None)
    def work(ctx: ToolContext[None]) -> str:
        return str(body(ctx))

    return await _answer(work)


async def _answer(tool: Any) -> str:
    script = [[function_call("work", {}, call_id="c")], [assistant_message("ok")]]
    agent = Agent[Any](name="A", tools=[tool], model=ScriptedModel(script))
    result = await asyncio.wait_for(Runner.run(agent, "x"), 20)
    raw: Any = result.new_items[1].raw_item
    return str(raw["output"])


async def itself(ctx: ToolContext[None]) -> Any:
    return await ctx.step("fetch", lambda: ctx.step("fetch", lambda: 1))


async def further_in(ctx: ToolContext[None]) -> Any:
    return await ctx.step("fetch", lambda: ctx.step("b", lambda: ctx.step("fetch", lambda: 1)))


async def in_a_task(ctx: ToolContext[None]) -> Any:
    async def part() -> Any:
        return await asyncio.gather(ctx.step("fetch", lambda: 1))

    return await ctx.step("fetch", part)


async def in_a_thread(ctx: ToolContext[None]) -> Any:
    def part() -> Any:
        return ctx.step_sync("fetch", lambda: 1)

    return await ctx.step("fetch", lambda: asyncio.to_thread(part))


async def each_other(ctx: ToolContext[None]) -> Any:
    begun = {"fetch": asyncio.Event(), "b": asyncio.Event()}

    async def part(own: str, other: str) -> Any:
        begun[own].set()
        await begun[other].wait()
        return await ctx.step(other, lambda: 1)

    pair = (("fetch", "b"), ("b", "fetch"))
    await asyncio.gather(*(ctx.step(own, part, own, other) for own, other in pair))


WAYS = [itself, further_in, in_a_task, in_a_thread, each_other]


@pytest.mark.parametrize("way", WAYS)
async def test_a_step_inside_itself_is_an_error_that_names_it(way: Callable[[Any], Any]):
    with pytest.raises(UserError, match=r"inside of step '(fetch|b)'.*a name of its own"):
        await run(way)


async def test_the_same_from_a_tool_s_thread():
    with pytest.raises(UserError, match=r"inside of step 'fetch'.*a name of its own"):
        await run_plain(
            lambda ctx: ctx.step_sync("fetch", lambda: ctx.step_sync("fetch", lambda: 1))
        )


async def test_steps_of_other_names_inside_a_step_are_performed():
    async def nested(ctx: Any) -> Any:
        first = await ctx.step("a", lambda: ctx.step("b", lambda: ctx.step("c", lambda: 1)))
        return [first, await ctx.step("d", lambda: ctx.step("a", lambda: 2))]

    def plain(ctx: Any) -> Any:
        first = ctx.step_sync("a", lambda: ctx.step_sync("b", lambda: 1))
        return [first, ctx.step_sync("d", lambda: ctx.step_sync("a", lambda: 2))]

    assert (await run(nested), await run_plain(plain)) == ("[1, 1]", "[1, 1]")


async def test_a_step_that_was_asked_for_within_two_others_is_performed_once():
    async def both(ctx: Any) -> Any:
        done: list[int] = []

        async def shared() -> int:
            await asyncio.sleep(0)
            done.append(1)
            return len(done)

        parts = [ctx.step(name, lambda: ctx.step("shared", shared)) for name in ("a", "b")]
        return await asyncio.gather(*parts)

    assert await run(both) == "[1, 1]"
