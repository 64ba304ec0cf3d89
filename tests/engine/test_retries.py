"""Model calls that fail or take too long, and what of it the log keeps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from outlast import (
    Agent,
    ModelRetryAdvice,
    ModelRetryNormalizedError,
    ModelRetrySettings,
    ModelSettings,
    ModelTimeoutError,
    RetryDecision,
    RetryPolicyContext,
    RunConfig,
    RunHooks,
    Runner,
    RunResult,
    Usage,
    retry_policies,
)
from outlast.core.events import EffectFailed, EffectStarted, Event, ModelReplied, TimerFired
from outlast.definitions.model import Model
from outlast.journal.memory import MemoryJournal
from outlast.models.endpoint import client_of
from outlast.models.errors import advice
from outlast.testing import ModelCall, ModelStep, ScriptedModel, assistant_message

OK = [assistant_message("done")]


class Lost(TimeoutError):
    """A provider's error, known to be a lost connection by its base class."""


class Busy(Exception):
    """A conversation that another request is just adding to."""

    status_code = 400
    code = "conversation_locked"


class AbortError(Exception):
    """A call that was given up on purpose."""


def always(_context: RetryPolicyContext) -> bool:
    return True


def retrying(
    times: int = 3, policy: Callable[..., Any] | None = always, delay: float = 0.0, **more: Any
) -> ModelSettings:
    backoff = {"initial_delay": delay, "jitter": False}
    return ModelSettings(
        retry=ModelRetrySettings(max_retries=times, policy=policy, backoff=backoff), **more
    )


class Scene:
    """An agent whose model fails by a script, and the log of its run."""

    def __init__(self, steps: Sequence[Any], settings: ModelSettings | None = None) -> None:
        self.model = ScriptedModel(steps)
        self.agent = Agent(name="desk", model=self.model, model_settings=settings or retrying())
        self.journal = MemoryJournal()

    async def run(self, *, streamed: bool = False, **options: Any) -> Any:
        options.setdefault("run_config", RunConfig(journal=self.journal))
        if not streamed:
            return await Runner.run(self.agent, "hi", run_id="r", **options)
        result = Runner.run_streamed(self.agent, "hi", run_id="r", **options)
        async for _ in result.stream_events():
            pass
        return result

    async def resume(self) -> RunResult:
        return await Runner.resume("r", self.agent, run_config=RunConfig(journal=self.journal))

    async def events(self, kind: type[Event]) -> list[Any]:
        stored = await self.journal.read("r")
        return [each.event for each in stored if isinstance(each.event, kind)]

    async def pauses(self) -> list[float]:
        """How long each failed attempt asked to wait, to a tenth of a second."""
        stored = await self.journal.read("r")
        failed = [(each.at, each.event) for each in stored if isinstance(each.event, EffectFailed)]
        return [round(e.retry_at - at, 1) for at, e in failed if e.retry_at is not None]


# --- Whether and when. -------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
async def test_each_attempt_and_its_moment_are_events(streamed: bool):
    scene = Scene([Lost("a"), Lost("b"), OK])
    result = await scene.run(streamed=streamed)
    assert result.final_output == "done"
    failed = await scene.events(EffectFailed)
    assert [(e.id, e.error.kind, e.error.message) for e in failed] == [
        ("m1", "Lost", "a"),
        ("m1", "Lost", "b"),
    ]
    assert all(e.retry_at is not None for e in failed)
    assert [e.id for e in await scene.events(TimerFired)] == ["w.m1.1", "w.m1.2"]
    starts = [e for e in await scene.events(EffectStarted) if e.id == "m1"]
    assert [e.attempt for e in starts] == [1, 2, 3]


async def test_a_failed_attempt_counts_as_a_request_without_tokens():
    usage = Usage(requests=1, input_tokens=3, output_tokens=2, total_tokens=5)
    scene = Scene([Lost(), ModelStep(output=OK, usage=usage)])
    result = await scene.run()
    spent = result.context_wrapper.usage
    assert (spent.requests, spent.total_tokens) == (2, 5)
    assert [entry.total_tokens for entry in spent.request_usage_entries] == [0, 5]
    assert result.raw_responses[0].usage.requests == 2
    (reply,) = await scene.events(ModelReplied)
    assert (reply.usage.requests, reply.usage.total_tokens) == (2, 5)


