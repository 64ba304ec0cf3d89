"""Small programs, one for each thing that a run can do, for engines that are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chaoskit.scenarios import tool
from chaoskit.world import World, answered, call, say, script
from outlast.extensions import handoff_filters
from pydantic import BaseModel

from outlast import (
    Agent,
    AgentHooks,
    GuardrailFunctionOutput,
    ModelSettings,
    RunConfig,
    RunErrorHandlerResult,
    RunHooks,
    ToolExecutionConfig,
    ToolGuardrailFunctionOutput,
    ToolsToFinalOutputResult,
    function_tool,
    handoff,
    input_guardrail,
    output_guardrail,
    tool_input_guardrail,
    tool_output_guardrail,
)

Program = Callable[[World], tuple[Agent[Any], dict[str, Any]]]
PROGRAMS: dict[str, Program] = {}


def program(make: Program) -> Program:
    """Register a program under its function's name."""
    PROGRAMS[make.__name__] = make
    return make


def desk(world: World, *steps: list[Any], **options: Any) -> Agent[Any]:
    """An agent whose model plays steps."""
    return Agent(name="desk", model=world.model("desk", script(*steps)), **options)


LOOK = [call("look", "a", order=1)]


@program
def only_says(world: World):
    return desk(world, say("hello")), {}


@program
def empty_answer(world: World):
    return desk(world, say("")), {}


@program
def stops_on_first_tool(world: World):
    return desk(
        world, LOOK, tools=[tool(world, "look")], tool_use_behavior="stop_on_first_tool"
    ), {}


@program
def stops_at_a_tool(world: World):
    behavior: Any = {"stop_at_tool_names": ["look"]}
    return desk(world, LOOK, tools=[tool(world, "look")], tool_use_behavior=behavior), {}


@program
def custom_behavior(world: World):
    def behave(context: Any, results: list[Any]) -> ToolsToFinalOutputResult:
        world.did("behaves")
        return ToolsToFinalOutputResult(is_final_output=True, final_output=results[0].output)

    return desk(world, LOOK, tools=[tool(world, "look")], tool_use_behavior=behave), {}


@program
def dynamic_instructions(world: World):
    def say_what(context: Any, agent: Any) -> str:
        world.did("instructions")
        return f"You are {agent.name}."

    return desk(world, LOOK, say("ok"), tools=[tool(world, "look")], instructions=say_what), {}


@program
def enabled_by_a_function(world: World):
    tools = [tool(world, "look"), tool(world, "hidden", is_enabled=lambda context, agent: False)]
    return desk(world, LOOK, say("ok"), tools=tools), {}


@program
def a_tool_that_fails(world: World):
    @function_tool
    def look(order: int) -> str:
        world.did("fails")
        raise ValueError(f"no {order}")

    return desk(world, LOOK, say("sorry"), tools=[look]), {}


@program
def a_failure_that_ends_the_run(world: World):
    @function_tool(failure_error_function=None)
    def look(order: int) -> str:
        raise ValueError(f"no {order}")

    return desk(world, LOOK, say("sorry"), tools=[look]), {}


@program
def an_unknown_tool(world: World):
    config = RunConfig(tool_not_found_behavior="return_error_to_model")
    return desk(world, [call("nothing", "a")], say("so be it")), {"config": config}


@program
def an_unknown_tool_ends_the_run(world: World):
    return desk(world, [call("nothing", "a")]), {}


@program
def wrong_arguments(world: World):
    return desk(
        world, [call("look", "a", order="x")], say("again"), tools=[tool(world, "look")]
    ), {}


@program
def a_structured_tool(world: World):
    @dataclass
    class Found:
        where: str
        count: int

    @function_tool
    def look(order: int) -> Found:
        return Found("here", order)

    return desk(world, LOOK, say("found"), tools=[look]), {}


class Place(BaseModel):
    city: str


@program
def a_typed_output(world: World):
    return desk(
        world, LOOK, say('{"city": "Rome"}'), tools=[tool(world, "look")], output_type=Place
    ), {}


@program
def a_typed_output_that_does_not_fit(world: World):
    return desk(world, say('{"town": "Rome"}'), output_type=Place), {}


@program
def a_list_as_output(world: World):
    return desk(world, say('{"response": [1, 2]}'), output_type=list[int]), {}


