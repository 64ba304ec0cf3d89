"""Servers that misbehave: each ends in an error of ours that says what happened, or is borne."""

import asyncio
import os
import re
import sys
import threading
import time
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from outlast import Agent, RunContextWrapper, Runner
from outlast.core.errors import AgentsException
from outlast.definitions.function_tool import DEFAULT_TOOL_ERROR_MESSAGE
from outlast.mcp import (
    MCPConnectionError,
    MCPListingError,
    MCPRequestError,
    MCPServerSse,
    MCPServerStdio,
    MCPServerStreamableHttp,
    MCPTimeoutError,
    MCPTooLargeError,
    MCPUtil,
)
from outlast.mcp.library import http_library
from outlast.testing import ScriptedModel, assistant_message, function_call

ROGUE = Path(__file__).parent / "servers" / "rogue.py"


def rogue(how: str, **settings: Any) -> MCPServerStdio:
    settings.setdefault("client_session_timeout_seconds", 30)
    return MCPServerStdio(
        {"command": sys.executable, "args": [str(ROGUE), how]}, name="rogue", **settings
    )


CONNECTING = {
    "start dies": (MCPConnectionError, r"closed the connection.*boom: no licence \\\\x1b"),
    "start says nothing else than garbage": (MCPConnectionError, "did not answer in time"),
    "handshake hangs": (MCPConnectionError, "did not answer in time"),
    "handshake dies": (MCPConnectionError, "closed the connection.*boom"),
    "handshake is refused": (MCPConnectionError, r"it says 'go away \\\\x07'"),
    "handshake is garbage": (MCPConnectionError, "no MCP"),
    "another protocol": (MCPConnectionError, "RuntimeError|version"),
}
LISTING = {
    "list hangs": (MCPTimeoutError, "list tools from.*Timed out"),
    "list dies": (MCPConnectionError, "Connection lost.*boom"),
    "list is refused": (MCPRequestError, "no list today"),
    "list is garbage": (MCPRequestError, "no answer"),
    "cursor loops": (MCPListingError, "repeated cursor"),
    "pages without end": (MCPListingError, "more than 20 pages"),
}
CALLING = {
    "call hangs": (MCPTimeoutError, "call tool 'act' on.*Timed out"),
    "call dies": (MCPConnectionError, "Connection lost.*boom"),
    "call closes the stream": (MCPConnectionError, "Connection lost"),
    "call is refused": (MCPRequestError, r"not now \\\\x1b\[2J"),
    "call is garbage": (MCPRequestError, "no answer"),
    "call is answered under another id": (MCPTimeoutError, "Timed out"),
    "call is answered in half": (MCPTimeoutError, "Timed out"),
    "call is answered with 50 MB": (MCPTooLargeError, "more than 8388608 bytes"),
    "call is answered with 50 MB, its id behind": (MCPTooLargeError, "more than 8388608 bytes"),
    "call is answered with 2,000 blocks": (MCPTooLargeError, "2000 blocks"),
}
BORNE = (
    "start says garbage", "call is answered twice", "call is answered with noise",
    "call floods notifications", "call shouts on stderr",
)  # fmt: skip


def patience_s(text: str) -> float:
    """How long to wait for an answer: two seconds for one that never comes, which costs them all."""
    return 2 if "Timed out" in text or "in time" in text else 30


async def called(server: Any) -> Any:
    """What the tool answers, the way an agent calls it."""
    agent, context = Agent(name="a"), RunContextWrapper(None)
    (tool,) = await MCPUtil.get_function_tools(server, False, context, agent)
    body: Any = tool.on_invoke_tool
    return await body.body(tool, context, "{}")


@pytest.mark.slow
@pytest.mark.parametrize("how", CONNECTING)
async def test_a_server_that_cannot_be_connected_is_refused_by_name(how: str):
    kind, text = CONNECTING[how]
    server = rogue(how, client_session_timeout_seconds=patience_s(text))
    began = time.monotonic()
    with pytest.raises(kind, match=text) as caught:
        await server.connect()
    assert time.monotonic() - began < 30
    assert str(caught.value).isprintable()
    assert server.session is None
    await server.cleanup()


