"""Exporting a run's trace from its log, after the fact."""

from __future__ import annotations

from typing import Any

from outlast.effects.config import RunConfig
from outlast.engine.past_spans import tell_run
from outlast.run.request import journal_of
from outlast.tracing.interface import TracingExporter, TracingProcessor
from outlast.tracing.processors import BatchTraceProcessor

_QUEUE = 1_000_000
"""Spans of one run: none is dropped."""


async def export_run(
    run_id: str,
    to: TracingProcessor | TracingExporter,
    *,
    journal: Any = None,
    workflow: str = RunConfig.workflow_name,
    include_sensitive_data: bool = True,
) -> int:
    """Tell an exporter or a processor of a whole run, as its log has it.

    The spans have the ids and times that they had when the run went on, so a backend that has some of
    them has none twice. Nothing of the run is performed.

    Args:
        run_id: The run.
        to: Where to. An exporter is asked at once; a processor is flushed.
        journal: Where the run is kept, as in `RunConfig`.
        workflow: What the run is called.
        include_sensitive_data: Whether spans say what models and tools were told and answered.

    Returns:
        How many spans were told.

    Raises:
        RunNotFound: There is no such run.
    """
    kept = journal_of(RunConfig(journal=journal))
    processor = to
    if isinstance(to, TracingExporter):
        processor = BatchTraceProcessor(to, max_queue_size=_QUEUE, schedule_delay=_NEVER_S)
    assert isinstance(processor, TracingProcessor)
    told = await tell_run(
        kept, run_id, processor, workflow=workflow, has_data=include_sensitive_data
    )
    processor.force_flush()
    if processor is not to:
        processor.shutdown()
    return told


_NEVER_S = 3600.0
