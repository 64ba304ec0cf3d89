"""An agent as a server: what clients list and call, over stdio and HTTP, and that a retry is no second run."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from tests.mcp.conftest import SHOP, free_port, wait_for_port
from tests.mcp.test_kills import require_gone

from outlast.core.events import RunStarted
from outlast.journal import open_journal
from outlast.mcp import MCPConnectionError, MCPServerStdio, MCPServerStreamableHttp
from outlast.mcp.library import http_library, module

SOURCE = Path(__file__).parents[2] / "src"
DESK = """
from outlast import Agent, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call


@function_tool(needs_approval=True)
def pay(amount: int) -> str:
    "Pay."
    return f"paid {amount}"


model = ScriptedModel(
    [[function_call("pay", {"amount": 3}, call_id="c1")], [assistant_message("It is paid.")]] * 5
)
desk = Agent(name="Pay Desk", handoff_description="Pays.", model=model, tools=[pay])
plain = Agent(name="Plain", model=ScriptedModel([[assistant_message("hello")]] * 5))
"""
BUYER = """
import sys
from outlast import Agent
from outlast.mcp import MCPServerStdio
from outlast.testing import ScriptedModel, assistant_message, function_call

params = {{"command": sys.executable, "args": [{shop!r}, "stdio"], "env": {{"SHOP_LOG": {log!r}}}}}
shop = MCPServerStdio(params, name="shop", client_session_timeout_seconds=60)
call = function_call("price", {{"item": "tea"}}, call_id="c")
buyer = Agent(
    name="Buyer", model=ScriptedModel([[call], [assistant_message("bought")]]), mcp_servers=[shop]
)
"""


ORDERS = """
import os, sys, time
from pathlib import Path
sys.path[:0] = [{root!r}]
from outlast import Agent, function_tool
from tests.mcp.servers.buyer import Buyer


def note(what: str) -> None:
    with Path({log!r}).open("a") as log:
        log.write(what + "\\n")


@function_tool(on_uncertain="once")
def price(item: str) -> str:
    note("price " + item)
    return "7"


@function_tool(on_uncertain="once")
def order(item: str) -> str:
    note("order " + item)
    time.sleep(float(os.environ["DELAY"]))
    return "ordered"


clerk = Agent(name="Clerk", model=Buyer(), tools=[price, order])
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    path = tmp_path / "desk.py"
    path.write_text(DESK)
    return path


def env(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(SOURCE), "OUTLAST_HOME": str(folder / "home")}


def over_stdio(desk: Path, *words: str, **settings: Any) -> Any:
    args = ["-m", "outlast", "mcp", *words]
    settings.setdefault("client_session_timeout_seconds", 60)
    params: Any = {"command": sys.executable, "args": args, "env": env(desk.parent)}
    return MCPServerStdio(params, name="desk", **settings)


async def yes(context: Any, params: Any) -> Any:
    del context, params
    return module("types").ElicitResult(action="accept", content={"approve": True, "reason": "ok"})


async def no(context: Any, params: Any) -> Any:
    del context, params
    return module("types").ElicitResult(action="decline")


async def test_an_agent_is_listed_and_called_over_stdio(desk: Path):
    async with over_stdio(desk, f"{desk}:plain") as server:
        (tool,) = await server.list_tools()
        result = await server.call_tool("plain", {"message": "hi"})
    assert tool.name == "plain"
    assert result.content[0].text == "hello"


@pytest.fixture
def served(desk: Path) -> Generator[Callable[..., str]]:
    """Serves over HTTP what its arguments say."""
    processes: list[subprocess.Popen[bytes]] = []

    def serve(*words: str, **variables: str) -> str:
        for process in processes:
            process.kill()
            process.wait()
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "outlast", "mcp", *words, "--http", str(port)],
            env={**os.environ, **env(desk.parent), **variables},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        processes.append(process)
        wait_for_port(port)
        return f"http://127.0.0.1:{port}/mcp"

    yield serve
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def url(desk: Path, served: Callable[..., str]) -> str:
    return served(f"{desk}:plain")


async def test_an_agent_is_listed_and_called_over_http(url: str):
    async with MCPServerStreamableHttp({"url": url}, client_session_timeout_seconds=60) as server:
        (tool,) = await server.list_tools()
        result = await server.call_tool(tool.name, {"message": "hi"})
    assert result.content[0].text == "hello"


@pytest.mark.parametrize(("answer", "status"), [(yes, "It is paid."), (no, "It is paid.")])
async def test_a_call_that_waits_is_asked_about_at_the_client(desk: Path, answer: Any, status: str):
    async with over_stdio(desk, f"{desk}:desk", elicitation_callback=answer) as server:
        result = await server.call_tool("pay_desk", {"message": "pay", "key": "k"})
    assert result.content[0].text == status


