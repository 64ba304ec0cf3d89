"""The how-to on logs lists each line that there is, as it is written, and its example prints what it says."""

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    EffectFailed,
    Event,
    RunAbandoned,
    RunAcquired,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunParked,
    RunReopened,
    RunStarted,
    RunUnparked,
    ToolReturned,
)
from outlast.core.records import ErrorFacts
from outlast.engine.report import log_left_behind, log_recovery, report

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "read-the-logs.md").read_text()
DOWN = ErrorFacts("ModelUnavailable", "the provider is down")
BROKEN = ErrorFacts("ConnectionError", "the text of a user")
CALL = {"type": "function_call", "call_id": "c1", "name": "refund", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": ""}
ENDED = 1_796_025_600.0  # 2026-11-30 08:00 UTC

EVENTS: list[tuple[str, Event]] = [
    ("order-17", RunStarted("Desk", [])),
    ("order-17/c1", RunStarted("Clerk", [], parent="order-17")),
    ("order-17", RunCompleted()),
    ("order-17", RunFailed(DOWN)),
    ("order-17", RunFailed(ErrorFacts("InputGuardrailTripwireTriggered", ""))),
    ("order-17", RunCancelled(by="ada")),
    ("order-17", RunAbandoned("finish")),
    ("order-17", RunAbandoned("leave")),
    ("order-17", EffectFailed("m1", DOWN, retry_at=ENDED, model="gpt-5", wait_s=2.0)),
    ("order-17", RunParked("p1", "m1", until=ENDED, wait_s=30.0)),
    ("order-17", RunUnparked()),
    ("order-17", ToolReturned("t1", "c1", OUTPUT, "error", "refund", error=BROKEN)),
    ("order-17", ToolReturned("t1", "c1", OUTPUT, "unknown", "refund")),
    ("order-17", ApprovalRequested("a1", call_id="c1", agent="Desk", name="refund", item=CALL)),
    ("order-17", ApprovalDecided(call_id="c1", approved=True, by="ada")),
    ("order-17", ApprovalDecided(call_id="c1", approved=False)),
    ("order-17", RunAcquired("pid 4711")),
    ("order-17", RunReopened()),
]


class IncompatibleRun(Exception):
    """Bears the name that the page has."""


def lines_of(records):
    return {(record.levelname, record.getMessage()) for record in records}


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.DEBUG, "outlast")
    return caplog


def test_the_page_lists_every_line_as_it_is_written(logged):
    for run_id, event in EVENTS:
        report(run_id, [event])
    log_recovery("order-17")
    log_recovery("order-17", IncompatibleRun())
    log_left_behind("order-18", "ada", "order-17", "waiting")
    listed = re.findall(r"^\| (INFO|WARNING) \| `(.*?)` \|", PAGE, re.MULTILINE)
    assert set(listed) == lines_of(logged.records)
    assert len(listed) == len(EVENTS) + 3


def test_every_record_names_its_run_and_the_event(logged):
    for run_id, event in EVENTS:
        report(run_id, [event])
    tags = {str(each.__struct_config__.tag) for each in get_args(Event)}
    assert [record.run_id for record in logged.records] == [run_id for run_id, _ in EVENTS]
    assert {record.event for record in logged.records} <= tags


def test_no_line_holds_what_an_error_says_or_drives_a_terminal(logged):
    for run_id, event in EVENTS:
        report(f"{run_id}\x1b[2J", [event])
    text = "\n".join(record.getMessage() for record in logged.records)
    assert BROKEN.message not in text
    assert DOWN.message not in text
    assert text.replace("\n", "").isprintable()


def test_events_that_are_every_days_are_no_lines(logged):
    report("r", [ToolReturned("t1", "c1", OUTPUT, "ok", "refund"), EffectFailed("m1", DOWN)])
    assert logged.records == []


def test_the_example_prints_what_the_page_says(tmp_path):
    program, output = re.search(
        r"```python\n(.*?)```.*?```text\n(.*?)```", PAGE, re.DOTALL
    ).groups()
    (tmp_path / "guide.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "guide.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == output
