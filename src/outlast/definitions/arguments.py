"""What a model sends as the arguments of a call: read, repaired where that is safe, or explained.

Repaired is what can mean one thing only: JSON inside a JSON text, null in place of no arguments, null
in place of a parameter's default. All else is an error that tells the model which argument was wrong,
what was expected and what kind of thing came. What it sent is never quoted: it may be a secret.
"""

from __future__ import annotations

import copy
import functools
import json
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from outlast.core.errors import ModelBehaviorError
from outlast.definitions import debug
from outlast.definitions.logger import logger
from outlast.definitions.near_json import repairs

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

T = TypeVar("T")
_MAX_FAULTS = 5
_MAX_NAME = 40
_MAX_PASSES = 4


def json_object(name: str, text: str) -> dict[str, Any]:
    """The JSON object in ``text``; no text, and null, stand for an empty one.

    Raises:
        ModelBehaviorError: It is something else.
    """
    message = f"Invalid JSON input for tool {name}"
    parsed = json_value(message, text)
    if isinstance(parsed, dict):
        return cast("dict[str, Any]", parsed)
    if parsed is None or parsed == "":
        return {}
    raise _explained(
        f"{message}: expected a JSON object", f"expected one JSON object, got {_kind(parsed)}"
    )


def json_value(message: str, text: str) -> Any:
    """The value of the JSON in ``text``; an object that is JSON inside a JSON text is that object.

    Raises:
        ModelBehaviorError: It is no JSON; the error has the ``message``.
    """
    try:
        parsed: Any = _loads(text) if text.strip() else {}
    except ValueError as error:
        if (repaired := _repaired(text)) is not None:
            return repaired
        if not debug.DONT_LOG_TOOL_DATA:
            logger.debug("%s: %s", message, text)
            raise _explained(f"{message}: {text}", _about_text(text)) from error
        logger.debug("%s", message)
    else:
        repaired = _repaired(text) if isinstance(parsed, str) and parsed else None
        return parsed if repaired is None else repaired
    # Outside the handler: the parser's error quotes the model, and must not hang on ours.
    raise _explained(message, _about_text(text))


def validated(
    message: str,
    data: object,
    validate: Callable[[Any], T],
    optional: Collection[str] = (),
) -> T:
    """What ``validate`` makes of ``data``, after repairs if it refuses that as it is.

    Args:
        message: Of the error.
        data: What the model sent.
        validate: Pydantic's.
        optional: The parameters that have a default; null stands for that where it is no value.

    Raises:
        ModelBehaviorError: It does not fit; `explanation` says where, for the model.
    """
    from pydantic import ValidationError

    first: ValidationError | None = None
    for _ in range(_MAX_PASSES):
        try:
            return validate(data)
        except ValidationError as error:
            newest = error
        first = first or newest  # What is wrong with the arguments as the model sent them.
        data = _with_repairs(data, newest.errors(include_url=False), optional)
        if data is None:
            break
    assert first is not None
    why = explanation_of(first)
    if not debug.DONT_LOG_TOOL_DATA:
        raise _explained(f"{message}: {first}", why) from first
    # Outside the handler: pydantic's error quotes the model, and must not hang on ours.
    raise _explained(message, why)


def explanation_of(error: ValidationError) -> str:
    """Which arguments do not fit, what was expected, and what kind of thing came in its place."""
    faults = error.errors(include_url=False)
    lines = list(dict.fromkeys(map(_fault, faults)))
    more = f"; and {len(lines) - _MAX_FAULTS} more" if len(lines) > _MAX_FAULTS else ""
    return "; ".join(lines[:_MAX_FAULTS]) + more


def told_fault(text: str, error: object) -> str:
    """``text``, which tells a model of a failure, with what it may know of why.

    That is what was wrong with its arguments, or what an error has in `to_model`.
    """
    why = error.explanation if isinstance(error, ModelBehaviorError) else None
    if why is not None:
        return f"{text} Invalid arguments: {why}."
    said: object = getattr(error, "to_model", None)
    return f"{text} {said}" if isinstance(said, str) and said else text


def parsed_object(text: str) -> dict[str, Any] | None:
    """The JSON object in ``text``; None if it is none, or has numbers that JSON does not."""
    try:
        parsed: Any = json.loads(text or "{}", parse_constant=_refuse_constant)
    except ValueError:
        return None
    return cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