@pytest.mark.slow
@pytest.mark.parametrize("how", LISTING)
async def test_a_list_that_is_none_is_refused_and_not_kept(how: str):
    kind, text = LISTING[how]
    wait_s = patience_s(text)
    async with rogue(
        how, max_list_pages=20, cache_tools_list=True, client_session_timeout_seconds=wait_s
    ) as server:
        with pytest.raises(kind, match=text):
            await server.list_tools()
        assert server.cached_tools is None


@pytest.mark.slow
@pytest.mark.parametrize("how", CALLING)
async def test_a_call_that_goes_wrong_says_how(how: str):
    kind, text = CALLING[how]
    async with rogue(how, client_session_timeout_seconds=patience_s(text)) as server:
        with pytest.raises(kind, match=text) as caught:
            await asyncio.wait_for(called(server), 40)
    assert isinstance(caught.value, AgentsException)
    assert str(caught.value).isprintable()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("call hangs", "did not answer in time"),
        ("call dies", "server of the tool is not there"),
        ("call is refused", "server says 'not now"),
        ("call is answered with 2,000 blocks", "too large"),
    ],
)
async def test_a_model_is_told_why_a_call_failed(how: str, why: str):
    model = ScriptedModel([[function_call("act", {}, call_id="c")], [assistant_message("ok")]])
    async with rogue(how, client_session_timeout_seconds=patience_s(why)) as server:
        result = await Runner.run(Agent(name="a", model=model, mcp_servers=[server]), "go")
    (output,) = [item for item in result.new_items if item.type == "tool_call_output_item"]
    assert output.output.startswith(DEFAULT_TOOL_ERROR_MESSAGE)
    assert why in output.output


@pytest.mark.slow
@pytest.mark.parametrize("how", BORNE)
async def test_what_does_no_harm_is_borne(how: str):
    async with rogue(how, client_session_timeout_seconds=15) as server:
        assert await called(server) == {"type": "text", "text": "fine"}
        assert len(server.stderr_text) < 2_000


@pytest.mark.slow
async def test_a_long_answer_costs_no_more_than_its_length_where_it_is_allowed():
    how = "call is answered with 50 MB"
    server = rogue(how, max_result_bytes=None, client_session_timeout_seconds=90)
    async with server:
        began = time.process_time()
        result = await called(server)
        assert len(result["text"]) == 50_000_000
        assert time.process_time() - began < 5


@pytest.mark.slow
async def test_an_answer_that_comes_late_is_not_taken_for_the_next_one():
    async with rogue("call is late", client_session_timeout_seconds=3) as server:
        with pytest.raises(MCPTimeoutError):
            await called(server)
        assert await called(server) == {"type": "text", "text": "fine"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "argument", "kind"),
    [
        ("call dies, and a child of it holds its pipes", "", MCPConnectionError),
        ("nothing is read", "x" * 2_000_000, MCPTimeoutError),
    ],
)
async def test_a_server_that_is_not_there_any_more_is_connected_again(
    how: str, argument: str, kind: type[Exception]
):
    async with rogue(how, client_session_timeout_seconds=3) as server:
        await server.list_tools()
        with pytest.raises(kind):
            await server.call_tool("act", {"text": argument})
        assert await asyncio.wait_for(server.list_tools(), 60)


@pytest.mark.slow
async def test_a_list_that_changed_is_listed_anew():
    async with rogue("list changes", cache_tools_list=True) as server:
        assert [tool.name for tool in await server.list_tools()] == ["act"]
        await server.call_tool("act", {})
        async with asyncio.timeout(60):
            while len(await server.list_tools()) == 1:  # noqa: ASYNC110 (a notification is under way)
                await asyncio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("has_prefix", "name"), [(False, "act"), (True, "mcp_rogue__act")])
