"""From what a tool returned to the item that the model gets to see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Self, cast

# Pydantic reads these classes when a user's function returns one, and needs this TypedDict for it.
from typing_extensions import TypedDict

from outlast.core.errors import UserError
from outlast.core.shown import shown

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class ToolOutputTextDict(TypedDict, total=False):
    """`ToolOutputText` as a dict."""

    type: Literal["text"]
    text: str


class ToolOutputImageDict(TypedDict, total=False):
    """`ToolOutputImage` as a dict."""

    type: Literal["image"]
    image_url: NotRequired[str]
    file_id: NotRequired[str]
    detail: NotRequired[Literal["low", "high", "auto"]]


class ToolOutputFileContentDict(TypedDict, total=False):
    """`ToolOutputFileContent` as a dict."""

    type: Literal["file"]
    file_data: NotRequired[str]
    file_url: NotRequired[str]
    file_id: NotRequired[str]
    filename: NotRequired[str]


class FailureText(str):
    """What the model reads in place of a result, because its tool failed with ``error``."""

    __slots__ = ("error", "is_default")
    error: BaseException
    is_default: bool
    """Whether it stands outside of what the tool's author said: the default text, or the run's.

    Then the schema that the author declared for results is not held against it.
    """

    def __new__(cls, text: str, error: BaseException, *, is_default: bool) -> Self:
        """Attach ``error`` to ``text``."""
        self = super().__new__(cls, shown(text))
        self.error = error
        self.is_default = is_default
        return self


def answer_item(kind: str, call_id: str, **fields: object) -> dict[str, Any]:
    """The item that answers a call of a tool that is no function, without fields that are None."""
    given = {name: value for name, value in fields.items() if value is not None}
    return {"type": kind, "call_id": call_id, **given}


def tool_output_item(
    call_id: str,
    value: object,
    *,
    caller: Mapping[str, Any] | None = None,
    output_json_schema: Mapping[str, Any] | None = None,
    output_type_adapter: TypeAdapter[Any] | None = None,
) -> dict[str, Any]:
    """The item that answers a function call with ``value``, which is what the tool returned.

    ``caller`` is the call's own note of the program that made it, if one did. Schema and adapter
    are what the tool declares for its results.

    Raises:
        UserError: The value does not fit what the tool declares, or a program cannot read it.
    """
    output = _output(value, caller, output_json_schema, output_type_adapter)
    item: dict[str, Any] = {"call_id": call_id, "output": output, "type": "function_call_output"}
    if caller is not None:
        item["caller"] = dict(caller)
    return item


def _output(
    value: object,
    caller: Mapping[str, Any] | None,
    schema: Mapping[str, Any] | None,
    adapter: TypeAdapter[Any] | None,
) -> str | list[dict[str, Any]]:
    is_promised = adapter is not None or schema is not None
    is_programs = caller is not None and caller.get("type") == "program"
    if isinstance(value, FailureText) and value.is_default:
        # What a tool declares does not bind it; a program at least gets an object.
        return json.dumps({"error": value}) if is_promised and is_programs else str(value)
    if adapter is not None:
        return _typed_output(value, adapter)
    if schema is not None:
        return _object_output(value)
    if isinstance(value, str):
        return shown(value)
    parts = _parts(value)
    if parts is not None:
        return parts
    return _program_output(value) if is_programs else shown(value)


def _typed_output(value: Any, adapter: TypeAdapter[Any]) -> str:
    validate = adapter.validate_json if isinstance(value, str) else adapter.validate_python
    try:
        value = validate(value)
    except ValueError as error:
        raise UserError(
            "Function tool output does not match its declared output schema."
        ) from error
    return adapter.dump_json(value, by_alias=True).decode()


def _object_output(value: object) -> str:
    from pydantic_core import from_json, to_json

    try:
        parsed = from_json(value if isinstance(value, str) else to_json(value, inf_nan_mode="null"))
    except ValueError as error:
        raise UserError("Function tool output schema requires a JSON object.") from error
    if not isinstance(parsed, dict):
        raise UserError("Function tool output schema requires a JSON object.")
    return to_json(parsed, inf_nan_mode="null").decode()


def _program_output(value: object) -> str:
    from pydantic_core import to_json

    try:
        return to_json(value, inf_nan_mode="null").decode()
    except ValueError as error:
        raise UserError(
            "Programmatic function tool outputs must be strings, structured tool outputs, or "
            f"JSON-serializable values; got {type(value).__name__}."
        ) from error


def _parts(value: object) -> list[dict[str, Any]] | None:
    # Numbers, None and the like are by far the most common, and need no look at the models.
    if value is None or isinstance(value, int | float | bytes):
        return None
    from outlast.definitions.tool_models import part_of

    values = cast("list[Any]", value) if isinstance(value, list | tuple) else [value]
    parts = [part for part in map(part_of, values) if part is not None]
    if not parts or len(parts) < len(values):
        return None
    return [{**part.model_dump(exclude_none=True), "type": f"input_{part.type}"} for part in parts]
