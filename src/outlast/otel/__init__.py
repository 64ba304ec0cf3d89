"""Runs in OpenTelemetry: traces, metrics and logs by the conventions for generative AI.

Needs the extra ``otel``. See `export_to_otlp`.
"""

from outlast.otel.setup import (
    OtlpExport as OtlpExport,
    export_to_otlp as export_to_otlp,
    otlp_processor as otlp_processor,
)
