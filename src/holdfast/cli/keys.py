"""Whether a model can be called: a key, or the wish to stay offline."""

from __future__ import annotations

import os


def has_key() -> bool:
    """Whether there is a key for the default provider."""
    return bool(os.environ.get("OPENAI_API_KEY", "").strip())


def is_offline() -> bool:
    """Whether the offline stand-in is asked for."""
    return os.environ.get("HOLDFAST_OFFLINE") == "1"
