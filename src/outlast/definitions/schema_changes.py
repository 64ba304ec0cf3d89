"""Arguments that were sent for an earlier schema of a tool, and what the tool would read in them now."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from outlast.definitions.schema import Arguments


def changed_argument(
    arguments: Arguments | None,
    given: dict[str, Any],
    earlier: Mapping[str, Any],
    now: Mapping[str, Any],
) -> str | None:
    """Which argument would be lost, or be another value; what validation refuses or fills in is none.

    ``arguments`` is what is known of the tool's function; None where only the schema is.
    """
    is_closed = arguments is not None and arguments.shape.double_star is None
    if is_closed or now.get("additionalProperties") is False:
        known, before = now.get("properties", {}), earlier.get("properties", {})
        lost = [name for name in given if name in before and name not in known]
        if lost:
            return lost[0]
    return None if arguments is None else _misread(arguments, given, _retyped(earlier, now))


def _retyped(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    """The parameters of both schemas whose types are not the same."""
    before, after = earlier.get("properties", {}), now.get("properties", {})
    is_same = earlier.get("$defs") == now.get("$defs")
    return {
        name
        for name in before.keys() & after.keys()
        if _type(before[name]) != _type(after[name])
        or not (is_same or "$ref" not in json.dumps(after[name], default=str))
    }


def _type(schema: object) -> Any:
    """A parameter's schema without what only tells of it."""
    if not isinstance(schema, dict):
        return schema
    fields = cast("dict[str, Any]", schema)
    return {k: v for k, v in fields.items() if k not in ("title", "description", "default")}


def _misread(arguments: Arguments, given: dict[str, Any], among: Collection[str]) -> str | None:
    """The first parameter ``among`` these for which validation would make another value of JSON.

    Dates from texts and the like are what their text says; True is not 1, and "1" is no number.
    """
    from pydantic import ValidationError

    if not any(name in given for name in among):
        return None
    try:
        values = arguments.model.model_validate(given).__dict__
    except ValidationError:
        return None  # Refused, which the model is told.
    try:
        arguments.model.model_validate_json(json.dumps(given), strict=True)
    except ValidationError as error:
        faults = [str(each["loc"][0]) for each in error.errors() if each["loc"]]
        return next(
            (name for name in faults if name in among and not _is_kept(name, given, values)), None
        )
    return None


def _is_kept(name: str, given: dict[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether a value is the same number, where the types differ."""
    both = (given.get(name), values.get(name))
    return both[0] is None or ({*map(type, both)} <= {int, float} and both[0] == both[1])
