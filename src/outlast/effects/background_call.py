"""Model calls that the provider has accepted: the log says so before anybody waits for the answer."""

from __future__ import annotations

from outlast.core.events import EffectAccepted
from outlast.effects.outcome import Emit
from outlast.effects.view import RunView
from outlast.models.call_options import Acceptance


def acceptance_of(view: RunView, emit: Emit, effect_id: str) -> Acceptance:
    """What the log says about a model call, and the way to say more."""
    known = view.state.accepted.get(effect_id)

    async def record(response_id: str, model: str) -> None:
        await emit(EffectAccepted(effect_id, response_id, model))

    return Acceptance(known.response_id if known else "", known.model if known else "", record)
