"""How guides watch traces."""

from __future__ import annotations

import abc
import functools
import inspect
from datetime import datetime
from typing import Any

from outlast.compat.guides.patching import Patches
from outlast.tracing.interface import Span, Trace, TracingProcessor
from outlast.tracing.span_data import CustomSpanData, SpanData

_METHODS = (
    "on_trace_start", "on_trace_end", "on_span_start", "on_span_end", "shutdown", "force_flush",
)  # fmt: skip
_SPANS: dict[str, list[Any]] = {}
"""By the id of a trace that goes on: its spans, for `trace.spans`."""


def teach(patches: Patches) -> None:
    """Teach traces, spans and their processors the spellings of guides."""
    patches.add(TracingProcessor, "__init_subclass__", classmethod(_complete))
    patches.add(Trace, "id", property(lambda trace: trace.trace_id))
    patches.add(Trace, "spans", property(lambda trace: getattr(trace, "_guide_spans", [])))
    patches.add(Trace, "duration", property(_duration_of_trace))
    patches.add(Span, "name", property(_name))
    patches.add(Span, "duration", property(_duration))
    patches.add(Span, "__call__", _decorate)
    patches.add(SpanData, "__getattr__", _of_data)


def _complete(cls: Any) -> None:
    """A processor with `process_trace` alone gets the methods that it does not have."""
    if not callable(getattr(cls, "process_trace", None)):
        return
    for name in _METHODS:
        if getattr(getattr(cls, name), "__isabstractmethod__", False):
            setattr(cls, name, _FILLED[name])
    abc.update_abstractmethods(cls)


def _nothing(self: Any, *_: Any) -> None:
    del self


def _begin(_: Any, trace: Any) -> None:
    _SPANS[trace.trace_id] = []


def _note(_: Any, span: Any) -> None:
    _SPANS.setdefault(span.trace_id, []).append(span)


def _end(self: Any, trace: Any) -> None:
    trace._guide_spans = _SPANS.pop(trace.trace_id, [])  # noqa: SLF001 (ours)
    self.process_trace(trace)


_FILLED = {
    "on_trace_start": _begin,
    "on_trace_end": _end,
    "on_span_start": _nothing,
    "on_span_end": _note,
    "shutdown": _nothing,
    "force_flush": _nothing,
}


def _duration(span: Any) -> float | None:
    """Seconds; None before the end."""
    if not span.started_at or not span.ended_at:
        return None
    ends = datetime.fromisoformat(span.ended_at) - datetime.fromisoformat(span.started_at)
    return ends.total_seconds()


def _duration_of_trace(trace: Any) -> float | None:
    """From the first span's start to the last one's end."""
    spans = [each for each in trace.spans if each.started_at and each.ended_at]
    if not spans:
        return None
    first = min(datetime.fromisoformat(each.started_at) for each in spans)
    last = max(datetime.fromisoformat(each.ended_at) for each in spans)
    return (last - first).total_seconds()


def _name(span: Any) -> str:
    """What the span is of: the name of its agent, tool or guardrail, or its kind."""
    return str(getattr(span.span_data, "name", None) or span.span_data.type)


def _of_data(self: Any, name: str) -> Any:
    """`usage` of every kind of span, and `metadata` of custom ones."""
    if name == "usage":
        return None
    if name == "metadata" and isinstance(self, CustomSpanData):
        return self.data
    raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name)


def _decorate(span: Any, function: Any) -> Any:
    """`@function_span("name")` on a function: each call is a span of that name."""
    from outlast.tracing.create import function_span

    name = span.span_data.name
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def watching(*args: Any, **options: Any) -> Any:
            with function_span(name):
                return await function(*args, **options)

        return watching

    @functools.wraps(function)
    def watched(*args: Any, **options: Any) -> Any:
        with function_span(name):
            return function(*args, **options)

    return watched
