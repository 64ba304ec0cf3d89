"""Logs made by hand: a desk that looks an order up, and pays."""

from outlast.core.events import (
    Call,
    EffectStarted,
    ModelReplied,
    OutputProduced,
    RunCompleted,
    RunStarted,
    ToolReturned,
    TurnPrepared,
    UsageFacts,
)
from outlast.journal.journal import Stored


def log_of(*epochs):
    """A log of one list of events per epoch; a second passes between two events."""
    rows = [(epoch, event) for epoch, events in enumerate(epochs, 1) for event in events]
    return [Stored(seq, float(seq), epoch, event) for seq, (epoch, event) in enumerate(rows)]


def user(text):
    return {"role": "user", "content": text}


def said(text):
    part = {"type": "output_text", "text": text}
    return {"type": "message", "role": "assistant", "content": [part]}


def call_item(call_id, name, arguments="{}"):
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def reply(turn, agent, *calls, kind="function", policy="retry"):
    made = tuple(
        Call(id=call["call_id"], name=call["name"], kind=kind, index=n, policy=policy)
        for n, call in enumerate(calls)
    )
    usage = UsageFacts(requests=1, input_tokens=7, output_tokens=3, total_tokens=10)
    return [
        EffectStarted(id=f"m{turn}", kind="model"),
        ModelReplied(id=f"m{turn}", agent=agent, output=list(calls), calls=made, usage=usage),
    ]


def answer(effect_id, call_id, text, name="", outcome="ok"):
    item = {"type": "function_call_output", "call_id": call_id, "output": text}
    return ToolReturned(id=effect_id, call_id=call_id, item=item, name=name, outcome=outcome)


def begun(effect_id, name, attempt=1, policy="retry"):
    return EffectStarted(
        id=effect_id, kind="tool", name=name, attempt=attempt, policy=policy, key=f"key-{effect_id}"
    )


def opening(policy="retry"):
    """One finished lookup, and a payment that has begun."""
    return [
        RunStarted(agent="desk", input=[user("pay 7")]),
        TurnPrepared(id="p1", agent="desk"),
        *reply(
            1,
            "desk",
            call_item("a", "look", '{"order": 7}'),
            call_item("b", "pay", '{"order": 7}'),
            policy=policy,
        ),
        begun("t1.a", "look"),
        begun("t1.b", "pay", policy=policy),
        answer("t1.a", "a", "found"),
    ]


def ending():
    return [
        TurnPrepared(id="p2", agent="desk"),
        EffectStarted(id="m2", kind="model"),
        ModelReplied(id="m2", agent="desk", output=[said("Paid.")]),
        OutputProduced(id="f2", output="Paid."),
        RunCompleted(),
    ]
