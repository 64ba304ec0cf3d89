"""The local engine: effects are performed in this process, events go to the journal."""

from __future__ import annotations

from collections.abc import Sequence

from outlast.core.effects import Effect, Prepare
from outlast.core.events import EffectLost, Event
from outlast.core.state import RunState
from outlast.effects import prepare
from outlast.effects.hook_calls import tell_hooks
from outlast.effects.live import failure_event
from outlast.effects.outcome import Emit, HookCall, Outcome
from outlast.effects.performers import perform
from outlast.effects.place import Place
from outlast.engine.env import RunEnv
from outlast.engine.relatives import is_made_elsewhere


class LocalEngine:
    """Performs the effects of one run in this process."""

    __slots__ = ("_places", "env")

    def __init__(self, env: RunEnv) -> None:
        self.env = env
        self._places: dict[str, Place] = {}
        """Of effects that hooks are still to hear of, where they were performed."""

    def derive(self, effect: Effect, state: RunState) -> Sequence[Event] | None:
        """What follows without user code; None for everything that has to be performed."""
        del state
        env = self.env
        if env.spans is not None:
            env.spans.before(effect)
        if not isinstance(effect, Prepare):
            return None
        prepared = prepare.derive(effect, env.view())
        if prepared is None:
            return None
        env.live.begin_turn(effect.id, prepared.turn)
        return self._kept(prepared.outcome).events

    async def perform(self, effect: Effect, emit: Emit) -> Outcome:
        """Perform ``effect``. An error of user code or of a model is its failure, as an event."""
        env = self.env
        view = env.view()
        if view.state.relatives and await is_made_elsewhere(env.log.journal, view, effect):
            return Outcome([EffectLost(effect.id)])
        place = Place(view, effect.id, emit, env.log.journal)
        within = env.spans.perform if env.spans is not None else None
        with place.entered():
            outcome = await perform(effect, view, emit, within)
        if outcome.hooks:
            self._places[effect.id] = place
        return self._kept(outcome) if outcome.blobs else outcome

    async def tell(self, effect: Effect, hooks: Sequence[HookCall]) -> None:
        """Let hooks hear of what ``effect`` came to."""
        view = self.env.view()

        async def told() -> None:
            for call in hooks:
                await tell_hooks(call, view)

        with self._places.pop(effect.id).afterwards().entered():
            if self.env.spans is None:
                await told()
            else:
                await self.env.spans.tell(effect, told)

    def failed(self, effect: Effect, error: Exception) -> Event:
        """Remember ``error`` for the caller, and its class and message for the log."""
        return failure_event(effect, self.env.live, error)

    def _kept(self, outcome: Outcome) -> Outcome:
        """``outcome``, and what its events name will be stored with them."""
        for name, data in outcome.blobs.items():
            self.env.log.journal.blobs.put(data, name)
        return outcome
