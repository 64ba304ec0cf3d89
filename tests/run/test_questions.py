"""A tool asks a person, and is called again with the answer; what a person changes, the tool is called with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from outlast import (
    Agent,
    AlreadyDecided,
    ApprovalRules,
    RunConfig,
    Runner,
    RunState,
    ToolApprovalItem,
    ToolContext,
    UserError,
    function_tool,
)
from outlast.core.commanding import bound, taken
from outlast.core.commands import Decide
from outlast.core.events import CommandTaken
from outlast.core.evolve import fold
from outlast.journal import MemoryJournal
from outlast.testing import CrashingJournal, ScriptedModel, assistant_message, function_call

DONE = assistant_message("done")


@pytest.fixture
def config() -> RunConfig:
    return RunConfig(journal=MemoryJournal(), tracing_disabled=True)


class _Shop:
    """A tool that asks twice, and what it has done."""

    def __init__(self, *, is_async: bool = True, **options: Any) -> None:
        self.log: list[str] = []
        shop = self

        async def order(ctx: ToolContext[Any], item: str) -> str:
            await ctx.step("reserve", lambda: shop.log.append(f"reserved {item}"))
            color = await ctx.ask("Which color?", choices=["red", "blue"])
            size = await ctx.ask("Which size?")
            shop.log.append(f"ordered {color} {size}")
            return f"{color} {size}"

        def order_sync(ctx: ToolContext[Any], item: str) -> str:
            ctx.step_sync("reserve", lambda: shop.log.append(f"reserved {item}"))
            color = ctx.ask_sync("Which color?", choices=["red", "blue"])
            size = ctx.ask_sync("Which size?")
            shop.log.append(f"ordered {color} {size}")
            return f"{color} {size}"

        self.tool = function_tool(
            order if is_async else order_sync, name_override="order", **options
        )

    def agent(self) -> Agent[Any]:
        call = function_call("order", {"item": "cup"}, call_id="c1")
        return Agent(name="Shop", tools=[self.tool], model=ScriptedModel([[call], [DONE]]))


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("policy", ["retry", "once", "ask"])
async def test_a_tool_asks_and_is_called_again_with_the_answers(
    is_async: bool, policy: Any, config: RunConfig
):
    shop = _Shop(is_async=is_async, on_uncertain=policy)
    agent = shop.agent()
    waiting = await Runner.run(agent, "a cup", run_id="r", run_config=config)

    (item,) = waiting.interruptions
    assert (item.question, item.choices, item.name) == ("Which color?", ("red", "blue"), "order")
    (pending,) = await Runner.pending(run_config=config)
    assert (pending.run_id, pending.call_id, pending.question) == ("r", "c1", "Which color?")
    await Runner.answer("r", "c1", "blue", by="ann", run_config=config)
    (item,) = (await Runner.run(agent, "a cup", run_id="r", run_config=config)).interruptions
    assert item.question == "Which size?"
    await Runner.answer("r", "c1", "L", by="bob", why="she said so", run_config=config)
    result = await Runner.run(agent, "a cup", run_id="r", run_config=config)

    assert result.final_output == "done"
    assert shop.log == ["reserved cup", "ordered blue L"]
    records = await Runner.decisions("r", run_config=config)
    assert [(each.by, each.question, each.answer, each.why) for each in records] == [
        ("ann", "Which color?", "blue", ""),
        ("bob", "Which size?", "L", "she said so"),
    ]


async def test_a_question_takes_only_what_may_be_answered(config: RunConfig):
    agent = _Shop().agent()
    await Runner.run(agent, "a cup", run_id="r", run_config=config)
    with pytest.raises(UserError, match="'green'"):
        await Runner.answer("r", "c1", "green", run_config=config)
    with pytest.raises(UserError, match="without an answer"):
        await Runner.approve("r", "c1", run_config=config)
    await Runner.answer("r", "c1", "red", by="ann", run_config=config)
    with pytest.raises(AlreadyDecided, match="ann"):
        await Runner.answer("r", "c1", "blue", by="bob", run_config=config)


async def test_a_question_that_is_refused_refuses_its_call(config: RunConfig):
    shop = _Shop()
    agent = shop.agent()
    await Runner.run(agent, "a cup", run_id="r", run_config=config)
    await Runner.reject("r", "c1", message="Nobody is here.", run_config=config)
    result = await Runner.run(agent, "a cup", run_id="r", run_config=config)

    assert [each["output"] for each in result.to_input_list() if "output" in each] == [
        "Nobody is here."
    ]
    assert shop.log == ["reserved cup"]


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("way", ["run_id", "json"])
async def test_a_question_is_answered_however_deep_below_agents_as_tools(
    depth: int, way: str, config: RunConfig
):
    shop = _Shop()
    agent = shop.agent()
    for level in range(depth):
        tool = agent.as_tool(tool_name=f"ask_{level}", tool_description="")
        call = function_call(f"ask_{level}", {"input": "a cup"}, call_id=f"a{level}")
        model = ScriptedModel([[call], [DONE]])
        agent = Agent(name=f"Level {level}", tools=[tool], model=model)
    await Runner.run(agent, "a cup", run_id="r", run_config=config)
    for answer in ("red", "S"):
        (pending,) = await Runner.pending(run_config=config)
        await Runner.answer(pending.run_id, pending.call_id, answer, run_config=config)
        result = await Runner.resume("r", agent, run_config=config)
        if way == "json":
            state = await RunState.from_string(agent, result.to_state().to_string())
            assert [each.question for each in state.get_interruptions()] == [
                each.question for each in await Runner.pending(run_config=config)
            ]
    result = await Runner.run(agent, "a cup", run_id="r", run_config=config)
    assert result.final_output == "done"
    assert shop.log == ["reserved cup", "ordered red S"]


@pytest.mark.parametrize("wrong", ["", 5, None])
async def test_there_has_to_be_something_to_ask(wrong: Any, config: RunConfig):
    @function_tool(failure_error_function=None)
    async def order(ctx: ToolContext[Any]) -> str:
        return await ctx.ask(wrong)

    model = ScriptedModel([[function_call("order", {}, call_id="c1")]])
    with pytest.raises(UserError, match="ask takes a question"):
        await Runner.run(Agent(name="A", tools=[order], model=model), "hi", run_config=config)


# --- Changed arguments. ------------------------------------------------------------------


def _refunds(ran: list[int], *calls: Any) -> Agent[Any]:
    @function_tool(needs_approval=True)
    def refund(amount: int) -> str:
        ran.append(amount)
        return f"refunded {amount}"

    model = ScriptedModel([list(calls), [DONE], [DONE]])
    return Agent(name="Desk", tools=[refund], model=model)


@pytest.mark.parametrize("arguments", ['{"amount": 5}', {"amount": 5}])
async def test_a_call_is_made_with_the_arguments_that_a_person_has_changed(
    arguments: Any, config: RunConfig
):
    ran: list[int] = []
    agent = _refunds(ran, function_call("refund", {"amount": 50}, call_id="c1"))
    await Runner.run(agent, "hi", run_id="r", run_config=config)
    await Runner.approve(
        "r", "c1", by="ann", why="too much", arguments=arguments, run_config=config
    )
    result = await Runner.run(agent, "hi", run_id="r", run_config=config)

    assert (result.final_output, ran) == ("done", [5])
    (record,) = await Runner.decisions("r", run_config=config)
    assert (record.by, record.why, record.before) == ("ann", "too much", '{"amount":50}')
    assert record.after.replace(" ", "") == '{"amount":5}'
    assert record.at is not None


@pytest.mark.parametrize("wrong", ["{", "[5]", "5", "null"])
async def test_changed_arguments_are_a_json_object(wrong: str, config: RunConfig):
    agent = _refunds([], function_call("refund", {"amount": 50}, call_id="c1"))
    await Runner.run(agent, "hi", run_id="r", run_config=config)
    with pytest.raises(UserError, match="no JSON object"):
        await Runner.approve("r", "c1", arguments=wrong, run_config=config)


async def test_changed_arguments_hold_for_their_call_only(config: RunConfig):
    ran: list[int] = []
    calls = [function_call("refund", {"amount": n}, call_id=f"c{n}") for n in (1, 2)]
    agent = _refunds(ran, *calls)
    await Runner.run(agent, "hi", run_id="r", run_config=config)
    await Runner.approve("r", "c1", always=True, arguments={"amount": 9}, run_config=config)
    await Runner.run(agent, "hi", run_id="r", run_config=config)
    assert sorted(ran) == [2, 9]


# --- Rules. ------------------------------------------------------------------------------


def _ruled(rules: ApprovalRules) -> RunConfig:
    return RunConfig(journal=MemoryJournal(), tracing_disabled=True, approval_rules=rules)


@pytest.mark.parametrize(
    ("votes", "outcome"),
    [
        (["ann", "bob"], [50]),
        (["ann", "-bob", "cy"], [50]),
        (["-ann", "-bob"], []),
        (["ann"], None),
        (["ann", "ann"], None),
        (["-ann"], None),
    ],
)
async def test_two_of_three_have_to_agree(votes: list[str], outcome: list[int] | None):
    ran: list[int] = []
    config = _ruled(ApprovalRules(needed=2, deciders=["ann", "bob", "cy"]))
    agent = _refunds(ran, function_call("refund", {"amount": 50}, call_id="c1"))
    await Runner.run(agent, "hi", run_id="r", run_config=config)
    with pytest.raises(UserError, match="'dan'"):
        await Runner.approve("r", "c1", by="dan", run_config=config)
    for vote in votes:
        decide = Runner.reject if vote.startswith("-") else Runner.approve
        await decide("r", "c1", by=vote.strip("-"), run_config=config)
    result = await Runner.run(agent, "hi", run_id="r", run_config=config)

    if outcome is None:
        (pending,) = await Runner.pending("r", run_config=config)
        assert [name for name, _ in pending.votes] == sorted({vote.strip("-") for vote in votes})
        assert (result.final_output, ran) == (None, [])
    else:
        assert (result.final_output, ran) == ("done", outcome)


async def test_several_decide_by_name_and_may_change_their_minds():
    config = _ruled(ApprovalRules(needed=2))
    agent = _refunds([], function_call("refund", {"amount": 50}, call_id="c1"))
    await Runner.run(agent, "hi", run_id="r", run_config=config)
    with pytest.raises(UserError, match="say who you are"):
        await Runner.approve("r", "c1", run_config=config)
    await Runner.approve("r", "c1", by="ann", run_config=config)
    await Runner.reject("r", "c1", by="ann", run_config=config)
    records = await Runner.decisions("r", run_config=config)
    assert [(each.kind, each.approved) for each in records] == [
        ("vote", True),
        ("vote", False),
        ("decision", False),
    ]


@pytest.mark.parametrize(("word", "outcome"), [("reject", []), ("approve", [50])])
async def test_what_nobody_decides_in_time_is_decided_by_its_default(word: Any, outcome: list[int]):
    ran: list[int] = []
    rules = ApprovalRules(expires_after=timedelta(microseconds=1), on_expiry=word)
    config = _ruled(rules)
    agent = _refunds(ran, function_call("refund", {"amount": 50}, call_id="c1"))
    await Runner.run(agent, "hi", run_id="r", run_config=config)
    with pytest.raises(AlreadyDecided, match="expired"):
        await Runner.approve("r", "c1", by="ann", run_config=config)
    report = await _recovered(agent, config)

    assert report["r"].final_output == "done"
    assert ran == outcome
    (record,) = await Runner.decisions("r", run_config=config)
    assert (record.approved, record.by, record.why) == (word == "approve", "", "expired")


async def _recovered(agent: Agent[Any], config: RunConfig) -> Any:
    from outlast import recover_runs

    return await recover_runs(agent, run_config=config)


async def test_a_call_that_nobody_decides_about_goes_to_others_too():
    ran: list[int] = []
    rules = ApprovalRules(
        deciders=["ann"], escalate_after=timedelta(microseconds=1), escalate_to=["boss"]
    )
    config = _ruled(rules)
    agent = _refunds(ran, function_call("refund", {"amount": 50}, call_id="c1"))
    await Runner.run(agent, "hi", run_id="r", run_config=config)
    with pytest.raises(UserError, match="'bob'"):
        await Runner.approve("r", "c1", by="bob", run_config=config)
    await Runner.approve("r", "c1", by="boss", run_config=config)
    await Runner.run(agent, "hi", run_id="r", run_config=config)
    assert ran == [50]


async def test_rules_are_those_of_the_first_that_fit_a_tool():
    rules = [
        ApprovalRules(tools=["other"], deciders=["bob"]),
        ApprovalRules(tools=["refund"], deciders=["ann"]),
        ApprovalRules(deciders=["cy"]),
    ]
    config = RunConfig(journal=MemoryJournal(), approval_rules=rules)
    agent = _refunds([], function_call("refund", {"amount": 50}, call_id="c1"))
    result = await Runner.run(agent, "hi", run_config=config)
    (item,) = result.interruptions
    assert item.rules is not None
    assert item.rules.deciders == ("ann",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"needed": 0},
        {"needed": 2, "deciders": ["ann"]},
        {"on_expiry": "cry"},
        {"expires_after": timedelta(0)},
        {"escalate_to": ["boss"]},
        {"escalate_to": ["boss"], "escalate_after": timedelta(1)},
        {"needed": 1.5},
        {"needed": float("nan")},
        {"needed": True},
        {"deciders": "ann"},
        {"deciders": [5]},
        {"deciders": [""]},
        {"tools": "pay"},
        {"deciders": ["ann"], "escalate_to": "boss", "escalate_after": timedelta(1)},
        {"expires_after": 5},
    ],
)
def test_rules_that_say_nothing_sound_are_refused(wrong: dict[str, Any]):
    with pytest.raises(UserError, match="ApprovalRules"):
        ApprovalRules(**wrong)


async def test_whoever_watches_hears_of_each_call_once(config: RunConfig):
    agent = _Shop().agent()
    await Runner.run(agent, "a cup", run_id="r", run_config=config)
    heard: list[str] = []
    async for pending in Runner.watch_pending(interval_s=0.01, run_config=config):
        heard.append(pending.question)
        if len(heard) == 2:
            break
        await Runner.answer("r", "c1", "red", run_config=config)
        await Runner.run(agent, "a cup", run_id="r", run_config=config)
    assert heard == ["Which color?", "Which size?"]


# --- A decision is about the question that the person saw. --------------------------------


async def _asked_twice(config: RunConfig) -> tuple[Agent[Any], ToolApprovalItem, ToolApprovalItem]:
    agent = _Shop().agent()
    (first,) = (await Runner.run(agent, "a cup", run_id="r", run_config=config)).interruptions
    await Runner.answer("r", first.question_id, "blue", by="ann", run_config=config)
    (second,) = (await Runner.run(agent, "a cup", run_id="r", run_config=config)).interruptions
    return agent, first, second


async def test_an_answer_is_never_taken_as_one_to_a_later_question(config: RunConfig):
    agent, first, second = await _asked_twice(config)
    assert (first.question, second.question) == ("Which color?", "Which size?")
    assert first.question_id != second.question_id

    with pytest.raises(AlreadyDecided, match="ann"):
        await Runner.answer("r", first.question_id, "red", by="bob", run_config=config)
    with pytest.raises(AlreadyDecided, match="ann"):
        await Runner.reject("r", first.question_id, by="bob", run_config=config)
    await Runner.answer("r", first.question_id, "blue", by="ann", run_config=config)  # As it was.
    (pending,) = await Runner.pending(run_config=config)
    assert (pending.question, pending.question_id) == ("Which size?", second.question_id)

    await Runner.answer("r", pending.question_id, "L", run_config=config)
    result = await Runner.run(agent, "a cup", run_id="r", run_config=config)
    assert result.final_output == "done"


async def test_what_is_posted_for_a_question_waits_for_no_later_one(config: RunConfig):
    """Two answer at once by the call's id alone, and the one who is late is told."""
    agent = _Shop().agent()
    await Runner.run(agent, "a cup", run_id="r", run_config=config)
    journal: Any = config.journal
    state = fold([each.event for each in await journal.read("r")])
    late = bound(state, Decide(id="late", call_id="c1", approved=True, answer="blue", by="bob"))
    await Runner.answer("r", "c1", "red", by="ann", run_config=config)
    await Runner.run(agent, "a cup", run_id="r", run_config=config)

    state = fold([each.event for each in await journal.read("r")])
    (receipt,) = taken(state, "r", late)
    assert isinstance(receipt, CommandTaken)
    assert receipt.error is not None
    assert receipt.error.kind == "AlreadyDecided"


