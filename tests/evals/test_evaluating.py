"""An evaluation asks each case once, however often it is started, and finds what has become worse."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from outlast import Agent, RunConfig, UserError
from outlast.evals import Case, Report, Suite, case_of_run, contains, evaluate, judge, read_cases
from outlast.evals.cases import write_cases
from outlast.testing import ScriptedModel, assistant_message

MANY = 200
PROGRAM = """
import asyncio, os, sys, time
from outlast import Agent, Model, ModelResponse, RunConfig, Usage
from outlast.evals import Case, Suite, contains
from outlast.testing import ScriptedModel, assistant_message

class Noting(Model):
    async def get_response(self, system_instructions, input, *rest, **more):
        asked = input if isinstance(input, str) else input[0]["content"]
        with open("asked.txt", "a") as file:
            file.write(asked + "\\n")
        await asyncio.sleep(float(os.environ.get("SLOW", "0")))
        said = "wrong" if "never" in (system_instructions or "") and asked == "question 7" else asked
        return ModelResponse(output=[assistant_message(said)], usage=Usage(), response_id=None)
    def stream_response(self, *rest, **more):
        raise NotImplementedError

agent = Agent(name="echo", instructions={instructions!r}, model=Noting())
suite = Suite(
    name="echo", agent=agent, checks=[contains()],
    cases=[Case(input=f"question {{n}}", expected=f"question {{n}}", id=f"q{{n}}") for n in range({many})],
)
"""


def ran(folder: Path, *words: str, slow: str = "0") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "OUTLAST_HOME": str(folder / ".outlast"), "SLOW": slow}
    environment |= {"COLUMNS": "120", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "outlast", "eval", "evals.py", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def program(folder: Path, instructions: str = "Always repeat.", many: int = MANY) -> None:
    text = PROGRAM.format(instructions=instructions, many=many)
    (folder / "evals.py").write_text(text)


def asked(folder: Path) -> list[str]:
    file = folder / "asked.txt"
    return file.read_text().split("\n")[:-1] if file.exists() else []


@pytest.mark.slow
def test_killed_in_the_middle_and_started_again_it_asks_nothing_twice(tmp_path: Path):
    program(tmp_path)
    environment = {**os.environ, "OUTLAST_HOME": str(tmp_path / ".outlast"), "SLOW": "0.05"}
    first = subprocess.Popen(
        [sys.executable, "-m", "outlast", "eval", "evals.py", "--workers", "8"],
        cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(asked(tmp_path)) < MANY // 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = len(asked(tmp_path))
    assert MANY // 3 <= before < MANY
    again = ran(tmp_path, "--workers", "8")
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"{MANY} of {MANY} passed" in again.stdout
    counts = {question: asked(tmp_path).count(question) for question in set(asked(tmp_path))}
    assert len(counts) == MANY
    # Those that were under way are asked again: nobody knows what they were told.
    assert sum(count > 1 for count in counts.values()) <= 8
    assert max(counts.values()) <= 2
    total = len(asked(tmp_path))
    assert ran(tmp_path).returncode == 0
    assert len(asked(tmp_path)) == total


@pytest.mark.slow
def test_a_changed_prompt_is_a_regression_in_the_table_and_the_status(tmp_path: Path):
    program(tmp_path, many=20)
    first = ran(tmp_path, "--save", "before.json")
    assert first.returncode == 0, first.stderr
    program(tmp_path, "never say 7", many=20)
    second = ran(
        tmp_path, "--baseline", "before.json", "--junit", "report.xml", "--save", "now.json"
    )
    assert second.returncode == 1
    assert "REGRESSION" in second.stdout
    assert "1 regressions" in second.stdout
    suite = ET.fromstring((tmp_path / "report.xml").read_text()).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("20", "1")
    assert json.loads((tmp_path / "now.json").read_text())["suite"] == "echo"


def echo(*answers: str, instructions: str = "") -> Agent[Any]:
    model = ScriptedModel([[assistant_message(each)] for each in answers])
    return Agent(name="echo", instructions=instructions or None, model=model)


def suite(place: str, agent: Agent[Any], *cases: Case, **more: Any) -> Suite:
    return Suite(
        name="s", agent=agent, cases=cases, checks=[contains()],
        run_config=RunConfig(journal=place), **more,
    )  # fmt: skip


async def test_the_same_evaluation_is_not_asked_again_and_a_changed_one_is(tmp_path: Path):
    place, case = str(tmp_path / "j.db"), Case(input="q", expected="a", id="one")
    first = await evaluate(suite(place, echo("a"), case))
    again = await evaluate(suite(place, echo(), case))
    assert (first.passed, again.passed, first.id) == (1, 1, again.id)
    changed = await evaluate(suite(place, echo("b", instructions="Else."), case))
    assert changed.passed == 0
    assert changed.compared(first).regressions == ("one",)


async def test_a_case_that_fails_is_reported_and_the_others_go_on(tmp_path: Path):
    cases = [Case(input=text, expected="a", id=text) for text in "ab"]
    report = await evaluate(suite(str(tmp_path / "j.db"), echo("a"), *cases), workers=1)
    assert [case.passed for case in report.cases] == [True, False]
    assert "UnexpectedModelCall" in report.cases[1].error


async def test_cases_are_repeated_and_numbered(tmp_path: Path):
    report = await evaluate(
        suite(str(tmp_path / "j.db"), echo("a", "b"), Case(input="q", expected="a"), repeats=2),
        workers=1,
    )
    assert [case.id for case in report.cases] == ["case-1.1", "case-1.2"]
    assert report.rate == 0.5
    low, high = report.interval
    assert 0 < low < 0.5 < high < 1


async def test_two_cases_of_one_id_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="more than one case of id 'x'"):
        await evaluate(suite("memory", echo(), Case(input="a", id="x"), Case(input="b", id="x")))


async def test_a_judge_is_held_against_labels(tmp_path: Path):
    verdicts = ['{"reason": "fine", "passed": true}', '{"reason": "rude", "passed": false}']
    judging = ScriptedModel([[assistant_message(text)] for text in verdicts])
    cases = [
        Case(input="a", id="a", label=True, expected=""),
        Case(input="b", id="b", label=True, expected=""),
    ]
    made = suite(str(tmp_path / "j.db"), echo("x", "y"), *cases)
    made = Suite(**{**made.__dict__, "checks": [judge("Polite.", model=judging)]})
    report = await evaluate(made, workers=1)
    assert [case.judged for case in report.cases] == [True, False]
    assert report.cases[1].checks["judge"] == "rude"
    assert report.judge_agrees == (1, 2)
    again = await evaluate(made, workers=1)
    assert again.judge_agrees == (1, 2)


async def test_a_run_becomes_a_case_in_a_file(tmp_path: Path):
    place = str(tmp_path / "j.db")
    await evaluate(suite(place, echo("a"), Case(input="q", expected="a", id="one")), id="e")
    case = await case_of_run("e.one", journal=place)
    write_cases(tmp_path / "cases.jsonl", [case, Case(input="more", id="two", tags=("x",))])
    assert read_cases(tmp_path / "cases.jsonl") == [
        Case(input="q", expected="a", id="e.one", source="e.one"),
        Case(input="more", id="two", tags=("x",)),
    ]


@pytest.mark.parametrize(
    ("line", "says"), [("{", "no JSON"), ("{}", "no input"), ('{"input":1,"x":2}', "'x'")]
)
def test_a_line_that_is_no_case_is_named(tmp_path: Path, line: str, says: str):
    (tmp_path / "c.jsonl").write_text(f'{{"input": "a"}}\n{line}\n')
    with pytest.raises(UserError, match="line 2") as error:
        read_cases(tmp_path / "c.jsonl")
    assert says in str(error.value)


def test_a_report_is_read_again(tmp_path: Path):
    report = Report(suite="s", id="i", cases=())
    report.save(tmp_path / "r.json")
    assert Report.load(tmp_path / "r.json") == report
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(ValueError, match="no report"):
        Report.load(tmp_path / "r.json")
