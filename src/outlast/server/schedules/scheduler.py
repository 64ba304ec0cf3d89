"""Looking at the clock: beginning the runs that are due. Every process of a server does it.

Whatever one of them does here may be done by another one too, before, after or at the same time: what
comes of an instant is decided by the row that is there first, and its run has an id that the instant
names. So a process may die on any line.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from datetime import datetime

from outlast.definitions.clock import utc, wall_s
from outlast.run import control
from outlast.server.background import tried
from outlast.server.callers import Caller
from outlast.server.schedules.schedule import ON_TIME_S
from outlast.server.schedules.store import Entry, Firing, Schedules
from outlast.server.service import Order, Service
from outlast.server.shown import moment
from outlast.views.status import ENDED

LOOK_S = 1.0
_TOO_LATE, _OVERLAP = "missed", "overlap"


class Scheduler:
    """Begins the runs of schedules.

    Args:
        service: What begins runs.
        schedules: When, and which.
        clock: The time, in seconds since 1970.
    """

    def __init__(
        self, service: Service, schedules: Schedules, clock: Callable[[], float] = wall_s
    ) -> None:
        self.schedules = schedules
        self.clock = clock
        self._service = service

    async def work(self) -> None:
        """Look at the clock, until cancelled."""
        while not self._service.leaving.is_set():
            await tried("Looking for schedules", self.look())
            await asyncio.sleep(LOOK_S * random.uniform(0.8, 1.2))  # noqa: S311  # no secret

    async def look(self) -> None:
        """Begin what is due now."""
        for entry in await asyncio.to_thread(self.schedules.list):
            if entry.paused or self._service.agents.find(entry.schedule.agent) is None:
                continue
            await tried(f"Schedule {entry.schedule.name!r}", self._catch_up(entry, self.clock()))

    async def trigger(self, entry: Entry) -> Firing:
        """Begin a run now, whatever the clock says."""
        return await self._begin(entry, utc(self.clock()))

    def next_at(self, entry: Entry) -> str | None:
        """The next instant."""
        if entry.paused:
            return None
        now, began = _utc(max(self.clock(), entry.seen_until)), _utc(entry.began_at)
        return next((_text(each) for each in entry.schedule.following(now, began)), None)

    async def _catch_up(self, entry: Entry, now: float) -> None:
        due = _due(entry, now)
        wanted = _wanted(entry, due, now)
        for instant in due:
            if instant not in wanted:
                self.schedules.decide(entry, Firing(_text(instant), None, _TOO_LATE))
            elif not await self._fire(entry, instant):
                return  # It waits for the run before, and those behind it wait too.
            self.schedules.seen(entry, instant.timestamp())

    async def _fire(self, entry: Entry, instant: datetime) -> bool:
        """Decide what comes of an instant; whether that can be said by now."""
        before = self.schedules.last_run(entry, _text(instant))
        overlap = entry.schedule.overlap
        is_decided = self.schedules.firings(entry, 1, of=_text(instant))
        if before and not is_decided and overlap != "allow" and await self._is_open(before):
            if overlap == "queue":
                return False
            if overlap == "skip":
                self.schedules.decide(entry, Firing(_text(instant), None, _OVERLAP))
                return True
            config = {"journal": self._service.journal}
            await control.cancel(
                before, by="schedule", why="The next one is due.", run_config=config
            )
        await self._begin(entry, instant)
        return True

    async def _begin(self, entry: Entry, instant: datetime) -> Firing:
        run_id = _run_id(entry, instant)
        firing = self.schedules.decide(entry, Firing(_text(instant), run_id, ""))
        if firing.run_id is None:
            return firing
        what = entry.schedule
        order = Order(
            agent=what.agent,
            input=what.input,
            run_id=run_id,
            session_id=what.session_id,
            context=what.context,
            max_turns=what.max_turns,
            priority=what.priority,
            metadata={"schedule": what.name},
        )
        await self._service.begin(order, Caller(entry.user, entry.tenant or None))
        return firing

    async def _is_open(self, run_id: str) -> bool:
        found = await self._service.journal.runs(run_id_starts=run_id)
        return any(run.run_id == run_id and run.status not in ENDED for run in found)


def _due(entry: Entry, now: float) -> list[datetime]:
    """The instants that nobody has looked at, the newest of them if they are very many."""
    found: list[datetime] = []
    for instant in entry.schedule.following(_utc(entry.seen_until), _utc(entry.began_at)):
        if instant.timestamp() + entry.schedule.delay_s(instant) > now:
            break
        found.append(instant)
        if len(found) > 2 * _MOST:
            del found[:-_MOST]
    return found[-_MOST:]


_MOST = 1000


def _wanted(entry: Entry, due: Sequence[datetime], now: float) -> set[datetime]:
    """The instants among them that are to have runs."""
    what = entry.schedule
    is_late = now - ON_TIME_S - what.jitter_s
    on_time = {each for each in due if each.timestamp() >= is_late or what.overlap == "queue"}
    late = [each for each in due if each not in on_time]
    most = {"none": 0, "last": 1, "all": what.catch_up_max}[what.catch_up]
    if most == 1 and on_time:
        most = 0  # The last one is on time.
    return on_time | set(late[len(late) - most :] if most else [])


def _run_id(entry: Entry, instant: datetime) -> str:
    whose = f"{hashlib.sha256(entry.tenant.encode()).hexdigest()[:8]}:" if entry.tenant else ""
    return f"schedule:{whose}{entry.schedule.name}:{_text(instant)}"


def _text(instant: datetime) -> str:
    return str(moment(instant.timestamp()))


def _utc(at: float) -> datetime:
    return utc(at)
