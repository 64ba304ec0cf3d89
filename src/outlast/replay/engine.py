"""The engine of a replay: the loop is the same, models and tools answer from a recording.

What follows from the program is asked of the program as it is now: instructions, which tools there are,
guardrails, handoffs, whether a call needs a person, how a turn ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace as with_fields
from typing import Any

from msgspec.structs import replace

from outlast.core.effects import (
    CallModel,
    Effect,
    LoadSession,
    Park,
    RunTool,
    SaveSession,
    ShortenSession,
    Wait,
)
from outlast.core.errors import AgentsException
from outlast.core.events import Event, TimerFired
from outlast.core.state import RunState
from outlast.core.usage import usage_of
from outlast.definitions.model import Model
from outlast.definitions.run_items import ModelResponse
from outlast.effects.outcome import Emit, HookCall, Outcome
from outlast.effects.performers import perform
from outlast.effects.place import Place, here
from outlast.effects.projection import typed
from outlast.engine.env import RunEnv
from outlast.engine.local import LocalEngine
from outlast.replay.network import blocked
from outlast.views.recording import Recording


class NotRecorded(AgentsException):
    """The program asks for what the recording does not have: from here on it goes another way."""

    def __init__(self, effect: Effect) -> None:
        self.effect = effect
        super().__init__(f"The recording has no result for {effect.id}.")


class RecordedModel(Model):
    """A model that answers at each place in a run what was answered there before."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    async def get_response(self, *args: object, **kwargs: object) -> ModelResponse:
        """The recorded reply."""
        del args, kwargs
        place = here()
        reply = self._recording.reply(place.effect_id) if place is not None else None
        assert reply is not None
        return ModelResponse(
            output=[typed(item) for item in reply.output],
            usage=usage_of(reply.usage),
            response_id=reply.response_id,
            request_id=reply.request_id,
        )

    def stream_response(self, *args: object, **kwargs: object) -> Any:
        """Nobody watches a replay."""
        raise NotImplementedError("A replay is not streamed.")


class ReplayEngine:
    """Performs the effects of one run against a recording.

    Args:
        env: The run.
        recording: What models and tools answered.
    """

    def __init__(self, env: RunEnv, recording: Recording) -> None:
        self._env = env
        self._local = LocalEngine(env)
        self._recording = recording
        self._model = RecordedModel(recording)
        self._open: dict[str, int] = {}
        self._landed = asyncio.Event()
        self.misfits: dict[str, str] = {}
        """Calls whose arguments the tool does not take any more, by effect."""
        self.inner: dict[str, tuple[str, Any]] = {}
        """By recorded run inside this one, the effect that began it and the tool for its agent now."""

    def derive(self, effect: Effect, state: RunState) -> Sequence[Event] | None:
        """What follows without user code, as the program is now."""
        return self._local.derive(effect, state)

    async def perform(self, effect: Effect, emit: Emit) -> Outcome:
        """What ``effect`` came to; results come in the order in which they came then.

        Raises:
            NotRecorded: The recording does not say.
        """
        place = self._recording.places.get(effect.id, len(self._recording.events))
        self._open[effect.id] = place
        try:
            with blocked():
                outcome = await self._performed(effect, emit)
            await asyncio.sleep(0)  # What begins together is known to all of it.
            while min(self._open.values()) < place:
                self._landed.clear()
                await self._landed.wait()
        finally:
            self._open.pop(effect.id, None)
            self._landed.set()
        before = self._recording.before.get(effect.id, ())
        after = self._recording.after.get(effect.id, ())
        return replace(outcome, events=[*before, *outcome.events, *after], hooks=())

    async def tell(self, effect: Effect, hooks: Sequence[HookCall]) -> None:
        """Nothing: hooks heard of it when it happened."""

    def failed(self, effect: Effect, error: Exception) -> Event:
        """See `LocalEngine`."""
        return self._local.failed(effect, error)

    async def _performed(self, effect: Effect, emit: Emit) -> Outcome:
        recorded = self._recording.results.get(effect.id)
        match effect:
            case Wait() | Park():
                return Outcome([TimerFired(effect.id)])
            case CallModel():
                return await self._replied(effect, recorded)
            case RunTool(verdict="run"):
                self._note_tool(effect)
                return self._recorded(effect, recorded)
            case LoadSession() | SaveSession() | ShortenSession():
                return self._recorded(effect, recorded)
            case _ if self._recording.children.get(effect.id):
                # It asked other runs, which are not performed again.
                return self._recorded(effect, recorded)
            case _:
                return await self._local.perform(effect, emit)

    def _recorded(self, effect: Effect, recorded: list[Event] | None) -> Outcome:
        if not recorded:
            raise NotRecorded(effect)
        return Outcome(list(recorded))

    async def _replied(self, effect: CallModel, recorded: list[Event] | None) -> Outcome:
        if not recorded or self._recording.has_failed(effect.id):
            return self._recorded(effect, recorded)
        view = self._env.view()
        view = replace(view, config=with_fields(view.config, model=self._model))
        place = Place(view, effect.id, _nowhere, self._env.log.journal)
        with place.entered():
            outcome = await perform(effect, view, _nowhere)
        for name, data in outcome.blobs.items():
            self._env.log.journal.blobs.put(data, name)
        return outcome

    def _note_tool(self, effect: RunTool) -> None:
        """Note a call that the tool, as it is now, would not take, and whose runs it begins."""
        turn = self._env.turn
        tool: Any = turn.tool(effect.call) if turn is not None else None
        if effect.call.kind != "function" or tool is None:
            return
        if getattr(tool, "agent", None) is not None:
            children = self._recording.children.get(effect.id, ())
            self.inner |= dict.fromkeys(children, (effect.id, tool))
        arguments = self._env.view().call_item(effect.call.index).get("arguments") or ""
        accepts: Any = getattr(tool, "accepts", None)
        if accepts is not None and not accepts(arguments):
            self.misfits[effect.id] = effect.name


async def _nowhere(*events: Event) -> None:
    """What a call adds to a log while it goes on is in the recording, if anywhere."""
    del events
