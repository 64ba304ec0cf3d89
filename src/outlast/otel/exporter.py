"""Giving spans to an exporter of OpenTelemetry, from the thread that delivers traces."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import context as otel_context
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import NonRecordingSpan, set_span_in_context

from outlast.definitions.logger import logger
from outlast.otel.ids import context_of
from outlast.otel.spans import readable
from outlast.tracing.interface import Span, Trace, TracingExporter
from outlast.tracing.processors import BatchTraceProcessor

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.resources import Resource

    from outlast.otel.metrics import Metrics

_TRACES_MAX = 4096
"""Traces whose group and metadata are remembered for their spans."""


class OtlpSpanExporter(TracingExporter):
    """Translates spans and gives them to ``exporter``.

    Args:
        exporter: One of OpenTelemetry's.
        resource: What the spans are of: the service.
        has_content: Whether what was said is in them.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        resource: Resource,
        *,
        has_content: bool = False,
    ) -> None:
        self._exporter = exporter
        self._resource = resource
        self._has_content = has_content
        self._metrics: Metrics | None = None
        self._timer: threading.Timer | None = None
        self._is_closed = False
        self._traces: OrderedDict[str, Trace] = OrderedDict()

    def count_with(self, metrics: Metrics) -> None:
        """Let ``metrics`` count what the spans say."""
        self._metrics = metrics

    def export(self, items: list[Trace | Span]) -> None:
        """Deliver ``items``; blocks through what the exporter tries.

        Raises:
            ConnectionError: The exporter gave up. These spans are lost, and counted.
        """
        for item in items:
            if isinstance(item, Trace):
                self._traces[item.trace_id] = item
                if len(self._traces) > _TRACES_MAX:
                    self._traces.popitem(last=False)
        spans = [item for item in items if isinstance(item, Span)]
        if self._metrics is not None:
            self._metrics.count_spans(spans)
        translated = [
            readable(
                span, self._traces.get(span.trace_id), self._resource, has_content=self._has_content
            )
            for span in spans
        ]
        if translated and self._exporter.export(translated) is not SpanExportResult.SUCCESS:
            raise ConnectionError("The sink for traces took nothing.")

    def finish_by(self, deadline: float) -> None:
        """Let the exporter give up at ``deadline`` whatever it is at, or waits for."""
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), self.close)
        timer.daemon = True
        timer.start()
        self._timer = timer

    def close(self) -> None:
        """Stop; what is being tried is given up."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._is_closed:
            self._is_closed = True
            self._exporter.shutdown()


class OtelProcessor(BatchTraceProcessor):
    """Delivers spans in batches, and makes each the current one of OpenTelemetry while it is ours.

    So spans that other libraries open, for a request or a query, stand below ours.
    """

    def shutdown(self, timeout: float | None = None) -> None:
        """Deliver what is left and stop. See `BatchTraceProcessor`."""
        super().shutdown(timeout)
        cast("OtlpSpanExporter", self._exporter).close()
        dropped = self.dropped
        if dropped:
            logger.warning("%d traces and spans were not delivered.", dropped)


def make_current(span: Any) -> Callable[[], None]:
    """Let what OpenTelemetry opens from now on stand below ``span``; what this returns ends that."""
    if span.trace_id == "no-op":
        return _nothing
    inner = NonRecordingSpan(context_of(span.trace_id, span.span_id))
    token = otel_context.attach(set_span_in_context(inner))

    def undo() -> None:
        try:
            # Not `detach`, which logs where a stream is closed in another context than it began in.
            otel_context._RUNTIME_CONTEXT.detach(token)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        except ValueError:
            return

    return undo


def _nothing() -> None:
    """Nothing was made current."""
