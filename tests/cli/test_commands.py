"""The commands, as a user types them."""

import asyncio
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from outlast import AlreadyDecided, MaxTurnsExceeded, Runner
from outlast.cli.app import app
from outlast.cli.approvals import calls_of, record
from outlast.cli.command import finish
from outlast.cli.program import load_program
from outlast.core.events import ApprovalDecided
from outlast.journal import open_journal

PROGRAM = """
from outlast import Agent, function_tool

@function_tool
def find_order(order: int) -> str:
    "Find an order."
    return f"order {order} is on its way"

agent = Agent(name="Desk", model="offline", tools=[find_order])
"""


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, list(words))


@pytest.fixture
def program(tmp_path):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return file


def test_without_a_key_a_panel_says_how_to_go_on(cli, tmp_path):
    (tmp_path / "named.py").write_text("from outlast import Agent\nagent = Agent(name='Bot')\n")
    result = cli("run", "named.py", "hello")
    assert result.exit_code == 2
    assert "OPENAI_API_KEY" in result.stderr
    assert "OUTLAST_OFFLINE=1" in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 8
    assert "Traceback" not in result.output


def test_the_offline_switch_needs_no_key(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("OUTLAST_OFFLINE", "1")
    (tmp_path / "named.py").write_text("from outlast import Agent\nagent = Agent(name='Bot')\n")
    assert cli("run", "named.py", "hello").exit_code == 0


def test_a_run_is_shown_live_listed_and_shown_again(cli, program):
    ran = cli("run", str(program), "find order 17", "--id", "order-17")
    assert ran.exit_code == 0, ran.output
    assert "find_order(order=17)" in ran.stdout
    assert "outlast show order-17" in ran.stdout
    assert "order-17" in cli("runs").stdout
    shown = cli("show", "order").stdout
    assert "completed" in shown
    assert "find_order" in shown
    assert "order 17 is on its way" in shown


def test_a_finished_run_is_not_performed_again(cli, program):
    first = cli("run", str(program), "find order 17", "--id", "order-17")
    again = cli("run", str(program), "find order 17", "--id", "order-17")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "find_order(" not in again.stdout


@pytest.mark.parametrize("command", [("run", "program.py", "find order 17", "--id"), ("resume",)])
def test_a_finished_run_says_what_it_came_to(cli, program, command):
    cli("run", str(program), "find order 17", "--id", "order-17")
    again = cli(*command, "order-17")
    assert again.exit_code == 0
    assert "completed already. Nothing to do." in again.stdout
    assert "order 17 is on its way" in again.stdout


RAISING = PROGRAM.replace("@function_tool", "@function_tool(failure_error_function=None)")
RAISING = RAISING.replace("return f", "raise ValueError(7)\n    return f")


TRAP = """
from pathlib import Path
Path("executed").touch()
"""


@pytest.mark.parametrize("words", [("resume", "r"), ("retry", "r")])
def test_what_stands_in_a_journal_is_shown_and_not_executed(cli, tmp_path, words):
    file = tmp_path / "failing.py"
    file.write_text(RAISING)
    assert cli("run", "failing.py", "find order 17", "--id", "r").exit_code == 1
    file.write_text(RAISING + TRAP)
    said = cli(*words)
    assert not (tmp_path / "executed").exists()
    assert said.exit_code == 2
    assert f"outlast {words[0]} r --agent failing.py:agent" in " ".join(said.stderr.split())


def test_a_decision_without_a_program_is_recorded_and_says_how_to_go_on(cli, tmp_path, waiting):
    (tmp_path / "asking.py").write_text(ASKING + TRAP)
    done = cli("approve", "order-17", waiting)
    assert done.exit_code == 0, done.output
    assert "outlast resume order-17 --agent asking.py:agent" in done.stdout
    assert not (tmp_path / "executed").exists()
    assert "Nothing waits" in cli("approve", "order-17").stdout


@pytest.mark.parametrize("command", ["resume", "retry"])
def test_a_failed_run_goes_on_once_its_program_is_mended(cli, tmp_path, command):
    file = tmp_path / "failing.py"
    file.write_text(RAISING)
    assert cli("run", "failing.py", "find order 17", "--id", "order-17").exit_code == 1
    assert "7" in cli(command, "order-17", "--agent", "failing.py").stderr
    file.write_text(RAISING.replace("raise ValueError(7)", "pass"))
    again = cli(command, "order-17", "--agent", "failing.py")
    assert again.exit_code == 0, again.output
    assert "order 17 is on its way" in again.stdout
    assert "completed already" in cli(command, "order-17").stdout


GUARDED = PROGRAM.replace("import Agent,", "import Agent, GuardrailFunctionOutput, InputGuardrail,")
GUARDED = GUARDED.replace(
    "tools=",
    "input_guardrails=[InputGuardrail(lambda *_: GuardrailFunctionOutput(None, True), name='watch')],"
    " tools=",
)


def test_what_a_guardrail_refused_says_why_it_does_not_go_on(cli, tmp_path):
    (tmp_path / "guarded.py").write_text(GUARDED)
    assert cli("run", "guarded.py", "find order 17", "--id", "order-17").exit_code == 1
    again = cli("resume", "order-17")
    assert again.exit_code == 1
    assert "failed already. Nothing to do." in again.stdout
    assert "was refused by input guardrail 'watch'; that does not change." in again.stdout


def test_a_run_that_has_made_its_turns_makes_more_if_it_may(cli, program):
    agent = load_program(str(program)).agent
    with pytest.raises(MaxTurnsExceeded):
        asyncio.run(Runner.run(agent, "find order 17", run_id="order-17", max_turns=1))
    short = cli("retry", "order-17", "--agent", str(program))
    assert (short.exit_code, "--max-turns" in short.stderr) == (2, True)
    more = cli("retry", "order-17", "--agent", str(program), "--max-turns", "5")
    assert more.exit_code == 0, more.output
    assert "completed already" in cli("retry", "order-17").stdout


ASKING = PROGRAM.replace("@function_tool", "@function_tool(needs_approval=True)")


@pytest.fixture
def waiting(cli, tmp_path):
    """The id of the one call that waits in the run `order-17`."""
    (tmp_path / "asking.py").write_text(ASKING)
    ran = cli("run", "asking.py", "find order 17", "--id", "order-17")
    assert "outlast approve order-17" in ran.stdout
    return cli("approve", "order").stdout.split()[0]


def test_what_waits_is_listed_with_its_arguments_and_nothing_is_decided(cli, waiting):
    listed = cli("approve", "order-17")
    assert listed.exit_code == 0
    assert "order: 17" in listed.stdout
    assert f"outlast reject order-17 {waiting}" in listed.stdout
    assert "waiting" in cli("runs").stdout


@pytest.mark.parametrize("choose", [lambda call: call, lambda _: "--all"])
def test_an_approved_call_is_performed_and_the_run_goes_on(cli, waiting, choose):
    done = cli("approve", "order-17", choose(waiting), "--agent", "asking.py")
    assert done.exit_code == 0, done.output
    assert "order 17 is on its way" in done.stdout
    assert "completed" in cli("runs").stdout
    assert "Nothing waits" in cli("approve", "order-17").stdout
    shown = cli("show", "order-17").stdout
    assert "approved" in shown
    assert "taken up again" not in shown  # A process that goes on at once is no news.
    assert "crash" not in shown


async def test_of_two_who_decide_at_once_one_is_told_that_he_is_late(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTLAST_HOME", str(tmp_path / "home"))
    (tmp_path / "asking.py").write_text(ASKING)
    program = load_program(str(tmp_path / "asking.py"))
    await Runner.run(program.agent, "find order 17", run_id="order-17")
    (call,) = await calls_of("order-17")
    both = [record("order-17", [call.key], approved=said, message="") for said in (True, False)]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert done.count(None) == 1
    late = next(each for each in done if each is not None)
    assert isinstance(late, AlreadyDecided)
    assert await calls_of("order-17") == []


@pytest.mark.parametrize("words", [["reject"], ["approve", "--reject"]])
def test_a_rejected_call_is_not_performed_and_the_model_is_told_why(cli, waiting, words):
    told = ["--message", "we are closed", "--agent", "asking.py"]
    done = cli(*words, "order-17", waiting, *told)
    assert done.exit_code == 0, done.output
    assert "we are closed" in done.stdout
    assert "on its way" not in " ".join(cli("show", "order-17").stdout.split())


def test_a_call_of_an_agent_that_is_a_tool_is_decided_in_the_outer_run(cli, tmp_path):
    outer = """
outer = Agent(name="Outer", model="offline", tools=[agent.as_tool("find_order_17", "Find order 17.")])
"""
    (tmp_path / "nested.py").write_text(ASKING + outer)
    ran = cli("run", "nested.py:outer", "find order 17", "--id", "outer")
    assert "outlast approve outer" in ran.stdout, ran.output
    call = cli("approve", "outer").stdout.split()[0]
    assert "/" in call
    done = cli("approve", "outer", call, "--agent", "nested.py:outer")
    assert done.exit_code == 0, done.output
    assert "order 17 is on its way" in " ".join(done.stdout.split())


def test_a_rejection_says_who_and_why_and_waits_for_whoever_goes_on(cli, waiting):
    done = cli("reject", "order-17", waiting, "--by", "ada", "--why", "not ours")
    assert done.exit_code == 0, done.output
    assert "outlast resume order-17 --agent" in done.stdout
    events = [stored.event for stored in finish(open_journal().read("order-17"))]
    (decision,) = [event for event in events if isinstance(event, ApprovalDecided)]
    assert (decision.approved, decision.by, decision.why) == (False, "ada", "not ours")


def test_a_rejection_names_its_call(cli, waiting):
    done = cli("reject", "order-17")
    assert done.exit_code == 2
    assert "Name the call to reject" in done.stderr
    assert cli("approvals", "order").stdout.startswith(waiting)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["order-17", "nothing"],
            "no call waits that has the whole id",
        ),
        (["order-17", "call_"], "These wait: "),
        (["nothing"], "There is no run 'nothing'"),
        (["order-17", "call", "--all"], "Name a call, or say --all."),
        (["order-17", "--reject"], "Name the call to reject"),
        (["order-17", "call", "--message", "no"], "goes with --reject"),
    ],
)
def test_a_decision_about_something_else_is_refused(cli, waiting, words, said):
    result = cli("approve", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert cli("approve", "order-17").stdout.startswith(waiting)


@pytest.mark.parametrize("command", ["show", "resume"])
def test_an_unknown_run_is_an_error_without_a_traceback(cli, command):
    result = cli(command, "nothing")
    assert result.exit_code == 2
    assert "There is no run 'nothing'" in result.stderr
    assert "Traceback" not in result.output


def test_resume_says_what_it_needs(cli):
    assert cli("resume").exit_code == 2
    nothing = cli("resume", "--all")
    assert (nothing.exit_code, "Nothing to resume" in nothing.stdout) == (0, True)


def test_a_run_remembers_the_program_that_it_was_started_from(cli, program):
    cli("run", str(program), "find order 17", "--id", "order-17")
    assert cli("resume", "order-17").exit_code == 0


def test_an_empty_list_says_how_to_begin(cli):
    result = cli("runs")
    assert (result.exit_code, "outlast demo" in result.stdout) == (0, True)


def test_the_doctor_finds_a_healthy_journal(cli, program):
    cli("run", str(program), "hello")
    result = cli("doctor")
    assert result.exit_code == 0, result.output
    for words in ("python", "outlast", "0600", "quick check passed", "no OPENAI_API_KEY"):
        assert words in result.stdout


def test_the_doctor_names_a_damaged_journal(cli, outlast_home):
    outlast_home.mkdir()
    (outlast_home / "journal.db").write_bytes(b"no database at all" * 100)
    result = cli("doctor")
    assert result.exit_code == 1
    assert "integrity" in result.stdout


def test_the_doctor_names_a_place_where_no_folder_can_be(cli, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("OUTLAST_HOME", str(tmp_path / "file" / "home"))
    result = cli("doctor")
    assert (result.exit_code, "no folder" in result.stdout) == (1, True)


def test_what_a_tool_returned_cannot_drive_the_terminal(cli, tmp_path):
    (tmp_path / "evil.py").write_text(PROGRAM.replace("is on its way", "\\x1b[2J\\u202e"))
    cli("run", "evil.py", "find order 17", "--id", "evil")
    shown = cli("show", "evil").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2J" in shown


MORTAL = """
import os, signal
from pathlib import Path
from outlast import Agent, function_tool

@function_tool
def find_order(order: int) -> str:
    "Find an order."
    seen = Path("seen")
    if not seen.exists():
        seen.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "found"

agent = Agent(name="Desk", model="offline", tools=[find_order])
"""


def test_an_interrupted_run_is_listed_and_resumed(cli, tmp_path):
    (tmp_path / "mortal.py").write_text(MORTAL)
    command = [sys.executable, "-c", "from outlast.cli import main; main()"]
    words = ["run", "mortal.py", "find order 17", "--id", "mortal"]
    first = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, check=False)
    assert first.returncode == -signal.SIGKILL
    assert "interrupted" in cli("runs").stdout
    assert "outlast resume --all" in cli("doctor").stdout
    resumed = cli("resume", "--all", "--agent", "mortal.py")
    assert resumed.exit_code == 0, resumed.output
    assert "found" in resumed.stdout
    shown = cli("show", "mortal").stdout
    assert "1 step reused, 1 in doubt retried with the same key" in shown
    assert "Nothing to resume" in cli("resume", "--all").stdout


def test_a_program_that_fails_is_a_panel_and_not_a_traceback(cli, tmp_path):
    (tmp_path / "limit.py").write_text(
        PROGRAM.replace("agent = Agent(", "agent = Agent(input_guardrails=[no], ").replace(
            "@function_tool", GUARDRAIL, 1
        )
    )
    result = cli("run", "limit.py", "find order 17")
    assert result.exit_code == 1
    assert "InputGuardrailTripwireTriggered" in result.stderr
    assert "Traceback" not in result.output


GUARDRAIL = """
from outlast import GuardrailFunctionOutput, input_guardrail

@input_guardrail
def no(ctx, agent, message):
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)

@function_tool"""
