"""Every spelling of guides that is understood, in a program as a guide would write it."""

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import outlast
from outlast.compat import install, uninstall
from outlast.compat.guides import table
from outlast.testing import ScriptedModel, assistant_message, function_call

sys.path.insert(0, str(Path(__file__).parents[1]))

import public_names

ROWS = [spelling for _, spelling, _ in table.SPELLINGS]
TESTED: set[str] = set()


def row(start: str) -> Any:
    """Say which row of the table a test is about."""
    (spelling,) = [each for each in ROWS if each.startswith(start)]
    TESTED.add(spelling)
    return lambda test: test


@pytest.fixture(autouse=True)
def agents() -> Iterator[ModuleType]:
    install()
    yield importlib.import_module("agents")
    uninstall()


def says(*texts: str) -> ScriptedModel:
    return ScriptedModel([[assistant_message(text)] for text in texts])


def calls(name: str, arguments: Any = None, then: str = "done") -> ScriptedModel:
    call = function_call(name, arguments or {}, call_id="1")
    return ScriptedModel([[call], [assistant_message(then)]])


async def run(agent: Any, message: Any = "hi", **options: Any) -> Any:
    options.setdefault("run_config", outlast.RunConfig(journal="off"))
    return await outlast.Runner.run(agent, message, **options)


def test_every_row_has_a_test():
    assert set(ROWS) == TESTED


def test_the_page_says_what_the_table_says():
    assert public_names.GUIDES.read_text() == table.page(), "Run `python tests/public_names.py`."


@pytest.mark.parametrize(
    "write",
    [
        lambda: outlast.Agent(name="A", temperature=0.5),
        outlast.Agent,
        lambda: outlast.RunConfig(max_turns=3),
        lambda: outlast.handoff(target=outlast.Agent(name="A")),
        outlast.CodeInterpreterTool,
        lambda: outlast.InputGuardrailResult(allowed=True),
    ],
)
def test_without_the_alias_a_spelling_is_refused(write: Any):
    uninstall()
    with pytest.raises(TypeError):
        write()


def test_what_openai_agents_refuses_in_its_tests_stays_refused(agents: Any):
    with pytest.raises(TypeError):
        agents.Agent(name="A", temperature=None)
    with pytest.raises(agents.UserError):
        agents.handoff(agents.Agent(name="A"), on_handoff=lambda ctx, text: None)
    made = agents.handoff(agents.Agent(name="A"))
    assert made.is_enabled is True
    made.name = "other"
    assert (made.name, made.tool_name) == ("other", "transfer_to_a")


# --- Agents. ---------------------------------------------------------------------------------


@row("`Agent()` without")
def test_an_agent_without_a_name(agents: Any):
    assert agents.Agent(instructions="Help.").name == "Agent"


@row("`Agent(temperature=")
def test_settings_as_arguments_of_an_agent(agents: Any):
    settings = agents.ModelSettings(top_p=0.1)
    agent = agents.Agent(name="A", temperature=0.5, max_tokens=9, model_settings=settings)
    found = agent.model_settings
    assert (found.temperature, found.max_tokens, found.top_p) == (0.5, 9, 0.1)
    assert settings.temperature is None


@row("`Agent(is_enabled=)`")
async def test_an_agent_that_is_offered_to_some(agents: Any):
    agent = agents.Agent(name="Expert", is_enabled=lambda ctx: ctx.context == "vip")
    tool, transfer = agent.as_tool(), agents.handoff(agent)
    for context, expected in (("vip", True), ("guest", False)):
        wrapper = agents.RunContextWrapper(context)
        assert tool.is_enabled(wrapper, agent) is expected
        assert transfer.is_enabled(wrapper, agent) is expected
    assert agents.Agent(name="B").as_tool("b", "b").is_enabled is True


