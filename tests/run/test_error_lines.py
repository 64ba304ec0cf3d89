"""What a program prints that dies of the commonest mistakes: a dozen lines, the last says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outlast import Agent, ModelAuthError, OpenAIResponsesModel, Runner, UserError, function_tool
from outlast.testing import ScriptedModel, function_call
from outlast.testing.provider import ScriptedProvider, StatusError

pytestmark = pytest.mark.slow
PROGRAMS = {
    "sync": """
from outlast import Agent, ModelSettings, Runner

agent = Agent(name="A", model={model!r}, model_settings=ModelSettings(retry={{"max_retries": 0}}))
result = Runner.run_sync(agent, "hi")
""",
    "async": """
import asyncio
from outlast import Agent, ModelSettings, Runner

agent = Agent(name="A", model={model!r}, model_settings=ModelSettings(retry={{"max_retries": 0}}))

async def main():
    await Runner.run(agent, "hi")

asyncio.run(main())
""",
    "streamed": """
import asyncio
from outlast import Agent, ModelSettings, Runner

agent = Agent(name="A", model={model!r}, model_settings=ModelSettings(retry={{"max_retries": 0}}))

async def main():
    result = Runner.run_streamed(agent, "hi")
    async for _ in result.stream_events():
        pass

asyncio.run(main())
""",
}
ENDPOINTS = {"refused": "http://127.0.0.1:9/v1", "no network": "http://nowhere.invalid/v1"}
# The model, the endpoint, the key, and what the last line says.
ROWS = {
    "missing key": ("gpt-5", "", "", "MissingApiKey: There is no OpenAI API key."),
    "missing key, offlin": ("offlin", "", "", "Did you mean 'offline'?"),
    "wrong key": ("gpt-5", "401", "x", "Check the API key"),
    "connection refused": ("gpt-5", "refused", "x", "Connection refused"),
    "no network": ("gpt-5", "no network", "x", "the host's name cannot be resolved"),
    "wrong model": ("gpt-4oo", "404", "x", "Did you mean 'gpt-4o'?"),
    "unknown prefix": ("anthropic/claude", "", "x", "Did you mean 'litellm/anthropic/claude'?"),
    "prefix with a typo": ("opena/gpt-5", "", "x", "Did you mean 'openai/gpt-5'?"),
}


@pytest.fixture(scope="module")
def endpoints() -> Iterator[dict[str, str]]:
    errors = [StatusError(status, "No.") for status in (401, 404)]
    unknown, missing = ([error] * len(PROGRAMS) for error in errors)
    with ScriptedProvider(unknown) as first, ScriptedProvider(missing) as second:
        yield {**ENDPOINTS, "401": first.base_url, "404": second.base_url, "": ""}


@pytest.mark.parametrize("how", PROGRAMS)
@pytest.mark.parametrize("row", ROWS)
def test_a_program_that_dies_of_it_prints_a_dozen_lines(
    row: str, how: str, endpoints: dict[str, str], tmp_path: Path
):
    model, endpoint, key, wanted = ROWS[row]
    program = tmp_path / "program.py"
    program.write_text(PROGRAMS[how].format(model=model))
    told = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": endpoints[endpoint], "OUTLAST_JOURNAL": "off"}
    kept = {k: v for k, v in os.environ.items() if k not in told and k != "OUTLAST_OFFLINE"}
    env = {**kept, **{k: v for k, v in told.items() if v}}

    done = subprocess.run(
        [sys.executable, str(program)], env=env, capture_output=True, text=True, check=False
    )

    lines = done.stderr.splitlines()
    assert wanted in lines[-1]
    assert len(lines) - lines_of_asyncio(lines) <= 12
    assert sum("/outlast/" in line for line in lines) <= 1


def lines_of_asyncio(lines: list[str]) -> int:
    """How many lines are about the loop that the program itself has begun."""
    count, is_its = 0, False
    for line in lines:
        if line.startswith("  File "):
            is_its = "/asyncio/" in line
        elif not line.startswith("    "):
            is_its = False
        count += is_its
    return count


def test_what_the_provider_has_answered_can_still_be_read():
    with ScriptedProvider([StatusError(401, "No such key.")]) as provider:
        agent = Agent(name="A", model=OpenAIResponsesModel("gpt-5", provider.client()))
        with pytest.raises(ModelAuthError) as failure:
            Runner.run_sync(agent, "hi")

    cause: Any = failure.value.__cause__
    assert cause.body["message"] == "No such key."


def test_the_lines_of_a_tool_of_the_program_are_shown():
    @function_tool(failure_error_function=None)
    def broken() -> str:
        raise UserError("Mine.")

    agent = Agent(
        name="A", model=ScriptedModel([[function_call("broken", {}, call_id="c")]]), tools=[broken]
    )
    with pytest.raises(UserError) as failure:
        Runner.run_sync(agent, "hi")

    assert 'raise UserError("Mine.")' in "".join(traceback.format_exception(failure.value))
