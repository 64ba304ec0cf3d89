"""Every fault of the provider, through `Runner.run` and `Runner.run_streamed`, over real sockets.

For each: the outcome of the table in `wire_outcomes`, which is an error of ours or an answer that is whole;
no redirect followed; no secret in what anybody gets to read; an end in time.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI
from wire_outcomes import outcomes

from outlast import (
    Agent,
    AgentsException,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
)
from outlast.definitions.limits import ModelLimits
from outlast.testing.provider import ScriptedProvider

SLOW = ("hang", "drip", "keepalive", "comments_only")
SHORT = ModelLimits(connect=2, first_byte=0.5, idle=0.5, thinking=0.5, total=1.5)
LONG = ModelLimits(connect=60, first_byte=60, idle=60, thinking=60, total=120)
SECRETS = [f"canary{number:02}secret" for number in range(20)]
BODY, KEY, PROMPT, INSTRUCTIONS, TOOL, *HEADERS = SECRETS
TEXTS = {"whole": {"hello there, world"}, "recovered": {"recovered"}, "empty": {""}}
AT_ONCE = 8


@function_tool(description_override=f"Adds. {TOOL}")
def add(a: int, b: int) -> int:
    return a + b


@function_tool
def echo(s: str) -> str:
    return s


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider(canary=BODY) as running:
        yield running


def agent_of(api: str, fault: str, client: AsyncOpenAI) -> Agent[Any]:
    kind = OpenAIResponsesModel if api == "responses" else OpenAIChatCompletionsModel
    headers = {f"x-secret-{number}": secret for number, secret in enumerate(HEADERS)}
    return Agent(
        name="desk",
        instructions=INSTRUCTIONS,
        model=kind(f"fault:{fault}", client),
        model_settings=ModelSettings(extra_headers=headers),
        tools=[add, echo],
    )


async def outcome_of(agent: Agent[Any], fault: str, *, streamed: bool) -> tuple[str, str, float]:
    """What the run led to, all that it says about it, and how long it took."""
    config = RunConfig(
        journal="off",
        tracing_disabled=True,
        tool_not_found_behavior="return_error_to_model",
        model_limits=SHORT if any(word in fault for word in SLOW) else LONG,
    )
    began = time.monotonic()
    try:
        if streamed:
            result: Any = Runner.run_streamed(agent, PROMPT, run_config=config, max_turns=4)
            async for _ in result.stream_events():
                pass
        else:
            result = await Runner.run(agent, PROMPT, run_config=config, max_turns=4)
    except AgentsException as error:
        told = f"{error} {error!r} {''.join(traceback.format_exception(error))}"
        return type(error).__name__.removeprefix("Model"), told, time.monotonic() - began
    except Exception as error:  # noqa: BLE001  # that there is none is what is tested
        return f"foreign {type(error).__name__}", "", time.monotonic() - began
    text = str(result.final_output)
    known = (word for word, texts in TEXTS.items() if text in texts)
    return next(known, "said"), "", time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_an_endpoint_that_misbehaves_leads_to_an_error_of_ours_or_a_whole_answer(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture, api: str, streamed: bool
):
    caplog.set_level(logging.DEBUG, logger="outlast")
    caplog.set_level(logging.INFO)
    expected = outcomes(api, streamed=streamed)
    assert len(expected) >= 150
    room = asyncio.Semaphore(AT_ONCE)
    # A connection of its own for each request: what one fault leaves behind is not the next one's.
    client = AsyncOpenAI(
        api_key=KEY,
        base_url=provider.base_url,
        max_retries=0,
        default_headers={"connection": "close"},
    )

    async def tried(fault: str) -> tuple[str, str, float]:
        async with room:
            return await outcome_of(agent_of(api, fault, client), fault, streamed=streamed)

    found = dict(zip(expected, await asyncio.gather(*map(tried, expected)), strict=True))
    await client.close()
    assert {name: outcome for name, (outcome, _, _) in found.items()} == expected
    told = "\n".join([caplog.text, *(text for _, text, _ in found.values())])
    assert [secret for secret in SECRETS if secret in told] == []
    assert provider.elsewhere.requests == []
    late = {name: took for name, (_, _, took) in found.items() if any(w in name for w in SLOW)}
    # The limit, a second, and room for a machine that has other things to do.
    assert {name: took for name, took in late.items() if took > SHORT.total + 1 + 5} == {}