@row("`Agent(default_tool_error_function=)`")
@row("an error function that takes the error alone")
async def test_an_error_function_of_an_agent(agents: Any):
    @agents.function_tool
    def fails() -> str:
        raise ValueError("seventeen")

    @agents.function_tool(failure_error_function=lambda error: f"own {error}")
    def fails_its_way() -> str:
        raise ValueError("eighteen")

    agent = agents.Agent(
        name="A",
        tools=[fails, fails_its_way],
        default_tool_error_function=lambda error: f"sorry {error}",
        model=ScriptedModel([
            [function_call("fails", {}, call_id="1"), function_call("fails_its_way", {}, call_id="2")],
            [assistant_message("done")],
        ]),
    )  # fmt: skip
    result = await run(agent)
    assert [item.output for item in result.tool_results] == ["sorry seventeen", "own eighteen"]


@row("`await agent.run(input)`")
async def test_an_agent_runs_itself(agents: Any):
    agent = agents.Agent(name="A", model=says("one"))
    config = agents.RunConfig(journal="off")
    assert (await agent.run("hi", run_config=config)).final_output == "one"


@row("`FunctionAgent`")
def test_a_function_agent_is_an_agent(agents: Any):
    assert agents.FunctionAgent is agents.Agent


@row("`agent.as_tool(name=")
async def test_an_agent_as_a_tool_by_other_names(agents: Any):
    @dataclass
    class Question:
        city: str

    agent = agents.Agent(name="Weather")
    tool = agent.as_tool(name="ask", description="Asks.", input_type=Question, output_type=int)
    assert (tool.name, tool.description) == ("ask", "Asks.")
    assert list(tool.params_json_schema["properties"]) == ["city"]


# --- Guardrails. -----------------------------------------------------------------------------


async def trips(agents: Any, guardrail: Any, message: Any = "bad") -> Any:
    """What a tripped guardrail found, or None if it let pass."""
    agent = agents.Agent(name="A", model=says("ok"), input_guardrails=[guardrail])
    try:
        await run(agent, message)
    except agents.InputGuardrailTripwireTriggered as error:
        return error.guardrail_result.output
    return None


@row("a subclass of `InputGuardrail`")
@row("`GuardrailOutput(should_block=)`")
async def test_a_subclass_with_check(agents: Any):
    class NoBadWords(agents.InputGuardrail):
        async def check(self, agent, input, context):
            return agents.GuardrailOutput(should_block=input == "bad", policy_name="words")

    found = await trips(agents, NoBadWords())
    assert found.output_info == {"should_block": True, "policy_name": "words"}
    assert await trips(agents, NoBadWords(), "good") is None


@row("`GuardrailOutput(behavior=")
@pytest.mark.parametrize(
    ("behavior", "stops"),
    [("reject_content", True), ("raise_exception", True), ("pass", False), ("filter", False)],
)
async def test_the_behavior_of_an_output(agents: Any, behavior: str, stops: bool):
    @agents.input_guardrail
    def check(ctx, agent, input):
        return agents.GuardrailOutput(behavior={"type": behavior})

    assert (await trips(agents, check) is not None) is stops


@row("`Guardrail(guardrail_name=")
async def test_a_guardrail_by_keywords(agents: Any):
    named = agents.Guardrail(guardrail_name="quiet")
    assert (named.get_name(), await trips(agents, named)) == ("quiet", None)
    strict = agents.Guardrail(guardrail_name="no", guardrail_function=lambda c, a, i: False)
    assert await trips(agents, strict) is not None
    agent = agents.Agent(name="A", model=says("ok"), output_guardrails=[strict])
    with pytest.raises(agents.OutputGuardrailTripwireTriggered):
        await run(agent)


@row("`Guardrail(on_fail=")
async def test_what_a_guardrail_does_on_failure(agents: Any, caplog: Any):
    def make(mode: Any, **options: Any) -> Any:
        return agents.Guardrail(guardrail_function=lambda c, a, i: False, on_fail=mode, **options)

    modes = agents.GuardrailFailureMode
    assert await trips(agents, make(modes.LOG, log=True, guardrail_name="noisy")) is None
    assert "noisy" in caplog.text
    found = await trips(agents, make(modes.RAISE, error_message="Not here."))
    assert found.output_info == "Not here."


@row("`@input_guardrail` on a function of")
async def test_a_guardrail_of_the_text_alone(agents: Any):
    @agents.input_guardrail
    def is_polite(text):
        return text != "bad"

    @agents.output_guardrail
    async def is_short(text):
        return len(text) < 5

    assert await trips(agents, is_polite) is not None
    assert await trips(agents, is_polite, [{"role": "user", "content": "bad"}]) is not None
    assert await trips(agents, is_polite, "good") is None
    agent = agents.Agent(name="A", model=says("much too long"), output_guardrails=[is_short])
    with pytest.raises(agents.OutputGuardrailTripwireTriggered):
        await run(agent)


