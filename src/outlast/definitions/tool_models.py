"""Pydantic models: the parts that a tool's result may consist of, and the plain input of an agent.

Apart from the rest so that programs which do not use them do not import pydantic for them.
"""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import BaseModel, TypeAdapter, model_validator


class ToolOutputText(BaseModel):
    """Text."""

    type: Literal["text"] = "text"
    text: str


class ToolOutputImage(BaseModel):
    """An image, by its URL (a data URL will do) or by the id of an uploaded file."""

    type: Literal["image"] = "image"
    image_url: str | None = None
    file_id: str | None = None
    detail: Literal["low", "high", "auto"] | None = None

    @model_validator(mode="after")
    def check_at_least_one_required_field(self) -> ToolOutputImage:
        """Check that there is an image."""
        if self.image_url is None and self.file_id is None:
            raise ValueError("At least one of image_url or file_id must be provided")
        return self


class ToolOutputFileContent(BaseModel):
    """A file: its content in base64, its URL, or the id of an uploaded file."""

    type: Literal["file"] = "file"
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None

    @model_validator(mode="after")
    def check_at_least_one_required_field(self) -> ToolOutputFileContent:
        """Check that there is a file."""
        if self.file_data is None and self.file_url is None and self.file_id is None:
            raise ValueError("At least one of file_data, file_url, or file_id must be provided")
        return self


class AgentAsToolInput(BaseModel):
    """Default input schema for agent-as-tool calls."""

    input: str


ValidToolOutputPydanticModels = ToolOutputText | ToolOutputImage | ToolOutputFileContent
ValidToolOutputPydanticModelsTypeAdapter: TypeAdapter[ValidToolOutputPydanticModels] = TypeAdapter(
    ValidToolOutputPydanticModels
)

_BY_TYPE = {"text": ToolOutputText, "image": ToolOutputImage, "file": ToolOutputFileContent}


def part_of(value: object) -> ValidToolOutputPydanticModels | None:
    """The part that ``value`` is or, as a dict, describes; None if it is neither."""
    if isinstance(value, ToolOutputText | ToolOutputImage | ToolOutputFileContent):
        return value
    kind = cast("dict[str, Any]", value).get("type") if isinstance(value, dict) else None
    model = _BY_TYPE.get(kind) if isinstance(kind, str) else None
    if model is None:
        return None
    try:
        return model.model_validate(value)
    except ValueError:
        return None
