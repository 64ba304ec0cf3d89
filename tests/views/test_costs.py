"""What runs have used, read from their logs: each reply once, in whichever run it is."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from outlast import (
    Agent,
    Budget,
    Compaction,
    ModelSettings,
    Price,
    PriceTable,
    RunConfig,
    Runner,
    RunState,
    Usage,
    UserError,
    function_tool,
)
from outlast.calls.prices import table_of
from outlast.core.events import UsageFacts
from outlast.journal import MemoryJournal
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call

PRICES = PriceTable([Price(model="ScriptedModel", input=10.0, output=20.0)], knows_public=False)


def _step(*output: Any) -> ModelStep:
    usage = Usage(requests=1, input_tokens=1000, output_tokens=500, total_tokens=1500)
    return ModelStep(output=list(output), usage=usage)


def _program() -> Agent[Any]:
    @function_tool(needs_approval=True)
    def refund() -> str:
        return "refunded"

    calls = [_step(function_call("refund", {}, call_id="c1")), _step(assistant_message("done"))]
    clerk = Agent(name="Clerk", tools=[refund], model=ScriptedModel(calls))
    ask = clerk.as_tool(tool_name="ask_clerk", tool_description="")
    asked = _step(function_call("ask_clerk", {"input": "refund"}, call_id="a1"))
    return Agent(
        name="Desk", tools=[ask], model=ScriptedModel([asked, _step(assistant_message("ok"))])
    )


@pytest.mark.parametrize(
    ("prices", "usd"),
    [
        (PriceTable(knows_public=False), 0.0),
        (PriceTable([Price(model="offline", input=1e6, output=0.0)]), 1.0),
    ],
)
def test_the_stand_in_costs_nothing_unless_a_table_says_so(prices: PriceTable, usd: float):
    used = UsageFacts(requests=1, input_tokens=1, output_tokens=1, total_tokens=2)
    assert prices.cost("offline", used, 0.0) == usd * 1e9


@pytest.mark.parametrize("way", ["run_id", "state", "json"])
async def test_an_agent_as_tool_that_waits_for_a_person_is_counted_once(way: str):
    program, config = _program(), RunConfig(journal=MemoryJournal(), prices=PRICES)
    waiting = await Runner.run(program, "hi", run_id="r", run_config=config)
    assert waiting.context_wrapper.usage.requests == 2
    if way == "run_id":
        (item,) = waiting.interruptions
        await Runner.approve("r", str(item.call_id), run_config=config)
        result = await Runner.run(program, "hi", run_id="r", run_config=config)
    else:
        state = waiting.to_state()
        state.approve(waiting.interruptions[0])
        if way == "json":
            state = await RunState.from_string(program, state.to_string())
        result = await Runner.run(program, state, run_config=config)

    report = result.usage_report()
    assert result.context_wrapper.usage.requests == report.total.requests == 4
    assert result.context_wrapper.usage.total_tokens == report.total.tokens == 6000
    assert round(report.total.cost_usd, 6) == 0.08
    assert {name: spent.requests for name, spent in report.by_agent.items()} == {
        "Desk": 2,
        "Clerk": 2,
    }
    assert {name: (s.calls, s.requests) for name, s in report.by_tool.items()} == {
        "ask_clerk": (1, 2),
        "refund": (1, 0),
    }
    assert len(report.by_run) == 2
    assert (await Runner.usage_report("r", run_config=config)).to_json() == report.to_json()


async def test_what_has_no_price_is_counted_and_named():
    config = RunConfig(journal=MemoryJournal(), prices=PriceTable(knows_public=False))
    model = ScriptedModel([_step(assistant_message("ok"))])
    result = await Runner.run(Agent(name="A", model=model), "hi", run_config=config)
    total = result.usage_report().total
    assert (total.requests, total.unpriced, total.cost_usd) == (1, 1, 0.0)


DEARER = PriceTable([Price(model="ScriptedModel", input=90.0, output=90.0)], knows_public=False)


@pytest.mark.parametrize("at_first", [PRICES, None])
async def test_a_later_table_changes_no_price_that_a_run_had(at_first: PriceTable | None):
    config = RunConfig(journal=MemoryJournal(), prices=at_first)
    waiting = await Runner.run(_program(), "hi", run_id="r", run_config=config)
    cost = waiting.usage_report(prices=DEARER).total.cost_usd
    later = RunConfig(journal=config.journal, prices=DEARER)
    report = await Runner.usage_report("r", run_config=later)
    assert round(cost, 6) == round(report.total.cost_usd, 6) == (0.27 if at_first is None else 0.04)
    assert report.total.unpriced == 0


async def test_a_summary_is_priced_as_its_model_is_and_stays_within_the_budget():
    class Talker(ScriptedModel):
        model = "ScriptedModel"  # The name that its price goes by.

        async def get_response(self, *args: Any, **options: Any) -> Any:
            self.enqueue(_step(assistant_message("so")))
            return await super().get_response(*args, **options)

    items: list[Any] = [{"role": "user", "content": f"{n} " + "word " * 200} for n in range(9)]
    costs: list[tuple[int, float]] = []
    for limit in (5.0, 0.021):  # The second one has room for the answer, and none for notes.
        config = RunConfig(
            journal=MemoryJournal(),
            prices=PRICES,
            budgets=Budget(cost_usd=limit, output_tokens=1000),
            compaction=Compaction(context_tokens=1000),
        )
        agent = Agent(name="A", model=Talker(), model_settings=ModelSettings(max_tokens=100))
        result = await Runner.run(agent, items, run_config=config)
        total = result.usage_report().total
        costs.append((total.requests, round(total.cost_usd, 6)))
        assert total.unpriced == 0
    assert costs[0][0] > costs[1][0] == 1
    assert costs[0][1] == round(costs[0][0] * 0.02, 6)
    assert costs[1][1] == 0.02


@pytest.mark.parametrize(
    ("day", "cost"), [(date(2026, 1, 31), None), (date(2026, 2, 1), 1), (date(2026, 3, 5), 2)]
)
def test_a_price_holds_from_its_day_on(day: date, cost: int | None):
    prices = [
        Price(model="m", since=date(2026, 3, 1), input=2.0, output=0.0),
        Price(model="m", since=date(2026, 2, 1), input=1.0, output=0.0),
    ]
    table = PriceTable(prices, knows_public=False)
    at = (day - date(1970, 1, 1)).days * 86400.0
    found = table.cost("m", UsageFacts(1, 1_000_000), at)
    assert found == (None if cost is None else cost * 10**9)


def test_cached_tokens_have_a_price_of_their_own():
    table = PriceTable([Price(model="m", input=10.0, output=0.0, cached_input=1.0)])
    assert table.cost("m", UsageFacts(1, 1_000_000, cached_tokens=500_000), 0.0) == 5_500_000_000


@pytest.mark.parametrize("model", ["gpt-4o", "openai/gpt-4o", "litellm/openai/gpt-4o"])
def test_public_models_have_prices(model: str):
    cost = table_of(None).cost(model, UsageFacts(1, 1_000_000, 0), 1_790_000_000.0)
    assert cost is not None
    assert cost > 0


def test_prices_come_from_a_file(tmp_path: Path):
    path = tmp_path / "prices.json"
    path.write_text('{"prices": [{"model": "m", "since": "2026-01-01", "input": 3, "output": 15}]}')
    assert table_of(str(path)).cost("m", UsageFacts(1, 0, 1_000_000), 1_790_000_000.0) == 15 * 10**9
    path.write_text('{"prices": 3}')
    with pytest.raises(UserError, match="No prices can be read"):
        table_of(str(path))
