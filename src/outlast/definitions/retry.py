"""Whether and when a failed model call is made again.

Nothing is retried unless `ModelSettings.retry` has a policy. A policy is a function of a
`RetryPolicyContext`, sync or async, that answers with a bool or a `RetryDecision`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, cast

from outlast.core.errors import WrongType
from outlast.definitions.calling import awaited
from outlast.definitions.given import check_flag, check_function
from outlast.definitions.pydantic_support import PydanticFriendly, checked

ReplaySafety = Literal["safe", "unsafe", "unknown"]


@dataclass
class ModelRetryBackoffSettings(PydanticFriendly):
    """How the waits between attempts grow. Seconds; what is None takes its default."""

    initial_delay: float | None = None
    """0.25 by default."""
    max_delay: float | None = None
    """2 by default. Does not bound what a policy or the provider asks for."""
    multiplier: float | None = None
    """2 by default."""
    jitter: bool | None = None
    """Whether each wait is up to an eighth longer or shorter; True by default."""

    def __post_init__(self) -> None:
        for name in ("initial_delay", "max_delay", "multiplier"):
            value = getattr(self, name)
            if value is not None and not (type(value) in (int, float) and value >= 0):
                setattr(self, name, checked(value, float, type(self).__name__, name, ge=0))
        if self.jitter is not None:
            check_flag("ModelRetryBackoffSettings jitter", self.jitter)

    def to_json_dict(self) -> dict[str, Any]:
        """The settings as JSON."""
        return dict(self.__dict__)

    def delay(self, attempt: int, chance: float = 0.5) -> float:
        """How long to wait after an attempt (1 is the first); `chance` in [0, 1) is the jitter."""
        first = 0.25 if self.initial_delay is None else self.initial_delay
        limit = 2.0 if self.max_delay is None else self.max_delay
        factor = 2.0 if self.multiplier is None else self.multiplier
        try:
            wait = min(first * factor ** (attempt - 1), limit)
        except OverflowError:
            wait = limit
        return wait if self.jitter is False else wait * (0.875 + chance / 4)


ModelRetryBackoffInput: TypeAlias = ModelRetryBackoffSettings | dict[str, Any]


@dataclass
class ModelRetryNormalizedError:
    """What is known about an error, whichever provider it came from."""

    status_code: int | None = None
    error_code: str | None = None
    message: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    """Seconds."""
    is_abort: bool = False
    is_network_error: bool = False
    is_timeout: bool = False

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Note which of the fields are given."""
        made = super().__new__(cls)
        names = [each.name for each in dataclasses.fields(cls)]
        made.__dict__["_given"] = {*names[: len(args)], *kwargs}
        return made

    def over(self, found: ModelRetryNormalizedError) -> ModelRetryNormalizedError:
        """What ``found`` says, and in its place what this was given, also if that is nothing."""
        given: set[str] = self.__dict__["_given"]
        return dataclasses.replace(found, **{name: self.__dict__[name] for name in given})


@dataclass
class ModelRetryAdvice:
    """What a provider says about trying a failed call again."""

    suggested: bool | None = None
    retry_after: float | None = None
    replay_safety: str | None = None
    """`safe` if the call had no effect, `unsafe` if it may have had one."""
    reason: str | None = None
    normalized: ModelRetryNormalizedError | None = None
    response_started: bool = False


@dataclass
class ModelRetryAdviceRequest:
    """The failure that a provider is asked about."""

    error: Exception
    attempt: int
    stream: bool
    previous_response_id: str | None = None
    conversation_id: str | None = None


@dataclass
class RetryDecision:
    """A policy's answer."""

    retry: bool
    delay: float | None = None
    """Seconds; None for the backoff's or the provider's own."""
    reason: str | None = None
    approve_unsafe_replay: bool = False
    """Whether to try again although the provider cannot rule out that the call had an effect."""


