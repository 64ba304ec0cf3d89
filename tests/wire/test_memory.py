"""How much memory an answer that is far too large takes: measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from outlast.testing.provider import ScriptedProvider

CAP = 12 * 1024 * 1024
PROGRAM = """
import asyncio, json, resource, sys
from outlast import Agent, ModelLimits, RunConfig, Runner
from outlast import OpenAIChatCompletionsModel, OpenAIResponsesModel
from openai import AsyncOpenAI

url, api, fault, streamed, cap = sys.argv[1:]
kind = OpenAIResponsesModel if api == "responses" else OpenAIChatCompletionsModel


async def ask(fault):
    client = AsyncOpenAI(api_key="k", base_url=url, max_retries=0, timeout=90)
    agent = Agent(name="a", model=kind(f"fault:{fault}", client))
    limits = ModelLimits(response_bytes=int(cap))
    config = RunConfig(journal="off", tracing_disabled=True, model_limits=limits)
    if streamed == "no":
        return (await Runner.run(agent, "hi", run_config=config)).final_output
    result = Runner.run_streamed(agent, "hi", run_config=config)
    async for _ in result.stream_events():
        pass


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def main():
    await ask("usage_missing")  # So that all that is imported has been.
    before = peak()
    try:
        await ask(fault)
        found = "answered"
    except Exception as error:
        found = type(error).__name__
    print(json.dumps([found, peak() - before]))


asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(
    ("fault", "streamed"),
    [
        ("gzip_bomb", False),
        ("gzip_bomb", True),
        ("huge_text", False),
        ("http_500_huge", False),
        ("s_huge_line", True),
        ("s_huge_total", True),
    ],
)
def test_an_answer_that_is_too_large_takes_less_than_three_times_the_limit(
    api: str, fault: str, streamed: bool
):
    with ScriptedProvider() as provider:
        command = [sys.executable, "-c", PROGRAM, provider.base_url, api, fault]
        done = subprocess.run(
            [*command, "yes" if streamed else "no", str(CAP)],
            capture_output=True, text=True, timeout=110, check=True,
        )  # fmt: skip
    found, growth = json.loads(done.stdout)
    assert found == "ModelResponseTooLarge"
    assert growth < 3 * CAP
