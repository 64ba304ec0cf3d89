"""The key under which OpenAI keeps the beginning of a conversation at hand for the next call."""

from __future__ import annotations

import copy
from hashlib import sha256

from outlast.definitions.model import Model
from outlast.definitions.settings import ModelSettings
from outlast.effects.view import RunView

_NAME = "prompt_cache_key"


def with_cache_key(view: RunView, model: Model, settings: ModelSettings) -> ModelSettings:
    """``settings`` with the key of the run's conversation, where the model takes one and has none.

    All calls of one conversation, session, group or run have one key, whichever comes first, in
    every process and after every crash. The key tells nothing of the ids.
    """
    # The name by which models of openai-agents say so; most have no such method.
    takes_one = getattr(model, "_supports_default_prompt_cache_key", None)
    if takes_one is None or not takes_one():
        return settings
    body = settings.extra_body
    if _NAME in (settings.extra_args or {}) or (isinstance(body, dict) and _NAME in body):
        return settings
    changed = copy.copy(settings)
    changed.extra_args = {**(settings.extra_args or {}), _NAME: _key(view)}
    return changed


def _key(view: RunView) -> str:
    groups = {
        "conversation": view.state.options.conversation_id,
        "session": view.session.session_id if view.session is not None else None,
        "group": view.config.group_id,
        "run": view.run_id,
    }
    kind, value = next((kind, value) for kind, value in groups.items() if value)
    return f"agents-sdk:{kind}:{sha256(value.encode()).hexdigest()[:32]}"
