"""The MCP servers of served agents: connected while the app lives, and ended with it."""

import json
import sys
from pathlib import Path

from tests.mcp.servers.buyer import SHOP, Buyer
from tests.server.conftest import PATIENCE_S, served

from outlast import Agent
from outlast.mcp import MCPServerStdio
from outlast.server import App


async def test_runs_of_a_served_agent_reach_its_servers(tmp_path: Path):
    log = tmp_path / "shop.log"
    env = {"SHOP_LOG": str(log), "SHOP_DELAY": "0"}
    params = {"command": sys.executable, "args": [str(SHOP), "stdio"], "env": env}
    shop = MCPServerStdio(params, name="shop", client_session_timeout_seconds=PATIENCE_S)
    desk = Agent(name="Buyer", model=Buyer(), mcp_servers=[shop])
    async with served(App([desk], journal=str(tmp_path / "journal.db"))) as client:
        body = {"input": "Order a lamp."}
        run = (await client.post("/api/v1/runs", json=body, headers={"Prefer": "wait=30"})).json()
        assert run["status"] == "completed", run["error"]
        assert shop.session is not None
    assert shop.session is None
    assert {json.loads(line)["item"] for line in log.read_text().splitlines()} == {"c1", "c2", "c3"}
