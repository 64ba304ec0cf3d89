"""What is translated for any-llm, with a stand-in for a provider; the real one is in `endpoints`."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from outlast import Agent, ModelSettings, MultiProvider, Runner
from outlast.core.errors import ModelRequestError, ModelStreamTruncated, UserError
from outlast.models.adapters.any_llm import AnyLLMModel


class Provider:
    """A provider of any-llm's that only has Chat Completions."""

    SUPPORTS_RESPONSES = False

    def __init__(self, answer):
        self.answer = answer
        self.calls = []

    async def acompletion(self, **kwargs):
        self.calls.append(kwargs)
        return self.answer


def completion(**message):
    told = {"role": "assistant", "content": "hello", **message}
    choice = {"index": 0, "finish_reason": "stop", "message": told}
    known = {"id": "c1", "created": 0, "model": "m", "object": "chat.completion"}
    return ChatCompletion.model_validate({**known, "choices": [choice]})


@pytest.fixture
def provider(monkeypatch):
    """The provider that the library makes."""
    made = Provider(completion())
    library = ModuleType("any_llm")
    library.AnyLLM = type("AnyLLM", (), {"create": lambda *_, **__: made})
    monkeypatch.setitem(sys.modules, "any_llm", library)
    return made


@pytest.mark.parametrize("as_class", [completion, lambda: completion().model_dump()])
async def test_a_run_ends_with_what_the_provider_answers(provider, as_class):
    provider.answer = as_class()

    result = await Runner.run(Agent("a", model=AnyLLMModel("mistral/small")), "hi")

    assert result.final_output == "hello"
    [call] = provider.calls
    assert call["model"] == "small"
    assert call["reasoning_effort"] is None  # Its own default would send one.


@pytest.mark.parametrize(
    "thought", [{"reasoning": {"content": "hm"}}, {"reasoning": "hm"}, {"thinking": "hm"}]
)
async def test_reasoning_is_kept_in_whatever_field_it_comes(provider, thought):
    provider.answer = completion(**thought)

    result = await Runner.run(Agent("a", model=AnyLLMModel("mistral/small")), "hi")

    [reasoning] = [item for item in result.new_items if item.type == "reasoning_item"]
    assert reasoning.raw_item.content[0].text == "hm"


async def test_a_stream_without_its_end_is_truncated(provider):
    async def pieces():
        from openai.types.chat import ChatCompletionChunk

        known = {"id": "c1", "created": 0, "model": "m", "object": "chat.completion.chunk"}
        delta = {"index": 0, "delta": {"content": "he"}}
        yield ChatCompletionChunk.model_validate({**known, "choices": [delta]})

    provider.answer = pieces()
    settings = ModelSettings(retry={"max_retries": 0})
    running = Runner.run_streamed(
        Agent("a", model=AnyLLMModel("mistral/small"), model_settings=settings), "hi"
    )

    with pytest.raises(ModelStreamTruncated):
        async for _ in running.stream_events():
            pass


async def test_the_responses_api_is_refused_where_the_provider_has_none(provider):
    agent = Agent("a", model=AnyLLMModel("mistral/small", api="responses"))

    with pytest.raises(UserError, match="does not support the Responses API"):
        await Runner.run(agent, "hi")


async def test_a_provider_that_cannot_be_made_is_an_error_of_ours(monkeypatch):
    class MissingApiKeyError(Exception):
        __module__ = "any_llm.exceptions"

    def create(*_, **__):
        raise MissingApiKeyError

    library = ModuleType("any_llm")
    library.AnyLLM = type("AnyLLM", (), {"create": create})
    monkeypatch.setitem(sys.modules, "any_llm", library)

    with pytest.raises(ModelRequestError, match="MissingApiKeyError"):
        await Runner.run(Agent("a", model=AnyLLMModel("mistral/small")), "hi")


def test_the_prefix_leads_to_the_library():
    model = MultiProvider().get_model("any-llm/mistral/small")

    assert isinstance(model, AnyLLMModel)
    assert model.model == "mistral/small"


async def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "any_llm", None)

    with pytest.raises(ImportError, match=r"'\.\[any-llm\]'"):
        await AnyLLMModel("mistral/small").get_response(
            None, "hi", ModelSettings(), [], None, [], None
        )


async def test_a_library_without_a_class_of_requests_is_asked_the_public_way(provider):
    asked = []

    async def aresponses(**kwargs):
        asked.append(kwargs)
        part = {"type": "output_text", "text": "hello", "annotations": []}
        said = {"id": "m1", "role": "assistant", "status": "completed", "type": "message"}
        known = {"id": "r1", "created_at": 0, "model": "m", "object": "response"}
        more = {"parallel_tool_calls": False, "tool_choice": "auto", "tools": []}
        return Response.model_validate({**known, **more, "output": [{**said, "content": [part]}]})

    provider.SUPPORTS_RESPONSES, provider.aresponses = True, aresponses

    result = await Runner.run(Agent("a", model=AnyLLMModel("mistral/small")), "hi")

    assert result.final_output == "hello"
    [call] = asked
    assert call["input_data"] == [{"content": "hi", "role": "user"}]
