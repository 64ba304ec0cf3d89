"""A list of models in a run: who is asked, what the log says, and what another process does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from outlast import (
    Agent,
    CircuitBreaker,
    CircuitOpen,
    FallbackModel,
    ModelPaced,
    ModelRetrySettings,
    ModelSettings,
    Paced,
    RunConfig,
    Runner,
    StorageFull,
    Usage,
    UserError,
    function_tool,
)
from outlast.calls.fallback import health_key
from outlast.calls.health import Health, Pace, Pacing, with_call
from outlast.core.events import EffectFailed, EffectStarted, Event, ModelReplied, TimerFired
from outlast.definitions.model import Model, ModelProvider, ModelTracing
from outlast.journal.health import MemoryHealth
from outlast.journal.memory import MemoryJournal
from outlast.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call

OK = [assistant_message("done")]
LOOKS = [function_call("look", {}, call_id="c")]


class Status(Exception):
    """A provider's error, known by its status."""

    def __init__(self, status_code: int, **headers: str) -> None:
        super().__init__(f"status {status_code}")
        self.status_code = status_code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Lost(TimeoutError):
    """A connection that was lost."""


class Named(ScriptedModel):
    """A scripted model with a name, as every provider's has one."""

    def __init__(self, model: str, steps: Sequence[Any]) -> None:
        super().__init__(steps)
        self.model = model


def retrying(times: int = 1) -> ModelSettings:
    backoff = {"initial_delay": 0.0, "jitter": False}
    retry = ModelRetrySettings(max_retries=times, policy=lambda _: True, backoff=backoff)
    return ModelSettings(retry=retry)


NEVER = ModelSettings(retry=ModelRetrySettings(max_retries=0))


class Scene:
    def __init__(self, model: Model, settings: ModelSettings = NEVER, **agent: Any) -> None:
        self.agent = Agent(name="desk", model=model, model_settings=settings, **agent)
        self.journal = MemoryJournal()

    async def run(self, run_id: str = "r", *, streamed: bool = False, **options: Any) -> Any:
        config = RunConfig(journal=self.journal, **options.pop("config", {}))
        if not streamed:
            return await Runner.run(self.agent, "hi", run_id=run_id, run_config=config, **options)
        result = Runner.run_streamed(self.agent, "hi", run_id=run_id, run_config=config, **options)
        async for _ in result.stream_events():
            pass
        return result

    async def events(self, kind: type[Event], run_id: str = "r") -> list[Any]:
        stored = await self.journal.read(run_id)
        return [each.event for each in stored if isinstance(each.event, kind)]


# --- Who is asked. -----------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("error", [Lost(), *map(Status, (401, 402, 403, 404, 408, 429, 500, 529))])
async def test_a_failure_that_another_model_can_mend_goes_to_the_next_model(
    error: Exception, streamed: bool
):
    one, two = Named("one", [error]), Named("two", [OK])
    scene = Scene(FallbackModel([one, two]))
    result = await scene.run(streamed=streamed)
    assert result.final_output == "done"
    (failed,) = await scene.events(EffectFailed)
    assert (failed.model, failed.is_model_spent, failed.error.kind) == (
        "one", True, type(error).__name__,
    )  # fmt: skip
    (reply,) = await scene.events(ModelReplied)
    assert reply.model == "two"
    assert reply.usage.requests == 2


@pytest.mark.parametrize("error", [Status(400), Status(422), Status(409), ValueError("ours")])
async def test_any_other_failure_is_final(error: Exception):
    two = Named("two", [OK])
    scene = Scene(FallbackModel([Named("one", [error]), two]))
    with pytest.raises(type(error)):
        await scene.run()
    assert not two.calls
    (failed,) = await scene.events(EffectFailed)
    assert (failed.model, failed.is_model_spent, failed.retry_at) == ("one", False, None)


async def test_a_model_that_has_shown_a_part_of_its_answer_is_not_replaced():
    async def breaks_off(call: ModelCall) -> Any:
        del call
        yield SimpleNamespace(type="response.output_text.delta", delta="Hel")
        raise Lost

    two = Named("two", [OK])
    scene = Scene(FallbackModel([Named("one", [ModelStep.stream(breaks_off)]), two]))
    with pytest.raises(Lost):
        await scene.run(streamed=True)
    assert not two.calls


