"""What of a turn is seen, where, and in which order: by user code, by a reader, after a cut."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    Runner,
    SQLiteSession,
    function_tool,
    handoff,
    input_guardrail,
    output_guardrail,
)
from outlast.testing import ScriptedModel, assistant_message, function_call

MEMORY = RunConfig(journal="memory")
FINE = GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


def texts(context: RunContextWrapper[Any]) -> list[Any]:
    return [item.get("content") for item in context.turn_input]


class Places(RunHooks[Any]):
    """Notes what each place of user code finds in `context.turn_input`."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Any]] = {}

    def note(self, place: str, context: RunContextWrapper[Any]) -> None:
        self.seen.setdefault(place, []).extend(texts(context))

    async def on_agent_start(self, context, agent):
        self.note("agent start", context)

    async def on_agent_end(self, context, agent, output):
        self.note("agent end", context)

    async def on_llm_start(self, context, agent, system_prompt, input_items):
        self.note("model start", context)

    async def on_llm_end(self, context, agent, response):
        self.note("model end", context)

    async def on_tool_start(self, context, agent, tool):
        self.note("tool start", context)

    async def on_tool_end(self, context, agent, tool, result):
        self.note("tool end", context)


def program(places: Places) -> Agent[Any]:
    @function_tool(is_enabled=lambda context, _: places.note("tool enabled", context) or True)
    def look(context: RunContextWrapper[Any]) -> str:
        places.note("tool", context)
        return "seen"

    @input_guardrail
    def before(context, agent, items):
        places.note("input guardrail", context)
        return FINE

    @output_guardrail
    def after(context, agent, output):
        places.note("output guardrail", context)
        return FINE

    other = handoff(
        Agent(name="Other"),
        is_enabled=lambda context, _: places.note("handoff enabled", context) or True,
    )
    return Agent(
        name="First",
        instructions=lambda context, _: places.note("instructions", context) or "Be brief.",
        tools=[look],
        handoffs=[other],
        input_guardrails=[before],
        output_guardrails=[after],
        model=ScriptedModel([[function_call("look", {}, call_id="1")], [assistant_message("ok")]]),
    )


@pytest.mark.parametrize("history", [[], [{"role": "user", "content": "old"}]])
async def test_every_place_of_user_code_finds_the_runs_input(history: list[Any]):
    places, session = Places(), SQLiteSession("ada")
    await session.add_items(history)
    await Runner.run(program(places), "new", hooks=places, session=session, run_config=MEMORY)
    session.close()
    expected = {item["content"] for item in history} | {"new"}
    assert len(places.seen) == 12
    assert {place: set(found) for place, found in places.seen.items()} == dict.fromkeys(
        places.seen, expected
    )


async def test_user_code_that_changes_its_turn_input_changes_no_model_call():
    model = ScriptedModel([[assistant_message("ok")]])

    def instructions(context: RunContextWrapper[Any], agent: Agent[Any]) -> str:
        context.turn_input[0]["content"] = "changed"
        context.turn_input.clear()
        return "Be brief."

    await Runner.run(
        Agent(name="a", instructions=instructions, model=model), "hi", run_config=MEMORY
    )
    assert model.calls[0].input == [{"role": "user", "content": "hi"}]


def three_calls() -> Agent[Any]:
    @function_tool
    def look() -> str:
        return "seen"

    calls = [
        function_call("transfer_to_b", {}, call_id="to-b"),
        function_call("look", {}, call_id="look"),
        function_call("transfer_to_c", {}, call_id="to-c"),
    ]
    last = ScriptedModel([[assistant_message("bye")]])
    return Agent(
        name="A",
        tools=[look],
        handoffs=[Agent(name="B", model=last), Agent(name="C")],
        model=ScriptedModel([calls]),
    )


async def test_a_handoff_is_answered_after_all_other_calls_of_its_reply():
    result = await Runner.run(three_calls(), "hi", run_config=MEMORY)
    outputs = [item for item in result.to_input_list() if str(item.get("type")).endswith("_output")]
    assert [item["call_id"] for item in outputs] == ["look", "to-c", "to-b"]


async def test_a_reader_is_told_of_a_handoff_after_all_other_calls_of_its_reply():
    stream = Runner.run_streamed(three_calls(), "hi", run_config=MEMORY)
    names = [
        event.name
        async for event in stream.stream_events()
        if event.type == "run_item_stream_event"
    ]
    assert names[3:6] == ["tool_output", "tool_output", "handoff_occured"]


def one_tool() -> Agent[Any]:
    @function_tool
    def look() -> str:
        return "seen"

    script = [[function_call("look", {}, call_id="1")], [assistant_message("ok")]]
    return Agent(name="A", tools=[look], model=ScriptedModel(script))


async def test_a_stream_that_is_cut_leaves_no_call_without_its_output():
    stream = Runner.run_streamed(one_tool(), "hi", run_config=MEMORY)
    async for event in stream.stream_events():
        if getattr(event, "name", "") == "tool_called":
            stream.cancel()
    assert stream.to_input_list() == [{"content": "hi", "role": "user"}]
    assert (stream.new_items, stream.raw_responses) == ([], [])


async def test_a_run_that_was_cut_before_its_tool_ended_goes_on_with_that_tool():
    agent = one_tool()
    stream = Runner.run_streamed(agent, "hi", run_config=MEMORY)
    async for event in stream.stream_events():
        if getattr(event, "name", "") == "tool_called":
            stream.cancel()
    result = await Runner.run(agent, stream.to_state(), run_config=MEMORY)
    assert result.final_output == "ok"
    assert [item.type for item in result.new_items][:2] == [
        "tool_call_item",
        "tool_call_output_item",
    ]


async def test_a_run_that_is_to_end_after_its_turn_has_one_turn():
    stream = Runner.run_streamed(one_tool(), "hi", run_config=MEMORY)
    async for event in stream.stream_events():
        if event.type == "agent_updated_stream_event":
            stream.cancel("after_turn")
    assert [item.type for item in stream.new_items] == ["tool_call_item", "tool_call_output_item"]
    assert stream.current_turn == 1
