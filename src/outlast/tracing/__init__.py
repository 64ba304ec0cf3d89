"""Watching what agents do: traces, spans, and who is told of them.

What carries spans elsewhere is loaded when a program asks for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from outlast.tracing.config import TracingConfig as TracingConfig
from outlast.tracing.context import TraceCtxManager as TraceCtxManager
from outlast.tracing.create import (
    agent_span as agent_span,
    custom_span as custom_span,
    function_span as function_span,
    generation_span as generation_span,
    get_current_span as get_current_span,
    get_current_trace as get_current_trace,
    guardrail_span as guardrail_span,
    handoff_span as handoff_span,
    mcp_tools_span as mcp_tools_span,
    response_span as response_span,
    speech_group_span as speech_group_span,
    speech_span as speech_span,
    task_span as task_span,
    trace as trace,
    transcription_span as transcription_span,
    turn_span as turn_span,
)
from outlast.tracing.interface import (
    Span as Span,
    SpanError as SpanError,
    Trace as Trace,
    TracingExporter as TracingExporter,
    TracingProcessor as TracingProcessor,
)
from outlast.tracing.provider import TraceProvider as TraceProvider
from outlast.tracing.setup import (
    add_trace_processor as add_trace_processor,
    enable_openai_export as enable_openai_export,
    export_to_console as export_to_console,
    export_to_file as export_to_file,
    export_to_openai as export_to_openai,
    flush_traces as flush_traces,
    get_trace_provider as get_trace_provider,
    has_own_ids as has_own_ids,
    is_listening as is_listening,
    set_trace_processors as set_trace_processors,
    set_trace_provider as set_trace_provider,
    set_tracing_disabled as set_tracing_disabled,
    set_tracing_export_api_key as set_tracing_export_api_key,
)
from outlast.tracing.span_data import (
    AgentSpanData as AgentSpanData,
    CustomSpanData as CustomSpanData,
    FunctionSpanData as FunctionSpanData,
    GenerationSpanData as GenerationSpanData,
    GuardrailSpanData as GuardrailSpanData,
    HandoffSpanData as HandoffSpanData,
    MCPListToolsSpanData as MCPListToolsSpanData,
    ResponseSpanData as ResponseSpanData,
    SpanData as SpanData,
    SpeechGroupSpanData as SpeechGroupSpanData,
    SpeechSpanData as SpeechSpanData,
    TaskSpanData as TaskSpanData,
    TranscriptionSpanData as TranscriptionSpanData,
    TurnSpanData as TurnSpanData,
)
from outlast.tracing.util import gen_span_id as gen_span_id, gen_trace_id as gen_trace_id

if TYPE_CHECKING:
    from outlast.tracing.processors import default_exporter as default_exporter


def __getattr__(name: str) -> Any:
    if name == "default_exporter":
        return import_module("outlast.tracing.processors").default_exporter
    if name in ("processors", "exporters"):
        return import_module(f"outlast.tracing.{name}")
    raise AttributeError(f"module 'outlast.tracing' has no attribute {name!r}", name=name)
