"""From a function's signature to the JSON schema of its arguments, and from arguments to a call.

The schema is needed when the tool is defined, the pydantic model that validates arguments only when
it is first called. Signatures made of plain types get their schema without the model, which is most
of the cost; `tests/definitions/test_schema.py` holds that both ways give the same.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, cast

from outlast.core.errors import ModelBehaviorError, UserError
from outlast.definitions.callables import Handler, handler_of, refuse_object
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.docstrings import DocstringStyle, FuncDocumentation
from outlast.definitions.plain_schema import plain_schema
from outlast.definitions.strict_schema import strict_parameters

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


@dataclass
class FuncSchema:
    """A function as a model sees it, and how to call it with what the model sends."""

    name: str
    description: str | None
    params_pydantic_model: type[BaseModel]
    params_json_schema: dict[str, Any]
    signature: Signature
    takes_context: bool = False
    strict_json_schema: bool = True
    return_annotation: Any = Signature.empty

    def to_call_args(self, data: BaseModel) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments for the function, without the context.

        Raises:
            ModelBehaviorError: The model sent a keyword that names another parameter.
        """
        parameters = list(self.signature.parameters.values())
        shape = CallShape(self.name, parameters, self.takes_context)
        return shape.arguments(data.__dict__)


def function_schema(
    func: Callable[..., Any],
    docstring_style: DocstringStyle | None = None,
    name_override: str | None = None,
    description_override: str | None = None,
    use_docstring_info: bool = True,
    strict_json_schema: bool = True,
) -> FuncSchema:
    """The schema of ``func``.

    Args:
        func: A function, a method, or an object with a plain `__call__`.
        docstring_style: How its docstring is written; without it, the style is guessed.
        name_override: Its name for the model, in place of its own.
        description_override: Its description, in place of what the docstring says.
        use_docstring_info: Whether to read the docstring at all.
        strict_json_schema: Whether the schema must be in the strict subset.

    Raises:
        UserError: The signature has no (strict) schema.
    """
    handler = handler_of(func)
    name = name_override or handler.name()
    doc = handler.documentation(docstring_style) if use_docstring_info else None
    arguments = Arguments(handler, name, doc, strict=strict_json_schema)
    schema = arguments.json_schema
    return FuncSchema(
        name,
        description_override or (doc.description if doc else None),
        arguments.model,
        strict_parameters(f"function {name}", schema) if strict_json_schema else schema,
        handler.signature,
        arguments.takes_context,
        strict_json_schema,
        handler.hints.get("return", Signature.empty),
    )


