"""Setting up what leaves a program for OpenTelemetry."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outlast.core.errors import UserError
from outlast.tracing import scope, watching
from outlast.tracing.setup import get_trace_provider

if TYPE_CHECKING:
    from outlast.otel.exporter import OtelProcessor

CAPTURE_ENV = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_EXPORT_TIMEOUT_S = 5.0
_QUEUE = 8192


@dataclass(slots=True)
class OtlpExport:
    """What `export_to_otlp` has set up."""

    processor: OtelProcessor
    meter_provider: Any = None
    logger_provider: Any = None

    @property
    def dropped(self) -> int:
        """How many traces and spans were lost: the queue was full, or the sink took none of them."""
        return self.processor.dropped

    def flush(self) -> None:
        """Deliver what there is now; return when that is done, or given up."""
        self.processor.force_flush()
        for provider in (self.meter_provider, self.logger_provider):
            if provider is not None:
                provider.force_flush()

    def shutdown(self, timeout: float = 5.0) -> None:
        """Deliver what is left, for ``timeout`` seconds at most for traces, and stop."""
        self.processor.shutdown(timeout)
        self.close_others(timeout)

    def close_others(self, timeout: float = 5.0) -> None:
        """Deliver what is left of metrics and logs, and stop. Once: OpenTelemetry complains of more."""
        meter_provider, self.meter_provider = self.meter_provider, None
        logger_provider, self.logger_provider = self.logger_provider, None
        if meter_provider is not None:
            meter_provider.shutdown(timeout * 1000)
        if logger_provider is not None:
            logger_provider.shutdown()


def export_to_otlp(
    endpoint: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    service_name: str | None = None,
    capture_content: bool | None = None,
    metrics: bool = True,
    logs: bool = True,
) -> OtlpExport:
    """Send traces, metrics and logs to a collector from now on, over OTLP and HTTP.

    A slow or dead collector slows no run: what does not fit into the queue is dropped, and counted.

    Args:
        endpoint: The collector, such as ``http://localhost:4318``; None for what
            ``OTEL_EXPORTER_OTLP_ENDPOINT`` says, or this machine.
        headers: Sent along, such as a key. None for ``OTEL_EXPORTER_OTLP_HEADERS``.
        service_name: What the program is called; None for ``OTEL_SERVICE_NAME``.
        capture_content: Whether spans hold what models and tools were told and answered. None for what
            ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says; else they do not.
        metrics: Whether tokens, durations, cost, retries and circuits are sent as metrics.
        logs: Whether the lines of the logger ``outlast`` are sent, each with its run's id.

    Raises:
        UserError: OpenTelemetry is not installed.
    """
    resource = _resource(service_name)
    meter_provider = _meter_provider(resource, endpoint, headers) if metrics else None
    processor = otlp_processor(
        endpoint,
        headers=headers,
        resource=resource,
        capture_content=capture_content,
        meter_provider=meter_provider,
    )
    get_trace_provider().register_processor(processor)
    scope.mirror_spans(_exporter().make_current)
    logger_provider = _logger_provider(resource, endpoint, headers) if logs else None
    made = OtlpExport(processor, meter_provider, logger_provider)
    # The provider of traces shuts the processor down at exit; the others are nobody else's.
    atexit.register(made.close_others)
    return made


def otlp_processor(
    endpoint: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    resource: Any = None,
    capture_content: bool | None = None,
    meter_provider: Any = None,
    exporter: Any = None,
) -> OtelProcessor:
    """A processor of traces that sends them to a collector, for `add_trace_processor`.

    Args:
        endpoint: See `export_to_otlp`, as for the next two.
        headers: Sent along.
        capture_content: Whether what was said is in spans.
        resource: What the spans are of; None for what the environment says.
        meter_provider: Where metrics of the spans go; None for nowhere.
        exporter: A span exporter of OpenTelemetry, in place of the one for OTLP over HTTP.

    Raises:
        UserError: OpenTelemetry is not installed.
    """
    ours = _exporter()
    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(
            _url(endpoint, "traces"), headers=dict(headers or {}) or None, timeout=_EXPORT_TIMEOUT_S
        )
    has_content = _captures() if capture_content is None else capture_content
    inner = ours.OtlpSpanExporter(exporter, resource or _resource(None), has_content=has_content)
    processor = ours.OtelProcessor(inner, max_queue_size=_QUEUE, max_batch_size=512)
    if meter_provider is not None:
        from outlast.otel.metrics import Metrics

        counted = Metrics(meter_provider.get_meter("outlast"), lambda: processor.dropped)
        inner.count_with(counted)
        watching.observe(counted)
    return processor


def _exporter() -> Any:
    """Our module that needs OpenTelemetry."""
    try:
        import outlast.otel.exporter as module
    except ImportError as error:
        raise UserError(
            "Sending traces over OTLP needs OpenTelemetry, which is not installed. "
            "Install it: pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http."
        ) from error
    return module


def _resource(service_name: str | None) -> Any:
    _exporter()
    from opentelemetry.sdk.resources import Resource

    named = service_name or os.environ.get("OTEL_SERVICE_NAME") or "outlast"
    return Resource.create({"service.name": named})


def _meter_provider(resource: Any, endpoint: str | None, headers: Mapping[str, str] | None) -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(
        _url(endpoint, "metrics"), headers=dict(headers or {}) or None, timeout=_EXPORT_TIMEOUT_S
    )
    reader = PeriodicExportingMetricReader(exporter)
    return MeterProvider([reader], resource, shutdown_on_exit=False)


def _logger_provider(resource: Any, endpoint: str | None, headers: Mapping[str, str] | None) -> Any:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    from outlast.otel.logs import OtelLogHandler

    exporter = OTLPLogExporter(
        _url(endpoint, "logs"), headers=dict(headers or {}) or None, timeout=_EXPORT_TIMEOUT_S
    )
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logging.getLogger("outlast").addHandler(OtelLogHandler(provider))
    return provider


def _url(endpoint: str | None, signal: str) -> str | None:
    if endpoint is None:
        return None
    return endpoint if endpoint.endswith(f"/v1/{signal}") else f"{endpoint.rstrip('/')}/v1/{signal}"


def _captures() -> bool:
    return os.environ.get(CAPTURE_ENV, "").strip().lower() in {
        "true",
        "1",
        "span_only",
        "span_and_event",
    }
