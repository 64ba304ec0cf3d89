"""Which model a call goes to now, and what its outcome says about that model.

The log's failed attempts say how far a list of models has come: one that is spent is not asked
again in this call, and the attempts of each are its own. So another process goes on where this one
stopped. Whether a model may be asked at all, and when, its health in the journal says.

A plain model has none of this, and choosing it costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import msgspec

from outlast.calls.attempt import Attempt
from outlast.calls.fallback import (
    FallbackModel,
    Member,
    Paced,
    endpoint_of,
    health_key,
    is_mendable,
    member_model,
    members_of,
)
from outlast.calls.health import (
    Asked,
    Circuit,
    CircuitBreaker,
    CircuitEvent,
    Dropped,
    Failed,
    Health,
    HealthStore,
    Pacing,
    Succeeded,
    circuit_after,
    earliest,
    with_call,
    with_tokens,
)
from outlast.core.errors import (
    AgentsException,
    CircuitOpen,
    JournalError,
    ModelPaced,
    ModelStreamTruncated,
)
from outlast.core.events import EffectFailed
from outlast.core.state import RunState
from outlast.definitions.clock import wall_s
from outlast.definitions.model import Model, ModelProvider
from outlast.definitions.run_items import ModelResponse
from outlast.definitions.settings import ModelSettings
from outlast.models.normalized import normalized_error
from outlast.tracing import watching

IN_PROCESS_S = 2.0
"""A longer wait for a slot is a timer in the log."""
_SLOT_S = 60.0
"""How long after it came a slot may be taken."""
_BYTES_PER_TOKEN = 4
_UNSENT = {"CircuitOpen", "ModelPaced"}


class _Verdict(NamedTuple):
    """Whether a model may be asked."""

    may_go: bool
    at: float
    """When it goes; when it may be asked again, if it may not go."""
    is_paced: bool = False


class _Watch(msgspec.Struct, kw_only=True):
    """One call in the eyes of a model's health."""

    store: HealthStore
    key: str
    by: str
    breaker: CircuitBreaker | None
    pacing: Pacing | None
    tokens: int
    """What it is thought to take."""
    at: float = 0.0

    async def verdict(self, max_wait_s: float, *, slot_at: float | None) -> _Verdict:
        """Whether the call may go, which is noted if it may.

        Args:
            max_wait_s: How long it may have to wait.
            slot_at: When its slot came for which it has waited; None if it has not.
        """
        pacing = self.pacing if slot_at is None else None
        self.at = wall_s() if slot_at is None else slot_at
        if pacing is None and (self.breaker is None or not self._circuit().opened):
            return _Verdict(may_go=True, at=self.at)

        def ask(health: Health) -> tuple[Health, _Verdict]:
            return self._asked(health, pacing, max_wait_s)

        verdict = await self.store.change(self.key, ask)
        self.at = verdict.at if slot_at is None else slot_at
        return verdict

    def _asked(
        self, health: Health, pacing: Pacing | None, max_wait_s: float
    ) -> tuple[Health, _Verdict]:
        now, circuit, pace = wall_s(), health.circuit, health.pace
        if self.breaker is not None:
            circuit = circuit_after(circuit, Asked(self.by), now, self.breaker)
            if circuit.name != health.circuit.name:
                watching.tell_circuit(self.key, circuit.name)
            if not circuit.admits(self.by):
                return health, _Verdict(may_go=False, at=circuit.until)
        at = now
        if pacing is not None:
            at = earliest(pace, self.tokens, now, pacing)
            if at - now > max_wait_s:
                return health, _Verdict(may_go=False, at=at, is_paced=True)
            pace = with_call(pace, self.tokens, at, now, pacing)
        return Health(circuit, pace), _Verdict(may_go=True, at=at)

    async def answered(self, response: ModelResponse) -> None:
        """Note that the call succeeded, and what it took."""
        # What the model answered is not lost because nobody could note that it did.
        with suppress(JournalError):
            is_news = self.breaker is not None and self._circuit().failures > 0
            counts = self.pacing is not None and self.pacing.tokens_per_minute is not None
            more = response.usage.total_tokens - self.tokens if counts else 0
            if is_news or more:
                await self._note(Succeeded(self.by), more)

    async def failed(self, error: BaseException) -> None:
        """Note that the call failed, where that says something about the model."""
        with suppress(JournalError):
            if self.breaker is None:
                return
            if isinstance(error, Exception) and is_mendable(error):
                wish = normalized_error(error).retry_after or 0.0
                await self._note(Failed(self.by, wish))
            elif self._circuit().failures:
                is_answer = isinstance(error, Exception) and normalized_error(error).status_code
                await self._note(Succeeded(self.by) if is_answer else Dropped(self.by))

    async def _note(self, event: CircuitEvent, more_tokens: int = 0) -> None:
        def note(health: Health) -> tuple[Health, None]:
            circuit, pace = health.circuit, health.pace
            if self.breaker is not None:
                circuit = circuit_after(circuit, event, wall_s(), self.breaker)
            if circuit.name != health.circuit.name:
                watching.tell_circuit(self.key, circuit.name)
            if more_tokens:
                pace = with_tokens(pace, more_tokens, self.at)
            is_same = circuit is health.circuit and pace is health.pace
            return (health if is_same else Health(circuit, pace)), None

        await self.store.change(self.key, note)

    def _circuit(self) -> Circuit:
        return self.store.get(self.key).circuit


