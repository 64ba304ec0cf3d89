"""The strict subset: what is closed, what is written out, what is refused."""

import copy
from typing import Any

import pytest

from outlast.core.errors import UserError
from outlast.definitions.strict_schema import ensure_strict_json_schema, resolve_ref

CITY = {"type": "object", "properties": {"name": {"type": "string"}}}
STRICT_CITY = {**CITY, "additionalProperties": False, "required": ["name"]}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "$defs": {"City": CITY}, "properties": properties}


def strict_property(schema: dict[str, Any]) -> Any:
    return ensure_strict_json_schema(of(x=schema))["properties"]["x"]


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "string", "default": None}, {"type": "string"}),
        ({"type": "string", "default": ""}, {"type": "string", "default": ""}),
        ({"$ref": "#/$defs/City"}, {"$ref": "#/$defs/City"}),
        ({"$ref": "#/$defs/City", "default": None}, {"$ref": "#/$defs/City"}),
        ({"$ref": "#/$defs/City", "title": "T"}, {**STRICT_CITY, "title": "T"}),
        ({"allOf": [{"$ref": "#/$defs/City"}], "title": "T"}, {**STRICT_CITY, "title": "T"}),
        ({"oneOf": [CITY, {"type": "null"}]}, {"anyOf": [STRICT_CITY, {"type": "null"}]}),
        ({"type": "array", "items": CITY}, {"type": "array", "items": STRICT_CITY}),
        ({"properties": {}}, {"type": "object", "properties": {}, "additionalProperties": False, "required": []}),
        ({"type": "string", "properties": {}}, {"type": "string", "properties": {}}),
        ({"type": ["object", "null"], **{k: v for k, v in CITY.items() if k != "type"}}, {**STRICT_CITY, "type": ["object", "null"]}),
    ],
)  # fmt: skip
def test_a_property_gets_its_strict_form(schema: dict[str, Any], strict: dict[str, Any]):
    assert strict_property(schema) == strict


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": True},
        {"additionalProperties": {}},
        {"$ref": "#/$defs/City", "minProperties": 1},
        {"$ref": "#/$defs/Nowhere", "title": "T"},
        {"properties": {"a": {}}, "allOf": [{"$ref": "#/$defs/City"}]},
        {"additionalProperties": False, "allOf": [{"$ref": "#/$defs/City"}]},
        {"$id": "other", "$ref": "#/$defs/City"},
    ],
)
def test_a_property_without_a_strict_form_is_refused(schema: dict[str, Any]):
    with pytest.raises(UserError):
        strict_property(schema)


@pytest.mark.parametrize(
    "root", [{"anyOf": [CITY]}, {"oneOf": [CITY]}, {**CITY, "type": ["object", "null"]}]
)
def test_the_root_is_one_object(root: dict[str, Any]):
    with pytest.raises(UserError, match="root"):
        ensure_strict_json_schema(root)


def test_the_given_schema_stays_as_it_was():
    given = of(x={"oneOf": [CITY], "default": None})
    before = copy.deepcopy(given)
    ensure_strict_json_schema(given)
    assert given == before


def test_a_small_schema_cannot_become_a_huge_one():
    levels = {
        f"L{n}": {
            "properties": {side: {"$ref": f"#/$defs/L{n + 1}", "title": "t"} for side in "ab"}
        }
        for n in range(40)
    }
    ladder = {
        "$defs": {**levels, "L40": CITY},
        "properties": {"x": {"$ref": "#/$defs/L0", "title": "t"}},
    }
    with pytest.raises(UserError, match="too large"):
        ensure_strict_json_schema(ladder)


def test_a_recursive_reference_that_has_to_be_written_out_is_refused():
    node = {"properties": {"next": {"$ref": "#/$defs/Node", "title": "t"}}}
    with pytest.raises(UserError, match="too deeply nested"):
        ensure_strict_json_schema({"$defs": {"Node": node}, "$ref": "#/$defs/Node", "title": "t"})


def test_an_open_object_is_refused_on_request():
    with pytest.raises(UserError, match="permits undeclared properties"):
        ensure_strict_json_schema({"type": "object"}, _reject_open_objects=True)


def test_a_reference_is_decoded_like_a_uri_and_a_pointer():
    assert resolve_ref(root={"a/b c": CITY}, ref="#/a~1b%20c") == CITY


def test_a_reference_out_of_the_schema_is_no_reference():
    with pytest.raises(ValueError, match="starts with #/"):
        resolve_ref(root={}, ref="https://example.test")
