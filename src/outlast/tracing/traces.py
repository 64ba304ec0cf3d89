"""Traces that are recorded, those that are not, and those that a run goes on with."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import outlast.tracing.util as util  # noqa: PLR0402  # from the package, it would be a cycle
from outlast.definitions.logger import logger
from outlast.tracing.interface import Trace, TracingProcessor
from outlast.tracing.scope import CurrentTrace

# Traces that this process has reported as started. A run that is resumed goes on with one of
# them; a trace of another process may never have arrived.
_MAX_STARTED_TRACE_IDS = 4096
# Ordered: the first of a plain dict takes long to find when those before it were deleted.
_started_trace_ids: OrderedDict[str, None] = OrderedDict()
_started_trace_ids_lock = threading.Lock()


class _Scoped(CurrentTrace, Trace):
    """A trace that says so if it is entered too late."""

    def __enter__(self) -> Self:
        if self._started and self._prev_context_token is None:
            logger.error("Trace already started, but not as the current one")
        self.start(mark_as_current=True)
        return self


class NoOpTrace(_Scoped):
    """A trace that is not recorded; nor are its spans."""

    def export(self) -> dict[str, Any] | None:
        return None


NO_OP_TRACE = NoOpTrace()
"""Stands for "no trace" where one is asked for; never made current."""


class TraceImpl(_Scoped):
    """A trace that is recorded: ``processor`` is told when it starts and ends.

    Args:
        name: The workflow.
        trace_id: Its id, or what makes it; None makes a random one.
        group_id: What ties several traces together.
        metadata: Anything else about it.
        processor: None if nobody listens.
        tracing_api_key: The key that it is uploaded with; None for the exporter's.
    """

    def __init__(
        self,
        name: str,
        trace_id: str | Callable[[], str] | None,
        group_id: str | None,
        metadata: dict[str, Any] | None,
        processor: TracingProcessor | None = None,
        tracing_api_key: str | None = None,
    ) -> None:
        self._name = name
        self._trace_id = trace_id or util.gen_trace_id
        self.group_id = group_id
        self.metadata = metadata
        self._processor = processor
        self._tracing_api_key = tracing_api_key
        self._ended = False

    def start(self, mark_as_current: bool = False) -> None:
        if self._processor is not None and not self._started:
            _remember(self.trace_id)
            self._processor.on_trace_start(self)
        super().start(mark_as_current)

    def finish(self, reset_current: bool = False) -> None:
        try:
            if self._processor is not None and self._started and not self._ended:
                self._ended = True
                self._processor.on_trace_end(self)
        finally:
            super().finish(reset_current)

    def export(self) -> dict[str, Any] | None:
        return {
            "object": "trace",
            "id": self.trace_id,
            "workflow_name": self._name,
            "group_id": self.group_id,
            "metadata": self.metadata,
        }


class ReattachedTrace(TraceImpl):
    """A trace that was started before and goes on; nobody is told of that again."""


@dataclass
class TraceState:
    """A trace as a run state keeps it. The API key is kept as a hash unless asked otherwise."""

    trace_id: str | None = None
    workflow_name: str | None = None
    group_id: str | None = None
    metadata: dict[str, Any] | None = None
    tracing_api_key: str | None = None
    tracing_api_key_hash: str | None = None
    object_type: str | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def from_trace(cls, trace: Trace | None) -> TraceState | None:
        """The state of ``trace``; None if that is not recorded."""
        if trace is None:
            return None
        return cls.from_json(trace.to_json(include_tracing_api_key=True))

    @classmethod
    def from_json(cls, payload: Mapping[str, Any] | None) -> TraceState | None:
        """What `to_json` wrote; None for nothing."""
        if not payload:
            return None
        rest = dict(payload)
        key = rest.pop("tracing_api_key", None)
        key_hash = rest.pop("tracing_api_key_hash", None)
        return cls(
            trace_id=rest.pop("id", None),
            workflow_name=rest.pop("workflow_name", None),
            group_id=rest.pop("group_id", None),
            metadata=rest.pop("metadata", None),
            tracing_api_key=key,
            tracing_api_key_hash=_hashed(key) if key else key_hash,
            object_type=rest.pop("object", None),
            extra=rest,
        )

    def to_json(self, *, include_tracing_api_key: bool = False) -> dict[str, Any] | None:
        """The state as JSON; None if there is no trace in it."""
        if self.trace_id is None and self.workflow_name is None:
            return None
        payload: dict[str, Any] = {
            **self.extra,
            "object": self.object_type or "trace",
            "id": self.trace_id,
            "workflow_name": self.workflow_name,
            "group_id": self.group_id,
            "metadata": self.metadata,
        }
        if include_tracing_api_key and self.tracing_api_key:
            payload["tracing_api_key"] = self.tracing_api_key
        if self.tracing_api_key_hash:
            payload["tracing_api_key_hash"] = self.tracing_api_key_hash
        return payload

    def was_started_here(self) -> bool:
        """Whether this process has reported the start of the trace."""
        with _started_trace_ids_lock:
            return self.trace_id in _started_trace_ids

    def has_key(self, api_key: str | None) -> bool:
        """Whether the trace is uploaded with ``api_key``."""
        return self.tracing_api_key_hash == (_hashed(api_key) if api_key else None)


def reattach_trace(trace_state: TraceState, *, tracing_api_key: str | None = None) -> Trace | None:
    """The trace of ``trace_state``, to go on with; None if the state names none."""
    if trace_state.trace_id is None:
        return None
    return ReattachedTrace(
        name=trace_state.workflow_name or "Agent workflow",
        trace_id=trace_state.trace_id,
        group_id=trace_state.group_id,
        metadata=trace_state.metadata and dict(trace_state.metadata),
        tracing_api_key=tracing_api_key or trace_state.tracing_api_key,
    )


def _remember(trace_id: str) -> None:
    with _started_trace_ids_lock:
        _started_trace_ids[trace_id] = None
        _started_trace_ids.move_to_end(trace_id)
        if len(_started_trace_ids) > _MAX_STARTED_TRACE_IDS:
            _started_trace_ids.popitem(last=False)


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
