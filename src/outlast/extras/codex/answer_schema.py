"""The form of Codex' answer: a JSON schema, or a list of properties in its place."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypedDict

from outlast.core.errors import UserError
from outlast.definitions.strict_schema import ensure_strict_json_schema, is_dict, is_list
from outlast.extras.codex.records import is_mapping

JSON_PRIMITIVE_TYPES = {"string", "number", "integer", "boolean"}


class OutputSchemaPrimitive(TypedDict, total=False):
    """A text, a number, or yes and no."""

    type: Literal["string", "number", "integer", "boolean"]
    description: str
    enum: list[str]


class OutputSchemaArray(TypedDict, total=False):
    """A list of one kind."""

    type: Literal["array"]
    description: str
    items: OutputSchemaPrimitive


OutputSchemaField: TypeAlias = OutputSchemaPrimitive | OutputSchemaArray


class OutputSchemaPropertyDescriptor(TypedDict, total=False):
    """One property of the answer."""

    name: str
    description: str
    schema: OutputSchemaField


class OutputSchemaDescriptor(TypedDict, total=False):
    """The answer as a list of properties."""

    title: str
    description: str
    properties: list[OutputSchemaPropertyDescriptor]
    required: list[str]


def answer_schema(option: Any) -> dict[str, Any] | None:
    """The strict JSON schema that ``option`` stands for; None for None.

    Raises:
        UserError: It is neither a schema of an object nor a list of properties.
    """
    if option is None:
        return None
    if not is_mapping(option):
        raise UserError("Codex output schema must be a JSON schema or descriptor.")
    fields = dict(option)
    properties = fields.get("properties")
    if is_list(properties) and all(map(is_dict, properties)):
        return _of_descriptor(fields)
    if fields.get("type", "object") != "object":
        raise UserError('Codex output schema must be a JSON object schema with type "object".')
    return ensure_strict_json_schema(fields)


def _of_descriptor(fields: dict[str, Any]) -> dict[str, Any]:
    if not fields["properties"]:
        raise UserError("Codex output schema descriptor must include properties.")
    properties: dict[str, Any] = {}
    for each in fields["properties"]:
        name = each.get("name")
        if not isinstance(name, str) or not name:
            raise UserError("Codex output schema properties must include non-empty names.")
        if name in properties:
            raise UserError(f'Duplicate property name "{name}" in output_schema.')
        if not _is_field(each.get("schema")):
            raise UserError(f'Invalid schema for output property "{name}".')
        properties[name] = _schema(each["schema"]) | _words(each)
    required: Any = fields.get("required", [])
    if not is_list(required) or not all(isinstance(each, str) for each in required):
        raise UserError("output_schema.required must be a list of strings.")
    for name in required:
        if name not in properties:
            raise UserError(f'Required property "{name}" must also be defined in "properties".')
    title = {"title": fields["title"]} if fields.get("title") else {}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required,
        **title,
        **_words(fields),
    }


def _is_field(field: Any) -> bool:
    if not is_dict(field):
        return False
    if field.get("type") == "array":
        return _is_field(field.get("items"))
    kind = field.get("type")
    if not isinstance(kind, str) or kind not in JSON_PRIMITIVE_TYPES:
        return False
    choices = field.get("enum", [])
    return is_list(choices) and all(isinstance(each, str) for each in choices)


def _schema(field: dict[str, Any]) -> dict[str, Any]:
    if field["type"] == "array":
        return {"type": "array", "items": _schema(field["items"]), **_words(field)}
    choices = {"enum": list(field["enum"])} if "enum" in field else {}
    return {"type": field["type"], **_words(field), **choices}


def _words(field: dict[str, Any]) -> dict[str, Any]:
    return {"description": field["description"]} if field.get("description") else {}