class _Rereading(ScriptedModel):
    """Makes its call until it is answered, so that another process may ask it again."""

    def __init__(self, call: Any) -> None:
        super().__init__()
        self._call = call

    async def get_response(self, system_instructions: Any, input: Any, *rest: Any, **more: Any):
        is_answered = any("output" in item for item in input if isinstance(item, dict))
        self.enqueue([DONE if is_answered else self._call])
        return await super().get_response(system_instructions, input, *rest, **more)


class _Died(BaseException):
    """The process is gone."""


def _die() -> None:
    raise _Died


@pytest.mark.parametrize("depth", [0, 1, 2])
async def test_no_crash_lets_an_answer_reach_another_question(depth: int):
    """Wherever the process dies, an answer that was given is the answer to its own question."""
    for point in range(1, 200):
        journal = MemoryJournal()
        crashing = CrashingJournal(journal, at=point, crash=_die)
        config = RunConfig(journal=crashing, tracing_disabled=True)
        shop = _Shop()
        agent = shop.agent()
        agent.model = _Rereading(function_call("order", {"item": "cup"}, call_id="c1"))
        for level in range(depth):
            tool = agent.as_tool(tool_name=f"ask_{level}", tool_description="")
            call = function_call(f"ask_{level}", {"input": "a cup"}, call_id=f"a{level}")
            agent = Agent(name=f"L{level}", tools=[tool], model=_Rereading(call))
        died = False
        for _ in range(20):
            try:
                result = await Runner.run(agent, "a cup", run_id="r", run_config=config)
                for item in result.interruptions:
                    answer = "blue" if item.choices else "L"
                    await Runner.answer("r", item.question_id, answer, run_config=config)
            except _Died:
                died = True
                config = RunConfig(journal=journal, tracing_disabled=True)
                continue
            if not result.interruptions:
                break
        assert shop.log[-1] == "ordered blue L", (point, shop.log)
        if not died:
            return
    pytest.fail("It never ran through.")


