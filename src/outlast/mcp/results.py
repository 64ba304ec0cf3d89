"""What a server's result is to the model, and how much of it there may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from outlast.core.surrogates import without_surrogates
from outlast.definitions.tool_output import ToolOutputImageDict, ToolOutputTextDict
from outlast.mcp.errors import MCPTooLargeError
from outlast.mcp.library import plain, value
from outlast.mcp.names import public_name

ToolOutputItem: TypeAlias = ToolOutputTextDict | ToolOutputImageDict
ToolOutput: TypeAlias = str | ToolOutputItem | list[ToolOutputItem]
MAX_BLOCKS = 1_000


def output_of(result: Any, *, prefers_structure: bool) -> ToolOutput:
    """A result in the form that a function tool returns."""
    structured = value(result, "structured_content")
    if prefers_structure and structured and not value(result, "is_error"):
        return json.dumps(structured)
    blocks = [_block(block) for block in result.content]
    return blocks[0] if len(blocks) == 1 else blocks


def text_of(output: ToolOutput) -> str:
    """What of an output is text."""
    if isinstance(output, str):
        return output
    blocks = output if isinstance(output, list) else [output]
    return "\n".join(str(block["text"]) for block in blocks if "text" in block)


def _block(block: Any) -> ToolOutputItem:
    kind = getattr(block, "type", None)
    if kind == "text":
        return {"type": "text", "text": without_surrogates(block.text)}
    if kind == "image":
        url = f"data:{value(block, 'mime_type')};base64,{block.data}"
        return {"type": "image", "image_url": url}
    try:
        text = block.model_dump_json()
    except (AttributeError, ValueError):  # No model of the library's, or half of a character in it.
        text = without_surrogates(json.dumps(plain(block), ensure_ascii=False))
    return {"type": "text", "text": text}


def check_size(server: str, tool: str, result: Any, limit: int | None) -> None:
    """Refuse a result that is larger than it may be.

    Raises:
        MCPTooLargeError: It is.
    """
    if limit is None:
        return
    start = f"Tool {tool!r} of MCP server {public_name(server)!r} returned "
    if len(result.content) > MAX_BLOCKS:
        raise MCPTooLargeError(
            f"{start}{len(result.content)} blocks of content, and {MAX_BLOCKS} are allowed. Ask it for "
            "less."
        )
    size = sum(_size(block) for block in result.content)
    if structured := value(result, "structured_content"):
        size += len(json.dumps(structured, default=str))
    if size > limit:
        raise MCPTooLargeError(
            f"{start}{size} bytes, and {limit} are allowed. Ask it for less, or allow more: "
            "max_result_bytes=..."
        )


def _size(block: Any) -> int:
    for name in ("text", "data"):
        text: Any = getattr(block, name, None)
        if isinstance(text, str):
            return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return len(json.dumps(plain(block), default=str))


def result_meta(result: Any) -> Mapping[str, Any] | None:
    """The `_meta` of a result."""
    return getattr(result, "meta", None)
