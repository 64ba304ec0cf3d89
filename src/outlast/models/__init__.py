"""Models, and what finds one by its name."""

from __future__ import annotations

from outlast.definitions.default_models import (
    get_default_model,
    get_default_model_settings,
    gpt_5_reasoning_settings_required,
    is_gpt_5_default,
)
from outlast.models.defaults import OpenAIAgentRegistrationConfig

__all__ = [
    "OpenAIAgentRegistrationConfig",
    "get_default_model",
    "get_default_model_settings",
    "gpt_5_reasoning_settings_required",
    "is_gpt_5_default",
]
