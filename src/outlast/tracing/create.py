"""Opening traces and spans.

Each function returns something that is not started yet: enter it, or start and finish it. A span
goes below ``parent``, or else below the current span, or else the current trace; where there is
none of these, it is not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import outlast.tracing.span_data as about
from outlast.definitions.logger import logger
from outlast.tracing.config import TracingConfig
from outlast.tracing.interface import Span, Trace, TSpanData
from outlast.tracing.setup import get_trace_provider
from outlast.tracing.traces import NoOpTrace

if TYPE_CHECKING:
    from openai.types.responses import Response

_Parent: TypeAlias = Trace | Span | None


def trace(
    workflow_name: str,
    trace_id: str | None = None,
    group_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    tracing: TracingConfig | None = None,
    disabled: bool = False,
) -> Trace:
    """A new trace, around several runs or around a program's own spans.

    Args:
        workflow_name: What is done in it.
        trace_id: ``trace_`` and 32 letters or digits; None makes one.
        group_id: What ties several traces together, such as a conversation's id.
        metadata: Anything else about it.
        tracing: A key of its own for upload.
        disabled: Record neither the trace nor its spans.
    """
    provider = get_trace_provider()
    current = provider.get_current_trace()
    if current is not None and not isinstance(current, NoOpTrace):
        logger.warning(
            "Trace already exists. Creating a new one in it, which is probably a mistake."
        )
    return provider.create_trace(
        name=workflow_name,
        trace_id=trace_id,
        group_id=group_id,
        metadata=metadata,
        tracing=tracing,
        disabled=disabled,
    )


def get_current_trace() -> Trace | None:
    """The trace that new spans belong to."""
    return get_trace_provider().get_current_trace()


def get_current_span() -> Span | None:
    """The span that new spans are children of."""
    return get_trace_provider().get_current_span()


def agent_span(  # noqa: PLR0913 (upstream's signature)
    name: str,
    handoffs: list[str] | None = None,
    tools: list[str] | None = None,
    output_type: str | None = None,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.AgentSpanData]:
    """A span of an agent at work."""
    return _open(about.AgentSpanData(name, handoffs, tools, output_type), span_id, parent, disabled)


def task_span(
    name: str, span_id: str | None = None, parent: _Parent = None, disabled: bool = False
) -> Span[about.TaskSpanData]:
    """A span of a whole run."""
    return _open(about.TaskSpanData(name), span_id, parent, disabled)


def turn_span(
    turn: int,
    agent_name: str,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.TurnSpanData]:
    """A span of one model call and what its reply asked for."""
    return _open(about.TurnSpanData(turn, agent_name), span_id, parent, disabled)


def function_span(
    name: str,
    input: str | None = None,
    output: str | None = None,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.FunctionSpanData]:
    """A span of a tool's call."""
    return _open(about.FunctionSpanData(name, input, output), span_id, parent, disabled)


def generation_span(  # noqa: PLR0913 (upstream's signature)
    input: Sequence[Mapping[str, Any]] | None = None,
    output: Sequence[Mapping[str, Any]] | None = None,
    model: str | None = None,
    model_config: Mapping[str, Any] | None = None,
    usage: dict[str, Any] | None = None,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.GenerationSpanData]:
    """A span of a model call, with what was said."""
    data = about.GenerationSpanData(input, output, model, model_config, usage)
    return _open(data, span_id, parent, disabled)


def response_span(
    response: Response | None = None,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.ResponseSpanData]:
    """A span of a model call that is known by the id of its response."""
    return _open(about.ResponseSpanData(response), span_id, parent, disabled)


def handoff_span(
    from_agent: str | None = None,
    to_agent: str | None = None,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.HandoffSpanData]:
    """A span of one agent handing over to another."""
    return _open(about.HandoffSpanData(from_agent, to_agent), span_id, parent, disabled)


def custom_span(
    name: str,
    data: dict[str, Any] | None = None,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.CustomSpanData]:
    """A span of whatever a program does itself."""
    return _open(about.CustomSpanData(name, data or {}), span_id, parent, disabled)


def guardrail_span(
    name: str,
    triggered: bool = False,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.GuardrailSpanData]:
    """A span of a guardrail's check."""
    return _open(about.GuardrailSpanData(name, triggered), span_id, parent, disabled)


def transcription_span(  # noqa: PLR0913 (upstream's signature)
    model: str | None = None,
    input: str | None = None,
    input_format: str | None = "pcm",
    output: str | None = None,
    model_config: Mapping[str, Any] | None = None,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.TranscriptionSpanData]:
    """A span of speech turned into text."""
    data = about.TranscriptionSpanData(input, input_format, output, model, model_config)
    return _open(data, span_id, parent, disabled)


def speech_span(  # noqa: PLR0913 (upstream's signature)
    model: str | None = None,
    input: str | None = None,
    output: str | None = None,
    output_format: str | None = "pcm",
    model_config: Mapping[str, Any] | None = None,
    first_content_at: str | None = None,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.SpeechSpanData]:
    """A span of text turned into speech."""
    data = about.SpeechSpanData(input, output, output_format, model, model_config, first_content_at)
    return _open(data, span_id, parent, disabled)


def speech_group_span(
    input: str | None = None,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.SpeechGroupSpanData]:
    """A span around several speech spans of one text."""
    return _open(about.SpeechGroupSpanData(input), span_id, parent, disabled)


def mcp_tools_span(
    server: str | None = None,
    result: list[str] | None = None,
    span_id: str | None = None,
    parent: _Parent = None,
    disabled: bool = False,
) -> Span[about.MCPListToolsSpanData]:
    """A span of an MCP server listing its tools."""
    return _open(about.MCPListToolsSpanData(server, result), span_id, parent, disabled)


def _open(data: TSpanData, span_id: str | None, parent: _Parent, disabled: bool) -> Span[TSpanData]:
    return get_trace_provider().create_span(
        span_data=data, span_id=span_id, parent=parent, disabled=disabled
    )