@row("`InputGuardrailResult(allowed=")
@pytest.mark.parametrize("word", ["allowed", "did_pass"])
async def test_a_result_as_an_answer(agents: Any, word: str):
    @agents.input_guardrail
    def check(text):
        return agents.InputGuardrailResult(**{word: text != "bad"}, message="Be kind.")

    assert (await trips(agents, check)).output_info == "Be kind."
    assert await trips(agents, check, "good") is None


@row("`OutputGuardrailResult(allowed=")
@row("`except GuardrailTripwireTriggered`")
async def test_an_output_that_is_not_allowed(agents: Any):
    @agents.output_guardrail
    def check(output):
        return agents.OutputGuardrailResult(allowed=False, replacement="[removed]")

    agent = agents.Agent(name="A", model=says("secret"), output_guardrails=[check])
    with pytest.raises(agents.GuardrailTripwireTriggered) as caught:
        await run(agent)
    assert caught.value.guardrail_result.output.output_info == "[removed]"


@row("`@input_guardrail` on a method")
async def test_a_guardrail_that_is_a_method(agents: Any):
    class Policy:
        def __init__(self, word: str) -> None:
            self.word = word

        @agents.input_guardrail
        def check(self, ctx, agent, input):
            return self.word not in input

    assert await trips(agents, Policy("bad").check) is not None
    assert await trips(agents, Policy("other").check) is None


@row("`InputGuardrailOutputData(")
async def test_records_for_what_was_found(agents: Any):
    assert agents.InputGuardrailOutputData(agents_input="x").agents_input == "x"
    assert agents.OutputGuardrailOutputData("y").agent_output == "y"


@row("a tool's guardrail as a function")
@row("`ToolInputGuardrailData.input`")
async def test_a_plain_function_guards_a_tool(agents: Any):
    heard = []

    async def check(ctx, tool, params):
        return agents.InputGuardrailResult(did_pass=params["n"] < 5, message=f"{tool}: too many")

    @agents.tool_input_guardrail
    def listen(data):
        heard.append(data.input)
        return agents.ToolGuardrailFunctionOutput.allow()

    @agents.function_tool(tool_input_guardrails=[listen, check])
    def order(n: int) -> str:
        return "ordered"

    def agent(n: int) -> Any:
        return agents.Agent(name="A", tools=[order], model=calls("order", {"n": n}))

    assert [i.output for i in (await run(agent(9))).tool_results] == ["order: too many"]
    assert [i.output for i in (await run(agent(1))).tool_results] == ["ordered"]
    assert heard == [{"n": 9}, {"n": 1}]


# --- Handoffs. -------------------------------------------------------------------------------


async def leads_to(agents: Any, transfer: Any, arguments: Any = None) -> str:
    name = (
        agents.handoff(transfer).tool_name
        if isinstance(transfer, agents.Agent)
        else transfer.tool_name
    )
    agent = agents.Agent(name="First", handoffs=[transfer], model=calls(name, arguments))
    return (await run(agent)).last_agent.name


def expert(agents: Any, name: str = "Expert") -> Any:
    return agents.Agent(name=name, model=says(*["as an expert"] * 3))


@row("`HandoffInputData.context`")
@row("`HandoffInputData(agent=")
def test_the_data_of_a_handoff_by_other_names(agents: Any):
    data = agents.HandoffInputData(agent=None, input="hi", run_context=agents.RunContextWrapper(3))
    assert (data.input_history, data.new_items, data.context.context) == ("hi", (), 3)


