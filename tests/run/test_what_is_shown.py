"""What results, errors and events show of a run that asked a person, went on, or was refused."""

import asyncio
from typing import Any

import pytest
from openai.types.responses import ResponseCustomToolCall

from outlast import (
    Agent,
    CustomTool,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    ModelBehaviorError,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    Runner,
    RunState,
    ShellTool,
    SQLiteSession,
    ToolApprovalItem,
    ToolTimeoutError,
    UserError,
    function_tool,
    handoff,
    input_guardrail,
    output_guardrail,
)
from outlast.definitions.handoff_history import remove_all_tools
from outlast.testing import ScriptedModel, assistant_message, function_call


@function_tool(needs_approval=True)
def ask(x: int = 0) -> str:
    """Ask."""
    return f"asked {x}"


@function_tool
def tell(x: int = 0) -> str:
    """Tell."""
    return f"told {x}"


def calls(*ids: str) -> list[Any]:
    """A reply that calls `ask` for ids that begin with an a, and `tell` for all others."""
    return [
        function_call("ask" if each[0] == "a" else "tell", {"x": n}, call_id=each)
        for n, each in enumerate(ids)
    ]


def shown(result: Any) -> list[str]:
    """The new items, each as a letter and the id of its call."""
    letters = {"tool_call_item": "c", "tool_approval_item": "?", "tool_call_output_item": "="}
    return [
        letters[item.type] + item.call_id if item.type in letters else "m"
        for item in result.new_items
    ]


ORDERS: dict[tuple[str, ...], tuple[list[str], list[str]]] = {
    ("a1", "t2"): (["ca1", "ct2", "?a1", "=t2"], ["=a1", "m"]),
    ("t2", "a1"): (["ct2", "ca1", "=t2", "?a1"], ["=a1", "m"]),
    ("t2", "a1", "t3"): (["ct2", "ca1", "ct3", "=t2", "?a1", "=t3"], ["=a1", "m"]),
    ("a1", "a4", "t2"): (["ca1", "ca4", "ct2", "?a1", "?a4", "=t2"], ["=a1", "=a4", "m"]),
}


@pytest.mark.parametrize("ids", list(ORDERS), ids=",".join)
@pytest.mark.parametrize("is_stored", [False, True], ids=["same process", "stored"])
async def test_a_question_stands_where_it_was_asked_and_stays_there(
    ids: tuple[str, ...], is_stored: bool
):
    model = ScriptedModel([calls(*ids), [assistant_message("done")]])
    agent = Agent(name="A", tools=[ask, tell], model=model)
    paused = await Runner.run(agent, "hi")
    before, after = ORDERS[ids]
    assert shown(paused) == before
    state = paused.to_state()
    for item in state.get_interruptions():
        state.approve(item)
    if is_stored:
        state = await RunState.from_string(agent, state.to_string())
    done = await Runner.run(agent, state)
    assert shown(done) == before + after
    assert not any(item.get("type") == "tool_approval_item" for item in done.to_input_list())


async def test_a_question_of_a_nested_run_is_an_interruption_and_no_item():
    inner = Agent(name="B", tools=[ask], model=ScriptedModel([calls("a1")]))
    model = ScriptedModel([[function_call("sub", {"input": "q"}, call_id="s")]])
    outer = Agent(name="A", tools=[inner.as_tool("sub", "d")], model=model)
    result = await Runner.run(outer, "hi")
    assert len(result.interruptions) == 1
    assert shown(result) == ["cs"]


async def test_what_the_program_decides_itself_is_no_question():
    async def approves(_context: Any, _item: ToolApprovalItem) -> Any:
        return {"approve": True}

    shell = ShellTool(executor=lambda _: "ok", needs_approval=True, on_approval=approves)
    call: Any = {
        "type": "shell_call",
        "id": "s",
        "call_id": "s1",
        "status": "completed",
        "action": {"commands": ["ls"]},
    }
    model = ScriptedModel([[call], [assistant_message("done")]])
    result = await Runner.run(Agent(name="A", tools=[shell], model=model), "hi")
    assert [item.type for item in result.new_items if item.type == "tool_approval_item"] == []


