"""Failed model calls: whether they are made again, and when.

A failed attempt is an event in the log, with the moment of the next one. So a process that dies
between two attempts leaves behind how many there were and how long to wait.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from outlast.calls.attempt import Attempt
from outlast.core.errors import (
    CircuitOpen,
    ModelPaced,
    ModelRateLimited,
    ModelStreamTruncated,
    ModelTimeoutError,
    ModelUnavailable,
)
from outlast.core.events import EffectFailed
from outlast.core.state import RunState
from outlast.core.usage import RequestUsage, Usage, copy_usage
from outlast.definitions.limits import ModelEndpoint
from outlast.definitions.retry import (
    ModelRetryAdviceRequest,
    ModelRetryBackoffSettings,
    ModelRetrySettings,
    RetryDecision,
    RetryPolicy,
    RetryPolicyContext,
    decide,
    retry_policies,
)
from outlast.definitions.run_items import ModelResponse
from outlast.models.normalized import error_code, normalized_error

LOCKED = "conversation_locked"
"""The provider's name for: another request is just adding to this conversation."""
LOCKED_RETRIES = 3
"""How often a call is made again for that reason, also where nothing else is retried."""
_FIRST_S, _LONGEST_S = 0.5, 8.0  # Those of the `openai` client.

IN_PLACE_S = 5.0
"""A shorter wait is not worth being parked for."""
_OUTAGES = (
    CircuitOpen, ConnectionError, ModelPaced, ModelRateLimited, ModelStreamTruncated,
    ModelTimeoutError, ModelUnavailable, TimeoutError,
)  # fmt: skip
_STATUSES = {408, 425, 429}
_SERVER_ERROR = 500


class _Rule(msgspec.Struct, frozen=True):
    """What is retried, and how often."""

    policy: RetryPolicy
    max_retries: int
    backoff: object
    is_default: bool = False


def earlier_failures(state: RunState, effect_id: str) -> list[EffectFailed]:
    """The failed attempts of the model call in progress, latest first."""
    return [failed for failed in reversed(state.failed_attempts) if failed.id == effect_id]


def asks_once(attempt: Attempt, failures: Sequence[EffectFailed]) -> bool:
    """Whether the provider's client must not ask again by itself: two would, or none may."""
    settings = _settings(attempt)
    if attempt.endpoint is not None or failures or attempt.has_programs:
        return True
    if settings is None or settings.max_retries is None:
        return False
    return settings.max_retries == 0 or (settings.policy is not None and _is_stateful(attempt))


def is_locked(error: Exception) -> bool:
    """Whether the conversation was busy."""
    return error_code(error) == LOCKED


async def pause_before_next(
    error: Exception, attempt: Attempt, failures: Sequence[EffectFailed]
) -> float | None:
    """In how many seconds the call is made again; None if its failure is final."""
    settings = _settings(attempt) or ModelRetrySettings()
    if attempt.has_output or settings.max_retries == 0:
        return None
    locked = min(
        LOCKED_RETRIES, sum(failed.error.data.get("code") == LOCKED for failed in failures)
    )
    if locked < LOCKED_RETRIES and is_locked(error):
        return 2.0**locked
    number = len(failures) - locked + 1
    rule = _rule(settings, attempt.endpoint)
    if rule is None or number > rule.max_retries:
        return None
    context = _context(error, attempt, number, rule)
    if context is None:
        return None
    decision = await _decision(rule.policy, context, has_programs=attempt.has_programs)
    if decision is None:
        return None
    return _bounded(_pause(decision, context, rule), context, attempt)


def _rule(settings: ModelRetrySettings, endpoint: ModelEndpoint | None) -> _Rule | None:
    """What is retried: what the settings say, else what the provider's client would have."""
    if settings.policy is not None and settings.max_retries is not None:
        return _Rule(settings.policy, settings.max_retries, settings.backoff)
    if endpoint is None:
        return None
    often = endpoint.retries if settings.max_retries is None else settings.max_retries
    return _Rule(retry_policies.provider_suggested(), often, settings.backoff, is_default=True)


