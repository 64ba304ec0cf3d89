"""What is translated for LiteLLM, with a stand-in for the library; the real one is in `endpoints`."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion
from openai.types.completion_usage import CompletionUsage
from openai.types.shared import Reasoning

from outlast import Agent, ModelSettings, ModelTracing, MultiProvider, Runner, function_tool
from outlast.core.errors import (
    ModelRateLimited,
    ModelRequestError,
    ModelStreamTruncated,
    ModelUnavailable,
)
from outlast.models.adapters.foreign import results_at_calls
from outlast.models.adapters.litellm import LitellmModel, LitellmProvider
from outlast.models.endpoint import asking_once


class Library(ModuleType):
    """LiteLLM's one function that is used; answers with what it was made with."""

    def __init__(self, answer):
        super().__init__("litellm")
        self.answer = answer
        self.calls = []

    async def acompletion(self, **kwargs):
        self.calls.append(kwargs)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Dropped(Exception):
    """An error of a library that is not `openai`."""

    __module__ = "litellm.exceptions"

    def __init__(self, status_code=None):
        super().__init__("the answer of the provider, and a key")
        self.status_code = status_code


@pytest.fixture
def library(monkeypatch):
    """The library, which says hello."""
    said = {"role": "assistant", "content": "hello"}
    choice = {"index": 0, "finish_reason": "stop", "message": said}
    known = {"id": "c1", "created": 0, "model": "m", "object": "chat.completion"}
    made = Library(ChatCompletion.model_validate({**known, "choices": [choice]}))
    monkeypatch.setitem(sys.modules, "litellm", made)
    return made


class Pieces:
    """A stream that LiteLLM ends with a `finish_reason`, whether the provider sent one or not."""

    def __init__(self, received_finish_reason):
        self.received_finish_reason = received_finish_reason
        self.pieces = iter([piece("he"), piece(None, "stop")])

    def __aiter__(self):
        return self

    async def __anext__(self):
        for each in self.pieces:
            return each
        raise StopAsyncIteration


def piece(text, finish_reason=None):
    delta = SimpleNamespace(content=text)
    choice = SimpleNamespace(index=0, delta=delta, finish_reason=finish_reason)
    return SimpleNamespace(id="c1", model="m", choices=[choice], usage=None)


async def streamed(agent):
    running = Runner.run_streamed(agent, "hi")
    async for _ in running.stream_events():
        pass
    return running.final_output


async def test_a_run_ends_with_what_the_library_answers(library):
    result = await Runner.run(Agent("a", model=LitellmModel("groq/x", "http://here", "key")), "hi")

    assert result.final_output == "hello"
    [call] = library.calls
    assert (call["model"], call["base_url"], call["api_key"]) == ("groq/x", "http://here", "key")
    assert call["stream"] is False
    assert "max_tokens" not in call


async def test_a_stream_that_the_provider_ended_is_the_final_output(library):
    library.answer = Pieces("stop")

    assert await streamed(Agent("a", model=LitellmModel("groq/x"))) == "he"


async def test_a_stream_that_only_the_library_ended_is_truncated(library):
    library.answer = Pieces(None)
    settings = ModelSettings(retry={"max_retries": 0})

    with pytest.raises(ModelStreamTruncated):
        await streamed(Agent("a", model=LitellmModel("groq/x"), model_settings=settings))


@pytest.mark.parametrize(("status", "kind"), [(429, ModelRateLimited), (None, ModelRequestError)])
async def test_an_error_of_the_library_is_one_of_ours_without_its_text(library, status, kind):
    library.answer = Dropped(status)
    settings = ModelSettings(retry={"max_retries": 0})
    agent = Agent("a", model=LitellmModel("groq/x"), model_settings=settings)

    with pytest.raises(kind) as failure:
        await Runner.run(agent, "hi")

    assert failure.value.status == status
    assert "key" not in str(failure.value).replace("its key", "")


@pytest.mark.parametrize(
    "settings",
    [
        ModelSettings(reasoning=Reasoning(effort="low")),
        ModelSettings(extra_body={"reasoning_effort": "low"}),
        ModelSettings(extra_args={"reasoning_effort": "low"}),
        ModelSettings(reasoning=Reasoning(effort="low"), extra_args={"reasoning_effort": "high"}),
        ModelSettings(
            extra_body={"reasoning_effort": "low"}, extra_args={"reasoning_effort": "high"}
        ),
    ],
    ids=["setting", "body", "argument", "setting wins", "body wins"],
)
async def test_the_reasoning_effort_is_sent_once(library, settings):
    await Runner.run(Agent("a", model=LitellmModel("groq/x"), model_settings=settings), "hi")

    [call] = library.calls
    assert call["reasoning_effort"] == "low"
    assert "extra_body" not in call


async def test_a_caller_who_asks_again_itself_turns_the_librarys_retries_off(library):
    settings = ModelSettings(extra_args={"num_retries": 5})
    with asking_once():
        await LitellmModel("x").get_response(
            None, "hi", settings, [], None, [], ModelTracing.DISABLED
        )

    assert (library.calls[0]["num_retries"], library.calls[0]["max_retries"]) == (0, 0)


