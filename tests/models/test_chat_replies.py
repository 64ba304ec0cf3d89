"""What the Chat Completions model makes of a plain answer."""

import openai
import pytest
from openai.types.chat import ChatCompletionMessage

from outlast import ModelSettings, OpenAIChatCompletionsModel, UserError
from outlast.core.errors import AgentsException, ModelBehaviorError, ModelReplyMalformed
from outlast.definitions.model import ModelTracing
from outlast.models.chat_converter import Converter
from outlast.models.chat_reply import usage_of_completion
from outlast.models.fake_id import FAKE_RESPONSES_ID
from outlast.testing.provider import ScriptedProvider, fault
from outlast.tracing import trace

ABOUT = {"model": "m", "response_id": "k"}


def items(**message):
    made = ChatCompletionMessage.construct(role="assistant", **message)
    found = Converter.message_to_output_items(made, provider_data=ABOUT)
    assert {item.id for item in found} <= {FAKE_RESPONSES_ID}
    return [item.model_dump(exclude_none=True, exclude={"id"}) for item in found]


def message(*parts):
    return {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": list(parts),
        "provider_data": ABOUT,
    }


def text(said, *annotations):
    return {"type": "output_text", "text": said, "annotations": list(annotations), "logprobs": []}


def call(arguments="{}", **about):
    return {
        "type": "function_call",
        "call_id": "c",
        "name": "f",
        "arguments": arguments,
        "provider_data": {**ABOUT, **about},
    }


def reasoning(summary=(), content=None, signature=None, **about):
    said = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": each} for each in summary],
        "provider_data": {**ABOUT, **about},
    }
    if content is not None:
        said["content"] = [{"type": "reasoning_text", "text": each} for each in content]
    return said | ({"encrypted_content": signature} if signature else {})


REFUSAL = {"type": "refusal", "refusal": "no"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SIGNED = {"type": "thinking", "thinking": "a", "signature": "S"}
HIDDEN = {"type": "redacted_thinking", "data": "D"}
CITED = {"url": "u", "title": "t", "start_index": 0, "end_index": 1}
MARK = {"_chat_completions_reasoning_field": "reasoning"}

ITEMS = {
    "a text": ({"content": "t"}, [message(text("t"))]),
    "a text in parts": ({"content": [{"type": "text", "text": "t"}]}, [message(text("t"))]),
    "a text and a refusal": (
        {"content": "t", "refusal": "no"},
        [message(text("t"), REFUSAL)],
    ),
    "a call alone": ({"content": None, "tool_calls": [CALL]}, [call()]),
    "a call of JSON": (
        {"tool_calls": [CALL | {"function": {"name": "f", "arguments": {"a": 1}}}]},
        [call('{"a": 1}')],
    ),
    "Gemini's signature": (
        {"tool_calls": [CALL | {"extra_content": {"google": {"thought_signature": "s"}}}]},
        [call(thought_signature="s")],
    ),
    "a custom call": ({"tool_calls": [{"id": "c", "type": "custom", "custom": {}}]}, []),
    "an empty text": ({"content": ""}, []),
    "nothing": ({"content": None, "tool_calls": None, "refusal": None}, []),
    "a summary of thoughts": (
        {"content": "t", "reasoning_content": "why"},
        [reasoning(["why"]), message(text("t"))],
    ),
    "plain thoughts": ({"reasoning": "hm"}, [reasoning(content=["hm"], **MARK)]),
    "both kinds of thoughts": (
        {"reasoning": "hm", "reasoning_content": "why"},
        [reasoning(["why"])],
    ),
    "Claude's blocks": (
        {"reasoning_content": "why", "thinking_blocks": [SIGNED, HIDDEN]},
        [reasoning(["why"], ["a"], "S", thinking_blocks=[SIGNED, HIDDEN])],
    ),
    "a citation, and one that is incomplete": (
        {
            "content": "t",
            "annotations": [
                {"type": "url_citation", "url_citation": CITED},
                {"type": "url_citation", "url_citation": {"url": "u"}},
            ],
        },
        [message(text("t", {"type": "url_citation", **CITED}))],
    ),
}


@pytest.mark.parametrize(("given", "expected"), ITEMS.values(), ids=ITEMS)
def test_a_message_becomes_items(given, expected):
    assert items(**given) == expected


BAD = {
    "a number for a text": ({"content": 42}, ModelReplyMalformed),
    "texts for parts": ({"content": ["a"]}, ModelReplyMalformed),
    "an object for the calls": ({"tool_calls": {}}, ModelReplyMalformed),
    "a null call": ({"tool_calls": [None]}, ModelReplyMalformed),
    "sound": ({"audio": {"id": "a"}}, AgentsException),
}


@pytest.mark.parametrize(("given", "error"), BAD.values(), ids=BAD)
def test_a_message_that_cannot_be_read_is_refused(given, error):
    with pytest.raises(error):
        items(**given)


def test_a_custom_call_is_refused_strictly():
    custom = ChatCompletionMessage.construct(tool_calls=[{"id": "c", "type": "custom"}])
    with pytest.raises(UserError, match="Custom tool calls"):
        Converter.message_to_output_items(custom, strict_feature_validation=True)


@pytest.mark.parametrize("count", [None, -3, float("nan"), "7", [], 10**30])
def test_a_count_that_is_none_is_no_reason_to_fail(count):
    usage = usage_of_completion({"prompt_tokens": count, "completion_tokens": 2, "total_tokens": 2})
    assert (usage.requests, usage.output_tokens) == (1, 2)
    assert usage.input_tokens in (0, 7, 2**53 - 1)


# --- Over sockets. -----------------------------------------------------------------------


async def answered(name, **options):
    async with ScriptedProvider([fault(name)]) as provider:
        http = openai.DefaultAsyncHttpxClient(verify=False)
        client = provider.client(http_client=http, max_retries=0)
        return await OpenAIChatCompletionsModel("gpt-x", client, **options).get_response(
            system_instructions=None,
            input="hi",
            model_settings=ModelSettings(preserve_raw_usage=True),
            tools=[],
            output_schema=None,
            handoffs=[],
            tracing=ModelTracing.ENABLED,
            previous_response_id=None,
            conversation_id=None,
            prompt=None,
        )


async def test_an_answer_that_is_cut_off_says_so(caplog):
    response = await answered("length_stop")
    assert response.output[-1].status == "incomplete"
    assert "finish_reason='length'" in caplog.text


async def test_an_answer_that_the_filter_took_is_a_refusal():
    with trace("t", disabled=True):
        response = await answered("content_filter")
    assert "content filter" in response.output[0].content[0].refusal


async def test_an_answer_has_no_id_that_could_be_continued():
    response = await answered("usage_missing")
    assert (response.response_id, response.usage.requests) == (None, 1)


@pytest.mark.parametrize(
    "name",
    [
        "length_empty",
        "null_choices",
        "empty_choices",
        "object_choices",
        "null_choice",
        "text_choice",
        "text_message",
        "html_200",
        "json_list",
        "trunc_json",
        "empty_200",
    ],
)
async def test_an_answer_of_the_wrong_shape_is_an_error_of_ours(name):
    with pytest.raises(ModelBehaviorError):
        await answered(name)
