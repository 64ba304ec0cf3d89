"""A model without a key is one that cannot answer: the next one of a list is asked."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import Agent, FallbackModel, RunConfig, Runner, UserError
from outlast.core.events import EffectFailed, ModelReplied
from outlast.definitions.model import ModelTracing
from outlast.definitions.settings import ModelSettings
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OUTLAST_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def _scripted() -> ScriptedModel:
    return ScriptedModel([[assistant_message("from the next one")]])


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("breaker", [True, False])
async def test_the_next_model_is_asked_and_the_log_says_why(is_streamed: bool, breaker: bool):
    options: dict[str, Any] = {} if breaker else {"breaker": None}
    model = FallbackModel(["gpt-5", _scripted()], **options)
    journal = MemoryJournal()
    config = RunConfig(journal=journal, tracing_disabled=True)
    agent = Agent(name="Desk", model=model)
    if is_streamed:
        result: Any = Runner.run_streamed(agent, "hi", run_id="r", run_config=config)
        async for _ in result.stream_events():
            pass
    else:
        result = await Runner.run(agent, "hi", run_id="r", run_config=config)
    assert result.final_output == "from the next one"
    log = [each.event for each in await journal.read("r")]
    (failed,) = [each for each in log if isinstance(each, EffectFailed)]
    assert (failed.model, failed.error.kind, failed.is_model_spent) == (
        "gpt-5",
        "MissingApiKey",
        True,
    )
    assert [each.model for each in log if isinstance(each, ModelReplied)] == ["ScriptedModel"]


async def test_a_list_of_which_no_model_has_a_key_says_so():
    model = FallbackModel(["gpt-5", "gpt-4o"])
    config = RunConfig(journal=MemoryJournal(), tracing_disabled=True)
    with pytest.raises(UserError, match="There is no OpenAI API key") as caught:
        await Runner.run(Agent(name="Desk", model=model), "hi", run_config=config)
    assert any("gpt-5" in note for note in caught.value.__notes__)


async def test_a_list_that_is_asked_outside_a_run_goes_on_too():
    model = FallbackModel(["gpt-5", _scripted()])
    asked: dict[str, Any] = {
        "system_instructions": None,
        "input": "hi",
        "model_settings": ModelSettings(),
        "tools": [],
        "output_schema": None,
        "handoffs": [],
        "tracing": ModelTracing.DISABLED,
        "previous_response_id": None,
        "conversation_id": None,
        "prompt": None,
    }
    assert (await model.get_response(**asked)).output