@pytest.mark.parametrize(
    "settings",
    [
        ModelSettings(),
        ModelSettings(retry=ModelRetrySettings(policy=always)),
        ModelSettings(retry=ModelRetrySettings(max_retries=3)),
        retrying(0),
        retrying(3, retry_policies.never()),
    ],
)
async def test_nothing_is_retried_without_a_number_and_a_policy(settings: ModelSettings):
    scene = Scene([Lost("gone"), OK], settings)
    with pytest.raises(Lost, match="gone"):
        await scene.run()
    assert len(scene.model.calls) == 1


async def test_the_last_error_is_raised_when_the_retries_are_used_up():
    scene = Scene([Lost("a"), Lost("b"), OK], retrying(1))
    with pytest.raises(Lost, match="b"):
        await scene.run()
    assert [e.retry_at is None for e in await scene.events(EffectFailed)] == [False, True]


async def test_a_policy_that_fails_fails_the_run():
    def broken(_context: RetryPolicyContext) -> bool:
        raise LookupError("policy")

    with pytest.raises(LookupError, match="policy"):
        await Scene([Lost(), OK], retrying(policy=broken)).run()


async def test_what_was_given_up_on_purpose_is_not_tried_again():
    def never_asked(_context: RetryPolicyContext) -> bool:
        raise AssertionError

    scene = Scene([AbortError(), OK], retrying(policy=never_asked))
    with pytest.raises(AbortError):
        await scene.run()


@pytest.mark.parametrize(
    ("advised", "answer", "pause"),
    [
        (None, RetryDecision(retry=True, delay=0.2), 0.2),
        (None, RetryDecision(retry=True, delay=-1), 0.0),
        (None, RetryDecision(retry=True, delay=float("inf")), 0.1),
        (ModelRetryAdvice(retry_after=0.3), RetryDecision(retry=True), 0.3),
        (ModelRetryAdvice(retry_after=0.3), RetryDecision(retry=True, delay=0.2), 0.2),
        (
            ModelRetryAdvice(retry_after=0.3, normalized=ModelRetryNormalizedError(retry_after=0)),
            True,
            0.0,
        ),
        (ModelRetryAdvice(normalized=ModelRetryNormalizedError(retry_after=None)), True, 0.1),
        (None, True, 0.1),
    ],
)
async def test_the_policy_says_how_long_before_the_provider_and_the_backoff(
    advised: ModelRetryAdvice | None, answer: Any, pause: float
):
    step = ModelStep.raise_error(Lost(), retry_advice=advised)
    scene = Scene([step, OK], retrying(policy=lambda _: answer, delay=0.1))
    await scene.run()
    assert await scene.pauses() == [pause]


@pytest.mark.parametrize(
    ("advised", "answer", "options", "calls"),
    [
        # A call that continues what the provider keeps may have been added to it.
        (None, True, {"previous_response_id": "p"}, 1),
        (None, RetryDecision(retry=True, approve_unsafe_replay=True), {"conversation_id": "c"}, 1),
        (ModelRetryAdvice(replay_safety="safe"), True, {"conversation_id": "c"}, 2),
        (ModelRetryAdvice(suggested=True), True, {"conversation_id": "c"}, 1),
        # What the provider calls unsafe needs an approval, which a stream cannot have.
        (ModelRetryAdvice(replay_safety="unsafe"), True, {}, 1),
        (
            ModelRetryAdvice(replay_safety="unsafe"),
            RetryDecision(retry=True, approve_unsafe_replay=True),
            {"conversation_id": "c"},
            2,
        ),
        (
            ModelRetryAdvice(replay_safety="unsafe"),
            RetryDecision(retry=True, approve_unsafe_replay=True),
            {"streamed": True},
            1,
        ),
        (ModelRetryAdvice(normalized=ModelRetryNormalizedError(is_abort=True)), True, {}, 1),
    ],
)
async def test_a_call_that_may_have_had_an_effect_is_not_repeated_unasked(
    advised: ModelRetryAdvice | None, answer: Any, options: dict[str, Any], calls: int
):
    step = ModelStep.raise_error(Lost(), retry_advice=advised)
    scene = Scene([step, OK], retrying(policy=lambda _: answer))
    with contextlib.nullcontext() if calls == 2 else pytest.raises(Lost):
        await scene.run(**options)
    assert len(scene.model.calls) == calls