@row("`Handoff.name`")
@row("`Handoff(agent=")
async def test_a_handoff_by_its_class(agents: Any):
    heard = []
    target = expert(agents)
    transfer = agents.Handoff(
        agent=target, name="to_expert", on_handoff=lambda ctx, text: heard.append(text)
    )
    assert (transfer.name, transfer.description) == ("to_expert", transfer.tool_description)
    assert await leads_to(agents, transfer, {"why": "hard"}) == "Expert"
    assert json.loads(heard[0]) == {"why": "hard"}

    @dataclass
    class Why:
        reason: str

    typed = agents.Handoff(
        agent=target, input_type=Why, on_handoff=lambda ctx, why: heard.append(why)
    )
    assert await leads_to(agents, typed, {"reason": "hard"}) == "Expert"
    assert heard[-1] == Why("hard")
    assert agents.Handoff(agent=target, is_enabled=False).is_enabled is False


@row("`on_handoff` that returns")
async def test_who_takes_over_is_what_on_handoff_returns(agents: Any):
    target, other = expert(agents), expert(agents, "Other")
    assert await leads_to(agents, agents.handoff(target, on_handoff=lambda ctx: other)) == "Other"
    assert await leads_to(agents, agents.handoff(target, on_handoff=lambda ctx: None)) == "Expert"


@row("`handoff(target=")
async def test_a_handoff_by_other_keywords(agents: Any):
    target = expert(agents)
    seen = []

    def keep(data):
        seen.append(data)
        return data

    transfer = agents.handoff(target=target, filter=keep)
    assert await leads_to(agents, transfer) == "Expert"
    assert len(seen) == 1


@row("`@handoff` on a function")
async def test_a_function_hands_off(agents: Any):
    target, other = expert(agents), expert(agents, "Other")

    @agents.handoff
    def escalate():
        """Ask somebody who knows."""
        return target

    @agents.handoff
    def choose(ctx: agents.RunContextWrapper, level: int):
        return target if level > 1 else other

    assert (escalate.tool_name, escalate.tool_description) == (
        "escalate",
        "Ask somebody who knows.",
    )
    assert await leads_to(agents, escalate) == "Expert"
    assert list(choose.input_json_schema["properties"]) == ["level"]
    assert await leads_to(agents, choose, {"level": 2}) == "Expert"
    assert await leads_to(agents, choose, {"level": 1}) == "Other"


# --- Context and tools. ----------------------------------------------------------------------


@row("`RunContext`")
@row("`ctx.<attribute>`")
async def test_a_context_answers_for_what_it_wraps(agents: Any):
    @dataclass
    class Shop:
        name: str
        usage: str = "ours"

    @agents.function_tool
    def where(ctx: agents.RunContext[Shop]) -> str:
        return f"{ctx.name} {hasattr(ctx, 'nothing')} {type(ctx.usage).__name__}"

    agent = agents.Agent(name="A", tools=[where], model=calls("where"))
    result = await run(agent, context=Shop("corner"))
    assert result.tool_results[0].output == "corner False Usage"


@row("`FunctionSchema.from_fn(f)`")
async def test_a_schema_makes_its_tool(agents: Any):
    from agents.function_schema import FunctionSchema

    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    schema = FunctionSchema.from_fn(add)
    tool = schema.to_tool_definition()
    assert (schema.name, tool.description) == ("add", "Add.")
    assert tool(1, 2) == 3


@row("`FunctionTool(name=, handle_invoke=f)`")
@row("`FunctionTool(require_approval=")
async def test_a_tool_of_its_handler(agents: Any):
    async def handle(ctx, arguments):
        """Look."""
        return f"saw {arguments}"

    tool = agents.FunctionTool(name="look", handle_invoke=handle)
    assert (tool.description, tool.needs_approval) == ("Look.", False)
    result = await run(agents.Agent(name="A", tools=[tool], model=calls("look")))
    assert result.tool_results[0].output == "saw {}"
    guarded = agents.FunctionTool(name="look", handle_invoke=handle, require_approval="always")
    waiting = await run(agents.Agent(name="A", tools=[guarded], model=calls("look")))
    assert [item.tool_name for item in waiting.interruptions] == ["look"]


@row("`my_tool(")
def test_a_tool_is_called_like_its_function(agents: Any):
    @agents.function_tool
    def double(n: int) -> int:
        return 2 * n

    assert (double(4), double(n=5), double.__name__) == (8, 10, "double")
    assert double.__wrapped__(3) == 6