async def test_each_model_has_all_its_attempts():
    one = Named("one", [Status(500), Status(500)])
    two = Named("two", [Status(503), OK])
    scene = Scene(FallbackModel([one, two]), retrying(1))
    await scene.run()
    failed = await scene.events(EffectFailed)
    assert [(e.model, e.is_model_spent) for e in failed] == [
        ("one", False), ("one", True), ("two", False),
    ]  # fmt: skip
    (reply,) = await scene.events(ModelReplied)
    assert (reply.model, reply.usage.requests) == ("two", 4)


async def test_the_last_models_error_is_raised_and_names_the_others():
    scene = Scene(FallbackModel([Named("one", [Status(500)]), Named("two", [Status(429)])]))
    with pytest.raises(Status, match="429") as caught:
        await scene.run()
    assert caught.value.__notes__ == ["Models that failed before: one."]
    failed = await scene.events(EffectFailed)
    assert [(e.model, e.retry_at is None) for e in failed] == [("one", False), ("two", True)]


async def test_a_model_that_wants_to_be_asked_later_gives_way_at_once():
    def later(_context: Any) -> bool:
        return True

    settings = ModelSettings(retry=ModelRetrySettings(max_retries=5, policy=later))
    one = Named("one", [Status(429, retry_after="3600"), OK])
    two = Named("two", [OK])
    scene = Scene(FallbackModel([one, two]), settings)
    await scene.run()
    assert [len(one.calls), len(two.calls)] == [1, 1]


async def test_every_turn_begins_with_the_first_model():
    @function_tool
    def look() -> str:
        """Look."""
        return "sunny"

    one = Named("one", [Status(500), OK])
    two = Named("two", [LOOKS])
    scene = Scene(FallbackModel([one, two]), tools=[look])
    await scene.run()
    assert [e.model for e in await scene.events(ModelReplied)] == ["two", "one"]


async def test_all_models_are_given_the_same_by_one_call_of_the_filter():
    asked: list[int] = []

    def note(data: Any) -> Any:
        asked.append(1)
        return data.model_data

    one, two = Named("one", [Status(500)]), Named("two", [OK])
    await Scene(FallbackModel([one, two])).run(config={"call_model_input_filter": note})
    assert len(asked) == 1
    assert one.calls[0].input == two.calls[0].input


class ByName(ModelProvider):
    def __init__(self, **models: Model) -> None:
        self.models = models
        self.asked: list[str | None] = []

    def get_model(self, model_name: str | None) -> Model:
        self.asked.append(model_name)
        return self.models[model_name or ""]


async def test_names_are_found_by_the_runs_provider_and_keep_their_own_defaults():
    reasoning, plain = Named("gpt-5", [Status(500)]), Named("gpt-4o", [OK])
    provider = ByName(**{"gpt-5": reasoning, "gpt-4o": plain})
    agent = Agent(name="desk", model=FallbackModel(["gpt-5", "gpt-4o"]))
    settings = ModelSettings(retry=ModelRetrySettings(max_retries=0), temperature=0.5)
    config = RunConfig(journal=MemoryJournal(), model_provider=provider, model_settings=settings)
    await Runner.run(agent, "hi", run_config=config)
    told = [model.calls[0].model_settings for model in (reasoning, plain)]
    assert [each.reasoning is not None for each in told] == [True, False]
    assert [each.temperature for each in told] == [0.5, 0.5]


async def test_a_list_serves_as_the_model_of_a_run():
    one, two = Named("one", [Status(500)]), Named("two", [OK])
    scene = Scene(Named("unused", []))
    await scene.run(config={"model": FallbackModel([one, two])})
    assert [e.model for e in await scene.events(ModelReplied)] == ["two"]


async def test_a_conversation_that_the_provider_keeps_stays_with_that_provider():
    class Placed(Named):
        def __init__(self, model: str, base_url: str, steps: Sequence[Any]) -> None:
            super().__init__(model, steps)
            self.base_url = base_url

    here, there = "https://a.example/v1", "https://b.example/v1"
    other = Placed("two", there, [OK])
    models = [Placed("one", here, [Status(500)]), other, Placed("three", here, [OK])]
    scene = Scene(FallbackModel(models))
    await scene.run(previous_response_id="resp_1")
    assert not other.calls
    assert [e.model for e in await scene.events(ModelReplied)] == ["three"]


async def test_a_chain_of_responses_stays_with_the_model_that_began_it():
    @function_tool
    def look() -> str:
        """Look."""
        return "sunny"

    one, two = Named("one", [Status(500), OK]), Named("two", [LOOKS, OK])
    one.base_url, two.base_url = "https://a.example", "https://b.example"  # pyright: ignore[reportAttributeAccessIssue]
    scene = Scene(FallbackModel([one, two]), tools=[look])
    await scene.run(auto_previous_response_id=True)
    assert [e.model for e in await scene.events(ModelReplied)] == ["two", "two"]
    assert two.calls[1].previous_response_id == "resp-789"