class CallShape:
    """Where each validated argument goes in a call."""

    def __init__(self, name: str, parameters: list[Parameter], takes_context: bool) -> None:
        self.name = name
        self.positional: list[str] = []
        self.keyword: list[str] = []
        self.star: str | None = None
        self.double_star: str | None = None
        for parameter in parameters[1:] if takes_context else parameters:
            match parameter.kind:
                case Parameter.VAR_POSITIONAL:
                    self.star = parameter.name
                case Parameter.VAR_KEYWORD:
                    self.double_star = parameter.name
                case Parameter.KEYWORD_ONLY:
                    self.keyword.append(parameter.name)
                case _:
                    self.positional.append(parameter.name)
        # What a keyword in **kwargs would collide with; the context has a name, too.
        self.bindable = {
            parameter.name
            for parameter in parameters
            if parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        }

    def arguments(self, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments, from the validated ``values`` by parameter name.

        Raises:
            ModelBehaviorError: The model sent a keyword that names another parameter.
        """
        args = [values[name] for name in self.positional]
        kwargs = {name: values[name] for name in self.keyword}
        if self.star is not None:
            args += values[self.star] or ()
        if self.double_star is not None:
            extra: dict[str, Any] = values[self.double_star] or {}
            doubles = sorted(self.bindable & extra.keys())
            if doubles:
                raise ModelBehaviorError(
                    f"Invalid arguments for tool {self.name}: {self.double_star!r} repeats the "
                    f"parameters {', '.join(map(repr, doubles))}. Send each of them once."
                )
            kwargs |= extra
        return args, kwargs


class Arguments:
    """The arguments that a model may send to one handler."""

    def __init__(
        self, handler: Handler, name: str, doc: FuncDocumentation | None, *, strict: bool
    ) -> None:
        self.name = name
        self.strict = strict
        parameters = list(handler.signature.parameters.values())
        types_of = [handler.hints.get(each.name, Any) for each in parameters]
        self.takes_context = bool(parameters) and _is_context(types_of[0])
        self.shape = CallShape(name, parameters, self.takes_context)
        _check_context(handler, parameters, types_of)
        start = int(self.takes_context)
        self._parameters = list(zip(parameters, types_of, strict=True))[start:]
        told = (doc.param_descriptions if doc else None) or {}
        self._descriptions = {
            each.name: told.get(each.name) or _annotated_text(kind)
            for each, kind in self._parameters
        }
        self.optional = frozenset(
            _sent(each, kind)
            for each, kind in self._parameters
            if each.default is not Parameter.empty
        )
        """What the model may leave out, by the names that it knows."""
        self.json_schema = self._json_schema()
        """Not strict yet."""

    @functools.cached_property
    def model(self) -> type[BaseModel]:
        """Validates arguments. Has a field for each parameter."""
        from pydantic import ConfigDict, PydanticSchemaGenerationError, create_model

        fields: dict[str, Any] = {each.name: _field(each, kind) for each, kind in self._parameters}
        # With **kwargs, an argument that is in no schema is more likely a misplaced one.
        config = ConfigDict(extra="forbid") if self.shape.double_star else None
        try:
            return create_model(f"{self.name}_args", __config__=config, **fields)
        except PydanticSchemaGenerationError as error:
            raise self._without_schema(error) from None  # Its dozens of lines say less.

    def _without_schema(self, error: Exception) -> UserError:
        """What to say of parameters of a type that no JSON can be turned into."""
        from pydantic import TypeAdapter

        for each, kind in self._parameters:
            try:
                TypeAdapter(kind).json_schema()
            except type(error):
                return UserError(
                    f"Parameter {each.name!r} of function {self.name} is annotated with {kind!r}, which "
                    "a model cannot send: it sends JSON. Take a text, a number, a list or a pydantic "
                    "model, and make the object inside the function."
                )
        return UserError(f"The parameters of function {self.name} have no JSON schema: {error}")

    def are_exactly(self, given: dict[str, Any]) -> bool:
        """Whether the function gets just ``given``, without anybody's code having looked at it.

        That is so if validation leaves every value as it is, and adds none.
        """
        sent = {name: _sent_name(name, field) for name, field in self.model.model_fields.items()}
        if not self._is_plain or set(sent.values()) != given.keys():
            return False
        try:
            values = self.model.model_validate(given).__dict__
            self.shape.arguments(values)
        except (ValueError, ModelBehaviorError):
            return False
        # As text, for to Python True is 1.
        return repr([given[sent[name]] for name in sent]) == repr([values[name] for name in sent])

    @functools.cached_property
    def _is_plain(self) -> bool:
        """Whether validation runs no code but pydantic's own, and no regular expression."""
        from pydantic_core import SchemaValidator

        if not isinstance(self.model.__pydantic_validator__, SchemaValidator):
            return False  # A plugin watches.
        schema: Any = self.model.__pydantic_core_schema__
        fields: Any = schema.get("schema", {})
        if schema.get("type") != "model" or fields.get("type") != "model-fields":
            return False
        return all(_is_plain_step(each) for each in fields["fields"].values())

    def _json_schema(self) -> dict[str, Any]:
        for each, kind in self._parameters:
            self._check_parameter(each, kind)
        schema = plain_schema(self.name, self._parameters)
        if schema is None:
            schema = self._schema_by_pydantic()
        properties: dict[str, Any] = schema.get("properties", {})
        for name, text in self._descriptions.items():
            if text is not None:
                known = name in properties
                key = name if known else _sent_name(name, self.model.model_fields[name])
                properties[key]["description"] = text
        return schema

    def _schema_by_pydantic(self) -> dict[str, Any]:
        from pydantic.errors import PydanticInvalidForJsonSchema

        try:
            return self.model.model_json_schema()
        except PydanticInvalidForJsonSchema as error:
            raise self._without_schema(error) from None

    def _check_parameter(self, parameter: Parameter, kind: object) -> None:
        name = parameter.name
        if name.startswith("_"):
            raise UserError(
                f"Parameter {name!r} of function {self.name} starts with an underscore, which the "
                "names of arguments cannot. Rename it."
            )
        if parameter.kind is Parameter.VAR_KEYWORD and self.strict:
            raise UserError(
                f"Variadic keyword parameter `**{name}` in function {self.name} has no strict "
                "schema. Set strict_mode=False (strict_json_schema=False for function_schema); the "
                f"model then sends the keywords nested in an object called {name!r}."
            )
        if parameter.kind is Parameter.VAR_POSITIONAL and _is_fixed_tuple(kind):
            raise UserError(
                f"Variadic parameter `*{name}` in function {self.name} is annotated with a "
                "fixed-length tuple, which is the type of each single argument; "
                "use tuple[T, ...] or list[T] instead."
            )


def _sent_name(name: str, field: FieldInfo) -> str:
    """What the model calls the argument that the function calls ``name``."""
    alias = field.validation_alias or field.alias
    return alias if isinstance(alias, str) else name


def _sent(parameter: Parameter, kind: object) -> str:
    """The same for a parameter that has no field yet."""
    notes: tuple[Any, ...] = (
        typing.get_args(kind)[1:] if typing.get_origin(kind) is Annotated else ()
    )
    aliases = (getattr(note, "validation_alias", None) for note in (*notes, parameter.default))
    return next((alias for alias in aliases if isinstance(alias, str)), parameter.name)


# Steps of pydantic's validation that only look at a value of JSON, and at nothing else.
_PLAIN_STEPS = frozenset({
    "any", "bool", "default", "dict", "float", "int", "list", "literal", "model-field", "none",
    "nullable", "str", "union",
})  # fmt: skip


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


def _is_context(kind: object) -> bool:
    if isinstance(kind, typing.TypeVar | str):
        return False
    plain = _unannotated(kind)
    origin = typing.get_origin(plain) or plain
    return isinstance(origin, type) and issubclass(origin, RunContextWrapper)


def _unannotated(kind: object) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind


def _check_context(handler: Handler, parameters: list[Parameter], kinds: list[Any]) -> None:
    for index, (parameter, kind) in enumerate(zip(parameters, kinds, strict=True)):
        if handler.is_object and isinstance(kind, typing.TypeVar):
            refuse_object(handler, "is annotated with a type variable")
        if not _is_context(kind):
            continue
        is_plain = parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        if index > 0 or (handler.is_object and not is_plain):
            refuse_object(handler, "does not take the context as its first positional parameter")
            raise UserError(
                "RunContextWrapper/ToolContext param found at non-first position in function "
                f"{handler.name()}: {parameter.name!r}. The context is passed first; make it the first "
                "parameter."
            )


def _annotated_text(kind: object) -> str | None:
    notes = typing.get_args(kind)[1:] if typing.get_origin(kind) is Annotated else ()
    return next((note for note in notes if isinstance(note, str)), None)


def _is_fixed_tuple(kind: object) -> bool:
    plain = _unannotated(kind)
    if typing.get_origin(plain) is not tuple:
        return False
    inner = typing.get_args(plain)
    return not (len(inner) == 2 and inner[1] is ...)  # noqa: PLR2004 (T, ...)


def _field(parameter: Parameter, kind: object) -> Any:
    """A parameter as pydantic's `create_model` wants it."""
    from pydantic import Field

    if parameter.kind is Parameter.VAR_POSITIONAL:
        return list[_element(kind)], Field(default_factory=list[Any])
    if parameter.kind is Parameter.VAR_KEYWORD:
        return dict[str, _element(kind)], Field(default_factory=dict[str, Any])
    # Alone, an annotation may bring its own default: Annotated[int, Field(default=1)].
    return kind if parameter.default is Parameter.empty else (kind, parameter.default)


def _element(kind: object) -> Any:
    """The type of one of many arguments. A `Field` on it constrains it, but has no default or alias."""
    from pydantic.fields import FieldInfo

    if typing.get_origin(kind) is not Annotated:
        return kind
    plain, *notes = typing.get_args(kind)
    kept: list[Any] = []
    for note in notes:
        kept += note.metadata if isinstance(note, FieldInfo) else [note]
    for note in kept:
        plain = Annotated[plain, note]
    return plain
