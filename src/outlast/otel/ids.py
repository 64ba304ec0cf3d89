"""Ids of OpenTelemetry that follow from ours: whoever tells of a span, and when, gives it the same one."""

from __future__ import annotations

from hashlib import sha256

from opentelemetry.trace import SpanContext, TraceFlags

_TRACE_DIGITS = 32
_SPAN_DIGITS = 16


def trace_number(trace_id: str) -> int:
    """The 128 bits of a trace's id."""
    return _number(trace_id, "trace_", _TRACE_DIGITS)


def span_number(span_id: str) -> int:
    """The 64 bits of a span's id."""
    return _number(span_id, "span_", _SPAN_DIGITS)


def context_of(trace_id: str, span_id: str) -> SpanContext:
    """Where a span stands, for OpenTelemetry."""
    sampled = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(
        trace_number(trace_id), span_number(span_id), is_remote=False, trace_flags=sampled
    )


def _number(text: str, prefix: str, digits: int) -> int:
    own = text.removeprefix(prefix)[:digits]
    try:
        number = int(own, 16) if len(own) == digits else 0
    except ValueError:
        number = 0
    # An id of somebody's own form still has to give the same number everywhere. 0 is no id.
    return number or int(sha256(text.encode("utf-8", "replace")).hexdigest()[:digits], 16) or 1
