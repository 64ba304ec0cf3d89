"""What a failure of an effect is as an event, and whether a provider that is down is behind it."""

from __future__ import annotations

from outlast.core.effects import CallModel, Effect
from outlast.core.errors import (
    CircuitOpen,
    ModelPaced,
    ModelRateLimited,
    ModelStreamTruncated,
    ModelTimeoutError,
    ModelUnavailable,
)
from outlast.core.events import EffectFailed
from outlast.effects.failures import error_facts
from outlast.effects.live import Live
from outlast.models.normalized import normalized_error

IN_PLACE_S = 5.0
"""A shorter wait is not worth being parked for."""
_OUTAGES = (
    CircuitOpen, ConnectionError, ModelPaced, ModelRateLimited, ModelStreamTruncated,
    ModelTimeoutError, ModelUnavailable, TimeoutError,
)  # fmt: skip
_STATUSES = {408, 425, 429}
_SERVER_ERROR = 500


def failure_event(effect: Effect, live: Live, error: Exception) -> EffectFailed:
    """The failure of ``effect``: the error for the caller, its class and message for the log."""
    live.errors[effect.id] = error
    facts = error_facts(error, effect.id)
    if not isinstance(effect, CallModel) or not is_outage(error):
        return EffectFailed(effect.id, facts)
    return EffectFailed(effect.id, facts, wait_s=longest_wish(error), is_outage=True)


def is_outage(error: Exception) -> bool:
    """Whether the same request may well succeed later: nothing is wrong with it."""
    facts = normalized_error(error)
    if facts.is_abort:
        return False
    if isinstance(error, _OUTAGES) or facts.is_network_error or facts.is_timeout:
        return True
    status = facts.status_code
    return status is not None and (status in _STATUSES or status >= _SERVER_ERROR)


def longest_wish(error: Exception) -> float | None:
    """For how long the provider wants to be left alone, in seconds; None if it does not say."""
    return normalized_error(error).retry_after
