"""Approvals: a run that waits can be stored, decided on elsewhere, and gone on with more than once."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest
from openai.types.responses import ResponseFunctionShellToolCall
from openai.types.responses.response_output_item import McpApprovalRequest

from outlast import (
    Agent,
    HostedMCPTool,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    Runner,
    RunState,
    ShellTool,
    SQLiteSession,
    ToolContext,
    ToolGuardrailFunctionOutput,
    ToolOutputText,
    ToolsToFinalOutputResult,
    UserError,
    function_tool,
    handoff,
    tool_input_guardrail,
)
from outlast.core.errors import ModelBehaviorError
from outlast.core.events import RunForked, ToolReturned
from outlast.core.evolve import fold
from outlast.journal.memory import MemoryJournal
from outlast.run.state_json import read_events
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call

CALL = function_call("pay", {"amount": 7}, call_id="c1")
DONE = assistant_message("done")


class Desk:
    """An agent that pays when it is let, and what it paid."""

    def __init__(self, *replies: Any, **tool: Any) -> None:
        self.paid: list[int] = []

        def pay(amount: int) -> str:
            self.paid.append(amount)
            return f"paid {amount}"

        tools: list[Any] = [function_tool(pay, needs_approval=True, **tool)]

        self.model = ScriptedModel([[CALL], *(replies or ([DONE],))])
        self.agent = Agent(name="desk", model=self.model, tools=tools)
        self.journal = MemoryJournal()
        self.config = RunConfig(journal=self.journal)

    async def run(self, given: Any, **options: Any) -> Any:
        return await Runner.run(self.agent, given, run_config=self.config, **options)

    async def paused(self, **options: Any) -> RunState[Any]:
        return (await self.run("pay 7", **options)).to_state()


class Broken:
    """A session whose next writes fail, before or after they took effect."""

    session_id = "broken"
    session_settings = None

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.failure = ""

    async def get_items(self, limit: int | None = None) -> list[Any]:
        return self.items[-limit:] if limit else list(self.items)

    async def add_items(self, items: list[Any]) -> None:
        failure, self.failure = self.failure, ""
        if failure != "before":
            self.items += items
        if failure:
            raise OSError("disk")

    def kinds(self) -> list[str]:
        return [item.get("type", "message") for item in self.items]


ELSEWHERE = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from test_approvals import Desk

async def main():
    print((await Desk().paused(context={{"who": "Ada"}})).to_string())

asyncio.run(main())
"""


async def test_a_waiting_run_goes_on_in_another_process_from_its_json():
    program = ELSEWHERE.format(tests=__file__.rpartition("/")[0])
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await other.communicate()
    desk = Desk()
    desk.model = desk.agent.model = ScriptedModel([[DONE]])
    state = await RunState.from_string(desk.agent, told.decode())
    state.approve(state.get_interruptions()[0])
    result = await desk.run(state)
    assert result.final_output == "done"
    assert desk.paid == [7]
    assert result.context_wrapper.context == {"who": "Ada"}


async def test_a_decision_is_part_of_what_is_stored():
    desk = Desk()
    state = await desk.paused()
    state.reject(state.get_interruptions()[0], rejection_message="not today")
    result = await desk.run(await RunState.from_json(desk.agent, json.loads(state.to_string())))
    assert desk.paid == []
    assert "not today" in [item.get("output") for item in result.to_input_list()]


async def test_a_state_resumed_twice_forks():
    desk = Desk([DONE], [DONE])
    state = await desk.paused()
    one, other = [await RunState.from_json(desk.agent, state.to_json()) for _ in range(2)]
    one.approve(one.get_interruptions()[0])
    other.reject(other.get_interruptions()[0])
    first, second = await desk.run(one), await desk.run(other)
    assert desk.paid == [7]
    assert first.run_id != second.run_id
    events = [each.event for each in await desk.journal.read(second.run_id)]
    forked = [event for event in events if isinstance(event, RunForked)]
    assert [event.source for event in forked] == [first.run_id]
    assert events[: forked[0].at] == [
        each.event for each in (await desk.journal.read(first.run_id))[: forked[0].at]
    ]


