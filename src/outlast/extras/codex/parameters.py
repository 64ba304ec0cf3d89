"""What a model writes into a call of the Codex tool, checked."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from outlast.core.errors import ModelBehaviorError
from outlast.definitions.strict_schema import is_dict, is_list
from outlast.extras.codex.thread import Input


class CodexToolInputItem(BaseModel):
    """Text, or a picture on this machine."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text", "local_image"]
    text: str | None = None
    path: str | None = None

    @model_validator(mode="after")
    def validate_item(self) -> CodexToolInputItem:
        """Keep the field that belongs to the type, and refuse the other."""
        text, path = (self.text or "").strip(), (self.path or "").strip()
        if self.type == "text":
            if not text:
                raise ValueError('Text inputs must include a non-empty "text" field.')
            if path:
                raise ValueError('"path" is not allowed when type is "text".')
        else:
            if not path:
                raise ValueError('Local image inputs must include a non-empty "path" field.')
            if text:
                raise ValueError('"text" is not allowed when type is "local_image".')
        self.text, self.path = text or None, path or None
        return self


_Inputs = Annotated[
    list[CodexToolInputItem],
    Field(
        min_length=1, description="What Codex gets to work on: texts and pictures, one at least."
    ),
]


class CodexToolRunContextParameters(BaseModel):
    """Arguments of a tool whose thread the run's context remembers."""

    model_config = ConfigDict(extra="forbid")

    inputs: _Inputs


class CodexToolParameters(BaseModel):
    """Arguments of a tool that may be told which thread to go on with."""

    model_config = ConfigDict(extra="forbid")

    inputs: _Inputs
    thread_id: str | None = Field(
        default=None,
        description="The Codex thread to go on with. Leave it out for a new one.",
    )

    @field_validator("thread_id")
    @classmethod
    def validate_thread_id(cls, value: str | None) -> str | None:
        """Refuse a blank id."""
        if value is not None and not value.strip():
            raise ValueError('When provided, "thread_id" must be a non-empty string.')
        return value and value.strip()


class CodexToolCallArguments(TypedDict):
    """The arguments as the tool uses them."""

    inputs: list[dict[str, str]] | None
    thread_id: str | None


def arguments(kind: type[BaseModel], text: str) -> CodexToolCallArguments:
    """What a model wrote, as arguments.

    Raises:
        ModelBehaviorError: It does not fit ``kind``. Says where, and not what.
    """
    try:
        found: Any = kind.model_validate(_without_empty_texts(json.loads(text or "{}")))
    except ValidationError as error:
        wrong = {".".join(map(str, each["loc"])) or "arguments" for each in error.errors()}
        raise _refusal(f"wrong or missing: {', '.join(sorted(wrong))}") from None
    except ValueError:
        raise _refusal("not JSON") from None
    inputs = [_plain(item) for item in getattr(found, "inputs", None) or ()]
    return {"inputs": inputs, "thread_id": getattr(found, "thread_id", None)}


def codex_input(call: CodexToolCallArguments) -> Input:
    """The arguments as Codex takes them."""
    inputs: Any = call["inputs"]
    return inputs or ""


def _refusal(why: str) -> ModelBehaviorError:
    return ModelBehaviorError(f"Invalid JSON input for codex tool ({why}).")


def _without_empty_texts(written: Any) -> Any:
    """Strict schemas make models send a text for each field, empty where they have none."""
    if not is_dict(written) or not is_list(items := written.get("inputs")):
        return written
    kept = [
        {name: value for name, value in item.items() if value != ""} if is_dict(item) else item
        for item in items
    ]
    return {**written, "inputs": kept}


def _plain(item: Any) -> dict[str, str]:
    name = "text" if item.type == "text" else "path"
    return {"type": item.type, name: getattr(item, name)}
