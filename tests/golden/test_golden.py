"""Logs of earlier versions are read, and mean what they meant."""

from __future__ import annotations

import base64
import importlib.util
import json
import struct
from pathlib import Path
from types import ModuleType
from typing import get_args
from zlib import crc32

import pytest

from outlast.core.errors import IncompatibleRun, JournalCorrupt
from outlast.core.events import VERSION, Event, RunCompleted, StepRecorded, UnknownEvent
from outlast.core.evolve import fold
from outlast.journal.codec import Row, decode, encode
from outlast.journal.upcast import UPCASTERS

FOLDER = Path(__file__).parent


def rows(file: Path) -> list[Row]:
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [Row(*fields, base64.b64decode(body)) for *fields, body in lines]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_log", FOLDER / "write_log.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_released_version_has_a_golden_log():
    assert {file.stem for file in FOLDER.glob("v*.jsonl")} >= {
        f"v{n}" for n in range(1, VERSION + 1)
    }


def test_this_versions_log_holds_what_was_written(script: ModuleType):
    stored = decode(script.RUN, rows(FOLDER / f"v{VERSION}.jsonl"))
    assert [each.event for each in stored] == [event for part in script.APPENDS for event in part]
    assert [each.seq for each in stored] == list(range(len(stored)))


def test_every_event_stands_in_the_golden_log(script: ModuleType):
    written = {type(event) for part in script.APPENDS for event in part}
    assert written == {*get_args(Event)} - {UnknownEvent}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("v*.jsonl")), ids=lambda file: file.stem)
def test_a_golden_log_folds_and_resumes_anywhere(file: Path):
    stored = decode("golden", rows(file))
    state = fold(each.event for each in stored)
    assert state.ended == RunCompleted()
    for after in range(len(stored)):
        assert decode("golden", rows(file), after=after) == stored[after + 1 :]


# --- Upcasting, with versions that never were. ----------------------------------------------

V0 = [
    {"type": "run.begun", "who": "triage", "input": []},
    {"type": "step.recorded", "id": "t1.c", "name": "s", "result": 1, "mood": "fine"},
    {"type": "turn.over", "id": "f1", "output": "done"},
    {"type": "noise"},
]


def stored_row(body: object, version: int, length: int) -> Row:
    """A row as a version with other events would have written it."""
    data = json.dumps(body).encode()
    place = struct.pack("<5q", 0, length, 1, 5, version)
    return Row(0, length, 1, 5, version, crc32(place + b"r", crc32(data)), data)


def from_v0(event: dict) -> list[dict]:
    match event["type"]:
        case "run.begun":  # Renamed, and so is a field.
            return [{"type": "run.started", "agent": event["who"], "input": event["input"]}]
        case "turn.over":  # Split.
            produced = {"type": "output.produced", "id": event["id"], "output": event["output"]}
            return [produced, {"type": "run.completed"}]
        case "noise":  # Dropped.
            return []
        case _:
            return [event]


def test_an_old_event_is_renamed_split_or_dropped():
    stored = decode("r", [stored_row(V0, 0, 4)], upcasters={0: from_v0})
    kinds = [type(each.event).__name__ for each in stored]
    assert kinds == ["RunStarted", "StepRecorded", "OutputProduced", "RunCompleted"]
    assert [each.seq for each in stored] == [0, 1, 2, 2]
    state = fold(each.event for each in stored)
    assert state.ended == RunCompleted()


def test_what_no_version_knew_is_kept():
    stored = decode("r", [stored_row(V0, 0, 4)])
    assert stored[0].event == UnknownEvent("run.begun", V0[0])
    assert stored[1].event == StepRecorded("t1.c", "s", result=1)
    assert encode([stored[0].event]).body == json.dumps([V0[0]], separators=(",", ":")).encode()


def test_a_newer_row_is_read_as_far_as_it_can_be():
    body = [{"type": "step.recorded", "id": "t", "name": "s", "color": "red"}, {"type": "x.y"}]
    stored = decode("r", [stored_row(body, VERSION + 1, 2)])
    assert [each.event for each in stored] == [StepRecorded("t", "s"), UnknownEvent("x.y", body[1])]


def test_a_newer_form_of_an_event_asks_for_an_upgrade():
    with pytest.raises(IncompatibleRun, match=f"reads up to {VERSION}"):
        decode("r", [stored_row([{"type": "step.recorded", "id": 7}], VERSION + 1, 1)])


@pytest.mark.parametrize(
    ("body", "said"),
    [([{"type": "step.recorded", "id": 7}], "valid 'step.recorded'"), ("not a list", "valid")],
)
def test_what_is_no_event_is_corrupt(body: object, said: str):
    with pytest.raises(JournalCorrupt, match=said):
        decode("r", [stored_row(body, VERSION, 1)])


def test_upcasters_are_only_for_versions_that_were():
    assert all(0 < version < VERSION for version in UPCASTERS)
