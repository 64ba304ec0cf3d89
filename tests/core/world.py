"""A made-up world that answers effects: drives the pure core without an engine, a clock or a model."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from outlast.core.decide import decide
from outlast.core.effects import (
    AskApproval,
    CallModel,
    CheckGuardrail,
    Conclude,
    HandOff,
    LoadSession,
    Prepare,
    Record,
    Recover,
    RunTool,
    SaveSession,
    ShortenSession,
    Wait,
)
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalWaived,
    Call,
    EffectFailed,
    EffectStarted,
    ErrorFacts,
    GuardrailChecked,
    GuardrailNames,
    HandedOff,
    ModelReplied,
    OutputProduced,
    RunAcquired,
    RunStarted,
    SessionLoaded,
    SessionSaved,
    SessionShortened,
    TimerFired,
    ToolReturned,
    TurnContinued,
    TurnPrepared,
    UsageFacts,
)
from outlast.core.evolve import evolve
from outlast.core.items import tool_text
from outlast.core.state import RunState


def message(text: str) -> dict:
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text}],
    }


def call_item(call_id: str, name: str) -> dict:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"}


def started(**changes) -> RunStarted:
    return RunStarted(**{"agent": "desk", "input": [{"role": "user", "content": "hi"}], **changes})


@dataclass
class World:
    """Answers by a seed: the same effect gets the same answer, in whatever order it is asked."""

    seed: int
    options: dict = field(default_factory=dict)
    guardrails: GuardrailNames = field(default_factory=GuardrailNames)
    trips: bool = False
    performed: list[str] = field(default_factory=list)

    def rng(self, effect_id: str) -> random.Random:
        return random.Random(f"{self.seed}/{effect_id}")

    def answer(self, effect, state: RunState) -> list:  # noqa: C901, PLR0911, PLR0912  # one line an effect
        self.performed.append(effect.id)
        rng = self.rng(effect.id)
        match effect:
            case Prepare():
                return [TurnPrepared(effect.id, effect.agent, tools_may_end=rng.random() < 0.2)]
            case CallModel():
                return self._call_model(effect, state, rng)
            case RunTool(verdict="run") if rng.random() < 0.03:
                return [EffectFailed(effect.id, ErrorFacts("UserError", "broken", effect.id))]
            case RunTool():
                item = tool_text(effect.call.id, f"{effect.verdict} {effect.id}")
                return [ToolReturned(effect.id, effect.call.id, item, name=effect.name)]
            case HandOff():
                to = rng.choice(["desk", "refunds"])
                item = tool_text(effect.call.id, to)
                return [HandedOff(effect.id, effect.call.id, effect.agent, to, item)]
            case CheckGuardrail():
                return [GuardrailChecked(effect.id, effect.stage, effect.name, tripped=self.trips)]
            case AskApproval(call=call) if call.approval == "ask" and rng.random() < 0.5:
                return [ApprovalWaived(effect.id, call.id)]
            case AskApproval(call=call):
                key = f"t{effect.id[1:]}"
                return [ApprovalRequested(key, call.id, effect.agent, call.name)]
            case Conclude():
                return [TurnContinued(effect.id)]
            case Recover():
                return [OutputProduced(effect.id, "handled", "handler", message("handled"))]
            case LoadSession():
                return [SessionLoaded(effect.id, state.head, state.head)]
            case SaveSession():
                return [SessionSaved(effect.id, effect.upto)]
            case ShortenSession():
                return [SessionShortened(effect.id, effect.upto)]
            case Wait():
                return [TimerFired(effect.id)]

    def _call_model(self, effect, state: RunState, rng: random.Random) -> list:
        if rng.random() < 0.1 and effect.id not in state.attempts:
            return [EffectFailed(effect.id, ErrorFacts("ModelError", "busy", effect.id), 1.0)]
        usage = UsageFacts(requests=1, total_tokens=5)
        if rng.random() < 0.3:
            return [ModelReplied(effect.id, effect.agent, [message("done")], usage=usage)]
        calls = tuple(
            Call(
                f"{effect.id}.{n}",
                rng.choice(["look", "pay"]),
                rng.choice(["function"] * 5 + ["handoff"]),
                n,
                rng.choice(["no", "no", "no", "yes", "ask"]),
                rng.choice(["retry", "once", "ask"]),
                lane=rng.choice(["", "", "", "screen"]),
            )
            for n in range(rng.randint(1, 4))
        )
        items = [call_item(call.id, call.name) for call in calls]
        return [ModelReplied(effect.id, effect.agent, items, calls, usage)]


def is_same_place(effect, wanted) -> bool:
    return any(other.id == effect.id and type(other) is type(effect) for other in wanted)


def play(world: World, *, order: random.Random, crashes: float = 0.0, limit: int = 400) -> list:
    """A whole log: start, perform in a random order, crash now and then, let a person decide."""
    state, log, flight = RunState(), [], {}

    def add(*events):
        nonlocal state
        for event in events:
            state = evolve(state, event)
            log.append(event)

    add(started(max_turns=6, options=world.options, guardrails=world.guardrails))
    for _ in range(limit):
        wanted = decide(state)
        flight = {key: effect for key, effect in flight.items() if is_same_place(effect, wanted)}
        if crashes and order.random() < crashes:
            flight = {}
            add(RunAcquired("somebody"))
            continue
        records = [effect for effect in wanted if isinstance(effect, Record)]
        if records:
            add(*(record.event for record in records))
            continue
        fresh = [effect for effect in wanted if effect.id not in flight]
        for effect in fresh:
            doubt = state.in_doubt.get(effect.id)
            attempt = doubt.attempt + 1 if doubt else 1
            add(EffectStarted(effect.id, effect.kind, effect.name, attempt, effect.policy))
            flight[effect.id] = effect
        if flight:
            effect = flight.pop(order.choice(sorted(flight)))
            add(*world.answer(effect, state))
        elif not _decided(state, add, order):
            break
    return log


def _decided(state: RunState, add, order: random.Random) -> bool:
    """A person decides one waiting call; False when none waits."""
    waiting = [key for key in state.requested if key not in state.decided]
    if state.ended or not waiting:
        return False
    request = state.requested[order.choice(waiting)]
    add(
        ApprovalDecided(
            request.call_id,
            order.random() < 0.7,
            always=order.random() < 0.2,
            agent=request.agent,
            name=request.name,
        )
    )
    return True
