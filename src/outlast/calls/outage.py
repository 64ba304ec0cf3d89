"""Whether a provider that is down is behind a failure, and how long it wants to be left alone."""

from __future__ import annotations

from outlast.core.errors import (
    CircuitOpen,
    ModelPaced,
    ModelRateLimited,
    ModelStreamTruncated,
    ModelTimeoutError,
    ModelUnavailable,
)
from outlast.models.normalized import normalized_error

IN_PLACE_S = 5.0
"""A shorter wait is not worth being parked for."""
_OUTAGES = (
    CircuitOpen, ConnectionError, ModelPaced, ModelRateLimited, ModelStreamTruncated,
    ModelTimeoutError, ModelUnavailable, TimeoutError,
)  # fmt: skip
_STATUSES = {408, 425, 429}
_SERVER_ERROR = 500


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
