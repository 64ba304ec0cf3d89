"""Making traces and spans, and telling processors of them.

`TraceProvider` is the seam for other tracing systems: everything in the SDK opens its traces and
spans through the provider in use, and takes times and ids from it.
"""

from __future__ import annotations

import inspect
import io
import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from outlast.definitions import debug
from outlast.definitions.host import is_replaying
from outlast.definitions.logger import logger
from outlast.tracing.config import TracingConfig
from outlast.tracing.interface import NO_OP_ID, Span, Trace, TracingProcessor, TSpanData
from outlast.tracing.scope import Scope
from outlast.tracing.spans import NoOpSpan, SpanImpl
from outlast.tracing.traces import NoOpTrace, TraceImpl
from outlast.tracing.util import Clock, is_in_use

_DISABLE_ENV = "OPENAI_AGENTS_DISABLE_TRACING"


class SynchronousMultiTracingProcessor(TracingProcessor):
    """Tells several processors, one after the other. One that fails is logged and passed over."""

    def __init__(self) -> None:
        # Replaced and never changed, so that a loop over it is not disturbed.
        self._processors: tuple[TracingProcessor, ...] = ()
        self._lock = threading.Lock()

    @property
    def has_processors(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._processors)

    def add_tracing_processor(self, tracing_processor: TracingProcessor) -> None:
        """Tell ``tracing_processor`` too, from now on; once, however often it is added."""
        with self._lock:
            if tracing_processor not in self._processors:
                self._processors = (*self._processors, tracing_processor)

    def set_processors(self, processors: list[TracingProcessor]) -> None:
        """Tell these processors and no others, from now on."""
        with self._lock:
            self._processors = tuple(processors)

    def _told(self) -> tuple[TracingProcessor, ...]:
        """Whom to tell of what happens now: nobody, if they have been told already."""
        return () if self._processors and is_replaying() else self._processors

    def on_trace_start(self, trace: Trace) -> None:
        for processor in self._told():
            _guarded(processor.on_trace_start, trace)

    def on_trace_end(self, trace: Trace) -> None:
        for processor in self._told():
            _guarded(processor.on_trace_end, trace)

    def on_span_start(self, span: Span) -> None:
        for processor in self._told():
            _guarded(processor.on_span_start, span)

    def on_span_end(self, span: Span) -> None:
        for processor in self._told():
            _guarded(processor.on_span_end, span)

    def shutdown(self, timeout: float | None = None) -> None:
        """Shut all of them down, within ``timeout`` seconds together where they can be told."""
        deadline = None if timeout is None else time.monotonic() + timeout
        for processor in self._processors:
            _safe_debug("Shutting down trace processor")
            if deadline is None or not _takes_timeout(processor):
                _guarded(processor.shutdown)
            else:
                left = max(0.0, deadline - time.monotonic())
                _guarded(processor.shutdown, timeout=left)

    def force_flush(self) -> None:
        for processor in self._processors:
            _guarded(processor.force_flush)


class TraceProvider(Clock, ABC):
    """What makes traces and spans, and decides who is told of them."""

    @abstractmethod
    def register_processor(self, processor: TracingProcessor) -> None:
        """Tell ``processor`` too."""

    @abstractmethod
    def set_processors(self, processors: list[TracingProcessor]) -> None:
        """Tell these processors and no others."""

    @abstractmethod
    def get_current_trace(self) -> Trace | None:
        """The trace that new spans belong to."""

    @abstractmethod
    def get_current_span(self) -> Span | None:
        """The span that new spans are children of."""

    @abstractmethod
    def set_disabled(self, disabled: bool) -> None:
        """Record nothing, or record again. Wins over the environment."""

    @abstractmethod
    def create_trace(
        self,
        name: str,
        trace_id: str | None = None,
        group_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        disabled: bool = False,
        tracing: TracingConfig | None = None,
    ) -> Trace:
        """A new trace, not started yet."""

    @abstractmethod
    def create_span(
        self,
        span_data: TSpanData,
        span_id: str | None = None,
        parent: Trace | Span | None = None,
        disabled: bool = False,
    ) -> Span[TSpanData]:
        """A new span, not started yet; below ``parent``, or else below what is current."""

    def force_flush(self) -> None:  # a provider may have nothing to deliver
        """Deliver what is there now; return when that is done."""

    def shutdown(self) -> None:  # see above
        """Deliver what is left and stop."""