def _bounded(pause: float, context: RetryPolicyContext, attempt: Attempt) -> float | None:
    """``pause``, if the limits of the call allow it."""
    bounds, wish = attempt.bounds, context.normalized.retry_after
    is_wish = wish is not None and pause == max(0.0, wish)
    if is_wish and bounds.max_retry_after is not None and pause > bounds.max_retry_after:
        attempt.is_parked = bounds.on_long_retry_after == "park"
        return pause if attempt.is_parked else None
    if bounds.total is not None and attempt.taken_s + pause >= bounds.total:
        return None
    return pause


def _settings(attempt: Attempt) -> ModelRetrySettings | None:
    # A mapping has become settings when the `ModelSettings` were made.
    retry: Any = attempt.settings.retry
    return retry


def _is_stateful(attempt: Attempt) -> bool:
    more = attempt.more
    return more["previous_response_id"] is not None or more["conversation_id"] is not None


def _context(
    error: Exception, attempt: Attempt, number: int, rule: _Rule
) -> RetryPolicyContext | None:
    """What a policy is asked; None if the call was given up on purpose."""
    kept = {key: attempt.more[key] for key in ("previous_response_id", "conversation_id")}
    advice = attempt.model.get_retry_advice(
        ModelRetryAdviceRequest(error, number, attempt.is_streamed, **kept)
    )
    facts = normalized_error(error)
    is_abort = facts.is_abort
    if advice is not None:
        if advice.retry_after is not None:
            facts.retry_after = advice.retry_after
        facts = advice.normalized.over(facts) if advice.normalized else facts
    if is_abort or facts.is_abort:
        return None
    return RetryPolicyContext(
        error=error,
        attempt=number,
        max_retries=rule.max_retries,
        stream=attempt.is_streamed,
        normalized=facts,
        provider_advice=copy.copy(advice),
        **kept,
    )


async def _decision(
    policy: RetryPolicy, context: RetryPolicyContext, *, has_programs: bool
) -> RetryDecision | None:
    """The policy's yes, if a repeated call can do no harm that nobody approved."""
    safety = context.replay_safety
    if has_programs and safety != "safe":
        return None
    if safety == "unsafe" and context.stream:
        return None
    normalized = dataclasses.replace(context.normalized)
    decision = await decide(policy, context)
    context.normalized = normalized
    is_approved = safety == "unsafe" and decision.approve_unsafe_replay
    needs_approval = safety == "unsafe" or (context.stateful_request and safety != "safe")
    return decision if decision.retry and (is_approved or not needs_approval) else None


def _pause(decision: RetryDecision, context: RetryPolicyContext, rule: _Rule) -> float:
    for wish in (decision.delay, context.normalized.retry_after):
        if wish is not None and math.isfinite(wish):
            return max(0.0, wish)
    backoff, chance = rule.backoff, random.random()  # noqa: S311  # not for secrets
    if isinstance(backoff, ModelRetryBackoffSettings):
        return backoff.delay(context.attempt, chance)
    if not rule.is_default:
        return ModelRetryBackoffSettings().delay(context.attempt, chance)
    # All of it is chance: whoever failed together must not come back together.
    return chance * min(_LONGEST_S, _FIRST_S * 2.0 ** min(context.attempt - 1, 16))


def with_failures(response: ModelResponse, failed: int) -> ModelResponse:
    """``response`` with the attempts that failed before it: requests that took no tokens."""
    if not failed:
        return response
    usage = copy_usage(response.usage)
    usage.requests = max(usage.requests, 1) + failed
    own = usage.request_usage_entries or [_entry(usage)]
    usage.request_usage_entries = [*(_entry(Usage()) for _ in range(failed)), *own]
    return dataclasses.replace(response, usage=usage)


def _entry(usage: Usage) -> RequestUsage:
    return RequestUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        input_tokens_details=usage.input_tokens_details,
        output_tokens_details=usage.output_tokens_details,
    )


# --- Outages. ----------------------------------------------------------------------------


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
