"""From a JSON schema to the strict subset that a provider can enforce.

In that subset every object lists all of its properties as required and allows no others. A
schema that means something else is refused, never bent: what the model may send is what the
author of the schema allowed. One thing is loosened: a tuple's order and a set's uniqueness, which
providers cannot enforce, are words to the model and a check of what it sends (`provider_subset.py`).

References stay as they are unless something stands beside them; then the target is written in
their place, because providers want a reference to stand alone. That can blow up a small schema,
so depth and size of the walk are bounded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard, cast
from urllib.parse import unquote

from outlast.core.errors import UserError, WrongType, WrongValue
from outlast.definitions.provider_subset import in_subset, without_notes

Schema = dict[str, Any]

_MAX_SCHEMA_DEPTH = 100
_MAX_SCHEMA_NODES = 20_000

# Keywords that decide which values are valid. Everything else is a note and may be merged freely.
_CONSTRAINTS = frozenset({
    "type", "enum", "const", "format", "properties", "required", "additionalProperties",
    "patternProperties", "propertyNames", "minProperties", "maxProperties",
    "dependentRequired", "dependentSchemas", "dependencies", "items", "prefixItems",
    "additionalItems", "contains", "minItems", "maxItems", "minContains", "maxContains",
    "uniqueItems", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "minLength",
    "maxLength", "pattern", "multipleOf", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "unevaluatedItems", "unevaluatedProperties", "nullable",
})  # fmt: skip


def ensure_strict_json_schema(
    schema: dict[str, Any], *, _reject_open_objects: bool = False
) -> dict[str, Any]:
    """The strict form of ``schema``, which stays as it was.

    Args:
        schema: A schema of an object; an empty one means an object without properties.
        _reject_open_objects: Whether an object without properties must say itself that it has none.

    Raises:
        UserError: The schema has no strict form that accepts the same values.
        TypeError: It is not a schema.
        ValueError: It has a reference that does not point into itself.
    """
    if schema == {}:
        return {"additionalProperties": False, "type": "object", "properties": {}, "required": []}
    return _Walk(schema, _reject_open_objects).strict_root()


def strict_parameters(owner: str, schema: Schema) -> Schema:
    """The strict form of the ``schema`` of parameters; a refusal names the one that has none.

    Raises:
        UserError: As `ensure_strict_json_schema`, with the parameter and whose it is.
    """
    try:
        return ensure_strict_json_schema(schema)
    except UserError as error:
        if (part := _refused_part(schema)) is None:
            raise
        raise UserError(f"{part} of {owner} has no strict schema: {error}") from error


def _refused_part(schema: Schema) -> str | None:
    """Which part of a schema has no strict form: a parameter, or the type of one."""
    for kind, keyword in (("Parameter", "properties"), ("Type", "$defs")):
        for name, part in schema.get(keyword, {}).items():
            try:
                # A reference stands as it is, so only the part that is at fault is refused.
                ensure_strict_json_schema({"type": "object", "properties": {name: part}})
            except UserError:
                return f"{kind} {name!r}"
            except ValueError:
                continue
    return None


class _Walk:
    """One pass over a schema, with what it has spent so far."""

    def __init__(self, root: Schema, rejects_open_objects: bool) -> None:
        self.root = root
        self.rejects_open_objects = rejects_open_objects
        self.nodes = 0

    def strict_root(self) -> Schema:
        strict = self.strict(self.root, 0, in_resource=False)
        for keyword in ("anyOf", "oneOf"):
            if keyword in strict:
                raise UserError(f"The root of a strict JSON schema must not use `{keyword}`.")
        kind = strict.get("type")
        if isinstance(kind, list) and "object" in kind:
            if kind != ["object"]:
                raise UserError(
                    "The root of a strict JSON schema must have the type 'object' alone, "
                    f"got {kind!r}."
                )
            strict["type"] = "object"
        return strict

    def strict(self, schema: object, depth: int, *, in_resource: bool) -> Schema:
        """The strict form of one node. ``in_resource``: below a nested ``$id``, refs lead elsewhere."""
        self._spend(depth)
        if not is_dict(schema):
            raise WrongType(f"A JSON schema must be a dictionary, got {schema!r}.")
        in_resource = in_resource or (depth > 0 and _is_resource(schema))
        below = functools.partial(self.strict, depth=depth + 1, in_resource=in_resource)
        node = without_notes(in_subset(_without_null_default(schema), is_root=depth == 0))
        if "$ref" in node:
            if len(node) == 1:
                return self._kept_ref(node)
            node = _without_null_default(self._expanded(node, depth, in_resource=in_resource))
            node = in_subset(node, is_root=depth == 0)
        entries = node.get("allOf")
        if is_list(entries) and len(entries) == 1 and is_dict(entries[0]):
            del node["allOf"]
            node = _merged(node, below(self._entry(entries[0], depth + 1, in_resource)))
        _apply(below, node)
        if _is_object(node):
            self._close(node)
        return node

    def _spend(self, depth: int) -> None:
        self.nodes += 1
        if depth > _MAX_SCHEMA_DEPTH:
            raise UserError(
                "JSON schema is too deeply nested to be made strict (more than "
                f"{_MAX_SCHEMA_DEPTH} levels, references included). Flatten it."
            )
        if self.nodes > _MAX_SCHEMA_NODES:
            raise UserError(
                f"JSON schema is too large to be made strict (more than {_MAX_SCHEMA_NODES} nodes, "
                "with references written out). Use fewer references that have keywords beside them."
            )

    def _kept_ref(self, node: Schema) -> Schema:
        if self.rejects_open_objects:
            raise UserError(
                f"JSON schema contains a reference whose target was not validated: {node['$ref']!r}."
            )
        return node

    def _close(self, node: Schema) -> None:
        node.setdefault("type", "object")
        is_open = "additionalProperties" not in node and not node.get("properties")
        if is_open and self.rejects_open_objects:
            raise UserError(
                "JSON schema contains an object that permits undeclared properties. Set its "
                "additionalProperties to false, or do not ask for a strict schema."
            )
        if node.setdefault("additionalProperties", False) is not False:
            raise UserError(
                "additionalProperties should not be set for object types: a strict schema allows no "
                "undeclared properties. Name them (a model in place of dict[...]), or turn strict "
                "mode off (strict_mode=False, strict_json_schema=False)."
            )
        if is_dict(node.get("properties")):
            node["required"] = list(node["properties"])

    def _entry(self, entry: Schema, depth: int, in_resource: bool) -> Schema:
        """The only entry of an allOf, with the target of its reference in its place."""
        if "$ref" not in entry:
            return entry
        self._spend(depth)
        in_resource = in_resource or _is_resource(entry)
        return self._expanded(dict(entry), depth, in_resource=in_resource)

    def _expanded(self, node: Schema, depth: int, *, in_resource: bool) -> Schema:
        """``node`` with the target of its reference, and of that one's, in their place."""
        seen: set[str] = set()
        while "$ref" in node:
            ref: Any = node.pop("$ref")
            constraints = sorted(_CONSTRAINTS & node.keys())
            if constraints:
                raise UserError(
                    f"JSON schema contains the `$ref` {ref!r} with incompatible sibling keywords: "
                    f"{', '.join(constraints)}. Move them into the target, or drop them."
                )
            if in_resource:
                raise _foreign(ref)
            if ref in seen:
                raise UserError(f"JSON schema contains a circular `$ref`: {ref!r}.")
            seen.add(ref)
            self._spend(depth + len(seen))
            node = {**resolve_ref(root=self.root, ref=ref), **node}
        return node


