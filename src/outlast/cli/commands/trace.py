"""`outlast trace`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from outlast.cli.command import RunId, check_known, command, finish
from outlast.cli.running import matching_run
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.run.export_run import export_run
from outlast.tracing.exporters import ConsoleSpanExporter, FileSpanExporter
from outlast.tracing.processors import BatchTraceProcessor, default_exporter

_SINKS = ("otlp", "openai", "file", "console")


@command("""
outlast trace order-17 --to otlp --endpoint http://localhost:4318
outlast trace order-17 --to openai         needs OPENAI_API_KEY
outlast trace order-17 --to file --file trace.jsonl
""")
def trace(
    run_id: RunId,
    to: Annotated[str, typer.Option("--to", help="otlp, openai, file or console.")] = "otlp",
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The collector for otlp; else OTEL_EXPORTER_*."),
    ] = None,
    file: Annotated[Path, typer.Option(metavar="FILE", help="The file to append to.")] = Path(
        "trace.jsonl"
    ),
    content: Annotated[
        bool | None,
        typer.Option(
            "--content/--no-content", help="What was said is in it; by default not for otlp."
        ),
    ] = None,
) -> int:
    """Export a run's trace from its log.

    It does not matter who performed the run, and when.
    """
    check_known("sink", to, _SINKS)
    found = finish(matching_run(run_id))
    has_content = to != "otlp" if content is None else content
    sink = _sink(to, endpoint, file, has_content=has_content)
    told = finish(export_run(found, sink, include_sensitive_data=has_content))
    lost: int = sink.dropped
    screen = console()
    if lost:
        screen.print(
            Text(f"{lost} of {told + 1} traces and spans were not delivered to {to}.", style="red")
        )
        return 1
    where = plain(file) if to == "file" else to
    screen.print(Text(f"Sent {told} spans of {plain(found)} to {where}."), soft_wrap=True)
    return 0


def _sink(to: str, endpoint: str | None, file: Path, *, has_content: bool) -> Any:
    if to == "otlp":
        from outlast.otel import otlp_processor

        return otlp_processor(endpoint, capture_content=has_content)
    exporters: dict[str, Any] = {
        "openai": default_exporter,
        "file": lambda: FileSpanExporter(file),
        "console": ConsoleSpanExporter,
    }
    return BatchTraceProcessor(exporters[to](), max_queue_size=_QUEUE)


_QUEUE = 1_000_000