async def test_a_question_that_is_dismissed_is_not_asked_again_in_that_call(desk: Path):
    asked: list[Any] = []

    async def dismissed(context: Any, params: Any) -> Any:
        asked.append(params)
        return module("types").ElicitResult(action="cancel")

    async with over_stdio(desk, f"{desk}:desk", elicitation_callback=dismissed) as server:
        for count in (1, 2):
            text = (
                (await server.call_tool("pay_desk", {"message": "pay", "key": "k"})).content[0].text
            )
            assert len(asked) == count
            assert "outlast approve mcp-" in text
            assert "with the same key" in text


async def test_a_client_that_asks_nobody_is_told_how_to_go_on_and_the_same_key_goes_on(desk: Path):
    async with over_stdio(desk, f"{desk}:desk") as server:
        first = await server.call_tool("pay_desk", {"message": "pay", "key": "k"})
        text = first.content[0].text
        assert "waits for a person" in text
        run_id = text.split("'")[1]
    async with over_stdio(desk, "--journal") as journal:
        shown = await journal.call_tool("show_run", {"run_id": run_id})
        assert '"tool": "pay"' in shown.content[0].text
        listed = await journal.call_tool("list_runs", {"status": "waiting"})
        assert run_id in listed.content[0].text
        await journal.call_tool("approve_call", {"run_id": run_id, "call_id": "c1"})
    async with over_stdio(desk, f"{desk}:desk") as server:
        again = await server.call_tool("pay_desk", {"message": "pay", "key": "k"})
    assert "waits" not in again.content[0].text


@pytest.mark.slow
async def test_a_call_goes_on_after_its_server_was_killed(
    tmp_path: Path, served: Callable[..., str]
):
    file, log = tmp_path / "desk.py", tmp_path / "done.log"
    file.write_text(ORDERS.format(root=str(SOURCE.parent), log=str(log)))

    async def ask(url: str, message: str = "buy") -> Any:
        params: Any = {"url": url}
        async with MCPServerStreamableHttp(params, client_session_timeout_seconds=60) as server:
            return await server.call_tool("clerk", {"message": message, "key": "k"})

    first = asyncio.create_task(ask(served(f"{file}:clerk", DELAY="60")))
    async with asyncio.timeout(60):
        while len(log.read_text().split() if log.exists() else ()) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # Both calls of the first reply have begun, in either order.
    url = served(f"{file}:clerk", DELAY="0")
    with pytest.raises(MCPConnectionError, match="Connection lost"):
        await first
    for _ in range(2):
        assert (await ask(url)).content[0].text == "done"
    # The order that was on its way is in doubt; nothing is done twice, whoever asks again.
    *begun, last = log.read_text().splitlines()
    assert (sorted(begun), last) == (["order c2", "price c1"], "order c3")
    other = await ask(url, "buy something else")
    assert "RunConflict" in other.content[0].text


async def test_the_same_call_twice_at_once_is_one_run(desk: Path, tmp_path: Path):
    async with over_stdio(desk, f"{desk}:plain") as server:
        answers = await asyncio.gather(
            *(server.call_tool("plain", {"message": "hi", "key": "k"}) for _ in range(4))
        )
    assert {each.content[0].text for each in answers} == {"hello"}
    journal = open_journal(tmp_path / "home" / "journal.db")
    runs = await journal.runs()
    assert len(runs) == 1
    log = await journal.read(runs[0].run_id)
    assert sum(isinstance(each.event, RunStarted) for each in log) == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", [("run", "{}", "buy"), ("mcp", "{}"), ("chat", "{}")])
