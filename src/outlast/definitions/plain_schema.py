"""The JSON schema of signatures that use plain types only, without making a pydantic model.

It gives what pydantic gives, to the letter, or None where it is not sure to.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from inspect import Parameter
from typing import Any, Literal, Union

_SCALARS: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}

# Fields that pydantic warns about, because its own models have attributes of these names.
_SHADOWING = frozenset({
    "construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw",
    "schema", "schema_json", "update_forward_refs", "validate",
})  # fmt: skip


def plain_schema(name: str, parameters: Sequence[tuple[Parameter, Any]]) -> dict[str, Any] | None:
    """The schema of the arguments of function ``name``; None if one of them is not plain."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter, kind in parameters:
        schema = _property(parameter, kind)
        if schema is None:
            return None
        properties[parameter.name] = schema
        if parameter.default is Parameter.empty:
            required.append(parameter.name)
    result: dict[str, Any] = {"properties": properties}
    if required:
        result["required"] = required
    return {**result, "title": f"{name}_args", "type": "object"}


def _property(parameter: Parameter, kind: object) -> dict[str, Any] | None:
    name, default = parameter.name, parameter.default
    is_variadic = parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    if is_variadic or name.startswith(("_", "model_")) or name in _SHADOWING:
        return None
    schema = _of(kind)
    if schema is None:
        return None
    if default is not Parameter.empty:
        # Not isinstance: a str that is an enum member is written differently.
        if default is not None and type(default) not in _SCALARS:
            return None
        schema["default"] = default
    schema["title"] = name.title().replace("_", " ").strip()
    return schema


def _of(kind: object) -> dict[str, Any] | None:
    if kind is Any:
        return {}
    if isinstance(kind, type) and kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return _literal(arguments)
    if origin is list:
        items = _of(arguments[0])
        return None if items is None else {"items": items, "type": "array"}
    if origin in (Union, types.UnionType) and arguments[1:] == (types.NoneType,):
        schema = _of(arguments[0])
        return None if schema is None else {"anyOf": [schema, {"type": "null"}]}
    return None


def _literal(values: tuple[Any, ...]) -> dict[str, Any] | None:
    kinds: set[type[Any]] = {type(value) for value in values}
    if len(kinds) > 1 or not kinds <= {str, int}:
        return None
    kind = _SCALARS[kinds.pop()]
    if len(values) == 1:
        return {"const": values[0], "type": kind}
    return {"enum": list(values), "type": kind}
