"""The mistakes that most people make once: each is a short panel, and a short traceback, that says what to write."""

import asyncio
import sys
import traceback
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

import outlast
from outlast.cli.app import app
from outlast.compat import uninstall

OURS = str(Path(outlast.__file__).parent)
HEAD = """
import asyncio
from outlast import *
from outlast.testing import ScriptedModel, assistant_message, function_call
agent = Agent(name="Guide", model="offline")
"""
TOOL = '@function_tool\ndef weather(city: str) -> str:\n    "The weather."\n    return city\n'
RUN = 'Runner.run_sync(agent, "hi")\n'


def in_main(line):
    return f"async def main():\n    {line}\nasyncio.run(main())\n"


def with_agent(field):
    return f'agent = Agent(name="x", model="offline", {field})\n{RUN}'


def checked_by(signature, returned, parameters="context, agent, input"):
    return (
        f"@input_guardrail\nasync def looks({signature or parameters}):\n    return {returned}\n"
        + with_agent("input_guardrails=[looks]")
    )


MISTAKES = {
    # An agent.
    "a parameter misspelt": ('Agent(name="x", instuctions="help")', "'instructions'?"),
    "a parameter of clone misspelt": ('agent.clone(instuctions="help")', "'instructions'?"),
    "no name": ('Agent(instructions="help")', "'name'"),
    "a name that is a number": ("Agent(name=3)", "must be a string"),
    "instructions that are a list": ('Agent(name="x", instructions=["a"])', "must be a string"),
    "instructions that take nothing": (with_agent('instructions=lambda: "a"'), "(context, agent)"),
    "a setting misspelt": ("ModelSettings(temprature=1)", "'temperature'?"),
    "a text for a handoff": (with_agent('handoffs=["billing"]'), "Pass the agent itself"),
    "handoff() of a text": ('handoff("billing")', "takes the agent itself"),
    "one agent for a list": (with_agent("handoffs=agent"), "must be a list"),
    "a model that is a number": (with_agent("").replace('"offline"', "4"), "must be a string"),
    "a model that is a class": (
        with_agent("").replace('"offline"', "ScriptedModel"),
        "ScriptedModel(...)",
    ),
    "a model's name misspelt": (with_agent("").replace("offline", "offlin"), "'offline'?"),
    "another provider's model": (
        with_agent("").replace("offline", "anthropic/claude"),
        "'litellm/anthropic/claude'?",
    ),
    "no key": (f'agent = Agent(name="x")\n{RUN}', "OPENAI_API_KEY"),
    "an output type that is an example": (with_agent('output_type={"a": 1}'), "output_type=dict"),
    "an output type without a strict form": (with_agent("output_type=dict"), "AgentOutputSchema("),
    # Tools.
    "a function that is no tool yet": (
        f"def f(x: int) -> int:\n    return x\n{with_agent('tools=[f]')}",
        "function_tool(f)",
    ),
    "a text for a tool": (with_agent('tools=["weather"]'), "is no tool"),
    "one tool for a list": (TOOL + with_agent("tools=weather"), "must be a list"),
    "a tool that is called": (f'{TOOL}weather("Rome")', "function_tool(function)"),
    "a context that is not first": (
        TOOL.replace("city: str", "city: str, ctx: RunContextWrapper"),
        "first parameter",
    ),
    "a parameter that no model can send": (
        TOOL.replace("city: str", "city: asyncio.Lock"),
        "'city'",
    ),
    "a parameter of an unknown type": (TOOL.replace("city: str", 'city: "Citty"'), "'Citty'"),
    "a parameter that is any dict": (TOOL.replace("city: str", "city: dict"), "strict_mode=False"),
    "keywords without names": (TOOL.replace("city: str", "**city"), "strict_mode=False"),
    "an option of a tool misspelt": (
        TOOL.replace("tool\n", 'tool(on_uncertian="once")\n'),
        "'on_uncertain'?",
    ),
    "a choice of a tool misspelt": (
        TOOL.replace("tool\n", 'tool(on_uncertain="onec")\n'),
        "'retry', 'once', 'ask'",
    ),
    "what is in the context, asked of its wrapper": (
        TOOL.replace("tool\n", "tool(failure_error_function=None)\n")
        .replace("city: str", "ctx: RunContextWrapper, city: str")
        .replace("return city", "return ctx.user")
        + with_agent("tools=[weather]").replace('"hi"', '"weather in Rome"'),
        "ctx.context",
    ),
    # Guardrails.
    "a function that is no guardrail yet": (
        f"def g(a, b, c): ...\n{with_agent('input_guardrails=[g]')}",
        "@input_guardrail",
    ),
    "a guardrail that returns a bool": (checked_by("", "True"), "GuardrailFunctionOutput("),
    "a guardrail that takes the input only": (checked_by("input", "True"), "looks(input)"),
    # A run.
    "no await": (f"{RUN.replace('run_sync', 'run')}.final_output".replace("\n", ""), "`await`"),
    "await at the top level": (f"await {RUN.replace('run_sync', 'run')}", "asyncio.run(main())"),
    "run_sync in a coroutine": (in_main(RUN), "`await Runner.run(...)`"),
    "asyncio.run in a coroutine": (
        in_main('asyncio.run(Runner.run(agent, "hi"))'),
        "write `await` in its place",
    ),
    "run_streamed without a loop": ('Runner.run_streamed(agent, "hi")', "asyncio.run(main())"),
    "a stream that is awaited": (
        in_main('await Runner.run_streamed(agent, "hi")'),
        "stream_events()",
    ),
    "a stream read with for": (
        in_main('[e for e in Runner.run_streamed(agent, "hi").stream_events()]'),
        "`async for`",
    ),
    "a stream's method not called": (
        in_main('[e async for e in Runner.run_streamed(agent, "hi").stream_events]'),
        "Call it",
    ),
    "a name for the agent": ('Runner.run_sync("Guide", "hi")', "takes an Agent first"),
    "agent and input swapped": ('Runner.run_sync("hi", agent)', "takes an Agent first"),
    "the class of agents": ('Runner.run_sync(Agent, "hi")', "takes an Agent first"),
    "no input": ("Runner.run_sync(agent)", "'input'"),
    "an input that is a number": ("Runner.run_sync(agent, 3)", "got int"),
    "an input of texts": ('Runner.run_sync(agent, ["hi"])', "an item is a dict"),
    "a keyword of a run misspelt": ('Runner.run_sync(agent, "hi", max_turn=3)', "'max_turns'?"),
    "a limit that is a text": ('Runner.run_sync(agent, "hi", max_turns="3")', "number of turns"),
    "too few turns": ('Runner.run_sync(agent, "hi", max_turns=0)', "max_turns=N"),
    "hooks that are a class": (
        'class Hooks(RunHooks): ...\nRunner.run_sync(agent, "hi", hooks=Hooks)',
        "Hooks(...)",
    ),
    "hooks that are a dict": ('Runner.run_sync(agent, "hi", hooks={})', "instances of RunHooks"),
    "hooks of an agent": (
        'Runner.run_sync(agent, "hi", hooks=AgentHooks())',
        "Agent(hooks=...)",
    ),
    "a session that is a text": ('Runner.run_sync(agent, "hi", session="a")', "SQLiteSession("),
    "a session that is a class": (
        'Runner.run_sync(agent, "hi", session=SQLiteSession)',
        "SQLiteSession(...)",
    ),
    "settings that are a text": ('Runner.run_sync(agent, "hi", run_config="a")', "RunConfig"),
    "settings misspelt": ('RunConfig(modl="x")', "'model'?"),
    "settings misspelt in a dict": ('Runner.run_sync(agent, "hi", run_config={"modl": 1})', "modl"),
    "an id that is a number": ('Runner.run_sync(agent, "hi", run_id=17)', "str(...)"),
    "a runner that is made": ('Runner(agent).run("hi")', "Runner.run_sync(agent"),
    "an agent that runs itself": ('agent.run("hi")', "Runner.run_sync(agent"),
    "a run that there is not": ('asyncio.run(Runner.resume("gone", agent))', "no run 'gone'"),
    "a decision about no run": ('asyncio.run(Runner.approve("gone", "a"))', "no run 'gone'"),
    # A result.
    "a result's field by another name": (RUN.strip() + ".output", "'final_output'?"),
    "a result's field misspelt": (RUN.strip() + ".final_outptu", "'final_output'?"),
    "a result as a list": (f"list({RUN.strip()})", "not iterable"),
    # Python.
    "a colon that is missing": ("def f()\n    pass", "expected ':'"),
    "a bracket that is open": ("x = (1,\n", "never closed"),
    "tabs and spaces": ("if 1:\n\tx = 1\n        y = 2\n", "tabs"),
    "a name misspelt": ("Agnet", "'Agent'?"),
    "an import misspelt": ("from outlast import Agnet", "'Agent'?"),
    "a module of Outlast's that is none": ("import outlast.agents", "outlast.agents"),
    "an error in a group": (
        (
            "async def bad():\n    raise ValueError('the reason')\nasync def main():\n"
            "    async with asyncio.TaskGroup() as g: g.create_task(bad())\nasyncio.run(main())\n"
        ),
        "the reason",
    ),
    "a text that drives the terminal": (r"raise ValueError('\x1b[2J')", r"\x1b[2J"),
}


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Writes a program, where no key and no setting reaches it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    for name in ("OPENAI_API_KEY", "OUTLAST_OFFLINE"):
        monkeypatch.delenv(name, raising=False)

    def write(name):
        (tmp_path / "program.py").write_text(HEAD + MISTAKES[name][0] + "\n")
        return tmp_path / "program.py"

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # For run_sync, which leaves it open.
    yield write
    loop.close()
    asyncio.set_event_loop(None)
    uninstall()


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_a_panel_of_eight_lines_that_says_what_to_write(program, name):
    program(name)
    done = CliRunner().invoke(app, ["run", "program.py"])
    lines = done.stderr.strip().splitlines()
    assert done.exit_code in (1, 2)
    assert len(lines) <= 8, done.stderr
    assert max(map(len, lines)) <= 80
    said = "".join(line.strip("│ ") for line in lines).replace(" ", "")
    assert MISTAKES[name][1].replace(" ", "") in said, done.stderr
    assert "program.py:" in said
    assert "\x1b" not in done.stderr


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_shows_in_a_program_with_little_of_outlast_in_its_traceback(program, name):
    path = program(name)
    with pytest.raises(Exception) as caught, warnings.catch_warnings():  # noqa: PT011  # of any kind
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": "__main__"})
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert len([frame for frame in frames if frame.filename.startswith(OURS)]) <= 4
    chained = [each for each in (caught.value.__cause__, caught.value.__context__) if each]
    assert not chained or caught.value.__suppress_context__
