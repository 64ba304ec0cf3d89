"""Several have to agree: a vote is for exactly what it says, and no path leads around the rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from outlast import (
    Agent,
    ApprovalRules,
    IncompatibleRun,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    Runner,
    ToolContext,
    UserError,
    function_tool,
)
from outlast.definitions.approval_rules import rules_facts, rules_of
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

TWO = ApprovalRules(needed=2, deciders=["ann", "bob", "cy"])
ONE, LATER = {"x": 1}, function_call("pay", {"x": 7}, call_id="c2")


class _Desk:
    """A run with two calls of a tool that takes money, and what was paid."""

    def __init__(self, rules: ApprovalRules | None = TWO) -> None:
        self.paid: list[int] = []
        self.config = RunConfig(
            journal=MemoryJournal(), tracing_disabled=True, approval_rules=[rules] if rules else []
        )

        @function_tool(needs_approval=True)
        def pay(x: int) -> str:
            self.paid.append(x)
            return "paid"

        @function_tool
        async def ask(ctx: ToolContext[Any]) -> str:
            self.paid.append(int(await ctx.ask("How much?")))
            return "asked"

        self.tools: list[Any] = [pay, ask]

    def agent(self, *turns: Any) -> Agent[Any]:
        replies = [[each] for each in turns]
        model = ScriptedModel([*replies, [assistant_message("done")]])
        return Agent(name="Desk", tools=self.tools, model=model)

    async def say(self, word: str, by: str, **said: Any) -> None:
        call: Any = getattr(Runner, word)
        await call("r", "c1", by=by, run_config=self.config, **said)

    async def begun(self) -> Any:
        self.program = self.agent(function_call("pay", ONE, call_id="c1"), LATER)
        return await Runner.run(self.program, "hi", run_id="r", run_config=self.config)


def _with(**arguments: int) -> dict[str, Any]:
    return {"arguments": arguments}


_SAID: list[tuple[list[tuple[str, dict[str, Any]]], list[int]]] = [
    ([("ann", {}), ("bob", _with(x=999))], []),
    ([("ann", _with(x=500)), ("bob", {})], []),
    ([("ann", _with(x=500)), ("bob", _with(x=999))], []),
    ([("ann", _with(x=500)), ("bob", _with(x=999)), ("cy", _with(x=500))], [500]),
    ([("ann", {"arguments": '{"x":500}'}), ("bob", {"arguments": '{ "x": 500 }'})], [500]),
    ([("ann", {}), ("bob", _with(x=999)), ("bob", {})], [1]),
    ([("ann", _with(x=999)), ("ann", {}), ("bob", _with(x=999))], []),
    ([("ann", {}), ("bob", {"always": True})], []),
    ([("ann", {"always": True}), ("bob", {"always": True})], [1, 7]),
]


@pytest.mark.parametrize(("said", "paid"), _SAID)
async def test_only_those_agree_who_say_the_same(said: Any, paid: list[int]):
    desk = _Desk()
    await desk.begun()
    for by, options in said:
        await desk.say("approve", by, **options)
    await Runner.resume("r", desk.program, run_config=desk.config)
    assert desk.paid == paid


@pytest.mark.parametrize(("answers", "paid"), [("12", []), ("11", [1]), ("122", [2])])
async def test_only_those_agree_who_give_the_same_answer(answers: str, paid: list[int]):
    desk = _Desk()
    agent = desk.agent(function_call("ask", {}, call_id="c1"))
    await Runner.run(agent, "hi", run_id="r", run_config=desk.config)
    for by, answer in zip(["ann", "bob", "cy"], answers, strict=False):
        await Runner.answer("r", "c1", answer, by=by, run_config=desk.config)
    await Runner.resume("r", agent, run_config=desk.config)
    assert desk.paid == paid


async def test_a_no_counts_whatever_is_said_with_it():
    """Else nobody could refuse; but it lasts only as long as all have said."""
    desk = _Desk()
    await desk.begun()
    await desk.say("reject", "ann", message="Too much.", always=True)
    await desk.say("reject", "bob", message="Not today.")
    await desk.say("reject", "bob", message="Not today.")  # Again, which changes nothing.
    result = await Runner.resume("r", desk.program, run_config=desk.config)
    outputs = [each["output"] for each in result.to_input_list() if "output" in each]
    assert (outputs, desk.paid) == (["Too much.\nNot today."], [])
    assert [item.call_id for item in result.interruptions] == ["c2"]


# --- Other ways to decide. ---------------------------------------------------------------


@pytest.mark.parametrize("word", ["approve", "reject"])
@pytest.mark.parametrize("rules", [TWO, ApprovalRules(needed=2), ApprovalRules(deciders=["ann"])])
async def test_a_state_decides_nothing_where_rules_want_names(rules: ApprovalRules, word: str):
    desk = _Desk(rules)
    waiting = await desk.begun()
    state = waiting.to_state()
    getattr(state, word)(waiting.interruptions[0])
    with pytest.raises(UserError, match="decide about"):
        await Runner.run(desk.program, state, run_config=desk.config)
    (pending,) = await Runner.pending("r", run_config=desk.config)
    assert (pending.votes, desk.paid) == ((), [])


async def test_rules_without_names_let_a_state_decide():
    desk = _Desk(ApprovalRules())
    waiting = await desk.begun()
    state = waiting.to_state()
    state.approve(waiting.interruptions[0], always_approve=True)
    await Runner.run(desk.program, state, run_config=desk.config)
    assert desk.paid == [1, 7]


async def test_what_holds_for_all_calls_holds_for_none_with_rules():
    """A context says of every call of a tool that it may run; then there are rules for the tool."""
    desk = _Desk(None)
    waiting = await desk.begun()
    context: RunContextWrapper[Any] = RunContextWrapper(None)
    context.approve_tool(waiting.interruptions[0], always_approve=True)
    desk.config = RunConfig(journal=MemoryJournal(), tracing_disabled=True, approval_rules=TWO)
    desk.program.model = ScriptedModel([[LATER]])
    result: Any = await Runner.run(desk.program, "hi", context=context, run_config=desk.config)
    assert ([item.call_id for item in result.interruptions], desk.paid) == (["c2"], [])


class _Approving(RunHooks[Any]):
    async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:
        from outlast import ToolApprovalItem

        for item in response.output:
            if getattr(item, "type", "") == "function_call":
                context.approve_tool(ToolApprovalItem(agent=agent, raw_item=item))


async def test_a_hook_decides_nothing_where_rules_want_names():
    desk = _Desk()
    agent = desk.agent(LATER)
    result = await Runner.run(agent, "hi", hooks=_Approving(), run_config=desk.config)
    assert ([item.call_id for item in result.interruptions], desk.paid) == (["c2"], [])


async def test_rules_hold_for_the_calls_of_agents_as_tools():
    desk = _Desk()
    inner = desk.agent(function_call("pay", ONE, call_id="c1"))
    tool = inner.as_tool(tool_name="desk", tool_description="")
    call = function_call("desk", {"input": "hi"}, call_id="d")
    agent = Agent(
        name="A", tools=[tool], model=ScriptedModel([[call], [assistant_message("done")]])
    )
    waiting = await Runner.run(agent, "hi", run_id="r", run_config=desk.config)
    state = waiting.to_state()
    state.approve(waiting.interruptions[0])
    with pytest.raises(UserError, match="decide about"):
        await Runner.run(agent, state, run_config=desk.config)
    for by in ("ann", "bob"):
        await Runner.approve(
            "r", waiting.interruptions[0].question_id, by=by, run_config=desk.config
        )
    await Runner.resume("r", agent, run_config=desk.config)
    assert desk.paid == [1]


@pytest.mark.parametrize("settings", [None, RunConfig(tracing_disabled=True)])
@pytest.mark.parametrize("way", ["as_tool", "nested", "two_deep"])
async def test_rules_hold_inside_whatever_settings_the_inner_run_has(way: str, settings: Any):
    desk = _Desk()
    inner = desk.agent(function_call("pay", ONE, call_id="c1"))

    @function_tool(on_uncertain="retry")
    async def nested() -> str:
        return str((await Runner.run(inner, "hi", run_config=settings)).interruptions)

    tool: Any = nested
    if way != "nested":
        tool = inner.as_tool(tool_name="nested", tool_description="", run_config=settings)
    if way == "two_deep":
        outer = _asking(tool, "e")
        tool = outer.as_tool(tool_name="nested", tool_description="", run_config=settings)
    await Runner.run(_asking(tool, "d"), "hi", run_id="r", run_config=desk.config)
    waiting = await Runner.pending(run_config=desk.config)
    if way == "nested":  # Its own run waits, and is listed where somebody asks for that run.
        children = [row.run_id for row in await desk.config.journal.runs() if "/" in row.run_id]
        waiting = await Runner.pending(children[0], run_config=desk.config)
    assert [each.rules and each.rules.needed for each in waiting] == [2]


@pytest.mark.parametrize("at", ["first", "later"])
async def test_rules_hold_for_whoever_goes_on_with_a_run_until_they_give_their_own(at: str):
    desk = _Desk()
    plain = RunConfig(journal=desk.config.journal, tracing_disabled=True)
    agent = desk.agent(function_call("pay", ONE, call_id="c1"), LATER)
    await Runner.run(agent, "hi", run_id="r", run_config=desk.config)
    for by in ("ann", "bob"):
        await Runner.approve("r", "c1", by=by, run_config=plain)
    config = plain
    if at == "later":
        config = RunConfig(journal=desk.config.journal, approval_rules=ApprovalRules(needed=3))
    await Runner.resume("r", agent, run_config=config)
    (waiting,) = await Runner.pending("r", run_config=plain)
    assert waiting.rules is not None
    assert (waiting.rules.needed, waiting.call_id) == (3 if at == "later" else 2, "c2")


@pytest.mark.parametrize(
    "rules",
    [
        ApprovalRules(),
        ApprovalRules(needed=2, deciders=["a", "b"], tools=("t",)),
        ApprovalRules(
            deciders=("a",),
            expires_after=timedelta(minutes=3),
            on_expiry="approve",
            escalate_after=timedelta(seconds=1.5),
            escalate_to=["c"],
        ),
    ],
)
def test_rules_are_read_from_a_log_as_they_were_written(rules: ApprovalRules):
    assert rules_of(msgspec.json.decode(msgspec.json.encode(rules_facts(rules)))).at(0) == rules.at(
        0
    )


def test_rules_of_a_newer_version_are_refused_and_not_left_out():
    with pytest.raises(IncompatibleRun, match="approval_rules="):
        rules_of({"needed": 2, "on_full_moon": True})


def _asking(tool: Any, call_id: str) -> Agent[Any]:
    arguments = {"input": "hi"} if tool._is_agent_tool else {}
    model = ScriptedModel(
        [[function_call("nested", arguments, call_id=call_id)], [assistant_message("done")]]
    )
    return Agent(name=f"A{call_id}", tools=[tool], model=model)