async def test_a_policy_cannot_change_what_the_provider_said():
    def lies(context: RetryPolicyContext) -> bool:
        assert context.provider_advice is not None
        context.provider_advice.suggested = True
        context.provider_advice.replay_safety = "safe"
        context.normalized.is_timeout = False
        assert context.replay_safety == "unsafe"
        return True

    policy = retry_policies.any(lies, retry_policies.provider_suggested())
    told = ModelRetryAdvice(suggested=False, replay_safety="unsafe")
    scene = Scene([ModelStep.raise_error(Lost(), retry_advice=told), OK], retrying(policy=policy))
    with pytest.raises(Lost):
        await scene.run()


async def test_what_the_provider_denies_overrules_what_the_error_looks_like():
    denied = ModelRetryNormalizedError(is_network_error=False, is_timeout=False)
    silent = ModelRetryNormalizedError(status_code=429)
    for told, calls in ((denied, 1), (silent, 2)):
        step = ModelStep.raise_error(Lost(), retry_advice=ModelRetryAdvice(normalized=told))
        scene = Scene([step, OK], retrying(policy=retry_policies.network_error()))
        with contextlib.suppress(Lost):
            await scene.run()
        assert len(scene.model.calls) == calls


# --- Conversations that are busy. --------------------------------------------------------


async def test_a_busy_conversation_is_asked_again_without_being_told_to(
    monkeypatch: pytest.MonkeyPatch,
):
    scene = Scene([Busy(), Busy(), Busy(), OK], ModelSettings())
    with _without_waiting(monkeypatch):
        result = await scene.run()
    assert result.final_output == "done"
    assert await scene.pauses() == [1.0, 2.0, 4.0]
    assert result.context_wrapper.usage.requests == 4


async def test_a_conversation_that_stays_busy_fails_the_run(monkeypatch: pytest.MonkeyPatch):
    scene = Scene([Busy()] * 4 + [OK], ModelSettings())
    with _without_waiting(monkeypatch), pytest.raises(Busy):
        await scene.run()


async def test_busy_conversations_do_not_use_up_the_retries(monkeypatch: pytest.MonkeyPatch):
    numbers: list[int] = []

    def policy(context: RetryPolicyContext) -> bool:
        numbers.append(context.attempt)
        return True

    scene = Scene([Busy(), Lost(), Busy(), OK], retrying(1, policy, delay=0.1))
    with _without_waiting(monkeypatch):
        await scene.run()
    assert numbers == [1]
    assert await scene.pauses() == [1.0, 0.1, 2.0]


async def test_no_retries_at_all_means_none_for_busy_conversations_either():
    scene = Scene([Busy(), OK], retrying(0))
    with pytest.raises(Busy):
        await scene.run()


@contextlib.contextmanager
def _without_waiting(monkeypatch: pytest.MonkeyPatch):
    real = asyncio.sleep
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", lambda _delay, result=None: real(0, result))
        yield


# --- What a call is made of. -------------------------------------------------------------


class Heard(RunHooks[Any]):
    def __init__(self) -> None:
        self.names: list[str] = []

    async def on_llm_start(self, *_: Any) -> None:
        self.names.append("start")

    async def on_llm_end(self, *_: Any) -> None:
        self.names.append("end")