class DefaultTraceProvider(TraceProvider):
    """The provider that is used unless a program sets another one.

    Args:
        quiet: Make spans that nobody would be told of into no-ops.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._multi_processor = SynchronousMultiTracingProcessor()
        self._quiet = quiet
        self._disabled: bool | None = None

    def register_processor(self, processor: TracingProcessor) -> None:
        self._multi_processor.add_tracing_processor(processor)

    def set_processors(self, processors: list[TracingProcessor]) -> None:
        self._multi_processor.set_processors(processors)

    def get_current_trace(self) -> Trace | None:
        return Scope.get_current_trace()

    def get_current_span(self) -> Span | None:
        return Scope.get_current_span()

    def set_disabled(self, disabled: bool) -> None:
        self._disabled = disabled

    def is_listened_to(self) -> bool:
        """Whether anybody would be told of a span."""
        return self._multi_processor.has_processors and not self._is_disabled()

    def create_trace(
        self,
        name: str,
        trace_id: str | None = None,
        group_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        disabled: bool = False,
        tracing: TracingConfig | None = None,
    ) -> Trace:
        if disabled or self._is_disabled():
            _safe_debug("Tracing is disabled. Not creating trace")
            return NoOpTrace()
        _safe_debug("Creating trace")
        return TraceImpl(
            name=name,
            trace_id=trace_id or self.gen_trace_id,
            group_id=group_id,
            metadata=metadata,
            processor=None if self._is_unheard() else self._multi_processor,
            tracing_api_key=tracing.get("api_key") if tracing else None,
        )

    def create_span(
        self,
        span_data: TSpanData,
        span_id: str | None = None,
        parent: Trace | Span | None = None,
        disabled: bool = False,
    ) -> Span[TSpanData]:
        if self._is_unheard():
            return NoOpSpan(span_data)
        if disabled or self._is_disabled():
            shown = "" if debug.DONT_LOG_MODEL_DATA or debug.DONT_LOG_TOOL_DATA else f" {span_data}"
            _safe_debug(f"Tracing is disabled. Not creating span{shown}")
            return NoOpSpan(span_data)
        parent = _current_parent() if parent is None else parent
        if parent is None or span_id == NO_OP_ID:
            return NoOpSpan(span_data)
        is_span = isinstance(parent, Span)
        parent_id = parent.span_id if is_span else None
        if NO_OP_ID in (parent.trace_id, parent_id):
            return NoOpSpan(span_data)
        # Only traces of ours are sure to have metadata; a provider may wrap them.
        metadata = parent.trace_metadata if is_span else getattr(parent, "metadata", None)
        return SpanImpl(
            trace_id=parent.trace_id,
            span_id=span_id or self._next_span_id(),
            parent_id=parent_id,
            processor=self._multi_processor,
            span_data=span_data,
            tracing_api_key=parent.tracing_api_key,
            trace_metadata=metadata,
        )

    def _is_unheard(self) -> bool:
        """Whether nobody would be told. Whoever stands around this provider, as Logfire does, listens."""
        return self._quiet and not self._multi_processor.has_processors and is_in_use(self)

    def _next_span_id(self) -> str:
        named = Scope.get_span_ids()
        is_ours = type(self).gen_span_id is Clock.gen_span_id
        return named() if named is not None and is_ours else self.gen_span_id()

    def force_flush(self) -> None:
        self._is_disabled()
        self._multi_processor.force_flush()

    def shutdown(self, timeout: float | None = None) -> None:
        """Shut all processors down, within ``timeout`` seconds if given."""
        _safe_debug("Shutting down trace provider")
        self._multi_processor.shutdown(timeout)

    def _is_disabled(self) -> bool:
        if self._disabled is None:
            # Read when first needed and then kept: a program may set it after the import.
            self._disabled = os.environ.get(_DISABLE_ENV, "").strip().lower() in {"true", "1"}
        return self._disabled


def _current_parent() -> Trace | Span | None:
    trace, span = Scope.get_current_trace(), Scope.get_current_span()
    if trace is None:
        _safe_debug("No active trace. Open one with `trace()` first. Returning a no-op span")
        return None
    if span is None or trace.trace_id == NO_OP_ID:
        return trace
    # A span around the whole trace is not a part of it.
    return span if span.trace_id in (trace.trace_id, NO_OP_ID) else trace


def _guarded(call: Callable[..., None], *args: object, **kwargs: object) -> None:
    try:
        call(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  # a processor must not break what it watches
        name = getattr(call, "__qualname__", repr(call))
        logger.error("A trace processor failed in %s: %s", name, type(error).__name__)


def _takes_timeout(processor: TracingProcessor) -> bool:
    try:
        return "timeout" in inspect.signature(processor.shutdown).parameters
    except (TypeError, ValueError):  # Something without a signature, such as a mock.
        return False


def _safe_debug(message: str) -> None:
    """Log ``message``, unless a handler's stream is closed, as at the end of a process."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    for handler in logger.handlers:
        stream: Any = getattr(handler, "stream", None)
        if isinstance(stream, io.IOBase) and stream.closed:
            return
    logger.debug(message)
