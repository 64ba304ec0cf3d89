"""An agent that is called as a tool is told its arguments as text."""

import json

import pytest

from outlast.definitions import agent_tool_input
from outlast.definitions.agent_tool_input import (
    PLAIN_INPUT_SCHEMA,
    STRUCTURED_INPUT_PREAMBLE,
    StructuredInputSchemaInfo,
    build_structured_input_schema_info,
    default_tool_input_builder,
    resolve_agent_tool_input,
)

SCHEMA = {
    "type": "object",
    "description": "Arguments.",
    "properties": {
        "mode": {"enum": ["fast", "safe"], "description": "How."},
        "many": {"enum": [1, 2, 3, 4, 5, 6]},
        "word": {"const": "ok"},
        "count": {"type": ["integer", "null"]},
    },
    "required": ["mode"],
}
FENCED = '```\n{\n  "a": 1\n}\n```'


async def test_plain_text_goes_through():
    assert await resolve_agent_tool_input(params={"input": "hi"}) == "hi"


async def test_other_arguments_are_json():
    assert json.loads(await resolve_agent_tool_input(params={"input": "hi", "to": "x"})) == {
        "input": "hi",
        "to": "x",
    }


async def test_a_builder_has_the_last_word():
    async def built(options):
        return [{"role": "user", "content": options["params"]["input"]}]

    given = await resolve_agent_tool_input(params={"input": "hi"}, input_builder=built)
    assert given == [{"role": "user", "content": "hi"}]


async def test_arguments_of_a_known_shape_are_described():
    info = StructuredInputSchemaInfo(summary="S")
    text = await resolve_agent_tool_input(params={"a": 1}, schema_info=info)
    assert text == (
        f"{STRUCTURED_INPUT_PREAMBLE}\n## Structured Input Data:\n\n{FENCED}\n\n"
        "## Input Schema Summary:\nS\n"
    )


def test_a_schema_is_shown_instead_of_its_summary():
    options = {"params": {"a": 1}, "summary": "S", "json_schema": {"a": 1}}
    text = default_tool_input_builder(options)
    assert text.endswith(f"## Input JSON Schema:\n\n{FENCED}\n")
    assert "Summary" not in text


def test_a_flat_schema_is_summarised():
    info = build_structured_input_schema_info(SCHEMA, include_json_schema=True)
    assert info.json_schema is SCHEMA
    assert info.summary.splitlines() == [
        "Description: Arguments.",
        '- mode (enum("fast" | "safe"), required) - How.',
        "- many (enum(1 | 2 | 3 | 4 | 5 | ...), optional)",
        '- word (literal("ok"), optional)',
        "- count (integer | null, optional)",
    ]


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "array"},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "object", "description": "d", "properties": {"a": {"type": "array"}}},
        {"type": "object", "description": "d", "properties": {"a": 5}},
    ],
)
def test_a_schema_that_is_not_flat_or_says_nothing_is_not_summarised(schema):
    info = build_structured_input_schema_info(schema, include_json_schema=False)
    assert info == StructuredInputSchemaInfo()


def test_the_plain_input_is_also_a_pydantic_model():
    model = agent_tool_input.AgentAsToolInput
    assert model.model_json_schema() == PLAIN_INPUT_SCHEMA
    with pytest.raises(AttributeError):
        _ = agent_tool_input.Nothing
