"""Programs of the guides to agents on Temporal run as they are written, in cold and in warm workers."""

import asyncio
import importlib
import json
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterable
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import Replayer, Worker

import outlast.compat
from outlast import ModelResponse, Usage
from outlast.definitions.model import Model, ModelProvider
from outlast.testing import ScriptedModel, assistant_message, function_call

pytestmark = [pytest.mark.services, pytest.mark.slow]


class Actor(Model):
    """Does what the instructions say: echo, call tools, hand off, answer with JSON, fail."""

    async def get_response(self, *args: Any, **more: Any) -> ModelResponse:
        instructions, items, settings, tools, _, handoffs, _ = args
        items = [{"content": items}] if isinstance(items, str) else items
        item = answer(instructions or "", items, tools, handoffs, settings, more)
        return ModelResponse([item], Usage(requests=1), f"resp_{len(items)}")

    async def stream_response(self, *args: Any, **more: Any) -> AsyncIterator[Any]:
        reply = await self.get_response(*args, **more)
        async for event in ScriptedModel([reply.output]).stream_response(*args, **more):
            yield event


def answer(
    said: str, items: list[Any], tools: list[Any], handoffs: list[Any], settings: Any, more: Any
) -> Any:
    """An item for an agent with these instructions."""
    if said.startswith("json "):
        return assistant_message(said[5:])
    text = str(next((each["content"] for each in reversed(items) if "content" in each), ""))
    outputs = [
        str(each["output"])
        for each in items
        if "output" in each and "assistant" not in str(each["output"])
    ]
    calls = re.findall(r"(?:call|then) (\w+)", said)
    wanted = [name for name in calls if name != "hand"]
    done = {each["name"] for each in items if each.get("type") == "function_call"}
    for name in wanted:
        if name not in done:
            tool = next(each for each in tools if each.name == name)
            return function_call(name, arguments(tool, text), call_id=f"{name}-{len(items)}")
    if "hand off" in said and not any(name.startswith("transfer") for name in done):
        return function_call(handoffs[0].tool_name, {}, call_id=f"h{len(items)}")
    if said == "judge":
        score = "pass" if "Feedback" in text + str(items) else "fail"
        return assistant_message(json.dumps({"response": {"feedback": "more", "score": score}}))
    if said == "fail":
        raise ConnectionError("the model is away")
    kinds = " ".join(type(each).__name__ for each in tools)
    special = {
        "tools": f"{kinds} {settings.temperature}",
        "previous": str(more["previous_response_id"]),
    }
    if "number" in said or "multiply" in said:
        return assistant_message(json.dumps({"number": int(outputs[-1])}))
    if said.startswith("say "):
        return assistant_message(said)
    return assistant_message(special.get(said) or (outputs[-1] if outputs else text))


def arguments(tool: Any, text: str) -> dict[str, Any]:
    """Arguments that a tool takes."""
    values = {"city": "Tokyo", "max": 21, "x": 21, "url": text, "input": text}
    values |= {"confirmation_number": "C1", "new_seat": "12A"}
    return {name: values[name] for name in tool.params_json_schema["properties"]}


class Actors(ModelProvider):
    def get_model(self, model_name: str | None) -> Model:
        return Actor()


IMAGE = "data:image/jpeg;base64,base64 of bison.jpg"
EXPECTED: dict[str, tuple[list[Any], Any]] = {
    "HelloWorldAgent": (["hi"], "hi"),
    "ToolsWorkflow": (["Tokyo?"], "office of Tokyo"),
    "AgentLifecycleWorkflow": ([21], {"number": 42}),
    "UsageWorkflow": (
        ["hi"],
        ["1: Counted 0", "2: llm 1", "3: hi 1", "4: Counted 0", "5: llm 1", "6: hi 1"],
    ),
    "DynamicSystemPromptWorkflow": (["hi"], "Style: pirate\nResponse: say pirate"),
    "NonStrictOutputWorkflow": (["3"], {"strict": "UserError", "loose": {"jokes": {"1": "ha"}}}),
    "PreviousResponseIdWorkflow": (["a", "b"], ["None", "resp_1"]),
    "LocalImageWorkflow": (
        ["bison.jpg"],
        str([{"type": "input_image", "detail": "auto", "image_url": IMAGE}]),
    ),
    "DeterministicWorkflow": (["tale"], "Final story: tale"),
    "ParallelizationWorkflow": (["hola"], "hola 0\nhola 1\nhola 2"),
    "BatchWorkflow": ([["a", "b", "c", "d", "e"]], ["a", "b", "c", "d", "e"]),
    "LLMAsAJudgeWorkflow": (["tale"], 2),
    "AgentsAsToolsWorkflow": (["hello"], "hello"),
    "RoutingWorkflow": (["bonjour"], "french_agent: bonjour"),
    "InputGuardrailsWorkflow": (["2+2?"], "Sorry, I can't help you with your math homework."),
    "OutputGuardrailsWorkflow": (["call?"], "Info: {'phone': True}"),
    "ForcingToolUseWorkflow": (["custom"], "Tokyo is Sunny."),
    "ConfiguredWorkflow": (["q"], "WebSearchTool CodeInterpreterTool FileSearchTool 0.7"),
    "ObservableWorkflow": (["seen"], "seen"),
    "ResilientWorkflow": (["it"], "ActivityError of it"),
    "StreamedWorkflow": (
        ["go"],
        ["tool_called", "tool_output", "message_output_created", '{"number": 42}'],
    ),
    "BlockingWorkflow": (["URL"], ["True", ["pong"], 2]),
    "CustomerServiceWorkflow": (
        [],
        {"confirmation_number": "C1", "seat_number": "12A", "flight_number": "FLT-100"},
    ),
}
ONCE = {
    "activity Tokyo": 1, "instructions": 1, "guardrail True": 1, "seat 12A True": 1,
    "blocking True": 1, "threaded": 1, "hook blocking": 1, "hook threaded": 1, "clock guardrail": 1,
    "Start 1 started": 1, "Start 2 tool random_number_tool": 1, "Start 3 tool came to 21": 1,
    "Start 4 takes over": 1, "Multiply 1 started": 1, "Multiply 2 tool multiply_by_two_tool": 1,
    "Multiply 3 tool came to 42": 1, "Multiply 4 ended": 1,
}  # fmt: skip
"""What the programs do in the world, and how often."""