async def test_what_waited_keeps_its_key_in_forks_and_forks_of_forks_and_later_calls_do_not():
    keys: list[str] = []

    @function_tool(needs_approval=True)
    def pay(ctx: ToolContext[Any]) -> str:
        keys.append(ctx.idempotency_key)
        return "paid"

    first, second = ([function_call("pay", {}, call_id=name)] for name in ("c1", "c2"))
    model = ScriptedModel([first, [DONE], second, [DONE], [DONE]])
    agent = Agent(name="desk", model=model, tools=[pay])
    config = RunConfig(journal=MemoryJournal())

    async def approved(stored: Any) -> Any:
        state = await RunState.from_json(agent, stored)
        state.approve(state.get_interruptions()[0])
        return await Runner.run(agent, state, run_config=config)

    stored = (await Runner.run(agent, "go", run_config=config)).to_state().to_json()
    run, fork = await approved(stored), await approved(stored)
    again = fork.to_state().to_json()
    results = [run, fork, await approved(again), await approved(again)]
    assert [each.run_id for each in results[:3]] == [run.run_id, fork.run_id, fork.run_id]
    assert len({each.run_id for each in results}) == 3
    assert keys == [keys[0]] * 2 + [keys[2]] * 2
    named = [(key.split(":")[0], key.split(":")[-1]) for key in (keys[0], keys[2])]
    assert named == [(run.run_id, "t1.c1"), (fork.run_id, "t2.c2")]


async def test_a_fork_decides_for_itself_also_in_the_runs_of_its_tools():
    inner = Desk([DONE], [DONE])
    tool = inner.agent.as_tool(tool_name="ask_desk", tool_description="")
    call = function_call("ask_desk", {"input": "pay"}, call_id="o1")
    outer = Agent(name="outer", model=ScriptedModel([[call], [DONE], [DONE]]), tools=[tool])
    paused = await Runner.run(outer, "go", run_config=inner.config)
    state = paused.to_state()
    one, other = [await RunState.from_json(outer, state.to_json()) for _ in range(2)]
    one.approve(one.get_interruptions()[0])
    await Runner.run(outer, one, run_config=inner.config)
    assert inner.paid == [7]
    other.reject(other.get_interruptions()[0], rejection_message="no")
    await Runner.run(outer, other, run_config=inner.config)
    assert inner.paid == [7]
    told = inner.model.calls[-1].input
    assert [item.get("output") for item in told if "output" in item] == ["no"]


async def decided(desk: Desk, agent: Agent[Any], stored: Any, *, approved: bool = True) -> Any:
    state = await RunState.from_json(agent, stored)
    (waiting,) = state.get_interruptions()
    (state.approve if approved else state.reject)(waiting)
    return await Runner.run(agent, state, run_config=desk.config)


@pytest.mark.parametrize(
    ("policy", "first", "paid", "asks"),
    [
        ("retry", True, [7, 7, 7], [0, 0]),
        ("once", True, [7], [0, 0]),
        ("ask", True, [7], [1, 1]),
        ("once", False, [7], [0, 0]),  # What was refused has not begun.
    ],
)
async def test_a_fork_knows_which_calls_the_run_it_comes_from_has_begun(
    policy: str, first: bool, paid: list[int], asks: list[int]
):
    desk = Desk(on_uncertain=policy)
    desk.model.extend([[DONE], [DONE], [DONE]])
    stored = (await desk.paused()).to_json()
    await decided(desk, desk.agent, stored, approved=first)
    forks = [await decided(desk, desk.agent, stored) for _ in range(2)]
    assert (desk.paid, [len(fork.interruptions) for fork in forks]) == (paid, asks)


@pytest.mark.parametrize(
    ("policy", "paid", "asks"), [("once", 1, 0), ("ask", 1, 1), ("retry", 3, 0)]
)
async def test_forks_of_one_state_know_of_each_other_whichever_goes_on_when(
    policy: str, paid: int, asks: int
):
    desk = Desk(on_uncertain=policy)
    desk.model.extend([[DONE], [DONE], [DONE], [DONE]])
    stored = (await desk.paused()).to_json()
    await decided(desk, desk.agent, stored, approved=False)  # What comes now are forks.
    one = await decided(desk, desk.agent, stored)
    grandchild = (await decided(desk, desk.agent, stored)).to_state().to_json()
    assert grandchild["outlast"]["run_id"] != one.run_id
    again = await decided(desk, desk.agent, stored)
    assert (len(desk.paid), len(again.interruptions)) == (paid, asks)


