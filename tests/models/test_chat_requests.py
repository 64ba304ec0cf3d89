"""What the Chat Completions model sends, as the server of a provider receives it."""

import asyncio

import openai
import pytest
from openai.types.shared import Reasoning
from pydantic import BaseModel

from outlast import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    Runner,
    UserError,
    WebSearchTool,
    function_tool,
    handoff,
)
from outlast.definitions.model import ModelTracing
from outlast.definitions.output import AgentOutputSchema
from outlast.models.chat import HEADERS_OVERRIDE
from outlast.models.chat_converter import Converter
from outlast.testing import assistant_message, function_call
from outlast.testing.provider import ScriptedProvider

HI = [{"role": "user", "content": "hi"}]


class Answer(BaseModel):
    value: int


@function_tool
def add(a: int) -> str:
    """Add."""
    return str(a)


ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add.",
        "parameters": add.params_json_schema,
        "strict": True,
    },
}
TRANSFER = {
    "type": "function",
    "function": {
        "name": "transfer_to_b",
        "description": "Handoff to the b agent to handle the request. ",
        "parameters": handoff(Agent(name="b")).input_json_schema,
        "strict": True,
    },
}
FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "final_output",
        "strict": True,
        "schema": AgentOutputSchema(Answer).json_schema(),
    },
}


def settings(**given):
    return {"settings": ModelSettings(**given)}


# What is asked -> what is in the body, besides the model. `official` stands for OpenAI's own address.
BODIES = {
    "a text": ({}, {"messages": HI}),
    "instructions come first": (
        {"instructions": "Be short."},
        {"messages": [{"role": "system", "content": "Be short."}, *HI]},
    ),
    "empty instructions are left out": ({"instructions": ""}, {"messages": HI}),
    "only OpenAI is asked to keep the answer": (
        {"official": True},
        {"messages": HI, "store": True},
    ),
    "OpenAI need not keep it": (
        {"official": True, **settings(store=False)},
        {"messages": HI, "store": False},
    ),
    "others are asked to keep it if wanted": (
        settings(store=True),
        {"messages": HI, "store": True},
    ),
    "a stream": ({"stream": True}, {"messages": HI, "stream": True}),
    "only OpenAI is asked what a stream cost": (
        {"stream": True, "official": True},
        {
            "messages": HI,
            "stream": True,
            "stream_options": {"include_usage": True},
            "store": True,
        },
    ),
    "others are asked what a stream cost if wanted": (
        {"stream": True, **settings(include_usage=True)},
        {"messages": HI, "stream": True, "stream_options": {"include_usage": True}},
    ),
    "figures": (
        settings(temperature=0.0, top_p=1.0, frequency_penalty=0.5, presence_penalty=0.0),
        {
            "messages": HI,
            "temperature": 0.0,
            "top_p": 1.0,
            "frequency_penalty": 0.5,
            "presence_penalty": 0.0,
        },
    ),
    "the most tokens": (settings(max_tokens=64), {"messages": HI, "max_tokens": 64}),
    "a tool": ({"tools": [add]}, {"messages": HI, "tools": [ADD]}),
    "handoffs come after tools": (
        {"tools": [add], "handoffs": [handoff(Agent(name="b"))]},
        {"messages": HI, "tools": [ADD, TRANSFER]},
    ),
    "parallel calls, with tools": (
        {"tools": [add], **settings(parallel_tool_calls=False)},
        {"messages": HI, "tools": [ADD], "parallel_tool_calls": False},
    ),
    "parallel calls, without tools": (settings(parallel_tool_calls=True), {"messages": HI}),
    "a choice by word": (
        {"tools": [add], **settings(tool_choice="required")},
        {"messages": HI, "tools": [ADD], "tool_choice": "required"},
    ),
    "a choice by name": (
        {"tools": [add], **settings(tool_choice="add")},
        {
            "messages": HI,
            "tools": [ADD],
            "tool_choice": {"type": "function", "function": {"name": "add"}},
        },
    ),
    "a name that a hosted tool has elsewhere is a function's here": (
        settings(tool_choice="web_search"),
        {
            "messages": HI,
            "tool_choice": {"type": "function", "function": {"name": "web_search"}},
        },
    ),
    "an output type": (
        {"schema": AgentOutputSchema(Answer)},
        {"messages": HI, "response_format": FORMAT},
    ),
    "plain text is no output type": ({"schema": AgentOutputSchema(str)}, {"messages": HI}),
    "the reasoning effort": (
        settings(reasoning=Reasoning(effort="low", summary="auto")),
        {"messages": HI, "reasoning_effort": "low"},
    ),
    "verbosity and metadata": (
        settings(verbosity="low", metadata={"a": "b"}),
        {"messages": HI, "verbosity": "low", "metadata": {"a": "b"}},
    ),
    "log probabilities": (
        settings(top_logprobs=0),
        {"messages": HI, "top_logprobs": 0, "logprobs": True},
    ),
    "log probabilities that are asked for twice": (
        settings(top_logprobs=2, extra_args={"logprobs": True}),
        {"messages": HI, "top_logprobs": 2, "logprobs": True},
    ),
    "the prompt cache": (
        settings(
            prompt_cache_retention="24h",
            prompt_cache_options={"mode": "explicit", "ttl": "30m"},
        ),
        {
            "messages": HI,
            "prompt_cache_retention": "24h",
            "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
        },
    ),
    "extra arguments and an extra body": (
        settings(extra_args={"seed": 7, "stop": ["END"]}, extra_body={"z": 1}),
        {"messages": HI, "seed": 7, "stop": ["END"], "z": 1},
    ),
    "what only the Responses API has is left out": (
        settings(truncation="auto", response_include=["x"]),
        {"messages": HI},
    ),
}


