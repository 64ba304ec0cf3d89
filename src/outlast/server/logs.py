"""Log lines as JSON, one object a line, with the ids of the request and of the run that they are about.

    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())

What a line is about stands in the context of the request that it was written in, so every line that is
written while it is answered bears the request's id, whoever writes it.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any

import msgspec

from outlast.definitions.clock import utc

_about: ContextVar[dict[str, Any] | None] = ContextVar("outlast_request", default=None)
LOGGERS = ("outlast", "openai.agents")
"""The loggers of Outlast: its own, and the one that programs of the SDK configure."""


def begin_request(request_id: str) -> dict[str, Any]:
    """The facts of the request that is answered from here on."""
    facts: dict[str, Any] = {"request_id": request_id}
    _about.set(facts)
    return facts


def note(**facts: str | None) -> None:
    """Say more of the request that is answered: who asks, and which run it is about."""
    about = _about.get()
    if about is not None:
        about.update((name, value) for name, value in facts.items() if value)


def log_as_json(handler: logging.Handler | None = None) -> None:
    """Write the lines of Outlast's loggers as JSON, by default to the standard error."""
    handler = handler or logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


class JsonFormatter(logging.Formatter):
    """A line as JSON. No line has a newline or another control character in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        at = utc(record.created).isoformat(timespec="milliseconds")
        facts: dict[str, Any] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        facts |= _run_of(record) | (_about.get() or {}) | getattr(record, "facts", {})
        if record.exc_info and record.exc_info[0]:
            facts["error"] = record.exc_info[0].__name__
            facts["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(facts, enc_hook=str).decode()


def _run_of(record: logging.LogRecord) -> dict[str, str]:
    """The run that a line begins with, as those of `outlast.runs` do."""
    is_run = record.msg.startswith("run %s") if isinstance(record.msg, str) else False
    return {"run_id": str(record.args[0])} if is_run and isinstance(record.args, tuple) else {}
