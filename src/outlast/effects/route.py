"""Which model a call goes to now, and what its outcome says about that model.

The log's failed attempts say how far a list of models has come: one that is spent is not asked
again in this call, and the attempts of each are its own. So another process goes on where this one
stopped. Whether a model may be asked at all, and when, its health in the journal says.

A plain model has none of this, and its route costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
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
from outlast.definitions.default_models import are_default_settings, default_settings_for
from outlast.definitions.model import Model
from outlast.definitions.run_items import ModelResponse
from outlast.definitions.settings import ModelSettings
from outlast.effects.config import ModelInputData
from outlast.effects.failures import error_facts
from outlast.effects.turn import PreparedTurn, turn_model
from outlast.effects.view import RunView
from outlast.models.normalized import normalized_error

IN_PROCESS_S = 2.0
"""A longer wait for a turn is a timer in the log."""
_TURN_S = 60.0
"""How long after it came a turn may be taken."""
_BYTES_PER_TOKEN = 4
_UNSENT = {"CircuitOpen", "ModelPaced"}


class _Verdict(NamedTuple):
    """Whether a model may be asked."""

    may_go: bool
    at: float
    """When it goes; when it may be asked again, if it may not go."""
    is_paced: bool = False


@dataclass(slots=True, kw_only=True)
class _Watch:
    """One call in the eyes of a model's health."""

    store: HealthStore
    key: str
    by: str
    breaker: CircuitBreaker | None
    pacing: Pacing | None
    tokens: int
    """What it is thought to take."""
    at: float = 0.0

    async def verdict(self, max_wait_s: float, *, turn_at: float | None) -> _Verdict:
        """Whether the call may go, which is noted if it may.

        Args:
            max_wait_s: How long it may have to wait.
            turn_at: When its turn came for which it has waited; None if it has not.
        """
        pacing = self.pacing if turn_at is None else None
        self.at = time.time() if turn_at is None else turn_at
        if pacing is None and (self.breaker is None or not self._circuit().opened):
            return _Verdict(may_go=True, at=self.at)

        def ask(health: Health) -> tuple[Health, _Verdict]:
            return self._asked(health, pacing, max_wait_s)

        verdict = await self.store.change(self.key, ask)
        self.at = verdict.at if turn_at is None else turn_at
        return verdict

    def _asked(
        self, health: Health, pacing: Pacing | None, max_wait_s: float
    ) -> tuple[Health, _Verdict]:
        now, circuit, pace = time.time(), health.circuit, health.pace
        if self.breaker is not None:
            circuit = circuit_after(circuit, Asked(self.by), now, self.breaker)
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
                circuit = circuit_after(circuit, event, time.time(), self.breaker)
            if more_tokens:
                pace = with_tokens(pace, more_tokens, self.at)
            is_same = circuit is health.circuit and pace is health.pace
            return (health if is_same else Health(circuit, pace)), None

        await self.store.change(self.key, note)

    def _circuit(self) -> Circuit:
        return self.store.get(self.key).circuit


class Route(msgspec.Struct, kw_only=True):
    """Where one attempt goes."""

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
    spent: Sequence[str] = ()
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

    def moves_on(self, error: Exception, pause: float | None, attempt: Attempt) -> bool:
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
        if self.spent:
            error.add_note(f"Models that failed before: {', '.join(self.spent)}.")


def _present(response: ModelResponse | None) -> ModelResponse:
    if response is None:
        raise ModelStreamTruncated("Model did not produce a final response!")
    return response


async def route(
    view: RunView, turn: PreparedTurn, effect_id: str, given: ModelInputData,
    failures: Sequence[EffectFailed],
) -> Route | EffectFailed:  # fmt: skip
    """The route of the next attempt, or until when the call waits for its turn."""
    model = turn_model(turn.agent, view.config)
    if view.config.breaker is None and _is_plain(type(model)):
        return Route(model=model, settings=turn.settings, failures=failures, sent=len(failures))
    return await _Choice(view, turn, effect_id, given, failures, model).made()


@cache
def _is_plain(kind: type) -> bool:
    return not issubclass(kind, (FallbackModel, Paced))


