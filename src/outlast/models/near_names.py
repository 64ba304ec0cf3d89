"""What somebody may have meant who has written the name of a model that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from outlast.definitions.default_models import KNOWN_MODELS

OFFLINE = "offline"
_LIBRARIES = ("openai", "litellm", "any-llm")
_VENDORS = frozenset((
    "anthropic", "azure", "bedrock", "cerebras", "cohere", "deepseek", "fireworks_ai", "gemini", "groq",
    "mistral", "ollama", "openrouter", "perplexity", "together_ai", "vertex_ai", "xai",
))  # fmt: skip
"""Prefixes that mean something to LiteLLM."""
_NEAR = 0.75


def meant_model(name: str) -> str:
    """A sentence with the known name that is nearest to ``name``; empty if none is near."""
    _, _, last = name.rpartition("/")
    return _did_you_mean(last, (OFFLINE, *KNOWN_MODELS))


def meant_prefix(prefix: str, name: str, known: Iterable[str]) -> str:
    """The same for the prefix of a model's ``name``, which is the whole of it."""
    if prefix.lower() in _VENDORS:
        return f" Did you mean 'litellm/{prefix.lower()}{name[len(prefix) :]}'?"
    near = _nearest(prefix, (*_LIBRARIES, *known, *sorted(_VENDORS)))
    if near is None:
        return ""
    through = "litellm/" if near in _VENDORS else ""
    return f" Did you mean '{through}{near}{name[len(prefix) :]}'?"


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = _nearest(name, known)
    return f" Did you mean {near!r}?" if near is not None else ""


def _nearest(name: str, known: Iterable[str]) -> str | None:
    if len(name) > _LONGEST:
        return None
    found = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=_NEAR)
    return found[0] if found and found[0] != name else None


_LONGEST = 80
