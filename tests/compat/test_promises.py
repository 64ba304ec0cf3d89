"""Promises of guides that are about several parts at once, each kept by a small program."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from outlast import (
    Agent,
    AgentHooks,
    GuardrailFunctionOutput,
    HandoffInputData,
    InputGuardrailTripwireTriggered,
    Model,
    ModelProvider,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    Runner,
    ToolGuardrailFunctionOutput,
    function_tool,
    handoff,
    input_guardrail,
    output_guardrail,
    tool_input_guardrail,
)
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call

OFF = RunConfig(journal="memory")
DONE = [assistant_message("done")]


def to(name: str, call_id: str = "") -> list[Any]:
    return [function_call(f"transfer_to_{name}", {}, call_id=call_id or f"to-{name}")]


def echo() -> ScriptedModel:
    """A model that answers each call with what it was asked last."""
    step = ModelStep.respond(lambda call: [assistant_message(str(said(call.input)[-1]))])
    return ScriptedModel([step] * 50)


def said(items: Any) -> list[Any]:
    return [items] if isinstance(items, str) else [each.get("content", each) for each in items]


@dataclass
class Basket:
    """A context as programs have it: plain, mutable, with something of theirs in it."""

    seen: list[str] = field(default_factory=list[str])
    client: object = field(default_factory=object)


async def test_one_agent_serves_many_runs_at_once_each_with_its_own_conversation_and_context():
    agent = Agent[Basket](name="a", model=echo())
    baskets = [Basket() for _ in range(20)]
    runs = (
        Runner.run(agent, f"number {n}", context=basket, run_config=OFF)
        for n, basket in enumerate(baskets)
    )
    results = await asyncio.gather(*runs)
    assert [each.final_output for each in results] == [f"number {n}" for n in range(20)]
    assert [each.context_wrapper.context for each in results] == baskets
    assert len({each.run_id for each in results}) == 20


@pytest.mark.parametrize("form", ["a name", "an object", "the run's name", "the run's object"])
async def test_a_model_is_a_name_or_an_object_of_the_agent_or_of_the_run(form: str):
    class Provider(ModelProvider):
        names: list[str | None] = []  # noqa: RUF012  # one test, one provider

        def get_model(self, model_name: str | None) -> Model:
            self.names.append(model_name)
            return ScriptedModel([DONE])

    provider = Provider()
    Provider.names = []
    model: Any = ScriptedModel([DONE]) if form.endswith("object") else "some-model"
    of_run = form.startswith("the run's")
    config = RunConfig(journal="memory", model_provider=provider, model=model if of_run else None)
    agent = Agent(name="a", model="another" if of_run else model)
    assert (await Runner.run(agent, "hi", run_config=config)).final_output == "done"
    assert provider.names == ([] if form.endswith("object") else ["some-model"])


@pytest.mark.parametrize("given", ["hi", [{"role": "user", "content": "hi"}]])
async def test_input_is_a_text_or_a_list_of_items(given: Any):
    model = echo()
    result = await Runner.run(Agent(name="a", model=model), given, run_config=OFF)
    assert result.final_output == "hi"


async def test_one_context_by_reference_reaches_all_that_a_program_adds_and_each_agent_adds_to_it():
    basket = Basket()

    def note(context: RunContextWrapper[Basket], who: str) -> None:
        assert context.context is basket
        context.context.seen.append(who)

    @function_tool
    def look(context: RunContextWrapper[Basket]) -> str:
        note(context, "tool")
        return "seen"

    @input_guardrail(run_in_parallel=False)
    def first(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        note(context, "input guardrail")
        return GuardrailFunctionOutput(None, tripwire_triggered=False)

    @output_guardrail
    def last(context: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
        note(context, "output guardrail")
        return GuardrailFunctionOutput(None, tripwire_triggered=False)

    class Hooks(RunHooks[Basket]):
        async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
            note(context, f"handoff to {to_agent.name}")

    class Started(AgentHooks[Basket]):
        async def on_start(self, context: Any, agent: Any) -> None:
            note(context, f"start of {agent.name}")

    def prompt(context: RunContextWrapper[Basket], agent: Agent[Basket]) -> str:
        note(context, f"prompt of {agent.name}")
        return "Be short."

    b = Agent[Basket](
        name="b", instructions=prompt, hooks=Started(), output_guardrails=[last],
        model=ScriptedModel([DONE]),
    )  # fmt: skip
    a = Agent[Basket](
        name="a", tools=[look], handoffs=[b], input_guardrails=[first],
        model=ScriptedModel([[function_call("look", {}, call_id="c")], to("b")]),
    )  # fmt: skip
    await Runner.run(a, "hi", context=basket, hooks=Hooks(), run_config=OFF)
    order = ["input guardrail", "tool", "handoff to b", "output guardrail"]
    assert [each for each in basket.seen if each in order] == order
    assert {"start of b", "prompt of b"} <= {*basket.seen}


async def test_agents_work_one_after_another_along_a_graph_of_handoffs_and_pass_the_conversation_on():
    started: list[str] = []

    class Hooks(RunHooks[None]):
        async def on_agent_start(self, context: Any, agent: Any) -> None:
            started.append(agent.name)

        async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
            started.append(f"end of {agent.name}")

    draft, check = (Agent(name=name) for name in ("draft", "check"))
    models = {
        "triage": ScriptedModel([to("draft")]),
        "draft": ScriptedModel([to("check"), to("check", "again")]),
        "check": ScriptedModel([to("draft", "back"), DONE]),
    }
    triage = Agent(name="triage", handoffs=[draft, check])
    draft.handoffs, check.handoffs = [check], [draft]  # A state machine with a way back.
    for agent in (triage, draft, check):
        agent.model = models[agent.name]
    result = await Runner.run(triage, "write", hooks=Hooks(), run_config=OFF)
    assert started == ["triage", "draft", "check", "draft", "check", "end of check"]
    assert result.last_agent is check
    calls = models["check"].calls
    assert [said(call.input)[0] for call in calls] == ["write", "write"]
    assert len(calls[1].input) > len(calls[0].input)  # All that was said so far.


async def test_input_guardrails_are_those_of_the_first_agent_and_of_the_run_output_guardrails_of_the_last():
    asked: list[str] = []

    def guard(name: str, kind: Any) -> Any:
        def look(context: Any, agent: Any, value: Any) -> GuardrailFunctionOutput:
            asked.append(name)
            return GuardrailFunctionOutput(None, tripwire_triggered=False)

        return kind(look)

    b = Agent(
        name="b", model=ScriptedModel([DONE]),
        input_guardrails=[guard("in b", input_guardrail)],
        output_guardrails=[guard("out b", output_guardrail)],
    )  # fmt: skip
    a = Agent(
        name="a", model=ScriptedModel([to("b")]), handoffs=[b],
        input_guardrails=[guard("in a", input_guardrail)],
        output_guardrails=[guard("out a", output_guardrail)],
    )  # fmt: skip
    config = RunConfig(
        journal="memory",
        input_guardrails=[guard("in run", input_guardrail)],
        output_guardrails=[guard("out run", output_guardrail)],
    )
    await Runner.run(a, "hi", run_config=config)
    assert sorted(asked[:2]) == ["in a", "in run"]
    assert sorted(asked[2:]) == ["out b", "out run"]


@pytest.mark.parametrize("place", ["the agent's input", "the run's input", "the answer", "a tool"])
async def test_a_guardrail_stops_what_it_stands_before(place: str):
    @input_guardrail(run_in_parallel=False)
    def never_in(context: Any, agent: Any, value: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput("no", tripwire_triggered=True)

    @output_guardrail
    def never_out(context: Any, agent: Any, value: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput("no", tripwire_triggered=True)

    @tool_input_guardrail
    def never_call(data: Any) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.reject_content("refused")

    ran: list[str] = []

    @function_tool(tool_input_guardrails=[never_call] if place == "a tool" else [])
    def pay() -> str:
        ran.append("pay")
        return "paid"

    model = ScriptedModel([[function_call("pay", {}, call_id="c")], DONE])
    agent = Agent(name="a", tools=[pay], model=model)
    config = RunConfig(journal="memory")
    if place == "the agent's input":
        agent.input_guardrails = [never_in]
    elif place == "the run's input":
        config.input_guardrails = [never_in]
    elif place == "the answer":
        agent.output_guardrails = [never_out]
    error = (
        OutputGuardrailTripwireTriggered
        if place == "the answer"
        else InputGuardrailTripwireTriggered
    )
    if place == "a tool":
        result = await Runner.run(agent, "hi", run_config=config)
        assert [
            each.output for each in result.new_items if each.type == "tool_call_output_item"
        ] == ["refused"]
    else:
        with pytest.raises(error):
            await Runner.run(agent, "hi", run_config=config)
    assert ran == (["pay"] if place == "the answer" else [])
    assert len(model.calls) == (0 if place.endswith("input") else 2)


async def test_agents_as_tools_that_are_called_at_once_work_at_once():
    both = asyncio.Barrier(2)

    @function_tool
    async def meet() -> str:
        async with asyncio.timeout(30):
            await both.wait()
        return "met"

    def expert(name: str) -> Any:
        model = ScriptedModel([[function_call("meet", {}, call_id="m")], [assistant_message(name)]])
        return Agent(name=name, tools=[meet], model=model).as_tool(name, "Asks an expert.")

    asks = [function_call(name, {"input": "?"}, call_id=name) for name in ("x", "y")]
    agent = Agent(name="a", tools=[expert("x"), expert("y")], model=ScriptedModel([asks, DONE]))
    result = await Runner.run(agent, "hi", run_config=OFF)
    assert [each.output for each in result.new_items if each.type == "tool_call_output_item"] == [
        "x",
        "y",
    ]


async def test_what_a_tool_may_do_and_when_a_person_takes_over_is_decided_by_the_context():
    @function_tool(is_enabled=lambda context, agent: context.context == "admin")
    def erase() -> str:
        return "erased"

    @function_tool(needs_approval=True)
    def call_a_person() -> str:
        return "a person takes over"

    for who, names in (("admin", ["erase", "call_a_person"]), ("guest", ["call_a_person"])):
        model = ScriptedModel([[function_call("call_a_person", {}, call_id="c")], DONE])
        agent = Agent[str](name="a", tools=[erase, call_a_person], model=model)
        waiting = await Runner.run(agent, "hi", context=who, run_config=OFF)
        assert [tool.name for tool in model.calls[0].tools] == names
        state = waiting.to_state()
        state.approve(waiting.interruptions[0])
        assert (await Runner.run(agent, state, run_config=OFF)).final_output == "done"


async def test_a_filter_keeps_what_is_confidential_from_the_next_agent():
    def without_secrets(data: HandoffInputData) -> HandoffInputData:
        history = data.input_history
        assert isinstance(history, str)
        return data.clone(input_history=history.replace("4111 1111", "[card]"))

    b = Agent(name="b", model=ScriptedModel([DONE]))
    a = Agent(
        name="a",
        model=ScriptedModel([to("b")]),
        handoffs=[handoff(b, input_filter=without_secrets)],
    )
    await Runner.run(a, "my card is 4111 1111", run_config=OFF)
    assert isinstance(b.model, ScriptedModel)
    assert b.model.last_call is not None
    assert "4111" not in str(b.model.last_call.input)


async def test_outputs_of_tools_are_there_while_a_run_is_streamed():
    @function_tool
    async def fetch(urls: list[str]) -> str:
        async def one(url: str) -> str:
            if url == "bad":
                raise ConnectionError(url)
            return url.upper()

        found = await asyncio.gather(*map(one, urls), return_exceptions=True)
        return " ".join(
            type(each).__name__ if isinstance(each, Exception) else str(each) for each in found
        )

    calls = [function_call("fetch", {"urls": ["a", "bad"]}, call_id="c")]
    agent = Agent(name="a", tools=[fetch], model=ScriptedModel([calls, DONE]))
    result = Runner.run_streamed(agent, "hi", run_config=OFF)
    seen = [
        (event.item.output, result.is_complete)
        async for event in result.stream_events()
        if event.type == "run_item_stream_event" and event.name == "tool_output"
    ]
    assert seen == [("A ConnectionError", False)]
