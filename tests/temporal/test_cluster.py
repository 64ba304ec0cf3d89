"""What one can do with a run on a cluster is what one can do with any run."""

import asyncio
import dataclasses
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from cluster_kit import Cluster, cluster
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.converter import DataConverter, PayloadCodec

from outlast import (
    Agent,
    ModelResponse,
    Price,
    PriceTable,
    RunConfig,
    Runner,
    SQLiteSession,
    Usage,
    UserError,
    function_tool,
)
from outlast.core.errors import (
    AlreadyDecided,
    JournalUnavailable,
    RunConflict,
    RunHasEnded,
    RunNotFound,
)
from outlast.definitions.model import Model
from outlast.models.streaming import reply_events
from outlast.temporal import DirectoryStore, TemporalSettings
from outlast.temporal.place import ClusterPlace
from outlast.testing import ScriptedModel, assistant_message, function_call

pytestmark = pytest.mark.services


@pytest.fixture
async def there(address: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path, address) as found:
        yield found


@function_tool(needs_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@function_tool
async def sleep(seconds: float) -> str:
    """Sleep."""
    await asyncio.sleep(seconds)
    return "slept"


def payer() -> Agent[Any]:
    call = function_call("pay", {"amount": 5}, call_id="p")
    return Agent(
        name="payer", model=ScriptedModel([[call], [assistant_message("done")]]), tools=[pay]
    )


def sleeper(seconds: float, turns: int = 2) -> Agent[Any]:
    calls = [[function_call("sleep", {"seconds": seconds}, call_id=f"s{n}")] for n in range(turns)]
    return Agent(
        name="sleeper", model=ScriptedModel([*calls, [assistant_message("done")]]), tools=[sleep]
    )


async def until(there: Cluster, run_id: str, words: str) -> None:
    """Wait until the run's log has an event of this kind."""
    async for stored in there.engine.journal.watch(run_id):
        if type(stored.event).__name__ in words.split():
            return


async def test_a_waiting_call_is_approved_by_the_same_path(there: Cluster):
    config = RunConfig(journal=there.engine.journal)
    result = await Runner.run(payer(), "pay", engine=there.engine, run_id="order")
    assert [item.call_id for item in result.interruptions] == ["p"]
    await Runner.approve("order", "p", by="ada", run_config=config)
    with pytest.raises(AlreadyDecided):
        await Runner.reject("order", "p", by="bob", run_config=config)
    result = await Runner.resume("order", payer(), engine=there.engine)
    assert result.final_output == "done"
    with pytest.raises(RunHasEnded):
        await Runner.cancel("order", run_config=config)


async def test_a_run_in_flight_is_cancelled(there: Cluster):
    running = asyncio.create_task(
        Runner.run(sleeper(30), "go", engine=there.engine, run_id="nap", max_turns=5)
    )
    await asyncio.sleep(0)
    while True:
        try:
            await until(there, "nap", "ModelReplied")
            break
        except RunNotFound:
            await asyncio.sleep(0.05)
    await Runner.cancel("nap", run_config=RunConfig(journal=there.engine.journal))
    result = await running
    assert result.final_output is None


async def test_a_run_hears_what_is_sent_to_it(there: Cluster):
    is_sent = asyncio.Event()

    @function_tool
    async def look() -> str:
        """Look until it is said."""
        await is_sent.wait()
        return "seen"

    turns = [[function_call("look", {}, call_id="l")], [assistant_message("done")]]
    agent = Agent[Any](name="looker", model=ScriptedModel(turns), tools=[look])
    running = asyncio.create_task(Runner.run(agent, "go", engine=there.engine, run_id="nap"))
    while True:
        try:
            await until(there, "nap", "ModelReplied")
            break
        except RunNotFound:
            await asyncio.sleep(0.05)
    await Runner.send("nap", "and wake up", run_config=RunConfig(journal=there.engine.journal))
    is_sent.set()
    result = await running
    texts = [item.get("content") for item in result.to_input_list()]
    assert "and wake up" in texts


class SlowToKeep(DirectoryStore):
    """Keeps no log before somebody has said something to the run, and was heard by the server."""

    said: Callable[[], Coroutine[Any, Any, None]]
    heard: Callable[[], Coroutine[Any, Any, bool]]
    saying: asyncio.Task[None] | None = None

    async def put(self, data: bytes, name: str | None = None) -> str:
        if activity.in_activity() and activity.info().activity_type == "outlast.keep":
            self.saying = self.saying or asyncio.create_task(self.said())
            while not await self.heard():  # noqa: ASYNC110  # the server is asked
                await asyncio.sleep(0.02)
        return await super().put(data, name)


async def test_a_run_hears_what_is_said_while_its_history_begins_anew(address: str, tmp_path: Path):
    store = SlowToKeep(tmp_path / "store")
    async with cluster(tmp_path, address, store, events_per_history=12) as there:
        config = RunConfig(journal=there.engine.journal)
        accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED

        async def heard() -> bool:
            handle = there.client.get_workflow_handle(there.workflow_id("nap"))
            return any(
                each.event_type == accepted for each in (await handle.fetch_history()).events
            )

        store.said = lambda: Runner.send("nap", "and wake up", run_config=config)
        store.heard = heard
        result = await Runner.run(
            sleeper(0, 4), "go", engine=there.engine, run_id="nap", max_turns=9
        )
        assert store.saying
        await store.saying
        texts = [item.get("content") for item in result.to_input_list()]
        assert texts.count("and wake up") == 1
        await there.replay()


async def test_the_same_id_is_the_same_run_and_another_input_is_refused(there: Cluster):
    first = await Runner.run(sleeper(0, 1), "go", engine=there.engine, run_id="same")
    again = await Runner.run(sleeper(0, 1), "go", engine=there.engine, run_id="same")
    assert first.final_output == again.final_output == "done"
    with pytest.raises(RunConflict):
        await Runner.run(sleeper(0, 1), "stop", engine=there.engine, run_id="same")


async def test_a_run_that_failed_of_its_limit_goes_on_with_a_higher_one(there: Cluster):
    agent = sleeper(0, 2)
    with pytest.raises(Exception, match="Max turns"):
        await Runner.run(agent, "go", engine=there.engine, run_id="short", max_turns=1)
    result = await Runner.run(agent, "go", engine=there.engine, run_id="short", max_turns=5)
    assert result.final_output == "done"


async def test_events_of_a_run_are_streamed_while_it_goes_on(there: Cluster):
    result = Runner.run_streamed(sleeper(0.2), "go", engine=there.engine)
    names = [event.name async for event in result.stream_events() if hasattr(event, "name")]
    assert names == ["tool_called", "tool_output"] * 2 + ["message_output_created"]
    assert result.final_output == "done"


async def test_what_cannot_travel_is_refused_before_anything_is_done(there: Cluster):
    with pytest.raises(UserError, match="context cannot travel"):
        await Runner.run(
            payer(),
            "pay",
            context=object(),
            run_config=RunConfig(journal=there.engine.journal),
        )
    assert await there.engine.journal.runs() == []


async def test_tools_and_agents_have_queues_of_their_own(address: str, tmp_path: Path):
    """The tool's queue has no worker: the run waits at it, and at nothing else."""
    async with cluster(tmp_path, address, queues={"sleep": "nobody"}) as there:
        running = asyncio.create_task(
            Runner.run(sleeper(0), "go", engine=there.engine, run_id="queued")
        )
        while True:
            try:
                await until(there, "queued", "ModelReplied")
                break
            except RunNotFound:
                await asyncio.sleep(0.05)
        client = await there.engine.journal.client()
        described = await client.get_workflow_handle(there.workflow_id("queued")).describe()
        kinds = [each.activity_type.name for each in described.raw_description.pending_activities]
        assert kinds == ["outlast.tool"]
        running.cancel()


async def test_the_command_line_works_for_a_cluster(there: Cluster, address: str, tmp_path: Path):
    await Runner.run(payer(), "pay", engine=there.engine, run_id="order")
    place = ClusterPlace(
        address, "default", str(tmp_path / "store"), there.queue, f"{there.queue}/"
    )
    env = {**os.environ, "OUTLAST_JOURNAL": str(place), "COLUMNS": "100"}

    async def outlast(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "outlast", *words, env=env, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        return out.decode()

    assert "waiting" in await outlast("runs")
    assert "pay" in await outlast("show", "order")
    assert "approved p" in await outlast("approve", "order", "p", "--by", "ada")
    result = await Runner.resume("order", payer(), engine=there.engine)
    assert result.final_output == "done"


@pytest.mark.parametrize(
    "url",
    [
        "temporal://",
        "temporal://a:1/b",
        "temporal://a:1/b?store=/s&colour=red",
        "redis://a?store=b",
    ],
)
def test_a_url_that_names_no_cluster_is_refused(url: str):
    with pytest.raises(UserError, match="temporal://HOST:PORT/NAMESPACE"):
        ClusterPlace.parse(url)


def test_a_place_says_itself_as_a_url():
    for place in (
        ClusterPlace("a:1", "ns", "/a b", "q", "p/", "/j b"),
        ClusterPlace("a:1", "ns", "/s"),
    ):
        assert ClusterPlace.parse(str(place)) == place


def test_the_first_name_that_is_known_says_the_queue():
    settings = TemporalSettings(queues={"tool": "t", "pay": "p"}, timeouts_s={"tool": 3})
    assert settings.queue(("pay", "desk", "tool")) == "p"
    assert settings.queue(("look", "desk", "tool")) == "t"
    assert settings.queue(("", "desk", "model")) is None
    assert settings.timeout(("look", "desk", "tool")) == 3
    assert settings.timeout(("", "desk", "model")) == 3600


class Reversed(PayloadCodec):
    """Stands for a codec that encrypts."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(metadata={"encoding": b"sealed"}, data=each.SerializeToString()[::-1])
            for each in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(each.data[::-1]) for each in payloads]


async def test_a_codec_of_the_client_seals_histories_and_the_store(address: str, tmp_path: Path):
    said = "the customer's secret " * 30
    codec = dataclasses.replace(DataConverter.default, payload_codec=Reversed())
    async with cluster(tmp_path, address, data_converter=codec) as there:
        result = await Runner.run(sleeper(0, 1), said, engine=there.engine, run_id="sealed")
        assert result.final_output == "done"
        client = await there.engine.journal.client()
        history = await client.get_workflow_handle(there.workflow_id("sealed")).fetch_history()
    kept = [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()]
    events = [event.SerializeToString() for event in history.events]
    assert kept
    assert not any(b"secret" in each for each in (*kept, *events))
    assert any(b"secret"[::-1] in each for each in kept)


async def test_a_worker_without_the_agent_fails_the_run_and_says_what_is_missing(there: Cluster):
    await Runner.run(
        payer(), "pay", engine=there.engine, run_id="known"
    )  # The worker has the payer.
    stranger = Agent(name="stranger", model=ScriptedModel([[assistant_message("hi")]]))
    with pytest.raises(UserError, match="no agent 'stranger'; it has \\['payer'\\]"):
        await Runner.run(stranger, "hello", engine=there.engine, run_id="lost")


async def test_a_worker_without_the_session_says_so(there: Cluster):
    await Runner.run(sleeper(0, 1), "go", engine=there.engine)
    session = SQLiteSession("chat", ":memory:")
    with pytest.raises(UserError, match="has session 'chat', and the worker's program makes none"):
        await Runner.run(sleeper(0, 1), "go", engine=there.engine, session=session)


class Talker(Model):
    """Says a text word by word."""

    def __init__(self, words: int) -> None:
        self._text = " ".join(str(n) for n in range(words))

    async def get_response(self, *args: Any, **more: Any) -> ModelResponse:
        return ModelResponse([assistant_message(self._text)], Usage(requests=1), None)

    async def stream_response(self, *args: Any, **more: Any) -> AsyncIterator[Any]:
        for event in reply_events(await self.get_response(*args, **more), model="talker"):
            if event.type == "response.output_text.delta":
                for word in self._text.split():
                    yield event.model_copy(update={"delta": f"{word} "})
            else:
                yield event


async def test_tokens_reach_the_caller_while_the_run_goes_on_and_no_history(there: Cluster):
    lengths: list[int] = []
    talkers = {n: Agent(name=f"talker {n}", model=Talker(n)) for n in (5, 500)}
    for words, agent in talkers.items():
        agent.handoffs = [each for each in talkers.values() if each is not agent]
        run_id = f"talk-{words}"
        result = Runner.run_streamed(agent, "talk", engine=there.engine, run_id=run_id)
        deltas = [
            event.data.delta
            async for event in result.stream_events()
            if event.type == "raw_response_event"
            and event.data.type == "response.output_text.delta"
        ]
        assert deltas == [f"{n} " for n in range(words)]
        client = await there.engine.journal.client()
        history = await client.get_workflow_handle(there.workflow_id(run_id)).fetch_history()
        lengths.append(len(history.events))
    assert lengths[0] == lengths[1]


# --- What Temporal is told, and what it tells. ----------------------------------------------


async def found_by(there: Cluster, words: str, count: int = 1) -> list[str]:
    """The runs of this cluster that Temporal finds, once it finds so many: it sees them a little later."""
    query = f"TaskQueue = '{there.queue}' AND {words}"
    while True:
        found = [each.id async for each in there.client.list_workflows(query)]
        if len(found) == count:
            return [each.removeprefix(f"{there.queue}/") for each in found]
        await asyncio.sleep(0.1)


async def test_runs_are_found_by_what_they_have_come_to(there: Cluster):
    prices = PriceTable([Price(model="ScriptedModel", input=1.0, output=1.0)])
    usage = Usage(requests=1, input_tokens=1000, output_tokens=500, total_tokens=1500)
    call = function_call("pay", {"amount": 5}, call_id="p")
    model = ScriptedModel(
        [ModelResponse([each], usage, None) for each in (call, assistant_message("done"))]
    )
    agent = Agent(name="payer", model=model, tools=[pay])
    config = RunConfig(journal=there.engine.journal, prices=prices)
    await Runner.run(agent, "pay", run_config=config, run_id="order")
    assert await found_by(there, "OutlastStatus = 'waiting' AND OutlastWaiting = true") == ["order"]
    await Runner.approve("order", "p", run_config=config)
    await Runner.resume("order", agent, run_config=config)
    done = "OutlastAgent = 'payer' AND OutlastStatus = 'completed' AND OutlastWaiting = false"
    assert await found_by(there, f"{done} AND OutlastTokens = 3000") == ["order"]
    assert await found_by(there, "OutlastCost > 0.0029 AND OutlastCost < 0.0031") == ["order"]
    await there.replay()


async def test_a_run_is_found_by_its_conversation(address: str, tmp_path: Path):
    session = SQLiteSession("chat 7", tmp_path / "chats.db")
    async with cluster(tmp_path, address) as there:
        await Runner.run(sleeper(0, 1), "go", engine=there.engine, session=session, run_id="a")
        assert await found_by(there, "OutlastSession = 'chat 7'") == ["a"]


class FailingStore(DirectoryStore):
    """Cannot be written to by workers for a while."""

    fails = 4

    async def put(self, data: bytes, name: str | None = None) -> str:
        if activity.in_activity() and self.fails:
            self.fails -= 1
            raise JournalUnavailable("The store cannot be used: no space left on device.")
        return await super().put(data, name)


async def test_who_waits_hears_that_an_activity_keeps_failing(
    address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    store = FailingStore(tmp_path / "store")
    async with cluster(tmp_path, address, store, retry_first_s=2.0) as there:
        result = await Runner.run(sleeper(0, 1), "go", engine=there.engine, run_id="slow")
        assert result.final_output == "done"
    said = [each.getMessage() for each in caplog.records if "waits for" in each.getMessage()]
    assert len(said) == 1
    assert "Run slow waits for outlast.prepare, which has failed" in said[0]
    assert "JournalUnavailable: The store cannot be used: no space left" in said[0]
