"""What a span is about: one record per kind of work. A record may change until its span ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from openai.types.responses import Response, ResponseInputItemParam

_Messages = Sequence[Mapping[str, Any]]


class SpanData:
    """What a span is about."""

    __slots__ = ()

    type: ClassVar[str]
    """The kind of work, as exporters name it."""

    def export(self) -> dict[str, Any]:
        """The record as JSON: all its fields, unless a kind says otherwise."""
        return self._pick(*(each.name for each in fields(self)))  # pyright: ignore[reportArgumentType]  # kinds are dataclasses

    def _pick(self, *names: str) -> dict[str, Any]:
        return {"type": self.type} | {name: getattr(self, name) for name in names}


@dataclass(slots=True, eq=False)
class AgentSpanData(SpanData):
    """An agent at work, from its first turn to its last."""

    type: ClassVar[str] = "agent"

    name: str
    handoffs: list[str] | None = None
    tools: list[str] | None = None
    output_type: str | None = None
    metadata: dict[str, Any] | None = None

    def export(self) -> dict[str, Any]:
        return self._pick("name", "handoffs", "tools", "output_type")


@dataclass(slots=True, eq=False)
class TaskSpanData(SpanData):
    """A whole run. Exported as a custom span, which every backend knows."""

    type: ClassVar[str] = "task"

    name: str
    usage: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None

    def export(self) -> dict[str, Any]:
        return _custom("task", {"name": self.name}, self.usage)


@dataclass(slots=True, eq=False)
class TurnSpanData(SpanData):
    """One model call and what its reply asked for. Exported as a custom span."""

    type: ClassVar[str] = "turn"

    turn: int
    agent_name: str
    usage: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None

    def export(self) -> dict[str, Any]:
        return _custom("turn", {"turn": self.turn, "agent_name": self.agent_name}, self.usage)


@dataclass(slots=True, eq=False)
class FunctionSpanData(SpanData):
    """A call of a tool. ``call_id`` is the model's id of the call; it is not exported."""

    type: ClassVar[str] = "function"

    name: str
    input: str | None
    output: Any | None
    mcp_data: dict[str, Any] | None = None
    call_id: str | None = field(default=None, kw_only=True)

    def export(self) -> dict[str, Any]:
        output = None if self.output is None else str(self.output)
        return self._pick("name", "input") | {"output": output, "mcp_data": self.mcp_data}


@dataclass(slots=True, eq=False)
class GenerationSpanData(SpanData):
    """A call of a model in the shape of Chat Completions."""

    type: ClassVar[str] = "generation"

    input: _Messages | None = None
    output: _Messages | None = None
    model: str | None = None
    model_config: Mapping[str, Any] | None = None
    usage: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class ResponseSpanData(SpanData):
    """A call of a model in the shape of Responses. What was said is for processors only.

    ``response_id`` is for spans that may not hold the response itself.
    """

    type: ClassVar[str] = "response"

    response: Response | None = None
    input: str | list[ResponseInputItemParam] | None = None
    usage: dict[str, Any] | None = None
    response_id: str | None = field(default=None, kw_only=True)

    def export(self) -> dict[str, Any]:
        known = self.response_id if self.response is None else self.response.id
        return {"type": self.type, "response_id": known, "usage": self.usage}


@dataclass(slots=True, eq=False)
class HandoffSpanData(SpanData):
    """One agent handing the conversation to another."""

    type: ClassVar[str] = "handoff"

    from_agent: str | None
    to_agent: str | None


@dataclass(slots=True, eq=False)
class CustomSpanData(SpanData):
    """Whatever a program wants to see in its trace."""

    type: ClassVar[str] = "custom"

    name: str
    data: dict[str, Any]


@dataclass(slots=True, eq=False)
class GuardrailSpanData(SpanData):
    """A guardrail's check."""

    type: ClassVar[str] = "guardrail"

    name: str
    triggered: bool = False


@dataclass(slots=True, eq=False)
class TranscriptionSpanData(SpanData):
    """Speech to text."""

    type: ClassVar[str] = "transcription"

    input: str | None = None
    input_format: str | None = "pcm"
    output: str | None = None
    model: str | None = None
    model_config: Mapping[str, Any] | None = None

    def export(self) -> dict[str, Any]:
        audio = {"data": self.input or "", "format": self.input_format}
        return {"type": self.type, "input": audio} | self._pick("output", "model", "model_config")


@dataclass(slots=True, eq=False)
class SpeechSpanData(SpanData):
    """Text to speech."""

    type: ClassVar[str] = "speech"

    input: str | None = None
    output: str | None = None
    output_format: str | None = "pcm"
    model: str | None = None
    model_config: Mapping[str, Any] | None = None
    first_content_at: str | None = None

    def export(self) -> dict[str, Any]:
        audio = {"data": self.output or "", "format": self.output_format}
        rest = self._pick("model", "model_config", "first_content_at")
        return {"type": self.type, "input": self.input, "output": audio} | rest


@dataclass(slots=True, eq=False)
class SpeechGroupSpanData(SpanData):
    """Several `SpeechSpanData` that speak one text."""

    type: ClassVar[str] = "speech_group"

    input: str | None = None


@dataclass(slots=True, eq=False)
class MCPListToolsSpanData(SpanData):
    """An MCP server listing its tools."""

    type: ClassVar[str] = "mcp_tools"

    server: str | None = None
    result: list[str] | None = None


def _custom(kind: str, data: dict[str, Any], usage: dict[str, Any] | None) -> dict[str, Any]:
    described = {"sdk_span_type": kind, **data}
    if usage is not None:
        described["usage"] = usage
    return {"type": "custom", "name": kind, "data": described}