def _loads(text: str) -> Any:
    try:
        return msgspec.json.decode(text)  # A fifth of the time.
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        # Takes more: NaN, halves of surrogate pairs, line ends inside a text.
        return json.loads(text, strict=False)


def _explained(message: str, why: str) -> ModelBehaviorError:
    error = ModelBehaviorError(message)
    error.explanation = why
    return error


# --- Repairs. --------------------------------------------------------------------------------


def _repaired(text: str) -> dict[str, Any] | None:
    for each in repairs(text):
        parsed = parsed_object(each)
        if parsed is not None:
            return parsed
    return None


_CONTAINERS = ("dict", "list", "tuple", "set", "frozenset", "model", "dataclass", "mapping")


def _with_repairs(
    data: object, faults: Sequence[ErrorDetails], optional: Collection[str]
) -> Any | None:
    """A copy of ``data`` in which each fault that can be is repaired; None if none can."""
    repaired = copy.deepcopy(data)
    count = 0
    for fault in faults:
        count += _repair(repaired, fault, optional)
    return repaired if count else None


def _repair(data: object, fault: ErrorDetails, optional: Collection[str]) -> bool:
    place = _place(data, fault["loc"])
    if place is None:
        return False
    holder, key = place
    value = holder[key]
    if value is None and holder is data and key in optional:
        del holder[key]
        return True
    if not isinstance(value, str) or not fault["type"].startswith(_CONTAINERS):
        return False
    try:
        inner = _loads(value)
    except ValueError:
        return False
    if not isinstance(inner, dict | list):
        return False
    holder[key] = inner
    return True


def _place(data: object, path: tuple[int | str, ...]) -> tuple[Any, Any] | None:
    """The last holder on a fault's path, and the key in it. Paths name types of unions, too."""
    place: tuple[Any, Any] | None = None
    value: Any = data
    for step in path:
        if _has(value, step):
            place, value = (value, step), value[step]
    return place


def _has(holder: object, step: int | str) -> bool:
    if isinstance(holder, dict):
        return step in holder
    return isinstance(holder, list) and isinstance(step, int) and step < len(cast("Any", holder))


# --- Explanations. ---------------------------------------------------------------------------


def _about_text(text: str) -> str:
    try:
        json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        return (
            f"expected one JSON object, got {len(text)} characters that are not JSON "
            f"(at character {error.pos + 1})"
        )
    except (ValueError, RecursionError):
        return f"expected one JSON object, got {len(text)} characters that are not JSON"
    return "expected one JSON object"


def _fault(fault: ErrorDetails) -> str:
    path = ".".join(_short(str(step)) for step in fault["loc"]) or "the arguments"
    if fault["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"{path}: is missing"
    if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{path}: there is no such argument"
    return f"{path}: {_expected(fault)}, got {_kind(fault['input'])}"


# Of these, pydantic's words say more than what is expected: they tell of the value.
_TELL_OF_VALUE = ("_parsing", "_type", "_invalid", "_syntax_violation", "_inexact", "_from_float")
# And of these, the words are those of the tool's author, who may have quoted anything.
_AUTHORS = ("value_error", "assertion_error")


def _expected(fault: ErrorDetails) -> str:
    if fault["type"] in _AUTHORS or fault["type"] not in _pydantics():
        return "is refused by the tool's own check"
    text = fault["msg"]
    if fault["type"].endswith(_TELL_OF_VALUE):
        text = text.partition(",")[0]
    text = text.removeprefix("Input should be ").removeprefix("Value should be ")
    return f"expected {_short(text, 200)}"


@functools.cache
def _pydantics() -> frozenset[str]:
    from pydantic_core.core_schema import ErrorType

    return frozenset(typing.get_args(ErrorType))


def _kind(value: object) -> str:
    """The kind and the size of what a model sent, without any of it."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return f"a text of {len(value)} characters"
        case list():
            return f"a list of {len(cast('list[Any]', value))}"
        case Mapping():
            return f"an object of {len(cast('Mapping[Any, Any]', value))} fields"
        case _:
            return "something else"


def _short(text: str, limit: int = _MAX_NAME) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
