"""A client of a server: what it does when connections break, and the command line over it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from tests.server.conftest import PATIENCE_S, desk_of, server_of

import outlast
from outlast import Agent, RunHasEnded, Runner, function_tool
from outlast.client import Client, ServerJournal, ServerProblem
from outlast.journal import open_journal
from outlast.server import App
from outlast.testing import ScriptedModel, assistant_message, function_call

REFUND = function_call("refund", {"order": "A-1007"}, call_id="call_9")


class Cutting(httpx2.AsyncHTTPTransport):
    """Lets every second request reach the server and loses its answer; cuts streams after some lines."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    async def handle_async_request(self, request):
        self.sent += 1
        answer = await super().handle_async_request(request)
        if "stream" in answer.headers["content-type"]:
            return httpx2.Response(
                answer.status_code, headers=answer.headers, stream=_Cut(answer.stream)
            )
        if self.sent % 2:
            await answer.aread()
            raise httpx2.ReadError("cut")
        return answer


class _Cut(httpx2.AsyncByteStream):
    def __init__(self, stream) -> None:
        self._stream = stream

    async def __aiter__(self):
        read = 0
        async for part in self._stream:
            yield part
            read += len(part)
            if read > 600:
                raise httpx2.ReadError("cut")

    async def aclose(self) -> None:
        await self._stream.aclose()


async def test_what_breaks_on_the_way_is_sent_again_and_done_once():
    script = [[function_call("look", {}, call_id=f"c{n}")] for n in range(5)]

    @function_tool
    def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel([*script, [assistant_message("Done.")]])
    app = App(agents=[Agent(name="Desk", tools=[look], model=model)])
    async with server_of(app) as url, Client(url, app.token, transport=Cutting()) as client:
        run = await client.start("Hello")
        events = [event async for event in client.events(run["run_id"])]
        done = await client.get(run["run_id"], wait_s=PATIENCE_S)
    assert [event["seq"] for event in events] == [*range(done["events"])]
    assert (done["output"], len(await open_journal().runs())) == ("Done.", 1)


async def test_the_runs_of_a_server_are_read_and_told_as_those_of_a_journal():
    model = ScriptedModel([[REFUND], [assistant_message("Refunded.")]])
    app = App(agents=[desk_of(model)])
    async with server_of(app) as url, Client(url, app.token) as client:
        run = await client.start("Refund\u2028it", wait_s=PATIENCE_S, metadata={"ticket": "T-1"})
        journal = ServerJournal(url, app.token)
        own = open_journal()
        assert [row[:4] for row in await journal.runs()] == [row[:4] for row in await own.runs()]
        there, here = await journal.read(run["run_id"]), await own.read(run["run_id"])
        assert [stored.event for stored in there] == [stored.event for stored in here]
        (call,) = await client.approvals()
        await Runner.approve(run["run_id"], call["key"], run_config={"journal": journal})
        done = await client.get(run["run_id"], wait_s=PATIENCE_S)
        assert done["output"] == "Refunded."
        heard = [repr(each) async for each in client.events(run["run_id"])]
        assert any("Refund\\u2028it" in each for each in heard)
        with pytest.raises(RunHasEnded):
            await Runner.cancel(run["run_id"], run_config={"journal": journal})
        with pytest.raises(ServerProblem) as refused:
            await client.approve(run["run_id"], "none")
    assert (refused.value.status, refused.value.kind) == (404, "call-not-found")


@pytest.mark.slow
async def test_the_command_line_looks_at_a_server(tmp_path: Path):
    app = App(agents=[desk_of(ScriptedModel([[REFUND], [assistant_message("Refunded.")]]))])
    async with server_of(app) as url, Client(url, app.token) as client:
        run = await client.start("Refund it", wait_s=PATIENCE_S, run_id="ticket-12")

        async def cli(*words: str) -> str:
            environment = {
                **os.environ,
                "PYTHONPATH": str(Path(outlast.__file__).parents[1]),
                "OUTLAST_HOME": str(tmp_path / "elsewhere"),
                "OUTLAST_SERVER_KEY": app.token,
            }
            command = [sys.executable, "-m", "outlast", "--server", url, *words]
            process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            shown, _ = await asyncio.wait_for(process.communicate(), 2 * PATIENCE_S)
            assert process.returncode == 0, shown.decode()
            return shown.decode()

        assert "ticket-12" in await cli("runs")
        assert "refund" in await cli("show", "ticket-12")
        await cli("approve", "ticket-12", run["approvals"][0]["key"], "--by", "ana")
        assert (await client.get("ticket-12", wait_s=PATIENCE_S))["status"] == "completed"
        assert not (tmp_path / "elsewhere").exists()
