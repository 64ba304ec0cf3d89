"""Log lines as JSON: one object a line, with the ids of the request and of the run."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.conftest import served

from outlast import Agent
from outlast.server import App, Caller
from outlast.server.logs import LOGGERS, JsonFormatter


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
    yield stream
    for name, level in before.items():
        logging.getLogger(name).removeHandler(handler)
        logging.getLogger(name).setLevel(level)


async def test_a_request_and_its_run_are_found_by_their_ids(tmp_path: Path, lines: io.StringIO):
    app = App(
        [Agent(name="Desk", model="offline")],
        journal=str(tmp_path / "journal.db"),
        auth=lambda _: Caller("ana", "north"),
    )
    async with served(app) as client:
        headers = {"X-Request-Id": "ask-1", "Prefer": "wait=30"}
        body = {"input": "Hi", "run_id": "r"}
        assert (await client.post("/api/v1/runs", json=body, headers=headers)).status_code == 200
        await client.get("/api/v1/runs/other%0Aline", headers={"X-Request-Id": "ask-2"})
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert {row["run_id"] for row in found if row["logger"] == "outlast.runs"} == {"r"}
    first, second = (row for row in found if "route" in row)
    about = {"request_id": "ask-1", "run_id": "r", "caller": "ana", "tenant": "north"}
    assert first | about == first
    assert (first["method"], first["route"], first["code"]) == ("POST", "/api/v1/runs", 200)
    assert (second["request_id"], second["run_id"], second["code"]) == ("ask-2", "other\nline", 404)


def test_an_error_is_one_line_with_its_traceback(lines: io.StringIO):
    try:
        int("no")
    except ValueError:
        logging.getLogger("outlast").exception("It failed\nof this.")
    (row,) = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert (row["error"], row["message"]) == ("ValueError", "It failed\nof this.")
    assert "test_logs.py" in row["traceback"]