async def test_functions_are_offered_without_a_search_for_mcp_servers(library):
    @function_tool
    def weather() -> str:
        return "rain"

    await Runner.run(Agent("a", model=LitellmModel("x"), tools=[weather]), "hi")

    assert library.calls[0]["tools"][0]["function"]["name"] == "weather"
    assert library.calls[0]["_skip_mcp_handler"] is True


def test_the_prefix_leads_to_the_library(library):
    model = MultiProvider().get_model("litellm/anthropic/claude")

    assert isinstance(model, LitellmModel)
    assert model.model == "anthropic/claude"


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "litellm", None)

    with pytest.raises(ImportError, match=r"'\.\[litellm\]'"):
        LitellmProvider().get_model("groq/x")


def test_a_result_follows_its_call_and_text_stays_with_the_first():
    calls = [{"id": name, "type": "function"} for name in ("c1", "c2")]
    said = {"role": "assistant", "content": "Both.", "thinking_blocks": [{}], "tool_calls": calls}
    results = [
        {"role": "tool", "tool_call_id": name, "content": name} for name in ("c2", "lost", "c1")
    ]

    ordered = results_at_calls([results[0], {"role": "user", "content": "hi"}, said, *results[1:]])

    assert ordered == [
        {"role": "user", "content": "hi"},
        {**said, "tool_calls": [calls[0]]},
        results[2],
        {"role": "assistant", "tool_calls": [calls[1]]},
        results[0],
        results[1],
    ]


async def test_usage_that_the_library_has_rewritten_is_not_called_raw(library):
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    library.answer = library.answer.model_copy(
        update={"usage": CompletionUsage.model_validate(usage)}
    )
    settings = ModelSettings(preserve_raw_usage=True)

    result = await Runner.run(Agent("a", model=LitellmModel("m"), model_settings=settings), "hi")

    [answer] = result.raw_responses
    assert answer.usage.total_tokens == 3
    assert answer.raw_usage is None


class Overloaded(openai.InternalServerError):
    """LiteLLM's error, which carries a request that was never made."""

    __module__ = "litellm.exceptions"

    def __init__(self):
        self.message = "the answer of the provider, and a key"
        request = httpx2.Request("POST", "https://cloud.google.com/")
        super().__init__("no", response=httpx2.Response(529, request=request), body=None)

    def __str__(self):
        return f"litellm.InternalServerError: {self.message}"


@pytest.mark.parametrize(("base_url", "host"), [("http://here:81/v1", "here:81"), (None, None)])
async def test_an_error_names_the_host_that_was_asked_or_none(library, base_url, host):
    library.answer = Overloaded()
    settings = ModelSettings(retry={"max_retries": 0})
    agent = Agent("a", model=LitellmModel("groq/x", base_url), model_settings=settings)

    with pytest.raises(ModelUnavailable) as failure:
        await Runner.run(agent, "hi")

    told = f"{failure.value} {failure.value.__cause__}"
    assert "google" not in told
    assert "a key" not in told
    assert host is None or host in told


CALLED = [
    {"role": "user", "content": "hi"},
    {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "seen"},
]


@pytest.mark.parametrize(
    ("model", "names"), [("anthropic/claude", ["look"]), ("bedrock/x", ["look"]), ("groq/x", None)]
)
async def test_calls_of_an_earlier_agent_need_no_tools_of_this_one(library, model, names):
    await Runner.run(Agent("a", model=LitellmModel(model)), CALLED)

    tools = library.calls[0].get("tools")
    assert (tools and [each["function"]["name"] for each in tools]) == names


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("gemini/gemini-3", "provider_specific_fields"),
        ("vertex_ai/gemini-3", "provider_specific_fields"),
        ("openai/gemini-3", "extra_content"),
    ],
)
async def test_a_signature_goes_where_the_library_looks_for_it(library, model, place):
    signed = {**CALLED[1], "provider_data": {"model": model, "thought_signature": "s"}}
    await Runner.run(Agent("a", model=LitellmModel(model)), [CALLED[0], signed, CALLED[2]])

    [call] = library.calls[0]["messages"][1]["tool_calls"]
    assert "s" in str(call[place])
    assert set(call) == {"id", "type", "function", place}


def test_loading_the_library_downloads_nothing(tmp_path):
    (tmp_path / "litellm.py").write_text("import os\nseen = dict(os.environ)\ntelemetry = True\n")
    lines = [
        "from outlast.models.adapters.litellm import LitellmModel",
        "LitellmModel('x')",
        "import litellm",
        "print(len([n for n in litellm.seen if n.startswith('LITELLM_LOCAL')]), litellm.telemetry)",
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    env = {**kept, "PYTHONPATH": f"{tmp_path}{os.pathsep}{kept.get('PYTHONPATH', '')}"}

    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["3", "False"]