async def test_a_fork_knows_which_calls_the_runs_of_its_tools_have_begun():
    inner = Desk([DONE], [DONE], on_uncertain="once")
    tool = inner.agent.as_tool(tool_name="ask_desk", tool_description="")
    call = function_call("ask_desk", {"input": "pay"}, call_id="o1")
    outer = Agent(name="outer", model=ScriptedModel([[call], [DONE], [DONE]]), tools=[tool])
    stored = (await Runner.run(outer, "go", run_config=inner.config)).to_state().to_json()
    results = [await decided(inner, outer, stored) for _ in range(2)]
    assert [result.final_output for result in results] == ["done", "done"]
    assert inner.paid == [7]


@pytest.mark.parametrize("failure", ["before", "after"])
@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_write_that_failed_is_made_good_and_the_tool_is_not_run_again(
    failure: str, is_stored: bool
):
    desk, session = Desk(), Broken()
    state = await desk.paused(session=session)
    state.approve(state.get_interruptions()[0])
    session.failure = failure
    with pytest.raises(OSError, match="disk"):
        await desk.run(state, session=session)
    if is_stored:
        state = await RunState.from_json(desk.agent, state.to_json())
    result = await desk.run(state, session=session)
    assert result.final_output == "done"
    assert desk.paid == [7]
    assert session.kinds() == ["message", "function_call", "function_call_output", "message"]


async def test_a_run_with_an_unsaved_write_wants_its_session_back():
    desk, session = Desk(), Broken()
    state = await desk.paused(session=session)
    state.approve(state.get_interruptions()[0])
    session.failure = "before"
    with pytest.raises(OSError, match="disk"):
        await desk.run(state, session=session)
    with pytest.raises(UserError, match="pending Session write"):
        await desk.run(state)


async def test_an_accepted_output_that_was_not_saved_closes_the_state():
    desk, session = Desk(), Broken()
    desk.agent.tool_use_behavior = "stop_on_first_tool"
    state = await desk.paused(session=session)
    state.approve(state.get_interruptions()[0])
    session.failure = "before"
    with pytest.raises(OSError, match="disk"):
        await desk.run(state, session=session)
    assert state.to_json()["terminal_unrecoverable"] is True
    with pytest.raises(UserError, match="cannot be resumed"):
        await desk.run(state, session=session)
    assert desk.paid == [7]


async def test_a_tool_that_failed_is_not_run_again():
    desk = Desk(failure_error_function=None)
    state = await desk.paused()
    state.approve(state.get_interruptions()[0])
    desk.paid = None  # type: ignore[assignment]  # so that the tool fails
    with pytest.raises(UserError, match="Error running tool pay"):
        await desk.run(state)
    with pytest.raises(ModelBehaviorError, match="already executed"):
        await desk.run(state)


async def test_a_call_that_is_repeated_later_has_its_answer_already():
    again = function_call("pay", '{ "amount": 7 }', call_id="c1")
    desk = Desk([again], [DONE])
    state = await desk.paused()
    state.approve(state.get_interruptions()[0])
    result = await desk.run(state)
    assert result.final_output == "done"
    assert desk.paid == [7]
    calls = [item for item in result.to_input_list() if item.get("type") == "function_call"]
    assert len(calls) == 1


async def test_another_call_under_a_known_id_fails_before_it_runs():
    desk = Desk([function_call("pay", {"amount": 8}, call_id="c1")])
    state = await desk.paused()
    state.approve(state.get_interruptions()[0])
    with pytest.raises(ModelBehaviorError, match="unique call ID"):
        await desk.run(state)
    assert desk.paid == [7]


async def test_input_may_be_added_only_where_a_model_call_follows():
    desk = Desk()
    state = await desk.paused()
    state.add_input("and thanks")
    assert state.pending_input == [{"content": "and thanks", "role": "user"}]
    state.clear_pending_input()
    desk.agent.tool_use_behavior = "stop_on_first_tool"
    with pytest.raises(UserError, match="may end the run"):
        state.add_input("late")


