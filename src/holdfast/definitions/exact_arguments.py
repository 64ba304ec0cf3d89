"""Whether a function gets exactly what the model sent, without asking anybody's code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from holdfast.core.errors import ModelBehaviorError
from holdfast.definitions.schema import Arguments

if TYPE_CHECKING:
    from pydantic import BaseModel

# Steps of pydantic's validation that only look at a value of JSON, and at nothing else.
_PLAIN_STEPS = frozenset({
    "any", "bool", "default", "dict", "float", "int", "list", "literal", "model-field", "none",
    "nullable", "str", "union",
})  # fmt: skip


def is_plain(model: type[BaseModel]) -> bool:
    """Whether validating arguments runs no code but pydantic's own, and no regular expression."""
    from pydantic_core import SchemaValidator

    if not isinstance(model.__pydantic_validator__, SchemaValidator):
        return False  # A plugin watches.
    schema: Any = model.__pydantic_core_schema__
    fields: Any = schema.get("schema", {})
    if schema.get("type") != "model" or fields.get("type") != "model-fields":
        return False
    return all(_is_plain_step(each) for each in fields["fields"].values())


def _is_plain_step(step: Any) -> bool:
    if isinstance(step, list):
        return all(_is_plain_step(each) for each in cast("list[Any]", step))
    if isinstance(step, tuple):  # A member of a union with its label.
        return _is_plain_step(step[0])
    if not isinstance(step, dict) or "type" not in step:
        return True
    inner = cast("dict[str, Any]", step)
    if inner["type"] not in _PLAIN_STEPS or "pattern" in inner:
        return False
    keys = ("schema", "items_schema", "keys_schema", "values_schema", "choices")
    return all(_is_plain_step(inner[key]) for key in keys if key in inner)


def exact_arguments(arguments: Arguments, given: dict[str, Any]) -> dict[str, Any] | None:
    """``given``, if validation leaves every value as it is and adds none; else None."""
    fields = arguments.model.model_fields
    sent = {name: field.validation_alias or field.alias or name for name, field in fields.items()}
    if set(sent.values()) != given.keys():
        return None
    try:
        values = arguments.model.model_validate(given).__dict__
        arguments.shape.arguments(values)
    except (ValueError, ModelBehaviorError):
        return None
    is_same = all(_is_same(given[str(sent[name])], values[name]) for name in fields)
    return given if is_same else None


def _is_same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        left, right = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return list(left) == list(right) and all(_is_same(left[k], right[k]) for k in left)
    if isinstance(one, list):
        ones, others = cast("list[Any]", one), cast("list[Any]", other)
        return len(ones) == len(others) and all(map(_is_same, ones, others))
    return bool(one == other)
