"""A stored state that is damaged is an error that names the place, whatever stands there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, RunState, UserError, function_tool
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
async def test_damage_is_named(stored: dict[str, Any], place: str, value: Any):
    *above, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    held: Any = stored
    for part in above:
        held = held[part]
    if value is _GONE:
        del held[last]
    else:
        held[last] = value
    with pytest.raises(UserError, match=r"run state") as raised:
        await RunState.from_string(_agent(), json.dumps(stored))
    assert place.split(".", maxsplit=1)[0] in str(raised.value).lower()


async def test_a_call_that_the_reply_does_not_have_is_damage(stored: dict[str, Any]):
    reply = next(each for each in stored["outlast"]["events"] if each.get("calls"))
    del reply["output"][0]
    with pytest.raises(UserError, match=r"outlast\.events\[\d+\]"):
        await RunState.from_json(_agent(), stored)


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
