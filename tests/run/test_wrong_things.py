"""What is given in the wrong place, or is nearly the right thing, is refused with what to write."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    Runner,
    SQLiteSession,
    UserError,
    function_tool,
    input_guardrail,
    output_guardrail,
)
from outlast.journal import MemoryJournal
from outlast.journal.opening import open_journal
from outlast.sessions.async_sqlite import AsyncSQLiteSession
from outlast.testing import ScriptedModel, assistant_message, function_call

DONE = assistant_message("done")


def _config() -> RunConfig:
    return RunConfig(journal=MemoryJournal(), tracing_disabled=True)


@function_tool(needs_approval=True)
def cancel(order: str) -> str:
    raise NotImplementedError


@pytest.mark.parametrize("agent", ["Desk", None, Agent, cancel])
async def test_what_is_no_agent_is_refused_in_words_of_the_call(agent: Any):
    config = _config()
    with pytest.raises(UserError, match=r"Write Runner\.run\(agent"):
        await Runner.run(agent, "hi", run_config=config)
    model = ScriptedModel([[DONE]])
    await Runner.run(Agent(name="Desk", model=model), "hi", run_id="r", run_config=config)
    with pytest.raises(UserError, match=r"second.*Write Runner\.resume\(run_id, agent\)"):
        await Runner.resume("r", agent, run_config=config)


@pytest.mark.parametrize("word", ["approve", "reject"])
async def test_a_call_or_run_in_place_of_its_id_is_told_which_field_has_it(word: str):
    config = _config()
    model = ScriptedModel([[function_call("cancel", {"order": "A-1"}, call_id="c1")]])
    agent = Agent(name="Desk", tools=[cancel], model=model)
    result: Any = await Runner.run(agent, "hi", run_id="r", run_config=config)
    (item,) = result.interruptions
    decide: Callable[..., Any] = getattr(Runner, word)
    with pytest.raises(UserError, match=r"ToolApprovalItem\. Pass its \.question_id\.$"):
        await decide("r", item, run_config=config)
    with pytest.raises(UserError, match=r"RunResult\. Pass its \.run_id\.$"):
        await decide(result, item.question_id, run_config=config)
    with pytest.raises(UserError, match=r"an object of type object\.$"):
        await decide("r", object(), run_config=config)


async def _said(answer: Any) -> None:
    @output_guardrail
    def polite(ctx: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=answer)

    agent = Agent(name="Desk", output_guardrails=[polite], model=ScriptedModel([[DONE]]))
    await Runner.run(agent, "hi", run_config=_config())


@pytest.mark.parametrize("answer", ["no", "", b"no", {"bad": False}, cancel, len, object()])
async def test_a_verdict_that_is_neither_yes_nor_no_is_refused(answer: Any):
    with pytest.raises(UserError, match=r"polite.*tripwire_triggered.*True or False"):
        await _said(answer)

    @input_guardrail
    async def asked(ctx: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=answer)

    agent = Agent(name="Desk", input_guardrails=[asked], model=ScriptedModel([[DONE]]))
    with pytest.raises(UserError, match=r"asked.*tripwire_triggered.*True or False"):
        await Runner.run(agent, "hi", run_config=_config())


async def test_a_verdict_that_counts_or_finds_is_taken_as_python_takes_it():
    passing: list[Any] = [False, 0, None, [], re.search("x", "y")]
    tripping: list[Any] = [True, 2, ["x"], re.search("x", "x")]
    for passes in passing:
        await _said(passes)
    for trips in tripping:
        with pytest.raises(OutputGuardrailTripwireTriggered):
            await _said(trips)


@pytest.mark.parametrize("word", ["none", "None", "false", "0", "disabled", ":memory:"])
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_word_that_means_no_file_makes_none(
    word: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTLAST_JOURNAL", word)
    with pytest.raises(UserError, match=r"Did you mean '(off|memory)'"):
        open_journal(word if by == "argument" else None)
    assert list(tmp_path.iterdir()) == []


SESSIONS = {"sync": SQLiteSession, "async": AsyncSQLiteSession}


@pytest.mark.parametrize("kind", SESSIONS)
@pytest.mark.parametrize("wrong", ["no folder", "a folder", "no database"])
async def test_a_file_of_conversations_that_cannot_be_opened_is_named(
    kind: str, wrong: str, tmp_path: Path
):
    place = tmp_path / "no" / "a.db" if wrong == "no folder" else tmp_path
    if wrong == "no database":
        place = tmp_path / "a.txt"
        place.write_text("something else " * 99)
    with pytest.raises(UserError) as caught:
        await SESSIONS[kind]("s", place).get_items()
    assert isinstance(caught.value, sqlite3.DatabaseError)
    assert str(place) in str(caught.value)
