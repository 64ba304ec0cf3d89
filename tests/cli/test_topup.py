"""`outlast topup`, and what the command line does with a run whose budget is used up."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outlast.cli.app import app

PROGRAM = """
from outlast import Agent, Budget, BudgetExceeded, RunConfig, Runner
from outlast.testing import ScriptedModel, assistant_message

agent = Agent(name="Desk", model=ScriptedModel([[assistant_message("fine")]]))

if __name__ == "budgets":
    try:
        Runner.run_sync(agent, "hi", run_id="b1", run_config=RunConfig(budgets=Budget(requests=0)))
    except BudgetExceeded:
        pass
"""


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "bud.py").write_text(PROGRAM)
    exec(compile(PROGRAM, "bud.py", "exec"), {"__name__": "budgets"})  # our own program

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, list(words))

    return run


@pytest.mark.parametrize("amount", ["", "--tokens=0", "--tokens=-5", "--usd=nan", "--seconds=inf"])
def test_an_amount_that_adds_nothing_is_wrong_usage_that_names_the_options(cli: Any, amount: str):
    done = cli("topup", "b1", *filter(None, [amount]))
    assert done.exit_code == 2
    for option in ("--usd", "--tokens", "--requests", "--calls", "--seconds"):
        assert option in done.stderr
    assert "Runner" not in done.stderr


@pytest.mark.parametrize("word", ["resume", "retry"])
def test_a_run_goes_on_under_its_own_budget_and_only_after_a_top_up(cli: Any, word: str):
    again = (word, "b1", "--agent", "bud.py:agent")
    done = cli(*again)
    assert done.exit_code == 1
    assert "outlast topup b1 --requests N" in done.stderr
    assert cli("topup", "b1", "--requests", "1").exit_code == 0
    assert cli(*again).exit_code == 0
