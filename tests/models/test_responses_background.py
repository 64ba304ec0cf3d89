"""Answers that the provider works on by itself survive the program that asked for them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlast import (
    Agent,
    ModelBehaviorError,
    ModelRetrySettings,
    ModelSettings,
    OpenAIResponsesModel,
    OpenAIResponsesWSModel,
    RunConfig,
    Runner,
    retry_policies,
)
from outlast.core.errors import ModelRequestError
from outlast.core.events import EffectAccepted, EffectFailed, Event, ModelReplied
from outlast.core.evolve import fold
from outlast.journal import MemoryJournal, SqliteJournal
from outlast.testing.provider import ProviderSettings, ScriptedProvider, fault

PROGRAM = Path(__file__).with_name("background_program.py")
BACKGROUND = ModelSettings(extra_args={"background": True})
ANSWER = "hello there, world"
"""What the provider's faults say when they do not get in the way."""


def posts(provider: ScriptedProvider) -> int:
    return sum(request.method == "POST" for request in provider.requests)


def polls(provider: ScriptedProvider) -> int:
    return sum(request.method == "GET" for request in provider.requests)


def provider(*steps: object, needs_polls: int = 2) -> ScriptedProvider:
    settings = ProviderSettings(background_polls=needs_polls)
    return ScriptedProvider(list(steps) or None, settings=settings)


def agent(model: OpenAIResponsesModel) -> Agent:
    return Agent(name="Clerk", model=model, model_settings=BACKGROUND)


async def events(journal: MemoryJournal | SqliteJournal, run_id: str) -> list[Event]:
    return [stored.event for stored in await journal.read(run_id)]


# --- Killed. -----------------------------------------------------------------------------


def begin(url: str, journal: Path, way: str, background: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAM), url, str(journal), way, background]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def killed_when(program: subprocess.Popen[str], is_time: Callable[[], bool]) -> None:
    """Kill -9 as soon as it is time."""
    with program:
        deadline = time.monotonic() + 60
        while not is_time():
            assert program.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        program.kill()


def ended(program: subprocess.Popen[str]) -> str:
    with program:
        said, _ = program.communicate(timeout=60)
        assert program.returncode == 0
        return said.strip()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["plain", "streamed"])
@pytest.mark.parametrize("other_way", ["plain", "streamed"])
def test_a_killed_wait_goes_on_without_paying_again(
    tmp_path: Path, way: str, other_way: str
) -> None:
    # The stream hangs, so that its program is killed in the middle of it.
    steps = [] if way == "plain" else [fault("s_hang")]
    with provider(*steps, needs_polls=4) as at:
        journal = tmp_path / "journal.db"
        first = begin(at.base_url, journal, way, "on")
        killed_when(first, lambda: _is_accepted(journal) and (polls(at) > 1 or way == "streamed"))
        assert posts(at) == 1
        said = ended(begin(at.base_url, journal, other_way, "on"))
        assert posts(at) == 1
    assert said.startswith("You said" if way == "plain" else ANSWER)


def _is_accepted(file: Path) -> bool:
    """Whether the journal says so on disk: a copy of it is what a crash would leave behind."""
    return b"effect.accepted" in _on_disk(file)


def _on_disk(file: Path) -> bytes:
    found = b""
    for part in (file, file.with_name(f"{file.name}-wal")):
        with contextlib.suppress(FileNotFoundError):  # It comes and goes beside us.
            found += part.read_bytes()
    return found


@pytest.mark.slow
def test_a_killed_ordinary_stream_asks_exactly_once_more(tmp_path: Path) -> None:
    with provider(fault("s_hang"), fault("s_comments")) as at:
        journal = tmp_path / "journal.db"
        first = begin(at.base_url, journal, "streamed", "off")
        killed_when(first, lambda: posts(at) == 1 and _is_started(journal))
        said = ended(begin(at.base_url, journal, "streamed", "off"))
        assert (posts(at), polls(at), said) == (2, 0, ANSWER)


def _is_started(file: Path) -> bool:
    return b"effect.started" in _on_disk(file)


# --- In one process. ---------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_log_says_that_a_call_is_accepted_before_anybody_waits(streamed: bool) -> None:
    journal = MemoryJournal()
    async with provider(needs_polls=1) as at:
        model = OpenAIResponsesModel("gpt-5", at.client())
        config = RunConfig(journal=journal)
        if streamed:
            result = Runner.run_streamed(agent(model), "Hello", run_config=config, run_id="r")
            async for _ in result.stream_events():
                pass
        else:
            await Runner.run(agent(model), "Hello", run_config=config, run_id="r")
        assert posts(at) == 1
    log = await events(journal, "r")
    kinds = [type(event) for event in log]
    [accepted] = [event for event in log if isinstance(event, EffectAccepted)]
    [replied] = [event for event in log if isinstance(event, ModelReplied)]
    assert (accepted.id, accepted.response_id) == ("m1", replied.response_id)
    assert accepted.model == "gpt-5@127.0.0.1"
    assert kinds.index(EffectAccepted) < kinds.index(ModelReplied)
    assert fold(log[: kinds.index(ModelReplied)]).accepted == {"m1": accepted}
    assert fold(log).accepted == {}


async def test_an_ordinary_call_says_nothing_about_acceptance() -> None:
    journal = MemoryJournal()
    async with provider() as at:
        clerk = Agent(name="Clerk", model=OpenAIResponsesModel("gpt-5", at.client()))
        await Runner.run(clerk, "Hello", run_config=RunConfig(journal=journal), run_id="r")
        assert (posts(at), polls(at)) == (1, 0)
    assert EffectAccepted not in {type(event) for event in await events(journal, "r")}


