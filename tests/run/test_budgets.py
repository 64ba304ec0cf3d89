"""Nothing spends more than its budget: not together, not in several processes, not after a crash."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from outlast import (
    Agent,
    Budget,
    BudgetExceeded,
    IncompatibleRun,
    Price,
    PriceTable,
    RunConfig,
    Runner,
    UserError,
    function_tool,
)
from outlast.core.budgets import NANO, Account
from outlast.definitions.budget import budget_facts, budget_of
from outlast.journal import MemoryJournal, SqliteJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

sys.path.insert(0, str(Path(__file__).parent))
from spenders import CENTS_PER_CALL, PRICES, boss, step  # a module beside this one

DOLLAR = NANO
DONE = assistant_message("done")


def _config(*budgets: Budget, journal: Any = None, **more: Any) -> RunConfig:
    journal = MemoryJournal() if journal is None else journal
    return RunConfig(journal=journal, budgets=budgets, prices=PRICES, tracing_disabled=True, **more)


def _only(config: RunConfig) -> Account:
    journal: Any = config.journal
    (account,) = journal.ledger.all().values()
    return account


@function_tool
def look() -> str:
    return "seen"


def _looker(turns: int, model: Any = None) -> Agent[Any]:
    calls = [step(function_call("look", {}, call_id=f"c{n}")) for n in range(turns)]
    return Agent(name="looker", tools=[look], model=model or ScriptedModel([*calls, step(DONE)]))


async def test_twenty_parallel_agents_never_spend_more_than_a_dollar_and_go_on_after_a_top_up():
    config = _config(Budget(cost_usd=1.0))
    program = boss(20, 3)
    with pytest.raises(BudgetExceeded, match="cost_usd") as caught:
        await Runner.run(program, "go", run_id="r", run_config=config)

    assert caught.value.limit == 1.0
    account = _only(config)
    assert 0.9 * DOLLAR < account.spent.nano_usd <= DOLLAR
    assert account.holds == {}

    limits = 1
    while True:
        await Runner.top_up("r", cost_usd=1.0, by="ann", why="more", run_config=config)
        limits += 1
        try:
            result = await Runner.run(program, "go", run_id="r", run_config=config)
        except BudgetExceeded:
            assert _only(config).spent.nano_usd <= limits * DOLLAR
        else:
            break
    assert result.final_output == "done"
    assert result.run_id == "r"
    assert _only(config).spent.nano_usd <= limits * DOLLAR


@pytest.mark.slow
async def test_four_processes_share_the_window_of_a_tenant_and_a_killed_one_still_counts(
    tmp_path: Path,
):
    path = tmp_path / "journal.db"
    script = Path(__file__).with_name("spenders.py")

    async def spend(*args: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), str(path), "acme", *args, stdout=asyncio.subprocess.PIPE
        )
        return (await process.communicate())[0].decode()

    assert await spend("killed", "dies") == ""
    spent = (await _accounts(path)).spent
    assert spent.nano_usd == CENTS_PER_CALL * DOLLAR // 100
    words = [
        json.loads(each)["word"]
        for each in await asyncio.gather(*(spend(f"r{n}") for n in range(4)))
    ]

    assert "exceeded" in words
    account = await _accounts(path)
    assert 0.9 * DOLLAR < account.spent.nano_usd <= DOLLAR
    assert json.loads(await spend("again"))["word"] == "exceeded"


async def _accounts(path: Path) -> Account:
    journal = SqliteJournal(path)
    try:
        (account,) = journal.ledger.all().values()
    finally:
        await journal.close()
    return account


@pytest.mark.parametrize(
    ("budget", "model_calls", "measure"),
    [
        (Budget(requests=2), 2, "requests"),
        (Budget(tool_calls=2), 3, "tool_calls"),
        (Budget(tokens=6000), 2, "tokens"),
        (Budget(cost_usd=0.1), 2, "cost_usd"),
        (Budget(seconds=0), 0, "seconds"),
        (Budget(requests=0), 0, "requests"),
        (Budget(requests=2, per="agent"), 2, "requests"),
        (Budget(requests=2, per="agent", agent="looker"), 2, "requests"),
        (Budget(requests=2, per="journal"), 2, "requests"),
        (Budget(requests=2, per="user"), 2, "requests"),
        (Budget(requests=2, per="tenant", window=timedelta(days=400)), 2, "requests"),
    ],
)
async def test_a_run_stops_before_the_call_that_does_not_fit(
    budget: Budget, model_calls: int, measure: str
):
    agent = _looker(5)
    config = _config(budget, metadata={"user": "u", "tenant": "t"})
    with pytest.raises(BudgetExceeded) as caught:
        await Runner.run(agent, "go", run_id="r", run_config=config)

    assert caught.value.measure == measure
    assert len(_calls(agent)) == model_calls
    with pytest.raises(BudgetExceeded):
        await Runner.run(agent, "go", run_id="r", run_config=config)
    assert len(_calls(agent)) == model_calls


def _calls(agent: Agent[Any]) -> Any:
    model: Any = agent.model
    return model.calls


async def test_a_budget_of_another_agent_does_not_count():
    config = _config(Budget(requests=0, agent="somebody else"))
    assert (await Runner.run(_looker(2), "go", run_config=config)).final_output == "done"


async def test_a_tool_that_did_not_fit_runs_once_after_a_top_up():
    ran: list[str] = []

    @function_tool(on_uncertain="once")
    def refund() -> str:
        ran.append("refund")
        return "refunded"

    model = ScriptedModel([step(function_call("refund", {}, call_id="c")), step(DONE)])
    agent, config = Agent[Any](name="A", tools=[refund], model=model), _config(Budget(tool_calls=0))
    with pytest.raises(BudgetExceeded):
        await Runner.run(agent, "go", run_id="r", run_config=config)
    await Runner.top_up("r", tool_calls=1, run_config=config)
    result = await Runner.resume("r", agent, run_config=config)

    assert (result.final_output, ran) == ("done", ["refund"])


@pytest.mark.parametrize(
    "budget",
    [Budget(requests=2, on_exceeded="last_turn"), Budget(tool_calls=1, on_exceeded="last_turn")],
)
async def test_the_last_turn_of_a_graceful_budget_has_no_tools_and_brings_the_answer(
    budget: Budget,
):
    model = ScriptedModel([step(function_call("look", {}, call_id="c0")), step(DONE)])
    config = _config(budget)
    result = await Runner.run(_looker(0, model), "go", run_id="r", run_config=config)

    assert result.final_output == "done"
    first, last = model.calls
    assert (len(first.tools), len(last.tools)) == (1, 0)
    assert "last answer" in str(last.system_instructions)
    events = await _events(config)
    assert [each.id for each in events if type(each).__name__ == "LastTurnBegun"] == ["m2"]


async def _events(config: RunConfig) -> list[Any]:
    journal: Any = config.journal
    return [stored.event for stored in await journal.read("r")]


async def test_a_graceful_budget_tells_the_model_of_calls_that_it_does_not_allow():
    calls = [function_call("look", {}, call_id=f"c{n}") for n in range(3)]
    model = ScriptedModel([step(*calls), step(DONE)])
    config = _config(Budget(tool_calls=2, on_exceeded="last_turn"))
    result = await Runner.run(_looker(0, model), "go", run_config=config)

    outputs = [item["output"] for item in result.to_input_list() if "output" in item]
    assert [text == "seen" for text in outputs] == [True, True, False]
    assert result.final_output == "done"


async def test_runs_inside_a_run_are_under_its_budget_whatever_settings_they_have():
    inner = Agent(name="inner", model=ScriptedModel([step(DONE)] * 3))

    @function_tool
    async def ask() -> str:
        settings = RunConfig(tracing_disabled=True)
        return str((await Runner.run(inner, "hi", run_config=settings)).final_output)

    model = ScriptedModel([step(function_call("ask", {}, call_id="c")), step(DONE)])
    agent = Agent(name="outer", tools=[ask], model=model)
    with pytest.raises(BudgetExceeded):
        await Runner.run(agent, "go", run_config=_config(Budget(requests=1)))
    assert not _calls(inner)


async def test_a_warning_is_recorded_once():
    config = _config(Budget(requests=4, warn_at=0.5))
    await Runner.run(_looker(3), "go", run_id="r", run_config=config)

    events = await _events(config)
    warnings: list[Any] = [each for each in events if type(each).__name__ == "BudgetWarned"]
    assert [(each.id, each.measure, each.used, each.limit) for each in warnings] == [
        ("m2", "requests", 2, 4)
    ]


async def test_a_shorter_answer_is_asked_for_where_only_that_fits():
    model = ScriptedModel([step(DONE)])
    config = _config(Budget(tokens=3000))
    await Runner.run(_looker(0, model), "go", run_config=config)

    (call,) = model.calls
    assert call.model_settings.max_tokens is not None
    assert 2000 < call.model_settings.max_tokens < 3000


async def test_dollars_need_a_price():
    agent = _looker(1)
    config = RunConfig(
        journal=MemoryJournal(),
        budgets=[Budget(cost_usd=1.0)],
        prices=PriceTable([Price(model="other", input=1, output=1)], knows_public=False),
    )
    with pytest.raises(UserError, match="no price is known for the model 'ScriptedModel'"):
        await Runner.run(agent, "go", run_config=config)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"tokens": -1},
        {"tokens": 1, "per": "nobody"},
        {"tokens": 1, "window": "day"},
        {"tokens": 1, "per": "user", "window": "fortnight"},
        {"tokens": 1, "per": "user", "window": timedelta(0)},
        {"tokens": 1, "warn_at": 0},
        {"tokens": 1, "on_exceeded": "cry"},
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(wrong: dict[str, Any]):
    with pytest.raises(UserError, match=r"[Bb]udget"):
        Budget(**wrong)


async def test_a_budget_per_user_needs_a_user():
    with pytest.raises(UserError, match="says of no user"):
        await Runner.run(_looker(0), "go", run_config=_config(Budget(requests=1, per="user")))


@pytest.mark.parametrize(
    "budget",
    [
        Budget(requests=2),
        Budget(requests=2, tokens=10**6, cost_usd=9.5, seconds=60.0, warn_at=0.5),
        Budget(requests=2, per="agent", agent="looker", on_exceeded="stop", output_tokens=16),
        Budget(requests=2, per="journal", window="month"),
        Budget(requests=2, per="journal", window=timedelta(days=400, microseconds=5)),
    ],
)
def test_a_budget_is_read_from_a_log_as_it_was_written(budget: Budget):
    written = msgspec.json.decode(msgspec.json.encode(budget_facts(budget)))
    assert budget_of(written) == budget


def test_a_budget_of_a_newer_version_is_refused_and_not_left_out():
    with pytest.raises(IncompatibleRun, match="budgets="):
        budget_of({"requests": 2, "per_moon": True})


@pytest.mark.parametrize("word", ["run", "resume"])
async def test_whoever_goes_on_with_a_run_is_under_its_limits_until_they_give_their_own(word: str):
    config, agent = _config(Budget(requests=2)), _looker(5)
    plain = RunConfig(journal=config.journal, tracing_disabled=True)

    async def go_on(settings: RunConfig) -> Any:
        if word == "run":
            return await Runner.run(agent, "hi", run_id="r", run_config=settings)
        return await Runner.resume("r", agent, run_config=settings)

    with pytest.raises(BudgetExceeded):
        await Runner.run(agent, "hi", run_id="r", run_config=config)
    with pytest.raises(BudgetExceeded, match="2 of 2 requests"):
        await go_on(plain)
    higher = RunConfig(journal=config.journal, budgets=Budget(requests=4), tracing_disabled=True)
    for settings in (higher, plain):
        with pytest.raises(BudgetExceeded, match="4 of 4 requests"):
            await go_on(settings)
    await Runner.top_up("r", requests=2, run_config=plain)
    assert (await go_on(plain)).final_output == "done"


async def test_a_top_up_counts_in_the_window_that_is_current_when_the_run_goes_on_and_in_no_other(
    monkeypatch: pytest.MonkeyPatch,
):
    now = [1_000_000.0]
    monkeypatch.setattr("outlast.effects.spending.wall_s", lambda: now[0])

    @function_tool
    def wait() -> str:
        now[0] += 86_400
        return "tomorrow"

    calls = ["look", "wait", "look"]
    steps = [step(function_call(name, {}, call_id=f"c{n}")) for n, name in enumerate(calls)]
    agent = Agent(name="looker", tools=[look, wait], model=ScriptedModel([*steps, step(DONE)]))
    config = _config(Budget(requests=1, per="journal", window="day"))
    with pytest.raises(BudgetExceeded, match="1 of 1 requests"):
        await Runner.run(agent, "hi", run_id="r", run_config=config)
    await Runner.top_up("r", requests=1, per="journal", run_config=config)
    with pytest.raises(BudgetExceeded, match="1 of 1 requests"):  # Of the next day.
        await Runner.resume("r", agent, run_config=config)
