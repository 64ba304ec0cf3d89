"""What a trace, a span, a processor of both and an exporter are; the kinds of them stand elsewhere."""

from __future__ import annotations

import abc
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypedDict

from typing_extensions import TypeVar

from outlast.tracing.span_data import SpanData

TSpanData = TypeVar("TSpanData", bound=SpanData, default=Any)

NO_OP_ID = "no-op"
"""The id of every trace and span that is not recorded."""


class SpanError(TypedDict):
    """What went wrong in a span."""

    message: str
    data: dict[str, Any] | None


class _Scoped(abc.ABC):
    """Something with a beginning and an end. Enter it, or start and finish it."""

    _tracing_api_key: str | None = None

    @abc.abstractmethod
    def start(self, mark_as_current: bool = False) -> None:
        """Begin; and be what new spans belong to, if told so."""

    @abc.abstractmethod
    def finish(self, reset_current: bool = False) -> None:
        """End; and give way to what was current before, if told so."""

    @abc.abstractmethod
    def __enter__(self) -> Self: ...

    @abc.abstractmethod
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None: ...

    @abc.abstractmethod
    def export(self) -> dict[str, Any] | None:
        """What is recorded, as JSON; None if nothing is."""

    @property
    def tracing_api_key(self) -> str | None:
        """The key that this trace is uploaded with; None for the exporter's."""
        return self._tracing_api_key


class Span(_Scoped, Generic[TSpanData]):
    """A piece of work. Made by `custom_span` and its siblings."""

    _trace_id: str = NO_OP_ID
    _span_id: str = NO_OP_ID
    _span_data: TSpanData
    _parent_id: str | None = None
    _started_at: str | None = None
    _ended_at: str | None = None
    _error: SpanError | None = None
    _trace_metadata: dict[str, Any] | None = None

    @property
    def trace_id(self) -> str:
        """The trace that the span belongs to."""
        return self._trace_id

    @property
    def span_id(self) -> str:
        """Unique in its trace."""
        return self._span_id

    @property
    def span_data(self) -> TSpanData:
        """What the span is about."""
        return self._span_data

    @property
    def parent_id(self) -> str | None:
        """The span around this one; None directly below the trace."""
        return self._parent_id

    @property
    def started_at(self) -> str | None:
        """ISO 8601, UTC; None before the start."""
        return self._started_at

    @property
    def ended_at(self) -> str | None:
        """ISO 8601, UTC; None before the end."""
        return self._ended_at

    @abc.abstractmethod
    def set_error(self, error: SpanError) -> None:
        """Say what went wrong; the last word counts."""

    @property
    def error(self) -> SpanError | None:
        """What went wrong, if anything."""
        return self._error

    @property
    def trace_metadata(self) -> dict[str, Any] | None:
        """The metadata of the trace."""
        return self._trace_metadata


class Trace(_Scoped):
    """Everything that one workflow did. Made by `trace`."""

    _trace_id: str | Callable[[], str] = NO_OP_ID
    _name: str = NO_OP_ID

    @property
    def trace_id(self) -> str:
        """Unique. Made when somebody looks, so that a trace nobody looks at costs nothing."""
        if not isinstance(self._trace_id, str):
            self._trace_id = self._trace_id()
        return self._trace_id

    @property
    def name(self) -> str:
        """The workflow."""
        return self._name

    def to_json(self, *, include_tracing_api_key: bool = False) -> dict[str, Any] | None:
        """The trace as JSON, with its API key only if asked; None if it is not recorded."""
        exported = self.export()
        if exported is None or not include_tracing_api_key or self.tracing_api_key is None:
            return exported
        return {**exported, "tracing_api_key": self.tracing_api_key}


class TracingProcessor(abc.ABC):
    """What is told of every trace and span. Calls may come from any thread and must not block."""

    @abc.abstractmethod
    def on_trace_start(self, trace: Trace) -> None:
        """``trace`` has begun."""

    @abc.abstractmethod
    def on_trace_end(self, trace: Trace) -> None:
        """``trace`` has ended."""

    @abc.abstractmethod
    def on_span_start(self, span: Span) -> None:
        """``span`` has begun; its data may still change."""

    @abc.abstractmethod
    def on_span_end(self, span: Span) -> None:
        """``span`` has ended; its data is complete."""

    @abc.abstractmethod
    def shutdown(self) -> None:
        """Deliver what is left and stop. Takes a ``timeout`` in seconds if it has that parameter."""

    @abc.abstractmethod
    def force_flush(self) -> None:
        """Deliver what is there now; return when that is done."""


class TracingExporter(abc.ABC):
    """What delivers traces and spans in batches."""

    @abc.abstractmethod
    def export(self, items: list[Trace | Span]) -> None:
        """Deliver ``items``; may block. An error loses these items and no others."""

    def finish_by(self, deadline: float) -> None:
        """Stop waiting between attempts, and be done by ``deadline`` (of `time.monotonic`)."""
        del deadline