@pytest.mark.parametrize(("given", "expected"), BODIES.values(), ids=BODIES)
async def test_a_request_says_what_was_asked(given, expected):
    request = await sent(**given)
    assert request.body == {"model": "gpt-x", **expected}


async def sent(*, official=False, stream=False, model=None, strict=False, **asked):
    async with ScriptedProvider([[assistant_message("ok")]]) as provider:
        client = official_client(provider) if official else plain_client(provider)
        made = model or OpenAIChatCompletionsModel(
            "gpt-x", client, strict_feature_validation=strict
        )
        given = arguments(**asked)
        if stream:
            async for _ in made.stream_response(**given):
                pass
        else:
            await made.get_response(**given)
    return provider.requests[0]


def arguments(input="hi", instructions=None, tools=(), handoffs=(), schema=None, **more):
    return {
        "system_instructions": instructions,
        "input": input,
        "model_settings": more.pop("settings", ModelSettings()),
        "tools": list(tools),
        "output_schema": schema,
        "handoffs": list(handoffs),
        "tracing": ModelTracing.DISABLED,
        "previous_response_id": None,
        "conversation_id": None,
        "prompt": None,
        **more,
    }


def plain_client(provider):
    # Without certificates, which take longer to load than a request takes.
    return provider.client(http_client=openai.DefaultAsyncHttpxClient(verify=False))


def official_client(provider):
    """A client with OpenAI's own address, whose requests come to the provider nevertheless."""
    port = int(provider.base_url.rpartition(":")[2].split("/")[0])

    async def here(request):
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)

    http = openai.DefaultAsyncHttpxClient(verify=False, event_hooks={"request": [here]})
    return provider.client(base_url="https://api.openai.com/v1", http_client=http)


async def test_headers_of_the_context_win_over_those_of_the_settings():
    token = HEADERS_OVERRIDE.set({"x-b": "context"})
    try:
        request = await sent(**settings(extra_headers={"x-a": "mine", "x-b": "mine"}))
    finally:
        HEADERS_OVERRIDE.reset(token)
    assert request.headers["user-agent"].startswith("Outlast/Python ")
    assert (request.headers["x-a"], request.headers["x-b"]) == ("mine", "context")


