"""What an evaluation cannot use is refused before anything is asked."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outlast import Agent, UserError
from outlast.calls.prices import Price, PriceTable
from outlast.cli.app import app
from outlast.evals import Case, Suite, contains, evaluate

HI = Case(input="hi")
AGENT = Agent[Any](name="Guide", model="offline")
FILE = """
from outlast import Agent
from outlast.evals import Case, Suite
agent = Agent(name="Guide", model="offline")
suite = Suite(name="first", agent=agent, cases=[Case(input="hi")])
"""


def suite(**settings: Any) -> Suite:
    return Suite(**{"name": "first", "agent": AGENT, "cases": [HI], **settings})


def price(**settings: Any) -> Price:
    return Price(**{"model": "m", "input": 1.0, "output": 1.0, **settings})


def table(prices: Any) -> PriceTable:
    return PriceTable(prices)


def case(**settings: Any) -> Case:
    return Case(**{"input": "hi", **settings})


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: suite(cases=["hi"]), "list of Case, got 'hi'"),
        (lambda: suite(cases=HI), "cases=...) must be a list"),
        (lambda: suite(agent="Guide"), "must be an Agent, got str"),
        (lambda: suite(checks=contains("hi")), "checks=...) must be a list, got contains"),
        (lambda: suite(checks=[contains]), "Call it: contains()"),
        (lambda: suite(checks=["hi"]), "list of functions, got 'hi'"),
        (lambda: suite(repeats=0), "repeats=...) must be 1 or more"),
        (lambda: case(input=7), "Case(input=...) must be a text or a list"),
        (lambda: case(checks=[contains]), "Call it: contains()"),
        (lambda: case(tags="fast"), "tags=...) must be a list of texts"),
        (lambda: price(input="1"), "Price(input=...) must be a number"),
        (lambda: price(output=-1.0), "Price(output=...) must be 0 or more"),
        (lambda: price(since="today"), "must be a date"),
        (lambda: table(price()), "takes a list of Price"),
        (lambda: table("prices.json"), "PriceTable.from_file"),
    ],
)
def test_a_setting_of_another_type_says_what_is_expected(made: Callable[[], Any], says: str):
    with pytest.raises(UserError) as refused:
        made()
    assert says in str(refused.value)


def test_what_is_right_is_taken():
    assert suite(cases=(HI,), checks=(contains("hi"), lambda _: True), repeats=2).repeats == 2
    table(each for each in [price(since=date(2026, 1, 1), input=1)])


async def test_a_check_that_returns_something_else_is_a_failed_one(tmp_path: Path):
    config = {"journal": str(tmp_path / "journal.db")}
    report = await evaluate(suite(checks=[lambda _: "yes"], run_config=config))
    assert not report.cases[0].passed
    assert "returned str. A check returns" in "".join(report.cases[0].checks.values())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("evals.py", "--baseline", "nope.json"), "There is no file 'nope.json'"),
        (("evals.py", "--baseline", "evals.py"), "holds no report of an evaluation"),
        (("evals.py", "--junit", "nope/r.xml"), "There is no folder"),
        (("evals.py", "--save", "nope/r.json"), "There is no folder"),
        (("evals.py", "--save", "."), "is a folder"),
        (("nope.jsonl", "--agent", "evals.py"), "There is no file 'nope.jsonl'"),
        (("evals.py:other",), "outlast eval evals.py:NAME"),
        (("agent.py",), "suite = Suite("),
    ],
)
def test_the_command_refuses_before_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTLAST_HOME", "home")
    (tmp_path / "evals.py").write_text(FILE)
    (tmp_path / "agent.py").write_text(FILE.partition("suite")[0])
    done = CliRunner().invoke(app, ["eval", *words])
    assert done.exit_code in (1, 2)
    assert says in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "home").exists()
