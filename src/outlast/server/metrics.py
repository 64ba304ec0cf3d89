"""What the server counts, for Prometheus. Labels are routes, agents and statuses: never what somebody sent."""

from __future__ import annotations

import importlib.util
from typing import Any

from outlast.views.status import ENDED

_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Metrics:
    """The counters of one app; they count nothing where prometheus-client is not installed."""

    def __init__(self) -> None:
        self.is_there = importlib.util.find_spec("prometheus_client") is not None
        if not self.is_there:
            return
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = own = CollectorRegistry()
        told = ("route", "method", "code")
        self._requests = Counter("outlast_http_requests", "Requests", told, registry=own)
        self._request_s = Histogram(
            "outlast_http_request_seconds",
            "Until the answer has begun",
            ("route",),
            registry=own,
            buckets=_SECONDS,
        )
        ended = ("agent", "status")
        self._ended = Counter("outlast_runs_ended", "Runs that ended here", ended, registry=own)
        self._run_s = Histogram(
            "outlast_run_seconds",
            "Of performing a run here",
            ("agent",),
            registry=own,
            buckets=_SECONDS,
        )
        kinds = ("agent", "kind")
        self._tokens = Counter("outlast_tokens", "Of runs that ended here", kinds, registry=own)
        self._runs = Gauge("outlast_runs", "Runs by what they do", ("state",), registry=own)

    def request(self, route: str, method: str, code: int, seconds: float) -> None:
        """Count a request that was answered."""
        if self.is_there:
            self._requests.labels(route, method, str(code)).inc()
            self._request_s.labels(route).observe(seconds)

    def run(self, agent: str, status: str, seconds: float, usage: Any) -> None:
        """Count a run that is no longer performed here."""
        if not self.is_there:
            return
        self._run_s.labels(agent).observe(seconds)
        if status in ENDED:  # Of one that goes on elsewhere, or waits, the end says it all.
            self._ended.labels(agent, status).inc()
            self._tokens.labels(agent, "input").inc(usage.input_tokens)
            self._tokens.labels(agent, "output").inc(usage.output_tokens)

    def text(self, **runs: int) -> bytes:
        """All of it as Prometheus reads it, with how many runs do what now."""
        from prometheus_client import generate_latest

        for state, number in runs.items():
            self._runs.labels(state).set(number)
        return generate_latest(self._registry)