# --- What cannot be sent is said before anything is sent. --------------------------------

VIDEO = [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "v"}}]}]
UNSENDABLE = {
    "an argument that is set twice": (
        settings(temperature=1.0, extra_args={"temperature": 0.5}),
        TypeError,
        "multiple values for keyword argument 'temperature'",
    ),
    "a hosted tool": ({"tools": [WebSearchTool()]}, UserError, "WebSearchTool"),
    "a choice of a hosted MCP tool": (
        settings(tool_choice={"server_label": "s", "name": "n"}),
        UserError,
        "MCPToolChoice",
    ),
    "a choice of programs": (
        settings(tool_choice="programmatic_tool_calling"),
        UserError,
        "Responses models",
    ),
    "a video for OpenAI, strictly": (
        {"official": True, "input": VIDEO, "strict": True},
        UserError,
        "'video_url'",
    ),
    "a prompt, strictly": (
        {"prompt": {"id": "p"}, "strict": True},
        UserError,
        "Reusable prompts",
    ),
    "a conversation, strictly": (
        {"conversation_id": "c", "strict": True},
        UserError,
        "conversation_id",
    ),
    "reasoning of the Responses API, strictly": (
        {"strict": True, **settings(reasoning=Reasoning(context="all_turns"))},
        UserError,
        "reasoning.context",
    ),
}


@pytest.mark.parametrize(("given", "error", "match"), UNSENDABLE.values(), ids=UNSENDABLE)
async def test_what_cannot_be_sent_is_refused(given, error, match):
    with pytest.raises(error, match=match):
        await sent(**given)


async def test_what_the_api_cannot_do_is_left_out_with_one_warning(caplog):
    async with ScriptedProvider([[assistant_message("ok")]] * 2) as provider:
        model = OpenAIChatCompletionsModel("gpt-x", provider.client())
        for _ in range(2):
            await model.get_response(**arguments(previous_response_id="r", prompt={"id": "p"}))
    assert [r.body for r in provider.requests] == [{"model": "gpt-x", "messages": HI}] * 2
    assert caplog.text.count("previous_response_id") == 1
    assert caplog.text.count("Reusable prompts") == 1


# --- Items as messages. ------------------------------------------------------------------

Q = {"role": "user", "content": "q"}


def text(said="t", **more):
    part = {"type": "output_text", "text": said, "annotations": []}
    return {
        "type": "message",
        "id": "m",
        "role": "assistant",
        "status": "completed",
        "content": [part],
        **more,
    }


def call(number=1, arguments="{}", **more):
    name = f"f{number}"
    return {
        "type": "function_call",
        "call_id": f"c{number}",
        "name": name,
        "arguments": arguments,
    } | more


def output(said="r", number=1):
    return {"type": "function_call_output", "call_id": f"c{number}", "output": said}


def thought(summary=(), content=(), signature=None, **about):
    return {
        "type": "reasoning",
        "id": "r",
        "summary": [{"type": "summary_text", "text": each} for each in summary],
        "content": [{"type": "reasoning_text", "text": each} for each in content],
        "encrypted_content": signature,
        "provider_data": about,
    }


def calls(*numbers, **more):
    made = [
        {"id": f"c{n}", "type": "function", "function": {"name": f"f{n}", "arguments": "{}"}}
        for n in numbers
    ]
    return {"role": "assistant", "content": None, "tool_calls": made, **more}


def tool(said="r", number=1):
    return {"role": "tool", "tool_call_id": f"c{number}", "content": said}


