"""A processor that remembers what it was told."""

from typing import Any

from outlast.tracing import Span, Trace, TracingProcessor


class Recorder(TracingProcessor):
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.spans: list[Span[Any]] = []
        self.is_flushed = False

    def on_trace_start(self, trace: Trace) -> None:
        self.told.append(("trace start", trace.name))

    def on_trace_end(self, trace: Trace) -> None:
        self.told.append(("trace end", trace.name))

    def on_span_start(self, span: Span[Any]) -> None:
        self.told.append(("span start", span.span_data.name))

    def on_span_end(self, span: Span[Any]) -> None:
        self.told.append(("span end", span.span_data.name))
        self.spans.append(span)

    def shutdown(self) -> None:
        self.told.append(("shutdown", ""))

    def force_flush(self) -> None:
        self.is_flushed = True
