"""A tool that raised is seen to have raised, wherever a run is looked at."""

import pytest
from typer.testing import CliRunner

from outlast import Agent, RunConfig, Runner, ShellTool, function_tool
from outlast.cli.app import app
from outlast.core.events import ToolReturned
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

PROGRAM = r"""
from outlast import Agent, function_tool

@function_tool
def get_weather(city: str) -> str:
    "The weather."
    raise ValueError("the station is down \x1b[2J")

agent = Agent(name="Guide", model="offline", tools=[get_weather])
"""


def test_run_and_show_say_what_a_tool_raised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing.py").write_text(PROGRAM)
    ran = CliRunner().invoke(app, ["run", "failing.py", "weather in Rome", "--id", "rome"])
    shown = CliRunner().invoke(app, ["show", "rome"])
    for done in (ran, shown):
        assert done.exit_code == 0, done.stderr
        assert "ValueError: the station is down" in done.stdout
        assert "\x1b" not in done.stdout
    (line,) = [line for line in shown.stdout.splitlines() if "station" in line]
    assert "✗ get_weather" in line


@function_tool
def broken(city: str) -> str:
    """Fail."""
    raise KeyError(city)


async def _refuse(request):
    raise OSError("no shell here")


@pytest.mark.parametrize(
    ("tool", "call", "kind"),
    [
        (broken, function_call("broken", {"city": "Rome"}, call_id="c1"), "KeyError"),
        (
            ShellTool(executor=_refuse),
            {
                "type": "shell_call",
                "call_id": "c1",
                "action": {"commands": ["ls"]},
                "id": "x",
                "status": "completed",
            },
            "OSError",
        ),
    ],
)
async def test_the_log_holds_what_a_tool_raised_and_the_model_is_told_what_it_was(tool, call, kind):
    journal = MemoryJournal()
    agent = Agent(
        name="Guide", tools=[tool], model=ScriptedModel([[call], [assistant_message("done")]])
    )
    await Runner.run(agent, "hi", run_id="r", run_config=RunConfig(journal=journal))
    (answer,) = [e.event for e in await journal.read("r") if isinstance(e.event, ToolReturned)]
    assert answer.error is not None
    assert answer.error.kind == kind
    assert "output" in answer.item
