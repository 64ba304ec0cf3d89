"""Models for models that fail: the next one in a list, and one that is not asked too often.

A run takes these apart. Which member a call is at follows from the failed attempts in the run's
log, and circuits and limits are shared through the journal; see `calls/model_choice.py`. Asked
directly, outside a run, there is neither: then the members are tried in order, each once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from outlast.calls.health import CircuitBreaker, Pacing
from outlast.core.errors import (
    ModelAuthError,
    ModelRateLimited,
    ModelReplyMalformed,
    ModelStreamTruncated,
    ModelTimeoutError,
    ModelUnavailable,
    UserError,
)
from outlast.definitions.model import Model, ModelProvider
from outlast.models.normalized import normalized_error
from outlast.models.provider import MissingKey, MultiProvider

if TYPE_CHECKING:
    from outlast.definitions.openai_types import TResponseStreamEvent
    from outlast.definitions.run_items import ModelResponse

_MENDABLE = (
    ConnectionError, MissingKey, ModelAuthError, ModelRateLimited, ModelReplyMalformed, ModelStreamTruncated,
    ModelTimeoutError, ModelUnavailable,
)  # fmt: skip
_MENDED_ELSEWHERE = {401, 402, 403, 404, 408, 429}
"""What another key, another account, another name or another endpoint may well be spared."""
_SERVER_ERROR = 500
_CODES = {
    "api_error", "internal_error", "overloaded_error", "rate_limit_error", "rate_limit_exceeded",
    "server_error", "server_overloaded", "service_unavailable", "slow_down", "timeout",
}  # fmt: skip
"""What such failures are called where a stream has begun, and has no status any more."""


class Member(NamedTuple):
    """One model that may answer."""

    label: str
    """What logs and errors call it; no two members of a list have the same."""
    model: str | Model
    pacing: Pacing | None


class FallbackModel(Model):
    """Asks the first of several models, and the next one when that cannot answer.

    A call moves on when a model's attempts are used up by failures that another one could mend: a
    lost connection, a timeout, an answer cut off, 429, 5xx, a refused key, an unknown model. It
    does not after a bad request, after a cancelled run, or once a part of the answer was shown to
    somebody. Every turn begins with the first model again; one that keeps failing is passed over
    while its circuit is open.

    Each failed attempt is an `EffectFailed` in the run's log, and `ModelReplied.model` says who
    answered. A process that dies in between goes on with the model that was next.

    Args:
        models: Names or models, the preferred one first. A `Paced` model keeps its limits.
        breaker: When a model is passed over; None to ask each one every time.
        patience_s: A model that is to be asked again only after more seconds than this gives way
            to the next one, if there is one.

    Raises:
        UserError: There is no model in the list.
    """

    def __init__(
        self,
        models: Sequence[str | Model],
        *,
        breaker: CircuitBreaker | None = CircuitBreaker(),  # noqa: B008 (it is frozen)
        patience_s: float = 10.0,
    ) -> None:
        if isinstance(models, str) or not models:
            raise UserError(f"FallbackModel needs a list of models, got {models!r}.")
        self.members = _labelled([member for model in models for member in members_of(model)])
        self.breaker = breaker
        self.patience_s = patience_s

    async def close(self) -> None:
        """Close the members."""
        for member in self.members:
            if isinstance(member.model, Model):
                await member.model.close()

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """The answer of the first member that has one."""
        *others, last = self._models()
        for model in others:
            try:
                return await model.get_response(*args, **kwargs)
            except Exception as error:
                if not is_mendable(error):
                    raise
        return await last.get_response(*args, **kwargs)

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncGenerator[TResponseStreamEvent]:
        """The answer of the first member that begins one, as it comes."""
        *others, last = self._models()
        for model in (*others, last):
            events = model.stream_response(*args, **kwargs)
            has_begun = False
            try:
                async for event in events:
                    has_begun = True
                    yield event
            except Exception as error:
                if has_begun or model is last or not is_mendable(error):
                    raise
            else:
                return
            finally:
                if isinstance(events, AsyncGenerator):
                    await events.aclose()

    def _models(self) -> list[Model]:
        provider = MultiProvider()
        return [member_model(member.model, provider) for member in self.members]


class Paced(Model):
    """A model that is asked no more often than its provider allows.

    All runs and processes that share a journal count together. A call that has to wait does so
    before it begins, for longer than 2 seconds as a timer in the run's log.

    Args:
        model: A name or a model.
        requests_per_minute: No more calls than this begin in any 60 seconds; None for no limit.
        tokens_per_minute: Calls wait while those of the last 60 seconds have taken this many. What
            a call will be answered is not known when it begins, so the calls that are under way
            together may exceed it by their answers. None for no limit.
        max_wait_s: A call that had to wait longer fails with `ModelPaced` instead.

    Raises:
        UserError: The model is itself a list of models: pace its members.
        ValueError: There is no limit, or one is below 1.
    """

    def __init__(
        self,
        model: str | Model,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_wait_s: float = 300.0,
    ) -> None:
        if isinstance(model, FallbackModel | Paced):
            raise UserError(
                f"Paced(...) takes one model, got a {type(model).__name__}. Limits belong to a "
                "model: write FallbackModel([Paced(...), ...])."
            )
        self.inner = model
        self.pacing = Pacing(
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            max_wait_s=max_wait_s,
        )

    async def close(self) -> None:
        """Close the model."""
        if isinstance(self.inner, Model):
            await self.inner.close()

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """The model's answer, at once: only a run can wait."""
        return await _found(self.inner).get_response(*args, **kwargs)

    def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        """The model's answer as it comes, at once: only a run can wait."""
        return _found(self.inner).stream_response(*args, **kwargs)


