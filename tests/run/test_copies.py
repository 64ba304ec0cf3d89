"""What a caller, a tool or a hook does to what it was handed changes neither the log nor the run."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    HandoffInputData,
    InputGuardrail,
    RunConfig,
    RunHooks,
    Runner,
    RunResult,
    function_tool,
    handoff,
    input_guardrail,
)
from outlast.effects.config import CallModelData, ModelInputData
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


def spoil(items: list[Any]) -> None:
    for item in items:
        if isinstance(item, dict):
            item["content"] = item["output"] = "spoilt"
            item.pop("type", None)
    items.append({"role": "user", "content": "spoilt"})


class Spoiling(RunHooks[Any]):
    async def on_agent_start(self, context: Any, agent: Any) -> None:
        spoil(context.turn_input)

    async def on_llm_start(self, context: Any, agent: Any, prompt: Any, items: Any) -> None:
        spoil(items)


def spoiling_check(_: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
    spoil(given)
    return GuardrailFunctionOutput(None, tripwire_triggered=False)


def spoiling_filter(data: CallModelData[Any]) -> ModelInputData:
    kept = copy.deepcopy(data.model_data)
    spoil(data.model_data.input)
    return kept


def spoiling_handoff(data: HandoffInputData) -> HandoffInputData:
    kept = copy.deepcopy(data)
    spoil([*data.input_history])
    for item in (*data.pre_handoff_items, *data.new_items):
        spoil([item.raw_item])
    return kept


@function_tool
async def look(ctx: Any, tags: list[str]) -> list[str]:
    tags.append("spoilt")
    return ["found"]


def desk() -> tuple[Agent[Any], ScriptedModel]:
    heard = ScriptedModel([[assistant_message("bye")]])
    clerk = Agent[Any](name="clerk", model=heard)
    script = [
        [function_call("look", {"tags": ["a"]}, call_id="1")],
        [function_call("transfer_to_clerk", {}, call_id="h")],
    ]
    first = Agent[Any](
        name="desk",
        model=ScriptedModel(script),
        tools=[look],
        handoffs=[handoff(clerk, input_filter=spoiling_handoff)],
        input_guardrails=[InputGuardrail(spoiling_check, "g", run_in_parallel=False)],
    )
    return first, heard


async def test_what_user_code_does_to_what_it_is_handed_changes_no_log_and_no_call():
    first, heard = desk()
    journal, given = MemoryJournal(), [{"role": "user", "content": "hi"}]
    config = RunConfig(journal=journal, call_model_input_filter=spoiling_filter)
    result = await Runner.run(first, given, run_id="r", hooks=Spoiling(), run_config=config)
    assert "spoilt" not in repr(heard.calls[0].input)
    assert "spoilt" not in repr([each.event for each in await journal.read("r")])
    assert "spoilt" not in repr(result.to_input_list())
    assert given == [{"role": "user", "content": "hi"}]


async def test_what_the_caller_does_to_its_input_and_to_a_result_stays_there():
    agent = Agent[Any](
        name="a",
        model=ScriptedModel(
            [[function_call("look", {"tags": []}, call_id="1")], [assistant_message("ok")]]
        ),
    )
    agent.tools, agent.tool_use_behavior = [look], "stop_on_first_tool"
    journal, given = MemoryJournal(), [{"role": "user", "content": [{"text": "hi"}]}]
    result = await Runner.run(agent, given, run_id="r", run_config=RunConfig(journal=journal))
    before, log = repr(result.to_input_list()), repr(await journal.read("r"))
    spoil(given)
    given[0]["content"] = "spoilt"
    assert repr(result.to_input_list()) == before
    spoil(result.input)
    for item in result.new_items:
        spoil([item.raw_item])
    spoil(result.to_input_list())
    assert repr(await journal.read("r")) == log
    again = await Runner.run(agent, "", run_id="r", run_config=RunConfig(journal=journal))
    assert "spoilt" not in repr(again.to_input_list())


async def finished(home: Path, context: Any = None, *, is_streamed: bool = False) -> Any:
    @input_guardrail
    def kind(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput({"kind": True}, tripwire_triggered=False)

    agent = Agent[Any](name="a", tools=[look], input_guardrails=[kind])
    agent.model = ScriptedModel(
        [[function_call("look", {"tags": []}, call_id="1")], [assistant_message("hello")]]
    )
    config = RunConfig(journal=str(home / "runs.db"))
    if not is_streamed:
        return await Runner.run(agent, "hi", context=context, run_config=config)
    result = Runner.run_streamed(agent, "hi", context=context, run_config=config)
    async for _ in result.stream_events():
        pass
    return result


async def test_a_deep_copy_has_items_of_its_own_and_the_same_program(tmp_path: Path):
    for is_streamed in (False, True):
        result = await finished(tmp_path, {"n": [1]}, is_streamed=is_streamed)
        twin = copy.deepcopy(result)
        assert twin.to_input_list() == result.to_input_list()
        twin.new_items.clear()
        twin.context_wrapper.context["n"].append(2)
        assert len(result.new_items) == 3
        assert result.context_wrapper.context == {"n": [1]}
        assert twin.last_agent is result.last_agent
        assert twin.run_id == result.run_id
        assert copy.copy(result).new_items is result.new_items


async def test_what_cannot_be_copied_is_shared(tmp_path: Path):
    lock = threading.Lock()
    twin = copy.deepcopy(await finished(tmp_path, lock))
    assert twin.context_wrapper.context is lock


async def test_a_pickled_result_keeps_its_data_and_the_names_of_the_program(tmp_path: Path):
    result = await finished(tmp_path)
    twin: RunResult = pickle.loads(pickle.dumps(result))  # our own
    assert twin.final_output == "hello"
    assert twin.to_input_list() == result.to_input_list()
    assert twin.last_agent.name == "a"
    (check,) = twin.input_guardrail_results
    assert (check.guardrail.get_name(), check.output.output_info) == ("kind", {"kind": True})


async def test_copies_of_a_waiting_state_are_decided_on_apart(tmp_path: Path):
    @function_tool(needs_approval=True)
    async def pay() -> str:
        return "paid"

    agent = Agent[Any](name="a", tools=[pay])
    agent.model = ScriptedModel(
        [[function_call("pay", {}, call_id="1")], *[[assistant_message("done")]] * 3]
    )
    config = RunConfig(journal=str(tmp_path / "runs.db"))
    state = (await Runner.run(agent, "hi", context={"n": [1]}, run_config=config)).to_state()
    for twin in (copy.copy(state), copy.deepcopy(state)):
        (call,) = twin.get_interruptions()
        twin.reject(call, rejection_message="no")
        assert "no" in repr((await Runner.run(agent, twin, run_config=config)).to_input_list())
    (call,) = state.get_interruptions()
    state.approve(call)
    assert "paid" in repr((await Runner.run(agent, state, run_config=config)).to_input_list())