async def test_a_state_made_by_hand_begins_a_run():
    desk = Desk()
    desk.model = desk.agent.model = ScriptedModel([[DONE]])
    fresh = RunState(RunContextWrapper(None), "hello", desk.agent, 3)
    fresh = await RunState.from_json(desk.agent, fresh.to_json())
    result = await desk.run(fresh)
    assert (result.final_output, result.max_turns) == ("done", 3)
    assert desk.model.calls[0].input == [{"content": "hello", "role": "user"}]


async def test_the_state_of_a_finished_run_goes_on_with_another_turn():
    desk = Desk([DONE], [assistant_message("more")])
    state = await desk.paused()
    state.approve(state.get_interruptions()[0])
    finished = await desk.run(state)
    result = await desk.run(finished.to_state())
    assert (finished.final_output, result.final_output) == ("done", "more")
    assert result.context_wrapper.usage.requests == 3


async def test_reopening_brings_back_what_the_failure_dropped():
    desk, session = Desk(), Broken()
    state = await desk.paused(session=session)
    state.approve(state.get_interruptions()[0])
    session.failure = "before"
    with pytest.raises(OSError, match="disk"):
        await desk.run(state, session=session)
    _, events = read_events(state.to_json())
    folded = fold(events)
    assert folded.before_failure is not None
    assert folded.before_failure.ended is None


def provider_request(server: str) -> McpApprovalRequest:
    return McpApprovalRequest(
        id=f"request-{server}",
        type="mcp_approval_request",
        arguments="{}",
        name="lookup",
        server_label=server,
    )


async def test_a_decision_about_a_provider_s_tool_holds_for_its_server_only():
    tools: list[Any] = [
        HostedMCPTool(tool_config={"type": "mcp", "server_label": name, "server_url": "https://x"})
        for name in ("a", "b")
    ]
    model = ScriptedModel([[provider_request("a")], [provider_request("b")]])
    agent = Agent(name="desk", model=model, tools=tools)
    config = RunConfig(journal=MemoryJournal())
    state = (await Runner.run(agent, "go", run_config=config)).to_state()
    state.approve(state.get_interruptions()[0], always_approve=True)
    result = await Runner.run(agent, state, run_config=config)
    assert [item.call_id for item in result.interruptions] == ["request-b"]


async def test_a_shell_under_a_name_of_its_own_waits_for_a_person_too():
    ran: list[Any] = []
    shell = ShellTool(name="safe_shell", executor=lambda _: str(ran.append(1)), needs_approval=True)
    action = {"commands": ["ls"], "max_output_length": None, "timeout_ms": None}
    facts = {"id": "sh", "call_id": "s1", "status": "completed", "action": action}
    call: Any = ResponseFunctionShellToolCall.model_validate({**facts, "type": "shell_call"})
    agent = Agent(name="desk", model=ScriptedModel([[call]]), tools=[shell])
    result = await Runner.run(agent, "go", run_config=RunConfig(journal=MemoryJournal()))
    assert (len(result.interruptions), ran) == (1, [])


class Counting(RunHooks[Any]):
    """Counts what it is told of a tool."""

    def __init__(self, *, fails: bool = False) -> None:
        self.told: list[str] = []
        self.fails = fails

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        self.told.append(f"start {tool.name}")

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: Any) -> None:
        self.told.append(f"end {tool.name}")
        if self.fails:
            raise UserError("the hook failed")


async def test_what_comes_before_an_agent_as_tool_comes_once_although_a_person_was_asked():
    desk, asked = Desk(), list[str]()

    @tool_input_guardrail
    def note(_data: Any) -> ToolGuardrailFunctionOutput:
        asked.append("input")
        return ToolGuardrailFunctionOutput.allow()

    delegate = desk.agent.as_tool("delegate", "Pays.")
    delegate.tool_input_guardrails = [note]
    model = ScriptedModel([[function_call("delegate", {"input": "pay"}, call_id="d")], [DONE]])
    boss = Agent(name="boss", model=model, tools=[delegate])
    hooks = Counting()
    paused = await Runner.run(boss, "go", run_config=desk.config, hooks=hooks)
    state = await RunState.from_json(boss, paused.to_state().to_json())
    state.approve(state.get_interruptions()[0])

    result = await Runner.run(boss, state, run_config=desk.config, hooks=hooks)

    assert result.final_output == "done"
    assert desk.paid == [7]
    assert asked == ["input"]
    assert hooks.told == ["start delegate", "end delegate"]


