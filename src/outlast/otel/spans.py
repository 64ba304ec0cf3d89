"""A span of ours as one of OpenTelemetry's, named by its conventions for generative AI.

    task → invoke_workflow · agent → invoke_agent · model call → chat · tool → execute_tool

What has no convention yet stands under ``outlast.``. What models and tools were told and answered is
left out unless the program asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, Status, StatusCode

from outlast import tracing
from outlast.otel.ids import context_of
from outlast.tracing.interface import Span, Trace
from outlast.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

SCOPE = InstrumentationScope("outlast", __version__)
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
_REQUEST = {
    "temperature": "gen_ai.request.temperature", "top_p": "gen_ai.request.top_p",
    "max_tokens": "gen_ai.request.max_tokens", "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
}  # fmt: skip
_TOKENS = {
    "input_tokens": "gen_ai.usage.input_tokens", "output_tokens": "gen_ai.usage.output_tokens",
    "cached_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_input_tokens": "gen_ai.usage.cache_creation.input_tokens",
}  # fmt: skip
_PROVIDERS = {
    "anthropic": "anthropic", "gemini": "gcp.gemini", "vertex_ai": "gcp.vertex_ai",
    "bedrock": "aws.bedrock", "azure": "azure.ai.openai", "mistral": "mistral_ai", "groq": "groq",
    "deepseek": "deepseek", "cohere": "cohere", "xai": "x_ai", "perplexity": "perplexity",
}  # fmt: skip

Facts = dict[str, Any]


def readable(
    span: Span, trace: Trace | None, resource: Resource, *, has_content: bool
) -> ReadableSpan:
    """What OpenTelemetry's exporters take.

    Args:
        span: Has ended.
        trace: The one that it belongs to, where that is known.
        resource: What the spans are of: the service.
        has_content: Whether what was said is in it.
    """
    name, kind, facts = describe(span.span_data, has_content=has_content)
    if trace is not None:
        facts |= _of_trace(trace)
    error, started, ended = span.error, nanoseconds(span.started_at), nanoseconds(span.ended_at)
    status, events = Status(StatusCode.UNSET), ()
    if error is not None:
        status = Status(StatusCode.ERROR, error["message"])
        facts["error.type"] = error["message"]
        events = (Event("exception", _exception(error), ended),)
    parent = context_of(span.trace_id, span.parent_id) if span.parent_id else None
    return ReadableSpan(
        name=name,
        context=context_of(span.trace_id, span.span_id),
        parent=parent,
        resource=resource,
        attributes={key: value for key, value in facts.items() if value is not None},
        events=events,
        kind=kind,
        status=status,
        start_time=started,
        end_time=ended,
        instrumentation_scope=SCOPE,
    )


def nanoseconds(at: str | None) -> int | None:
    """A time of ours, ISO 8601, as OpenTelemetry has them."""
    if at is None:
        return None
    return int(datetime.fromisoformat(at).timestamp() * 1_000_000) * 1_000


def describe(data: object, *, has_content: bool) -> tuple[str, SpanKind, Facts]:
    """The name, the kind and the attributes of a span that is about ``data``."""
    about = _KINDS.get(data.__class__)
    if about is None:
        kind = str(getattr(data, "type", "span"))
        return kind, SpanKind.INTERNAL, {"outlast.span.type": kind}
    return about(data, has_content)


def provider_of(model: str | None) -> str:
    """Who serves a model, by the convention's list."""
    head, slash, _ = (model or "").partition("/")
    return _PROVIDERS.get(head.lower(), head.lower() or "openai") if slash else "openai"


def _of_trace(trace: Trace) -> Facts:
    facts: Facts = {"gen_ai.conversation.id": getattr(trace, "group_id", None)}
    metadata: dict[str, Any] = getattr(trace, "metadata", None) or {}
    for key, value in metadata.items():
        facts[f"outlast.metadata.{key}"] = _plain(value)
    return facts


def _exception(error: Mapping[str, Any]) -> Facts:
    data: Mapping[str, Any] = error.get("data") or {}
    return {"exception.type": error["message"], "exception.message": str(data.get("error", ""))}


# --- Each kind of span. ------------------------------------------------------------------


def _task(data: tracing.TaskSpanData, has_content: bool) -> tuple[str, SpanKind, Facts]:
    del has_content
    facts: Facts = {OPERATION: "invoke_workflow", "gen_ai.workflow.name": data.name}
    return f"invoke_workflow {data.name}", SpanKind.INTERNAL, facts | _usage(data.usage)


def _turn(data: tracing.TurnSpanData, has_content: bool) -> tuple[str, SpanKind, Facts]:
    del has_content
    facts: Facts = {"outlast.turn": data.turn, "gen_ai.agent.name": data.agent_name}
    return f"turn {data.turn}", SpanKind.INTERNAL, facts | _usage(data.usage)


def _agent(data: tracing.AgentSpanData, has_content: bool) -> tuple[str, SpanKind, Facts]:
    del has_content
    output = data.output_type
    facts: Facts = {
        OPERATION: "invoke_agent",
        PROVIDER: "openai",
        "gen_ai.agent.name": data.name,
        "gen_ai.output.type": None if output is None else "text" if output == "str" else "json",
        "outlast.agent.tools": tuple(data.tools or ()),
        "outlast.agent.handoffs": tuple(data.handoffs or ()),
    }
    return f"invoke_agent {data.name}", SpanKind.INTERNAL, facts


