"""Workflows whose agents use MCP servers that their workers have."""

from agents import Agent, Runner
from temporalio import workflow
from temporalio.contrib.openai_agents.workflow import (
    stateful_mcp_server,
    stateless_mcp_server,
    temporal_mcp_server,
)


@workflow.defn
class KeptServerWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        agent = Agent(name="buyer", mcp_servers=[temporal_mcp_server("kept")])
        return (await Runner.run(agent, text)).final_output


@workflow.defn
class StatelessServerWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        server = stateless_mcp_server(
            "stateless", cache_tools_list=True, factory_argument="by hand"
        )
        agent = Agent(name="buyer", mcp_servers=[server])
        return (await Runner.run(agent, text)).final_output


@workflow.defn
class StatefulServerWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        async with stateful_mcp_server("stateful") as server:
            agent = Agent(name="buyer", mcp_servers=[server])
            return (await Runner.run(agent, text)).final_output


@workflow.defn
class FilteredServerWorkflow:
    @workflow.run
    async def run(self, text: str) -> list[str]:
        server = temporal_mcp_server("kept", tool_filter={"allowed_tool_names": ["price"]})
        return [tool.name for tool in await server.list_tools()]