async def test_hooks_and_the_input_filter_see_a_call_once_and_not_its_attempts():
    filtered: list[Any] = []

    def note(data: Any) -> Any:
        filtered.append(data)
        return data.model_data

    hooks = Heard()
    scene = Scene([Lost(), Lost(), OK])
    config = RunConfig(journal=scene.journal, call_model_input_filter=note)
    await scene.run(hooks=hooks, run_config=config)
    assert hooks.names == ["start", "end"]
    assert len(filtered) == 1
    assert [call.input for call in scene.model.calls] == [scene.model.calls[0].input] * 3


def _event(kind: str) -> Any:
    return SimpleNamespace(type=kind)


@pytest.mark.parametrize(
    ("shown", "calls"),
    [
        ([], 2),
        (["response.created", "response.in_progress"], 2),
        (["response.output_item.added"], 1),
    ],
)
async def test_a_stream_is_not_repeated_once_a_part_of_the_answer_was_shown(
    shown: list[str], calls: int
):
    async def broken(_call: ModelCall) -> AsyncIterator[Any]:
        for kind in shown:
            yield _event(kind)
        raise Lost

    scene = Scene([ModelStep.stream(broken), OK])
    with contextlib.suppress(Lost):
        await scene.run(streamed=True)
    assert len(scene.model.calls) == calls


class FlagModel(Model):
    """Notes whether the provider's client may ask again by itself, and fails once."""

    def __init__(self) -> None:
        self.limits: list[int | None] = []

    async def get_response(self, *_args: Any, **_kwargs: Any) -> Any:
        client: Any = SimpleNamespace(max_retries=None)
        client.with_options = lambda max_retries: SimpleNamespace(max_retries=max_retries)
        limited: Any = client_of(client)
        self.limits.append(limited.max_retries)
        raise Lost

    def stream_response(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("settings", "options", "limits"),
    [
        (retrying(1), {}, [None, 0]),
        (retrying(0), {}, [0]),
        (retrying(1, retry_policies.http_status([429])), {"conversation_id": "c"}, [0]),
        (retrying(1, None), {"conversation_id": "c"}, [None]),
        (ModelSettings(), {}, [None]),
    ],
)
async def test_only_one_of_the_run_and_the_providers_client_tries_again(
    settings: ModelSettings, options: dict[str, Any], limits: list[int | None]
):
    model = FlagModel()
    agent = Agent(name="desk", model=model, model_settings=settings)
    with pytest.raises(Lost):
        await Runner.run(agent, "hi", run_config=RunConfig(journal=MemoryJournal()), **options)
    assert model.limits == limits


# --- Crashes. ----------------------------------------------------------------------------


async def test_a_run_that_dies_between_two_attempts_waits_out_the_rest_and_counts_on():
    asked = asyncio.Event()

    def fails(_call: ModelCall) -> Any:
        asked.set()
        raise Lost("a")

    steps = [ModelStep.respond(fails), Lost("b"), OK]
    scene = Scene(steps, retrying(1, delay=0.5))
    dying = asyncio.create_task(scene.run())
    await asked.wait()
    await asyncio.sleep(0.01)
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    (failed,) = await scene.events(EffectFailed)
    with pytest.raises(Lost, match="b"):
        await scene.resume()  # One retry is allowed, and that was it.
    second = [e for e in await scene.journal.read("r") if _is_start(e.event, attempt=2)]
    assert second[0].at >= failed.retry_at


def _is_start(event: Event, attempt: int) -> bool:
    return isinstance(event, EffectStarted) and event.id == "m1" and event.attempt == attempt


async def test_a_run_that_dies_during_a_later_attempt_makes_it_again_at_once():
    asked = asyncio.Event()

    async def hang(call: ModelCall) -> Any:
        asked.set()
        await _forever(call)

    scene = Scene([Lost(), ModelStep.respond(hang), OK], retrying(1))
    dying = asyncio.create_task(scene.run())
    await asked.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    result = await scene.resume()
    assert result.final_output == "done"
    assert len(await scene.events(TimerFired)) == 1
    assert result.context_wrapper.usage.requests == 2  # What died has not failed.


# --- Timeouts. ---------------------------------------------------------------------------