@row("`CodeInterpreterTool()`")
async def test_hosted_tools_without_arguments(agents: Any):
    interpreter = agents.CodeInterpreterTool().tool_config
    assert interpreter == {"type": "code_interpreter", "container": {"type": "auto"}}
    assert agents.FileSearchTool().vector_store_ids == []
    assert agents.ImageGenerationTool().tool_config == {"type": "image_generation"}
    assert agents.ComputerTool().name == "computer_use_preview"
    with pytest.raises(agents.UserError, match="executor"):
        agents.LocalShellTool().executor(None)


@row("`HandoffItem`")
def test_names_of_items(agents: Any):
    assert isinstance(agents.HandoffCallItem.__new__(agents.HandoffCallItem), agents.HandoffItem)
    assert agents.RawResponsesFromModel is agents.ModelResponse


@row("`ToolExecutionError`")
@row("`MaxTurnsExceededError`")
@row("`agents.agent_output.AgentOutput`")
@row("`RequireApprovalSetting.NEVER`")
@row("`MCPTool`")
def test_names_of_guides(agents: Any):
    assert issubclass(agents.ToolExecutionError, agents.AgentsException)
    assert agents.MaxTurnsExceededError is agents.MaxTurnsExceeded
    output = importlib.import_module("agents.agent_output")
    assert output.AgentOutput is agents.AgentOutputSchema
    setting = agents.RequireApprovalSetting
    assert [setting.NEVER, setting.ALWAYS, setting.UNDETERMINED] == [
        "never",
        "always",
        "undetermined",
    ]
    assert agents.MCPTool is not None


# --- Runs, sessions, tracing, modules. -------------------------------------------------------


@row("`RunConfig(max_turns=)`")
@row("`RunConfig(tools=)`")
@row("`RunConfig(tool_choice=)`")
async def test_settings_of_a_run_in_its_config(agents: Any):
    @agents.function_tool
    def look() -> str:
        return "seen"

    def config(**options: Any) -> Any:
        return agents.RunConfig(journal="off", **options)

    agent = agents.Agent(name="A", model=calls("look"))
    made = config(tools=[look])
    assert (await run(agent, run_config=made)).final_output == "done"
    for word in ("max_turns", "max_steps"):
        agent = agents.Agent(name="A", tools=[look], model=calls("look"))
        with pytest.raises(agents.MaxTurnsExceeded):
            await run(agent, run_config=config(**{word: 1}))
        agent = agents.Agent(name="A", tools=[look], model=calls("look"))
        assert (await run(agent, run_config=config(**{word: 1}), max_turns=5)).output == "done"
    assert config(tool_choice="required").model_settings.tool_choice == "required"


@row("`RunConfig(max_tools=)`")
@row("`RunConfig(context_length=)`")
async def test_limits_of_tools_and_of_the_context_are_those_of_runs(agents: Any):
    @agents.function_tool
    def look() -> str:
        return "seen"

    def agent() -> Any:
        return agents.Agent(name="A", tools=[look], model=calls("look"))

    made = agents.RunConfig(journal="memory", max_tools=1, context_length=100_000)
    assert made.compaction.context_tokens == 100_000
    assert (await run(agent(), run_config=made)).final_output == "done"
    none = agents.RunConfig(journal="memory", max_tools=1, budgets=agents.Budget(tool_calls=0))
    with pytest.raises(agents.BudgetExceeded):
        await run(agent(), run_config=none)


@row("`RunConfig(timeout=)`")
async def test_only_the_time_limit_of_a_run_becomes_its_error(agents: Any):
    @agents.function_tool(failure_error_function=None)
    async def wait(seconds: float) -> str:
        await asyncio.sleep(seconds)
        raise TimeoutError("the tool's own")

    def agent(seconds: float) -> Any:
        return agents.Agent(name="A", tools=[wait], model=calls("wait", {"seconds": seconds}))

    config = agents.RunConfig(journal="off", timeout=0.3)
    with pytest.raises(TimeoutError, match=r"RunConfig\(timeout=0.3\)"):
        await run(agent(60), run_config=config)
    with pytest.raises(agents.UserError, match="the tool's own"):
        await run(agent(0), run_config=agents.RunConfig(journal="off", timeout=60))


