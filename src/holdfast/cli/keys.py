"""Whether a model can be called: a key, or the wish to stay offline."""

from __future__ import annotations

import os


def has_key() -> bool:
    """Whether the default provider can be asked: with a key, or at an endpoint of the user's own."""
    names = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
    return any(os.environ.get(name, "").strip() for name in names)


def is_offline() -> bool:
    """Whether the offline stand-in is asked for."""
    return os.environ.get("HOLDFAST_OFFLINE") == "1"