@program
def guardrails_that_pass(world: World):
    @input_guardrail
    async def first(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info={"seen": "input"}, tripwire_triggered=False)

    @output_guardrail
    def last(context: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info={"seen": output}, tripwire_triggered=False)

    return desk(world, say("fine"), input_guardrails=[first], output_guardrails=[last]), {}


@program
def an_output_guardrail_that_trips(world: World):
    @output_guardrail
    def last(context: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info="bad", tripwire_triggered=True)

    return desk(world, say("bad"), output_guardrails=[last]), {}


@program
def guardrails_of_a_tool(world: World):
    @tool_input_guardrail
    def before(data: Any) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.reject_content("not this one")

    look = tool(world, "look")
    look.tool_input_guardrails = [before]
    return desk(world, LOOK, say("refused"), tools=[look]), {}


@program
def an_output_guardrail_of_a_tool(world: World):
    @tool_output_guardrail
    def after(data: Any) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.reject_content("kept back")

    look = tool(world, "look")
    look.tool_output_guardrails = [after]
    return desk(world, LOOK, say("kept"), tools=[look]), {}


@program
def a_handoff_with_a_filter(world: World):
    other = Agent(name="other", model=world.model("other", script(say("mine"))))
    leads = handoff(other, input_filter=handoff_filters.remove_all_tools)
    steps = LOOK, [call("transfer_to_other", "h")]
    return desk(world, *steps, tools=[tool(world, "look")], handoffs=[leads]), {}


@program
def a_handoff_that_is_heard_of(world: World):
    async def hear(context: Any, place: Place) -> None:
        world.did(f"hears {place.city}")

    other = Agent(name="other", model=world.model("other", script(say("mine"))))
    leads = handoff(other, on_handoff=hear, input_type=Place)
    return desk(world, [call("transfer_to_other", "h", city="Rome")], handoffs=[leads]), {}


@program
def a_handoff_with_a_summary(world: World):
    other = Agent(name="other", model=world.model("other", script(say("mine"))))
    agent = desk(world, [call("transfer_to_other", "h")], handoffs=[other])
    return agent, {"config": RunConfig(nest_handoff_history=True)}


@program
def limited_in_parallel(world: World):
    calls = [call("look", f"call-{n}", order=n) for n in range(4)]
    config = RunConfig(tool_execution=ToolExecutionConfig(max_function_tool_concurrency=1))
    return desk(world, calls, say("four"), tools=[tool(world, "look")]), {"config": config}


@program
def too_many_turns_with_a_handler(world: World):
    def handle(data: Any) -> RunErrorHandlerResult:
        return RunErrorHandlerResult(final_output="enough", include_in_history=False)

    agent = desk(world, LOOK, say("never"), tools=[tool(world, "look")])
    return agent, {"max_turns": 1, "error_handlers": {"max_turns": handle}}


@program
def hooks_of_an_agent(world: World):
    class Heard(AgentHooks[Any]):
        async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: Any) -> None:
            world.did(f"heard {result}")

    return desk(world, LOOK, say("ok"), tools=[tool(world, "look")], hooks=Heard()), {}


@program
def hooks_of_a_run(world: World):
    class Heard(RunHooks[Any]):
        async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
            world.did(f"ended with {output}")

    return desk(world, LOOK, say("ok"), tools=[tool(world, "look")]), {"hooks": Heard()}


@program
def an_agent_as_a_tool(world: World):
    inner = Agent(name="inner", model=world.model("inner", script(say("deep"))))
    helper = inner.as_tool("ask_inner", "Asks.")
    return desk(world, [call("ask_inner", "i", input="well?")], say("so"), tools=[helper]), {}


@program
def a_forced_tool(world: World):
    settings = ModelSettings(tool_choice="required", parallel_tool_calls=False)
    return desk(world, LOOK, say("ok"), tools=[tool(world, "look")], model_settings=settings), {}


@program
def a_filter_before_the_model(world: World):
    def shorten(data: Any) -> Any:
        world.did("filters")
        return data.model_data

    config = RunConfig(call_model_input_filter=shorten)
    return desk(world, LOOK, say("ok"), tools=[tool(world, "look")]), {"config": config}


@program
def several_items_as_input(world: World):
    def reply(items: list[Any]) -> list[Any]:
        return say(f"{len(items)} items, {len(answered(items))} answers")

    items = [{"role": "user", "content": word} for word in ("a", "b", "c")]
    agent = Agent(name="desk", model=world.model("desk", reply))
    return agent, {"input": items}