def _apply(below: Callable[[Any], Schema], node: Schema) -> None:
    """Put what ``below`` makes of the parts of ``node`` in their place."""
    for keyword in ("$defs", "definitions", "properties"):
        if is_dict(node.get(keyword)):
            node[keyword] = {name: below(each) for name, each in node[keyword].items()}
    if is_dict(node.get("items")):
        node["items"] = below(node["items"])
    # Providers know anyOf only. Members of a oneOf are told apart by a discriminator, if any.
    if is_list(node.get("oneOf")):
        node["anyOf"] = [*(node.get("anyOf") or []), *node.pop("oneOf")]
    for keyword in ("anyOf", "allOf"):
        if is_list(node.get(keyword)):
            node[keyword] = [below(each) for each in node[keyword]]


def _merged(node: Schema, entry: Schema) -> Schema:
    """``node`` with its only allOf ``entry`` written into it, unless the two differ in something."""
    inner = entry.get("properties")
    if node.get("additionalProperties") is False and inner and inner != node.get("properties"):
        raise UserError(
            "JSON schema contains a singleton `allOf` that adds properties to an object which "
            f"allows no others: {', '.join(sorted(inner))}. List them in the object itself."
        )
    result = dict(node)
    for key, value in entry.items():
        is_free = key not in node or key == "required" or (key == "properties" and not node[key])
        is_constraint = key in _CONSTRAINTS or key in ("$defs", "definitions")
        if is_constraint and not is_free and not _same_json(node[key], value):
            raise UserError(
                f"JSON schema contains a singleton `allOf` whose `{key}` differs from that of "
                "the schema around it. Merge the two."
            )
        if is_free or is_constraint:
            result[key] = value
    return result


