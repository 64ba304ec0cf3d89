"""What a stored state says holds for the same agents and calls, in whatever order the program has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from openai.types.responses.response_output_item import McpApprovalRequest

from outlast import (
    Agent,
    AgentHooks,
    HostedMCPTool,
    RunConfig,
    RunContextWrapper,
    Runner,
    RunState,
    SQLiteSession,
    ToolApprovalItem,
    UserError,
    function_tool,
    handoff,
)
from outlast.testing import ScriptedModel, assistant_message, function_call

_CONFIG = RunConfig(tracing_disabled=True)


class _Hooks(AgentHooks[Any]):
    pass


def _program(names: str, prompts: dict[str, str], ran: list[str], *, resumes: bool) -> Agent[Any]:
    """A first agent with two namesakes behind it, in the order of ``names``."""

    def behind(owner: str) -> Agent[Any]:
        @function_tool(name_override="operate", needs_approval=True)
        def operate() -> str:
            ran.append(owner)
            return owner

        calls = [] if resumes else [[function_call("operate", {}, call_id="c1")]]
        model = ScriptedModel([*calls, [assistant_message("done")]])
        return Agent(
            name="same", instructions=prompts[owner], hooks=_Hooks(), tools=[operate], model=model
        )

    targets: list[Any] = [handoff(behind(name), tool_name_override=f"to_{name}") for name in names]
    first = ScriptedModel([[function_call("to_y", {}, call_id="h")]])
    return Agent(name="first", handoffs=targets, model=first)


async def _stored(ran: list[str], prompts: dict[str, str]) -> str:
    waiting = await Runner.run(
        _program("xy", prompts, ran, resumes=False), "hi", run_config=_CONFIG
    )
    state = waiting.to_state()
    state.approve(waiting.interruptions[0])
    return state.to_string()


@pytest.mark.parametrize("order", ["xy", "yx"])
async def test_a_stored_state_finds_its_agent_among_namesakes_in_any_order(order: str):
    ran: list[str] = []
    prompts = {"x": "b", "y": "a"}
    stored = await _stored(ran, prompts)

    again = _program(order, prompts, ran, resumes=True)
    result = await Runner.run(again, await RunState.from_string(again, stored), run_config=_CONFIG)

    assert (result.final_output, ran) == ("done", ["y"])


async def test_namesakes_that_cannot_be_told_apart_any_more_are_refused():
    ran: list[str] = []
    stored = await _stored(ran, {"x": "b", "y": "a"})
    alike = _program("xy", {"x": "same", "y": "same"}, ran, resumes=True)

    with pytest.raises(UserError, match="cannot distinguish same-name agents 'same'"):
        await RunState.from_string(alike, stored)


# --- Reading a context that ends the process. --------------------------------------------


class _Exit(SystemExit):
    pass


@dataclass
class _Secret:
    text: str


@pytest.mark.parametrize(
    ("error", "kind", "args"),
    [
        (SystemExit(), SystemExit, ()),
        (SystemExit(7), SystemExit, (7,)),
        (SystemExit("a secret"), SystemExit, (1,)),
        (_Exit(7), SystemExit, (1,)),
        (KeyboardInterrupt("a secret"), KeyboardInterrupt, ()),
    ],
)
async def test_what_ends_the_process_while_a_context_is_read_tells_nothing_of_it(
    error: BaseException, kind: type[BaseException], args: tuple[Any, ...]
):
    agent = Agent[Any](name="A", model=ScriptedModel([[assistant_message("hi")]]))
    result = await Runner.run(agent, "hi", context=_Secret("a secret"), run_config=_CONFIG)
    stored = result.to_state().to_string(context_serializer=lambda value: {"text": value.text})

    def read(_: Any) -> Any:
        raise error

    with pytest.raises(kind) as caught:
        await RunState.from_string(agent, stored, context_deserializer=read)
    assert type(caught.value) is kind
    assert caught.value.args == args
    assert caught.value is not error


# --- Requests of a provider's server. ----------------------------------------------------


@pytest.mark.parametrize("missing", ["name", "arguments", None])
async def test_code_decides_only_about_requests_that_say_all_it_may_decide_on(missing: str | None):
    asked: list[str] = []

    def decide(request: Any) -> Any:
        asked.append(request.data.id)
        return {"approve": True}

    tool = HostedMCPTool(
        tool_config={"type": "mcp", "server_label": "s", "server_url": "https://example.com"},
        on_approval_request=decide,
    )
    fields = {"server_label": "s", "name": "lookup", "arguments": "{}"}
    given: dict[str, Any] = {key: value for key, value in fields.items() if key != missing}
    request = McpApprovalRequest.model_construct(id="r1", type="mcp_approval_request", **given)
    model = ScriptedModel([[request], [assistant_message("done")]])

    result = await Runner.run(Agent(name="A", tools=[tool], model=model), "hi", run_config=_CONFIG)

    assert (len(result.interruptions), asked) == ((0, ["r1"]) if missing is None else (1, []))


# --- What fails behind a tool. -----------------------------------------------------------


@pytest.mark.parametrize("gated", [True, False])
async def test_a_tool_whose_data_cannot_be_extracted_has_run_and_keeps_its_result(gated: bool):
    ran: list[str] = []

    def extract(_: Any) -> dict[str, Any]:
        raise RuntimeError("no data")

    @function_tool(needs_approval=gated, custom_data_extractor=extract)
    def charge() -> str:
        ran.append("charge")
        return "receipt"

    calls = [function_call("charge", {}, call_id="c1")]
    model = ScriptedModel([calls, [assistant_message("done")]])
    agent, session = Agent[Any](name="A", tools=[charge], model=model), SQLiteSession("s")
    streamed = Runner.run_streamed(agent, "hi", session=session, run_config=_CONFIG)
    if gated:
        async for _ in streamed.stream_events():
            pass
        state = streamed.to_state()
        state.approve(state.get_interruptions()[0])
        streamed = Runner.run_streamed(agent, state, session=session, run_config=_CONFIG)
    with pytest.raises(UserError, match="Error running tool charge: no data"):
        async for _ in streamed.stream_events():
            pass
    result = await Runner.run(agent, streamed.to_state(), session=session, run_config=_CONFIG)

    assert (result.final_output, ran) == ("done", ["charge"])
    outputs = [item for item in await session.get_items() if "output" in item]
    assert [item["output"] for item in outputs] == ["receipt"]


async def test_a_call_that_an_older_state_answered_after_a_decision_is_not_run_again():
    ran: list[str] = []

    @function_tool(needs_approval=True)
    def charge() -> str:
        ran.append("charge")
        return "receipt"

    call = function_call("charge", {}, call_id="c1")
    model = ScriptedModel([[call], [assistant_message("done")]])
    agent = Agent[Any](name="A", tools=[charge], model=model)
    context = RunContextWrapper[Any](None)
    context.approve_tool(ToolApprovalItem(agent=agent, raw_item=call), always_approve=True)
    answer = {"type": "function_call_output", "call_id": "c1", "output": "receipt"}
    given: list[Any] = [call.model_dump(exclude_none=True), answer]
    stored = RunState(context, given, agent).to_json()
    del stored["context"]["tool_invocations"]
    stored["$schemaVersion"] = "1.13"

    result = await Runner.run(agent, await RunState.from_json(agent, stored), run_config=_CONFIG)

    assert (result.final_output, ran) == ("done", [])