def _generation(data: tracing.GenerationSpanData, has_content: bool) -> tuple[str, SpanKind, Facts]:
    settings: Mapping[str, Any] = data.model_config or {}
    facts: Facts = {
        OPERATION: "chat",
        PROVIDER: provider_of(data.model),
        "gen_ai.request.model": data.model,
        "server.address": _host(settings.get("base_url")),
    }
    facts |= {
        name: settings[key] for key, name in _REQUEST.items() if settings.get(key) is not None
    }
    if has_content:
        facts["gen_ai.input.messages"] = _json(data.input)
        facts["gen_ai.output.messages"] = _json(data.output)
    return f"chat {data.model or ''}".rstrip(), SpanKind.CLIENT, facts | _usage(data.usage)


def _response(data: tracing.ResponseSpanData, has_content: bool) -> tuple[str, SpanKind, Facts]:
    response: Any = data.response
    model = getattr(response, "model", None)
    facts: Facts = {
        OPERATION: "chat",
        PROVIDER: "openai",
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.response.id": getattr(response, "id", data.response_id),
        "openai.api.type": "responses",
    }
    for key, name in _REQUEST.items():
        facts[name] = getattr(response, "max_output_tokens" if key == "max_tokens" else key, None)
    if response is not None and getattr(response, "status", None):
        facts["gen_ai.response.finish_reasons"] = (response.status,)
    if has_content and response is not None:
        facts["gen_ai.system_instructions"] = _json(getattr(response, "instructions", None))
        facts["gen_ai.input.messages"] = _json(data.input)
        facts["gen_ai.output.messages"] = _json(getattr(response, "output", None))
        facts["gen_ai.tool.definitions"] = _json(getattr(response, "tools", None))
    return f"chat {model or ''}".rstrip(), SpanKind.CLIENT, facts | _usage(data.usage)


def _function(data: tracing.FunctionSpanData, has_content: bool) -> tuple[str, SpanKind, Facts]:
    facts: Facts = {
        OPERATION: "execute_tool",
        "gen_ai.tool.name": data.name,
        "gen_ai.tool.type": "extension" if data.mcp_data else "function",
        "gen_ai.tool.call.id": data.call_id,
    }
    if has_content:
        facts["gen_ai.tool.call.arguments"] = _plain(data.input)
        facts["gen_ai.tool.call.result"] = _plain(data.output)
    return f"execute_tool {data.name}", SpanKind.INTERNAL, facts


def _handoff(data: tracing.HandoffSpanData, has_content: bool) -> tuple[str, SpanKind, Facts]:
    del has_content
    facts = {"outlast.handoff.from": data.from_agent, "outlast.handoff.to": data.to_agent}
    return f"handoff {data.to_agent or ''}".rstrip(), SpanKind.INTERNAL, facts


def _guardrail(data: tracing.GuardrailSpanData, has_content: bool) -> tuple[str, SpanKind, Facts]:
    del has_content
    facts = {"outlast.guardrail.name": data.name, "outlast.guardrail.triggered": data.triggered}
    return f"guardrail {data.name}", SpanKind.INTERNAL, facts


def _custom(data: tracing.CustomSpanData, has_content: bool) -> tuple[str, SpanKind, Facts]:
    shown = {f"outlast.custom.{key}": _plain(value) for key, value in data.data.items()}
    return data.name, SpanKind.INTERNAL, shown if has_content else {}


def _mcp(data: tracing.MCPListToolsSpanData, has_content: bool) -> tuple[str, SpanKind, Facts]:
    del has_content
    facts = {"mcp.method.name": "tools/list", "outlast.mcp.server": data.server}
    return "mcp tools/list", SpanKind.CLIENT, facts


def _audio(data: Any, has_content: bool) -> tuple[str, SpanKind, Facts]:
    word = "transcribe" if isinstance(data, tracing.TranscriptionSpanData) else "speak"
    facts: Facts = {"outlast.operation": word, "gen_ai.request.model": data.model}
    text = data.output if word == "transcribe" else data.input
    if has_content:
        facts["outlast.audio.text"] = text
    return f"{word} {data.model or ''}".rstrip(), SpanKind.CLIENT, facts


_KINDS: dict[type, Callable[[Any, bool], tuple[str, SpanKind, Facts]]] = {
    tracing.TaskSpanData: _task,
    tracing.TurnSpanData: _turn,
    tracing.AgentSpanData: _agent,
    tracing.GenerationSpanData: _generation,
    tracing.ResponseSpanData: _response,
    tracing.FunctionSpanData: _function,
    tracing.HandoffSpanData: _handoff,
    tracing.GuardrailSpanData: _guardrail,
    tracing.CustomSpanData: _custom,
    tracing.MCPListToolsSpanData: _mcp,
    tracing.TranscriptionSpanData: _audio,
    tracing.SpeechSpanData: _audio,
}


def _usage(usage: Mapping[str, Any] | None) -> Facts:
    found = {name: (usage or {}).get(key) for key, name in _TOKENS.items()}
    return {name: count for name, count in found.items() if isinstance(count, int)}


def _host(url: object) -> str | None:
    from urllib.parse import urlsplit

    try:
        return urlsplit(str(url)).hostname if url else None
    except ValueError:
        return None


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, default=_model, ensure_ascii=False)


def _model(value: object) -> Any:
    dump: Any = getattr(value, "model_dump", None)
    return dump(mode="json", exclude_unset=True) if dump else str(value)


def _plain(value: object) -> Any:
    """``value`` as an attribute can have it."""
    return value if isinstance(value, str | int | float | bool | None) else _json(value)
