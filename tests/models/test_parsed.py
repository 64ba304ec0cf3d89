"""Entries of a stream are the objects that the `openai` library makes of them itself, only sooner."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from openai import AsyncOpenAI, AsyncStream
from openai._models import construct_type
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

from outlast.models.fast_events import quick
from outlast.testing import assistant_message, function_call
from outlast.testing.provider import ScriptedProvider, reasoning, refusal

REPLY = [
    reasoning("I think."),
    assistant_message("Hello there."),
    refusal("No."),
    function_call("add", {"a": 1}, call_id="call_1"),
]
ODD_EVENTS = {
    "of an unknown type": {"type": "response.never_heard_of", "delta": "a"},
    "without a type": {"delta": "a"},
    "of a type that is none": {"type": 7, "delta": "a"},
    "of a list of types": {"type": ["response.output_text.delta"], "delta": "a"},
    "with more than is known": {"type": "response.output_text.delta", "delta": "a", "new": [1]},
    "with less than is promised": {"type": "response.output_text.delta"},
    "with a number for a text": {"type": "response.output_text.delta", "delta": 7},
    "with an unknown item": {
        "type": "response.output_item.done",
        "item": {"type": "never_heard_of", "id": "x"},
        "output_index": 0,
        "sequence_number": 1,
    },
    "with a null for the response": {"type": "response.completed", "response": None},
    "that is a text": "text",
    "that is a list": [{"type": "response.output_text.delta", "delta": "a"}],
}
ODD_CHUNKS = {
    "with nothing": {},
    "with more than is known": {"id": "k", "choices": [], "usage": None, "new": {"a": 1}},
    "with a thought": {"id": "k", "choices": [{"delta": {"reasoning_content": "a"}, "index": 0}]},
    "with an unknown end": {
        "id": "k", "created": 1, "model": "m", "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "bored"}],
    },
    "with a null choice": {"id": "k", "choices": [None]},
    "with a number for a text": {"id": "k", "choices": [{"index": 0, "delta": {"content": 7}}]},
}  # fmt: skip


@functools.cache
def client(**options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(api_key="sk-test", **options)


def built(kind: Any, data: Any) -> Any:
    """What a stream of that kind makes of an entry, where it is quick."""
    stream = quick(AsyncStream(cast_to=kind, response=None, client=client()))  # type: ignore[arg-type]
    assert stream._cast_to is not kind
    return client()._process_response_data(data=data, cast_to=stream._cast_to, response=None)  # type: ignore[arg-type]


def same(one: Any, other: Any) -> bool:
    """Whether two objects have the same types all the way down, say the same, and were told it."""
    return type(one) is type(other) and repr(one) == repr(other) and told(one) == told(other)


def told(made: Any) -> Any:
    return (
        made.model_dump(exclude_unset=True, warnings=False) if hasattr(made, "model_dump") else made
    )


async def wire_entries(api: str) -> list[Any]:
    """The entries of a streamed answer as plain data."""
    async with ScriptedProvider([REPLY]) as provider:
        asker = provider.client()
        stream: Any
        if api == "chat":
            stream = await asker.chat.completions.create(model="m", messages=[], stream=True)
        else:
            stream = await asker.responses.create(model="m", input="x", stream=True)
        stream._cast_to = object
        return [entry async for entry in stream]


@pytest.mark.parametrize(
    ("api", "kind"), [("responses", ResponseStreamEvent), ("chat", ChatCompletionChunk)]
)
async def test_a_sound_entry_is_what_the_library_makes_of_it(api: str, kind: Any) -> None:
    entries = await wire_entries(api)
    assert len(entries) > len(REPLY)
    for entry in entries:
        assert same(built(kind, entry), construct_type(value=entry, type_=kind))


@pytest.mark.parametrize("data", ODD_EVENTS.values(), ids=ODD_EVENTS)
def test_an_odd_event_is_what_the_library_makes_of_it(data: Any) -> None:
    library = construct_type(value=data, type_=ResponseStreamEvent)
    assert same(built(ResponseStreamEvent, data), library)


@pytest.mark.parametrize("data", ODD_CHUNKS.values(), ids=ODD_CHUNKS)
def test_an_odd_chunk_is_what_the_library_makes_of_it(data: Any) -> None:
    assert same(
        built(ChatCompletionChunk, data), construct_type(value=data, type_=ChatCompletionChunk)
    )


def test_a_strict_client_goes_on_checking_everything() -> None:
    strict = client(_strict_response_validation=True)
    stream: Any = AsyncStream(cast_to=ChatCompletionChunk, response=None, client=strict)  # type: ignore[arg-type]
    assert quick(stream)._cast_to is ChatCompletionChunk


def test_what_is_not_the_librarys_stays_as_it_is() -> None:
    stream = iter([1])
    assert quick(stream) is stream