async def test_a_copy_of_a_run_does_not_tell_again_what_the_original_told():
    script = [calls("a1", "t2"), *[[assistant_message("done")]] * 2]
    agent = Agent(name="A", tools=[ask, tell], model=ScriptedModel(script))
    paused = await Runner.run(agent, "hi")
    for decide in ("approve", "reject"):
        state = paused.to_state()
        getattr(state, decide)(state.get_interruptions()[0])
        stream = Runner.run_streamed(agent, state)
        names = [e.name async for e in stream.stream_events() if e.type == "run_item_stream_event"]
        assert names == ["tool_output", "message_output_created"]


# --- Turns. ------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [False, True])
async def test_the_first_turn_is_current_from_the_first_event_on(session: bool):
    agent = Agent(name="A", model=ScriptedModel([[assistant_message("done")]]))
    held = SQLiteSession("s") if session else None
    stream = Runner.run_streamed(agent, "hi", session=held)
    assert stream.current_turn == 0
    turns = [stream.current_turn async for e in stream.stream_events() if e.type[0] == "r"]
    assert set(turns) == {1}


@pytest.mark.parametrize("limit", [0, 1])
async def test_a_run_out_of_turns_stands_at_the_turn_that_was_one_too_many(limit: int):
    agent = Agent(name="A", tools=[tell], model=ScriptedModel([calls("t1"), calls("t2")]))
    stream = Runner.run_streamed(agent, "hi", max_turns=limit)
    with pytest.raises(MaxTurnsExceeded):
        _ = [event async for event in stream.stream_events()]
    assert stream.current_turn == limit + 1


# --- Refused outputs and inputs. ---------------------------------------------------------


@output_guardrail
def refuses(_context: Any, _agent: Any, output: Any) -> GuardrailFunctionOutput:
    """Refuse whatever there is."""
    return GuardrailFunctionOutput(output_info={"found": output}, tripwire_triggered=True)


@output_guardrail
def passes(_context: Any, _agent: Any, output: Any) -> GuardrailFunctionOutput:
    """Say what was seen."""
    return GuardrailFunctionOutput(output_info={"seen": output}, tripwire_triggered=False)


async def _refused(config: RunConfig | None = None) -> tuple[Any, Any, SQLiteSession]:
    said = [
        assistant_message("The secret is told 7."),
        function_call("tell", {"x": 7}, call_id="t1"),
    ]
    agent = Agent(
        name="A",
        tools=[tell],
        tool_use_behavior="stop_on_first_tool",
        output_guardrails=[passes, refuses],
        model=ScriptedModel([said]),
    )
    session = SQLiteSession("refused")
    stream = Runner.run_streamed(agent, "hi", session=session, run_config=config)
    with pytest.raises(OutputGuardrailTripwireTriggered) as caught:
        _ = [event async for event in stream.stream_events()]
    return stream, caught.value, session


@pytest.mark.parametrize("message", [None, "BLOCKED"])
async def test_a_refused_answer_of_a_tool_is_nowhere_to_be_seen(message: str | None):
    config = RunConfig(output_guardrail_blocked_message=message) if message else None
    stream, error, session = await _refused(config)
    places = [
        stream.new_items,
        stream.to_input_list(),
        stream.raw_responses[0].output,
        [(each.agent_output, each.output) for each in stream.output_guardrail_results],
        (error.guardrail_result.agent_output, error.guardrail_result.output, error.run_data),
        await session.get_items(),
    ]
    for place in places:
        assert "told 7" not in repr(place)
    text = message or "Output withheld by an output guardrail."
    assert stream.to_input_list()[-1]["output"] == text
    assert {each.agent_output for each in stream.output_guardrail_results} == {text}
    assert [each.output.tripwire_triggered for each in stream.output_guardrail_results] == [
        False,
        True,
    ]


