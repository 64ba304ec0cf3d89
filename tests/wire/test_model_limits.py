"""What bounds a model's endpoint: deadlines, sizes, retries, and who makes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openai import APITimeoutError, AsyncOpenAI, DefaultAsyncHttpxClient, RateLimitError

from outlast import (
    Agent,
    MaxTurnsExceeded,
    Model,
    ModelDeadlineExceeded,
    ModelLimits,
    ModelLoopDetected,
    ModelRateLimited,
    ModelRedirected,
    ModelRetrySettings,
    ModelSettings,
    ModelStreamTruncated,
    ModelUnavailable,
    OpenAIProvider,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    TooManyToolCalls,
    function_tool,
)
from outlast.core.events import EffectFailed
from outlast.journal.memory import MemoryJournal
from outlast.models.endpoint import client_of
from outlast.testing import ScriptedModel, function_call
from outlast.testing.provider import ScriptedProvider


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


class Scene:
    """An agent behind an endpoint that misbehaves, and the log of its run."""

    def __init__(self, provider: ScriptedProvider, fault: str, **client: Any) -> None:
        self.provider = provider
        self.client = AsyncOpenAI(api_key="k", base_url=provider.base_url, **client)
        self.model: Any = OpenAIResponsesModel(f"fault:{fault}", self.client)
        self.journal = MemoryJournal()

    async def run(
        self, *, streamed: bool = False, limits: ModelLimits | None = None, **settings: Any
    ) -> Any:
        agent = Agent(name="desk", model=self.model, model_settings=ModelSettings(**settings))
        config = RunConfig(journal=self.journal, model_limits=limits, tracing_disabled=True)
        try:
            if not streamed:
                return await Runner.run(agent, "hi", run_id="r", run_config=config)
            result = Runner.run_streamed(agent, "hi", run_id="r", run_config=config)
            async for _ in result.stream_events():
                pass
            return result
        finally:
            await self.client.close()

    async def failures(self) -> list[EffectFailed]:
        stored = await self.journal.read("r")
        return [each.event for each in stored if isinstance(each.event, EffectFailed)]


# --- Retries. ----------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_a_client_would_send_again_the_run_does_and_remembers(
    provider: ScriptedProvider, streamed: bool
):
    scene = Scene(provider, "http_429_retry_after_ms*2")
    result = await scene.run(streamed=streamed)
    assert result.final_output
    failed = await scene.failures()
    assert [(each.error.kind, each.retry_at is not None) for each in failed] == [
        ("ModelRateLimited", True),
        ("ModelRateLimited", True),
    ]
    assert len(provider.requests) == 3
    assert result.context_wrapper.usage.requests == 3


@pytest.mark.parametrize(
    ("client", "settings", "requests"),
    [
        ({"max_retries": 0}, {}, 1),
        ({"max_retries": 1}, {}, 2),
        ({"max_retries": 1}, {"retry": ModelRetrySettings(max_retries=0)}, 1),
        ({"max_retries": 0}, {"retry": ModelRetrySettings(max_retries=2)}, 3),
    ],
)
async def test_the_client_and_the_settings_say_how_often(
    provider: ScriptedProvider, client: Any, settings: Any, requests: int
):
    scene = Scene(provider, "http_429_retry_after_ms", **client)
    with pytest.raises(ModelRateLimited):
        await scene.run(**settings)
    assert len(provider.requests) == requests


@pytest.mark.parametrize(
    "fault", ["http_400", "http_401", "http_403", "http_500_no_retry", "html_200"]
)
async def test_what_will_fail_again_is_asked_once(provider: ScriptedProvider, fault: str):
    scene = Scene(provider, fault)
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        await scene.run()
    assert len(provider.requests) == 1


async def test_a_stream_that_was_cut_before_its_answer_began_is_asked_for_again(
    provider: ScriptedProvider,
):
    scene = Scene(provider, "s_empty*1")
    assert (await scene.run(streamed=True)).final_output
    (failed,) = await scene.failures()
    assert failed.error.kind == "ModelStreamTruncated"


async def test_nothing_is_asked_for_again_once_a_part_of_it_was_shown(provider: ScriptedProvider):
    scene = Scene(provider, "s_fin*1")
    with pytest.raises(ModelStreamTruncated):
        await scene.run(streamed=True)
    assert len(provider.requests) == 1


async def test_a_model_that_wraps_another_keeps_the_retries_of_its_client(
    provider: ScriptedProvider,
):
    class Wrapped(Model):
        def __init__(self, inner: Model) -> None:
            self.inner = inner

        async def get_response(self, *args: Any, **more: Any) -> Any:
            return await self.inner.get_response(*args, **more)

        def stream_response(self, *args: Any, **more: Any) -> Any:
            return self.inner.stream_response(*args, **more)

    scene = Scene(provider, "http_429_retry_after_ms*1")
    scene.model = Wrapped(scene.model)
    assert (await scene.run()).final_output
    assert len(provider.requests) == 2
    assert await scene.failures() == []


async def test_a_long_retry_after_fails_and_says_how_long(provider: ScriptedProvider):
    scene = Scene(provider, "http_429_retry_after_huge")
    with pytest.raises(ModelRateLimited, match="wait 86400 seconds") as caught:
        await scene.run()
    assert caught.value.retry_after == 86400
    assert isinstance(caught.value, RateLimitError)
    assert len(provider.requests) == 1


async def test_a_long_retry_after_parks_the_run_if_it_shall(provider: ScriptedProvider):
    scene = Scene(provider, "http_429_retry_after*1")
    limits = ModelLimits(max_retry_after=0.5, on_long_retry_after="park", total=0.9)
    assert (await scene.run(limits=limits)).final_output
    (failed,) = await scene.failures()
    assert failed.retry_at is not None


# --- Deadlines. --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "streamed", "limit"),
    [
        ("hang_headers", False, "total"),
        ("hang_headers", True, "first_byte"),
        ("hang_body", False, "idle"),
        ("s_hang_first", True, "thinking"),
        ("s_keepalive_only", True, "idle"),
        ("s_drip", True, "thinking"),
    ],
)
async def test_silence_ends_at_its_limit(
    provider: ScriptedProvider, fault: str, streamed: bool, limit: str
):
    scene = Scene(provider, fault, max_retries=0)
    limits = ModelLimits(**{limit: 0.3})
    with pytest.raises(ModelDeadlineExceeded) as caught:
        await scene.run(streamed=streamed, limits=limits)
    assert (caught.value.limit, caught.value.timeout_seconds) == (limit, 0.3)


async def test_the_total_bounds_all_attempts(provider: ScriptedProvider):
    scene = Scene(provider, "hang_body", max_retries=50)
    with pytest.raises(ModelDeadlineExceeded):
        await scene.run(limits=ModelLimits(idle=0.2, total=1))
    assert 2 <= len(provider.requests) <= 6


async def test_a_timeout_of_the_client_is_a_deadline_too(provider: ScriptedProvider):
    scene = Scene(provider, "hang_headers", timeout=0.2, max_retries=0)
    with pytest.raises(ModelDeadlineExceeded) as caught:
        await scene.run()
    assert caught.value.limit == "client"
    assert isinstance(caught.value, APITimeoutError)


async def test_an_endpoint_that_is_not_there_is_unavailable(provider: ScriptedProvider):
    scene = Scene(provider, "ok", max_retries=0)
    scene.model = OpenAIResponsesModel(
        "m", AsyncOpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", max_retries=0)
    )
    with pytest.raises(ModelUnavailable):
        await scene.run()


# --- HTTP. -------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_that_follows_redirects_does_not_here(
    provider: ScriptedProvider, streamed: bool
):
    scene = Scene(provider, "redirect", http_client=DefaultAsyncHttpxClient(follow_redirects=True))
    with pytest.raises(ModelRedirected):
        await scene.run(streamed=streamed)
    assert provider.elsewhere.requests == []


async def test_the_users_own_http_client_sends_the_request(provider: ScriptedProvider):
    seen: list[str] = []

    async def note(request: Any) -> None:
        seen.append(str(request.url))

    http = DefaultAsyncHttpxClient(event_hooks={"request": [note]}, headers={"x-mine": "yes"})
    scene = Scene(provider, "s_comments", http_client=http)
    assert (await scene.run(streamed=True)).final_output == "hello there, world"
    assert len(seen) == 1
    assert provider.requests[0].headers["x-mine"] == "yes"


async def test_one_guarded_client_serves_until_the_settings_change(provider: ScriptedProvider):
    client = AsyncOpenAI(api_key="k", base_url=provider.base_url)
    first = client_of(client)
    assert client_of(client) is first
    client.api_key = "another"
    assert client_of(client) is not first
    assert client_of(client).api_key == "another"
    await client.close()


async def test_a_client_with_functions_of_ones_own_is_left_alone(provider: ScriptedProvider):
    client = AsyncOpenAI(api_key="k", base_url=provider.base_url)

    async def create(**_: Any) -> None: ...

    client.responses.create = create  # type: ignore[assignment,method-assign]
    assert client_of(client) is client
    await client.close()


# --- The model. --------------------------------------------------------------------------


@function_tool
def look() -> str:
    return "nothing"


async def run_scripted(steps: list[Any], **limits: Any) -> Any:
    config = RunConfig(journal="off", model_limits=ModelLimits(**limits))
    agent = Agent(name="desk", model=ScriptedModel(steps), tools=[look])
    return await Runner.run(agent, "hi", run_config=config, max_turns=24)


def calls(*ids: str) -> list[Any]:
    return [function_call("look", "{}", call_id=each) for each in ids]


async def test_too_many_calls_in_one_reply_are_none():
    with pytest.raises(TooManyToolCalls, match="3 tool calls"):
        await run_scripted([calls("a", "b", "c")], tool_calls=2)


async def test_the_same_call_with_the_same_result_ends_the_run():
    with pytest.raises(ModelLoopDetected, match="'look'"):
        await run_scripted([calls(f"c{number}") for number in range(5)], same_calls=3)


async def test_a_program_may_poll_with_one_call_as_long_as_its_turns_last():
    with pytest.raises(MaxTurnsExceeded):
        await run_scripted([calls(f"c{number}") for number in range(25)])


@pytest.mark.parametrize(
    ("name", "value"),
    [("total", 0), ("idle", float("nan")), ("tool_calls", 1.5), ("response_bytes", True)],
)
def test_a_limit_that_is_none_is_refused(name: str, value: Any):
    with pytest.raises(ValueError, match=rf"model_limits.{name} must be"):
        ModelLimits(**{name: value})


def test_limits_can_be_given_as_a_mapping():
    config = RunConfig(model_limits={"idle": 3})  # type: ignore[arg-type]
    assert config.model_limits == ModelLimits(idle=3)


async def test_a_provider_has_limits_for_its_models(provider: ScriptedProvider):
    async with AsyncOpenAI(api_key="k", base_url=provider.base_url, max_retries=0) as client:
        made = OpenAIProvider(
            openai_client=client, use_responses=False, model_limits=ModelLimits(thinking=0.3)
        )
        agent = Agent(name="desk", model="fault:s_hang_first")
        result = Runner.run_streamed(
            agent, "hi", run_config=RunConfig(model_provider=made, journal="off")
        )
        with pytest.raises(ModelDeadlineExceeded, match="thinking"):
            async for _ in result.stream_events():
                pass


@pytest.mark.parametrize("streamed", [False, True])
async def test_half_a_surrogate_pair_in_the_input_is_sent_as_a_replacement(
    provider: ScriptedProvider, streamed: bool
):
    scene = Scene(provider, "s_comments" if streamed else "usage_missing")
    agent = Agent(name="desk", instructions="be \ud800 kind", model=scene.model)
    config = RunConfig(journal="off", tracing_disabled=True)
    if streamed:
        result = Runner.run_streamed(agent, "a \udfff b", run_config=config)
        async for _ in result.stream_events():
            pass
    else:
        await Runner.run(agent, "a \udfff b", run_config=config)
    body = provider.requests[0].body
    assert body is not None
    assert body["instructions"] == "be \ufffd kind"
    assert body["input"] == [{"content": "a \ufffd b", "role": "user"}]
    await scene.client.close()


async def test_a_stream_without_its_last_event_counts_where_that_is_wanted(
    provider: ScriptedProvider,
):
    scene = Scene(provider, "s_no_terminal")
    result = await scene.run(streamed=True, limits=ModelLimits(lenient_eof=True))
    assert result.final_output == "hello there, world"
