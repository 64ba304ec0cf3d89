"""Lines of Python's logging as records of OpenTelemetry, with the run that each is about."""

from __future__ import annotations

import logging
from typing import Any

from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber

from outlast.definitions.clock import wall_us

_SEVERITIES = {
    logging.DEBUG: SeverityNumber.DEBUG, logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN, logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}  # fmt: skip
_OURS = ("run_id", "event")
"""Attributes that lines about runs have."""


class OtelLogHandler(logging.Handler):
    """Hands lines to a provider of OpenTelemetry, in the trace that they came up in."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        """Hand over one line. Nothing that goes wrong reaches whoever logs."""
        try:
            facts: dict[str, Any] = {
                f"outlast.{name}": getattr(record, name) for name in _OURS if hasattr(record, name)
            }
            if record.exc_info and record.exc_info[0]:
                facts["exception.type"] = record.exc_info[0].__name__
            made = LogRecord(
                timestamp=int(record.created * 1e9),
                observed_timestamp=wall_us() * 1000,
                severity_text=record.levelname,
                severity_number=_SEVERITIES.get(record.levelno, SeverityNumber.UNSPECIFIED),
                body=record.getMessage(),
                attributes=facts,
            )
            self._provider.get_logger(record.name).emit(made)
        except Exception:  # noqa: BLE001  # a line that cannot be told is not worth a run
            self.handleError(record)