async def test_a_refused_message_is_shown_to_who_asked():
    model = ScriptedModel([[assistant_message("mine")]])
    agent = Agent(name="A", output_guardrails=[refuses], model=model)
    with pytest.raises(OutputGuardrailTripwireTriggered) as caught:
        await Runner.run(agent, "hi")
    assert caught.value.guardrail_result.output.output_info == {"found": "mine"}
    assert caught.value.run_data is not None


def _stops(error: Exception | None) -> Any:
    @input_guardrail
    def stops(_context: Any, _agent: Any, _input: Any) -> GuardrailFunctionOutput:
        if error:
            raise error
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)

    return stops


async def _run(agent: Any, session: Any, *, is_streamed: bool) -> None:
    if not is_streamed:
        await Runner.run(agent, "hi", session=session)
        return
    stream = Runner.run_streamed(agent, "hi", session=session)
    _ = [event async for event in stream.stream_events()]


@pytest.mark.parametrize("error", [None, ValueError("cannot check")], ids=["refused", "failed"])
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_an_answer_to_an_input_that_did_not_pass_is_not_saved(
    error: Exception | None, is_streamed: bool
):
    model = ScriptedModel([[assistant_message("an answer")]])
    agent = Agent(name="A", input_guardrails=[_stops(error)], model=model)
    session = SQLiteSession("s")
    kind = ValueError if error else InputGuardrailTripwireTriggered
    with pytest.raises(kind) as caught:
        await _run(agent, session, is_streamed=is_streamed)
    assert "an answer" not in repr(await session.get_items())
    if isinstance(caught.value, InputGuardrailTripwireTriggered):
        assert caught.value.run_data is not None
        assert (caught.value.run_data.new_items, caught.value.run_data.raw_responses) == ([], [])


async def test_only_the_guardrail_that_stopped_the_run_and_those_before_it_have_answered():
    agent = Agent(
        name="A",
        input_guardrails=[_stops(None), _stops(None)],
        model=ScriptedModel([[assistant_message("x")]]),
    )
    with pytest.raises(InputGuardrailTripwireTriggered) as caught:
        await Runner.run(agent, "hi")
    assert caught.value.run_data is not None
    assert len(caught.value.run_data.input_guardrail_results) == 1


# --- Ids of calls. -----------------------------------------------------------------------


@pytest.mark.parametrize("is_later", [False, True])
async def test_an_id_that_two_calls_bear_is_called_by_the_same_words(is_later: bool):
    first, second = calls("t1")[0], function_call("tell", {"x": 5}, call_id="t1")
    script = [[first], [second]] if is_later else [[first, second]]
    agent = Agent(name="A", tools=[tell], model=ScriptedModel(script))
    with pytest.raises(ModelBehaviorError, match=r"reused a .*tool call ID.*unique call ID"):
        await Runner.run(agent, "hi")


# --- What stands where. ------------------------------------------------------------------


async def _write(_context: Any, _input: str) -> str:
    return "written"


def _of_kind(kind: str, call_id: str) -> Any:
    if kind in "fu":
        return function_call("tell" if kind == "f" else "nothing", {}, call_id=call_id)
    if kind == "h":
        return function_call("transfer_to_b", {}, call_id=call_id)
    if kind == "c":
        return ResponseCustomToolCall(
            id=call_id, call_id=call_id, type="custom_tool_call", name="write", input="x"
        )
    call: dict[str, Any] = {"type": "shell_call", "action": {"commands": ["ls"]}}
    return {**call, "id": call_id, "call_id": call_id, "status": "completed"}


@pytest.mark.parametrize(
    ("kinds", "order"),
    [("cf", "fc"), ("uf", "fu"), ("scuf", "fcsu"), ("hcf", "fch"), ("cfcf", "ffcc"), ("us", "su")],
)
async def test_answers_stand_by_kind(kinds: str, order: str):
    result = await Runner.run(_caller(kinds), "hi", run_config=_FORGIVING)
    assert [each[0] for each in _answered(result)] == list(order)