@dataclass
class _Veto(RetryDecision):
    """The provider says no, and no other policy outvotes it."""

    unless_approved: bool = False
    """Only because of effects, which another policy may approve."""


@dataclass
class RetryPolicyContext:
    """The failure that a policy is asked about."""

    error: Exception
    attempt: int
    """1 for the first."""
    max_retries: int
    stream: bool
    normalized: ModelRetryNormalizedError
    provider_advice: ModelRetryAdvice | None = None
    previous_response_id: str | None = None
    conversation_id: str | None = None
    _told: ModelRetryAdvice = dataclasses.field(init=False, repr=False, compare=False)
    """The advice as it came. A policy may change `provider_advice`, but not what is known."""

    def __post_init__(self) -> None:
        self._told = dataclasses.replace(self.provider_advice or ModelRetryAdvice())

    @property
    def suggestion(self) -> bool | None:
        """What the provider suggests, if it does."""
        return self._told.suggested

    @property
    def replay_safety(self) -> ReplaySafety:
        """Whether the failed call can have had an effect."""
        found = self._told.replay_safety
        return cast("ReplaySafety", found) if found in ("safe", "unsafe") else "unknown"

    @property
    def response_started(self) -> bool:
        """Whether a part of the answer had come."""
        return self._told.response_started

    @property
    def stateful_request(self) -> bool:
        """Whether the provider keeps the conversation, so that a repeated call may add to it twice."""
        return self.previous_response_id is not None or self.conversation_id is not None


RetryAnswer: TypeAlias = bool | RetryDecision
RetryPolicy: TypeAlias = Callable[[RetryPolicyContext], RetryAnswer | Awaitable[RetryAnswer]]

_TRANSPORT = "_openai_agents_retries_safe_transport_errors"
_TRANSIENT = "_openai_agents_retries_all_transient_errors"


def retry_policy_retries_safe_transport_errors(policy: RetryPolicy | None) -> bool:
    """Whether a policy covers lost connections, so that the provider's client need not."""
    return bool(getattr(policy, _TRANSPORT, False))


def retry_policy_retries_all_transient_errors(policy: RetryPolicy | None) -> bool:
    """Whether a policy covers everything that the provider's client would try again."""
    return bool(getattr(policy, _TRANSIENT, False))


def _covering(policy: RetryPolicy, *, transport: bool, transient: bool) -> RetryPolicy:
    setattr(policy, _TRANSPORT, transport)
    setattr(policy, _TRANSIENT, transient)
    return policy


async def decide(policy: RetryPolicy, context: RetryPolicyContext) -> RetryDecision:
    """A policy's answer as a decision."""
    answer = await awaited(policy(context))
    return answer if isinstance(answer, RetryDecision) else RetryDecision(retry=bool(answer))


def _agreed(decisions: list[RetryDecision]) -> RetryDecision:
    """All positive decisions as one; what a later one says wins."""
    agreed = RetryDecision(retry=True)
    for each in decisions:
        agreed.delay = each.delay if each.delay is not None else agreed.delay
        agreed.reason = each.reason or agreed.reason
        agreed.approve_unsafe_replay |= each.approve_unsafe_replay
    return agreed


def _combined(
    policies: tuple[RetryPolicy, ...], judge: Callable[[Iterable[object]], bool]
) -> RetryPolicy:
    """One policy of several. ``judge``, which is `any` or `all`, says how many have to want it."""

    async def policy(context: RetryPolicyContext) -> RetryDecision:
        decisions = [await decide(each, context) for each in policies]
        approved = any(each.retry and each.approve_unsafe_replay for each in decisions)
        votes: list[RetryDecision] = []
        for each in decisions:
            if not isinstance(each, _Veto):
                votes.append(each)
            elif not (each.unless_approved and approved):
                return each
        if not votes or not judge(each.retry for each in votes):
            return RetryDecision(retry=False)
        return _agreed([each for each in votes if each.retry])

    return _covering(
        policy,
        transport=bool(policies)
        and judge(map(retry_policy_retries_safe_transport_errors, policies)),
        transient=bool(policies)
        and judge(map(retry_policy_retries_all_transient_errors, policies)),
    )


