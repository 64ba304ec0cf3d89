"""Texts that are nearly the JSON of an output type: what is repaired, and what stays an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel

from outlast import Agent, AgentOutputSchema, RunConfig, Runner
from outlast.core.errors import ModelBehaviorError
from outlast.testing import ScriptedModel, assistant_message


class Review(BaseModel):
    text: str


GOOD = '{"text": "a"}'
REPAIRED = {
    "half a pair": ('{"text": "a\\ud83d"}', "a\ufffd"),
    "half a pair in a fence": ('```json\n{"text": "a\\ud83d"}\n```', "a\ufffd"),
    "a fence": (f"```json\n{GOOD}\n```", "a"),
    "a fence without a name": (f"```\n{GOOD}\n```", "a"),
    "a fence in one line": (f"```json {GOOD} ```", "a"),
    "a fence, and prose around it": (f"Here you are:\n\n```json\n{GOOD}\n```\nAnything else?", "a"),
    "thinking before it": (f"<think>Is it {{x}}?</think>\n{GOOD}", "a"),
    "thinking and a fence": (f"<think>Hm.</think>```json\n{GOOD}\n```", "a"),
    "JSON inside a text": (json.dumps(GOOD), "a"),
    "a byte order mark": (f"\ufeff{GOOD}", "a"),
}
REFUSED = {
    "prose": "I could not find it.",
    "prose before bare JSON": f"Here: {GOOD}",
    "two fences": f"```json\n{GOOD}\n```\nor\n```json\n{GOOD}\n```",
    "cut": '{"text": "a"',
    "cut in a fence": '```json\n{"text": "a"\n```',
    "single quotes": "{'text': 'a'}",
    "a comma too many": '{"text": "a",}',
    "two values": GOOD + GOOD,
    "the wrong type": '{"text": 3}',
    "the wrong type in a fence": '```json\n{"text": 3}\n```',
    "another name": '{"txt": "a"}',
    "nothing": "",
    "null": "null",
}


@pytest.mark.parametrize("row", REPAIRED)
async def test_what_can_mean_one_thing_is_repaired(row: str):
    said, wanted = REPAIRED[row]
    agent = Agent("a", output_type=Review, model=ScriptedModel([[assistant_message(said)]]))

    result = await Runner.run(agent, "hi", run_config=RunConfig(journal="off"))

    assert result.final_output == Review(text=wanted)


@pytest.mark.parametrize("row", REFUSED)
def test_what_would_have_to_be_guessed_is_an_error(row: str):
    with pytest.raises(ModelBehaviorError):
        AgentOutputSchema(Review).validate_json(REFUSED[row])


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_what_is_right_is_left_as_it_is(value: Any):
    schema = AgentOutputSchema(dict[str, Any], strict_json_schema=False)

    assert schema.validate_json(json.dumps({"v": value})) == {"v": value}
    fenced = f"```json\n{json.dumps({'v': value})}\n```"
    assert schema.validate_json(fenced) == {"v": value}