async def test_of_a_name_that_a_server_lists_twice_the_first_tool_counts(
    has_prefix: bool, name: str
):
    async with rogue("a name twice") as server:
        tools = await MCPUtil.get_all_function_tools(
            [server],
            False,
            RunContextWrapper(None),
            Agent(name="a"),
            include_server_in_tool_names=has_prefix,
        )
    assert [(tool.name, tool.description) for tool in tools] == [(name, "Act.")]


@pytest.mark.slow
async def test_a_server_that_ignores_its_end_is_gone_after_it():
    server, others = rogue("end is ignored"), below(os.getpid())
    await server.connect()
    pids = below(os.getpid()) - others
    await server.cleanup()
    assert not pids & below(os.getpid())


@pytest.mark.slow
async def test_what_a_server_has_started_ends_with_it():
    server = rogue("end leaves a child")
    await server.connect()
    async with asyncio.timeout(30):
        while not server.stderr_text:  # noqa: ASYNC110 (a process writes it)
            await asyncio.sleep(0.02)
    child = int(server.stderr_text)
    await server.cleanup()
    async with asyncio.timeout(30):
        while alive(child):  # noqa: ASYNC110 (it was sent a signal, and a busy machine takes its time)
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def below(pid: int) -> set[int]:
    """The living processes below one."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(folder.name)] = int(fields[1])
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found


# --- Over HTTP. ----------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """Answers as its server's `how` says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *about: Any) -> None: ...

    def do_GET(self) -> None:
        self.reply(405, b"")

    def do_DELETE(self) -> None:
        self.reply(405, b"")

    def do_POST(self) -> None:
        import json

        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        how, method = self.server.how, request.get("method")
        if method == "notifications/initialized":
            return self.reply(202, b"")
        if how in STATUSES and (method == "tools/call" or how.startswith("handshake")):
            return self.reply(STATUSES[how], b"secret-body")
        if how == "calls are refused" and method == "tools/call":
            return self.reply(request["params"]["arguments"]["status"], b"")
        results: dict[str, Any] = {
            "initialize": {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "t", "version": "1"},
            },
            "tools/list": {"tools": [{"name": "act", "inputSchema": {"type": "object"}}]},
            "tools/call": {"content": [{"type": "text", "text": "fine"}]},
        }
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id")}
        if method not in results:
            body["error"] = {"code": -32601, "message": "Method not found"}
        else:
            body["result"] = results[method]
        if method == "tools/call":
            return self.call(how, body)
        return self.reply(200, json.dumps(body).encode())

    def call(self, how: str, body: dict[str, Any]) -> None:
        import json

        if how == "call is answered with 50 MB":
            body["result"]["content"][0]["text"] = "x" * 50_000_000
        if how == "call is answered with an event of 2 MB":
            body["result"]["content"][0]["text"] = "x" * 2_000_000
            event = b"event: message\ndata: " + json.dumps(body).encode() + b"\n\n"
            return self.reply(200, event, "text/event-stream")
        data = json.dumps(body).encode()
        if how == "call is a page":
            return self.reply(200, b"<html>hello</html>", "text/html")
        if how == "call is no JSON":
            return self.reply(200, b"{nothing")
        if how == "call leads elsewhere":
            self.send_response(307)
            self.send_header("location", "http://localhost:1/mcp")
            self.send_header("content-length", "0")
            self.end_headers()
            return None
        if how == "call is cut off":
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data) * 2))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return None
        return self.reply(200, data)

    def reply(self, status: int, data: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


STATUSES = {
    "handshake is refused with 401": 401, "handshake is refused with 404": 404,
    "handshake fails with 500": 500, "call is refused with 403": 403, "call fails with 503": 503,
}  # fmt: skip
OVER_HTTP = {
    "handshake is refused with 401": (MCPConnectionError, r"HTTP error 401 \(Unauthorized\)"),
    "handshake is refused with 404": (MCPConnectionError, "HTTP error 404"),
    "handshake fails with 500": (MCPConnectionError, "HTTP error 500"),
    "call is refused with 403": (MCPRequestError, "HTTP error 403"),
    "call fails with 503": (MCPRequestError, "HTTP error 503"),
    "call is a page": (AgentsException, "content type|Failed to call"),
    "call is no JSON": (AgentsException, "Failed to call"),
    "call is cut off": (AgentsException, "Failed to call"),
    "call leads elsewhere": (AgentsException, "Failed to call"),
    "call is answered with 50 MB": (MCPTooLargeError, "bytes"),
}


@pytest.fixture
def rogue_url() -> Generator[Any]:
    servers: list[ThreadingHTTPServer] = []

    def start(how: str) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.how = how
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://user:hunter2@127.0.0.1:{server.server_port}/mcp?token=hunter2"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("how", OVER_HTTP)
async def test_a_remote_server_that_misbehaves_ends_in_an_error_without_secrets(
    how: str, rogue_url: Any, caplog: Any
):
    caplog.set_level("INFO")
    kind, text = OVER_HTTP[how]
    params: Any = {"url": rogue_url(how), "headers": {"authorization": "Bearer hunter2"}}
    server = MCPServerStreamableHttp(params, client_session_timeout_seconds=5)
    with pytest.raises(kind, match=text) as caught:
        async with server:
            await called(server)
    assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("openai")]
    assert "hunter2" not in "".join(ours)
    assert "secret-body" not in str(caught.value)


