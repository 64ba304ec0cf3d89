"""Which model answers when nobody says which, and how each model likes to be called."""

from __future__ import annotations

import os
import re
from functools import cache

from outlast.definitions.settings import ModelSettings, copy_settings

OPENAI_DEFAULT_MODEL_ENV_VARIABLE_NAME = "OPENAI_DEFAULT_MODEL"
_DEFAULT = "gpt-5.6-luna"
_EFFORTS = {
    "none": (
        "gpt-5.1", "gpt-5.2", "gpt-5.3-codex", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano",
        "gpt-5.5", "gpt-5.6", "gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna",
    ),
    "low": ("gpt-5", "gpt-5.2-codex"),
    "medium": ("gpt-5.2-pro", "gpt-5.4-pro"),
}  # fmt: skip
_EFFORT_OF = {model: effort for effort, models in _EFFORTS.items() for model in models}
KNOWN_MODELS = (
    *_EFFORT_OF, "gpt-5-mini", "gpt-5-nano", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-4o",
    "gpt-4o-mini", "o3", "o3-mini", "o4-mini",
)  # fmt: skip
"""Names to suggest where one is nearly right. A name that is not here may well be one."""
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_UNDATED = {"gpt-5.2-codex"}
"""Has no dated snapshots, so that a date behind it names something unknown."""


def get_default_model() -> str:
    """The model of agents that name none: `OPENAI_DEFAULT_MODEL`, or a current one."""
    return os.getenv(OPENAI_DEFAULT_MODEL_ENV_VARIABLE_NAME, _DEFAULT).lower()


def is_gpt_5_default() -> bool:
    """Whether the default model reasons the GPT-5 way."""
    return gpt_5_reasoning_settings_required(get_default_model())


def gpt_5_reasoning_settings_required(model_name: str) -> bool:
    """Whether a model takes GPT-5's reasoning settings. Its chat versions do not."""
    is_chat = re.fullmatch(r"gpt-5(\.\d+)?-chat-latest", model_name) is not None
    return model_name.startswith("gpt-5") and not is_chat


def get_default_model_settings(model: str | None = None) -> ModelSettings:
    """How a model, by default the default one, is called when nobody says how; a new object."""
    return copy_settings(_defaults(get_default_model() if model is None else model))


@cache
def _defaults(model: str) -> ModelSettings:
    if not gpt_5_reasoning_settings_required(model):
        return ModelSettings()
    family = _DATE.sub("", model)
    effort = None if family in _UNDATED and family != model else _EFFORT_OF.get(family)
    settings = ModelSettings(verbosity="low")
    settings.__dict__["reasoning"] = effort
    return settings


def default_settings_for(model: object) -> ModelSettings:
    """The same for an agent's model; a `Model`, be it what it is, has no defaults of its own."""
    if model is None or isinstance(model, str):
        return get_default_model_settings(model)
    return ModelSettings()


def are_default_settings(settings: ModelSettings, model: object) -> bool:
    """Whether an agent's settings are no more than the defaults of its own model."""
    return settings == default_settings_for(model)
