"""What a caller holds of a run: results that can be made by hand, cancelled, and kept in models."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from outlast import (
    Agent,
    MultiProvider,
    OutputGuardrail,
    RunConfig,
    RunContextWrapper,
    Runner,
    RunResult,
    RunResultStreaming,
    ShellTool,
    UserError,
    function_tool,
)
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call

ADA = Agent[Any](name="Ada")
BEGINNING = ("hi", [], [], "ok", [], [], [], [], RunContextWrapper(None), ADA)
DONE = assistant_message("done")


def test_a_result_can_be_made_by_position():
    result = RunResult(*BEGINNING)
    assert (result.input, result.final_output, result.last_agent) == ("hi", "ok", ADA)
    assert result.interruptions == []


def test_a_streamed_result_can_be_made_by_position():
    result = RunResultStreaming(*BEGINNING, 2, 5, None, None)
    assert (result.current_turn, result.max_turns, result.trace) == (2, 5, None)
    assert result.last_agent is result.current_agent is ADA
    assert not result.is_complete


async def test_items_and_responses_are_made_once_and_outlive_the_release_of_agents():
    agent = Agent(name="a", model=ScriptedModel([[assistant_message("hi")]]))
    result = await Runner.run(agent, "go", run_config=RunConfig(journal="memory"))
    copied = copy.copy(result)
    result.release_agents(release_new_items=False)
    (item,), (response,) = result.new_items, result.raw_responses
    assert result.new_items[0] is item
    assert copied.new_items == [item]
    assert response.output[0] == item.raw_item
    assert not hasattr(result, "new_item")


def test_users_models_hold_results_and_agents_as_they_are():
    class Held(BaseModel):
        result: RunResult | RunResultStreaming
        agent: Agent

    result = RunResult(*BEGINNING)
    held = Held(result=result, agent=ADA)
    assert held.result is result
    assert held.agent is ADA
    with pytest.raises(ValidationError):
        Held(result="ok", agent=ADA)


async def test_cancelling_again_does_not_stop_the_cleaning_up(monkeypatch: pytest.MonkeyPatch):
    began, closing, may_close = asyncio.Event(), asyncio.Event(), asyncio.Event()
    closed: list[str] = []

    async def events(_call: Any) -> AsyncIterator[Any]:
        began.set()
        await asyncio.Event().wait()
        yield None

    async def aclose(_provider: MultiProvider) -> None:
        closing.set()
        await may_close.wait()
        closed.append("closed")

    monkeypatch.setattr(MultiProvider, "aclose", aclose)
    agent = Agent[Any](name="Ada", model=ScriptedModel([ModelStep.stream(events)]))
    result = Runner.run_streamed(agent, "hi")
    await began.wait()
    result.cancel()
    await closing.wait()
    result.cancel()
    may_close.set()
    async for _event in result.stream_events():
        pass
    assert closed == ["closed"]


async def test_a_provider_s_shell_call_without_its_output_is_not_sent_back():
    call = {
        "type": "shell_call", "call_id": "s1", "id": "s1", "status": "in_progress",
        "action": {"commands": ["ls"], "timeout_ms": 1},
    }  # fmt: skip
    model = ScriptedModel([[call], [DONE]])
    shell = ShellTool(environment={"type": "container_auto"})
    agent = Agent[Any](name="Ada", model=model, tools=[shell])
    assert (await Runner.run(agent, "list")).final_output == "done"
    assert model.calls[-1].input == [{"content": "list", "role": "user"}]


async def test_messages_that_say_the_same_are_all_told_after_two_handoffs_with_summaries():
    same = assistant_message("same")

    @function_tool
    def work() -> str:
        return "worked"

    last = Agent[Any](name="last", model=ScriptedModel([[same]]))
    to_last = function_call("transfer_to_last", {}, call_id="h2")
    second_model = ScriptedModel([[same, function_call("work", {}, call_id="w")], [same, to_last]])
    second = Agent[Any](name="second", model=second_model, tools=[work], handoffs=[last])
    to_second = function_call("transfer_to_second", {}, call_id="h1")
    first = Agent[Any](name="first", model=ScriptedModel([[same, to_second]]), handoffs=[second])

    result = await Runner.run(first, "go", run_config=RunConfig(nest_handoff_history=True))

    told: list[Any] = [item for item in result.to_input_list() if item.get("type") == "message"]
    assert [item["content"][0]["text"] for item in told] == ["same"] * 4


class ReadOnly:
    """A session that takes the input and nothing else."""

    session_id = "read-only"
    session_settings = None

    def __init__(self) -> None:
        self.items: list[Any] = []

    async def get_items(self, limit: int | None = None) -> list[Any]:
        return list(self.items)

    async def add_items(self, items: list[Any]) -> None:
        if self.items:
            raise UserError("the session is full")
        self.items += items


async def test_a_stand_in_output_that_was_not_saved_is_no_item_of_the_failed_run():
    with pytest.raises(UserError, match="the session is full") as caught:
        await Runner.run(
            Agent[Any](name="Ada", model=ScriptedModel([])),
            "hi",
            max_turns=0,
            session=ReadOnly(),
            error_handlers={"max_turns": lambda _data: "instead"},
        )
    assert caught.value.run_data is not None
    assert caught.value.run_data.new_items == []


async def to_its_end(agent: Agent[Any], is_streamed: bool) -> None:
    if not is_streamed:
        await Runner.run(agent, "hi", session=ReadOnly())
        return
    async for _event in Runner.run_streamed(agent, "hi", session=ReadOnly()).stream_events():
        pass


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_an_error_of_the_session_tells_of_the_guardrail_that_failed_before(is_streamed: bool):
    def check(_context: Any, _agent: Any, _output: Any) -> Any:
        raise RuntimeError("the guardrail failed")

    guardrail = OutputGuardrail[Any](guardrail_function=check)
    model = ScriptedModel([[DONE]])
    agent = Agent[Any](name="Ada", model=model, output_guardrails=[guardrail])
    with pytest.raises(UserError, match="the session is full") as caught:
        await to_its_end(agent, is_streamed)
    assert repr(caught.value.__context__) == "RuntimeError('the guardrail failed')"


async def test_of_two_readers_of_a_stream_both_end():
    result = Runner.run_streamed(Agent[Any](name="Ada", model=ScriptedModel([[DONE]])), "hi")

    async def read() -> int:
        return len([event async for event in result.stream_events()])

    counts = await asyncio.wait_for(asyncio.gather(read(), read()), timeout=60)
    assert sum(counts) > 0


async def test_a_resume_with_its_arguments_in_the_wrong_order_says_which_is_right():
    wrong: Any = (ADA, "order-17")
    with pytest.raises(UserError, match=r"Write Runner\.resume\(run_id, agent\)"):
        await Runner.resume(*wrong)