class _Choice:
    """One choice between models."""

    def __init__(
        self,
        view: RunView,
        turn: PreparedTurn,
        effect_id: str,
        given: ModelInputData,
        failures: Sequence[EffectFailed],
        model: Model,
    ) -> None:
        self._view = view
        self._turn = turn
        self._effect_id = effect_id
        self._given = given
        self._failures = failures
        is_list = isinstance(model, FallbackModel)
        self._breaker = view.config.breaker or (model.breaker if is_list else None)
        self._patience_s = model.patience_s if is_list else 0.0
        self._spent = [failed.model for failed in reversed(failures) if failed.is_model_spent]
        members = self._reachable(members_of(model))
        self._left = [each for each in members if each.label not in self._spent] or members[-1:]

    async def made(self) -> Route | EffectFailed:
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
        refusal = kind(member.label, verdict.at, max(0.0, verdict.at - time.time()))
        return self._route(member, refusal=refusal)

    async def _ask(
        self, member: Member, longest_s: float
    ) -> tuple[Route | EffectFailed | None, _Verdict]:
        """A route to ``member``, or to the moment when its turn comes; None if it may not be asked."""
        made = self._route(member)
        watch = made.watch
        assert watch
        longest_s = min(longest_s, member.pacing.max_wait_s if member.pacing else 0.0)
        verdict = await watch.verdict(longest_s, turn_at=self._turn_of(member))
        if not verdict.may_go:
            return None, verdict
        wait = verdict.at - time.time()
        if wait > IN_PROCESS_S:
            facts = error_facts(ModelPaced(member.label, verdict.at, wait), self._effect_id)
            waits = EffectFailed(self._effect_id, facts, verdict.at, member.label, wait_s=wait)
            return waits, verdict
        if wait > 0:
            await asyncio.sleep(wait)
        return made, verdict

    def _route(self, member: Member, refusal: AgentsException | None = None) -> Route:
        model = self._resolved(member)
        sent = [each for each in self._failures if each.error.kind not in _UNSENT]
        pacing = member.pacing
        counts = pacing is not None and pacing.tokens_per_minute is not None
        return Route(
            model=model,
            settings=self._settings(member),
            label=member.label,
            failures=[each for each in sent if each.model == member.label],
            sent=len(sent),
            has_next=refusal is None and member is not self._left[-1],
            patience_s=self._patience_s,
            watch=_Watch(
                store=self._view.health(),
                key=health_key(model, member.label),
                by=f"{self._view.run_id}/{self._effect_id}",
                breaker=self._breaker,
                pacing=pacing,
                tokens=_size(self._given) // _BYTES_PER_TOKEN if counts else 0,
            ),
            refusal=refusal,
            spent=self._spent,
        )

    def _turn_of(self, member: Member) -> float | None:
        """When the turn of this model came that the call has waited for; None if it has none."""
        latest = self._failures[0] if self._failures else None
        if latest is None or latest.error.kind != "ModelPaced" or latest.model != member.label:
            return None
        at = latest.retry_at
        return at if at is not None and 0 <= time.time() - at < _TURN_S else None

    def _resolved(self, member: Member) -> Model:
        named = member.model
        return (
            self._view.config.model_provider.get_model(named) if isinstance(named, str) else named
        )

    def _settings(self, member: Member) -> ModelSettings:
        """The turn's settings; those of the model itself where the agent has only defaults."""
        agent, config = self._turn.agent, self._view.config
        named = member.model
        if not isinstance(named, str) or not are_default_settings(
            agent.model_settings, agent.model
        ):
            return self._turn.settings
        settings = default_settings_for(named)
        return settings.resolve(config.model_settings) if config.model_settings else settings

    def _reachable(self, members: tuple[Member, ...]) -> list[Member]:
        """The members that know the conversation, where their provider keeps it."""
        state = self._view.state
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


def _size(given: ModelInputData) -> int:
    """About how many bytes a model is sent."""
    size: Any = msgspec.json.encode(given.input, enc_hook=str)
    return len(size) + len(given.instructions or "")
