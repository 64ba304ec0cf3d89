"""Ways in which providers in the wild misbehave: each works, or fails with an error that says what it is.

A row names the provider in which it was seen, what the endpoint sends, and what becomes of the run.
"""

from __future__ import annotations

import json
import re
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
from outlast.models.chat_messages import Conversion


@function_tool
def add(a: int, b: int) -> int:
    return a + b


@function_tool
def now() -> str:
    return "noon"


async def outcome(at: Wire, *, streams: bool) -> str:
    """The final output in quotes, or the class of the error."""
    agent = Agent(
        "desk",
        model=OpenAIChatCompletionsModel("m", at.client()),
        tools=[add, now],
        model_settings=ModelSettings(retry={"max_retries": 0}),
    )
    config = RunConfig(journal="off")
    try:
        if not streams:
            return repr((await Runner.run(agent, "hi", run_config=config)).final_output)
        result = Runner.run_streamed(agent, "hi", run_config=config)
        async for _ in result.stream_events():
            pass
    except Exception as error:  # noqa: BLE001  # which one is what is looked at
        return type(error).__name__
    return repr(result.final_output)


def called(*calls: dict[str, Any], finish: str = "tool_calls", **more: Any) -> dict[str, Any]:
    return reply(finish, **{"content": None, "tool_calls": list(calls), **more})


GOOD = {"a": 1, "b": 2}
ADD = call("add", GOOD, id="c1")
# Plain answers, each sent as a stream, too.
ANSWERS: dict[str, tuple[dict[str, Any], str]] = {
    "ollama: arguments as an object": (
        called({"id": "c1", "type": "function", "function": {"name": "add", "arguments": GOOD}}), "3"),
    "vllm: no type": (called({"id": "c1", "function": ADD["function"]}), "3"),
    "llama.cpp: finish stop with calls": (called(ADD, finish="stop"), "3"),
    "qwen: no arguments for a tool without any": (called(call("now", "", id="c1")), "noon"),
    "groq: null arguments for a tool without any": (called(call("now", "null", id="c1")), "noon"),
    "mistral: content in parts": (reply(content=[{"type": "thinking", "thinking": [
        {"type": "text", "text": "Hm."}]}, {"type": "text", "text": "ok"}]), "'ok'"),
    "together: an empty list of calls": (reply(content="ok", tool_calls=[]), "'ok'"),
    "deepseek: a text beside the calls": (called(ADD, content="I add."), "3"),
    "azure: fields of its content filter": (
        reply(content="ok", content_filter_results={"hate": {"filtered": False}}), "'ok'"),
    "openrouter: a reasoning that is null": (reply(content="ok", reasoning=None), "'ok'"),
    "sglang: a call and null content, reason in capitals": (called(ADD, finish="TOOL_CALLS"), "3"),
    "bedrock: the end of a turn in its own word": (reply("end_turn", content="ok"), "'ok'"),
    "gemini: it has called what it should not": (
        reply("UNEXPECTED_TOOL_CALL", content=None), "ModelAnswerFailed"),
    "deepseek: it has run out of machines": (
        reply("insufficient_system_resource", content="half"), "ModelAnswerFailed"),
}  # fmt: skip


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("row", ANSWERS)
async def test_an_answer_of_their_own_kind(row: str, streams: bool):
    body, wanted = ANSWERS[row]
    bodies = [body, reply(content="done")]
    with wire(*(map(streamed, bodies) if streams else bodies)) as at:
        got = await outcome(at, streams=streams)

    if wanted.startswith(("'", "Model")):
        assert got == wanted
    else:
        answers = [m["content"] for m in at.asked[-1]["messages"] if m["role"] == "tool"]
        assert (got, answers) == ("'done'", [wanted])


def error(code: Any, **more: Any) -> dict[str, Any]:
    return {"error": {"message": "No.", "code": code, **more}}


# What stands in the place of an answer, with status 200.
ERRORS: dict[str, tuple[dict[str, Any], str]] = {
    "openrouter: asked too often": (error(429), "ModelRateLimited"),
    "openrouter: the provider is down": (error(502), "ModelUnavailable"),
    "openrouter: the code is a text": (error("503"), "ModelUnavailable"),
    "openrouter: no credit": (error(402), "ModelRequestError"),
    "a gateway: the key": (error(401), "ModelAuthError"),
    "a gateway: a code that is no status": (error("overloaded"), "ModelAnswerFailed"),
    "openrouter: choices beside it": ({**error(502), "choices": []}, "ModelUnavailable"),
}


