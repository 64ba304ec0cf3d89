"""What the model gets to see of a tool's result."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from outlast.core.errors import UserError
from outlast.definitions import tool_models as tool_output
from outlast.definitions.tool_output import FailureText, tool_output_item

PROGRAM = {"type": "program", "caller_id": "p"}


class Point(BaseModel):
    x: int


def output(value: Any, **about: Any) -> Any:
    return tool_output_item("c", value, **about)["output"]


@pytest.mark.parametrize(
    ("value", "text", "program_text"),
    [
        ("plain", "plain", "plain"),
        (None, "None", "null"),
        (1.5, "1.5", "1.5"),
        ({"a": 1}, "{'a': 1}", '{"a":1}'),
        ([], "[]", "[]"),
        (Point(x=1), "x=1", '{"x":1}'),
        ([{"type": "text", "text": "a"}, 1], "[{'type': 'text', 'text': 'a'}, 1]", None),
        ({"type": "image"}, "{'type': 'image'}", None),
    ],
)
def test_a_value_becomes_text_for_a_model_and_json_for_a_program(
    value: Any, text: str, program_text: str | None
):
    assert output(value) == text
    if program_text is not None:
        item = tool_output_item("c", value, caller=PROGRAM)
        assert (item["output"], item["caller"]) == (program_text, PROGRAM)


@pytest.mark.parametrize(
    "value", [{"type": "text", "text": "a"}, [{"type": "text", "text": "a", "extra": 1}]]
)
def test_dicts_of_parts_become_parts(value: Any):
    assert output(value) == [{"type": "input_text", "text": "a"}]


def test_models_of_parts_become_parts():
    parts = (
        tool_output.ToolOutputImage(file_id="f"),
        tool_output.ToolOutputFileContent(file_id="g"),
    )
    assert output(parts) == [
        {"type": "input_image", "file_id": "f"},
        {"type": "input_file", "file_id": "g"},
    ]


def test_a_part_has_content():
    with pytest.raises(ValidationError):
        tool_output.ToolOutputImage()
    with pytest.raises(ValidationError):
        tool_output.ToolOutputFileContent()


def test_what_a_program_cannot_read_is_refused():
    with pytest.raises(UserError):
        output(object(), caller=PROGRAM)


@pytest.mark.parametrize("value", ['{"x": 1}', {"x": "1"}, Point(x=1)])
def test_a_declared_type_is_checked_and_written_as_json(value: Any):
    adapter = TypeAdapter(Point)
    assert output(value, output_json_schema={}, output_type_adapter=adapter) == '{"x":1}'


@pytest.mark.parametrize("value", ["text", "[1]", None, [1]])
def test_a_declared_object_is_an_object(value: Any):
    with pytest.raises(UserError):
        output(value, output_json_schema={"type": "object"})
    with pytest.raises(UserError):
        output(value, output_json_schema={}, output_type_adapter=TypeAdapter(Point))


def test_a_default_excuse_is_not_held_to_what_the_tool_declares():
    excuse = FailureText("sorry", ValueError(), is_default=True)
    assert output(excuse, output_json_schema={}) == "sorry"
    assert json.loads(output(excuse, output_json_schema={}, caller=PROGRAM)) == {"error": "sorry"}
    assert type(output(excuse)) is str
