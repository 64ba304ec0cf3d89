"""What each check says of answers whose right verdict is known."""

from typing import Any

import pytest
from pydantic import BaseModel

from outlast import Agent, RunConfig, function_tool
from outlast.evals import (
    Answer,
    Case,
    Suite,
    Verdict,
    called,
    contains,
    evaluate,
    exact,
    json_schema,
    max_cost,
    max_tokens,
    max_turns,
    not_called,
    number,
    path,
    regex,
    trajectory,
)
from outlast.testing import ScriptedModel, assistant_message, function_call


class Refund(BaseModel):
    order: str
    amount: int


OFF = RunConfig(journal="memory")


def desk(answer: str) -> Agent[Any]:
    """An agent that looks up, pays and hands over, and then says ``answer``."""

    @function_tool
    def look_up(order: str) -> str:
        return "broken"

    @function_tool
    def pay(amount: int) -> str:
        return "paid"

    closer = Agent(name="closer", model=ScriptedModel([[assistant_message(answer)]]))
    script = [
        [function_call("look_up", {"order": "A-1"}, call_id="c1")],
        [function_call("pay", {"amount": 5}, call_id="c2")],
        [function_call("transfer_to_closer", {}, call_id="c3")],
    ]
    model = ScriptedModel(script)
    return Agent(name="desk", tools=[look_up, pay], handoffs=[closer], model=model)


async def verdict(check: Any, answer: str = "Refunded 5 EUR.", **case: Any) -> str:
    suite = Suite(
        name="s", agent=desk(answer), cases=[Case(input="hi", **case)], checks=[check],
        run_config=OFF,
    )  # fmt: skip
    report = await evaluate(suite)
    found = report.cases[0]
    assert found.error == ""
    assert found.passed == (not any(found.checks.values()))
    return "; ".join(found.checks.values())


@pytest.mark.parametrize(
    ("check", "case"),
    [
        (exact("Refunded 5 EUR."), {}),
        (exact(), {"expected": "Refunded 5 EUR."}),
        (contains("refunded", "EUR"), {}),
        (contains(), {"expected": "5"}),
        (contains(), {"expected": ["5", "eur"]}),
        (regex(r"\d+ EUR"), {}),
        (number(5), {}),
        (number(tolerance=1), {"expected": 4.5}),
        (called("pay"), {}),
        (called("pay", amount=5), {}),
        (not_called("delete"), {}),
        (trajectory("look_up", "pay"), {}),
        (trajectory(), {"calls": ("look_up", "pay")}),
        (trajectory("pay", "look_up", order=False), {}),
        (trajectory("pay", only=False), {}),
        (path("desk", "closer"), {}),
        (max_turns(4), {}),
        (max_tokens(0), {}),
        (max_cost(0), {}),
        (lambda answer: "EUR" in answer.text, {}),
        (lambda answer: 1.0, {}),
        (lambda answer: Verdict(passed=True), {}),
    ],
)
async def test_what_is_right_passes(check: Any, case: dict[str, Any]):
    assert await verdict(check, **case) == ""


@pytest.mark.parametrize(
    ("check", "case", "says"),
    [
        (exact("Refunded."), {}, "is not"),
        (contains("dollars"), {}, "lacks ['dollars']"),
        (contains("REFUNDED", ignore_case=False), {}, "lacks"),
        (regex("USD"), {}, "does not fit"),
        (number(7), {}, "5.0 is not 7.0"),
        (called("delete"), {}, "the calls are"),
        (called("pay", amount=6), {}, "pay(amount=5)"),
        (not_called("pay"), {}, "pay was called"),
        (trajectory("pay", "look_up"), {}, "called ['look_up', 'pay']"),
        (trajectory("look_up"), {}, "expected ['look_up']"),
        (trajectory("pay", "look_up", only=False), {}, "expected"),
        (path("desk"), {}, "closer"),
        (max_turns(3), {}, "4 is more than 3"),
        (lambda answer: False, {}, "no"),
        (lambda answer: 0.5, {}, "no"),
        (lambda answer: 1 / 0, {}, "ZeroDivisionError"),
    ],
)
async def test_what_is_wrong_does_not_and_says_why(check: Any, case: dict[str, Any], says: str):
    assert says in await verdict(check, **case)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"order": "A-1", "amount": 5}', ""),
        ('{"order": "A-1", "amount": "x"}', "amount"),
        ("not JSON", "JSON"),
    ],
)
async def test_a_form_is_checked(text: str, says: str):
    assert says in await verdict(json_schema(Refund), text)


async def test_a_check_may_wait():
    async def check(answer: Answer) -> bool:
        return answer.agents == ["desk", "closer"]

    assert await verdict(check) == ""
