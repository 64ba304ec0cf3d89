"""MCP servers of agents in workflows: workers have them, and histories what they have answered."""

import functools
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import Replayer, Worker
from tests.mcp.servers.buyer import SHOP, Buyer

import outlast.compat
from outlast import UserError
from outlast.definitions.model import Model, ModelProvider
from outlast.mcp import MCPServer, MCPServerStdio
from outlast.temporal import (
    OpenAIAgentsPlugin,
    StatefulMCPServerProvider,
    StatelessMCPServerProvider,
)


class Buyers(ModelProvider):
    def get_model(self, model_name: str | None) -> Model:
        return Buyer()


@pytest.fixture
def workflows() -> Iterator[Any]:
    outlast.compat.install()
    try:
        yield importlib.import_module("server_workflows")
    finally:
        sys.modules.pop("server_workflows", None)
        outlast.compat.uninstall()


def shops(log: Path) -> Callable[..., MCPServer]:
    """What makes servers that write down what they are asked."""
    env = {"SHOP_LOG": str(log)}
    params: Any = {"command": sys.executable, "args": [str(SHOP), "stdio"], "env": env}

    def make(argument: Any = None) -> MCPServer:
        return MCPServerStdio(params, name=f"shop {argument}", client_session_timeout_seconds=60)

    return make


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "processes"), [("Kept", 1), ("Stateless", 3), ("Stateful", 1)], ids=str
)
async def test_tools_of_a_workers_server_are_called_once_and_by_as_many_servers_as_promised(
    address: str, tmp_path: Path, workflows: Any, name: str, processes: int
):
    log, queue = tmp_path / "shop.log", f"mcp{os.urandom(6).hex()}"
    make = shops(log)
    plugin = OpenAIAgentsPlugin(
        model_provider=Buyers(),
        mcp_servers={"kept": functools.partial(make, "kept")},
        mcp_server_providers=[
            StatelessMCPServerProvider("stateless", make),
            StatefulMCPServerProvider("stateful", make),
        ],
    )
    kind = getattr(workflows, f"{name}ServerWorkflow")
    client = await Client.connect(address, plugins=[plugin])
    async with Worker(client, task_queue=queue, workflows=[kind], max_cached_workflows=0):
        handle: Any = await client.start_workflow(
            kind.run, "buy", id=queue, task_queue=queue, execution_timeout=timedelta(seconds=90)
        )
        assert await handle.result() == "done"
    notes = [json.loads(line) for line in log.read_text().splitlines()]
    assert [each["tool"] for each in notes].count("ordered") == 2
    assert [each["tool"] for each in notes].count("price") == 1
    pids = {each["pid"] for each in notes}
    assert len(pids) == processes
    assert not [pid for pid in pids if is_alive(pid)]
    history = await handle.fetch_history()
    await Replayer(workflows=[kind], plugins=[plugin]).replay_workflow(history)
    kinds = [
        each.activity_task_scheduled_event_attributes.activity_type.name for each in history.events
    ]
    assert kinds.count(f"{name.lower()}-call-tool") == 3


@pytest.mark.services
async def test_a_filter_of_the_workflow_holds(address: str, tmp_path: Path, workflows: Any):
    queue = f"mcp{os.urandom(6).hex()}"
    plugin = OpenAIAgentsPlugin(mcp_servers={"kept": shops(tmp_path / "log")})
    client = await Client.connect(address, plugins=[plugin])
    kind = workflows.FilteredServerWorkflow
    async with Worker(client, task_queue=queue, workflows=[kind]):
        tools = await client.execute_workflow(kind.run, "x", id=queue, task_queue=queue)
    assert tools == ["price"]


def test_two_servers_of_one_name_are_refused():
    with pytest.raises(UserError, match="several MCP servers"):
        OpenAIAgentsPlugin(
            mcp_servers={"a": lambda: None},
            mcp_server_providers=[StatelessMCPServerProvider("a", lambda: None)],
        )


def test_a_factory_of_two_arguments_is_refused():
    with pytest.raises(UserError, match="takes 2 arguments"):
        OpenAIAgentsPlugin(mcp_servers={"a": lambda one, two: None})