@row("`RunHooks.on_tool_call(")
async def test_a_hook_of_tool_calls(agents: Any):
    heard = []

    class Watching(agents.RunHooks):
        async def on_tool_call(self, context, agent, tool):
            heard.append(tool.name)

    @agents.function_tool
    def look() -> str:
        return "seen"

    agent = agents.Agent(name="A", tools=[look], model=calls("look"))
    await run(agent, hooks=Watching())
    assert heard == ["look"]


@row("`Runner.resume(run_id=")
@pytest.mark.parametrize("approved", [True, False])
async def test_a_person_answers_and_the_run_goes_on(agents: Any, approved: bool):
    journal = importlib.import_module("outlast.journal.memory").MemoryJournal()
    done = []

    @agents.function_tool(needs_approval=True)
    def pay() -> str:
        done.append("paid")
        return "paid"

    config = agents.RunConfig(journal=journal)
    agent = agents.Agent(name="A", tools=[pay], model=calls("pay"))
    waiting = await run(agent, run_config=config)
    result = await agents.Runner.resume(
        run_id=waiting.run_id,
        agent=agent,
        approval_result=agents.ApprovalResult(approved=approved),
        run_config=config,
    )
    assert result.final_output == "done"
    assert done == (["paid"] if approved else [])


@row("`result.messages`")
@row("`result.agent`")
async def test_views_of_a_result(agents: Any):
    @agents.function_tool
    def look() -> str:
        return "seen"

    agent = agents.Agent(name="A", tools=[look], model=calls("look"))
    result = await run(agent)
    assert [each.get("role", each.get("type")) for each in result.messages] == [
        "user", "function_call", "function_call_output", "assistant",
    ]  # fmt: skip
    assert [len(result.tool_calls), len(result.tool_results), len(result.handoffs)] == [1, 1, 0]
    assert (result.final_response, result.output, result.agent) == ("done", "done", agent)
    assert isinstance(result.run_id, str)


@row("`await session.initialize()`")
@row("`SQLiteSession(resume=True)`")
async def test_a_session_is_ready_when_it_is_made(agents: Any):
    session = agents.SQLiteSession("17", resume=True)
    await session.initialize()
    assert await session.is_initialized()
    session.close()


@row("a `TracingProcessor` with")
@row("`trace.id`")
@row("`span.name`")
@row("`@function_span(")
async def test_a_processor_of_whole_traces(agents: Any):
    seen = []

    class Printing(agents.TracingProcessor):
        def process_trace(self, trace):
            seen.append((trace.id, trace.duration, [(s.name, s.duration) for s in trace.spans]))

    @agents.function_span("step")
    async def step() -> int:
        return 17

    agents.set_trace_processors([Printing()])
    try:
        with agents.trace("work") as trace:
            assert await step() == 17
            with agents.custom_span("own", {"k": 1}) as span:
                assert (span.span_data.usage, span.span_data.metadata) == (None, {"k": 1})
    finally:
        agents.set_trace_processors([])
    ((trace_id, duration, spans),) = seen
    assert trace_id == trace.trace_id
    assert duration >= 0
    assert [name for name, _ in spans] == ["step", "own"]
    assert all(seconds >= 0 for _, seconds in spans)


@row("`agents.guardrails`")
def test_modules_of_guides():
    guardrails = importlib.import_module("agents.guardrails")
    assert guardrails.tool_input_guardrail is outlast.tool_input_guardrail
    streaming = importlib.import_module("agents.streaming")
    assert streaming.RawResponsesStreamEvent is outlast.RawResponsesStreamEvent
    assert importlib.import_module("openai_agents").Agent is outlast.Agent


@row("`from exospherehost.openai import agents`")
@row("`agents.run(agent, message")
@row("`exospherehost.BaseNode`")
@row("`exospherehost.StateManager`")
def test_rows_of_exosphere_are_tested_in_a_file_of_their_own():
    tests = (Path(__file__).parent / "test_exosphere.py").read_text()
    for word in ("from exospherehost.openai", "agents.run(", "BaseNode", "StateManager"):
        assert word in tests