async def test_a_call_of_a_tool_s_agent_is_shown_with_that_agent_also_among_namesakes():
    desks = [Desk(), Desk()]
    tools: list[Any] = [desk.agent.as_tool(f"desk_{n}", "Pays.") for n, desk in enumerate(desks)]
    calls = [function_call(tool.name, {"input": "pay"}, call_id=tool.name) for tool in tools]
    boss = Agent(name="boss", model=ScriptedModel([calls, [DONE]]), tools=tools)
    paused = await Runner.run(boss, "go", run_config=desks[0].config)
    state = await RunState.from_json(boss, paused.to_state().to_json())

    waiting = {id(item.agent): item for item in state.get_interruptions()}

    assert set(waiting) == {id(desk.agent) for desk in desks}
    state.reject(waiting[id(desks[0].agent)])
    state.approve(waiting[id(desks[1].agent)])
    await Runner.run(boss, state, run_config=desks[0].config)
    assert [desk.paid for desk in desks] == [[], [7]]


@pytest.mark.parametrize("was_clear", [True, False])
async def test_a_stored_decision_is_asked_for_again_where_its_agent_has_a_double(was_clear: bool):
    def named(instructions: str) -> Desk:
        desk = Desk()
        desk.agent = desk.agent.clone(name="same", instructions=instructions)
        return desk

    def program(*desks: Desk) -> Agent[Any]:
        called = function_call("to_0", {}, call_id="h")
        targets = [
            handoff(desk.agent, tool_name_override=f"to_{n}") for n, desk in enumerate(desks)
        ]
        return Agent(name="root", model=ScriptedModel([[called]]), handoffs=targets)

    one, other = named("one" if was_clear else "same"), named("same")
    paused = await Runner.run(program(one, other), "go", run_config=one.config)
    state = paused.to_state()
    state.approve(paused.interruptions[0], always_approve=True)
    stored = state.to_string()

    double, twin = named("same"), named("same")
    root = program(double, twin)
    again = await Runner.run(root, await RunState.from_string(root, stored), run_config=one.config)

    assert [item.tool_name for item in again.interruptions] == ["pay"]
    assert double.paid == twin.paid == []


async def test_a_stored_decision_holds_among_namesakes_that_differ():
    desk, other = Desk(), Desk()
    other.agent.instructions = "Pay nobody."
    root = Agent(
        name="root",
        model=ScriptedModel([[function_call("to_desk", {}, call_id="h")]]),
        handoffs=[handoff(desk.agent, tool_name_override="to_desk"), other.agent],
    )
    paused = await Runner.run(root, "go", run_config=desk.config)
    state = paused.to_state()
    state.approve(paused.interruptions[0])
    restored = await RunState.from_string(root, state.to_string())

    result = await Runner.run(root, restored, run_config=desk.config)

    assert result.final_output == "done"
    assert desk.paid == [7]


async def test_a_state_keeps_what_a_tool_returned_although_the_tool_changes_it_later():
    receipt = ToolOutputText(text="paid 7")
    desk = Desk()

    def pay(amount: int) -> Any:
        desk.paid.append(amount)
        return [receipt]

    async def finish(_context: Any, results: list[Any]) -> ToolsToFinalOutputResult:
        return ToolsToFinalOutputResult(True, results[0].output[0].text)

    desk.agent.tools = [function_tool(pay, needs_approval=True)]
    desk.agent.tool_use_behavior = finish
    state = await desk.paused()
    state.approve(state.get_interruptions()[0])
    with pytest.raises(UserError, match="the hook failed"):
        await desk.run(state, hooks=Counting(fails=True))
    stored = state.to_json()

    receipt.text = "changed"

    assert state.to_json() == stored
    assert (await desk.run(state)).final_output == "paid 7"
    assert desk.paid == [7]


