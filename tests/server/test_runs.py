"""Runs over HTTP: begun once, read, waited for, told something."""

import asyncio
import json

import httpx2
import pytest
from tests.server.conftest import desk_of, events_of, served

from outlast import Agent, RunConfig, Runner, function_tool
from outlast.server import App, Caller
from outlast.testing import ScriptedModel, assistant_message, function_call

WAIT = {"Prefer": "wait=30"}


async def test_a_run_is_begun_waits_for_a_person_and_goes_on():
    async with served(App(agents=[desk_of()])) as client:
        asked = await client.post("/api/v1/runs", json={"input": "Refund A-1007"}, headers=WAIT)
        run = asked.json()
        assert (asked.status_code, run["status"], run["waits_for"]) == (
            202,
            "waiting",
            ["approval"],
        )
        (call,) = (await client.get("/api/v1/approvals")).json()["data"]
        assert (call["run_id"], call["arguments"]) == (run["run_id"], {"order": "A-1007"})
        place = f"{asked.headers['location']}/approvals/{call['key']}"
        seen = {"decision": "approve", "fingerprint": "another", "why": "photo"}
        changed = await client.post(place, json=seen)
        assert (changed.status_code, changed.json()["type"]) == (409, "/problems/approval-changed")
        decided = await client.post(place, json={**seen, "fingerprint": call["fingerprint"]})
        assert decided.status_code == 200, decided.text
        done = (await client.get(f"{asked.headers['location']}?wait=30")).json()
        assert done["status"] == "completed"
        assert "A-1007 is refunded" in done["output"]
        late = await client.post(place, json={"decision": "reject"})
        assert (late.status_code, late.json()["type"]) == (409, "/problems/already-decided")
        log = (await client.get(f"{asked.headers['location']}/approvals")).json()["decided"]
        assert [(each["by"], each["why"]) for each in log] == [("local", "photo")]


@pytest.mark.parametrize("names", [{"run_id": "r-1"}, {}])
async def test_a_request_that_is_sent_many_times_at_once_begins_one_run(names: dict[str, str]):
    model = ScriptedModel([[assistant_message("Done.")]])
    async with served(App(agents=[desk_of(model)])) as client:
        headers = {"Idempotency-Key": "k-1", **WAIT}
        body = {"input": "Hello", **names}
        answers = await asyncio.gather(
            *(client.post("/api/v1/runs", json=body, headers=headers) for _ in range(20))
        )
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["run_id"] for answer in answers}) == 1
        assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
        other = await client.post("/api/v1/runs", json={**body, "input": "Bye"}, headers=headers)
        assert (other.status_code, other.json()["type"]) == (409, "/problems/run-exists")
        assert len((await client.get("/api/v1/runs")).json()["data"]) == 1


