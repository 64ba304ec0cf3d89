"""Servers that others wrote, and a client that others wrote. `make mcp` installs them."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from tests.mcp.conftest import free_port, wait_for_port

from outlast import Agent, Runner
from outlast.mcp import MCPServerStdio
from outlast.testing import ScriptedModel, assistant_message, function_call

HOME = Path(os.environ.get("OUTLAST_MCP_SERVERS", ".mcp"))
NODE = HOME / "node_modules" / ".bin"
PYTHON = HOME / "venv" / "bin"
pytestmark = pytest.mark.endpoints


def program(folder: Path, name: str) -> str:
    path = folder / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: make mcp")
    return str(path.absolute())


def server(command: str, *args: str, **settings: Any) -> MCPServerStdio:
    settings.setdefault("client_session_timeout_seconds", 60)
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/tmp")}
    return MCPServerStdio({"command": command, "args": [*args], "env": env}, **settings)


async def answered(made: MCPServerStdio, name: str, arguments: dict[str, Any], how: str) -> str:
    """What the tool of a server answers an agent."""
    model = ScriptedModel(
        [[function_call(name, arguments, call_id="c")], [assistant_message("done")]]
    )
    async with made:
        agent = Agent(name="Clerk", model=model, mcp_servers=[made])
        if how == "run":
            result: Any = await Runner.run(agent, "go")
        else:
            result = Runner.run_streamed(agent, "go")
            async for _ in result.stream_events():
                pass
    assert result.final_output == "done"
    item = next(each for each in result.new_items if each.type == "tool_call_output_item")
    return json.dumps(item.output)


@pytest.mark.parametrize("how", ["run", "run_streamed"])
async def test_the_file_server_of_npm_reads_a_file(tmp_path: Path, how: str):
    folder = tmp_path
    (folder / "note.txt").write_text("hello from a file")
    made = server(program(NODE, "mcp-server-filesystem"), str(folder))
    path = str(folder / "note.txt")
    assert "hello from a file" in await answered(made, "read_text_file", {"path": path}, how)


@pytest.mark.parametrize("how", ["run", "run_streamed"])
async def test_the_server_of_everything_of_npm_adds(how: str):
    made = server(program(NODE, "mcp-server-everything"))
    async with made:
        names = {tool.name for tool in await made.list_tools()}
        assert await made.list_prompts()
        assert await made.list_resources()
    name = "get-sum" if "get-sum" in names else "add"
    assert "42" in await answered(made, name, {"a": 40, "b": 2}, how)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize("how", ["run", "run_streamed"])
async def test_the_git_server_of_pypi_tells_the_status(repository: Path, how: str):
    tmp_path = repository
    (tmp_path / "new.txt").write_text("x")
    made = server(program(PYTHON, "mcp-server-git"), "--repository", str(tmp_path))
    said = await answered(made, "git_status", {"repo_path": str(tmp_path)}, how)
    assert "new.txt" in said


@pytest.mark.parametrize("how", ["run", "run_streamed"])
async def test_the_time_server_of_pypi_converts(how: str):
    made = server(program(PYTHON, "mcp-server-time"), "--local-timezone", "UTC")
    arguments = {"source_timezone": "UTC", "target_timezone": "Asia/Tokyo", "time": "12:00"}
    assert "21:00" in await answered(made, "convert_time", arguments, how)


AGENT = """
from outlast import Agent
from outlast.testing import ScriptedModel, assistant_message

plain = Agent(name="Plain", model=ScriptedModel([[assistant_message("hello")]] * 5))
"""


@pytest.fixture(params=["stdio", "http"])
def inspected(tmp_path: Path, request: Any) -> Generator[Callable[..., dict[str, Any]]]:
    """What the inspector prints about an agent that is served."""
    file = tmp_path / "agent.py"
    file.write_text(AGENT)
    source = str(Path(__file__).parents[2] / "src")
    env = {**os.environ, "PYTHONPATH": source, "OUTLAST_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "outlast", "mcp", f"{file}:plain"]
    process = None
    if request.param == "http":
        port = free_port()
        process = subprocess.Popen([*command, "--http", str(port)], env=env)
        wait_for_port(port)
        target = [f"http://127.0.0.1:{port}/mcp", "--transport", "http"]
    else:
        shell = tmp_path / "serve.sh"
        variables = f"export PYTHONPATH={source} OUTLAST_HOME={tmp_path}/home"
        shell.write_text(f"#!/bin/sh\n{variables}\nexec {shlex.join(command)}\n")
        shell.chmod(0o755)
        target = [str(shell)]

    def inspect(*words: str) -> dict[str, Any]:
        done = subprocess.run(
            [program(NODE, "mcp-inspector"), "--cli", *target, *words],
            env=env,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    yield inspect
    if process is not None:
        process.kill()
        process.wait()


def test_the_inspector_lists_and_calls_an_agent(inspected: Callable[..., dict[str, Any]]):
    assert shutil.which("node")
    listed = inspected("--method", "tools/list")
    assert [tool["name"] for tool in listed["tools"]] == ["plain"]
    call = ("--method", "tools/call", "--tool-name", "plain", "--tool-arg", "message=hi")
    assert inspected(*call)["content"][0]["text"] == "hello"
