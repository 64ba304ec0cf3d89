"""Streams of runs: whole whatever is cut, and no burden to the run."""

import asyncio
import json
from pathlib import Path

from tests.server.conftest import desk_of, events_of, served

from outlast import Agent, function_tool
from outlast.journal import open_journal
from outlast.server import App
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call

TEXT = "The refund of order A-1007 is on its way to you."


async def test_a_stream_that_is_cut_at_every_event_is_the_log_without_gap_or_repeat():
    script = [[function_call("look", {}, call_id=f"c{n}")] for n in range(8)]

    @function_tool
    def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel([*script, [assistant_message(TEXT)]])
    agent = Agent(name="Desk", tools=[look], model=model)
    async with served(App(agents=[agent])) as client:
        body = {"input": "Hello", "max_turns": 20}
        run_id = (await client.post("/api/v1/runs", json=body)).json()["run_id"]
        found: list[tuple[str, str, str]] = []
        while not found or found[-1][1] != "end":
            last = found[-1][0] if found else ""
            found += await events_of(client, run_id, last=last, cut=1)
        pages: list[object] = []
        cursor = "-1"
        while cursor is not None:
            place = f"/api/v1/runs/{run_id}/events"
            page = (await client.get(place, params={"after": cursor, "limit": 7})).json()
            pages += page["data"]
            cursor = page["next_cursor"]
    log = await open_journal().read(run_id)
    assert [int(place) for place, *_ in found[:-1]] == [stored.seq for stored in log]
    assert [json.loads(data) for *_, data in found[:-1]] == pages


async def test_text_in_flight_comes_as_deltas_that_go_on_where_a_reader_was():
    gate = asyncio.Event()
    model = _Slow(TEXT, gate)
    async with served(App(agents=[desk_of(model)])) as client:
        run_id = (await client.post("/api/v1/runs", json={"input": "Hello"})).json()["run_id"]
        await asyncio.wait_for(model.is_half.wait(), 30)
        half = await _until_delta(client, run_id)
        gate.set()
        rest = await events_of(client, run_id, last=half[-1][0], deltas="true")
    texts = [json.loads(data)["text"] for _, kind, data in [half[-1], *rest] if kind == "delta"]
    whole = [json.loads(data) for _, kind, data in rest if kind == "model.replied"]
    assert whole[0]["output"][0]["content"][0]["text"] == TEXT
    assert TEXT.startswith("".join(texts))
    facts = [int(place) for place, kind, _ in [*half, *rest] if place and kind != "delta"]
    assert facts == [stored.seq for stored in await open_journal().read(run_id)]


async def test_text_that_another_process_writes_comes_as_deltas_too(tmp_path: Path):
    gate, file = asyncio.Event(), str(tmp_path / "journal.db")
    model = _Slow(TEXT, gate)
    worker = App(agents=[desk_of(model)], journal=file)
    front = App(agents=[desk_of(model)], journal=file, performs=False)
    async with worker.lifespan(), served(front) as client:
        run_id = (await client.post("/api/v1/runs", json={"input": "Hello"})).json()["run_id"]
        await asyncio.wait_for(model.is_half.wait(), 30)
        half = await asyncio.wait_for(_until_delta(client, run_id), 30)
        gate.set()
        rest = await events_of(client, run_id, last=half[-1][0], deltas="true")
    texts = [json.loads(data)["text"] for _, kind, data in [half[-1], *rest] if kind == "delta"]
    assert texts[0]
    assert TEXT.startswith("".join(texts))
    facts = [int(place) for place, kind, _ in [*half, *rest] if place and kind != "delta"]
    assert facts == [stored.seq for stored in await open_journal(file).read(run_id)]


async def _until_delta(client, run_id):
    count = 1
    while True:
        found = await events_of(client, run_id, deltas="true", cut=count)
        if found[-1][1] == "delta":
            return found
        count += 1


class _Slow(ScriptedModel):
    """Writes half of a text, and the rest once it may."""

    def __init__(self, text: str, gate: asyncio.Event) -> None:
        super().__init__([ModelStep(output=[assistant_message(text)])])
        self.is_half = asyncio.Event()
        self._gate = gate

    async def stream_response(self, *args, **options):
        written = 0
        async for event in super().stream_response(*args, **options):
            yield event
            if event.type == "response.output_text.delta" and not written:
                written += len(event.delta)
                self.is_half.set()
                await self._gate.wait()


async def test_a_stream_ends_at_a_pause_if_it_is_asked_to():
    async with served(App(agents=[desk_of()])) as client:
        run = (await client.post("/api/v1/runs", json={"input": "Refund A-1007"})).json()
        found = await events_of(client, run["run_id"], until="pause")
    assert found[-1][1:] == ("end", '{"status":"waiting"}')


async def test_readers_who_never_read_hold_nothing_up():
    model = ScriptedModel([[function_call("refund", {"order": "A" * 200_000}, call_id="c1")]])
    async with served(App(agents=[desk_of(model)])) as client:
        body = {"input": "Hello"}
        run_id = (await client.post("/api/v1/runs", json=body)).json()["run_id"]
        place, headers = f"/api/v1/runs/{run_id}/events", {"Accept": "text/event-stream"}
        async with (
            client.stream("GET", place, headers=headers),
            client.stream("GET", place, headers=headers),
        ):
            assert (await client.get(f"/api/v1/runs/{run_id}?wait=30")).json()[
                "status"
            ] == "waiting"