class _RetryPolicies:
    """Ready-made policies."""

    def never(self) -> RetryPolicy:
        """Never try again."""
        return lambda _context: False

    def provider_suggested(self) -> RetryPolicy:
        """Do as the provider says. Its no stands against all other policies."""

        def policy(context: RetryPolicyContext) -> RetryAnswer:
            advice = context.provider_advice
            if advice is None or context.suggestion is None:
                return False
            if context.suggestion:
                return RetryDecision(retry=True, delay=advice.retry_after, reason=advice.reason)
            unsafe = context.replay_safety == "unsafe"
            return _Veto(retry=False, reason=advice.reason, unless_approved=unsafe)

        return _covering(policy, transport=True, transient=True)

    def network_error(self) -> RetryPolicy:
        """Try again after lost connections and timeouts."""

        def policy(context: RetryPolicyContext) -> bool:
            return context.normalized.is_network_error or context.normalized.is_timeout

        return _covering(policy, transport=True, transient=False)

    def retry_after(self) -> RetryPolicy:
        """Try again when the provider names a time."""

        def policy(context: RetryPolicyContext) -> RetryAnswer:
            delay = context.normalized.retry_after
            return False if delay is None else RetryDecision(retry=True, delay=delay)

        return policy

    def http_status(self, statuses: Iterable[int]) -> RetryPolicy:
        """Try again after these status codes."""
        wanted = frozenset(statuses)
        return lambda context: context.normalized.status_code in wanted

    def any(self, *policies: RetryPolicy) -> RetryPolicy:
        """Try again if one of the policies wants to."""
        return _combined(policies, any)

    def all(self, *policies: RetryPolicy) -> RetryPolicy:
        """Try again if all of the policies want to."""
        return _combined(policies, all)


retry_policies = _RetryPolicies()


@dataclass
class ModelRetrySettings(PydanticFriendly):
    """How often, how soon and why failed model calls are made again."""

    max_retries: int | None = None
    """Beside the first attempt. 0 also stops the provider's client from trying again by itself."""
    backoff: ModelRetryBackoffInput | None = None
    policy: RetryPolicy | None = dataclasses.field(default=None, repr=False)
    """Without one, nothing is retried. It is code, so it is not part of the settings' JSON."""

    def __post_init__(self) -> None:
        if self.max_retries is not None and type(self.max_retries) is not int:
            self.max_retries = checked(self.max_retries, int, type(self).__name__, "max_retries")
        if isinstance(self.backoff, dict):
            self.backoff = ModelRetryBackoffSettings.from_dict(self.backoff, "retry.backoff")
        elif self.backoff is not None and not isinstance(
            cast("Any", self.backoff), ModelRetryBackoffSettings
        ):
            raise WrongType(
                "ModelRetrySettings backoff must be ModelRetryBackoffSettings, a dict or None, got "
                f"{type(self.backoff).__name__}."
            )
        check_function("ModelRetrySettings policy", self.policy)

    def to_json_dict(self) -> dict[str, Any]:
        """The settings as JSON, without the policy."""
        backoff = cast("ModelRetryBackoffSettings | None", self.backoff)
        return {
            "max_retries": self.max_retries,
            "backoff": None if backoff is None else backoff.to_json_dict(),
        }

    def merged(self, over: ModelRetrySettings) -> ModelRetrySettings:
        """These settings, with what `over` sets, field by field."""
        said = _said(over)
        if over.backoff is not None and self.backoff is not None:
            said["backoff"] = dataclasses.replace(cast("Any", self.backoff), **_said(over.backoff))
        return dataclasses.replace(self, **said)


def _said(settings: object) -> dict[str, Any]:
    return {name: value for name, value in settings.__dict__.items() if value is not None}
