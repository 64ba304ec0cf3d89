"""Policies say whether a failed model call is made again, and combine without losing a veto."""

import pytest
from pydantic import ValidationError

from outlast.definitions.retry import (
    ModelRetryAdvice,
    ModelRetryBackoffSettings,
    ModelRetryNormalizedError,
    ModelRetrySettings,
    RetryDecision,
    RetryPolicyContext,
    decide,
    retry_policies,
    retry_policy_retries_all_transient_errors,
    retry_policy_retries_safe_transport_errors,
)


def failure(advice=None, **facts):
    return RetryPolicyContext(
        error=RuntimeError("x"),
        attempt=1,
        max_retries=2,
        stream=False,
        normalized=ModelRetryNormalizedError(**facts),
        provider_advice=advice,
    )


NETWORK = {"is_network_error": True}
UNSAFE = ModelRetryAdvice(suggested=False, replay_safety="unsafe", reason="maybe charged")
APPROVING = RetryDecision(retry=True, approve_unsafe_replay=True)


@pytest.mark.parametrize(
    ("policy", "context", "wanted"),
    [
        (retry_policies.never(), failure(**NETWORK), False),
        (retry_policies.network_error(), failure(**NETWORK), True),
        (retry_policies.network_error(), failure(is_timeout=True), True),
        (retry_policies.network_error(), failure(), False),
        (retry_policies.http_status([429]), failure(status_code=429), True),
        (retry_policies.http_status([429]), failure(status_code=500), False),
        (retry_policies.retry_after(), failure(retry_after=1.5), True),
        (retry_policies.retry_after(), failure(), False),
        (retry_policies.provider_suggested(), failure(), False),
        (retry_policies.provider_suggested(), failure(ModelRetryAdvice(suggested=True)), True),
        (retry_policies.provider_suggested(), failure(ModelRetryAdvice(suggested=False)), False),
    ],
)
async def test_a_policy_answers(policy, context, wanted):
    assert (await decide(policy, context)).retry is wanted


async def test_any_takes_the_last_delay_and_reason():
    policy = retry_policies.any(retry_policies.network_error(), retry_policies.retry_after())
    decision = await decide(policy, failure(retry_after=1.75, **NETWORK))
    assert (decision.retry, decision.delay) == (True, 1.75)


async def test_the_provider_s_no_outvotes_every_other_policy():
    advice = ModelRetryAdvice(suggested=False, reason="no")
    both = (retry_policies.provider_suggested(), retry_policies.network_error())
    for combined in (retry_policies.any(*both), retry_policies.all(*both)):
        decision = await decide(combined, failure(advice, **NETWORK))
        assert (decision.retry, decision.reason) == (False, "no")


async def test_a_veto_for_effects_only_is_lifted_by_who_accepts_them():
    both = (retry_policies.provider_suggested(), lambda _context: APPROVING)
    for combined in (retry_policies.any(*both), retry_policies.all(*both)):
        decision = await decide(combined, failure(UNSAFE))
        assert decision.retry
        assert decision.approve_unsafe_replay


async def test_all_wants_every_policy_to_agree():
    policy = retry_policies.all(retry_policies.network_error(), retry_policies.http_status([500]))
    assert not (await decide(policy, failure(**NETWORK))).retry
    assert (await decide(policy, failure(status_code=500, **NETWORK))).retry
    assert not (await decide(retry_policies.all(), failure())).retry


def test_a_combined_policy_covers_what_its_parts_cover():
    network, status = retry_policies.network_error(), retry_policies.http_status([500])
    assert retry_policy_retries_safe_transport_errors(retry_policies.any(network, status))
    assert not retry_policy_retries_safe_transport_errors(retry_policies.all(network, status))
    suggested = retry_policies.provider_suggested()
    assert retry_policy_retries_all_transient_errors(retry_policies.all(suggested))
    assert not retry_policy_retries_all_transient_errors(None)


def test_an_unknown_word_about_safety_is_unknown():
    assert failure(ModelRetryAdvice(replay_safety="perhaps")).replay_safety == "unknown"
    assert failure(UNSAFE).replay_safety == "unsafe"
    assert not failure().stateful_request


def test_waits_double_up_to_a_limit():
    backoff = ModelRetryBackoffSettings(jitter=False)
    assert [backoff.delay(n) for n in range(1, 6)] == [0.25, 0.5, 1.0, 2.0, 2.0]
    assert backoff.delay(10_000) == 2.0


def test_jitter_is_an_eighth_either_way():
    backoff = ModelRetryBackoffSettings(initial_delay=1)
    assert (backoff.delay(1, 0.0), backoff.delay(1, 0.5)) == (0.875, 1.0)


def test_wrong_settings_are_refused():
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        ModelRetryBackoffSettings(initial_delay=-1)
    with pytest.raises(ValidationError):
        ModelRetrySettings(max_retries="many")
    with pytest.raises(TypeError, match=r"Unknown model settings in retry\.backoff: x"):
        ModelRetrySettings(backoff={"x": 1})


def test_settings_merge_field_by_field():
    mine = ModelRetrySettings(max_retries=2, backoff={"initial_delay": 0.1, "jitter": True})
    merged = mine.merged(ModelRetrySettings(backoff={"jitter": False}))
    assert merged.max_retries == 2
    assert merged.backoff == ModelRetryBackoffSettings(initial_delay=0.1, jitter=False)
    assert mine.merged(ModelRetrySettings(max_retries=0)).backoff == mine.backoff
