"""Whether logs may show what models and tools say. They do not, unless the environment asks."""

from __future__ import annotations

import os


def _hides(variable: str) -> bool:
    return os.environ.get(variable, "1").strip().lower() in {"1", "true"}


DONT_LOG_MODEL_DATA = _hides("OPENAI_AGENTS_DONT_LOG_MODEL_DATA")
"""Keep prompts and replies out of logs and error messages."""

DONT_LOG_TOOL_DATA = _hides("OPENAI_AGENTS_DONT_LOG_TOOL_DATA")
"""Keep arguments and results of tools out of logs and error messages."""