async def test_a_conversation_that_may_have_the_turn_already_is_not_told_it_twice():
    two = Named("two", [OK])
    scene = Scene(FallbackModel([Named("one", [Lost()]), two]))
    with pytest.raises(Lost):
        await scene.run(conversation_id="conv_1")
    assert not two.calls


async def test_a_cancelled_run_asks_nobody_else():
    begun = asyncio.Event()

    async def hang(call: ModelCall) -> Any:
        del call
        begun.set()
        await asyncio.Event().wait()

    two = Named("two", [OK])
    scene = Scene(FallbackModel([Named("one", [ModelStep(responder=hang)]), two]))
    task = asyncio.create_task(scene.run())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not two.calls


def test_a_list_needs_models_and_only_lists_hold_lists():
    for wrong in ([], "gpt-5"):
        with pytest.raises(UserError, match="list of models"):
            FallbackModel(wrong)
    with pytest.raises(UserError, match="is a name or a Model"):
        FallbackModel([1])  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="FallbackModel"):
        Paced(FallbackModel(["a", "b"]), requests_per_minute=1)
    nested = FallbackModel(["a", FallbackModel(["b", "a"]), Paced("a", requests_per_minute=5)])
    assert [member.label for member in nested.members] == ["a", "b", "a#2", "a#3"]


# --- What survives a process. ------------------------------------------------------------


class Stopped(BaseException):
    """Stands for the death of the process: no handler of ours knows it."""


class StoppingJournal(MemoryJournal):
    """Stops the run when its n-th failed attempt is committed, before anything else begins."""

    stops_at = 0

    def append(self, lease: Any, events: Any, **options: Any) -> Any:
        done = super().append(lease, events, **options)
        if self.stops_at and any(isinstance(event, EffectFailed) for event in events):
            self.stops_at -= 1
            if not self.stops_at:
                raise Stopped
        return done


async def test_a_process_killed_between_the_attempts_goes_on_with_the_next_model():
    one = Named("one", [Status(500), Status(500)])
    two = Named("two", [Status(500)])
    three = Named("three", [OK])
    scene = Scene(FallbackModel([one, two, three]))
    scene.journal = StoppingJournal()
    for _ in range(2):
        scene.journal.stops_at = 1
        with pytest.raises(Stopped):
            await scene.run()
        await scene.journal.close()  # Its owner is gone.
    result = await scene.run()
    assert result.final_output == "done"
    assert [len(model.calls) for model in (one, two, three)] == [1, 1, 1]
    (reply,) = await scene.events(ModelReplied)
    assert (reply.model, reply.usage.requests) == ("three", 3)


async def test_a_list_that_has_changed_meanwhile_goes_on_with_what_is_not_spent():
    one = Named("one", [Status(500)])
    scene = Scene(FallbackModel([one, Named("two", [])]))
    scene.journal = StoppingJournal()
    scene.journal.stops_at = 1
    with pytest.raises(Stopped):
        await scene.run()
    await scene.journal.close()
    scene.agent.model = FallbackModel([Named("new", [OK]), one])
    await scene.run()
    (reply,) = await scene.events(ModelReplied)
    assert reply.model == "new"


# --- Circuits. ---------------------------------------------------------------------------

QUICK = CircuitBreaker(failures=2, cooldown_s=60)


def unavailable(times: int) -> list[Any]:
    return [Status(503)] * times


async def test_a_model_that_keeps_failing_is_passed_over():
    one, two = Named("one", unavailable(2)), Named("two", [OK] * 5)
    scene = Scene(FallbackModel([one, two], breaker=QUICK))
    for n in range(5):
        await scene.run(f"r{n}")
    assert [len(one.calls), len(two.calls)] == [2, 5]
    assert not await scene.events(EffectFailed, "r4")


async def test_when_no_model_may_be_asked_the_error_says_from_when_on():
    scene = Scene(FallbackModel([Named("one", unavailable(2)), Named("two", unavailable(2))],
                                breaker=QUICK))  # fmt: skip
    for n in range(2):
        with pytest.raises(Status):
            await scene.run(f"r{n}")
    with pytest.raises(CircuitOpen) as caught:
        await scene.run("r")
    assert 50 < caught.value.retry_at - time.time() <= 60
    with pytest.raises(CircuitOpen) as again:  # Another process reads it from the log.
        await scene.run("r")
    assert (again.value.model, again.value.retry_at) == ("one", caught.value.retry_at)
    assert str(again.value) == str(caught.value)


