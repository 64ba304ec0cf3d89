"""What the session of a run is to be told, and when. Pure, like `decide`, which asks."""

from __future__ import annotations

from outlast.core.effects import Effect, SaveSession, ShortenSession
from outlast.core.ids import effect_id
from outlast.core.state import RunState


def input_save(state: RunState) -> list[Effect]:
    """The wish to save what the run began with; nothing while the run goes on without its session."""
    if not state.options.session or state.is_input_saved or state.held_back:
        return []
    return [SaveSession(id=effect_id("session", 0), name="save", upto=0)]


def unsaved(state: RunState) -> list[Effect]:
    """What a turn that is over has to save, and then to shorten."""
    if not state.options.session:
        return []
    if state.saved >= len(state.entries):
        return shorten(state)
    upto = len(state.entries)
    key = effect_id("session", max(state.turn, 1), str(upto))
    return saving(state, SaveSession(id=key, name="save", upto=upto))


def saving(state: RunState, effect: SaveSession) -> list[Effect]:
    """A save, unless it is the one that kept everything back."""
    return [] if effect.id == state.held_back else [effect]


def shorten(state: RunState) -> list[Effect]:
    """The wish to let the session shorten itself, if it has grown since the last one."""
    if not state.options.shortens_session or state.shortened >= state.saved or not state.reply:
        return []
    key = effect_id("session", state.turn, f"{state.saved}.shorten")
    return [ShortenSession(id=key, name="shorten", upto=state.saved)]


def pause_save(state: RunState) -> list[Effect]:
    """A run that waits for a person has what it finished in its session."""
    if not state.options.session or not (pending := len(state.entries) + len(state.answers)):
        return []
    if pending <= state.saved:
        return []
    key = effect_id("session", state.turn, str(pending))
    return saving(state, SaveSession(id=key, name="save", upto=pending))
