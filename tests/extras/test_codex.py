"""Codex as a program and as a tool, against a process that stands in for it."""

import asyncio
import json
import os
import stat
import sys
from pathlib import Path

import pytest

from outlast import Agent, ModelBehaviorError, RunConfig, Runner, UserError, function_tool
from outlast.definitions.context import ToolContext
from outlast.extras.codex import Codex, ThreadOptions, TurnOptions, Usage, codex_tool
from outlast.extras.codex.command_spans import bounded
from outlast.extras.codex.process import CodexExec, CodexExecArgs, command_line
from outlast.extras.codex.records import CodexError
from outlast.testing import ScriptedModel, assistant_message, function_call

STARTED = {"type": "thread.started", "thread_id": "thread-7"}
DONE = {
    "type": "turn.completed",
    "usage": {"input_tokens": 9, "cached_input_tokens": 4, "output_tokens": 2},
}


def says(text):
    return {"type": "item.completed", "item": {"id": "m", "type": "agent_message", "text": text}}


class Program:
    """The stand-in, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "codex"
        source = Path(__file__).with_name("codex_program.py").read_text()
        self.path.write_text(f"#!{sys.executable}\n{source}")
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)

    def will(self, *steps) -> None:
        (self.folder / "script.json").write_text(json.dumps(steps))

    @property
    def calls(self):
        return [json.loads(line) for line in (self.folder / "calls.jsonl").read_text().splitlines()]


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.setenv("CODEX_PATH", str(tmp_path / "codex"))
    program = Program(tmp_path)
    program.will(STARTED, says("done"), DONE)
    return program


async def call(tool, context=None, **arguments):
    text = json.dumps({"inputs": [{"type": "text", "text": "fix it"}], **arguments})
    wrapper = ToolContext(context, tool_name=tool.name, tool_call_id="c", tool_arguments=text)
    return await tool.on_invoke_tool(wrapper, text)


async def test_a_thread_keeps_its_id_from_turn_to_turn(program):
    thread = Codex(api_key="k").start_thread({"model": "m", "sandbox_mode": "read-only"})
    turn = await thread.run("first")
    await thread.run([{"type": "text", "text": "second"}, {"type": "local_image", "path": "a.png"}])
    assert (turn.final_response, turn.usage, thread.id) == ("done", Usage(9, 4, 2), "thread-7")
    first, second = program.calls
    head = ["exec", "--experimental-json", "--model", "m", "--sandbox", "read-only"]
    assert first["argv"] == [*head, "-"]
    assert second["argv"] == [*head, "resume", "--image", "a.png", "--", "thread-7", "-"]
    assert [each["prompt"] for each in (first, second)] == ["first", "second"]
    assert first["key"] == "k"


async def test_a_schema_reaches_codex_in_a_file_that_is_gone_afterwards(program):
    await Codex().start_thread().run("x", TurnOptions(output_schema={"type": "object"}))
    (only,) = program.calls
    assert only["schema"] == {"type": "object"}
    schema = Path(only["argv"][only["argv"].index("--output-schema") + 1])
    assert not schema.exists()  # noqa: ASYNC240 (a look)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"exit": 3, "says": "no login"}], "Codex exec exited with code 3: no login"),
        ([{"raw": "not JSON"}], "Failed to parse event: not JSON"),
        ([{"type": "turn.failed", "error": {"message": "too long"}}], "too long"),
        ([{"type": "error", "message": "lost"}], "Codex stream error: lost"),
        ([{"raw": "x" * 70_000}], "Codex wrote a line of more than 65536 bytes"),
    ],
)
async def test_what_goes_wrong_is_one_kind_of_error(program, steps, message):
    program.will(*steps)
    codex = Codex(codex_subprocess_stream_limit_bytes=65_536)
    with pytest.raises(CodexError, match=message):
        await codex.start_thread().run("x")


async def test_a_silent_codex_is_ended_within_its_time(program):
    program.will({"silent": 60})
    with pytest.raises(CodexError, match=r"idle for 0\.1 seconds"):
        await Codex().start_thread().run("x", TurnOptions(idle_timeout_seconds=0.1))


async def test_a_cancelled_turn_leaves_no_process(program):
    program.will(STARTED, {"silent": 60})
    streamed = await Codex().start_thread().run_streamed("x")
    await anext(streamed.events)
    (only,) = program.calls
    waiting = asyncio.ensure_future(anext(streamed.events))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(only["pid"], 0)


async def test_a_program_that_is_not_there_is_an_error_that_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(CodexError, match="nowhere"):
        await Codex(codex_path_override=str(tmp_path / "nowhere")).start_thread().run("x")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"thread_id": "--evil"}, ["resume", "--", "--evil", "-"]),
        ({"web_search_enabled": True}, ["--config", 'web_search="live"', "-"]),
        ({"web_search_enabled": True, "web_search_mode": "cached"}, ["--config", 'web_search="cached"', "-"]),
        ({"network_access_enabled": False}, ["--config", "sandbox_workspace_write.network_access=false", "-"]),
        ({"additional_directories": ["/a", "/b"]}, ["--add-dir", "/a", "--add-dir", "/b", "-"]),
        ({"approval_policy": "never"}, ["--config", 'approval_policy="never"', "-"]),
    ],
)  # fmt: skip
def test_options_are_words_of_the_command_line(fields, words):
    assert command_line(CodexExecArgs(input="x", **fields)) == [
        "exec",
        "--experimental-json",
        *words,
    ]


@pytest.mark.parametrize("limit", [0, 65_535, 67_108_865])
def test_a_limit_out_of_bounds_is_refused(limit):
    with pytest.raises(UserError, match="must be between 65536 and 67108864"):
        CodexExec(subprocess_stream_limit_bytes=limit)


async def test_an_agent_gets_what_codex_answers_and_its_cost(program):
    codex = codex_tool(default_thread_options=ThreadOptions(model="m"))
    asked = function_call("codex", {"inputs": [{"type": "text", "text": "fix it"}]}, call_id="c")
    model = ScriptedModel([[asked], [assistant_message("ok")]])
    result = await Runner.run(Agent(name="A", tools=[codex], model=model), "go")
    (output,) = (item["output"] for item in model.calls[1].input if "output" in item)
    assert json.loads(output) == {
        "thread_id": "thread-7",
        "response": "done",
        "usage": DONE["usage"],
    }
    assert result.context_wrapper.usage.input_tokens >= DONE["usage"]["input_tokens"]


@pytest.mark.parametrize(
    ("arguments", "context", "expected"),
    [
        ({"thread_id": "asked"}, None, "asked"),
        ({}, {"codex_thread_id": "known"}, "known"),
        ({}, {}, "configured"),
        ({}, {"codex_thread_id": " "}, "configured"),
    ],
)
async def test_a_call_names_its_thread_before_the_context_and_the_settings(
    program, arguments, context, expected
):
    tool = codex_tool(thread_id="configured", use_run_context_thread_id=context is not None)
    await call(tool, context, **arguments)
    assert program.calls[0]["argv"][-2] == expected
    if context is not None:
        assert context["codex_thread_id"] == "thread-7"


async def test_the_context_remembers_the_thread_of_a_turn_that_failed(program):
    program.will(STARTED, {"type": "turn.failed", "error": {"message": "no"}})
    context = {}
    tool = codex_tool(use_run_context_thread_id=True, failure_error_function=None)
    with pytest.raises(UserError, match="Codex turn failed: no"):
        await call(tool, context)
    assert context == {"codex_thread_id": "thread-7"}


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"inputs": []}', '{"inputs": [{"type": "text", "text": "s3cret", "x": 1}]}']
)  # fmt: skip
async def test_wrong_arguments_are_refused_without_repeating_them(text):
    tool = codex_tool(failure_error_function=None)
    wrapper = ToolContext(None, tool_name="codex", tool_call_id="c", tool_arguments=text)
    with pytest.raises(ModelBehaviorError, match="Invalid JSON input for codex tool") as caught:
        await tool.on_invoke_tool(wrapper, text)
    assert "s3cret" not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_a_codex_tool_has_its_name_for_itself_also_in_a_run():
    @function_tool(name_override="codex")
    def other() -> None: ...

    agent = Agent(name="A", tools=[codex_tool(), other], model=ScriptedModel([[]]))
    with pytest.raises(UserError, match="Duplicate Codex tool names found: codex"):
        await Runner.run(agent, "go", run_config=RunConfig(tracing_disabled=True))


@pytest.mark.parametrize("limit", [0, 1, 20, 60, 100, 200, 400])
@pytest.mark.parametrize("output", ["", "y" * 90, "ü\n" * 60])
def test_the_data_of_a_span_fits_its_limit(limit, output):
    data = {"status": "completed", "exit_code": 0, "command": "x" * 90, "output": output}
    short = bounded(data, limit)
    assert len(json.dumps(short, ensure_ascii=False, separators=(",", ":"))) <= max(limit, 2)
    assert bounded(data, None) == data