@row("an `input_filter` that returns the context")
async def test_a_filter_that_returns_the_context_leaves_the_conversation_alone(agents: Any):
    seen = []
    model = ScriptedModel(
        [[function_call("transfer_to_b", {}, call_id="1")], [assistant_message("hi")]]
    )

    def keep(data: Any) -> Any:
        seen.append(data)
        return data.context

    target = agents.Agent(name="B", model=model)
    transfer = agents.handoff(target, input_filter=keep)
    result = await run(agents.Agent(name="A", handoffs=[transfer], model=model), "hello")
    assert (result.last_agent, len(seen)) == (target, 1)
    assert transfer.input_filter is keep
    assert model.calls[1].input[0]["content"] == "hello"


async def test_another_context_takes_the_place_of_the_runs(agents: Any):
    model = ScriptedModel(
        [[function_call("transfer_to_b", {}, call_id="1")], [assistant_message("hi")]]
    )
    transfer = agents.handoff(
        agents.Agent(name="B", model=model),
        input_filter=lambda data: agents.RunContextWrapper("new"),
    )
    result = await run(agents.Agent(name="A", handoffs=[transfer], model=model), context="old")
    assert result.context_wrapper.context == "new"


@row("`@HandoffInputFilter` on a predicate")
async def test_a_predicate_becomes_a_filter(agents: Any):
    @agents.HandoffInputFilter
    def no_calls(item: Any) -> bool:
        return "call" not in item.get("type", "")

    model = ScriptedModel(
        [[function_call("transfer_to_b", {}, call_id="1")], [assistant_message("hi")]]
    )
    target = agents.Agent(name="B", model=model)
    first = agents.Agent(
        name="A", handoffs=[agents.handoff(target, input_filter=no_calls)], model=model
    )
    await run(first, [{"role": "user", "content": "hello"}])
    assert [each.get("role") for each in model.calls[1].input] == ["user"]
    assert (agents.HandoffInputFilter | None) is not None


@row("`tool_filter` of an MCP server as a list")
@row("a `tool_filter` function of `(ctx, agent, tool)`")
@pytest.mark.parametrize(
    "choose", [["a"], lambda ctx, agent, tool: (agent, tool.name) == ("agent", "a")]
)
async def test_a_filter_of_a_servers_tools(agents: Any, choose: Any):
    policies = importlib.import_module("outlast.mcp.policies")
    tools = [Named("a"), Named("b")]
    about = (outlast.RunContextWrapper(None), "agent", "server")
    assert await policies.filtered(choose, tools, about) == tools[:1]


@dataclass
class Named:
    name: str


@row("`Runner.run(...).final_output` without `await`")
def test_a_result_is_read_before_it_is_awaited(agents: Any):
    agent = agents.Agent(name="A", model=says("one", "two", "three", "four"))
    late = agents.Runner.run(agent, "hi")
    assert (late.final_output, late.last_agent) == ("one", agent)
    waiting = agents.Runner.run(agent, "hi")
    assert asyncio.iscoroutine(waiting)
    assert asyncio.run(waiting).final_output == "two"
    agents.Runner.run(agent, "dropped").close()

    async def main() -> Any:
        coroutine = agents.Runner.run(agent, "hi")
        assert type(coroutine).__name__ == "coroutine"
        return await coroutine

    assert asyncio.run(main()).final_output == "three"


@row("a tool that returns `Runner.run(...)`")
async def test_a_tool_may_answer_with_a_run(agents: Any):
    inner = agents.Agent(name="Inner", model=says("from within"))

    @agents.function_tool
    async def ask() -> Any:
        """Ask."""
        return agents.Runner.run(inner, "hi")

    model = calls("ask")
    await run(agents.Agent(name="A", tools=[ask], model=model))
    assert model.calls[1].input[-1]["output"] == "from within"


@row("`RunState(current_agent=")
async def test_a_state_of_the_items_of_another_run(agents: Any):
    first = await run(agents.Agent(name="A", model=says("one")), "hi")
    model = says("two")
    state = agents.RunState(
        current_agent=agents.Agent(name="B", model=model),
        model_response=first.raw_responses[-1],
        generated_items=first.new_items,
        run_config=agents.RunConfig(max_turns=3),
    )
    result = await run(agents.Agent(name="B", model=model), state)
    assert result.final_output == "two"
    assert "one" in json.dumps(model.calls[0].input)
