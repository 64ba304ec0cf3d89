"""Whether arguments fit a tool's JSON Schema, for those of which no model is told what was wrong.

Only what a schema says plainly is looked at: names, kinds, choices, bounds. What else it says (patterns,
conditions) passes here, and is the tool's own to check. No value is ever quoted: it may be a secret.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, cast

_DEEPEST = 40
"""Deeper than this nothing is looked at: a schema may refer to itself."""
_MOST = 5

Schema = dict[str, Any]


def misfits(schema: object, arguments: Schema) -> list[str]:
    """What keeps ``arguments`` from being a tool's, the worst few; nothing if they fit.

    Args:
        schema: Of the tool's parameters.
        arguments: What the tool is to be called with.
    """
    if not isinstance(schema, dict):
        return []
    root = cast("Schema", schema)
    known: Any = root.get("properties")
    found: list[str] = []
    if isinstance(known, dict) and "additionalProperties" not in root:
        # A schema that says nothing of other names lets them pass; a person who writes one has mistyped.
        root = {**root, "additionalProperties": bool(root.get("patternProperties"))}
    for fault in _faults(root, arguments, _Place(root)):
        found.append(fault)
        if len(found) == _MOST:
            break
    return found


def taken_by(schema: object) -> str:
    """The names of the arguments that a tool takes, as a text."""
    known: Any = cast("Schema", schema).get("properties") if isinstance(schema, dict) else None
    return ", ".join(cast("Schema", known)) if isinstance(known, dict) and known else "none"


class _Place:
    """Where in the arguments a check has come, and the schema that references lead into."""

    def __init__(self, root: Schema, path: str = "", depth: int = 0) -> None:
        self.root = root
        self.path = path
        self.depth = depth

    def at(self, step: str) -> _Place:
        return _Place(self.root, f"{self.path}.{step}" if self.path else step, self.depth + 1)

    def fault(self, text: str) -> str:
        return f"{self.path or 'the arguments'}: {text}"

    def resolved(self, schema: Any) -> Any:
        reference: Any = cast("Schema", schema).get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str):
            return cast("Any", schema)
        found: Schema = self.root
        for step in reference.removeprefix("#").split("/")[1:]:
            inner: Any = found.get(step.replace("~1", "/").replace("~0", "~"))
            found = cast("Schema", inner) if isinstance(inner, dict) else {}
        return found if reference.startswith("#") else {}


def _faults(given: Any, value: Any, place: _Place) -> Iterator[str]:
    schema = place.resolved(given)
    if not isinstance(schema, dict) or place.depth > _DEEPEST:
        return
    rules = cast("Schema", schema)
    if (wrong := _wrong_kind(rules, value)) is not None:
        yield place.fault(wrong)
        return
    yield from _union_faults(rules, value, place)
    yield from map(place.fault, _out_of_bounds(rules, value))
    if isinstance(value, dict):
        yield from _object_faults(rules, cast("Schema", value), place)
    if isinstance(value, list) and "items" in rules:
        for index, each in enumerate(cast("list[Any]", value)):
            yield from _faults(rules["items"], each, place.at(str(index)))


def _union_faults(schema: Schema, value: Any, place: _Place) -> Iterator[str]:
    deeper = _Place(place.root, place.path, place.depth + 1)
    for each in schema.get("allOf") or ():
        yield from _faults(each, value, deeper)
    for word in ("anyOf", "oneOf"):
        branches = schema.get(word) or ()
        if branches and all(any(_faults(each, value, deeper)) for each in branches):
            kinds = [_named_kind(place.resolved(each)) for each in branches]
            yield place.fault(f"expected {' or '.join(dict.fromkeys(kinds))}, got {_kind(value)}")


def _named_kind(schema: Any) -> str:
    known: Any = cast("Schema", schema).get("type") if isinstance(schema, dict) else None
    return known if isinstance(known, str) else "one of several"


def _object_faults(schema: Schema, value: Schema, place: _Place) -> Iterator[str]:
    known: Any = schema.get("properties") or {}
    others: Any = schema.get("additionalProperties", True)
    for name, each in value.items():
        if name in known:
            if not (each is None and _is_optional(schema, name, place)):
                yield from _faults(known[name], each, place.at(name))
        elif others is False:
            yield place.at(name[:40]).fault("there is no such argument")
        elif isinstance(others, dict):
            yield from _faults(others, each, place.at(name[:40]))
    required: Any = schema.get("required") or ()
    for name in required:
        if name not in value and not _is_optional(schema, name, place):
            yield place.at(str(name)).fault("is missing")


def _is_optional(schema: Schema, name: str, place: _Place) -> bool:
    """Whether a tool does without an argument: a strict schema requires even those with a default."""
    if name not in (schema.get("required") or ()):
        return True
    known: Any = schema.get("properties") or {}
    rules = place.resolved(known.get(name))
    if not isinstance(rules, dict):
        return False
    return "default" in rules or not any(_faults(rules, None, place.at(name)))


_KINDS: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": int | float,
    "null": type(None),
}  # fmt: skip


def _wrong_kind(schema: Schema, value: Any) -> str | None:
    said: Any = schema.get("type")
    kinds: list[str] = [said] if isinstance(said, str) else list(said or ())
    if kinds and not any(_is_of(kind, value) for kind in kinds):
        return f"expected {' or '.join(kinds)}, got {_kind(value)}"
    choices: Any = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if choices is not None and value not in choices:
        return f"expected one of: {', '.join(map(repr, choices))[:200]}"
    return None


def _is_of(kind: str, value: Any) -> bool:
    if kind not in _KINDS:
        return True
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _KINDS[kind])


def _kind(value: Any) -> str:
    return next((kind for kind in _KINDS if _is_of(kind, value)), "something else")


_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (operator.ge, "{} or more"),
    "maximum": (operator.le, "at most {}"),
    "exclusiveMinimum": (operator.gt, "above {}"),
    "exclusiveMaximum": (operator.lt, "below {}"),
}
_SIZES: dict[str, tuple[type[Any], Callable[[Any, Any], bool], str]] = {
    "minLength": (str, operator.ge, "{} characters or more"),
    "maxLength": (str, operator.le, "at most {} characters"),
    "minItems": (list, operator.ge, "{} entries or more"),
    "maxItems": (list, operator.le, "at most {} entries"),
}


def _out_of_bounds(schema: Schema, value: Any) -> Iterator[str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        for word, (fits, text) in _BOUNDS.items():
            bound: Any = schema.get(word)
            if isinstance(bound, int | float) and not fits(value, bound):
                yield f"must be {text.format(bound)}"
    for word, (kind, fits, text) in _SIZES.items():
        size: Any = schema.get(word)
        if not isinstance(value, kind) or not isinstance(size, int):
            continue
        if not fits(len(cast("str | list[Any]", value)), size):
            yield f"must have {text.format(size)}"
