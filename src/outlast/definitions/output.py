"""The schema of an agent's final output."""

from __future__ import annotations

import contextlib
import functools
import types
import typing
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from outlast.core.errors import ModelBehaviorError, UserError
from outlast.definitions import debug
from outlast.definitions.annotations import for_pydantic
from outlast.definitions.near_json import repairs
from outlast.definitions.strict_schema import ensure_strict_json_schema

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_WRAPPER_DICT_KEY = "response"
"""Where the model puts a value that is not an object by itself."""


class AgentOutputSchemaBase(ABC):
    """What a final output has to look like. Subclass it for schemas that are not made from types."""

    @abstractmethod
    def is_plain_text(self) -> bool:
        """Whether the output is just text."""

    @abstractmethod
    def name(self) -> str:
        """What the schema is called."""

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """The JSON schema of the output. Not asked for when it is plain text."""

    @abstractmethod
    def is_strict_json_schema(self) -> bool:
        """Whether the schema is in the strict subset that the API can enforce."""

    @abstractmethod
    def validate_json(self, json_str: str) -> Any:
        """The output that the model's text stands for.

        Raises:
            ModelBehaviorError: The text does not fit.
        """


@dataclass(init=False)
class AgentOutputSchema(AgentOutputSchemaBase):
    """The schema of a Python type."""

    output_type: type[Any]
    _strict_json_schema: bool
    _is_wrapped: bool = field(repr=False)
    _output_schema: dict[str, Any] = field(repr=False, compare=False)

    def __init__(self, output_type: type[Any], strict_json_schema: bool = True) -> None:
        """Make the schema of ``output_type``.

        Args:
            output_type: Any type that pydantic can validate. What is not an object is wrapped.
            strict_json_schema: Whether the provider should enforce the schema. Strict values are
                not converted either: "25" is no int.

        Raises:
            UserError: The type has no strict schema, as with `dict[str, int]`.
        """
        self.output_type = output_type
        self._strict_json_schema = strict_json_schema
        self._is_wrapped = False
        self._output_schema = {"type": "string"}
        if not self.is_plain_text():
            self._is_wrapped = not _is_object_type(output_type)
            self._output_schema = self._schema()

    def _schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = self._adapter.json_schema()
        if not self._strict_json_schema:
            return schema
        try:
            return ensure_strict_json_schema(schema)
        except UserError:
            raise UserError(
                "Strict JSON schema is enabled, but the output type is not valid: "
                f"{self.name()} has no strict form. Change the type, or wrap it: "
                f"AgentOutputSchema({self.name()}, strict_json_schema=False)."
            ) from None  # It says which keyword of the schema is in the way, and this which type.

    @functools.cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        from pydantic import TypeAdapter, create_model

        kind = for_pydantic(self.output_type)
        if not self._is_wrapped:
            return TypeAdapter(kind)
        # The object around a value that is not one; its title is what the API shows.
        fields: dict[str, Any] = {_WRAPPER_DICT_KEY: (kind, ...)}
        return TypeAdapter(create_model("OutputType", **fields))

    def is_plain_text(self) -> bool:
        return self.output_type in (None, str)

    def is_strict_json_schema(self) -> bool:
        return self._strict_json_schema

    def json_schema(self) -> dict[str, Any]:
        """The JSON schema of the output; a `UserError` where that is plain text, which has none."""
        if self.is_plain_text():
            raise UserError("Output type is plain text, so no JSON schema is available.")
        return self._output_schema

    def validate_json(self, json_str: str) -> Any:
        from pydantic import ValidationError

        try:
            value = self._value(json_str)
        except ValidationError as error:
            if not debug.DONT_LOG_MODEL_DATA:
                text = f"Invalid JSON when parsing {json_str}: {error}"
                raise ModelBehaviorError(text) from error
        else:
            return getattr(value, _WRAPPER_DICT_KEY) if self._is_wrapped else value
        # Outside the handler: pydantic's error quotes the model, and must not hang on ours.
        raise ModelBehaviorError("Invalid JSON when parsing model output")

    def _value(self, text: str) -> Any:
        """What a text means; a nearly right one is repaired, where it can mean one thing only."""
        from pydantic import ValidationError

        strict = self._strict_json_schema or None
        try:
            return self._adapter.validate_json(text, strict=strict)
        except ValidationError as error:
            for repaired in repairs(text):
                with contextlib.suppress(ValidationError):
                    return self._adapter.validate_json(repaired, strict=strict)
            raise error from None  # What a repaired text lacks is not what the model has said.

    def name(self) -> str:
        """The type's name, with its arguments."""
        return _type_name(self.output_type)


def _is_object_type(wanted: Any) -> bool:
    origin = typing.get_origin(wanted) or wanted
    if not isinstance(origin, type):
        return False
    from pydantic import BaseModel, RootModel

    if issubclass(origin, RootModel):
        return _is_object_type(origin.model_fields["root"].annotation)
    return issubclass(origin, dict | BaseModel)  # A TypedDict is a dict, too.


def _type_name(wanted: Any) -> str:
    arguments = typing.get_args(wanted)
    origin = typing.get_origin(wanted)
    if origin is typing.Annotated:
        arguments = (arguments[0],)
    if not arguments:
        return str(getattr(wanted, "__name__", wanted))
    if origin is typing.Literal:
        return f"Literal[{', '.join(repr(value) for value in arguments)}]"
    inner = ", ".join("..." if each is ... else _type_name(each) for each in arguments)
    of = "Union" if origin is types.UnionType else getattr(origin, "__name__", origin)
    return f"{str(of).removeprefix('typing.')}[{inner}]"
