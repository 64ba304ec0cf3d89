"""Settings of one trace."""

from __future__ import annotations

from typing import TypedDict


class TracingConfig(TypedDict, total=False):
    """Settings of one trace; every key may be left out.

    Attributes:
        api_key: The key that the trace is uploaded with, where upload is on.
        include_task_and_turn_spans: False leaves out the spans of runs and turns.
    """

    api_key: str
    include_task_and_turn_spans: bool


def include_task_and_turn_spans(config: TracingConfig | None) -> bool:
    """Whether runs and turns get a span of their own. They do unless ``config`` says no."""
    return config is None or config.get("include_task_and_turn_spans", True)
