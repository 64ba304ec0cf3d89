"""A run with a context or a session goes on from its program, and the command line says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from typer.testing import CliRunner

from outlast import Agent, Runner, RunState, SQLiteSession, function_tool
from outlast.cli.app import app
from outlast.definitions.context import RunContextWrapper
from outlast.journal.opening import open_journal
from outlast.run.commands import state_of
from outlast.testing import ScriptedModel, assistant_message, function_call

PROGRAM = """
from outlast import Agent, function_tool
from outlast.testing import ScriptedModel, assistant_message

@function_tool(needs_approval=True)
def pay() -> str:
    open("paid", "w").close()
    return "paid"

agent = Agent(name="Desk", tools=[pay], model=ScriptedModel([[assistant_message("done")]]))
"""


@function_tool(needs_approval=True)
def pay() -> str:
    return "paid"


def _desk(*steps: Any) -> Agent[Any]:
    return Agent(name="Desk", tools=[pay], model=ScriptedModel(list(steps)))


def _waiting_run(**options: Any) -> None:
    agent = _desk([function_call("pay", {}, call_id="c")])
    asyncio.run(Runner.run(agent, "hi", run_id="r", **options))


@pytest.fixture
def cli(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "desk.py").write_text(PROGRAM)

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, list(words))

    return run


_NEEDS: dict[str, Any] = {
    "context": lambda: {"context": {"user": 7}},
    "session": lambda: {"session": SQLiteSession("talk")},
}


@pytest.mark.parametrize("need", _NEEDS)
def test_a_decision_is_recorded_and_the_run_left_to_its_program(cli: Any, tmp_path: Any, need: str):
    given = _NEEDS[need]()
    _waiting_run(**given)
    said = cli("approve", "r", "c", "--agent", "desk.py")
    assert said.exit_code == 2
    assert "approved c" in said.stdout
    assert "The decision is recorded. Run r began with a " + need in said.stderr
    assert f"Runner.resume('r', agent, {need}=...)" in said.stderr
    assert "Another run" not in said.stderr
    assert not (tmp_path / "paid").exists()
    agent = _desk([assistant_message("done")])
    assert asyncio.run(Runner.resume("r", agent, **given)).final_output == "done"


@pytest.mark.parametrize("need", _NEEDS)
@pytest.mark.parametrize("word", ["resume", "retry"])
def test_going_on_is_refused_before_anything_is_done(cli: Any, tmp_path: Any, need: str, word: str):
    _waiting_run(**_NEEDS[need]())
    asyncio.run(Runner.approve("r", "c"))
    before = asyncio.run(open_journal().read("r"))
    said = cli(word, "r", "--agent", "desk.py")
    assert said.exit_code == 2
    assert "Nothing was done. Run r began with a " + need in said.stderr
    assert asyncio.run(open_journal().read("r")) == before
    assert not (tmp_path / "paid").exists()


def test_a_run_without_either_goes_on(cli: Any, tmp_path: Any):
    _waiting_run(context=RunContextWrapper(None))
    assert cli("approve", "r", "c", "--agent", "desk.py").exit_code == 0
    assert (tmp_path / "paid").exists()


@pytest.mark.parametrize("context", [None, 5])
def test_a_run_of_a_state_made_by_hand_says_it_too(cli: Any, context: Any):
    agent = _desk([assistant_message("done")])
    state: RunState[Any] = RunState(RunContextWrapper(context), "hi", agent)
    result = asyncio.run(Runner.run(agent, state))
    options = asyncio.run(state_of(open_journal(), result.run_id)).options
    assert options.has_context is (context is not None)
