"""What people decide about runs that nobody performs: one decision holds, and the others are told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.decisions import race

from outlast import (
    Agent,
    AlreadyDecided,
    CallNotFound,
    RunConfig,
    Runner,
    RunNotFound,
    RunState,
    UserError,
    function_tool,
)
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    RunAcquired,
    RunCancelled,
    ToolReturned,
)
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


class Desk:
    """An agent that pays when it is let, itself or by a helper, and what it paid."""

    def __init__(self, journal: Any = None) -> None:
        self.paid: list[str] = []
        self.config = RunConfig(journal=journal or MemoryJournal())

    def agent(self, *replies: Any) -> Agent[Any]:
        def pay(order: str) -> str:
            self.paid.append(order)
            return f"paid {order}"

        tool = function_tool(pay, needs_approval=True)
        script = [each if isinstance(each, list) else [each] for each in replies]
        return Agent(name="Desk", tools=[tool], model=ScriptedModel(script))

    async def wait(self, *calls: str) -> None:
        items = [function_call("pay", {"order": call}, call_id=call) for call in calls]
        result = await Runner.run(self.agent(items), "pay", run_id="r", run_config=self.config)
        assert len(result.interruptions) == len(calls)
        self.state = result.to_state()

    async def go_on(self) -> Any:
        agent = self.agent(assistant_message("done"))
        return await Runner.resume("r", agent, run_config=self.config)

    async def decisions(self) -> list[ApprovalDecided]:
        log = await self.config.journal.read("r")  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]  # a journal
        return [each.event for each in log if isinstance(each.event, ApprovalDecided)]

    async def decide(self, call: str, said: bool, **about: Any) -> None:
        await (Runner.approve if said else Runner.reject)(
            "r", call, run_config=self.config, **about
        )


async def test_a_call_that_is_approved_without_any_agent_is_performed_once_the_run_is_resumed():
    desk = Desk()
    await desk.wait("a")
    await desk.decide("a", True, by="grace", why="known customer")
    assert desk.paid == []
    (decision,) = await desk.decisions()
    assert (decision.by, decision.why) == ("grace", "known customer")
    assert decision.at is not None
    assert (await desk.go_on()).final_output == "done"
    assert desk.paid == ["a"]


async def test_a_call_that_is_rejected_is_told_to_the_model_in_the_words_that_are_meant_for_it():
    desk = Desk()
    await desk.wait("a")
    await desk.decide("a", False, by="grace", why="looks like fraud", message="ask your bank")
    result = await desk.go_on()
    outputs = [item.output for item in result.new_items if item.type == "tool_call_output_item"]
    assert (desk.paid, outputs) == ([], ["ask your bank"])


@pytest.mark.parametrize("is_gone_on", [False, True])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("who", ["grace", "bob", None])
async def test_the_first_decision_holds_and_who_comes_later_is_told_of_it(
    first: bool, second: bool, who: str | None, is_gone_on: bool
):
    desk = Desk()
    await desk.wait("a")
    await desk.decide("a", first, by="grace", why="because")
    if is_gone_on:
        await desk.go_on()
    if (second, who) == (first, "grace"):
        await desk.decide("a", second, by=who)
    else:
        with pytest.raises(AlreadyDecided, match="'grace'") as late:
            await desk.decide("a", second, by=who)
        told = late.value
        assert (told.run_id, told.call_id, told.approved, told.by, told.why) == (
            "r", "a", first, "grace", "because"
        )  # fmt: skip
    assert [each.approved for each in await desk.decisions()] == [first]


@pytest.mark.parametrize("is_gone_on", [False, True])
@pytest.mark.parametrize("first", [True, False])
async def test_a_stored_state_does_not_overrule_what_a_person_has_told_its_run(
    first: bool, is_gone_on: bool
):
    desk = Desk()
    await desk.wait("a")
    agent = desk.agent(assistant_message("done"))
    state = await RunState.from_json(agent, desk.state.to_json())
    (waiting,) = state.get_interruptions()
    await desk.decide("a", first, by="grace", why="because")
    if is_gone_on:
        await desk.go_on()
    (state.reject if first else state.approve)(waiting)
    with pytest.raises(AlreadyDecided, match="'grace'") as late:
        await Runner.run(agent, state, run_config=desk.config)
    told = late.value
    assert (told.run_id, told.call_id, told.approved, told.by, told.why) == (
        "r", "a", first, "grace", "because"
    )  # fmt: skip
    assert (await desk.go_on()).final_output == "done"
    assert desk.paid == (["a"] if first else [])


async def test_a_stored_state_that_says_the_same_as_a_person_goes_on_with_its_run():
    desk = Desk()
    await desk.wait("a")
    agent = desk.agent(assistant_message("done"))
    state = await RunState.from_json(agent, desk.state.to_json())
    await desk.decide("a", True, by="grace")
    state.approve(state.get_interruptions()[0])
    result = await Runner.run(agent, state, run_config=desk.config)
    assert (result.run_id, result.final_output, desk.paid) == ("r", "done", ["a"])


async def test_a_run_that_died_after_one_decision_is_not_gone_on_with_by_another_one():
    desk = Desk()
    await desk.wait("a")
    stored, agent = desk.state.to_json(), desk.agent(assistant_message("done"))
    journal: Any = desk.config.journal
    lease = await journal.acquire("r")
    decision = ApprovalDecided(call_id="a", approved=True, agent="Desk", name="pay")
    await journal.append(lease, [RunAcquired("pid 1"), decision])
    await journal.release(lease)
    state = await RunState.from_json(agent, stored)
    state.reject(state.get_interruptions()[0])
    with pytest.raises(AlreadyDecided):
        await Runner.run(agent, state, run_config=desk.config)
    assert ((await desk.go_on()).final_output, desk.paid) == ("done", ["a"])


@pytest.mark.parametrize("call", ["", "a", "ab", "abcd", "ABC", "abc ", 7, None])
async def test_a_decision_needs_the_whole_id_of_a_call(call: Any):
    desk = Desk()
    await desk.wait("abc", "abx")
    with pytest.raises(UserError) as wrong:
        await desk.decide(call, True)
    if isinstance(wrong.value, CallNotFound):
        assert wrong.value.waiting == ("abc", "abx")
    assert await desk.decisions() == []


async def test_a_decision_about_a_run_that_is_not_there_makes_none():
    desk = Desk()
    await desk.wait("a")
    for wrong in ("", "nothing", "R"):
        with pytest.raises((RunNotFound, UserError)):
            await Runner.approve(wrong, "a", run_config=desk.config)
    assert [run.run_id for run in await desk.config.journal.runs()] == ["r"]  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]


async def test_always_holds_for_later_calls_of_the_tool():
    desk = Desk()
    await desk.wait("a")
    await desk.decide("a", True, always=True)
    more = function_call("pay", {"order": "b"}, call_id="b")
    agent = desk.agent(more, assistant_message("done"))
    result = await Runner.resume("r", agent, run_config=desk.config)
    assert (result.final_output, desk.paid) == ("done", ["a", "b"])


async def test_a_run_that_goes_on_takes_a_decision_at_once():
    desk, began, may_end = Desk(), asyncio.Event(), asyncio.Event()

    @function_tool
    async def look() -> str:
        began.set()
        await may_end.wait()
        return ""

    agent = desk.agent(
        [function_call("pay", {"order": "a"}, call_id="a"), function_call("look", {}, call_id="l")],
        assistant_message("done"),
    )
    agent.tools.append(look)
    run = asyncio.create_task(Runner.run(agent, "pay", run_id="r", run_config=desk.config))
    await began.wait()
    async for stored in desk.config.journal.watch("r"):  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        if isinstance(stored.event, ApprovalRequested):
            break
    await desk.decide("a", True, by="grace")
    async for stored in desk.config.journal.watch("r"):  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        if isinstance(stored.event, ToolReturned):
            break
    assert desk.paid == ["a"]
    with pytest.raises(AlreadyDecided, match="'grace'"):
        await desk.decide("a", False)
    may_end.set()
    assert ((await run).final_output, desk.paid) == ("done", ["a"])


# --- Runs inside runs. -------------------------------------------------------------------


def outer(desk: Desk, *, depth: int, is_waiting: bool) -> Agent[Any]:
    """An agent whose tool is an agent, and so on, the last of which pays."""
    call = function_call("pay", {"order": "a"}, call_id="c0")
    replies = [call] if is_waiting else []
    agent = desk.agent(*replies, assistant_message("paid by 0"))
    for n in range(1, depth + 1):
        tool = agent.as_tool(f"ask{n}", "asks")
        call = function_call(f"ask{n}", {"input": "pay"}, call_id=f"c{n}")
        script = [[call]] if is_waiting else []
        model = ScriptedModel([*script, [assistant_message(f"paid by {n}")]])
        agent = Agent[Any](name=f"Level {n}", tools=[tool], model=model)
    return agent


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("named_by", ["its own id", "its key", "the inner run"])
async def test_a_decision_about_a_nested_call_is_one_event_in_one_log(depth: int, named_by: str):
    desk = Desk()
    journal: Any = desk.config.journal
    agent = outer(desk, depth=depth, is_waiting=True)
    result = await Runner.run(agent, "pay", run_id="r", run_config=desk.config)
    (asked,) = result.interruptions
    inner = max((run.run_id for run in await journal.runs()), key=len)
    key = {"its own id": "c0", "its key": f"{inner.removeprefix('r/')}/c0", "the inner run": "c0"}
    if named_by == "its key":
        from outlast.core.evolve import fold

        requested = fold([each.event for each in await journal.read("r")]).requested
        (key["its key"],) = requested
    assert asked.tool_name == "pay"
    about = inner if named_by == "the inner run" else "r"
    await Runner.approve(about, key[named_by], by="grace", run_config=desk.config)
    logs = {run.run_id: await journal.read(run.run_id) for run in await journal.runs()}
    decided = [
        name for name, log in logs.items() for e in log if isinstance(e.event, ApprovalDecided)
    ]
    assert decided == ["r"]
    with pytest.raises(AlreadyDecided):
        await Runner.reject(about, key[named_by], run_config=desk.config)
    again = outer(desk, depth=depth, is_waiting=False)
    done = await Runner.resume("r", again, run_config=desk.config)
    assert (done.final_output, desk.paid) == (f"paid by {depth}", ["a"])


# --- Races. ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "calls"), [(2, 100), (8, 30)])
async def test_of_several_processes_one_decides_about_each_call_and_the_others_are_told(
    processes: int, calls: int, tmp_path: Path
):
    result = await race(tmp_path / "journal.db", calls=calls, processes=processes)
    assert result.problems(processes) == []


# --- The end. ----------------------------------------------------------------------------


async def test_a_run_that_waits_can_be_ended_and_performs_nothing_any_more():
    desk = Desk()
    await desk.wait("a")
    for _ in range(2):
        await Runner.cancel("r", by="grace", why="not needed", run_config=desk.config)
    log = [each.event for each in await desk.config.journal.read("r")]  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    assert [event for event in log if isinstance(event, RunCancelled)] == [
        RunCancelled(by="grace", why="not needed")
    ]
    with pytest.raises(CallNotFound):
        await desk.decide("a", True)
    assert (await desk.go_on()).final_output is None
    assert (desk.paid, any(isinstance(event, ToolReturned) for event in log)) == ([], False)


async def test_what_is_completed_or_a_part_of_another_run_cannot_be_ended():
    desk = Desk()
    agent = outer(desk, depth=1, is_waiting=True)
    await Runner.run(agent, "pay", run_id="r", run_config=desk.config)
    await Runner.run(desk.agent(assistant_message("x")), "hi", run_id="d", run_config=desk.config)
    for run_id in ("d", "r/t1.c1"):
        with pytest.raises(UserError, match=r"completed|a part of"):
            await Runner.cancel(run_id, run_config=desk.config)
    with pytest.raises(RunNotFound):
        await Runner.cancel("nothing", run_config=desk.config)