IMAGE = {"type": "input_image", "image_url": "u"}
TEXT = {"type": "input_text", "text": "x"}
BLOCK = {"type": "thinking", "thinking": "x", "signature": "S"}
CLAUDE = "anthropic/claude-x"
FIELD = {"_chat_completions_reasoning_field": "reasoning"}
SEARCH = {"type": "file_search_call", "id": "s", "queries": ["a"], "status": "completed"}
SEARCHED = {
    "id": "s",
    "type": "function",
    "function": {
        "name": "file_search_call",
        "arguments": '{"queries": ["a"], "status": "completed"}',
    },
}

# Items -> messages, and the options of the conversion.
MESSAGES = {
    "a turn is one message": (
        [Q, text(), call(1), call(2), output(), output(number=2)],
        [Q, calls(1, 2, content="t"), tool(), tool(number=2)],
        {},
    ),
    "a call before its text": ([call(), text(), output()], [calls(1, content="t"), tool()], {}),
    "two texts with a call between stay before the result": (
        [text("a"), call(), text("b"), output()],
        [calls(1, content="a\nb"), tool()],
        {},
    ),
    "turns stay apart": (
        [call(1), output(), call(2), output(number=2), text("end")],
        [calls(1), tool(), calls(2), tool(number=2), {"role": "assistant", "content": "end"}],
        {},
    ),
    "two texts are two messages": (
        [text("a"), text("b")],
        [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}],
        {},
    ),
    "empty arguments are an empty object": ([call(arguments="")], [calls(1)], {}),
    "an empty result": ([output("")], [tool("")], {}),
    "a result without text": ([output([IMAGE])], [tool("[tool output omitted]")], {}),
    "a result with an image": (
        [output([TEXT, IMAGE])],
        [tool([{"type": "text", "text": "x"}])],
        {},
    ),
    "a result with an image, kept": (
        [output([IMAGE])],
        [tool([{"type": "image_url", "image_url": {"url": "u", "detail": "auto"}}])],
        {"preserve_tool_output_all_content": True},
    ),
    "a refusal": (
        [text(content=[{"type": "refusal", "refusal": "no"}])],
        [{"role": "assistant", "refusal": "no"}],
        {},
    ),
    "a search is a call that is answered": (
        [SEARCH],
        [
            {"role": "assistant", "content": None, "tool_calls": [SEARCHED]},
            {"role": "tool", "tool_call_id": "s", "content": "[tool output omitted]"},
        ],
        {},
    ),
    "what a search has found": (
        [SEARCH | {"results": [{"text": "one"}, {"text": "two"}]}],
        [
            {"role": "assistant", "content": None, "tool_calls": [SEARCHED]},
            {"role": "tool", "tool_call_id": "s", "content": "one\ntwo"},
        ],
        {},
    ),
    "a developer's message keeps its text": (
        [{"role": "developer", "content": [TEXT, IMAGE]}],
        [{"role": "developer", "content": [{"type": "text", "text": "x"}]}],
        {},
    ),
    "an image of the most detail": (
        [{"role": "user", "content": [IMAGE | {"detail": "original"}]}],
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "high"}}],
            }
        ],
        {},
    ),
    "OpenAI's reasoning is dropped": (
        [thought(["s"]), text()],
        [{"role": "assistant", "content": "t"}],
        {"model": "gpt-x"},
    ),
    "DeepSeek gets its own reasoning": (
        [thought(["a", "b"], model="deepseek-r"), call()],
        [calls(1, reasoning_content="a\nb")],
        {"model": "deepseek-r"},
    ),
    "DeepSeek gets nobody else's": (
        [thought(["a"], model="claude-x"), call()],
        [calls(1)],
        {"model": "deepseek-r"},
    ),
    "plain reasoning goes to the same model": (
        [thought(content=["a"], model="m", **FIELD), text()],
        [{"role": "assistant", "content": "t", "reasoning": "a"}],
        {"model": "m"},
    ),
    "plain reasoning goes to no other": (
        [thought(content=["a"], model="m", **FIELD), text()],
        [{"role": "assistant", "content": "t"}],
        {"model": "n"},
    ),
    "Claude's blocks": (
        [thought(["s"], ["x"], "S", model=CLAUDE, thinking_blocks=[BLOCK]), call()],
        [calls(1, thinking_blocks=[BLOCK])],
        {"model": CLAUDE, "preserve_thinking_blocks": True},
    ),
    "Claude's thinking of an older history": (
        [thought(["s"], ["x"], "S", model=CLAUDE), text(), call()],
        [calls(1, content=[BLOCK, {"type": "text", "text": "t"}])],
        {"model": CLAUDE, "preserve_thinking_blocks": True},
    ),
    "reasoning ends with the user's next message": (
        [thought(["a"]), Q, call()],
        [Q, calls(1)],
        {"model": "deepseek-r"},
    ),
    "Gemini gets its signature back": (
        [call(provider_data={"model": "gemini", "thought_signature": "sig"})],
        [
            calls(
                tool_calls=[
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "f1", "arguments": "{}"},
                        "extra_content": {"google": {"thought_signature": "sig"}},
                    }
                ]
            )
        ],
        {"model": "gemini-3"},
    ),
}


