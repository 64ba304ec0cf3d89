"""Model calls that the provider has accepted: the log says so before anybody waits for the answer."""

from __future__ import annotations

from outlast.core.events import EffectAccepted
from outlast.engine.env import RunEnv
from outlast.models.asking import Acceptance


def acceptance_of(env: RunEnv, effect_id: str) -> Acceptance:
    """What the log says about a model call, and the way to say more."""
    known = env.log.state.accepted.get(effect_id)

    async def record(response_id: str, model: str) -> None:
        env.log.add([EffectAccepted(effect_id, response_id, model)])
        if response_id:  # That there is nothing to ask for may be lost: one question too many.
            await env.log.commit()

    return Acceptance(known.response_id if known else "", known.model if known else "", record)


def reject(env: RunEnv, effect_id: str) -> None:
    """Note that an answer does not do: the call is made anew whenever it is made again."""
    if effect_id in env.log.state.accepted:
        env.log.add([EffectAccepted(effect_id, "")])
