"""A conversation that goes on although its last run has not ended says so, and names the run."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from outlast import Agent, RunConfig, RunMetadata, Runner, SQLiteSession, function_tool
from outlast.journal import MemoryJournal, SqliteJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

CALL = function_call("pay", {}, call_id="c1")
DONE = assistant_message("done")


@function_tool(needs_approval=True)
def pay() -> str:
    return "paid"


def agent(*replies: Any) -> Agent[Any]:
    return Agent(name="desk", tools=[pay], model=ScriptedModel([[reply] for reply in replies]))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_a_run_that_waits_is_named_until_it_has_ended(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    journal = MemoryJournal() if kind == "memory" else SqliteJournal(tmp_path / "journal.db")
    session, config = SQLiteSession("ada"), RunConfig(journal=journal)
    named: dict[str, Any] = {"session": session, "run_config": config}
    await Runner.run(agent(DONE), "hi", run_id="first", **named)
    await Runner.run(agent(CALL), "pay", run_id="second", **named)
    assert not warnings_of(caplog)
    await Runner.run(agent(DONE), "hello?", run_id="third", **named)
    (line,) = warnings_of(caplog)
    for word in ("run third", "session ada", "second, is waiting", "outlast resume second"):
        assert word in line
    caplog.clear()
    await Runner.run(agent(DONE), "and now", run_id="fourth", **named)  # The last one has ended.
    await Runner.run(agent(DONE), "hi", session=SQLiteSession("bob"), run_config=config)
    await Runner.run(agent(DONE), "hi", run_config=config)
    assert not warnings_of(caplog)
    await journal.close()


DYING = """
import asyncio, os, sys
from outlast import Agent, RunConfig, Runner, SQLiteSession, function_tool
from outlast.testing import ScriptedModel, function_call

@function_tool
def die() -> str:
    os._exit(1)

agent = Agent(name="desk", tools=[die], model=ScriptedModel([[function_call("die", {}, call_id="c1")]]))
run = Runner.run(agent, "hi", run_id="lost", session=SQLiteSession("ada", "talks.db"), run_config=RunConfig(journal="j.db"))
asyncio.run(run)
"""


async def test_a_run_whose_process_died_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    died = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", DYING], cwd=tmp_path, check=False, timeout=60
    )
    assert died.returncode == 1
    session, config = SQLiteSession("ada", tmp_path / "talks.db"), tmp_path / "j.db"
    run_config = RunConfig(journal=str(config))
    await Runner.run(agent(DONE), "hi", run_id="next", session=session, run_config=run_config)
    assert any("lost, is interrupted" in line for line in warnings_of(caplog))


async def test_a_run_is_of_its_session_unless_somebody_says_otherwise():
    journal = MemoryJournal()
    said = RunMetadata(session_id="talk-7", user="ada")
    for metadata in (None, RunMetadata(user="ada"), said):
        config = RunConfig(journal=journal, metadata=metadata)
        await Runner.run(agent(DONE), "hi", session=SQLiteSession("talk"), run_config=config)
    found = [run.metadata for run in await journal.runs()]
    assert found == [
        said,
        RunMetadata(session_id="talk", user="ada"),
        RunMetadata(session_id="talk"),
    ]


async def test_a_turn_that_was_cancelled_before_anything_was_done_leaves_no_words_alone():
    session, config = SQLiteSession("ada"), RunConfig(journal=MemoryJournal())
    said = [assistant_message("one moment"), function_call("look", {}, call_id="c1")]
    model = ScriptedModel([said, [DONE]])

    @function_tool
    def look() -> str:
        return "seen"

    desk = Agent(name="desk", tools=[look], model=model)
    stream = Runner.run_streamed(desk, "hi", session=session, run_config=config)
    async for event in stream.stream_events():
        if event.type == "run_item_stream_event" and event.name == "message_output_created":
            stream.cancel()
    assert stream.new_items == []
    assert len(await session.get_items()) == 1
    result = await Runner.run(desk, stream.to_state(), session=session, run_config=config)
    assert [item.type for item in result.new_items] == [
        "message_output_item", "tool_call_item", "tool_call_output_item", "message_output_item",
    ]  # fmt: skip
