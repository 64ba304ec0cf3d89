"""An effect whose worker is gone is in doubt alone: its siblings and its run go on."""

import asyncio
from typing import Any

import pytest

from outlast import Agent, ModelResponse, RunConfig, Runner, Usage, function_tool
from outlast.core.effects import Effect
from outlast.core.events import EffectLost
from outlast.core.evolve import fold
from outlast.definitions.context import ToolContext
from outlast.definitions.model import Model
from outlast.effects.outcome import Emit, Outcome
from outlast.engine.env import RunEnv
from outlast.engine.local import LocalEngine
from outlast.journal import MemoryJournal
from outlast.run.runner import AgentRunner, set_default_agent_runner
from outlast.testing import assistant_message, function_call


class Flaky(LocalEngine):
    """Loses the first attempt of an effect of each name, after it was performed."""

    __slots__ = ("lost",)

    def __init__(self, env: RunEnv, lost: set[str]) -> None:
        super().__init__(env)
        self.lost = lost

    async def perform(self, effect: Effect, emit: Emit) -> Outcome:
        outcome = await super().perform(effect, emit)
        if effect.id not in self.lost:
            return outcome
        self.lost.remove(effect.id)
        return Outcome([EffectLost(effect.id)])


class Script(Model):
    def __init__(self, *steps: Any) -> None:
        self.steps, self.heard = list(steps), []

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        self.heard = args[1]
        return ModelResponse(self.steps.pop(0), Usage(requests=1), None)

    def stream_response(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def loses():
    """Lets the engine lose the effects of some ids, each once."""

    def lose(*ids: str) -> None:
        lost = set(ids)
        set_default_agent_runner(AgentRunner(engine=lambda env: Flaky(env, lost)))

    yield lose
    set_default_agent_runner(None)


def program(policy: Any) -> tuple[Agent[Any], list[str], Script]:
    done: list[str] = []

    @function_tool(on_uncertain=policy)
    async def pay(ctx: ToolContext[Any]) -> str:
        done.append(f"pay {ctx.idempotency_key}")
        return "paid"

    @function_tool
    async def look() -> str:
        done.append("look")
        await asyncio.sleep(0)
        return "seen"

    calls = [function_call("pay", {}, call_id="p"), function_call("look", {}, call_id="l")]
    model = Script(calls, [assistant_message("done")])
    return Agent(name="desk", model=model, tools=[pay, look]), done, model


def outputs(model: Script) -> dict[str, str]:
    return {item["call_id"]: item["output"] for item in model.heard if "output" in item}


async def test_a_tool_that_may_run_again_does_so_under_the_same_key(loses: Any):
    agent, done, model = program("retry")
    loses("t1.p")
    await Runner.run(agent, "go", run_config=RunConfig(journal=MemoryJournal()))
    pays = [line for line in done if line.startswith("pay")]
    assert (len(pays), len(set(pays)), done.count("look")) == (2, 1, 1)
    assert outputs(model) == {"p": "paid", "l": "seen"}


async def test_of_a_tool_that_must_not_run_twice_the_model_hears_that_nobody_knows(loses: Any):
    agent, done, model = program("once")
    loses("t1.p")
    await Runner.run(agent, "go", run_config=RunConfig(journal=MemoryJournal()))
    assert len(done) == 2
    assert "unknown" in outputs(model)["p"]
    assert outputs(model)["l"] == "seen"


async def test_about_a_tool_that_asks_a_person_decides_and_its_sibling_is_done(loses: Any):
    agent, done, model = program("ask")
    loses("t1.p")
    config = RunConfig(journal=MemoryJournal())
    result = await Runner.run(agent, "go", run_config=config)
    assert [item.call_id for item in result.interruptions] == ["p"]
    assert "look" in done
    state = result.to_state()
    state.approve(result.interruptions[0])
    await Runner.run(agent, state, run_config=config)
    assert outputs(model) == {"p": "paid", "l": "seen"}


async def test_a_model_call_that_was_lost_is_made_again(loses: Any):
    agent, _, model = program("retry")
    model.steps.insert(0, [assistant_message("lost")])
    loses("m1")
    result = await Runner.run(agent, "go", run_config=RunConfig(journal=MemoryJournal()))
    assert result.final_output == "done"


async def test_an_effect_that_nobody_performs_cannot_be_lost():
    state = fold([EffectLost("t1.p")])
    assert (state.in_doubt, state.in_flight) == ({}, {})
