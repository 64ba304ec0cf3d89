"""Calls whose ids are missing, empty, the same or begin anew: every call is run, once, and answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from raw_wire import call, reply, streamed, wire

from outlast import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    SQLiteSession,
    ToolContext,
    function_tool,
)

PAYMENTS = [{"n": 1}, {"n": 2}]


class Desk:
    """An agent with a tool, and what the tool was called with."""

    def __init__(self, model: Any) -> None:
        self.keys: list[str] = []
        self.paid: list[int] = []

        @function_tool
        async def pay(ctx: ToolContext, n: int) -> str:
            self.keys.append(ctx.idempotency_key)
            self.paid.append(n)
            return f"paid {n}"

        self.agent = Agent(name="desk", model=model, tools=[pay])


async def ended(desk: Desk, *, streams: bool, **options: Any) -> Any:
    config = RunConfig(journal="off")
    if not streams:
        return await Runner.run(desk.agent, "pay", run_config=config, **options)
    result = Runner.run_streamed(desk.agent, "pay", run_config=config, **options)
    async for _ in result.stream_events():
        pass
    return result


def calls(*ids: Any, arguments: Any = PAYMENTS) -> dict[str, Any]:
    """A reply that calls once for each id; `...` is a call without one."""
    made = [
        call("pay", told, **({} if each is ... else {"id": each}))
        for each, told in zip(ids, arguments, strict=False)
    ]
    return reply("tool_calls", content=None, tool_calls=made)


SAME = [{"n": 1}, {"n": 1}]
# What the provider sends, turn by turn, and what the tool is to be called with.
ROWS = {
    "missing": ([calls(...)], [1]),
    "missing twice": ([calls(..., ...)], [1, 2]),
    "missing twice, the same": ([calls(..., ..., arguments=SAME)], [1, 1]),
    "empty": ([calls("", "")], [1, 2]),
    "null": ([calls(None, None)], [1, 2]),
    "one has an id": ([calls("call_0", ...)], [1, 2]),
    "the same for two": ([calls("call_0", "call_0")], [1, 2]),
    "the very same call twice": ([calls("call_0", "call_0", arguments=SAME)], [1]),
    "begins anew": ([calls("call_0"), calls("call_0", arguments=PAYMENTS[1:])], [1, 2]),
    "begins anew, the same": ([calls("call_0"), calls("call_0")], [1, 1]),
    "begins anew, two": ([calls("call_0", "call_1")] * 2, [1, 2, 1, 2]),
    "missing, turn by turn": ([calls(...), calls(...), calls(...)], [1, 1, 1]),
}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("row", ROWS)
async def test_every_call_is_run_once_and_answered_under_its_own_id(row: str, streams: bool):
    replies, paid = ROWS[row]
    bodies = [*replies, reply(content="done")]
    with wire(*(map(streamed, bodies) if streams else bodies)) as at:
        desk = Desk(OpenAIChatCompletionsModel("m", at.client()))
        result = await ended(desk, streams=streams)

    assert result.final_output == "done"
    assert sorted(desk.paid) == sorted(paid)
    assert len(set(desk.keys)) == len(paid)
    own = [item.raw_item.call_id for item in result.new_items if item.type == "tool_call_item"]
    assert len(set(own)) == len(own) == len(paid)
    check_pairs(at.asked[-1]["messages"])


def check_pairs(messages: list[dict[str, Any]]) -> None:
    """Each call is answered right after its message, under an id that no other call of it has."""
    for number, message in enumerate(messages):
        ids = [each["id"] for each in message.get("tool_calls") or ()]
        assert len(set(ids)) == len(ids)
        assert all(ids)
        answers = messages[number + 1 : number + 1 + len(ids)]
        assert [answer.get("tool_call_id") for answer in answers] == ids


@pytest.mark.parametrize("streams", [False, True])
async def test_a_provider_that_begins_anew_is_answered_under_its_own_ids(streams: bool):
    bodies = [calls("call_0"), calls("call_0", arguments=PAYMENTS[1:]), reply(content="done")]
    with wire(*(map(streamed, bodies) if streams else bodies)) as at:
        await ended(Desk(OpenAIChatCompletionsModel("m", at.client())), streams=streams)

    sent = at.asked[-1]["messages"]
    assert [m["tool_call_id"] for m in sent if m["role"] == "tool"] == ["call_0", "call_0"]


async def test_ids_differ_over_the_runs_of_a_session_and_from_run_to_run_they_do_not():
    with wire(calls(...), reply(content="done"), calls(...), reply(content="done")) as at:
        desk, session = Desk(OpenAIChatCompletionsModel("m", at.client())), SQLiteSession("s")
        for _ in range(2):
            await ended(desk, streams=False, session=session)
        kept = await session.get_items()

    ids = [item["call_id"] for item in kept if item.get("type") == "function_call"]
    assert ids == ["call_m1_0", "call_m1_0_2"]
    check_pairs(at.asked[-1]["messages"])


async def test_another_model_gets_the_ids_of_the_run():
    with wire(
        calls("call_0"), calls("call_0", arguments=PAYMENTS[1:]), reply(content="done")
    ) as at:
        desk = Desk(OpenAIChatCompletionsModel("m", at.client()))
        result = await ended(desk, streams=False)
        other = Agent(name="other", model=OpenAIChatCompletionsModel("n", at.client()))
        await Runner.run(other, result.to_input_list(), run_config=RunConfig(journal="off"))

    ids = [m["tool_call_id"] for m in at.asked[-1]["messages"] if m["role"] == "tool"]
    assert len(set(ids)) == 2


# --- Responses. --------------------------------------------------------------------------


def response(*output: dict[str, Any]) -> dict[str, Any]:
    """A finished response."""
    about = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m"}
    more = {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}
    return {**about, **more, "status": "completed", "output": list(output)}


def events(body: dict[str, Any]) -> list[str]:
    """The same as a stream."""
    told = [{"type": "response.created", "response": {**body, "output": []}}]
    for number, item in enumerate(body["output"]):
        for kind in ("added", "done"):
            kept = {"output_index": number, "item": item}
            told.append({"type": f"response.output_item.{kind}", **kept})
    told.append({"type": "response.completed", "response": body})
    lines = [{**each, "sequence_number": n} for n, each in enumerate(told)]
    return [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in lines]


def function(n: int, item_id: str | None, **told: Any) -> dict[str, Any]:
    known = {"type": "function_call", "name": "pay", "arguments": json.dumps({"n": n})}
    return {**known, "status": "completed", **({"id": item_id} if item_id else {}), **told}


SAID = {
    "type": "message", "id": "m1", "role": "assistant", "status": "completed",
    "content": [{"type": "output_text", "text": "done", "annotations": []}],
}  # fmt: skip
RESPONSES = {
    "missing": ([response(function(1, "fc1"), function(2, "fc2"))], [1, 2]),
    "empty": ([response(function(1, "fc1", call_id=""), function(2, "fc2", call_id=""))], [1, 2]),
    "the same": ([response(function(1, "a", call_id="c"), function(2, "b", call_id="c"))], [1, 2]),
    "begins anew": (
        [response(function(1, "a", call_id="c")), response(function(2, "b", call_id="c"))],
        [1, 2],
    ),
    "begins anew without ids of items": ([response(function(1, None, call_id="c"))] * 2, [1, 1]),
}


@pytest.mark.parametrize("keeps", [False, True], ids=["whole", "kept"])
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("row", RESPONSES)
async def test_the_responses_api_gets_its_own_ids_back(row: str, streams: bool, keeps: bool):
    replies, paid = RESPONSES[row]
    bodies = [*replies, response(SAID)]
    with wire(*(map(events, bodies) if streams else bodies)) as at:
        desk = Desk(OpenAIResponsesModel("m", at.client()))
        result = await ended(desk, streams=streams, auto_previous_response_id=keeps)

    assert result.final_output == "done"
    assert sorted(desk.paid) == sorted(paid)
    sent = at.asked[len(replies)]["input"]
    answers = [item["call_id"] for item in sent if item.get("type") == "function_call_output"]
    if "begins anew" in row:
        assert set(answers) == {"c"}
    assert all(answers)


async def test_arguments_of_a_call_that_was_held_back_are_streamed_whole():
    bodies = [calls("call_0", "call_0"), reply(content="done")]
    with wire(*map(streamed, bodies)) as at:
        desk = Desk(OpenAIChatCompletionsModel("m", at.client()))
        result = Runner.run_streamed(desk.agent, "pay", run_config=RunConfig(journal="off"))
        told = [e.data async for e in result.stream_events() if e.type == "raw_response_event"]

    texts: dict[int, str] = {}
    for event in told:
        if event.type == "response.function_call_arguments.delta":
            texts[event.output_index] = texts.get(event.output_index, "") + event.delta
    done = [e.item for e in told if e.type == "response.output_item.done"]
    assert [item.arguments for item in done if item.type == "function_call"] == list(texts.values())
