"""Endpoints that others wrote, each started from an environment of its own (`make endpoints`)."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from openai import AsyncOpenAI

from outlast import Agent, Model, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner
from outlast.models.adapters.any_llm import AnyLLMModel
from outlast.models.adapters.litellm import LitellmModel

HERE = Path(__file__).parent
INSTALLED = Path(os.environ.get("OUTLAST_ENDPOINTS") or HERE.parents[1] / ".endpoints")
REQUIRED = set(os.environ.get("OUTLAST_REQUIRE", "").replace(",", " ").split())
READY_WITHIN_S = 90
ADDRESS = re.compile(r"^serves at (\S+)$", re.MULTILINE)

# LiteLLM otherwise looks for prices on the web when it is imported, here and in the proxy.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


@dataclass(frozen=True)
class Endpoint:
    """Where a foreign endpoint listens."""

    url: str
    key: str


@pytest.fixture(scope="session")
def litellm_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """LiteLLM's proxy with the models of `litellm_proxy.yaml`."""
    program = program_of("litellm", "bin/litellm")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [program, "--config", HERE / "litellm_proxy.yaml", "--host", "127.0.0.1"]
    log = tmp_path_factory.mktemp("litellm") / "log"
    with started([*command, "--port", port], log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/health/liveliness"), process, log)
        yield Endpoint(f"{url}/v1", "sk-outlast-test")


@pytest.fixture(scope="session")
def inference_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """llama.cpp's server with a tiny model of random weights."""
    python = program_of("inference", "bin/python")
    folder = tmp_path_factory.mktemp("inference")
    log = folder / "log"
    with started([python, HERE / "inference_server.py", folder], log) as process:
        wait_until(lambda: ADDRESS.search(said(log)) is not None, process, log)
        yield Endpoint(f"{ADDRESS.findall(said(log))[0]}/v1", "none")


@pytest.fixture
def at() -> Callable[[str], Endpoint]:
    """The endpoint at an address, with a key that nobody looks at."""
    return lambda url: Endpoint(url, "none")


def program_of(name: str, path: str) -> str:
    program = INSTALLED / name / path
    if program.exists():
        return str(program)
    return missing(name, f"{program} is not there; `make endpoints` installs it.")


def missing(name: str, message: str) -> NoReturn:
    if REQUIRED & {name, "all"}:
        pytest.fail(message)
    pytest.skip(message)


@contextlib.contextmanager
def started(command: list[object], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    known = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "LITELLM_LOCAL_MODEL_COST_MAP")
    env = {name: os.environ[name] for name in known if name in os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.stderr.write(said(log)[-5000:])
            pytest.fail(f"{process.args} did not get ready; its output is on stderr.")
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def said(log: Path) -> str:
    return log.read_text(errors="replace")


# --- Ways to a model, and ways to run an agent. ------------------------------------------


@dataclass
class Outcome:
    """What came of a run."""

    result: Any
    deltas: str | None = None
    """The text that was streamed in the last model call; None without streaming."""


Play = Callable[..., Awaitable[Outcome]]
Way = Callable[[Endpoint, str], Model]


async def plain(agent: Agent[Any], **options: Any) -> Outcome:
    return Outcome(await Runner.run(agent, "What is the weather?", **options))


async def streamed(agent: Agent[Any], **options: Any) -> Outcome:
    running = Runner.run_streamed(agent, "What is the weather?", **options)
    deltas = ""
    async for event in running.stream_events():
        if event.type != "raw_response_event":
            continue
        if event.data.type == "response.created":
            deltas = ""
        elif event.data.type == "response.output_text.delta":
            deltas += event.data.delta
    return Outcome(running, deltas)


@pytest.fixture(params=[plain, streamed], ids=lambda play: play.__name__)
def play(request: pytest.FixtureRequest) -> Play:
    """Run an agent to its end, without or with streaming."""
    return request.param


def chat(endpoint: Endpoint, name: str) -> Model:
    return OpenAIChatCompletionsModel(name, client(endpoint))


def responses(endpoint: Endpoint, name: str) -> Model:
    return OpenAIResponsesModel(name, client(endpoint))


def litellm(endpoint: Endpoint, name: str) -> Model:
    importable("litellm", "litellm")
    return LitellmModel(f"openai/{name}", base_url=endpoint.url, api_key=endpoint.key)


def any_llm_chat(endpoint: Endpoint, name: str) -> Model:
    importable("any_llm", "any-llm")
    return AnyLLMModel(f"openai/{name}", endpoint.url, endpoint.key, "chat_completions")


def any_llm_responses(endpoint: Endpoint, name: str) -> Model:
    importable("any_llm", "any-llm")
    return AnyLLMModel(f"openai/{name}", endpoint.url, endpoint.key, "responses")


WAYS: dict[str, Way] = {
    "chat": chat,
    "responses": responses,
    "litellm": litellm,
    "any-llm chat": any_llm_chat,
    "any-llm responses": any_llm_responses,
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Make the model of a name at an endpoint, over one of the APIs or libraries."""
    return WAYS[request.param]


OPEN: list[AsyncOpenAI] = []


def client(endpoint: Endpoint) -> AsyncOpenAI:
    OPEN.append(AsyncOpenAI(base_url=endpoint.url, api_key=endpoint.key, max_retries=0))
    return OPEN[-1]


@pytest.fixture(autouse=True)
async def _clients_are_closed() -> AsyncIterator[None]:
    yield
    while OPEN:
        await OPEN.pop().close()


def importable(module: str, name: str) -> None:
    if importlib.util.find_spec(module) is None:
        missing(name, f"{module} is not installed here; `make endpoints` has an environment.")
