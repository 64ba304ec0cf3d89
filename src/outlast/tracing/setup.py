"""The trace provider of this process, and what a program sets up for it.

Nothing is recorded and nothing leaves the machine unless a program adds a processor, calls
one of the `export_to_...` functions, or is started with ``OUTLAST_TRACE_EXPORT=openai``.
"""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import outlast.tracing.provider as _provider
import outlast.tracing.util as util  # noqa: PLR0402
from outlast.core.errors import UserError
from outlast.tracing.interface import TracingExporter, TracingProcessor
from outlast.tracing.provider import TraceProvider

if TYPE_CHECKING:
    from outlast.tracing.processors import BatchTraceProcessor

EXPORT_ENV = "OUTLAST_TRACE_EXPORT"

GLOBAL_TRACE_PROVIDER: TraceProvider | None = None
_SHUTDOWN_HANDLER_REGISTERED = False
_DEFAULT_SHUTDOWN_TIMEOUT = 5.0
_lock = threading.Lock()


def get_trace_provider() -> TraceProvider:
    """The provider that everything is traced with; made when first asked for."""
    global GLOBAL_TRACE_PROVIDER  # noqa: PLW0603  # upstream's name, which other tools replace
    if GLOBAL_TRACE_PROVIDER is not None:
        return GLOBAL_TRACE_PROVIDER
    with _lock:
        if GLOBAL_TRACE_PROVIDER is None:
            made = _provider.DefaultTraceProvider(quiet=True)
            if _is_export_wanted():
                from outlast.tracing.processors import default_processor

                made.register_processor(default_processor())
            GLOBAL_TRACE_PROVIDER = made  # pyright: ignore[reportConstantRedefinition]  # a name that other tools know
            _shut_down_at_exit()
        return GLOBAL_TRACE_PROVIDER


def set_trace_provider(provider: TraceProvider) -> None:
    """Trace with ``provider`` from now on. The one before is not shut down."""
    global GLOBAL_TRACE_PROVIDER  # noqa: PLW0603
    with _lock:
        GLOBAL_TRACE_PROVIDER = provider  # pyright: ignore[reportConstantRedefinition]
        _shut_down_at_exit()


def has_own_ids() -> bool:
    """Whether ids of traces are Outlast's to choose: a provider of another system may make its own."""
    return getattr(type(get_trace_provider()), "gen_trace_id", None) is util.Clock.gen_trace_id


def is_listening() -> bool:
    """Whether anybody would be told of a span. If not, there is no need to open one."""
    provider = get_trace_provider()
    if isinstance(provider, _provider.DefaultTraceProvider):
        return provider.is_listened_to()
    return True


def add_trace_processor(span_processor: TracingProcessor) -> None:
    """Tell ``span_processor`` of all traces and spans, beside those added before."""
    get_trace_provider().register_processor(span_processor)


def set_trace_processors(processors: list[TracingProcessor]) -> None:
    """Tell these of all traces and spans, and no others."""
    get_trace_provider().set_processors(processors)


def set_tracing_disabled(disabled: bool) -> None:
    """Record nothing from now on, or record again."""
    get_trace_provider().set_disabled(disabled)


def set_tracing_export_api_key(api_key: str) -> None:
    """Upload with ``api_key``, where upload is on. This does not turn it on."""
    from outlast.tracing.processors import set_export_api_key

    set_export_api_key(api_key)


def export_to_openai() -> None:
    """Upload traces to OpenAI from now on; they hold what models and tools got and said.

    The key is that of `set_tracing_export_api_key`, or ``OPENAI_API_KEY``. Calling this again
    changes nothing.
    """
    from outlast.tracing.processors import default_processor

    get_trace_provider().register_processor(default_processor())


enable_openai_export = export_to_openai
"""The same, by an earlier name."""


def export_to_file(path: str | Path) -> BatchTraceProcessor:
    """Append a line of JSON for each trace and span to a file, from now on."""
    from outlast.tracing.exporters import FileSpanExporter

    return _added(FileSpanExporter(path))


def export_to_console() -> BatchTraceProcessor:
    """Print a line for each trace and span from now on, with content if logs may show content."""
    from outlast.tracing.exporters import ConsoleSpanExporter

    return _added(ConsoleSpanExporter())


def _added(exporter: TracingExporter) -> BatchTraceProcessor:
    from outlast.tracing.processors import BatchTraceProcessor

    processor = BatchTraceProcessor(exporter)
    get_trace_provider().register_processor(processor)
    return processor


def flush_traces() -> None:
    """Deliver what has been recorded so far; return when that is done."""
    get_trace_provider().force_flush()


def _is_export_wanted() -> bool:
    value = os.environ.get(EXPORT_ENV, "").strip().lower()
    if value not in {"", "off", "openai"}:
        raise UserError(f"{EXPORT_ENV} is {value!r}. Set it to 'openai' or 'off', or unset it.")
    return value == "openai"


def _shut_down_at_exit() -> None:
    global _SHUTDOWN_HANDLER_REGISTERED  # noqa: PLW0603
    if not _SHUTDOWN_HANDLER_REGISTERED:
        atexit.register(_shutdown_global_trace_provider)
        _SHUTDOWN_HANDLER_REGISTERED = True  # pyright: ignore[reportConstantRedefinition]


def _shutdown_global_trace_provider() -> None:
    provider = GLOBAL_TRACE_PROVIDER
    if isinstance(provider, _provider.DefaultTraceProvider):
        provider.shutdown(timeout=_DEFAULT_SHUTDOWN_TIMEOUT)
    elif provider is not None:
        provider.shutdown()


# Spans take times and ids from `util`, which cannot import this module.
util.ask(get_trace_provider)
