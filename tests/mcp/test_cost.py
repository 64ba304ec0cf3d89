"""What many servers and many tools cost."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from outlast import Agent, FunctionTool, RunConfig, Runner
from outlast.journal import MemoryJournal
from outlast.mcp import MCPServerManager, MCPServerStdio
from outlast.testing import ScriptedModel, assistant_message, function_call

SHOP = Path(__file__).parent / "servers" / "shop.py"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}


class Session:
    """A session whose server has two hundred tools."""

    async def list_tools(self, **_: Any) -> Any:
        from mcp.types import ListToolsResult

        tools = [
            {"name": f"t{n}", "description": "Act.", "inputSchema": SCHEMA} for n in range(200)
        ]
        return ListToolsResult.model_validate({"tools": tools})


async def answer(context: Any, arguments: str) -> str:
    del context, arguments
    return "ok"


OWN = FunctionTool("own", "Act.", SCHEMA, answer, strict_json_schema=False)
TURNS = 30


async def cost(*functions: FunctionTool, **servers: Any) -> float:
    """The processor's time of a run in which the same tool is called each turn."""
    calls = [[function_call("own", {"a": "x"}, call_id=f"c{n}")] for n in range(TURNS)]
    model = ScriptedModel([*calls, [assistant_message("done")]])
    agent = Agent(name="Clerk", model=model, tools=[OWN, *functions], **servers)
    began = time.process_time()
    config = RunConfig(journal=MemoryJournal())
    await Runner.run(agent, "go", max_turns=TURNS + 2, run_config=config)
    return time.process_time() - began


@pytest.mark.slow
async def test_a_run_with_unchanged_tools_of_a_server_costs_what_one_with_functions_costs():
    server = MCPServerStdio({"command": "unused"}, cache_tools_list=True)
    server.session = Session()
    functions = [
        FunctionTool(f"t{n}", "Act.", SCHEMA, answer, strict_json_schema=False) for n in range(200)
    ]
    await cost(mcp_servers=[server])  # Lists them.
    # In turn, on a machine that others use, too. With the first turn, of agents that have not seen
    # the list before.
    pairs = [(await cost(mcp_servers=[server]), await cost(*functions)) for _ in range(12)]
    of_server, of_functions = (min(times) for times in zip(*pairs, strict=True))
    assert of_server < 1.2 * of_functions


@pytest.mark.slow
async def test_servers_connect_at_the_same_time(tmp_path: Path):
    def server(number: int) -> MCPServerStdio:
        env = {"SHOP_MEETS_IN": str(tmp_path), "SHOP_MEETS": "5"}
        params: Any = {"command": sys.executable, "args": [str(SHOP), "stdio"], "env": env}
        return MCPServerStdio(params, name=str(number), client_session_timeout_seconds=60)

    servers = [server(number) for number in range(5)]
    async with MCPServerManager(
        servers, connect_in_parallel=True, connect_timeout_seconds=60
    ) as manager:
        assert len(manager.active_servers) == 5
    await asyncio.sleep(0)