@pytest.mark.parametrize(("items", "expected", "options"), MESSAGES.values(), ids=MESSAGES)
def test_items_become_messages(items, expected, options):
    assert Converter.items_to_messages(items, **options) == expected


ODD = {
    "a reference": {"type": "item_reference", "id": "x"},
    "a compaction": {"type": "compaction", "encrypted_content": "x"},
    "a computer's call": {"type": "computer_call", "call_id": "x"},
    "an unknown role": {"role": "robot", "content": "x"},
    "no item": object(),
    "a result that belongs to no call": {"type": "function_call_output", "output": "x"},
    "a file by address": {
        "role": "user",
        "content": [{"type": "input_file", "file_url": "http://x"}],
    },
    "an image by id": {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]},
    "sound without its format": {
        "role": "user",
        "content": [{"type": "input_audio", "input_audio": {"data": "d"}}],
    },
    "an unknown part": {"role": "user", "content": [{"type": "zzz", "secret": "hush"}]},
}


@pytest.mark.parametrize("item", ODD.values(), ids=ODD)
def test_an_item_without_a_message_is_refused_without_quoting_it(item):
    with pytest.raises(UserError) as caught:
        Converter.items_to_messages([item])
    assert "hush" not in str(caught.value)


def test_the_hook_decides_what_reasoning_is_sent():
    seen = []

    def hook(context):
        seen.append((context.model, context.base_url, context.reasoning.origin_model))
        return True

    messages = Converter.items_to_messages(
        [thought(["why"], model="other"), call()],
        model="m",
        base_url="http://here",
        should_replay_reasoning_content=hook,
    )
    assert messages == [calls(1, reasoning_content="why")]
    assert seen == [("m", "http://here", "other")]


# --- In a run. ---------------------------------------------------------------------------


async def test_a_run_with_a_tool_sends_the_call_and_its_result():
    steps = [[function_call("add", {"a": 2}, call_id="c1")], [assistant_message("done")]]
    async with ScriptedProvider(steps) as provider:
        agent = Agent(
            name="a", model=OpenAIChatCompletionsModel("gpt-x", provider.client()), tools=[add]
        )
        result = await Runner.run(agent, "hi")
    assert result.final_output == "done"
    assert provider.requests[1].body["messages"] == [
        *HI,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "add", "arguments": '{"a":2}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
    ]


async def test_many_requests_at_once_do_not_mix():
    async with ScriptedProvider() as provider:
        model = OpenAIChatCompletionsModel("gpt-x", provider.client())
        await asyncio.gather(*(model.get_response(**arguments(str(n))) for n in range(20)))
    said = sorted(int(r.body["messages"][0]["content"]) for r in provider.requests)
    assert said == list(range(20))