@pytest.mark.parametrize(("limit", "size"), [(8_000_000, 2_000_000), (1_500_000, None)])
async def test_an_event_may_be_as_large_as_an_answer(
    rogue_url: Any, opened: Any, limit: int, size: int | None
):
    options: Any = {"client_session_timeout_seconds": 60, "max_result_bytes": limit}
    params: Any = {"url": rogue_url("call is answered with an event of 2 MB")}
    sse = opened("sse").server(max_result_bytes=limit)
    for server, name, arguments in (
        (MCPServerStreamableHttp(params, **options), "act", "{}"),
        (sse, "sing", '{"letters": 2000000}'),
    ):
        async with server:
            tool = next(each for each in await server.list_tools() if each.name == name)
            call = MCPUtil.invoke_mcp_tool(server, tool, RunContextWrapper(None), arguments)
            if size is None:
                with pytest.raises(MCPTooLargeError):
                    await call
            else:
                output: Any = await call
                assert len(output["text"]) == size
            assert await server.list_tools()


async def test_each_of_the_calls_at_one_time_is_told_its_own_status(rogue_url: Any):
    params: Any = {"url": rogue_url("calls are refused")}
    async with MCPServerStreamableHttp(params, client_session_timeout_seconds=30) as server:
        statuses = [403, 500, 502, 409, 503, 418]
        found = await asyncio.gather(
            *(server.call_tool("act", {"status": each}) for each in statuses),
            return_exceptions=True,
        )
        assert await server.list_tools()
    told = [re.findall(r"HTTP error (\d+)", str(each)) for each in found]
    assert told == [[str(each)] for each in statuses]


async def test_a_refused_request_over_sse_is_told_its_status_at_once(opened: Any):
    shop = opened("sse")
    params: Any = {"url": f"http://127.0.0.1:{shop.port}/sse", "httpx_client_factory": refusing}
    async with MCPServerSse(params, client_session_timeout_seconds=60) as server:
        with pytest.raises(MCPRequestError, match="HTTP error 503"):
            await asyncio.wait_for(server.call_tool("price", {"item": "tea"}), 30)


def refusing(**options: Any) -> Any:
    """A client that has each call refused."""
    library = http_library()

    class Refusing(library.AsyncHTTPTransport):
        async def handle_async_request(self, request: Any) -> Any:
            if request.method == "POST" and b"tools/call" in await request.aread():
                return library.Response(503)
            return await super().handle_async_request(request)

    return library.AsyncClient(transport=Refusing(), **options)
