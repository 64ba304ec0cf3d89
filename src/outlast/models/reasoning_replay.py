"""Whether a model is shown again what it, or another model, thought earlier.

Reasoning never crosses providers: what one of them signed or wrote for itself means nothing to
another, and some refuse it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

REASONING_FIELD = "_chat_completions_reasoning_field"
"""Key of a reasoning item's `provider_data` that names the message field it came in."""
THINKING_BLOCKS = "thinking_blocks"


@dataclass(frozen=True)
class ReasoningContentSource:
    """A reasoning item of the conversation, and where it came from."""

    item: Any
    origin_model: str | None
    """The model that wrote it; None if the item does not say."""
    provider_data: Mapping[str, Any]


@dataclass(frozen=True)
class ReasoningContentReplayContext:
    """What a replay decision is made on: who is asked now, and whose reasoning it is."""

    model: str
    base_url: str | None
    reasoning: ReasoningContentSource


ShouldReplayReasoningContent: TypeAlias = Callable[[ReasoningContentReplayContext], bool]


def default_should_replay_reasoning_content(context: ReasoningContentReplayContext) -> bool:
    """True for DeepSeek's own reasoning, which its API wants back with the calls it led to."""
    if "deepseek" not in context.model.lower():
        return False
    source = context.reasoning
    if source.origin_model is None:
        return has_no_origin(source.provider_data)
    return "deepseek" in source.origin_model.lower()


def is_own(provider_data: Mapping[str, Any], model: str) -> bool:
    """Whether an item with this ``provider_data`` is of ``model``, as far as it says."""
    return provider_data.get("model") == model or has_no_origin(provider_data)


def has_no_origin(provider_data: Mapping[str, Any]) -> bool:
    """Whether an item says nothing about its origin, as those of older histories do not."""
    return not set(provider_data) - {THINKING_BLOCKS}
