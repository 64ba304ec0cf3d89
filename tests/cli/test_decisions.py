"""What a decision on the command line says when there is nothing to decide, or more than it seems."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from outlast import AlreadyRunning, RunHasEnded, RunIsPaused
from outlast.cli.app import app
from outlast.cli.problem import problem_of

PROGRAM = """
import os
from outlast import Agent, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call

@function_tool(needs_approval=True)
def pay(to: str) -> str:
    "Pay."
    return "paid"

@function_tool(on_uncertain="ask")
def mail(to: str) -> str:
    "Mail."
    os._exit(9)

def model(name):
    call = function_call(name, {"to": "Bob"}, call_id="c1")
    return ScriptedModel([[call], [assistant_message("done")]])

asks = Agent(name="Clerk", tools=[pay], model=model("pay"))
dies = Agent(name="Post", tools=[mail], model=model("mail"))
inner = dies.as_tool("post", "Post.", parameters=None)
outer = Agent(name="Front", tools=[inner], model=ScriptedModel(
    [[function_call("post", {"input": "x"}, call_id="o1")], [assistant_message("done")]]))
"""


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def waiting(cli):
    """A run `r` of which the call `c1` waits."""
    assert cli("run", "program.py:asks", "hi", "--id", "r").exit_code == 0
    return cli


def said(done):
    return " ".join(done.output.replace("│", " ").split())


RESUMES = """
import asyncio
from outlast import RunState, Runner
from program import {agent} as agent

async def main():
    result = await Runner.resume("r", agent)
    stored = await RunState.from_json(agent, result.to_state().to_json())
    for (call,) in (result.interruptions, stored.get_interruptions()):
        print(call.is_in_doubt)

