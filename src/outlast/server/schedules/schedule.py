"""A schedule: what is to be run, and at which instants. Pure: it is told what time it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict

from outlast.core.errors import UserError, WrongType
from outlast.definitions.choices import check_choice
from outlast.definitions.given import check_flag, check_number, check_text
from outlast.server.registry import slug

Overlap: TypeAlias = Literal["skip", "queue", "cancel", "allow"]
CatchUp: TypeAlias = Literal["none", "last", "all"]
ON_TIME_S = 60.0
"""An instant that nobody has looked at for longer was missed."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What an agent is to do again and again, or at one time.

        Schedule(name="digest", cron="0 9 * * 1-5", timezone="Europe/Berlin", agent="Desk", input="Sum up.")

    Args:
        name: What it is called.
        input: What the agent is asked each time.
        agent: The agent; may be left out where there is one.
        cron: When: minute, hour, day, month and day of the week. Where clocks are put forward, a time that
            there is not means the next that there is; where they are put back, a time comes once.
        every_s: In place of `cron`: seconds between two instants.
        at: In place of `cron`: one instant, as RFC 3339.
        timezone: Where the clock of `cron` hangs.
        overlap: What becomes of an instant whose run before has not ended: ``"skip"`` it, ``"queue"`` it
            until then, ``"cancel"`` the run before, or ``"allow"`` both.
        catch_up: What becomes of instants at which nobody was there: ``"none"``, the ``"last"`` or
            ``"all"`` of them begin their runs later.
        catch_up_max: At most so many of them.
        jitter_s: Runs begin up to so many seconds late, each instant's by its own number of seconds.
        paused: Whether nothing begins for now.
        session_id: The conversation that the runs are a part of.
        context: What the program makes the context of.
        max_turns: How many turns each run may take.
        priority: Which of several waiting runs is first, 0 to 9; the highest.

    Raises:
        UserError: It says no time, or several, or one that there is not.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    input: str | list[dict[str, Any]]
    agent: str = ""
    cron: str = ""
    every_s: float | None = None
    at: str | None = None
    timezone: str = "UTC"
    overlap: Overlap = "skip"
    catch_up: CatchUp = "none"
    catch_up_max: int = 10
    jitter_s: float = 0.0
    paused: bool = False
    session_id: str | None = None
    context: dict[str, Any] | None = None
    max_turns: int | None = 10
    priority: int = 0

    def __post_init__(self) -> None:
        self._check_types()
        if not self.name or self.name != slug(self.name) or len(self.name) > _NAME_MAX:
            raise UserError(
                f"A schedule's name has small letters, digits, dots and dashes, at most {_NAME_MAX}; got "
                f"{self.name!r:.100}."
            )
        if [bool(self.cron), self.every_s is not None, self.at is not None].count(True) != 1:
            raise UserError(
                f"Schedule {self.name!r} needs one of cron, every_s and at. Say when it is due."
            )
        if self.every_s is not None and not 1 <= self.every_s <= _RAREST_S:
            raise UserError(f"every_s must be 1 to {_RAREST_S}, got {self.every_s}.")
        if not 0 <= self.priority <= _MOST_URGENT:
            raise UserError(f"A priority is between 0 and {_MOST_URGENT}, got {self.priority}.")
        if self.catch_up_max < 1 or not 0 <= self.jitter_s < math.inf:
            raise UserError("catch_up_max must be at least 1, and jitter_s not below 0.")
        self.following(datetime(2026, 1, 1, tzinfo=UTC))

    def _check_types(self) -> None:
        """A word mistyped here would do harm only much later, at night."""
        called = f"Schedule {self.name!r:.{_NAME_MAX}} "
        for field in ("name", "agent", "cron", "timezone"):
            check_text(called + field, getattr(self, field), may_be_none=False)
        for field in ("at", "session_id"):
            check_text(called + field, getattr(self, field))
        check_choice(called + "overlap", self.overlap, Overlap)
        check_choice(called + "catch_up", self.catch_up, CatchUp)
        check_flag(called + "paused", self.paused)
        numbers = {"jitter_s": False, "catch_up_max": True, "priority": True}
        numbers |= {"every_s": False} if self.every_s is not None else {}
        for field, whole in numbers.items():
            check_number(called + field, getattr(self, field), least=-math.inf, whole=whole)
        if self.max_turns is not None:
            check_number(called + "max_turns", self.max_turns, least=1, whole=True)
        given: Any = (self.input, self.context)
        if not isinstance(given[0], str | list):
            raise WrongType(
                f"{called}input must be a text or a list of items, got {type(given[0]).__name__}."
            )
        if given[1] is not None and not isinstance(given[1], dict):
            raise WrongType(
                f"{called}context must be a dict or None, got {type(given[1]).__name__}."
            )

    def following(self, after: datetime, began: datetime | None = None) -> Iterator[datetime]:
        """The instants behind one, in UTC.

        Args:
            after: The instant.
            began: When the schedule was made: `every_s` is counted from there.

        Raises:
            UserError: The cron expression or the time zone is none.
        """
        if self.at is not None:
            return iter(each for each in [_parsed(self.at)] if each > after)
        if self.every_s is not None:
            return _steps(self.every_s, began or after, after)
        from cronsim import CronSim, CronSimError

        try:
            zone = ZoneInfo(self.timezone)
            times = CronSim(self.cron, after.astimezone(zone))
        except (CronSimError, ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise UserError(
                f"Schedule {self.name!r} is due at {self.cron!r:.100} in {self.timezone!r:.100}, which is "
                "no cron expression or no time zone. Write it like '0 9 * * 1-5' and 'Europe/Berlin'."
            ) from error
        return (each.astimezone(UTC) for each in times)

    def delay_s(self, instant: datetime) -> float:
        """How much later than an instant its run begins. Whoever asks, it is the same."""
        digest = blake2b(f"{self.name} {instant.isoformat()}".encode(), digest_size=4).digest()
        return self.jitter_s * int.from_bytes(digest, "big") / 2**32


_NAME_MAX = 64
_MOST_URGENT = 9
_RAREST_S = 10**9


def _steps(every_s: float, began: datetime, after: datetime) -> Iterator[datetime]:
    count = max(0, math.floor((after - began).total_seconds() / every_s)) + 1
    while True:
        yield began + timedelta(seconds=count * every_s)
        count += 1


def _parsed(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"at is {text!r:.60}. Write it like '2026-12-01T09:00:00Z'.") from error
    if instant.tzinfo is None:
        raise UserError(f"at is {text!r}, in no time zone. Write it like '2026-12-01T09:00:00Z'.")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise UserError(f"at is {text!r}, before the first year or after the last.") from error