class ModelChoice(msgspec.Struct, kw_only=True):
    """The model that one attempt asks."""

    model: Model
    settings: ModelSettings
    label: str = ""
    """The model's name in the log; empty for a plain model."""
    failures: Sequence[EffectFailed] = ()
    """The attempts of this call that this model failed, latest first."""
    sent: int = 0
    """How many attempts of this call have reached for any model."""
    has_next: bool = False
    patience_s: float = 0.0
    watch: _Watch | None = None
    refusal: AgentsException | None = None
    """Why no model may be asked."""
    exhausted: Sequence[str] = ()
    """The models that this call has given up."""

    async def watched(
        self, response: Callable[[], Awaitable[ModelResponse | None]]
    ) -> ModelResponse:
        """What ``response`` comes to, noted as the model's health.

        Raises:
            CircuitOpen: No model may be asked.
            ModelPaced: None may be asked soon enough.
            ModelStreamTruncated: There is no response.
        """
        if self.refusal is not None:
            raise self.refusal
        try:
            found = _present(await response())
        except BaseException as error:
            if self.watch is not None:
                await self.watch.failed(error)
            raise
        if self.watch is not None:
            await self.watch.answered(found)
        return found

    def goes_to_next(self, error: Exception, pause: float | None, attempt: Attempt) -> bool:
        """Whether the call goes to the next model, and not again to this one in ``pause`` seconds."""
        if not self.has_next or attempt.has_output or not is_mendable(error):
            return False
        if attempt.has_programs:
            return False
        # Without an answer nobody knows whether the conversation has the turn already.
        if attempt.more["conversation_id"] and normalized_error(error).status_code is None:
            return False
        return pause is None or pause > self.patience_s

    def explain(self, error: Exception) -> None:
        """Let the last model's error say which others have failed before it."""
        if self.exhausted:
            error.add_note(f"Models that failed before: {', '.join(self.exhausted)}.")


def _present(response: ModelResponse | None) -> ModelResponse:
    if response is None:
        raise ModelStreamTruncated("Model did not produce a final response!")
    return response


class Question(msgspec.Struct, kw_only=True, frozen=True):
    """A model call, as far as it matters for which model it goes to."""

    model: Model
    """The model that the run or the agent names; it may stand for several."""
    breaker: CircuitBreaker | None
    """The run's."""
    settings: ModelSettings
    """The turn's."""
    settings_of: Callable[[str | Model], ModelSettings]
    """The settings for one of several models."""
    provider: ModelProvider
    """Knows models by name."""
    state: RunState
    by: str
    """The call's place among those of all runs."""
    failures: Sequence[EffectFailed]
    """The call's failed attempts, latest first."""
    input: Sequence[object]
    instructions: str | None
    health: Callable[[], HealthStore]


async def choose(question: Question) -> ModelChoice | ModelPaced:
    """The model of the next attempt, or the error that says until when the call waits for its slot."""
    model = question.model
    if question.breaker is None and _is_plain(type(model)):
        failures = question.failures
        return ModelChoice(
            model=model, settings=question.settings, failures=failures, sent=len(failures)
        )
    return await _Choosing(question).made()


@cache
def _is_plain(kind: type) -> bool:
    return not issubclass(kind, (FallbackModel, Paced))


