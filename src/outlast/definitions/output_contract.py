"""What a tool promises to programs about its results: a JSON object of a certain shape."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from outlast.core.errors import UserError
from outlast.definitions.annotations import for_pydantic
from outlast.definitions.strict_schema import ensure_strict_json_schema

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class OutputContract:
    """A strict schema, and the type that it was made from, if it was."""

    schema: dict[str, Any]
    adapter: TypeAdapter[Any] | None = None

    @classmethod
    def of_schema(cls, schema: dict[str, Any]) -> OutputContract:
        """The contract that ``schema`` states.

        Raises:
            UserError: It is not one of an object, or has no strict form.
        """
        try:
            strict = ensure_strict_json_schema(schema) if schema else schema
        except UserError as error:
            raise UserError(
                f"Function tool output_json_schema must define a strict JSON object schema: {error}"
            ) from error
        if strict.get("type") != "object":
            raise UserError("Function tool output_json_schema must define a JSON object schema.")
        return cls(strict)

    @classmethod
    def of_type(cls, kind: object, subject: str) -> OutputContract:
        """The contract that a type states; ``subject`` names where it stands, for the error.

        Raises:
            UserError: Its values are not JSON objects of a fixed shape.
        """
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError

        try:
            adapter = TypeAdapter[Any](for_pydantic(kind))
            schema = ensure_strict_json_schema(adapter.json_schema(mode="serialization"))
        except (UserError, PydanticUserError) as error:
            raise _no_object(subject) from error
        if schema.get("type") != "object":
            raise _no_object(subject)
        return cls(schema, adapter)


def _no_object(subject: str) -> UserError:
    return UserError(
        f"{subject} must define a strict JSON object schema. Use a Pydantic model, TypedDict or "
        "dataclass, or pass output_json_schema; a result annotated as str or Any is not checked."
    )


def declared_output(
    output_type: object, schema: dict[str, Any] | None, annotation: object, *, infers: bool
) -> OutputContract | None:
    """What a function's tool promises, by a type, a schema or, if it ``infers``, its annotation.

    Raises:
        UserError: Type and schema were passed, or the type does not make a contract.
    """
    if output_type is not None and schema is not None:
        raise UserError(
            "output_type and output_json_schema cannot both be provided; they state the same thing."
        )
    if schema is not None:
        return OutputContract.of_schema(schema)
    if output_type is not None:
        return OutputContract.of_type(output_type, "Function tool output_type")
    if not infers or _is_untyped(annotation):
        return None
    return OutputContract.of_type(annotation, "A programmatic function tool return annotation")


def _is_untyped(annotation: object) -> bool:
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    return annotation in (None, type(None), str, Any)