class Pong(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"pong")

    def log_message(self, *_: Any) -> None:
        pass


def pong_url() -> str:
    """The address of a server that lives as long as this process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pong)
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture(scope="module")
def url() -> str:
    return pong_url()


class Played:
    """What all programs came to in one worker."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}
        self.done: Counter[str] = Counter()
        self.histories: dict[str, Any] = {}
        self.activities: Counter[str] = Counter()


async def play(address: str, url: str, cached: int, names: Iterable[str]) -> Played:
    """Run programs of the guide, a few at the same time, then replay all histories."""
    programs = importlib.import_module("guide_workflows")
    from temporalio.contrib.openai_agents import ModelActivityParameters, OpenAIAgentsPlugin

    params = ModelActivityParameters(
        start_to_close_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(maximum_attempts=1),
    )
    plugin = OpenAIAgentsPlugin(model_params=params, model_provider=Actors())
    client = await Client.connect(address, plugins=[plugin])
    queue = f"guide-{cached}-{id(plugin)}"
    kinds = [getattr(programs, name) for name in names]
    played = Played()
    acts = [programs.get_weather, programs.Offices().get_office, programs.read_image_as_base64]
    worker = Worker(
        client, task_queue=queue, workflows=kinds, activities=acts, max_cached_workflows=cached
    )

    turn = asyncio.Semaphore(3)

    async def result(name: str) -> None:
        async with turn:
            await come_to(name)

    async def come_to(name: str) -> None:
        given = [url if each == "URL" else each for each in EXPECTED[name][0]]
        handle: Any = await client.start_workflow(
            name, args=given, id=f"{queue}-{name}", task_queue=queue,
            execution_timeout=timedelta(seconds=60),
        )  # fmt: skip
        if name == "CustomerServiceWorkflow":
            await handle.execute_update("process_user_message", "seat 12A please")
            await handle.signal("leave")
        try:
            played.results[name] = await handle.result()
        except Exception as error:  # noqa: BLE001  # what went wrong is compared
            played.results[name] = repr(error.__cause__ or error)

    async with worker:
        await asyncio.gather(*map(result, names))
    replayer = Replayer(workflows=kinds, plugins=[plugin])
    async for history in client.list_workflows(f"TaskQueue = '{queue}'").map_histories():
        await replayer.replay_workflow(history)
        played.histories[history.workflow_id.rpartition("-")[2]] = history
        for event in history.events:
            kind = event.activity_task_scheduled_event_attributes.activity_type.name
            played.activities[kind] += bool(kind)
    return played


@contextmanager
def guide(log: Path) -> Generator[None]:
    """A block in which `agents` and the plug-in under Temporal's name are ours."""
    patch = pytest.MonkeyPatch()
    patch.setenv("GUIDE_DID", str(log))
    outlast.compat.install()
    try:
        yield
    finally:
        sys.modules.pop("guide_workflows", None)
        outlast.compat.uninstall()
        patch.undo()


@pytest.fixture(scope="module")
def played(address: str, url: str, tmp_path_factory: pytest.TempPathFactory) -> Played:
    log: Path = tmp_path_factory.mktemp("guide") / "did.log"
    with guide(log):
        found = asyncio.run(play(address, url, 1000, EXPECTED))
    found.done = Counter(log.read_text().splitlines())
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_a_program_of_the_guide_runs_as_it_is_written(played: Played, name: str):
    assert played.results[name] == EXPECTED[name][1]


def test_what_programs_do_in_the_world_is_done_once(played: Played):
    assert played.done == ONCE


def test_every_history_is_accepted_by_a_replay(played: Played):
    assert sorted(played.histories) == sorted(EXPECTED)


def test_every_model_call_is_an_activity(played: Played):
    assert played.activities["invoke_model_activity_streaming"] == 2
    assert played.activities["invoke_model_activity"] > 30


def test_a_worker_that_forgets_workflows_repeats_nothing(address: str, url: str, tmp_path: Path):
    names = [
        "BlockingWorkflow",
        "CustomerServiceWorkflow",
        "AgentLifecycleWorkflow",
        "UsageWorkflow",
    ]
    with guide(tmp_path / "did.log"):
        found = asyncio.run(play(address, url, 1, names))
    assert found.results == {name: EXPECTED[name][1] for name in names}
    assert set(Counter((tmp_path / "did.log").read_text().splitlines()).values()) == {1}
