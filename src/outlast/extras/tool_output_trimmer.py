"""A filter of model input that shortens what tools answered in earlier turns.

    RunConfig(call_model_input_filter=ToolOutputTrimmer(max_output_chars=2_000))

The log and the session keep the whole output; only what the model is sent gets shorter.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outlast.definitions.strict_schema import is_list
from outlast.effects.config import ModelInputData
from outlast.extras.prose import fields, without_prose
from outlast.extras.trimmed_parts import is_canonical, payload_chars, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from outlast.effects.config import CallModelData

logger = logging.getLogger("openai.agents")


@dataclass
class ToolOutputTrimmer:
    """Shortens large tool outputs of all but the latest turns, for `RunConfig.call_model_input_filter`.

    What stays is a line that names the tool and the size, and the beginning of the output. An output
    never grows by it, and no item is changed in place.

    Attributes:
        recent_turns: How many turns stay as they are, the current one counted. A turn begins with
            a user's message. At least 1.
        max_output_chars: Outputs up to this many characters stay as they are. At least 1.
        preview_chars: How much of a longer output is kept, in characters.
        trimmable_tools: Names of the tools whose outputs may be shortened; None for all. A tool in
            a namespace is meant by `namespace.name` and by its bare name.

    Raises:
        ValueError: A number is too small.
    """

    recent_turns: int = 2
    max_output_chars: int = 500
    preview_chars: int = 200
    trimmable_tools: str | Iterable[str] | None = None

    def __post_init__(self) -> None:
        for name, least in (("recent_turns", 1), ("max_output_chars", 1), ("preview_chars", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be >= {least}, got {getattr(self, name)}")
        if isinstance(self.trimmable_tools, str):
            self.trimmable_tools = frozenset({self.trimmable_tools})
        elif self.trimmable_tools is not None:
            self.trimmable_tools = frozenset(self.trimmable_tools)

    def __call__(self, data: CallModelData) -> ModelInputData:
        """The model's input with the older outputs shortened."""
        items = data.model_data.input
        if not items or isinstance(items, str):
            return data.model_data
        recent = _beginning_of_turn(items, self.recent_turns)
        names = _names_of_calls(items)
        older = [self._trimmed(item, names) for item in items[:recent]]
        return ModelInputData(
            input=[*older, *items[recent:]], instructions=data.model_data.instructions
        )

    def _trimmed(self, item: Any, names: dict[Any, tuple[str, str]]) -> Any:
        kind = fields(item).get("type")
        if kind == "tool_search_output":
            return self._trimmed_search(item) if self._may_trim("tool_search") else item
        if kind != "function_call_output":
            return item
        name, bare = names.get(item.get("call_id"), ("", ""))
        if not self._may_trim(name, bare):
            return item
        output = item.get("output")
        if is_list(output):
            short = self._trimmed_parts(name, output)
        else:
            text = output if isinstance(output, str) else str(output)
            short = self._preview(f"{name or _UNKNOWN} output", text)
        return item if short is None else {**item, "output": short}

    def _may_trim(self, *names: str) -> bool:
        allowed = self.trimmable_tools
        return allowed is None or any(name in allowed for name in names)

    def _preview(self, label: str, text: str) -> str | None:
        """The shorter text; None if ``text`` is short enough, or this were no shorter."""
        if len(text) <= self.max_output_chars:
            return None
        sizes = f"{len(text)} chars → {self.preview_chars} char preview"
        short = f"[Trimmed: {label} — {sizes}]\n{text[: self.preview_chars]}..."
        return short if len(short) < len(text) else None

    def _trimmed_parts(self, name: str, parts: Sequence[Any]) -> str | None:
        if not parts or not all(map(is_canonical, parts)):
            return None
        if payload_chars(parts) <= self.max_output_chars:
            return None
        return shortened(name or _UNKNOWN, parts, self.max_output_chars, self.preview_chars)

    def _trimmed_search(self, item: dict[str, Any]) -> dict[str, Any]:
        tools = item.get("tools")
        results = item.get("results")
        if is_list(tools):
            size = len(_json(tools))
            if size <= self.max_output_chars:
                return item
            short = [self._trimmed_tool(tool) for tool in tools]
            return {**item, "tools": short} if len(_json(short)) < size else item
        if is_list(results):
            text = json.dumps(results, sort_keys=True, default=str)
            if (preview := self._preview("tool_search output", text)) is not None:
                return {**item, "results": [{"text": preview}]}
        return item

    def _trimmed_tool(self, tool: Any) -> Any:
        short = dict(fields(tool))
        if not short:
            return tool
        text = short.get("description")
        if isinstance(text, str) and len(text) > self.preview_chars:
            short["description"] = text[: self.preview_chars] + "..."
        if "parameters" in short:
            short["parameters"] = without_prose(short["parameters"])
        inner = short.get("tools")
        if is_list(inner):
            short["tools"] = [self._trimmed_tool(each) for each in inner]
        return short


_UNKNOWN = "unknown_tool"


def _json(value: Any) -> str:
    return json.dumps(value, default=str)


def _beginning_of_turn(items: Sequence[Any], turns: int) -> int:
    """Where the last ``turns`` turns begin; 0 if there are no more of them."""
    left = turns
    for index in range(len(items) - 1, -1, -1):
        if fields(items[index]).get("role") == "user":
            left -= 1
            if left == 0:
                return index
    return 0


def _names_of_calls(items: Iterable[Any]) -> dict[Any, tuple[str, str]]:
    """Name as shown and bare name of each call, by its id."""
    names: dict[Any, tuple[str, str]] = {}
    for item in items:
        call = fields(item)
        if call.get("type") == "function_call":
            bare, space = call.get("name") or "", call.get("namespace")
            shown = f"{space}.{bare}" if space and space != bare else bare
            names[call.get("call_id")] = (shown, bare)
    return names
