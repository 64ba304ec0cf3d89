"""What runs take and how they fare, as metrics of OpenTelemetry.

Tokens, durations and cost come from spans, retries and outcomes from the events of logs, and the state
of circuits from whoever changes it. Nothing is counted twice: what a process tells of a run's past was
counted by the one that performed it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from outlast.core import events as facts_of
from outlast.core.records import UsageFacts
from outlast.otel.spans import OPERATION, PROVIDER, describe, nanoseconds
from outlast.run.costs import cost_usd
from outlast.tracing.interface import Span
from outlast.tracing.spans import SpanImpl

_LABELS = ("gen_ai.request.model", "gen_ai.response.model", PROVIDER, OPERATION, "gen_ai.tool.name")
_STATES = {"closed": 0, "half-open": 1, "open": 2}


class Metrics:
    """The instruments, on a meter of the program's or of ours.

    Args:
        meter: Makes the instruments.
        dropped: How many spans were lost so far.
    """

    def __init__(self, meter: Meter, dropped: Callable[[], int]) -> None:
        self._lock = threading.Lock()
        self._circuits: dict[str, str] = {}
        self._counts: dict[type, Callable[[Any], None]] = {
            facts_of.EffectFailed: self._count_failure,
            facts_of.RunCompleted: lambda _: self._runs.add(1, {"status": "completed"}),
            facts_of.RunFailed: lambda _: self._runs.add(1, {"status": "failed"}),
            facts_of.RunCancelled: lambda _: self._runs.add(1, {"status": "cancelled"}),
        }
        self._dropped = dropped
        self._duration = meter.create_histogram("gen_ai.client.operation.duration", unit="s")
        self._tokens = meter.create_histogram("gen_ai.client.token.usage", unit="{token}")
        self._cost = meter.create_counter("outlast.cost", unit="USD")
        self._retries = meter.create_counter("outlast.retries", unit="{attempt}")
        self._runs = meter.create_counter("outlast.runs", unit="{run}")
        meter.create_observable_gauge("outlast.circuit.state", [self._states])
        meter.create_observable_counter("outlast.trace.dropped", [self._lost])

    def count_spans(self, spans: Iterable[Span]) -> None:
        """Count what spans took that have ended."""
        for span in spans:
            if not (isinstance(span, SpanImpl) and span.is_told_later):
                self._count(span)

    def _count(self, span: Span) -> None:
        _, _, facts = describe(span.span_data, has_content=False)
        if facts.get(OPERATION) not in ("chat", "execute_tool", "invoke_agent"):
            return
        labels = {name: facts[name] for name in _LABELS if facts.get(name) is not None}
        if span.error is not None:
            labels["error.type"] = span.error["message"]
        start, end = nanoseconds(span.started_at), nanoseconds(span.ended_at)
        if start is not None and end is not None:
            self._duration.record(max(0, end - start) / 1e9, labels)
        if facts[OPERATION] != "chat":
            return
        counts = {kind: facts.get(f"gen_ai.usage.{kind}_tokens") for kind in ("input", "output")}
        for kind, count in counts.items():
            if count is not None:
                self._tokens.record(count, {**labels, "gen_ai.token.type": kind})
        cached = facts.get("gen_ai.usage.cache_read.input_tokens") or 0
        model = labels.get("gen_ai.request.model", "")
        used = UsageFacts(1, counts["input"] or 0, counts["output"] or 0, cached_tokens=cached)
        cost = cost_usd(model, used, (end or 0) / 1e9)
        if cost:
            self._cost.add(cost, labels)

    def on_events(self, run_id: str, events: Sequence[Any]) -> None:
        """Count attempts that failed, and how runs end."""
        del run_id
        for event in events:
            count = self._counts.get(event.__class__)
            if count is not None:
                count(event)

    def _count_failure(self, failed: facts_of.EffectFailed) -> None:
        if failed.retry_at is not None:
            self._retries.add(1, {"model": failed.model, "error.type": failed.error.kind})

    def on_circuit(self, model: str, state: str) -> None:
        """Note the state of a model's circuit."""
        with self._lock:
            self._circuits[model] = state

    def _states(self, options: CallbackOptions) -> list[Observation]:
        del options
        with self._lock:
            known = dict(self._circuits)
        return [Observation(_STATES[state], {"model": model}) for model, state in known.items()]

    def _lost(self, options: CallbackOptions) -> list[Observation]:
        del options
        return [Observation(self._dropped())]