async def test_a_yes_to_a_call_is_no_yes_to_making_it_again(config: RunConfig):
    """A call that was approved, began and was cut off asks anew; an old page decides nothing."""
    paid: list[int] = []

    @function_tool(needs_approval=True, on_uncertain="ask")
    def pay(amount: int) -> str:
        paid.append(amount)
        if len(paid) == 1:
            raise _Died
        return "paid"

    call = function_call("pay", {"amount": 5}, call_id="c1")
    agent = Agent(name="Desk", tools=[pay], model=_Rereading(call))
    waiting = await Runner.run(agent, "pay", run_id="r", run_config=config)
    (first,) = waiting.interruptions
    await Runner.approve("r", first.question_id, by="ann", run_config=config)
    with pytest.raises(_Died):
        await Runner.run(agent, "pay", run_id="r", run_config=config)
    result = await Runner.run(agent, "pay", run_id="r", run_config=config)

    (second,) = result.interruptions
    assert second.is_in_doubt
    await Runner.approve("r", first.question_id, by="ann", run_config=config)
    with pytest.raises(AlreadyDecided, match="ann"):
        await Runner.approve("r", first.question_id, by="bob", run_config=config)
    state = result.to_state()
    state.approve(first)
    again = await Runner.run(agent, state, run_config=config)
    assert [each.question_id for each in again.interruptions] == [second.question_id]
    assert paid == [5]
    await Runner.approve("r", second.question_id, by="ann", run_config=config)
    result = await Runner.run(agent, "pay", run_id="r", run_config=config)
    assert (result.final_output, paid) == ("done", [5, 5])