async def test_a_run_may_have_a_breaker_for_a_single_model():
    model = Named("one", [*unavailable(2), OK])
    scene = Scene(model)
    for kind in (Status, Status, CircuitOpen):
        with pytest.raises(kind):
            await scene.run(f"r{kind}{model.remaining_steps}", config={"breaker": QUICK})
    await scene.run("unguarded")
    assert model.remaining_steps == 0


async def test_the_probe_closes_the_circuit_or_opens_it_for_longer():
    quick = CircuitBreaker(failures=1, cooldown_s=0.001, max_cooldown_s=0.05)
    model = Named("one", [Status(500), Status(500), OK])
    scene = Scene(model)
    key = health_key(model, "one")
    for n, opened in enumerate((1, 2)):
        with pytest.raises(Status):
            await scene.run(f"r{n}", config={"breaker": quick})
        assert scene.journal.health.get(key).circuit.opened == opened
        await asyncio.sleep(0.01)
    await scene.run("r", config={"breaker": quick})
    assert scene.journal.health.get(key).circuit.name == "closed"


async def test_a_cancelled_probe_leaves_its_place_to_the_next_call():
    begun = asyncio.Event()

    async def hang(call: ModelCall) -> Any:
        del call
        begun.set()
        await asyncio.Event().wait()

    quick = CircuitBreaker(failures=1, cooldown_s=0.001)
    scene = Scene(Named("one", [Status(500), ModelStep(responder=hang), OK]))
    with pytest.raises(Status):
        await scene.run("r0", config={"breaker": quick})
    await asyncio.sleep(0.01)
    task = asyncio.create_task(scene.run("r1", config={"breaker": quick}))
    await begun.wait()
    with pytest.raises(CircuitOpen):
        await scene.run("r2", config={"breaker": quick})
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await scene.run("r3", config={"breaker": quick})).final_output == "done"


async def test_a_bad_request_does_not_speak_against_the_model():
    model = Named("one", [Status(503), *[Status(400)] * 3, Status(503), OK])
    scene = Scene(model)
    for n in range(5):
        with pytest.raises(Status):
            await scene.run(f"r{n}", config={"breaker": QUICK})
    await scene.run("r", config={"breaker": QUICK})


async def test_a_run_without_breaker_and_limit_leaves_health_alone():
    class Untouched(MemoryJournal):
        def __init__(self) -> None:
            super().__init__()
            del self.health

    scene = Scene(Named("one", [OK]))
    scene.journal = Untouched()
    await scene.run()


class BrokenHealth(MemoryHealth):
    """Cannot be written."""

    async def change(self, key: str, change: Any) -> Any:
        raise StorageFull("no space")


async def test_an_answer_is_not_lost_because_its_health_cannot_be_written():
    model = Named("one", [Status(500), OK])
    scene = Scene(FallbackModel([model, Named("two", [OK])]))
    scene.journal.health = BrokenHealth()
    await scene.run()
    assert [e.model for e in await scene.events(ModelReplied)] == ["two"]


async def test_without_space_a_paced_run_stops_before_the_call_and_can_go_on():
    model = Named("one", [OK])
    scene = Scene(Paced(model, requests_per_minute=5))
    health, scene.journal.health = scene.journal.health, BrokenHealth()
    with pytest.raises(StorageFull):
        await scene.run()
    assert not model.calls
    scene.journal.health = health
    assert (await scene.run()).final_output == "done"


# --- Pace. -------------------------------------------------------------------------------


async def test_a_call_over_the_limit_that_would_wait_too_long_is_refused():
    model = Named("one", [OK] * 5)
    scene = Scene(Paced(model, requests_per_minute=2, max_wait_s=1))
    for n in range(2):
        await scene.run(f"r{n}")
    with pytest.raises(ModelPaced) as caught:
        await scene.run("r")
    assert caught.value.model == "one"
    assert 50 < caught.value.retry_at - time.time() <= 61
    assert len(model.calls) == 2


async def test_a_list_goes_on_to_the_next_model_instead_of_waiting():
    one, two = Named("one", [OK] * 5), Named("two", [OK] * 5)
    scene = Scene(FallbackModel([Paced(one, requests_per_minute=2), two]))
    for n in range(4):
        await scene.run(f"r{n}")
    assert [len(one.calls), len(two.calls)] == [2, 2]


