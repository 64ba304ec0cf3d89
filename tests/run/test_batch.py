"""Many runs of one agent: in order, bounded, and gone on with."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from outlast import Agent, Model, ModelResponse, Runner, Usage, UserError, run_batch
from outlast.core.errors import AgentsException
from outlast.models.streaming import reply_events
from outlast.testing import assistant_message


class Echo(Model):
    """Says what it was asked, later ones first, and counts who is at it."""

    def __init__(self, refused: str = "") -> None:
        self.refused = refused
        self.now = self.most = 0
        self.asked: list[str] = []
        self.turn = asyncio.Condition()

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        text = args[1] if isinstance(args[1], str) else args[1][-1]["content"]
        self.asked.append(text)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            for _ in range(20 - int(text)):  # Later inputs are answered before earlier ones.
                await asyncio.sleep(0)
            if text == self.refused:
                raise ValueError(text)
        finally:
            self.now -= 1
        return ModelResponse([assistant_message(f"echo {text}")], Usage(), None)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        for event in reply_events(await self.get_response(*args, **kwargs), model="echo"):
            yield event


def agent_of(model: Model) -> Agent[Any]:
    return Agent(name="echo", model=model)


INPUTS = [str(n) for n in range(12)]


@pytest.mark.parametrize("at_once", [1, 3, 50])
async def test_results_stand_in_the_order_of_inputs_and_so_many_are_under_way(at_once: int):
    model = Echo()
    results = await run_batch(agent_of(model), INPUTS, at_once=at_once)
    assert [each.final_output for each in results] == [f"echo {n}" for n in INPUTS]
    assert model.most == min(at_once, len(INPUTS))


async def test_a_batch_of_nothing_is_nothing():
    assert await run_batch(agent_of(Echo()), []) == []


async def test_an_error_stands_in_its_place_if_that_is_wanted():
    results = await run_batch(agent_of(Echo("4")), INPUTS, at_once=2, return_exceptions=True)
    assert isinstance(results[4], Exception)
    assert [each.final_output for n, each in enumerate(results) if n != 4] == [
        f"echo {n}" for n in INPUTS if n != "4"
    ]


async def test_the_first_error_ends_the_batch_otherwise():
    model = Echo("1")
    with pytest.raises(ValueError, match="1"):
        await run_batch(agent_of(model), INPUTS, at_once=2)
    assert len(model.asked) < len(INPUTS)
    assert model.now == 0


async def test_the_same_batch_again_asks_only_what_has_not_ended():
    with pytest.raises(ValueError, match="5"):
        await run_batch(agent_of(Echo("5")), INPUTS, at_once=1, name="nightly")
    model = Echo()
    results = await run_batch(
        agent_of(model), INPUTS, at_once=3, name="nightly", return_exceptions=True
    )
    done = [each for each in results if not isinstance(each, AgentsException)]
    assert len(done) >= 11
    assert not {"0", "1", "2", "3", "4"} & {*model.asked}
    result = await Runner.run(agent_of(Echo()), "0", run_id="nightly-0")
    assert result.final_output == "echo 0"


@pytest.mark.parametrize("wrong", [{"at_once": 0}, {"run_id": "one"}])
async def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]):
    with pytest.raises(UserError, match=r"\.$"):
        await run_batch(agent_of(Echo()), INPUTS, **wrong)
