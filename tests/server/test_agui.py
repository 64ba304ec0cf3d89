"""Agents for pages: the events of a run, in the protocol's own types and with its own client."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest
from ag_ui.core import Event, RunAgentInput
from pydantic import TypeAdapter
from tests.server.conftest import desk_of, served, server_of

from outlast import Agent
from outlast.server import App, Caller
from outlast.testing import ScriptedModel, assistant_message

EVENT = TypeAdapter(Event)
NODE = os.environ.get("OUTLAST_TEST_AGUI", "")
ASKED = {
    "threadId": "t1",
    "runId": "r1",
    "messages": [{"id": "m1", "role": "user", "content": "Refund A-1007"}],
}


async def told(client, body, agent="desk"):
    """The events of an answer, each as the protocol's own type."""
    RunAgentInput.model_validate(body)
    answer = await client.post(f"/ag-ui/{agent}", json=body)
    assert answer.status_code == 200, answer.text
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return [EVENT.validate_json(line) for line in lines]


def kinds(events):
    return [event.type.value for event in events]


def answers(interrupts, **payload):
    return [
        {"interruptId": each.id, "status": "resolved", "payload": payload} for each in interrupts
    ]


async def test_a_run_is_interrupted_for_a_person_and_goes_on_with_the_answer():
    async with served(App(agents=[desk_of()], expose={"ag-ui"})) as client:
        first = await told(client, ASKED)
        again = await told(client, ASKED)
        interrupts = first[-1].outcome.interrupts
        resumed = {
            **ASKED,
            "runId": "r2",
            "messages": [],
            "resume": answers(interrupts, approved=True),
        }
        second = await told(client, resumed)
        replayed = await told(client, resumed)
    assert kinds(first) == [
        "RUN_STARTED", "STEP_STARTED", "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END",
        "STEP_FINISHED", "RUN_FINISHED",
    ]  # fmt: skip
    assert again == first
    assert [each.tool_call_id for each in interrupts] == [first[2].tool_call_id]
    assert kinds(second) == [
        "RUN_STARTED", "STEP_STARTED", "TOOL_CALL_RESULT", "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "STEP_FINISHED", "RUN_FINISHED",
    ]  # fmt: skip
    assert second[2].tool_call_id == first[2].tool_call_id
    assert "A-1007 is refunded" in second[-1].result
    assert (second[0].run_id, second[0].protocol_version) == ("r2", "1.0")
    assert (second[-1].outcome.type, second[-1].result) == ("success", replayed[-1].result)


async def test_answers_that_do_not_fit_what_was_asked_are_an_error_and_change_nothing():
    async with served(App(agents=[desk_of()], expose={"ag-ui"})) as client:
        first = await told(client, ASKED)
        other = [{"interruptId": "nobody", "status": "resolved", "payload": {"approved": True}}]
        events = await told(client, {**ASKED, "runId": "r2", "messages": [], "resume": other})
        assert kinds(events) == ["RUN_STARTED", "RUN_ERROR"]
        left = [
            {"interruptId": each.id, "status": "cancelled"} for each in first[-1].outcome.interrupts
        ]
        open_still = await told(client, {**ASKED, "runId": "r3", "messages": [], "resume": left})
        assert open_still[-1].outcome.interrupts == first[-1].outcome.interrupts
        no = answers(first[-1].outcome.interrupts, approved=False, message="not today")
        refused = await told(client, {**ASKED, "runId": "r4", "messages": [], "resume": no})
    assert "not today" in next(e.content for e in refused if e.type == "TOOL_CALL_RESULT")


async def test_only_what_the_session_lacks_is_added_to_a_conversation():
    model = ScriptedModel([[assistant_message("One.")], [assistant_message("Two.")]])
    agent = Agent(name="Desk", model=model)
    async with served(App(agents=[agent], expose={"ag-ui"})) as client:
        await told(client, ASKED)
        answer = {"id": "a1", "role": "assistant", "content": "One."}
        more = {"id": "m2", "role": "user", "content": "And B-2?"}
        messages = [*ASKED["messages"], answer, more]
        events = await told(client, {**ASKED, "runId": "r2", "messages": messages})
    texts = [event.delta for event in events if event.type == "TEXT_MESSAGE_CONTENT"]
    assert "".join(texts) == "Two."
    said = [item["content"] for item in model.calls[1].input if item.get("role") == "user"]
    assert said == ["Refund A-1007", "And B-2?"]


async def test_scopes_hold_and_what_has_failed_is_an_error():
    def auth(request):
        return Caller("u", scopes=frozenset(request.headers.get("x-scopes", "").split(",")))

    app = App(agents=[Agent(name="Desk", model=ScriptedModel([]))], auth=auth, expose={"ag-ui"})
    async with served(app) as client:
        assert (await client.post("/ag-ui/desk", json=ASKED)).status_code == 403
        assert (await client.get("/ag-ui/desk/capabilities")).status_code == 403
        client.headers["x-scopes"] = "runs:write,agents:read"
        can = (await client.get("/ag-ui/desk/capabilities")).json()
        assert can["humanInTheLoop"]["supported"]
        resume = [{"interruptId": "c", "status": "resolved", "payload": {"approved": True}}]
        assert (
            await client.post("/ag-ui/desk", json={**ASKED, "resume": resume})
        ).status_code == 403
        assert kinds(await told(client, ASKED))[-1] == "RUN_ERROR"
        assert (await client.post("/ag-ui/none", json=ASKED)).status_code == 404


@pytest.mark.slow
@pytest.mark.thirdparties
@pytest.mark.skipif(not NODE, reason="make thirdparties")
async def test_the_client_of_pages_drives_a_run_with_a_tool_and_an_interrupt():
    app = App(agents=[desk_of()], expose={"ag-ui"})
    script = Path(__file__).with_name("agui_client.mjs")
    async with server_of(app) as url:
        ran = await asyncio.to_thread(
            subprocess.run,
            ["node", str(script), f"{url}/ag-ui/desk", app.token],
            cwd=NODE, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    seen = json.loads(ran.stdout.splitlines()[-1])
    assert seen["open"] == 0
    assert [message["role"] for message in seen["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert seen["messages"][1]["calls"] == ["refund"]
    assert "A-1007 is refunded" in seen["messages"][-1]["content"]
    assert seen["kinds"].count("RUN_FINISHED") == 2
