"""Until there are MCP servers, whoever wants one is told so, and what to do instead."""

import pytest

import outlast.compat
from outlast import Agent, RunConfig, Runner, UserError
from outlast.core.events import RunFailed
from outlast.journal import MemoryJournal


@pytest.mark.parametrize("name", ["MCPServer", "MCPServerStdio", "MCPServerManager", "MCPUtil"])
@pytest.mark.parametrize("module", ["outlast.mcp", "agents.mcp", "agents.mcp.server"])
def test_a_name_that_does_not_exist_yet_names_the_alternative(module: str, name: str):
    outlast.compat.install()
    try:
        with pytest.raises(UserError, match=f"There is no {name!r} here.*HostedMCPTool") as raised:
            exec(f"from {module} import {name}")
    finally:
        outlast.compat.uninstall()
    assert isinstance(raised.value, ImportError)  # For programs that can do without.


async def test_a_run_of_an_agent_with_servers_fails_with_a_named_error():
    agent = Agent(name="Clerk", model="offline", mcp_servers=[object()])
    journal = MemoryJournal()
    with pytest.raises(UserError, match=r"Agent 'Clerk' has mcp_servers.*HostedMCPTool"):
        await Runner.run(agent, "hi", run_id="r", run_config=RunConfig(journal=journal))
    failed = (await journal.read("r"))[-1].event
    assert isinstance(failed, RunFailed)
