"""Schemas of final outputs."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from outlast.core.errors import ModelBehaviorError, UserError
from outlast.definitions import debug
from outlast.definitions.output import AgentOutputSchema


class City(BaseModel):
    name: str
    size: int = 0


def test_an_object_stands_by_itself():
    schema = AgentOutputSchema(City)
    assert schema.json_schema()["required"] == ["name", "size"]
    assert schema.validate_json('{"name": "Bonn", "size": 1}') == City(name="Bonn", size=1)


@pytest.mark.parametrize("kind", [list[int], int, Literal["a"], City | None])
def test_anything_else_is_wrapped(kind: Any):
    assert list(AgentOutputSchema(kind).json_schema()["properties"]) == ["response"]


def test_what_was_wrapped_is_unwrapped():
    schema = AgentOutputSchema(list[int])
    assert schema.validate_json('{"response": [1]}') == [1]
    with pytest.raises(ModelBehaviorError):
        schema.validate_json("[1]")


def test_strict_values_are_not_converted():
    text = '{"name": "Bonn", "size": "1"}'
    with pytest.raises(ModelBehaviorError):
        AgentOutputSchema(City).validate_json(text)
    assert AgentOutputSchema(City, strict_json_schema=False).validate_json(text).size == 1


def test_a_type_without_a_strict_schema_needs_a_lenient_one():
    with pytest.raises(UserError, match="Strict JSON schema is enabled"):
        AgentOutputSchema(dict[str, int])
    assert AgentOutputSchema(dict[str, int], strict_json_schema=False).validate_json('{"a": 1}')


def test_text_has_no_schema():
    schema = AgentOutputSchema(str)
    assert schema.is_plain_text()
    with pytest.raises(UserError):
        schema.json_schema()


def test_an_error_quotes_the_model_only_on_request(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ModelBehaviorError) as hidden:
        AgentOutputSchema(City).validate_json("SECRET")
    assert "SECRET" not in str(hidden.value)
    assert hidden.value.__context__ is None
    monkeypatch.setattr(debug, "DONT_LOG_MODEL_DATA", False)
    with pytest.raises(ModelBehaviorError, match="SECRET"):
        AgentOutputSchema(City).validate_json("SECRET")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (City, "City"),
        (list[Literal["a", "b"]], "list[Literal['a', 'b']]"),
        (dict[str, City], "dict[str, City]"),
        (City | None, "Union[City, NoneType]"),
        (tuple[int, ...], "tuple[int, ...]"),
    ],
)
def test_a_schema_is_named_after_its_type(kind: Any, name: str):
    assert AgentOutputSchema(kind, strict_json_schema=False).name() == name
