"""How an endpoint's models have answered lately, and how much they were asked: circuits and pace.

Pure: `circuit_after` is the whole circuit breaker, `earliest` the whole pacing. Somebody else keeps
the records where every process sees them (`journal.health`) and brings the time.

    closed --(so many failures in a row)--> open --(its time is over, somebody asks)--> half-open
    half-open --(the probe succeeds)--> closed          --(it fails)--> open, for twice as long

A half-open circuit lets one call through, its probe. Times are of the wall clock, for processes
share no other: a moment further ahead than anything here sets is one of a clock that was wrong, and
counts as past.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, assert_never

import msgspec
from msgspec.structs import replace

from outlast.core.errors import WrongValue
from outlast.definitions.given import check_number

_MINUTE = 61
"""Seconds in which a minute's limit holds: calls are counted by the second that they begin in."""
_SLACK_S = 1.0
_DOUBLINGS_MAX = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreaker:
    """When a model is no longer asked because it keeps failing, and when it is tried again.

    What counts are failures that another model could mend: a lost connection, a timeout, a
    refused key, 429 and 5xx. All runs and processes that share a journal count together.

    Attributes:
        failures: So many in a row open the circuit.
        window_s: Within so many seconds; older ones do not count.
        cooldown_s: How long it is open at first. It doubles whenever the probe fails too.
        max_cooldown_s: The longest time. It also bounds what a provider asks for by `Retry-After`.
        probe_s: When a probe whose process has vanished is given up.

    Raises:
        ValueError: A number is not positive.
    """

    failures: int = 5
    window_s: float = 300.0
    cooldown_s: float = 15.0
    max_cooldown_s: float = 300.0
    probe_s: float = 120.0

    def __post_init__(self) -> None:
        for name in ("failures", "window_s", "cooldown_s", "max_cooldown_s", "probe_s"):
            check_number(f"CircuitBreaker({name}=...)", getattr(self, name), above=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How often a model may be asked, by all runs and processes that share a journal.

    Attributes:
        requests_per_minute: Never more calls than this begin in any 60 seconds; None for no limit.
        tokens_per_minute: Calls wait while those of the last 60 seconds have taken this many. What
            a call will be answered is not known when it begins, so the calls that are under way
            together may exceed it by their answers.
        max_wait_s: A call that had to wait longer fails with `ModelPaced` instead.

    Raises:
        ValueError: There is no limit, or a number is below 1 (0 for the wait).
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_wait_s: float = 300.0

    def __post_init__(self) -> None:
        limits = (self.requests_per_minute, self.tokens_per_minute)
        given = (limit for limit in (*limits, self.max_wait_s) if limit is not None)
        for number in given:
            check_number("A number of Pacing", number, least=-math.inf)
        if limits == (None, None):
            raise WrongValue("Give requests_per_minute, tokens_per_minute or both.")
        if any(limit is not None and limit < 1 for limit in limits) or not self.max_wait_s >= 0:
            raise WrongValue(
                "requests_per_minute and tokens_per_minute must be at least 1 and max_wait_s at "
                f"least 0, got {limits[0]!r}, {limits[1]!r} and {self.max_wait_s!r}."
            )


# --- Circuits. ---------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True):
    """Somebody wants to call the model."""

    by: str


class Succeeded(msgspec.Struct, frozen=True):
    """A call was answered, if only by a refusal of what was asked."""

    by: str


class Failed(msgspec.Struct, frozen=True):
    """A call failed in a way that speaks against the endpoint."""

    by: str
    retry_after: float = 0.0
    """In how many seconds the provider wants to be asked again; 0 if it did not say."""


class Dropped(msgspec.Struct, frozen=True):
    """A call ended without saying anything about the endpoint: it was cancelled."""

    by: str


CircuitEvent = Asked | Succeeded | Failed | Dropped


class Circuit(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known about one model at one endpoint."""

    failures: int = 0
    """In a row."""
    since: float = 0.0
    """When the first of them was; of a circuit that is not closed, when it opened."""
    until: float = 0.0
    """When the next probe may go; while there is one, when it is given up."""
    probe: str = ""
    """The call that is tried; empty if there is none."""
    opened: int = 0
    """How often it opened in a row: 0 if it is closed."""

    @property
    def name(self) -> str:
        """The state as a word."""
        if not self.opened:
            return "closed"
        return "half-open" if self.probe else "open"

    def admits(self, by: str) -> bool:
        """Whether the call of that name, which has `Asked`, may go."""
        return not self.opened or self.probe == by


def circuit_after(
    circuit: Circuit, event: CircuitEvent, now: float, rules: CircuitBreaker
) -> Circuit:
    """The circuit after ``event``; the same object if nothing changes."""
    match event:
        case Asked(by):
            return _asked(circuit, by, now, rules)
        case Succeeded(by):
            is_news = circuit.failures and circuit.admits(by)
            return Circuit() if is_news else circuit
        case Failed(by, retry_after):
            return _failed(circuit, by, retry_after, now, rules)
        case Dropped(by):
            return replace(circuit, probe="", until=now) if by == circuit.probe != "" else circuit
        case _:
            assert_never(event)


def _asked(circuit: Circuit, by: str, now: float, rules: CircuitBreaker) -> Circuit:
    if not circuit.opened:
        return circuit
    longest = rules.probe_s if circuit.probe else rules.max_cooldown_s
    is_over = not 0 < circuit.until - now <= longest + _SLACK_S
    if is_over or circuit.probe == by:
        return replace(circuit, probe=by, until=now + rules.probe_s)
    return circuit


def _failed(
    circuit: Circuit, by: str, retry_after: float, now: float, rules: CircuitBreaker
) -> Circuit:
    if not circuit.admits(by):
        return circuit  # It began before the circuit opened, or was given up: old news.
    if circuit.opened:
        failures, since = circuit.failures + 1, circuit.since
    else:
        goes_on = circuit.failures and 0 <= now - circuit.since <= rules.window_s
        failures, since = (circuit.failures + 1, circuit.since) if goes_on else (1, now)
        if failures < rules.failures:
            return Circuit(failures=failures, since=since)
        since = now
    doubled = rules.cooldown_s * 2 ** min(circuit.opened, _DOUBLINGS_MAX)
    pause = min(max(doubled, retry_after), rules.max_cooldown_s)
    return Circuit(failures=failures, since=since, until=now + pause, opened=circuit.opened + 1)


# --- Pace. -------------------------------------------------------------------------------


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """The calls that begin in one second."""

    second: int
    requests: int
    tokens: int


class Pace(msgspec.Struct, frozen=True, omit_defaults=True):
    """The calls of the last minute, and those that wait for their turn, oldest first."""

    slots: tuple[Slot, ...] = ()
    requests_per_minute: int | None = None
    """The limits that were last asked for."""
    tokens_per_minute: int | None = None

    def rate(self, now: float) -> tuple[int, int]:
        """The calls and tokens of the last minute."""
        kept = [slot for slot in self.slots if now - _MINUTE < slot.second <= now]
        return sum(slot.requests for slot in kept), sum(slot.tokens for slot in kept)


def earliest(pace: Pace, tokens: int, now: float, limits: Pacing) -> float:
    """When a call of about ``tokens`` may begin, after all that have a turn already."""
    kept = _counted(pace, now, limits)
    at = max(now, float(kept[-1].second)) if kept else now
    requests, taken = sum(s.requests for s in kept), sum(s.tokens for s in kept)
    most_requests, most_tokens = limits.requests_per_minute, limits.tokens_per_minute
    for slot in kept:
        leaves = float(slot.second + _MINUTE)
        if leaves > at:
            fits = most_requests is None or requests < most_requests
            # A call that is larger than the whole limit goes when it is alone.
            if fits and (most_tokens is None or not taken or taken + tokens <= most_tokens):
                return at
            at = leaves
        requests, taken = requests - slot.requests, taken - slot.tokens
    return at


def with_call(pace: Pace, tokens: int, at: float, now: float, limits: Pacing) -> Pace:
    """The pace with a call that begins at ``at``."""
    kept = _counted(pace, now, limits)
    second = int(at)
    if kept and kept[-1].second == second:
        last = kept.pop()
        kept.append(Slot(second, last.requests + 1, last.tokens + tokens))
    else:
        kept.append(Slot(second, 1, tokens))
    return Pace(tuple(kept), limits.requests_per_minute, limits.tokens_per_minute)


def with_tokens(pace: Pace, more: int, at: float) -> Pace:
    """The pace with what the call that began at ``at`` has taken beyond what was expected."""
    slots = [
        Slot(s.second, s.requests, max(0, s.tokens + more)) if s.second == int(at) else s
        for s in pace.slots
    ]
    return replace(pace, slots=tuple(slots))


def _counted(pace: Pace, now: float, limits: Pacing) -> list[Slot]:
    """What still counts. Turns that nobody can have been given are of a clock that was wrong."""
    last = now + limits.max_wait_s + _SLACK_S
    return [slot for slot in pace.slots if now - _MINUTE < slot.second <= last]


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is kept about one model at one endpoint."""

    circuit: Circuit = Circuit()
    pace: Pace = Pace()


_T = TypeVar("_T")
Change = Callable[[Health], tuple[Health, _T]]
"""From what is kept to what is to be kept, and an answer. The same object means: nothing changes."""


class HealthStore(Protocol):
    """How models answer and how much they are asked, by base URL and name."""

    def get(self, key: str) -> Health:
        """What is kept about a model; about an unknown one, that it is well."""
        ...

    async def change(self, key: str, change: Change[_T]) -> _T:
        """Replace what is kept about a model, alone among all processes; returns the answer.

        Raises:
            StorageBusy: The file was locked for too long. Nothing was changed.
            StorageFull: Nothing was changed.
        """
        ...

    def all(self) -> dict[str, Health]:
        """What is kept about every model."""
        ...

    async def clear(self) -> None:
        """Forget all of it: every circuit is closed, no call has been made."""
        ...
