"""A collector of OpenTelemetry: takes what is sent over OTLP and HTTP, and can hang or refuse."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_FORMS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Collector:
    def __init__(self, status: int = 200, *, is_open: bool = True) -> None:
        self.got: dict[str, list[Any]] = {path: [] for path in _FORMS}
        self.asked, self.gate = threading.Event(), threading.Event()
        self.answered = 0
        if is_open:
            self.gate.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.asked.set()
                collector.gate.wait(30)
                collector.got[self.path].append(_FORMS[self.path].FromString(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                collector.answered += 1

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def spans(self) -> list[Any]:
        return [
            span
            for request in self.got["/v1/traces"]
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def tree(self) -> list[tuple[str, str]]:
        """Each span's name and its parent's, by when they began."""
        spans = {span.span_id: span for span in self.spans()}
        ordered = sorted(spans.values(), key=lambda each: each.start_time_unix_nano)
        return [
            (each.name, spans[each.parent_span_id].name if each.parent_span_id in spans else "")
            for each in ordered
        ]

    def metrics(self) -> dict[str, Any]:
        return {
            metric.name: metric
            for request in self.got["/v1/metrics"]
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def logs(self) -> list[Any]:
        return [
            record
            for request in self.got["/v1/logs"]
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


def facts(thing: Any) -> dict[str, Any]:
    """The attributes of a span, a point or a record."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in thing.attributes
    }
