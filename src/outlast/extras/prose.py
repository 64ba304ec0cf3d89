"""JSON schemas without the words that only people read: what a call has to look like stays."""

from __future__ import annotations

from typing import Any

from outlast.definitions.strict_schema import is_dict, is_list

_PROSE = frozenset({"description", "title", "$comment", "examples"})
_SCHEMA = frozenset(
    {
        "additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if",
        "items", "not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
_LIST_OF_SCHEMAS = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_SCHEMAS_BY_NAME = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)


def fields(value: Any) -> dict[str, Any]:
    """The fields of a JSON object; none of anything else."""
    return value if is_dict(value) else {}


def without_prose(schema: Any) -> Any:
    """A copy of ``schema`` without titles, descriptions, comments and examples.

    Names stay, also those that read like such a word (a parameter called `title`), and so do values:
    `default`, `const`, `enum` and whatever is not known as a place for schemas.
    """
    if not is_dict(schema):
        return schema
    return {name: _value(name, value) for name, value in schema.items() if name not in _PROSE}


def _value(keyword: str, value: Any) -> Any:
    if keyword in _SCHEMAS_BY_NAME and is_dict(value):
        return {name: without_prose(each) for name, each in value.items()}
    if keyword in _LIST_OF_SCHEMAS and is_list(value):
        return [without_prose(each) for each in value]
    return without_prose(value) if keyword in _SCHEMA else value
