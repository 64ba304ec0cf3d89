"""A run whose process is killed, and that goes on in another one, is one trace: with real processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, json, os, signal, sys
from outlast import Agent, Runner, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call
from outlast.tracing import TracingProcessor, custom_span, set_trace_processors

out, dies = open(sys.argv[1], "a"), sys.argv[1].endswith("first")


class Lines(TracingProcessor):
    def on_trace_start(self, trace):
        print(json.dumps(["trace", trace.trace_id]), file=out, flush=True)

    def on_span_end(self, span):
        error = (span.error or {}).get("message", "")
        row = [span.span_data.type, span.trace_id, span.span_id, span.parent_id, error]
        print(json.dumps(row), file=out, flush=True)

    def on_trace_end(self, trace): ...
    def on_span_start(self, span): ...
    def shutdown(self): ...
    def force_flush(self): ...


@function_tool
def look() -> str:
    "Look."
    return "seen"


@function_tool
def pay() -> str:
    "Pay."
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    return "paid"


set_trace_processors([Lines()])
END = [assistant_message("done")]
inner = Agent(name="inner", model=ScriptedModel([END], emit_traces=True))
replies = [
    [function_call("look", {}, call_id="a"), function_call("ask", {"input": "x"}, call_id="b")],
    [function_call("pay", {}, call_id="c")],
    END,
]
model = ScriptedModel(replies if dies else replies[2:], emit_traces=True)
agent = Agent(name="desk", model=model, tools=[look, pay, inner.as_tool("ask", "Ask.")])
asyncio.run(Runner.run(agent, "go", run_id="r"))
"""


def told(tmp_path: Path, name: str) -> list[list[str]]:
    """Run the program once, and return what its trace processor was told."""
    file = tmp_path / name
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    subprocess.run([sys.executable, program, file], cwd=tmp_path, check=False, timeout=60)
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.slow
def test_a_killed_run_is_one_trace_and_whoever_goes_on_tells_all_of_it(tmp_path: Path):
    first, second = told(tmp_path, "first"), told(tmp_path, "second")
    assert {row[1] for row in [*first, *second]} == {first[0][1]}
    spans = {row[2]: row for row in second[1:]}
    assert {row[2]: row for row in first[1:]}.keys() <= spans.keys()
    assert {row[3] for row in spans.values()} <= {None, *spans}
    roots = [row[0] for row in spans.values() if row[3] is None]
    assert roots == ["task"]
    functions = [row[4] for row in spans.values() if row[0] == "function"]
    assert len(functions) == 4
    assert sum("process ended" in error for error in functions) == 1