async def _forever(_call: ModelCall) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_attempt_that_takes_too_long_is_given_up_and_made_again(streamed: bool):
    settings = retrying(policy=retry_policies.network_error(), timeout=0.01)
    scene = Scene([ModelStep.respond(_forever), OK], settings)
    result = await scene.run(streamed=streamed)
    assert result.final_output == "done"
    (failed,) = await scene.events(EffectFailed)
    assert failed.error.message == "Model call timed out after 0.01 seconds."


async def test_a_timeout_holds_for_the_whole_stream_and_closes_it():
    closed = asyncio.Event()

    async def slow(_call: ModelCall) -> AsyncIterator[Any]:
        try:
            while True:
                yield _event("response.in_progress")
                await asyncio.sleep(0.005)
        finally:
            closed.set()

    scene = Scene([ModelStep.stream(slow)], ModelSettings(timeout=0.03))
    with pytest.raises(ModelTimeoutError) as caught:
        await scene.run(streamed=True)
    assert caught.value.timeout_seconds == 0.03
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert closed.is_set()


async def test_a_model_that_does_not_stop_does_not_hold_the_run():
    release = asyncio.Event()

    async def stubborn(_call: ModelCall) -> Any:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    scene = Scene([ModelStep.respond(stubborn)], ModelSettings(timeout=0.01))
    with pytest.raises(ModelTimeoutError):
        await asyncio.wait_for(scene.run(), 60)
    release.set()


async def test_a_model_that_fails_when_it_is_stopped_has_timed_out_all_the_same():
    async def fails(call: ModelCall) -> Any:
        try:
            await _forever(call)
        finally:
            raise RuntimeError("cleanup")

    scene = Scene([ModelStep.respond(fails)], ModelSettings(timeout=0.01))
    with pytest.raises(ModelTimeoutError):
        await scene.run()


async def test_who_cancels_the_run_waits_until_the_model_has_cleaned_up():
    asked, cleaned = asyncio.Event(), asyncio.Event()

    async def careful(call: ModelCall) -> Any:
        try:
            asked.set()
            await _forever(call)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    scene = Scene([ModelStep.respond(careful)], ModelSettings(timeout=10))
    running = asyncio.create_task(scene.run())
    await asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert cleaned.is_set()


async def test_a_timeout_is_the_same_error_when_another_process_asks_for_it():
    scene = Scene([ModelStep.respond(_forever)], ModelSettings(timeout=0.01))
    with pytest.raises(ModelTimeoutError):
        await scene.run()
    with pytest.raises(ModelTimeoutError) as caught:
        await scene.run()
    assert caught.value.timeout_seconds == 0.01


# --- Advice. -----------------------------------------------------------------------------


class Answered(Exception):
    """A failure of a library that nobody here knows."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(f"status {status}")
        self.status_code = status
        self.body = {"error": {"code": "c"}}
        self.headers = {name.replace("_", "-").upper(): value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("error", "suggested", "safety", "after"),
    [
        (Answered(429), True, None, None),
        (Answered(503, retry_after="2"), True, None, 2.0),
        (Answered(400, x_should_retry="true"), True, "safe", None),
        (Answered(500, x_should_retry="false"), False, None, None),
        (Answered(400, retry_after_ms="1500", retry_after="9"), None, None, 1.5),
        (Answered(400, retry_after_ms="-1", retry_after="nan"), "no advice", None, None),
        (Answered(400, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), None, None, 0.0),
        (Answered(400, retry_after="soon"), "no advice", None, None),
        (ValueError("x"), "no advice", None, None),
    ],
)
def test_advice_is_what_status_and_headers_say(
    error: Exception, suggested: Any, safety: str | None, after: float | None
):
    wrapped = RuntimeError("outer")
    wrapped.__cause__ = error
    for each in (error, wrapped):
        told = advice(SimpleNamespace(error=each, previous_response_id=None, conversation_id=None))  # pyright: ignore[reportArgumentType]
        if suggested == "no advice":
            assert told is None
            continue
        assert told is not None
        assert (told.suggested, told.replay_safety, told.retry_after) == (suggested, safety, after)
        assert told.normalized is not None
        assert told.normalized.error_code == "c"
