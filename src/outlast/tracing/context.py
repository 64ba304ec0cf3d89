"""The trace of a run: a new one, one that is current already, or one that a resumed run goes on with."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self

from outlast.definitions.model import ModelTracing
from outlast.tracing.config import TracingConfig
from outlast.tracing.create import get_current_trace, trace
from outlast.tracing.interface import Trace
from outlast.tracing.traces import NoOpTrace, TraceState, reattach_trace


def create_trace_for_run(  # noqa: PLR0913 (upstream's signature)
    *,
    workflow_name: str,
    trace_id: str | None,
    group_id: str | None,
    metadata: dict[str, Any] | None,
    tracing: TracingConfig | None,
    disabled: bool,
    trace_state: TraceState | None = None,
    reattach_resumed_trace: bool = False,
) -> Trace | None:
    """The trace to start for a run; None if it belongs to the current one.

    Takes what `trace` takes; ``disabled`` keeps the run out of the current trace too.
    ``trace_state`` is the trace that the run had before it was interrupted: with
    ``reattach_resumed_trace``, the run goes on with it if this process started it with the same
    settings.
    """
    if get_current_trace() is not None:
        return NoOpTrace() if disabled else None
    made = trace(
        workflow_name=workflow_name,
        trace_id=trace_id,
        group_id=group_id,
        metadata=metadata,
        tracing=tracing,
        disabled=disabled,
    )
    if not trace_state or not reattach_resumed_trace or isinstance(made, NoOpTrace):
        return made
    key = tracing.get("api_key") if tracing else None
    is_same = (
        trace_state.trace_id == trace_id
        and trace_state.workflow_name == workflow_name
        and trace_state.group_id == group_id
        and trace_state.metadata == metadata
        and trace_state.has_key(key)
    )
    if not is_same or not trace_state.was_started_here():
        return made
    return reattach_trace(trace_state, tracing_api_key=key)


@dataclass(repr=False, eq=False)
class TraceCtxManager:
    """Holds the trace of a run open. Takes what `create_trace_for_run` takes.

    Attributes:
        trace: The trace that was started; None if the current one is used.
    """

    workflow_name: str
    trace_id: str | None
    group_id: str | None
    metadata: dict[str, Any] | None
    tracing: TracingConfig | None
    disabled: bool
    trace_state: TraceState | None = None
    reattach_resumed_trace: bool = False
    trace: Trace | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        given = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        self.trace = create_trace_for_run(**given)
        if self.trace is not None:
            self.trace.start(mark_as_current=True)
        return self

    def __exit__(self, *raised: object) -> None:
        if self.trace is not None:
            self.trace.finish(reset_current=True)


def get_model_tracing_impl(
    tracing_disabled: bool, trace_include_sensitive_data: bool
) -> ModelTracing:
    """What a run's settings mean for its model calls."""
    if tracing_disabled:
        return ModelTracing.DISABLED
    if trace_include_sensitive_data:
        return ModelTracing.ENABLED
    return ModelTracing.ENABLED_WITHOUT_DATA