@pytest.mark.parametrize("name", ["s_rst", "s_fin", "s_no_terminal"])
async def test_a_lost_stream_is_waited_for_by_asking(name: str) -> None:
    async with provider(fault(name)) as at:
        model = OpenAIResponsesModel("gpt-5", at.client())
        config = RunConfig(journal="memory")
        result = Runner.run_streamed(agent(model), "Hello", run_config=config)
        kinds = [
            event.data.type
            async for event in result.stream_events()
            if event.type == "raw_response_event"
        ]
        assert (posts(at), result.final_output) == (1, ANSWER)
    assert kinds[0] == "response.created"
    assert kinds.count("response.completed") == 1


async def test_a_call_that_cannot_be_asked_about_fails_and_is_found_again() -> None:
    config = RunConfig(journal=MemoryJournal())
    async with provider(fault("s_rst")) as at:
        client = at.client(max_retries=0)
        headers = {"x-outlast-fault": "http_403"}
        client.responses.retrieve = _with_headers(client.responses.retrieve, headers)
        clerk = agent(OpenAIResponsesModel("gpt-5", client))
        failed = Runner.run_streamed(clerk, "Hello", run_config=config)
        with pytest.raises(ModelRequestError):
            async for _ in failed.stream_events():
                pass
        headers.clear()
        result = await Runner.run(clerk, failed.to_state(), run_config=config)
        assert (posts(at), result.final_output) == (1, ANSWER)


async def test_an_attempt_that_is_made_again_asks_about_the_same_answer() -> None:
    settings = ModelSettings(
        extra_args={"background": True},
        retry=ModelRetrySettings(
            max_retries=2, policy=retry_policies.http_status([500]), backoff={"initial_delay": 0}
        ),
    )
    async with provider() as at:
        client = at.client(max_retries=0)
        headers = {"x-outlast-fault": "http_500"}
        client.responses.retrieve = _with_headers(client.responses.retrieve, headers, times=1)
        clerk = Agent("Clerk", model=OpenAIResponsesModel("gpt-5", client), model_settings=settings)
        await Runner.run(clerk, "Hello", run_config=RunConfig(journal="memory"))
        assert (posts(at), polls(at)) == (1, 3)


def _with_headers(retrieve: Any, headers: dict[str, str], *, times: int = -1) -> Any:
    """What retrieves, with these headers, or with them only the first ``times``."""
    left = [headers] * times

    async def asked(response_id: str) -> Any:
        now = headers if times < 0 else left.pop() if left else {}
        return await retrieve(response_id, extra_headers=dict(now))

    return asked


async def test_an_answer_that_failed_is_not_asked_for_again() -> None:
    journal = MemoryJournal()
    async with provider(fault("s_failed"), fault("s_comments")) as at:
        model = OpenAIResponsesModel("gpt-5", at.client())
        config = RunConfig(journal=journal)
        result = Runner.run_streamed(agent(model), "Hello", run_config=config, run_id="r")
        with pytest.raises(ModelBehaviorError, match="failed"):
            async for _ in result.stream_events():
                pass
        log = await events(journal, "r")
        assert EffectFailed in {type(event) for event in log}
        assert fold(log).accepted == {}


async def test_an_answer_that_the_provider_forgot_is_paid_for_again() -> None:
    journal = MemoryJournal()
    forgotten = EffectAccepted("m1", "resp_of_last_week", "gpt-5@127.0.0.1")
    async with provider(needs_polls=0) as at:
        model = OpenAIResponsesModel("gpt-5", at.client())
        await _begun_and_left(journal, model, forgotten)
        result = await Runner.resume("r", agent(model), run_config=RunConfig(journal=journal))
        assert (posts(at), at.requests[0].path) == (1, "/v1/responses/resp_of_last_week")
        assert result.final_output.startswith("You said")


async def test_an_answer_of_another_model_is_not_asked_for() -> None:
    journal = MemoryJournal()
    elsewhere = EffectAccepted("m1", "resp_1", "gpt-5@api.elsewhere.test")
    async with provider(needs_polls=0) as at:
        model = OpenAIResponsesModel("gpt-5", at.client())
        await _begun_and_left(journal, model, elsewhere)
        await Runner.resume("r", agent(model), run_config=RunConfig(journal=journal))
        assert (posts(at), polls(at)) == (1, 0)


async def _begun_and_left(
    journal: MemoryJournal, model: OpenAIResponsesModel, accepted: EffectAccepted
) -> None:
    """Leave a run behind whose first model call is in flight and accepted."""
    async with provider(needs_polls=1) as another:
        other = OpenAIResponsesModel("gpt-5", another.client())
        config = RunConfig(journal=journal)
        await Runner.run(agent(other), "Hello", run_config=config, run_id="whole")
    log = await events(journal, "whole")
    upto = next(n for n, event in enumerate(log) if isinstance(event, EffectAccepted))
    lease = await journal.acquire("r", new=True)
    await journal.append(lease, [*log[:upto], accepted])
    await journal.release(lease)


async def test_a_websocket_model_asks_over_http_in_background_mode() -> None:
    async with provider(needs_polls=1) as at:
        model = OpenAIResponsesWSModel("gpt-5", at.client())
        result = await Runner.run(agent(model), "Hello", run_config=RunConfig(journal="memory"))
        assert {request.transport for request in at.requests} == {"http"}
        assert result.final_output.startswith("You said")