class _Keyless(Model):
    """Stands for a model of which there is no key: to ask it fails, and the next one is asked."""

    def __init__(self, model: str, why: MissingKey) -> None:
        self.model = model
        self._why = why

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Nothing."""
        del args, kwargs
        raise self._why

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncGenerator[TResponseStreamEvent]:
        """Nothing."""
        del args, kwargs
        for _ in ():
            yield _
        raise self._why


def member_model(model: str | Model, provider: ModelProvider) -> Model:
    """One of several models, also where it cannot be asked: then that is its failure."""
    if not isinstance(model, str):
        return model
    try:
        return provider.get_model(model)
    except MissingKey as error:
        return _Keyless(model, error)


def members_of(model: str | Model) -> tuple[Member, ...]:
    """The models that ``model`` stands for: itself, if it stands for no others."""
    if isinstance(model, FallbackModel):
        return model.members
    if isinstance(model, Paced):
        return (Member(_name_of(model.inner), model.inner, model.pacing),)
    if not isinstance(model, str | Model):  # pyright: ignore[reportUnnecessaryIsInstance] (a caller's)
        raise UserError(f"A model is a name or a Model, got {type(model).__name__}.")
    return (Member(_name_of(model), model, None),)


def is_mendable(error: Exception) -> bool:
    """Whether a failure is one that another model, key or endpoint may well not have."""
    facts = normalized_error(error)
    if facts.is_abort:
        return False
    if facts.is_network_error or facts.is_timeout or isinstance(error, _MENDABLE):
        return True
    if facts.status_code is None:
        return facts.error_code in _CODES
    return facts.status_code in _MENDED_ELSEWHERE or facts.status_code >= _SERVER_ERROR


def endpoint_of(model: Model) -> str:
    """Where a model is asked: its base URL without credentials, or its class."""
    base: Any = getattr(getattr(model, "_client", None), "base_url", None)
    base = base or getattr(model, "base_url", None)
    parts = urlsplit(str(base or ""))
    if not parts.hostname:
        return type(model).__qualname__
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')}"


def health_key(model: Model, label: str) -> str:
    """Under which name the health of a model is kept."""
    name: Any = getattr(model, "model", None)
    return f"{endpoint_of(model)} {name if isinstance(name, str) else label}"


def _name_of(model: str | Model) -> str:
    name: Any = model if isinstance(model, str) else getattr(model, "model", None)
    return name if isinstance(name, str) else type(model).__name__


def _labelled(members: list[Member]) -> tuple[Member, ...]:
    """The members with a number behind a name that an earlier one has."""
    seen: dict[str, int] = {}
    labelled: list[Member] = []
    for member in members:
        name = member.label.partition("#")[0]
        number = seen[name] = seen.get(name, 0) + 1
        label = name if number == 1 else f"{name}#{number}"
        labelled.append(member._replace(label=label))
    return tuple(labelled)


def _found(model: str | Model) -> Model:
    return MultiProvider().get_model(model) if isinstance(model, str) else model