def resolve_ref(*, root: dict[str, object], ref: str) -> Schema:
    """The schema in ``root`` that a reference such as "#/$defs/City" points at.

    Raises:
        ValueError: The reference does not start with "#/".
        UserError: It points nowhere, or into a part with an `$id` of its own.
    """
    if not ref.startswith("#/"):
        raise WrongValue(f"Unexpected $ref {ref!r}: expected one that starts with #/.")
    node: Any = root
    for token in unquote(ref[2:], errors="strict").split("/"):
        name = token.replace("~1", "/").replace("~0", "~")
        if not is_dict(node) or name not in node:
            raise UserError(f"JSON schema contains the `$ref` {ref!r}, which points at nothing.")
        node = node[name]
        if is_dict(node) and _is_resource(node):
            raise _foreign(ref)
    if not is_dict(node):
        raise UserError(f"JSON schema contains the `$ref` {ref!r}, which points at no schema.")
    return node


def _foreign(ref: str) -> UserError:
    return UserError(
        f"JSON schema contains the `$ref` {ref!r} in or to a nested `$id` resource, where references "
        "have another root. Remove the nested `$id`."
    )


def is_dict(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether ``value`` is a dict, as every schema is."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether ``value`` is a list."""
    return isinstance(value, list)


def _without_null_default(schema: Schema) -> Schema:
    """A copy without it: what is required needs no default, and null may not even be valid."""
    node = dict(schema)
    if node.get("default", ...) is None:
        del node["default"]
    return node


def _is_resource(node: Schema) -> bool:
    return isinstance(node.get("$id"), str)  # A dict is a property or definition of that name.


def _is_object(node: Schema) -> bool:
    kind = node.get("type")
    if kind is None:
        return "properties" in node or "additionalProperties" in node
    return kind == "object" or (is_list(kind) and "object" in kind)


def _same_json(one: object, other: object) -> bool:
    # In Python True == 1, in JSON they differ; 1 and 1.0 are the same in both.
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        left, right = cast("Mapping[str, Any]", one), cast("Mapping[str, Any]", other)
        return left.keys() == right.keys() and all(_same_json(left[k], right[k]) for k in left)
    if is_list(one) and is_list(other):  # pyright: ignore[reportUnknownArgumentType] # JSON
        return len(one) == len(other) and all(map(_same_json, one, other))
    return one == other
