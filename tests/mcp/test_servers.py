"""What every server does, in each transport, against the library's own server."""

import asyncio
import os
import signal
from typing import Any

import pytest

from outlast import Agent, Runner, UserError
from outlast.journal import open_journal
from outlast.mcp import MCPConnectionError
from outlast.testing import ScriptedModel, assistant_message, function_call
from outlast.views.steps import timeline


def agent_of(server: Any, *calls: Any, **settings: Any) -> Agent[Any]:
    """An agent whose model makes ``calls``, one a turn, and then says that it is done."""
    turns = [
        [function_call(name, arguments, call_id=f"c{number}")]
        for number, (name, arguments) in enumerate(calls)
    ]
    model = ScriptedModel([*turns, [assistant_message("done")]])
    return Agent(name="Clerk", model=model, mcp_servers=[server], **settings)


def outputs(result: Any) -> list[Any]:
    """What the tools of a run returned."""
    return [item.output for item in result.new_items if item.type == "tool_call_output_item"]


async def test_lists_and_calls_tools(shop: Any):
    async with shop.server() as server:
        tools = await server.list_tools()
        result = await server.call_tool("price", {"item": "tea"})
    assert {"price", "order", "stock"} <= {tool.name for tool in tools}
    assert result.content[0].text == "tea: 7 EUR"


async def test_reads_prompts_and_resources(shop: Any):
    async with shop.server() as server:
        prompts = await server.list_prompts()
        prompt = await server.get_prompt("greet", {"name": "Ada"})
        resources = await server.list_resources()
        templates = await server.list_resource_templates()
        read = await server.read_resource("shop://hours")
        made = await server.read_resource("shop://items/tea")
    assert [each.name for each in prompts.prompts] == ["greet"]
    assert prompt.messages[0].content.text == "Greet Ada."
    assert [str(each.uri) for each in resources.resources] == ["shop://hours"]
    assert len(templates.model_dump(exclude_none=True)) >= 1
    assert read.contents[0].text == "9 to 5"
    assert made.contents[0].text == "about tea"


async def test_an_error_that_a_server_answers_is_one_in_the_log(shop: Any):
    async with shop.server() as server:
        agent = agent_of(server, ("break_it", {}), ("price", {"item": "tea"}))
        await Runner.run(agent, "hi", run_id="broken")
    steps = timeline(await open_journal().read("broken")).steps
    shown = {step.name: (step.outcome, step.detail) for step in steps if step.kind == "tool"}
    assert shown["break_it"][0] == "error"
    assert "→ ToolError: " in shown["break_it"][1]
    assert shown["price"] == ("ok", "item=tea → tea: 7 EUR")


@pytest.mark.parametrize("streams", [False, True])
async def test_an_agent_uses_the_tools(shop: Any, streams: bool):
    async with shop.server() as server:
        agent = agent_of(server, ("price", {"item": "tea"}))
        if streams:
            result: Any = Runner.run_streamed(agent, "What is tea?")
            kinds = [event.type async for event in result.stream_events()]
            assert "run_item_stream_event" in kinds
        else:
            result = await Runner.run(agent, "What is tea?")
    assert outputs(result) == [{"type": "text", "text": "tea: 7 EUR"}]
    assert result.final_output == "done"


async def test_connect_and_cleanup_may_meet_in_two_tasks_and_come_twice(shop: Any):
    server = shop.server()
    await server.cleanup()
    for _ in range(2):
        await asyncio.create_task(server.connect())
        await asyncio.create_task(server.connect())
        assert await server.list_tools()
        await asyncio.create_task(server.cleanup())
        await asyncio.create_task(server.cleanup())
        with pytest.raises(UserError, match="call `connect\\(\\)` first"):
            await server.list_tools()


async def test_a_cancelled_connect_leaves_a_server_that_can_be_connected(shop: Any):
    server = shop.server()
    task = asyncio.create_task(server.connect())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with server:
        assert await server.list_tools()


async def test_many_calls_at_once_get_their_own_answers(shop: Any):
    async with shop.server() as server:
        answers = await asyncio.gather(
            *(server.call_tool("price", {"item": f"i{n}"}) for n in range(20))
        )
    assert [each.content[0].text for each in answers] == [f"i{n}: 7 EUR" for n in range(20)]


async def test_a_process_that_died_is_replaced_at_the_next_call(stdio_shop: Any):
    async with stdio_shop.server() as server:
        await server.call_tool("price", {"item": "tea"})
        os.kill(stdio_shop.calls()[-1]["pid"], signal.SIGKILL)
        await asyncio.wait_for(server._stderr.is_over.wait(), 60)
        again = await server.call_tool("price", {"item": "tea"})
    assert again.content[0].text == "tea: 7 EUR"
    assert len({each["pid"] for each in stdio_shop.calls()}) == 2


async def test_a_server_that_was_restarted_is_asked_for_a_new_session(opened: Any):
    shop = opened("streamable-http")
    async with shop.server() as server:
        await server.call_tool("price", {"item": "tea"})
        shop.stop()
        shop.start()
        again = await server.call_tool("price", {"item": "tea"})
    assert again.content[0].text == "tea: 7 EUR"


async def test_a_stream_that_ended_is_opened_again(opened: Any):
    shop = opened("sse")
    async with shop.server(client_session_timeout_seconds=1, max_retry_attempts=5) as server:
        await server.call_tool("price", {"item": "tea"})
        shop.stop()
        shop.start()
        again = await server.call_tool("price", {"item": "tea"})
    assert again.content[0].text == "tea: 7 EUR"


async def asked_the_price(server: Any) -> str:
    return (await server.call_tool("price", {"item": "tea"})).content[0].text


async def test_a_server_that_was_asked_while_it_was_down_is_asked_again_once_it_is_up(shop: Any):
    async with shop.server(client_session_timeout_seconds=10, max_retry_attempts=1) as server:
        await asked_the_price(server)
        params: Any = server.params
        script: Any = params.args if shop.transport == "stdio" else []
        if script:
            os.kill(shop.calls()[-1]["pid"], signal.SIGKILL)
            await asyncio.wait_for(server._stderr.is_over.wait(), 60)
            params.args = ["no such file"]
        shop.stop()
        for ask in (asked_the_price(server), server.list_tools(), server.list_prompts()):
            with pytest.raises(MCPConnectionError):
                await ask
        shop.start()
        if script:
            params.args = script
        assert await asked_the_price(server) == "tea: 7 EUR"
    with pytest.raises(UserError, match="Server not initialized"):
        await asked_the_price(server)


async def test_structured_content_takes_the_place_of_text_where_it_is_wanted(shop: Any):
    async with shop.server(use_structured_content=True) as server:
        result = await Runner.run(agent_of(server, ("stock", {"item": "tea"})), "?")
    assert outputs(result) == ['{"tea": 3}']


async def test_what_a_failing_tool_says_is_an_answer(shop: Any):
    async with shop.server() as server:
        result = await Runner.run(agent_of(server, ("break_it", {})), "?")
    assert "Error executing tool break_it" in outputs(result)[0]["text"]


async def test_a_list_that_is_kept_is_listed_anew_once_its_server_tells_of_a_change(shop: Any):
    async with shop.server(cache_tools_list=True) as server:
        before = {tool.name for tool in await server.list_tools()}
        await server.call_tool("grow", {})
        async with asyncio.timeout(30):
            while (after := {t.name for t in await server.list_tools()}) == before:  # noqa: ASYNC110 (a notice is under way)
                await asyncio.sleep(0.02)
    assert after - before == {"more"}
