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
from typing import cast

from holdfast.core.events import EffectFailed, RunReopened, TurnPrepared
from holdfast.core.usage import RequestUsage, Usage, copy_usage
from holdfast.definitions.retry import (
    ModelRetryAdviceRequest,
    ModelRetryBackoffSettings,
    ModelRetrySettings,
    RetryDecision,
    RetryPolicy,
    RetryPolicyContext,
    decide,
)
from holdfast.definitions.run_items import ModelResponse
from holdfast.engine.log import RunLog
from holdfast.engine.perform.attempt import Attempt
from holdfast.engine.turn import PreparedTurn
from holdfast.models.normalized import error_code, normalized_error

LOCKED = "conversation_locked"
"""The provider's name for: another request is just adding to this conversation."""
LOCKED_RETRIES = 3
"""How often a call is made again for that reason, also where nothing else is retried."""


def earlier_failures(log: RunLog, effect_id: str) -> list[EffectFailed]:
    """The failed attempts of the model call in progress, latest first."""
    if log.state.attempts.get(effect_id, 1) == 1 and effect_id not in log.state.failures:
        return []
    failures: list[EffectFailed] = []
    for event in reversed(log.events):
        if isinstance(event, (TurnPrepared, RunReopened)):
            break
        if isinstance(event, EffectFailed) and event.id == effect_id:
            failures.append(event)
    return failures


def asks_once(attempt: Attempt, turn: PreparedTurn, failures: Sequence[EffectFailed]) -> bool:
    """Whether the provider's client must not ask again by itself: two would, or none may."""
    settings = _settings(attempt)
    if failures or has_programs(turn):
        return True
    if settings is None or settings.max_retries is None:
        return False
    return settings.max_retries == 0 or (settings.policy is not None and _is_stateful(attempt))


def is_locked(error: Exception | EffectFailed) -> bool:
    """Whether the conversation was busy."""
    if isinstance(error, EffectFailed):
        return error.error.data.get("code") == LOCKED
    return error_code(error) == LOCKED


async def pause_before_next(
    error: Exception, attempt: Attempt, turn: PreparedTurn, failures: Sequence[EffectFailed]
) -> float | None:
    """In how many seconds the call is made again; None if its failure is final."""
    settings = _settings(attempt) or ModelRetrySettings()
    if attempt.has_output or settings.max_retries == 0:
        return None
    locked = min(LOCKED_RETRIES, sum(map(is_locked, failures)))
    if locked < LOCKED_RETRIES and is_locked(error):
        return 2.0**locked
    number = len(failures) - locked + 1
    if settings.policy is None or number > (settings.max_retries or 0):
        return None
    context = _context(error, attempt, number, settings)
    if context is None:
        return None
    decision = await _decision(settings.policy, context, has_programs=has_programs(turn))
    return None if decision is None else _pause(decision, context, settings)


def has_programs(turn: PreparedTurn) -> bool:
    """Whether the model can have called tools while it answered, by a program of its own."""
    return "programmatic_tool_calling" in turn.others


def _settings(attempt: Attempt) -> ModelRetrySettings | None:
    # A mapping has become settings when the `ModelSettings` were made.
    return cast("ModelRetrySettings | None", attempt.settings.retry)


def _is_stateful(attempt: Attempt) -> bool:
    more = attempt.more
    return more["previous_response_id"] is not None or more["conversation_id"] is not None


def _context(
    error: Exception, attempt: Attempt, number: int, settings: ModelRetrySettings
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
        max_retries=settings.max_retries or 0,
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


def _pause(
    decision: RetryDecision, context: RetryPolicyContext, settings: ModelRetrySettings
) -> float:
    for wish in (decision.delay, context.normalized.retry_after):
        if wish is not None and math.isfinite(wish):
            return max(0.0, wish)
    backoff = settings.backoff
    if not isinstance(backoff, ModelRetryBackoffSettings):
        backoff = ModelRetryBackoffSettings()
    return backoff.delay(context.attempt, random.random())  # noqa: S311  # not for secrets


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
