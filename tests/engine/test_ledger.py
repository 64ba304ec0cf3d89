"""What calls have cost stands in the log, once; the context's usage is a view of it."""

from typing import Any

import pytest

from outlast import (
    Agent,
    ModelBehaviorError,
    ModelResponse,
    ModelRetryBackoffSettings,
    ModelRetrySettings,
    ModelSettings,
    RunConfig,
    RunContextWrapper,
    Runner,
    Usage,
    function_tool,
)
from outlast.core.evolve import fold
from outlast.core.usage import facts_of
from outlast.definitions.model import Model
from outlast.journal import MemoryJournal
from outlast.testing import assistant_message, function_call


class Script(Model):
    """Plays its steps; each call costs 10 tokens in and 1 out. An error among them is raised."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return ModelResponse(step, Usage(1, 10, None, 1, None, 11), None)

    def stream_response(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


@function_tool
async def look(order: int) -> str:
    return f"order {order}"


@function_tool(needs_approval=True)
async def pay() -> str:
    return "paid"


def call(call_id: str, order: int = 1) -> Any:
    return function_call("look", {"order": order}, call_id=call_id)


SAY = [assistant_message("done")]
REFUSED = [call("a", 1), call("a", 2)]  # One id for two invocations.
AGAIN = ModelSettings(
    retry=ModelRetrySettings(
        max_retries=2, policy=lambda _: True, backoff=ModelRetryBackoffSettings(initial_delay=0.001)
    )
)


async def in_log(journal: MemoryJournal, run_id: str = "r") -> Any:
    return fold([stored.event for stored in await journal.read(run_id)]).usage


async def play(agent: Agent[Any], journal: MemoryJournal, *, resumes: bool = False) -> Any:
    """The usage that the context shows when the run has ended, however it has."""
    context = RunContextWrapper[Any](None)
    options: dict[str, Any] = {"context": context, "run_config": RunConfig(journal=journal)}
    try:
        if resumes:
            await Runner.resume("r", agent, **options)
        else:
            await Runner.run(agent, "hi", run_id="r", **options)
    except (ModelBehaviorError, ConnectionError):
        pass
    return context.usage


@pytest.mark.parametrize(
    ("steps", "requests"),
    [
        pytest.param([SAY], 1, id="one reply"),
        pytest.param([[call("a")], [call("b")], SAY], 3, id="tools"),
        pytest.param([REFUSED], 1, id="a reply that is refused"),
        pytest.param([[call("a")], REFUSED], 2, id="a reply that is refused later"),
        pytest.param([ConnectionError("away"), SAY], 2, id="a failed attempt before the reply"),
        pytest.param([ConnectionError("away"), REFUSED], 2, id="a refused reply after an attempt"),
    ],
)
async def test_the_context_shows_what_the_log_counts(steps: list[Any], requests: int):
    journal = MemoryJournal()
    agent = Agent(name="desk", model=Script(*steps), model_settings=AGAIN, tools=[look])
    usage = await play(agent, journal)
    assert facts_of(usage) == await in_log(journal)
    assert usage.requests == requests
    assert usage.total_tokens == 11 * sum(not isinstance(step, Exception) for step in steps)


async def test_a_run_that_goes_on_elsewhere_counts_what_was_refused_before():
    journal = MemoryJournal()
    tools = [look]
    await play(Agent(name="desk", model=Script([call("a")], REFUSED), tools=tools), journal)
    usage = await play(Agent(name="desk", model=Script(SAY), tools=tools), journal, resumes=True)
    assert facts_of(usage) == await in_log(journal)
    assert (usage.requests, usage.total_tokens) == (3, 33)


async def test_requests_are_told_apart_as_far_as_this_process_has_seen_them():
    agent = Agent(name="desk", model=Script([call("a")], SAY), tools=[look])
    usage = await play(agent, MemoryJournal())
    assert [entry.total_tokens for entry in usage.request_usage_entries] == [11, 11]


@pytest.mark.parametrize("is_stored", [False, True])
async def test_an_agent_that_is_a_tool_and_waits_is_counted_once(is_stored: bool):
    def agents(*left: int) -> Agent[Any]:
        inner_steps = [[function_call("pay", {}, call_id="p")], SAY][left[0] :]
        outer_steps = [[function_call("ask", {"input": "?"}, call_id="o")], SAY][left[0] :]
        inner = Agent(name="inner", model=Script(*inner_steps), tools=[pay])
        asking = inner.as_tool("ask", "asks")
        return Agent(name="outer", model=Script(*outer_steps), tools=[asking])

    journal = MemoryJournal()
    config = RunConfig(journal=journal)
    waiting = await Runner.run(agents(0), "hi", run_id="r", run_config=config)
    state = waiting.to_state()
    state.approve(waiting.interruptions[0])
    desk = agents(1)
    if is_stored:
        state = await type(state).from_string(desk, state.to_string())
    result = await Runner.run(desk, state, run_config=config)
    usage = result.context_wrapper.usage
    assert (usage.requests, usage.total_tokens) == (4, 44)
    assert facts_of(usage) == await in_log(journal)


async def test_a_run_that_is_taken_up_by_its_id_counts_its_child_once():
    journal = MemoryJournal()
    config = RunConfig(journal=journal)

    def desk(inner_steps: list[Any], outer_steps: list[Any]) -> Agent[Any]:
        inner = Agent(name="inner", model=Script(*inner_steps), tools=[pay])
        model = Script(*outer_steps)
        return Agent(name="outer", model=model, tools=[inner.as_tool("ask", "asks")])

    asks = [function_call("ask", {"input": "?"}, call_id="o")]
    first = desk([[function_call("pay", {}, call_id="p")]], [asks])
    waiting = await Runner.run(first, "hi", run_id="r", run_config=config)
    await Runner.approve("r", waiting.interruptions[0].call_id, run_config=config)
    context = RunContextWrapper[Any](None)
    options: dict[str, Any] = {"context": context, "run_config": config}
    await Runner.resume("r", desk([SAY], [SAY]), **options)
    assert (context.usage.requests, context.usage.total_tokens) == (4, 44)
    assert facts_of(context.usage) == await in_log(journal)