asyncio.run(main())
"""


LATE = [
    (["reject", "r", "c1", "--by", "bob"], 1, "approved already, by 'ann'"),
    (["approve", "r", "--all", "--by", "bob"], 1, "approved already, by 'ann'"),
    (["reject", "r", "--all"], 1, "approved already, by 'ann'"),
    (["reject", "r", "c2"], 2, "These wait: none."),
]


@pytest.mark.parametrize(("words", "status", "text"), LATE)
def test_who_decides_too_late_is_told_who_was_first(waiting, words, status, text):
    assert waiting("approve", "r", "c1", "--by", "ann").exit_code == 0
    done = waiting(*words)
    assert (done.exit_code, text in said(done)) == (status, True), done.output


@pytest.mark.parametrize(("words", "status", "text"), LATE)
def test_a_run_that_has_ended_still_says_who_decided(waiting, words, status, text):
    waiting("approve", "r", "c1", "--by", "ann", "--agent", "program.py:asks")
    done = waiting(*words)
    assert (done.exit_code, text in said(done)) == (status, True), done.output
    assert "completed" in said(waiting("runs"))


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_a_run_that_was_cancelled_has_nothing_to_decide(waiting, command):
    assert waiting("cancel", "r").exit_code == 0
    for call in ("c1", "--all"):
        done = waiting(command, "r", call)
        assert (done.exit_code, "cancelled" in said(done)) == (2, True), done.output


@pytest.mark.parametrize(
    "option", [("--by", "ann"), ("--why", "x"), ("--agent", "program.py:asks")]
)
@pytest.mark.parametrize("run", [(), ("r",)])
def test_a_decision_without_a_call_is_a_usage_error(waiting, run, option):
    done = waiting("approve", *run, *option)
    assert (done.exit_code, "Name the call to approve" in said(done)) == (2, True)


@pytest.mark.parametrize("agent", ["dies", "outer"])
def test_a_call_in_doubt_says_that_it_began_already(cli, tmp_path, agent):
    command = [sys.executable, "-m", "outlast", "run", f"program.py:{agent}", "hi", "--id", "r"]
    died = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, check=False)
    assert died.returncode == 9
    shown = [said(cli("resume", "r", "--agent", f"program.py:{agent}"))]
    shown += [said(cli(*words)) for words in (["approvals"], ["approvals", "r"], ["approve", "r"])]
    assert all("It began already, outcome unknown: run it again?" in each for each in shown), shown
    (facts,) = json.loads(cli("approvals", "--json").stdout)
    assert (facts["reason"], facts["call_id"]) == ("in_doubt", facts["call"])
    in_python = [sys.executable, "-c", RESUMES.format(agent=agent)]
    told = subprocess.run(in_python, cwd=tmp_path, env=os.environ, capture_output=True, check=False)
    assert told.stdout.split() == [b"True", b"True"], told.stderr


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (AlreadyRunning("x"), "The run is being performed"),
        (RunIsPaused("x"), "The run is paused"),
        (RunHasEnded("x"), "Too late"),
    ],
)
def test_what_is_no_failure_is_not_called_one(error, title):
    assert problem_of(error).title == title


def test_an_ordinary_approval_is_asked_for_by_policy(waiting):
    (facts,) = json.loads(waiting("approvals", "--json").stdout)
    assert (facts["reason"], facts["call_id"]) == ("policy", "c1")
    command = [sys.executable, "-c", RESUMES.format(agent="asks")]
    told = subprocess.run(command, env=os.environ, capture_output=True, check=False)
    assert told.stdout.split() == [b"False", b"False"], told.stderr
    assert "began already" not in said(waiting("approvals"))


@pytest.mark.parametrize(("command", "word"), [("approve", "approved"), ("reject", "rejected")])
def test_a_decision_as_json_says_how_the_run_goes_on_or_what_it_came_to(waiting, command, word):
    told = json.loads(waiting(command, "r", "c1", "--json").stdout)
    assert told["go_on"] == ["outlast resume r --agent program.py:asks"]
    assert {"run_id": "r", "call_ids": ["c1"], "decision": word}.items() <= told.items()
    late = said(waiting(command, "r", "--all"))
    assert f"in run 'r'. 'c1' was {word} already" in late


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_a_decision_that_goes_on_at_once_prints_one_json_and_nothing_else(waiting, command):
    place = ("--agent", "program.py:asks", "--json")
    told = json.loads(waiting(command, "r", "c1", *place).stdout)
    assert (told["status"], told["output"], told["waiting"]) == ("completed", "done", [])


def test_runs_and_what_goes_on_print_one_json_as_well(cli):
    told = json.loads(cli("run", "program.py:asks", "hi", "--id", "r", "--json").stdout)
    assert told == {"run_id": "r", "status": "waiting", "output": "", "waiting": ["c1"]}
    cli("approve", "r", "c1")
    for words in (["resume", "r"], ["retry", "r"], ["run", "program.py:asks", "hi", "--id", "r"]):
        more = ["--agent", "program.py:asks"] if words[0] != "run" else []
        told = json.loads(cli(*words, *more, "--json").stdout)
        assert (told["status"], told["output"]) == ("completed", "done")


def test_a_decision_that_is_said_again_says_that_it_was_made_already(waiting):
    waiting("approve", "r", "c1", "--by", "ann", "--agent", "program.py:asks")
    done = waiting("approve", "r", "c1", "--by", "ann")
    assert done.exit_code == 0
    assert said(done) == "c1 was approved already, by 'ann'; the run is completed"


def test_a_run_that_was_decided_about_says_how_to_go_on(waiting):
    waiting("reject", "r", "c1")
    text = "decided, waits to go on: outlast resume r --agent program.py:asks"
    assert text in said(waiting("show", "r"))
    waiting("resume", "r", "--agent", "program.py:asks")
    assert "decided, waits" not in said(waiting("show", "r"))


def test_another_input_for_an_id_is_answered_with_commands(waiting):
    done = waiting("run", "program.py:asks", "ho", "--id", "r")
    assert done.exit_code == 2
    assert "this id was used with another input" in said(done)
    assert "outlast show r" in said(done)
    assert "Runner." not in said(done)


def test_a_decision_with_a_script_that_fails_is_not_recorded(waiting, tmp_path):
    (tmp_path / "script.py").write_text(PROGRAM + "raise RuntimeError('went wrong')\n")
    done = waiting("approve", "r", "c1", "--agent", "script.py:asks")
    assert done.exit_code == 1
    assert "Loading script.py failed. Run r was not touched by this command." in said(done)
    assert 'put what it does under `if __name__ == "__main__":`' in said(done)
    assert "waiting" in waiting("runs").stdout


def test_who_decided_what_and_why_is_shown(waiting):
    assert said(waiting("show", "r", "--decisions")) == "Nobody has decided anything in this run."
    edited = json.dumps({"to": "Eve\x1b[2J"})
    assert (
        waiting("approve", "r", "c1", "--edit", edited, "--by", "ann", "--why", "typo").exit_code
        == 0
    )
    shown = said(waiting("show", "r", "--decisions"))
    for part in ("ann approved pay", '"to"', "Bob", "c1", "called with:", "Eve", "why: typo", "Z"):
        assert part in shown
    assert "\x1b[2J" not in shown
    (record,) = json.loads(waiting("show", "r", "--decisions", "--json").stdout)["decisions"]
    assert (record["by"], record["why"], record["kind"]) == ("ann", "typo", "decision")
    assert "Bob" in record["before"]
    assert "Eve" in record["after"]
    assert record["at"].endswith("Z")