class _Choosing:
    """One choice between models."""

    def __init__(self, question: Question) -> None:
        model = question.model
        self._question = question
        is_list = isinstance(model, FallbackModel)
        self._breaker = question.breaker or (model.breaker if is_list else None)
        self._patience_s = model.patience_s if is_list else 0.0
        failures = reversed(question.failures)
        self._exhausted = [failed.model for failed in failures if failed.is_model_spent]
        members = self._reachable(members_of(model))
        left = [each for each in members if each.label not in self._exhausted]
        self._left = left or members[-1:]

    async def made(self) -> ModelChoice | ModelPaced:
        """The first model that may be asked, soon if possible."""
        refused: list[tuple[Member, _Verdict]] = []
        is_alone = len(self._left) == 1
        for member in self._left:
            longest = float("inf") if is_alone else self._patience_s
            found, verdict = await self._ask(member, longest)
            if found is not None:
                return found
            refused.append((member, verdict))
        refused.sort(key=lambda each: each[1].at)
        for member in [member for member, verdict in refused if verdict.is_paced and not is_alone]:
            found, _ = await self._ask(member, float("inf"))
            if found is not None:
                return found
        member, verdict = refused[0]
        kind = ModelPaced if verdict.is_paced else CircuitOpen
        refusal = kind(member.label, verdict.at, max(0.0, verdict.at - wall_s()))
        return self._choice(member, refusal=refusal)

    async def _ask(
        self, member: Member, longest_s: float
    ) -> tuple[ModelChoice | ModelPaced | None, _Verdict]:
        """The choice of ``member``, or the moment when its slot comes; None if it may not be asked."""
        choice = self._choice(member)
        watch = choice.watch
        assert watch
        longest_s = min(longest_s, member.pacing.max_wait_s if member.pacing else 0.0)
        verdict = await watch.verdict(longest_s, slot_at=self._slot_of(member))
        if not verdict.may_go:
            return None, verdict
        wait = verdict.at - wall_s()
        if wait > IN_PROCESS_S:
            return ModelPaced(member.label, verdict.at, wait), verdict
        if wait > 0:
            await asyncio.sleep(wait)
        return choice, verdict

    def _choice(self, member: Member, refusal: AgentsException | None = None) -> ModelChoice:
        question, model = self._question, self._resolved(member)
        sent = [each for each in question.failures if each.error.kind not in _UNSENT]
        pacing = member.pacing
        counts = pacing is not None and pacing.tokens_per_minute is not None
        return ModelChoice(
            model=model,
            settings=question.settings_of(member.model),
            label=member.label,
            failures=[each for each in sent if each.model == member.label],
            sent=len(sent),
            has_next=refusal is None and member is not self._left[-1],
            patience_s=self._patience_s,
            watch=_Watch(
                store=question.health(),
                key=health_key(model, member.label),
                by=question.by,
                breaker=self._breaker,
                pacing=pacing,
                tokens=_size(question) // _BYTES_PER_TOKEN if counts else 0,
            ),
            refusal=refusal,
            exhausted=self._exhausted,
        )

    def _slot_of(self, member: Member) -> float | None:
        """When the slot of this model came that the call has waited for; None if it has none."""
        failures = self._question.failures
        latest = failures[0] if failures else None
        if latest is None or latest.error.kind != "ModelPaced" or latest.model != member.label:
            return None
        at = latest.retry_at
        return at if at is not None and 0 <= wall_s() - at < _SLOT_S else None

    def _resolved(self, member: Member) -> Model:
        named, provider = member.model, self._question.provider
        if isinstance(self._question.model, FallbackModel):
            return member_model(named, provider)
        return provider.get_model(named) if isinstance(named, str) else named

    def _reachable(self, members: tuple[Member, ...]) -> list[Member]:
        """The members that know the conversation, where their provider keeps it."""
        state = self._question.state
        options = state.options
        is_kept = options.conversation_id or options.previous_response_id
        is_kept = is_kept or (options.chains_responses and state.response_id)
        if not is_kept or len(members) == 1:
            return list(members)
        answered = (reply.model for reply in reversed(state.replies.since(0)) if reply.model)
        known = {member.label: member for member in members}
        keeper = known.get(next(answered, ""), members[0])
        place = endpoint_of(self._resolved(keeper))
        return [each for each in members if endpoint_of(self._resolved(each)) == place]


def _size(question: Question) -> int:
    """About how many bytes a model is sent."""
    size: Any = msgspec.json.encode(question.input, enc_hook=str)
    return len(size) + len(question.instructions or "")
