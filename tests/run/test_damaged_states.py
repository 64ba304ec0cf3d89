"""A stored state that is damaged is an error that names the place, whatever stands there."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from outlast import Agent, RunConfig, RunContextWrapper, Runner, RunState, UserError, function_tool
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


@function_tool(needs_approval=True)
def cancel_order() -> str:
    return "cancelled"


def _agent(*steps: Any) -> Agent[Any]:
    return Agent(name="A", tools=[cancel_order], model=ScriptedModel(list(steps)))


@pytest.fixture
async def stored() -> dict[str, Any]:
    calls = [function_call("cancel_order", {}, call_id=name) for name in ("1", "2")]
    config = RunConfig(journal=MemoryJournal())
    state = (await Runner.run(_agent(calls), "hi", run_config=config)).to_state()
    state.approve(state.get_interruptions()[0])
    return json.loads(state.to_string())


@pytest.fixture
def unsealed(stored: dict[str, Any]) -> dict[str, Any]:
    """As an older version stored it."""
    del stored["outlast"]["checksums"]
    return stored


_GONE = object()
_DAMAGES: list[tuple[str, Any]] = [
    ("outlast", _GONE),
    ("outlast.run_id", True),
    ("outlast.run_id", ""),
    ("outlast.texts", 5),
    ("outlast.events", [None]),
    ("outlast.events", 5),
    ("outlast.events.0", _GONE),
    ("outlast.events.0.input.0", 5),
    ("outlast.events.1.type", "of.tomorrow"),
    ("outlast.decisions", 1.5),
    ("outlast.decisions", [{}]),
    ("context", 5),
    ("context.context_meta", 5),
    ("context.usage", _GONE),
    ("context.usage", 1.5),
    ("context.usage.requests", [None]),
    ("context.usage.total_tokens", {}),
]


@pytest.mark.parametrize(("place", "value"), _DAMAGES)
async def test_damage_is_named(unsealed: dict[str, Any], place: str, value: Any):
    *above, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    held: Any = unsealed
    for part in above:
        held = held[part]
    if value is _GONE:
        del held[last]
    else:
        held[last] = value
    with pytest.raises(UserError, match=r"run state") as raised:
        await RunState.from_string(_agent(), json.dumps(unsealed))
    assert place.split(".", maxsplit=1)[0] in str(raised.value).lower()


async def test_a_call_that_the_reply_does_not_have_is_damage(unsealed: dict[str, Any]):
    reply = next(each for each in unsealed["outlast"]["events"] if each.get("calls"))
    del reply["output"][0]
    with pytest.raises(UserError, match=r"outlast\.events\[\d+\]"):
        await RunState.from_json(_agent(), unsealed)


@pytest.mark.parametrize("text", ["", "{", "\ud800", "[" * 100_000, 5, None])
async def test_what_is_no_json_is_said_to_be_none(text: Any):
    with pytest.raises(UserError, match="Failed to parse run state JSON"):
        await RunState.from_string(_agent(), text)


async def test_a_sound_state_goes_on(stored: dict[str, Any]):
    state = await RunState.from_json(_agent([assistant_message("done")]), stored)
    state.approve(state.get_interruptions()[-1])
    agent = _agent([assistant_message("done")])
    result = await Runner.run(agent, state, run_config=RunConfig(journal=MemoryJournal()))
    assert result.final_output == "done"


READER = _agent()


async def read(text: str) -> RunState[Any]:
    return await RunState.from_string(READER, text)


async def test_a_flipped_bit_is_never_another_fact(stored: dict[str, Any]):
    text = json.dumps(stored).encode()
    sound = (await read(text.decode())).to_json()
    random_, wrong = random.Random(1), 0
    for _ in range(1500):
        place, bit = random_.randrange(len(text)), random_.randrange(8)
        flipped = bytearray(text)
        flipped[place] ^= 1 << bit
        try:
            state = await read(flipped.decode("utf-8", "surrogateescape"))
        except UserError:
            continue
        wrong += state.to_json() != sound  # What is only there to be looked at is made anew.
    assert wrong == 0


async def test_a_store_may_write_the_same_values_in_other_words(stored: dict[str, Any]):
    text = json.dumps(stored, indent=2, sort_keys=True).replace(".0,", ",").replace(".0}", "}")
    assert (await read(text)).to_json() == (await RunState.from_json(READER, stored)).to_json()


@pytest.mark.parametrize("place", ["pending_input", "context.usage", "context.context", "outlast"])
async def test_a_change_is_named_and_can_be_owned(stored: dict[str, Any], place: str):
    *above, last = place.split(".")
    held: Any = stored
    for part in above:
        held = held[part]
    if place == "outlast":
        held["outlast"]["events"][0]["input"][0]["content"] = "bye"
    else:
        held[last] = {"pending_input": [], "usage": {"requests": 9}, "context": {"a": 1}}[last]
        stored["outlast"]["checksums"][place] = "0"
    with pytest.raises(UserError, match=f"damaged: '{place}' does not match its checksum"):
        await RunState.from_json(_agent(), stored)
    del stored["outlast"]["checksums"][place]
    assert await RunState.from_json(_agent(), stored)


async def test_a_state_of_an_older_version_has_no_checksums(unsealed: dict[str, Any]):
    assert (await RunState.from_json(_agent(), unsealed)).get_interruptions()


async def test_a_state_that_has_not_begun_is_sealed_too():
    document = RunState(RunContextWrapper({"a": 1.0}), "hi", _agent(), max_turns=3).to_json()
    assert (await RunState.from_json(_agent(), document)).to_json() == document
    document["original_input"] = "bye"
    with pytest.raises(UserError, match="'original_input' does not match"):
        await RunState.from_json(_agent(), document)
