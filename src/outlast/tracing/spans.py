"""Spans that are recorded, and those that are not."""

from __future__ import annotations

from typing import Any

import outlast.tracing.util as util  # noqa: PLR0402  # from the package, it would be a cycle
from outlast.definitions.logger import logger
from outlast.tracing.interface import Span, SpanError, TracingProcessor, TSpanData
from outlast.tracing.scope import CurrentSpan

# Metadata of a trace that its backend needs on every span, to know where it belongs.
_ROUTING_KEYS = ("agent_harness_id",)


class NoOpSpan(CurrentSpan, Span[TSpanData]):
    """A span that is not recorded; nor are its children."""

    def __init__(self, span_data: TSpanData) -> None:
        self._span_data = span_data

    def set_error(self, error: SpanError) -> None:
        """Nothing."""

    def export(self) -> dict[str, Any] | None:
        return None


class SpanImpl(CurrentSpan, Span[TSpanData]):
    """A span that is recorded: ``processor`` is told when it starts and ends."""

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        trace_id: str,
        span_id: str | None,
        parent_id: str | None,
        processor: TracingProcessor,
        span_data: TSpanData,
        tracing_api_key: str | None,
        trace_metadata: dict[str, Any] | None = None,
    ) -> None:
        self._span_data = span_data
        self._trace_id = trace_id
        self._span_id = span_id or util.gen_span_id()
        self._parent_id = parent_id
        self._processor = processor
        self._tracing_api_key = tracing_api_key
        self._trace_metadata = trace_metadata
        self._dates: tuple[str | None, str | None] = (None, None)

    def date(self, started_at: str | None, ended_at: str | None = None) -> None:
        """Tell of work of the past: the times of its start and end, in place of those of the telling."""
        self._dates = (started_at, ended_at)

    @property
    def is_told_later(self) -> bool:
        """Whether it tells of work of the past, which another process performed."""
        return self._dates[0] is not None

    def start(self, mark_as_current: bool = False) -> None:
        if self._started_at is not None:
            logger.warning("Span already started")
            return
        self._started_at = self._dates[0] or util.time_iso()
        self._processor.on_span_start(self)
        super().start(mark_as_current)

    def finish(self, reset_current: bool = False) -> None:
        try:
            if self._ended_at is None:
                self._ended_at = self._dates[1] or util.time_iso()
                self._processor.on_span_end(self)
            else:
                logger.warning("Span already finished")
        finally:
            super().finish(reset_current)

    def set_error(self, error: SpanError) -> None:
        self._error = error

    def export(self) -> dict[str, Any] | None:
        exported: dict[str, Any] = {
            "object": "trace.span",
            "id": self._span_id,
            "trace_id": self._trace_id,
            "parent_id": self._parent_id,
            "started_at": self._started_at,
            "ended_at": self._ended_at,
            "span_data": self._span_data.export(),
            "error": self._error,
        }
        if metadata := self._metadata():
            exported["metadata"] = metadata
        return exported

    def _metadata(self) -> dict[str, Any]:
        given = self._trace_metadata or {}
        routing = {key: given[key] for key in _ROUTING_KEYS if key in given}
        # Not every kind of span data has metadata, and users may define kinds of their own.
        own: Any = getattr(self._span_data, "metadata", None)
        return routing | own if isinstance(own, dict) else routing
