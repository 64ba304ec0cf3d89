"""A span for each command that Codex runs, within what the run allows spans to hold."""

from __future__ import annotations

import json
from typing import Any

from outlast.extras.codex.items import CommandExecutionItem
from outlast.tracing.create import custom_span
from outlast.tracing.interface import Span

SPAN_TRIM_KEYS = (
    "arguments", "command", "output", "result", "error", "text", "changes", "items",
)  # fmt: skip
"""What of a span's data is cut when it is too long, and in this order left out."""


class CommandSpans:
    """The spans of the commands that go on in one turn."""

    def __init__(self, config: Any | None, max_chars: int | None) -> None:
        """``config`` is that of the run, if there is one; ``max_chars`` bounds a span's data."""
        self._has_data = config is None or config.trace_include_sensitive_data
        self._is_off = config is not None and config.tracing_disabled
        self._max_chars = max_chars
        self._open: dict[str, Span] = {}

    def began(self, item: CommandExecutionItem) -> None:
        """Open the command's span."""
        span = custom_span("Codex command execution", disabled=self._is_off)
        self._write(span, item)
        span.start()
        self._open[item.id] = span

    def changed(self, item: CommandExecutionItem) -> None:
        """Say in the command's span how far it is."""
        if span := self._open.get(item.id):
            self._write(span, item)

    def ended(self, item: CommandExecutionItem) -> None:
        """Close the command's span, with an error if the command failed."""
        span = self._open.pop(item.id, None)
        if span is None:
            return
        self._write(span, item)
        if item.status == "failed" or item.exit_code:
            data: dict[str, Any] = {"exit_code": item.exit_code}
            if self._has_data:
                data["output"] = _cut(item.aggregated_output, self._max_chars)
            span.set_error({"message": "Codex command execution failed.", "data": data})
        span.finish()

    def close(self) -> None:
        """Close what a turn has left open."""
        for span in self._open.values():
            span.finish()
        self._open.clear()

    def _write(self, span: Span, item: CommandExecutionItem) -> None:
        data = dict(span.span_data.data)
        data |= {"status": item.status, "exit_code": item.exit_code}
        if self._has_data:
            data["command"] = item.command
            # A last report without output does not take back what was reported before.
            if item.aggregated_output:
                data["output"] = item.aggregated_output
        span.span_data.data = bounded(data, self._max_chars)


def bounded(data: dict[str, Any], max_chars: int | None) -> dict[str, Any]:
    """``data`` in at most ``max_chars`` characters of JSON; None is no bound."""
    if max_chars is None:
        return data
    data = {name: _cut(value, max_chars) for name, value in data.items()}
    for name in SPAN_TRIM_KEYS[::-1]:
        if (excess := _size(data) - max_chars) <= 0:
            return data
        if isinstance(text := data.get(name), str):
            keep = len(text) - excess
            data[name] = _cut(text, keep) if keep > 0 else ""
            if not data[name]:
                del data[name]
    return data if _size(data) <= max_chars else {}


def _cut(value: Any, max_chars: int | None) -> Any:
    if not isinstance(value, str) or max_chars is None or len(value) <= max_chars:
        return value
    note = f"... [truncated, {len(value)} chars]"
    kept = max_chars - len(note)
    return value[:kept] + note if kept > 0 else value[: max(max_chars, 0)]


def _size(data: dict[str, Any]) -> int:
    return len(json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str))