async def test_lists_come_in_pages_without_gap_or_repeat():
    async with served(App(agents=[desk_of(ScriptedModel())], performs=False)) as client:
        for number in range(7):
            body = {
                "input": "Hello",
                "run_id": f"r{number}",
                "metadata": {"ticket": f"T-{number % 2}"},
            }
            assert (await client.post("/api/v1/runs", json=body)).json()["status"] == "queued"
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await client.get("/api/v1/runs", params={"limit": 3, **cursor})).json()
            found += [row["run_id"] for row in page["data"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert found == [f"r{number}" for number in reversed(range(7))]
        tagged = (await client.get("/api/v1/runs", params={"tag": "ticket=T-1"})).json()["data"]
        assert [row["metadata"] for row in tagged] == [{"ticket": "T-1"}] * 3


async def test_what_one_process_enqueues_another_one_performs():
    model = ScriptedModel([[assistant_message("Done.")]])
    async with served(App(agents=[desk_of(model)], performs=False)) as front:
        run = (await front.post("/api/v1/runs", json={"input": "Hello"})).json()
        assert run["status"] == "queued"
        async with served(App(agents=[desk_of(model)])):
            done = (await front.get(f"/api/v1/runs/{run['run_id']}?wait=30")).json()
    assert (done["status"], done["output"]) == ("completed", "Done.")


async def test_a_run_hears_what_it_is_sent_and_is_paused_resumed_and_cancelled():
    begun, gate = asyncio.Event(), asyncio.Event()

    @function_tool
    async def look() -> str:
        """Look."""
        begun.set()
        await gate.wait()
        return "seen"

    model = ScriptedModel([[function_call("look", {}, call_id="c1")], [assistant_message("Done.")]])
    async with served(App(agents=[Agent(name="Desk", tools=[look], model=model)])) as client:
        run_id = (await client.post("/api/v1/runs", json={"input": "Hello"})).json()["run_id"]
        place = f"/api/v1/runs/{run_id}"
        await asyncio.wait_for(begun.wait(), 30)
        assert (
            await client.post(f"{place}/input", json={"text": "And quickly."})
        ).status_code == 200
        assert (await client.post(f"{place}/pause")).json()["status"] == "paused"
        gate.set()
        assert (await client.get(f"{place}?wait=30")).json()["status"] == "paused"
        await client.post(f"{place}/resume")
        done = (await client.get(f"{place}?wait=30")).json()
        assert (done["status"], done["output"]) == ("completed", "Done.")
        items = (await client.get(f"{place}/items")).json()["data"]
        assert "And quickly." in [item.get("content") for item in items]
        ended = await client.post(f"{place}/cancel")
        assert (ended.status_code, ended.json()["type"]) == (409, "/problems/run-ended")


async def test_a_conversation_has_one_run_at_a_time_in_order():
    model = ScriptedModel([[assistant_message(text)] for text in ("One.", "Two.", "Three.")])
    async with served(App(agents=[desk_of(model)])) as client:
        bodies = [{"input": text} for text in ("first", "second", "third")]
        runs = [
            (await client.post("/api/v1/sessions/s-1/runs", json=body)).json() for body in bodies
        ]
        for run in runs:
            assert (await client.get(f"/api/v1/runs/{run['run_id']}?wait=30")).json()[
                "status"
            ] == "completed"
        items = (await client.get("/api/v1/sessions/s-1/items")).json()["data"]
        said = [
            item["content"] if item["role"] == "user" else item["content"][0]["text"]
            for item in items
        ]
        assert said == ["first", "One.", "second", "Two.", "third", "Three."]
        (session,) = (await client.get("/api/v1/sessions")).json()["data"]
        assert session["id"] == "s-1"
        assert (await client.delete("/api/v1/sessions/s-1")).status_code == 204
        assert (await client.get("/api/v1/sessions/s-1/items")).json()["data"] == []


async def test_a_run_gets_the_context_of_who_asks_also_after_a_crash():
    contexts: list[object] = []

    def context(caller: Caller, sent: object) -> object:
        contexts.append((caller.id, sent))
        return sent

    body = {"input": "Hello", "context": {"user_id": "u-4"}, "user": "ada"}
    async with served(
        App(agents=[desk_of(ScriptedModel())], performs=False, context=context)
    ) as client:
        run_id = (await client.post("/api/v1/runs", json=body)).json()["run_id"]
    model = ScriptedModel([[assistant_message("Done.")]])
    async with served(App(agents=[desk_of(model)], context=context)) as client:
        assert (await client.get(f"/api/v1/runs/{run_id}?wait=30")).json()["status"] == "completed"
    assert contexts == [("ada", {"user_id": "u-4"})]


async def test_leaving_puts_runs_down_and_the_next_server_repeats_nothing():
    calls: list[str] = []
    begun, gate = asyncio.Event(), asyncio.Event()

    @function_tool
    async def look() -> str:
        """Look."""
        calls.append("look")
        begun.set()
        await gate.wait()
        return "seen"

    script = [[function_call("look", {}, call_id="c1")], [assistant_message("Done.")]]
    model = ScriptedModel(script)
    app = App(agents=[Agent(name="Desk", tools=[look], model=model)])
    async with served(app) as client:
        run_id = (await client.post("/api/v1/runs", json={"input": "Hello"})).json()["run_id"]
        await asyncio.wait_for(begun.wait(), 30)
        reading = asyncio.create_task(events_of(client, run_id))
        app.leave()
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.post("/api/v1/runs", json={"input": "More"})).status_code == 503
        assert (await reading)[-1][1] == "shutdown"
        gate.set()
    log = [stored.event for stored in await app_journal().read(run_id)]
    assert type(log[-1]).__name__ == "ToolReturned"
    async with served(App(agents=[Agent(name="Desk", tools=[look], model=model)])) as client:
        done = (await client.get(f"/api/v1/runs/{run_id}?wait=30")).json()
    assert (done["output"], calls) == ("Done.", ["look"])


def app_journal():
    from outlast.journal import open_journal

    return open_journal()


async def test_a_run_of_the_program_itself_is_seen_and_decided_about():
    agent = desk_of()
    await Runner.run(agent, "Refund A-1007", run_id="own", run_config=RunConfig())
    async with served(App(agents=[agent])) as client:
        (call,) = (await client.get("/api/v1/approvals")).json()["data"]
        body = {"decision": "reject", "message": "No photo."}
        await client.post(f"/api/v1/runs/own/approvals/{call['key']}", json=body)
        assert (await client.get("/api/v1/runs/own?wait=30")).json()["status"] == "completed"


async def test_a_run_that_fails_is_an_answer_with_its_error():
    async with served(App(agents=[desk_of(ScriptedModel([ValueError("secret words")]))])) as client:
        run = (await client.post("/api/v1/runs", json={"input": "Hello"}, headers=WAIT)).json()
    assert (run["status"], run["error"]["kind"]) == ("failed", "ValueError")


async def test_an_app_that_is_mounted_begins_at_its_first_request():
    from fastapi import FastAPI
    from tests.server.conftest import server_of

    app = App(agents=[desk_of(ScriptedModel([[assistant_message("Done.")]]))])
    outer = FastAPI()
    outer.mount("/agents", app)
    headers = {"Authorization": f"Bearer {app.token}", **WAIT}
    async with server_of(outer) as url, httpx2.AsyncClient(base_url=url, headers=headers) as client:
        answer = await client.post("/agents/api/v1/runs", json={"input": "Hello"}, timeout=30)
        await app.stop()
    assert json.loads(answer.text)["output"] == "Done."


async def test_the_smallest_api_takes_a_message_and_answers():
    model = ScriptedModel([[assistant_message(text)] for text in ("One.", "Two.", "Three.")])
    async with served(App(agents=[desk_of(model)])) as client:
        one = (await client.post("/chat", json={"message": "first"})).json()
        more = {"message": "second", "session_id": one["session_id"]}
        two = (await client.post("/chat/desk", json=more)).json()
        async with client.stream("POST", "/chat/stream", json={"message": "third"}) as stream:
            text = (await stream.aread()).decode()
    assert (one["response"], two["response"], two["session_id"]) == (
        "One.",
        "Two.",
        one["session_id"],
    )
    assert len(model.calls[1].input) == 3
    assert "Three." in text
    assert "event: end" in text


async def test_a_run_says_what_it_did_and_used_and_is_deleted_once_it_has_ended():
    async with served(App(agents=[desk_of()])) as client:
        run = (
            await client.post("/api/v1/runs", json={"input": "Refund A-1007"}, headers=WAIT)
        ).json()
        place = f"/api/v1/runs/{run['run_id']}"
        kinds = [row["kind"] for row in (await client.get(f"{place}/steps")).json()["data"]]
        assert kinds == ["model", "approval"]
        assert (await client.get(f"{place}/usage")).json()["total"]["requests"] == 1
        assert (await client.delete(place)).status_code == 409
        await client.post(f"{place}/cancel")
        assert (await client.delete(place)).status_code == 204
        assert (await client.get(place)).status_code == 404
