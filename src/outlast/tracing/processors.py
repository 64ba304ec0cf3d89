"""Delivering traces and spans in batches, from a thread of its own."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING

from outlast.definitions.logger import logger
from outlast.tracing.exporters import BackendSpanExporter, ConsoleSpanExporter
from outlast.tracing.interface import Span, Trace, TracingExporter, TracingProcessor

if TYPE_CHECKING:
    _Queue = queue.SimpleQueue[Trace | Span]

__all__ = [
    "BackendSpanExporter", "BatchTraceProcessor", "ConsoleSpanExporter", "TracingExporter",
    "TracingProcessor", "default_exporter", "default_processor",
]  # fmt: skip

_SAY_DROPPED_S = 10.0
_LOOK_AT_CLOCK = 100
"""Of so many dropped items, one is the occasion to look whether it is time to say so."""


class BatchTraceProcessor(TracingProcessor):
    """Collects traces as they start and spans as they end, and gives them to ``exporter``.

    The thread starts with the first item. What does not fit is dropped with a warning: a slow
    exporter must not slow down what it watches.

    Args:
        exporter: Delivers; is never called from two threads at the same time.
        max_queue_size: Items kept until they are delivered.
        max_batch_size: Items given to the exporter at once.
        schedule_delay: Seconds that an item waits at most.
        export_trigger_ratio: How full the queue is when delivery starts before that.
    """

    def __init__(
        self,
        exporter: TracingExporter,
        max_queue_size: int = 8192,
        max_batch_size: int = 128,
        schedule_delay: float = 5.0,
        export_trigger_ratio: float = 0.7,
    ) -> None:
        self._exporter = exporter
        # Unbounded and without a lock of Python's: what puts something in is what is watched.
        self._queue: _Queue = queue.SimpleQueue()
        self._max_queue_size = max_queue_size
        self._max_batch_size = max_batch_size
        self._schedule_delay = schedule_delay
        self._trigger_size = max(1, int(max_queue_size * export_trigger_ratio))
        self._wake = threading.Event()
        self._shutdown_event = threading.Event()
        # An exporter that flushes from its own thread must not wait for itself.
        self._export_lock = threading.RLock()
        self._start_lock = threading.Lock()
        self._worker_thread: threading.Thread | None = None
        self._deadline: float | None = None
        self._dropped = 0
        self._in_flight = 0
        self._is_given_up = False
        self._said_dropped = 0.0

    @property
    def dropped(self) -> int:
        """Traces and spans that were lost: the queue was full, or their exporter failed."""
        # An exporter that fails without raising counts itself what it loses.
        return self._dropped + getattr(self._exporter, "dropped", 0)

    def on_trace_start(self, trace: Trace) -> None:
        self._put(trace)

    def on_trace_end(self, trace: Trace) -> None:
        """Nothing: a trace is delivered when it starts."""

    def on_span_start(self, span: Span) -> None:
        """Nothing: a span is delivered when it ends."""

    def on_span_end(self, span: Span) -> None:
        self._put(span)

    def shutdown(self, timeout: float | None = None) -> None:
        """Deliver what is left and stop.

        Args:
            timeout: Seconds to try; what is then left is dropped. None lets every delivery use
                all its attempts.
        """
        if timeout is not None:
            self._deadline = time.monotonic() + timeout
            if isinstance(self._exporter, TracingExporter):  # pyright: ignore[reportUnnecessaryIsInstance]  # or something that only looks like one
                self._exporter.finish_by(self._deadline)
        self._shutdown_event.set()
        self._wake.set()
        worker = self._worker_thread
        if worker is None or not worker.is_alive():
            self._export_batches()
            return
        worker.join(timeout)
        if worker.is_alive():
            # What is being delivered just now may still arrive; nobody will know.
            self._is_given_up = True
            self._dropped += self._queue.qsize() + self._in_flight
            logger.warning(
                "Trace processor shutdown timeout reached after %.1f s; %d queued items are dropped.",
                timeout,
                self._queue.qsize(),
            )

    def force_flush(self) -> None:
        self._export_batches()

    def _put(self, item: Trace | Span) -> None:
        self._ensure_thread_started()
        size = self._queue.qsize()
        if size >= self._max_queue_size:
            self._drop()
        else:
            self._queue.put_nowait(item)
        if size + 1 >= self._trigger_size and not self._wake.is_set():
            self._wake.set()

    def _drop(self) -> None:
        """Count what does not fit, and say so now and then: a line for each would slow what is watched."""
        self._dropped += 1
        if self._dropped % _LOOK_AT_CLOCK and self._dropped > 1:
            return
        now = time.monotonic()
        if self._dropped == 1 or now - self._said_dropped > _SAY_DROPPED_S:
            self._said_dropped = now
            logger.warning(
                "Trace queue is full (%d items): %d items are dropped so far.",
                self._max_queue_size,
                self._dropped,
            )

    def _ensure_thread_started(self) -> None:
        # A thread does not survive a fork; then a new one takes over.
        if self._is_working():
            return
        with self._start_lock:
            if self._shutdown_event.is_set() or self._is_working():
                return
            self._worker_thread = threading.Thread(
                target=self._run, name="outlast-traces", daemon=True
            )
            self._worker_thread.start()

    def _is_working(self) -> bool:
        return self._worker_thread is not None and self._worker_thread.is_alive()

    def _run(self) -> None:
        while not self._shutdown_event.is_set():
            self._wake.wait(self._schedule_delay)
            self._wake.clear()
            self._export_batches()
        self._export_batches()

    def _export_batches(self) -> None:
        with self._export_lock:
            while batch := self._next_batch():
                if self._deadline is not None and time.monotonic() > self._deadline:
                    self._count_lost(len(batch))
                    logger.warning(
                        "Trace processor is shut down; %d items are dropped.", len(batch)
                    )
                    continue
                self._in_flight = len(batch)
                try:
                    self._exporter.export(batch)
                except Exception as error:  # noqa: BLE001  # one batch is lost, not the thread
                    self._count_lost(len(batch))
                    logger.error(
                        "Exporting %d traces and spans failed (non-fatal): %s",
                        len(batch),
                        type(error).__name__,
                    )
                finally:
                    self._in_flight = 0

    def _count_lost(self, number: int) -> None:
        if not self._is_given_up:  # Else whoever gave up has counted them.
            self._dropped += number

    def _next_batch(self) -> list[Trace | Span]:
        batch: list[Trace | Span] = []
        with contextlib.suppress(queue.Empty):
            while len(batch) < self._max_batch_size:
                batch.append(self._queue.get_nowait())
        return batch


_global_exporter: BackendSpanExporter | None = None
_global_processor: BatchTraceProcessor | None = None
_export_api_key: str | None = None


def default_exporter() -> BackendSpanExporter:
    """The exporter to OpenAI; made when first asked for."""
    global _global_exporter  # noqa: PLW0603
    if _global_exporter is None:
        _global_exporter = BackendSpanExporter(api_key=_export_api_key)
    return _global_exporter


def default_processor() -> BatchTraceProcessor:
    """The processor that uploads to OpenAI; made when first asked for."""
    global _global_processor  # noqa: PLW0603
    if _global_processor is None:
        _global_processor = BatchTraceProcessor(default_exporter())
    return _global_processor


def set_export_api_key(api_key: str) -> None:
    """Let the exporter to OpenAI use ``api_key``, be it made already or not."""
    global _export_api_key  # noqa: PLW0603
    _export_api_key = api_key
    if _global_exporter is not None:
        _global_exporter.set_api_key(api_key)
