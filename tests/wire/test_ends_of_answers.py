"""How answers end: in many words, with a mark, with nothing. What is whole is an answer, all else an error."""

from __future__ import annotations

from typing import Any

import pytest
from raw_wire import DONE, Wire, call, chunk, reply, streamed, wire

from outlast import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    RunConfig,
    Runner,
    function_tool,
)
from outlast.models.finish import end_of


@function_tool
def add(a: int, b: int) -> int:
    return a + b


async def outcome(at: Wire, *, streams: bool, **settings: Any) -> str:
    """The final output in quotes, or the class of the error."""
    model = OpenAIChatCompletionsModel("m", at.client())
    agent = Agent("desk", model=model, tools=[add], model_settings=ModelSettings(**settings))
    try:
        if not streams:
            result: Any = await Runner.run(agent, "hi", run_config=RunConfig(journal="off"))
        else:
            result = Runner.run_streamed(agent, "hi", run_config=RunConfig(journal="off"))
            async for _ in result.stream_events():
                pass
    except Exception as error:  # noqa: BLE001  # which one is what is looked at
        return type(error).__name__
    return repr(result.final_output)


CALLS = [call("add", {"a": 1, "b": 2}, id="c1")]
FAILED = "ModelAnswerFailed"
# The finish reason, what the message has, and what becomes of it.
ROWS = [
    ("stop", {"content": "ok"}, "'ok'"),
    ("stop", {"content": ""}, "''"),
    ("stop", {"content": None}, FAILED),
    ("stop", {}, FAILED),
    (None, {"content": None}, FAILED),
    ("STOP", {"content": "ok"}, "'ok'"),
    ("end_turn", {"content": "ok"}, "'ok'"),
    ("eos_token", {"content": "ok"}, "'ok'"),
    ("a word that nobody knows", {"content": "ok"}, "'ok'"),
    ("a word that nobody knows", {"content": None}, FAILED),
    ("tool_calls", {"content": "ok"}, "'ok'"),
    ("tool_calls", {"content": None}, FAILED),
    ("tool_calls", {"content": ""}, FAILED),
    ("stop", {"content": None, "tool_calls": CALLS}, "'ok'"),
    ("function_call", {"content": None, "tool_calls": CALLS}, "'ok'"),
    ("length", {"content": None}, "ModelBehaviorError"),
    ("max_tokens", {"content": None}, "ModelBehaviorError"),
    ("length", {"content": "half"}, "'half'"),
    ("content_filter", {"content": None}, "ModelRefusalError"),
    ("SAFETY", {"content": None}, "ModelRefusalError"),
    ("guardrail_intervened", {"content": ""}, "ModelRefusalError"),
    ("content_filter", {"content": "half"}, "'half'"),
    ("MALFORMED_FUNCTION_CALL", {"content": None}, FAILED),
    ("MALFORMED_FUNCTION_CALL", {"content": "I will"}, FAILED),
    ("error", {"content": None}, FAILED),
    ("error", {"content": "half"}, FAILED),
    ("error", {"content": None, "tool_calls": CALLS}, FAILED),
    ("insufficient_system_resource", {"content": "half"}, FAILED),
    ("network_error", {"content": ""}, FAILED),
    ("abort", {"content": "half"}, FAILED),
    ("stop", {"content": None, "reasoning_content": "Hm."}, "''"),
    ("stop", {"content": None, "refusal": "No."}, "ModelRefusalError"),
]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("finish", "message", "wanted"), ROWS)
async def test_an_end_says_whether_the_answer_is_one(
    finish: Any, message: dict[str, Any], wanted: str, streams: bool
):
    if streams and finish is None:
        wanted = "ModelStreamTruncated"
    body = reply(finish, **message)
    bodies = [body, reply(content="ok")] if "tool_calls" in message else [body]
    with wire(*(map(streamed, bodies) if streams else bodies)) as at:
        assert await outcome(at, streams=streams) == wanted


@pytest.mark.parametrize("streams", [False, True])
async def test_a_provider_that_gave_up_is_asked_again(streams: bool):
    bodies = [reply("MALFORMED_FUNCTION_CALL", content=None), reply(content="better")]
    with wire(*(map(streamed, bodies) if streams else bodies)) as at:
        said = await outcome(at, streams=streams, retry={"max_retries": 1})

    assert said == "'better'"


ADD = {"index": 0, **CALLS[0]}
HALF = {"index": 0, **call("add", '{"a": 1, "b"', id="c1")}
USED = 'data: {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}\n\n'
SAID = [chunk(role="assistant", content="hel"), chunk(content="lo")]
TRUNCATED = "ModelStreamTruncated"
STREAMS = {
    "the mark, and no reason": ([*SAID, DONE], "'hello'"),
    "the mark, and an empty reason": ([*SAID, chunk(""), DONE], "'hello'"),
    "the mark behind the usage": ([*SAID, USED, DONE], "'hello'"),
    "the mark in CR LF": ([*SAID, "data: [DONE]\r\n\r\n"], "'hello'"),
    "a reason, and no mark": ([*SAID, chunk("stop")], "'hello'"),
    "a reason, then the usage": ([*SAID, chunk("stop"), USED, DONE], "'hello'"),
    "the reason comes with the text": ([SAID[0], chunk("stop", content="lo"), DONE], "'hello'"),
    "a reason, then an empty one": ([*SAID, chunk("stop"), chunk(""), DONE], "'hello'"),
    "neither": (SAID, TRUNCATED),
    "neither, but the usage": ([*SAID, USED], TRUNCATED),
    "nothing but the mark": ([DONE], TRUNCATED),
    "a call and the mark": ([chunk(tool_calls=[ADD]), DONE], "'ok'"),
    "half a call and the mark": ([chunk(tool_calls=[HALF]), DONE], TRUNCATED),
    "half a call": ([chunk(tool_calls=[HALF])], TRUNCATED),
    "the mark in the text": ([chunk(content="data: [DONE]")], TRUNCATED),
}


@pytest.mark.parametrize("row", STREAMS)
async def test_a_stream_with_an_end_is_whole_and_one_without_is_cut(row: str):
    sent, wanted = STREAMS[row]
    with wire(sent, streamed(reply(content="ok"))) as at:
        assert await outcome(at, streams=True) == wanted


async def test_calls_without_index_and_id_are_as_many_as_they_are():
    pieces = [chunk(tool_calls=[call("add", {"a": n, "b": n})]) for n in range(3)]
    with wire([*pieces, chunk("tool_calls"), DONE], streamed(reply(content="ok"))) as at:
        assert await outcome(at, streams=True) == "'ok'"
        answers = [m["content"] for m in at.asked[-1]["messages"] if m["role"] == "tool"]

    assert answers == ["0", "2", "4"]


@pytest.mark.parametrize("told", [None, "", "  ", 7, []])
def test_what_is_no_word_is_no_end(told: Any):
    assert end_of(told) is None
