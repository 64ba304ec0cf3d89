"""Recordings on disk: a test of a run, and a cassette of a model."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from outlast import Agent, RunConfig, Runner, UserError
from outlast.models.secrets import SECRET, without_secrets
from outlast.replay import assert_replays, export_pytest
from outlast.testing import RecordingModel, ScriptedModel, assistant_message

PROGRAM = """
from outlast import Agent
agent = Agent(name="a", instructions={instructions!r}, model="none")
"""


async def recorded_greeting(place: str) -> None:
    agent = Agent(
        name="a", instructions="Greet.", model=ScriptedModel([[assistant_message("hello")]])
    )
    config = RunConfig(journal=place)
    await Runner.run(agent, "hi sk-proj-abcdefghijklmnop1234", run_id="greet-1", run_config=config)


@pytest.mark.parametrize(("instructions", "status"), [("Greet.", 0), ("Insult.", 1)])
async def test_an_exported_test_passes_until_the_program_changes(
    tmp_path: Path, instructions: str, status: int
):
    place = str(tmp_path / "j.db")
    await recorded_greeting(place)
    test = await export_pytest("greet-1", tmp_path / "tests", "desk:agent", journal=place)
    (tmp_path / "tests" / "desk.py").write_text(PROGRAM.format(instructions=instructions))
    assert "sk-proj" not in (tmp_path / "tests" / "greet_1.jsonl").read_text()
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path / "tests",
    )  # fmt: skip
    assert ran.returncode == status, ran.stdout
    if status:
        assert "-Greet." in ran.stdout
        assert "+Insult." in ran.stdout


async def test_a_recording_is_replayed_in_a_test(tmp_path: Path, recorded: str, desk: Desk):
    await export_pytest("order-1", tmp_path / "t", "desk:agent", journal=recorded)
    file = tmp_path / "t" / "order_1.jsonl"
    done = await asyncio.to_thread(assert_replays, file, desk.agent())
    assert done.output == "refunded"


def agent(model: Any) -> Agent[Any]:
    return Agent(name="a", instructions="Answer.", model=model)


OFF = RunConfig(journal="off")


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_cassette_asks_the_model_once(tmp_path: Path, is_streamed: bool):
    path = tmp_path / "cassette.jsonl"

    async def ask(model: RecordingModel) -> Any:
        if not is_streamed:
            return (await Runner.run(agent(model), "hi", run_config=OFF)).final_output
        result = Runner.run_streamed(agent(model), "hi", run_config=OFF)
        async for _ in result.stream_events():
            pass
        return result.final_output

    real = ScriptedModel([[assistant_message("hello")]])
    assert await ask(RecordingModel(real, path)) == "hello"
    assert await ask(RecordingModel(real, path)) == "hello"
    assert await ask(RecordingModel(None, path)) == "hello"
    real.assert_complete()


async def test_the_same_question_twice_has_its_two_answers(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    real = ScriptedModel([[assistant_message("one")], [assistant_message("two")]])
    for behind in (real, None):
        model = RecordingModel(behind, path)
        said = [(await Runner.run(agent(model), "hi", run_config=OFF)).final_output for _ in "ab"]
        assert said == ["one", "two"]


async def test_what_is_not_recorded_is_an_error_that_says_so(tmp_path: Path):
    model = RecordingModel(None, tmp_path / "none.jsonl")
    with pytest.raises(UserError, match="has no answer to this request"):
        await Runner.run(agent(model), "hi", run_config=OFF)


async def test_a_cassette_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "very-private-value")
    path = tmp_path / "cassette.jsonl"
    said = "sk-proj-abcdefghijklmnop1234 and very-private-value"
    real = ScriptedModel([[assistant_message(said)]])
    await Runner.run(agent(RecordingModel(real, path)), said, run_config=OFF)
    text = path.read_text()
    assert "sk-proj" not in text
    assert "very-private-value" not in text
    assert path.stat().st_mode & 0o77 == 0
    played = await Runner.run(agent(RecordingModel(None, path)), said, run_config=OFF)
    assert played.final_output == f"{SECRET} and {SECRET}"


@pytest.mark.parametrize(
    "text",
    [
        "sk-ant-api03-abcdefghijklmnopqrst", "ghp_abcdefghijklmnopqrstuvwx", "AKIAABCDEFGHIJKLMNOP",
        "Authorization: Bearer abcdefghijklmnop", "xoxb-1234567890-abcdef",
    ],
)  # fmt: skip
def test_forms_of_keys_are_known(text: str):
    assert SECRET in without_secrets(text)


def test_plain_words_stay():
    text = "The bearer of this note asks for a token of good will, and a skeleton key."
    assert without_secrets(text) == text


@pytest.mark.parametrize("line", ['{"request": "a", "out', "[]", '{"request": "a"}'])
def test_a_cassette_that_was_cut_short_is_an_error_that_names_the_line(tmp_path: Path, line: str):
    path = tmp_path / "cassette.jsonl"
    path.write_text(line)
    with pytest.raises(UserError, match="line 1 is no recorded call"):
        RecordingModel(None, path)