async def test_a_stored_decision_is_carried_out_once_whenever_the_process_dies():
    desk = Desk([DONE])
    stored = (await desk.paused()).to_json()
    state = await RunState.from_json(desk.agent, stored)
    state.approve(state.get_interruptions()[0])
    whole = [each.event for each in await desk.journal.read((await desk.run(state)).run_id)]
    begun = next(n for n, event in enumerate(whole) if isinstance(event, ToolReturned)) + 1
    desk.journal = desk.config.journal = MemoryJournal()
    desk.model.extend([[DONE]])
    lease = await desk.journal.acquire(stored["outlast"]["run_id"], new=True)
    await desk.journal.append(lease, whole[:begun])
    await desk.journal.release(lease)
    again = await RunState.from_json(desk.agent, stored)
    again.approve(again.get_interruptions()[0])
    result = await desk.run(again)
    assert (desk.paid, result.run_id, result.final_output) == ([7], lease.run_id, "done")


async def test_a_run_that_failed_after_a_decision_goes_on_from_there():
    desk = Desk(ModelStep.raise_error(ConnectionError("down")), [DONE])
    stored = (await desk.paused()).to_json()
    states = [await RunState.from_json(desk.agent, stored) for _ in range(2)]
    for state in states:
        state.approve(state.get_interruptions()[0])
    with pytest.raises(ConnectionError):
        await desk.run(states[0])
    assert (await desk.run(states[1])).final_output == "done"
    assert desk.paid == [7]


@pytest.mark.parametrize("is_agent", [False, True])
async def test_an_error_of_what_says_who_needs_a_person_names_the_tool(*, is_agent: bool):
    def broken(*_: Any) -> bool:
        raise ValueError("no policy")

    @function_tool(needs_approval=broken)
    def pay(input: str) -> str:
        return "paid"

    inner = Agent(name="inner", model=ScriptedModel([]))
    tool: Any = pay
    if is_agent:
        tool = inner.as_tool(tool_name="pay", tool_description="", needs_approval=broken)
    call = function_call("pay", {"input": "x"}, call_id="c")
    agent = Agent(name="A", tools=[tool], model=ScriptedModel([[call]]))
    with pytest.raises(UserError, match="Error running tool pay: no policy") as caught:
        await Runner.run(agent, "hi")
    assert isinstance(caught.value.__cause__, ValueError)


def _boom(_: Any) -> Any:
    raise ValueError("a secret of the context")


@pytest.mark.parametrize(
    ("way", "function", "said"),
    [
        ("context_serializer", lambda _: [1], "serializer must return a mapping"),
        ("context_serializer", _boom, "serializer failed while serializing"),
        ("context_deserializer", _boom, "deserializer failed while rebuilding"),
    ],
)
async def test_a_serializer_that_fails_is_an_error_of_ours_without_its_text(
    way: str, function: Any, said: str
):
    agent = Agent(name="A", model=ScriptedModel([]))
    state = RunState(RunContextWrapper(object()), "hi", agent)

    async def stored_and_read() -> None:
        if way == "context_serializer":
            state.to_json(context_serializer=function)
        stored = state.to_json(context_serializer=lambda _: {"a": 1})
        await RunState.from_json(agent, stored, context_deserializer=function)

    with pytest.raises(UserError, match=said) as caught:
        await stored_and_read()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("wrong", [[5], ["text"], {"role": "user"}, [None]])
@pytest.mark.parametrize("way", ["staged", "session", "callback"])
async def test_what_is_no_item_is_named_wherever_it_comes_from(way: str, wrong: Any):
    class Odd(SQLiteSession):
        async def get_items(self, limit: int | None = None) -> list[Any]:
            return list(wrong)

    agent = Agent(name="A", model=ScriptedModel([]))
    config = RunConfig(session_input_callback=lambda old, new: [*old, *new, *wrong])

    async def brought_in() -> None:
        if way == "staged":
            RunState(RunContextWrapper(None), "hi", agent).add_input(wrong)
        elif way == "session":
            await Runner.run(agent, "hi", session=Odd("s"))
        else:
            await Runner.run(agent, "hi", session=SQLiteSession("s"), run_config=config)

    with pytest.raises(TypeError, match="an item is a dict"):
        await brought_in()