@pytest.mark.parametrize("row", ERRORS)
async def test_an_error_of_status_200_is_what_it_says(row: str):
    body, wanted = ERRORS[row]
    with wire(body) as at:
        assert await outcome(at, streams=False) == wanted


def piece(**more: Any) -> dict[str, Any]:
    return {"index": 0, "type": "function", **more}


def told(value: Any) -> str:
    return f"data: {json.dumps(value)}\n\n"


CUT = call("add", '{"a": 1,', id="c1")
STREAMS: dict[str, tuple[list[str], str]] = {
    "vllm: an id in the first piece, a new one in each": (
        [chunk(tool_calls=[{"index": 0, **CUT}]),
         chunk(tool_calls=[piece(id="c2", function={"arguments": ' "b": 2}'})])], "3"),
    "ollama: index 0 for each call": (
        [chunk(tool_calls=[{"index": 0, **ADD}]),
         chunk(tool_calls=[{"index": 0, **call("now", "{}", id="c2")}])], "3|noon"),
    "gemini: no index at all": (
        [chunk(tool_calls=[ADD]), chunk(tool_calls=[call("now", "{}", id="c2")])], "3|noon"),
    "gemini: all calls in one piece, without index": (
        [chunk(tool_calls=[ADD, call("now", "{}", id="c2")])], "3|noon"),
    "qwen: an empty name in later pieces": (
        [chunk(tool_calls=[{"index": 0, **CUT}]),
         chunk(tool_calls=[piece(id="", function={"name": "", "arguments": ' "b": 2}'})])], "3"),
    "groq: a null name in later pieces": (
        [chunk(tool_calls=[{"index": 0, **CUT}]),
         chunk(tool_calls=[piece(id=None, function={"name": None, "arguments": ' "b": 2}'})])], "3"),
    "sglang: arguments that are null first": (
        [chunk(tool_calls=[piece(id="c1", function={"name": "add", "arguments": None})]),
         chunk(tool_calls=[piece(function={"arguments": json.dumps(GOOD)})])], "3"),
    "azure: a first chunk without choices": (
        [told({"id": "", "choices": [], "prompt_filter_results": []}),
         chunk(tool_calls=[{"index": 0, **ADD}])], "3"),
    "llama.cpp: calls count from one": (
        [chunk(tool_calls=[{"index": 1, **ADD}])], "3"),
}  # fmt: skip


@pytest.mark.parametrize("row", STREAMS)
async def test_a_stream_of_their_own_kind(row: str):
    pieces, wanted = STREAMS[row]
    with wire([*pieces, chunk("tool_calls"), DONE], streamed(reply(content="done"))) as at:
        assert await outcome(at, streams=True) == "'done'"
        answers = [m["content"] for m in at.asked[-1]["messages"] if m["role"] == "tool"]

    assert answers == wanted.split("|")


LONG = "call_" + "x" * 60
# The model, and what it is sent of an id that another provider has made.
IDS = {
    "mistral-large": r"[a-zA-Z0-9]{9}",
    "mistralai/devstral-small": r"[a-zA-Z0-9]{9}",
    "claude-sonnet": r"[a-zA-Z0-9_-]{1,64}",
    "gpt-4o": r".{1,40}",
}


@pytest.mark.parametrize("call_id", ["call_0", LONG, "functions.add:0", "abc:def/ghi", "ä 1"])
@pytest.mark.parametrize("model", IDS)
def test_an_id_of_another_provider_is_one_that_this_one_takes(model: str, call_id: str):
    items = [
        {"type": "function_call", "call_id": each, "name": "add", "arguments": "{}"}
        for each in (call_id, f"{call_id}2")
    ]
    outputs = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "x"}
        for item in items
    ]
    made = Conversion(model=model, is_official=model == "gpt-4o", translates=True)

    message, *answers = made.of([*items, *outputs])

    ids = [each["id"] for each in message["tool_calls"]]
    assert [each["tool_call_id"] for each in answers] == ids
    assert len(set(ids)) == 2
    assert all(re.fullmatch(IDS[model], each) for each in ids)