@pytest.mark.parametrize("kinds", ["uf", "huf", "fuf"])
async def test_answers_are_told_as_they_stand(kinds: str):
    stream = Runner.run_streamed(_caller(kinds), "hi", run_config=_FORGIVING)
    told: list[Any] = []
    async for event in stream.stream_events():
        if event.type == "run_item_stream_event" and event.name in (
            "tool_output",
            "handoff_occured",
        ):
            raw: Any = event.item.raw_item
            told.append(raw["call_id"])
    assert told == _answered(stream)


_FORGIVING = RunConfig(tool_not_found_behavior="return_error_to_model")


def _answered(result: Any) -> list[str]:
    items = result.to_input_list()
    return [item["call_id"] for item in items if str(item.get("type")).endswith("_output")]


def _caller(kinds: str) -> Agent[Any]:
    other = Agent(name="B", model=ScriptedModel([[assistant_message("bye")]]))
    reply = [_of_kind(kind, f"{kind}{n}") for n, kind in enumerate(kinds)]
    write = CustomTool(name="write", description="d", on_invoke_tool=_write)
    return Agent(
        name="A",
        tools=[tell, write, ShellTool(executor=lambda _: "ok")],
        handoffs=[other],
        model=ScriptedModel([reply, [assistant_message("done")]]),
    )


async def test_a_history_that_a_handoff_tells_is_no_words_of_the_user():
    other = Agent(name="B", model=ScriptedModel([[assistant_message("bye")]]))
    model = ScriptedModel([[function_call("transfer_to_b", {}, call_id="h")]])
    agent = Agent(name="A", handoffs=[handoff(other, nest_handoff_history=True)], model=model)
    result = await Runner.run(agent, "hi")
    assert isinstance(result.input, list)
    assert [item.get("role") for item in result.input] == ["assistant"]
    assert result.to_input_list()[0].get("role") == "assistant"


async def test_a_filter_leaves_the_turns_before_the_handoff_in_the_input_list():
    other = Agent(name="B", model=ScriptedModel([[assistant_message("bye")]]))
    model = ScriptedModel([calls("t1"), [function_call("transfer_to_b", {}, call_id="h")]])
    hand = handoff(other, input_filter=remove_all_tools)
    result = await Runner.run(Agent(name="A", tools=[tell], handoffs=[hand], model=model), "hi")
    whole = [item.get("call_id") for item in result.to_input_list()]
    assert whole == [None, "t1", "t1", None]
    assert [i.get("call_id") for i in result.to_input_list(mode="normalized")] == [None, None]


async def test_a_guardrail_that_needs_no_time_saves_the_model_call():
    model = ScriptedModel([[assistant_message("never")]])
    agent = Agent(name="A", input_guardrails=[_stops(None)], model=model)
    with pytest.raises(InputGuardrailTripwireTriggered):
        await Runner.run(agent, "hi")
    assert not model.calls


async def test_a_failure_that_its_author_has_no_words_for_is_raised():
    def fail() -> str:
        raise ValueError("broken")

    def no_words(_context: Any, _error: Exception) -> Any:
        return None

    tool = function_tool(fail, failure_error_function=no_words)
    model = ScriptedModel([[function_call("fail", {}, call_id="f")]])
    with pytest.raises(UserError, match="Error running tool fail: broken"):
        await Runner.run(Agent(name="A", tools=[tool], model=model), "hi")


# --- What is stored. ---------------------------------------------------------------------