async def test_a_command_connects_the_servers_of_an_agent_and_ends_them(
    tmp_path: Path, command: tuple[str, ...]
):
    file, log = tmp_path / "buyer.py", tmp_path / "shop.log"
    file.write_text(BUYER.format(shop=str(SHOP), log=str(log)))
    words = [each.format(file) for each in command]
    if command[0] == "mcp":
        async with over_stdio(file, *words[1:]) as server:
            result = await server.call_tool("buyer", {"message": "buy"})
        said = result.content[0].text
    else:
        said = subprocess.run(  # noqa: ASYNC221 (nothing else is going on)
            [sys.executable, "-m", "outlast", *words],
            env={**os.environ, **env(tmp_path)},
            input="buy",
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
    assert "bought" in said
    (note,) = [json.loads(line) for line in log.read_text().splitlines()]
    require_gone({note["pid"]}, 30)


def test_inspect_shows_what_a_server_offers_and_calls_it(desk: Path):
    shop = Path(__file__).parent / "servers" / "shop.py"
    command = [sys.executable, "-m", "outlast", "mcp", "inspect"]
    target = [sys.executable, str(shop), "stdio"]
    whole = {**os.environ, **env(desk.parent), "COLUMNS": "120"}
    offers = subprocess.run(
        [*command, *target], env=whole, capture_output=True, text=True, check=True
    )
    assert "read-only" in offers.stdout
    assert "price" in offers.stdout
    called = subprocess.run(
        [*command, "--call", "price", "--args", '{"item": "tea"}', *target],
        env=whole,
        capture_output=True,
        text=True,
        check=True,
    )
    assert called.stdout == "tea: 7 EUR\n"


@pytest.mark.slow
async def test_only_who_knows_the_token_is_served(served: Callable[..., str]):
    url = served("--journal", OUTLAST_MCP_TOKEN="s3cret-t0ken")
    for sent in ({}, {"authorization": "Bearer wrong"}, {"authorization": "s3cret-t0ken"}):
        refused: Any = {"url": url, "headers": sent}
        with pytest.raises(MCPConnectionError, match="HTTP error 401"):
            await MCPServerStreamableHttp(refused).connect()
    right: Any = {"url": url, "headers": {"authorization": "Bearer s3cret-t0ken"}}
    async with MCPServerStreamableHttp(right, client_session_timeout_seconds=60) as server:
        assert len(await server.list_tools()) == 4


@pytest.mark.slow
def test_without_a_token_nobody_else_than_this_machine_is_served(desk: Path):
    command = [sys.executable, "-m", "outlast", "mcp", f"{desk}:plain", "--http", "0"]
    done = subprocess.run(
        [*command, "--host", "0.0.0.0"],
        env={**os.environ, **env(desk.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "OUTLAST_MCP_TOKEN" in done.stdout + done.stderr


@pytest.mark.parametrize("header", ["host", "origin"])
async def test_a_page_of_another_site_is_not_served(url: str, header: str):
    library = http_library()
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    evil = "evil.example" if header == "host" else "http://evil.example"
    accept = "application/json, text/event-stream"
    async with library.AsyncClient() as client:
        answer = await client.post(url, json=body, headers={header: evil, "accept": accept})
    assert answer.status_code in (403, 421)


@pytest.mark.slow
def test_a_port_that_is_taken_is_named_without_a_traceback(desk: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "outlast", "mcp", f"{desk}:plain", "--http", port],
            env={**os.environ, **env(desk.parent)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert port in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


SLOW = """
import asyncio
from outlast import Agent, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call


@function_tool
async def pay() -> str:
    "Pay."
    await asyncio.sleep(2)
    return "paid"


desk = Agent(
    name="Desk",
    tools=[pay],
    model=ScriptedModel([[function_call("pay", {}, call_id="c")], [assistant_message("Paid.")]]),
)
"""


@pytest.mark.slow
async def test_who_asks_again_after_a_timeout_gets_the_answer_of_the_same_run(tmp_path: Path):
    file = tmp_path / "desk.py"
    file.write_text(SLOW)
    arguments = {"message": "pay", "key": "k"}
    async with over_stdio(file, f"{file}:desk") as server:
        await server.list_tools()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(server.call_tool("desk", arguments), 1)
        again = await asyncio.gather(*(server.call_tool("desk", arguments) for _ in range(2)))
    assert [each.content[0].text for each in again] == ["Paid.", "Paid."]


async def test_who_can_ask_nobody_is_told_commands_that_decide_and_a_key(desk: Path):
    async with over_stdio(desk, f"{desk}:desk") as server:
        waits = (await server.call_tool("pay_desk", {"message": "pay"})).content[0].text
        command = next(line.split() for line in waits.splitlines() if "outlast approve" in line)
        done = subprocess.run(  # noqa: ASYNC221 (nothing else is going on)
            [sys.executable, "-m", *command],
            env={**os.environ, **env(desk.parent)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        key = command[2]
        again = await server.call_tool("pay_desk", {"message": "pay", "key": key})
    assert again.content[0].text == "It is paid."


PROMPTS = """
import json, sys

ANSWERS = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"prompts": {}},
        "serverInfo": {"name": "s", "version": "1"},
    },
    "prompts/list": {
        "prompts": [{"name": "greet", "description": " ".join(sys.argv[1:]) + "Greets. " * 20}]
    },
}
for line in sys.stdin:
    message = json.loads(line)
    found = ANSWERS.get(message["method"])
    body = {"result": found} if found else {"error": {"code": -32601, "message": "none"}}
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **body}), flush=True)
"""


@pytest.mark.slow
def test_inspect_shows_a_server_without_tools_and_leaves_it_its_own_options(tmp_path: Path):
    file = tmp_path / "prompts.py"
    file.write_text(PROMPTS)
    server = [sys.executable, str(file)]
    shown = subprocess.run(
        [sys.executable, "-m", "outlast", "mcp", "inspect", "--", *server, "--call", "x", "-h"],
        env={**os.environ, **env(tmp_path), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert "greet" in shown
    assert "--call x -h" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80
    assert len(shown.splitlines()) < 10


@pytest.mark.slow
def test_an_eval_and_a_replay_connect_the_servers_of_their_agent(tmp_path: Path):
    file, log, cases = tmp_path / "buyer.py", tmp_path / "shop.log", tmp_path / "cases.jsonl"
    file.write_text(BUYER.format(shop=str(SHOP), log=str(log)))
    cases.write_text('{"id": "one", "input": "buy", "expected": "bought"}\n')
    for words in (
        ("eval", str(cases), "--agent", str(file)),
        ("run", str(file), "buy", "--id", "order-1"),
        ("replay", "order-1", "--with", str(file)),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "outlast", *words],
            env={**os.environ, **env(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(log.read_text().splitlines()) == 2  # A replay asks nothing.