class WaitingJournal(MemoryJournal):
    """Tells when a timer begins."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = asyncio.Event()

    def append(self, lease: Any, events: Any, **options: Any) -> Any:
        if any(isinstance(event, EffectStarted) and event.kind == "timer" for event in events):
            self.waits.set()
        return super().append(lease, events, **options)


async def test_a_call_waits_for_its_turn_as_a_timer_in_the_log():
    model = Named("one", [OK] * 5)
    scene = Scene(Paced(model, requests_per_minute=1))
    scene.journal = journal = WaitingJournal()
    await scene.run("r0")
    task = asyncio.create_task(scene.run())
    await journal.waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (waits,) = await scene.events(EffectFailed)
    assert (waits.error.kind, waits.model) == ("ModelPaced", "one")
    assert 50 < waits.retry_at - time.time() <= 61
    assert len(model.calls) == 1


async def kept_busy(scene: Scene, model: Model, seconds: float) -> None:
    """Let the model's limit of one call a minute be used up for about so many more seconds."""
    pacing = Pacing(requests_per_minute=1)
    begun = time.time() - 61 + seconds
    pace = with_call(Pace(), 0, begun, begun, pacing)
    key = health_key(model, "one")
    await scene.journal.health.change(key, lambda _: (Health(pace=pace), None))


async def test_a_short_wait_is_not_worth_a_timer():
    model = Named("one", [OK])
    scene = Scene(Paced(model, requests_per_minute=1))
    await kept_busy(scene, model, 1.0)
    began = time.time()
    await scene.run()
    assert not await scene.events(EffectFailed)
    slots = scene.journal.health.get(health_key(model, "one")).pace.slots
    assert slots[-1].second >= int(began)


@pytest.mark.slow
async def test_a_wait_counts_as_no_request_and_its_turn_is_used_once():
    usage = Usage(requests=1, input_tokens=900, output_tokens=200, total_tokens=1100)
    model = Named("one", [ModelStep(output=OK, usage=usage)])
    scene = Scene(Paced(model, requests_per_minute=1, tokens_per_minute=5000))
    await kept_busy(scene, model, 4.0)
    result = await scene.run()
    assert result.final_output == "done"
    assert [e.id for e in await scene.events(TimerFired)] == ["w.m1.1"]
    assert result.context_wrapper.usage.requests == 1
    slots = scene.journal.health.get(health_key(model, "one")).pace.slots
    assert [(slot.requests, slot.tokens) for slot in slots][-1:] == [(1, 1100)]


async def test_tokens_are_counted_by_what_the_answers_took():
    usage = Usage(requests=1, input_tokens=900, output_tokens=200, total_tokens=1100)
    model = Named("one", [ModelStep(output=OK, usage=usage)] * 3)
    scene = Scene(Paced(model, tokens_per_minute=1000, max_wait_s=1))
    await scene.run("r0")
    (slot,) = scene.journal.health.get(health_key(model, "one")).pace.slots
    assert (slot.requests, slot.tokens) == (1, 1100)
    with pytest.raises(ModelPaced):
        await scene.run("r1")


@pytest.mark.parametrize(
    "wrong", [{}, {"requests_per_minute": 0}, {"tokens_per_minute": 5, "max_wait_s": -1}]
)
def test_limits_that_mean_nothing_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match="requests_per_minute"):
        Paced("one", **wrong)


# --- Outside a run. ----------------------------------------------------------------------


def request() -> tuple[tuple[Any, ...], dict[str, Any]]:
    positional = (None, "hi", ModelSettings(), [], None, [], ModelTracing.DISABLED)
    named = {"previous_response_id": None, "conversation_id": None, "prompt": None}
    return positional, named


async def test_asked_directly_the_members_are_tried_in_order():
    args, more = request()
    list_of = FallbackModel([Named("one", [Lost(), Lost()]), Named("two", [OK, OK])])
    response = await list_of.get_response(*args, **more)
    assert response.output[0].content[0].text == "done"
    kinds = [event.type async for event in list_of.stream_response(*args, **more)]
    assert kinds[-1] == "response.completed"


async def test_asked_directly_the_last_error_is_raised():
    args, more = request()
    paced = Paced(Named("two", [Status(500)] * 2), requests_per_minute=1)
    list_of = FallbackModel([Named("one", [Lost()] * 2), paced])
    with pytest.raises(Status):
        await list_of.get_response(*args, **more)
    with pytest.raises(Status):
        _ = [event async for event in list_of.stream_response(*args, **more)]