async def test_a_stored_run_shows_what_happened():
    @input_guardrail(name="polite")
    def polite(_context: Any, _agent: Any, _input: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info={"tone": 1}, tripwire_triggered=False)

    inner = Agent(name="B", tools=[ask], model=ScriptedModel([calls("a1")]))
    model = ScriptedModel([calls("t1", "t2"), [function_call("transfer_to_b", {}, call_id="h")]])
    agent = Agent(name="A", tools=[tell], handoffs=[inner], input_guardrails=[polite], model=model)
    paused = await Runner.run(agent, "hi")
    stored = paused.to_state().to_json()
    assert stored["tool_use_tracker"] == {"A": ["tell", "tell", "transfer_to_b"], "B": ["ask"]}
    assert stored["previous_response_id"] is None
    assert stored["input_guardrail_results"] == [
        {
            "guardrail": {"type": "input", "name": "polite"},
            "output": {"outputInfo": {"tone": 1}, "tripwireTriggered": False},
        }
    ]
    kinds = [item["type"] for item in stored["generated_items"]]
    assert kinds[-2:] == ["tool_call_item", "tool_approval_item"]
    handed = next(i for i in stored["generated_items"] if i["type"] == "handoff_output_item")
    assert (handed["source_agent"], handed["target_agent"]) == ({"name": "A"}, {"name": "B"})
    waiting = stored["current_step"]["data"]["interruptions"][0]
    assert waiting["tool_lookup_key"] == {"kind": "bare", "name": "ask"}
    assert waiting["tool_origin"] == {"type": "function"}
    assert stored["last_processed_response"]["tools_used"] == ["ask"]
    again = await RunState.from_json(agent, stored)
    assert again.to_json() == stored
    assert again.get_tool_use_tracker_snapshot() == stored["tool_use_tracker"]


async def test_the_last_decision_about_a_call_is_the_one_that_is_shown():
    agent = Agent(name="A", tools=[ask], model=ScriptedModel([calls("a1")]))
    state = (await Runner.run(agent, "hi")).to_state()
    item = state.get_interruptions()[0]

    def shown_decision() -> Any:
        return state.to_json()["context"]["function_tool_approvals"][0]["decision"]

    state.approve(item)
    assert shown_decision() == {"approved": ["a1"], "rejected": []}
    state.reject(item, rejection_message="no")
    expected = {"approved": [], "rejected": ["a1"], "rejection_messages": {"a1": "no"}}
    assert shown_decision() == expected
    state.approve(item, always_approve=True)
    assert shown_decision() == {"approved": True, "rejected": []}


@pytest.mark.parametrize("name", ["context", "current_agent"])
async def test_a_stored_run_that_lacks_a_part_is_refused_by_its_name(name: str):
    agent = Agent(name="A", tools=[ask], model=ScriptedModel([calls("a1")]))
    stored = (await Runner.run(agent, "hi")).to_state().to_json()
    del stored[name]
    with pytest.raises(UserError, match=name):
        await RunState.from_json(agent, stored)


async def test_a_program_without_the_agent_whose_turn_it_is_cannot_read_a_stored_run():
    agent = Agent(name="A", tools=[ask], model=ScriptedModel([calls("a1")]))
    stored = (await Runner.run(agent, "hi")).to_state().to_json()
    with pytest.raises(UserError, match="agent not found in agent map"):
        await RunState.from_json(Agent(name="Z"), stored)


@pytest.mark.parametrize("value", [5, {"a": 1}, ["x"]], ids=str)
async def test_what_an_error_handler_answers_is_said_as_text_in_the_history(value: Any):
    agent = Agent(name="A", tools=[tell], model=ScriptedModel([calls("t1")]))

    def answer(_error: Any) -> Any:
        return value

    result = await Runner.run(agent, "hi", max_turns=1, error_handlers={"max_turns": answer})
    assert result.final_output == value
    last: Any = result.to_input_list()[-1]
    assert last["content"][0]["text"] == str(value)


async def test_a_tool_out_of_time_names_the_time_out_as_its_cause():
    async def wait() -> str:
        await asyncio.Event().wait()
        return ""

    tool = function_tool(wait, timeout=0.01, timeout_behavior="raise_exception")
    model = ScriptedModel([[function_call("wait", {}, call_id="w")]])
    with pytest.raises(ToolTimeoutError) as caught:
        await Runner.run(Agent(name="A", tools=[tool], model=model), "hi")
    assert isinstance(caught.value.__cause__, TimeoutError)
