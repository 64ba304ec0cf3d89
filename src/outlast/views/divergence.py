"""Where a replayed run went another way than its recording, and in what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

import msgspec

from outlast.core import events as facts
from outlast.core.ids import EffectId

Blobs = Callable[[str], bytes]
_BESIDE = (
    facts.EffectStarted, facts.EffectAccepted, facts.EffectLost, facts.RunAcquired, facts.RunAbandoned,
    facts.RunParked, facts.RunUnparked, facts.RunPaused, facts.RunUnpaused, facts.CommandTaken,
    facts.LimitRaised, facts.CancelRequested, facts.RunReopened, facts.RunForked, facts.TimerSet,
    facts.TimerFired, facts.ChildStarted, facts.ChildCompleted, facts.UnknownEvent,
)  # fmt: skip
"""Events that say how a run was performed, and not what it came to."""
_OWN = {
    "salt", "parent", "parent_effect", "options", "metadata", "max_turns", "at", "retry_at", "wait_s",
    "key", "by", "why", "number", "request_id", "model", "is_model_spent", "served_by",
}  # fmt: skip
"""Fields that each run has for itself."""
_BLOBS = {"instructions", "tools", "settings"}


@dataclass(frozen=True, slots=True)
class Divergence:
    """One place where a replay and its recording differ."""

    place: str
    """The effect, such as `p2`; empty for the start and the end of the run."""
    turn: int
    what: str
    """What differs: `instructions`, `tools`, `output`, …; `missing` or `new` for a whole event."""
    event: str
    """The name of the event, as the reference has it."""
    before: Any = None
    after: Any = None
    text: str = ""
    """The difference as a text to read."""
    run: str = ""
    """The run inside the replayed one in which it is; empty for the replayed run itself."""

    def __str__(self) -> str:
        where = f"turn {self.turn}" if self.turn else "the run"
        where = f"{where} of {self.run}" if self.run else where
        if self.what in ("missing", "new"):
            word = (
                "is recorded, and did not happen" if self.what == "missing" else "is not recorded"
            )
            return f"{where}: {self.event} {self.place} {word}".replace("  ", " ")
        return f"{where}: {self.what} differ at {self.place or 'its start'}\n{self.text}".rstrip()


def divergences(
    recorded: Sequence[facts.Event],
    replayed: Sequence[facts.Event],
    blobs: tuple[Blobs, Blobs],
) -> Iterator[Divergence]:
    """Say in what two logs differ, in the order of the first one."""
    then, now = _by_key(recorded), _by_key(replayed)
    for key, event in then.items():
        if (other := now.get(key)) is None:
            yield _whole(event, "missing")
        else:
            yield from _fields(event, other, blobs)
    for key, event in now.items():
        if key not in then:
            yield _whole(event, "new")


def _by_key(log: Sequence[facts.Event]) -> dict[tuple[str, str, int], facts.Event]:
    """What a log came to, by what tells one event from another; what was done again counts once."""
    counts: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, str, int], facts.Event] = {}
    has_reply = {
        each.id for each in log if isinstance(each, facts.ModelReplied | facts.ToolReturned)
    }
    last = len(log) - 1
    for index, event in enumerate(log):
        is_past_end = isinstance(event, facts.RunFailed | facts.RunCancelled) and index < last
        is_past_attempt = isinstance(event, facts.EffectFailed) and (
            event.id in has_reply or event.retry_at is not None
        )
        if isinstance(event, _BESIDE) or is_past_end or is_past_attempt:
            continue
        name = (tag_of(event), _place(event))
        counts[name] = counts.get(name, 0) + 1
        found[*name, counts[name]] = event
    return found


def tag_of(event: facts.Event) -> str:
    """The name that an event has in logs."""
    return str(event.__struct_config__.tag)


def _place(event: facts.Event) -> str:
    return str(getattr(event, "id", getattr(event, "call_id", "")))


def _whole(event: facts.Event, what: str) -> Divergence:
    place = _place(event)
    return Divergence(place, EffectId.parse(place).turn, what, tag_of(event))


def _fields(
    then: facts.Event, now: facts.Event, blobs: tuple[Blobs, Blobs]
) -> Iterator[Divergence]:
    old, new = msgspec.to_builtins(then), msgspec.to_builtins(now)
    place = _place(then)
    for name in {**old, **new}:
        before, after = old.get(name), new.get(name)
        if name in _OWN or before == after:
            continue
        is_named = name in _BLOBS and isinstance(then, facts.TurnPrepared)
        if is_named:
            before, after = _text(before, blobs[0]), _text(after, blobs[1])
        text = difference(before, after)
        turn = EffectId.parse(place).turn
        yield Divergence(place, turn, name, tag_of(then), before, after, text)


def _text(name: str | None, read: Blobs) -> Any:
    if name is None:
        return None
    data = read(name)
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.decode("utf-8", "replace")


def difference(before: object, after: object) -> str:
    """Two values, line by line."""
    lines = unified_diff(_lines(before), _lines(after), "recorded", "now", lineterm="", n=1)
    return "\n".join(list(lines)[2:])


def _lines(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return value.splitlines()
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode().splitlines()
