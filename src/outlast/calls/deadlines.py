"""Ending an attempt of a model call that makes no progress.

All attempts of an event loop share one timer, set to the nearest moment at which one of them may be
late. Progress is only noted; when the timer fires it looks who has made some, and sets itself anew.
So an attempt that is answered in time, as nearly all are, sets no timer.
"""

from __future__ import annotations

import asyncio
from math import inf
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

import msgspec

from outlast.core.errors import ModelDeadlineExceeded
from outlast.definitions.limits import ModelLimits

_GRACE_S = 5.0
"""After that an attempt that goes on although it was cancelled is cancelled once more."""

_LAG_S = 0.1
_DETACHED = "detached"


class _Due(msgspec.Struct, frozen=True, gc=False):
    at: float
    limit: str
    seconds: float


class Deadlines:
    """Cancels the task that is in here when a limit is passed, and says which.

    Args:
        limits: The limits.
        is_streamed: Whether the answer comes as a stream.
        knows_bytes: Whether the transport says when data comes, which `opened` and `data` are for.
        spent_s: How long the call had taken before this attempt.

    Raises:
        ModelDeadlineExceeded: On leaving, in the place of whatever the cancelling led to.
    """

    def __init__(
        self, limits: ModelLimits, *, is_streamed: bool, knows_bytes: bool, spent_s: float
    ) -> None:
        self._limits = limits
        self._is_streamed = is_streamed
        self._phase = ("first_byte" if knows_bytes else "thinking") if is_streamed else ""
        self._spent_s = spent_s
        self._loop = asyncio.get_running_loop()
        self._began = self._latest = self._loop.time()
        self._has_lagged = False
        self._patient_until = 0.0
        self._late: ModelDeadlineExceeded | None = None
        self._watchdog = _watchdog(self._loop)

    @property
    def elapsed_s(self) -> float:
        """How long the attempt has taken."""
        return self._loop.time() - self._began

    def opened(self) -> None:
        """The first byte has come."""
        self._latest = self._loop.time()
        # Without streaming it comes when the model has finished; then only the body is missing.
        self._enter("thinking" if self._is_streamed else "idle")

    def data(self) -> None:
        """Data has come."""
        self._latest = self._loop.time()

    def detached(self) -> None:
        """The provider works by itself, and is only asked from time to time whether it is done."""
        self._phase = _DETACHED

    def event(self, kind: str | None) -> None:
        """An event of a stream has come."""
        self._latest = self._loop.time()
        in_words = kind is not None and kind.endswith(".delta") and "reasoning" not in kind
        self._enter("idle" if in_words else "thinking")

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task
        self._task = task
        self._cancelled_before = task.cancelling()
        self._watchdog.watch(self)
        self._expect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._watchdog.leave(self)
        if self._late is None:
            return
        others = self._task.uncancel() > self._cancelled_before
        if kind is not None and not (others and kind is asyncio.CancelledError):
            raise self._late from error

    def look(self) -> float:
        """Cancel the attempt if it is late. When to look again, by the loop's clock."""
        now = self._loop.time()
        if now < self._patient_until:
            return self._patient_until
        if self._late is not None:
            self._task.uncancel()
        else:
            due = self._due()
            if due is None or due.at > now:
                self._has_lagged = False
                return inf if due is None else due.at
            if now - due.at > _LAG_S and not self._has_lagged:
                # The loop was kept busy, so what has come meanwhile could not be read. Now it can.
                self._has_lagged = True
                self._patient_until = now + _LAG_S
                return self._patient_until
            self._late = ModelDeadlineExceeded(due.limit, due.seconds)
        if self._task.cancelling() <= self._cancelled_before:
            self._task.cancel(str(self._late))  # The text, so that the model's span can say why.
        self._patient_until = now + _GRACE_S
        return self._patient_until

    def _enter(self, phase: str) -> None:
        if self._phase not in (phase, _DETACHED):
            self._phase = phase
            self._expect()

    def _expect(self) -> None:
        """Have a look taken when the attempt may be late."""
        if self._late is None and (due := self._due()) is not None:
            self._watchdog.wake(self._loop, due.at)

    def _due(self) -> _Due | None:
        if self._phase == _DETACHED:
            return None
        limits, due = self._limits, None
        if limits.total is not None:
            left = max(0.0, limits.total - self._spent_s)
            due = _Due(self._began + left, "total", limits.total)
        quiet = getattr(limits, self._phase) if self._phase else None
        if quiet is not None and (due is None or self._latest + quiet < due.at):
            due = _Due(self._latest + quiet, self._phase, quiet)
        return due


class _Watchdog:
    """The timer that all attempts of a loop share. It keeps nothing that would keep the loop."""

    def __init__(self) -> None:
        self._watched: set[Deadlines] = set()
        self._at = inf

    def watch(self, deadlines: Deadlines) -> None:
        """Look at ``deadlines`` from now on."""
        self._watched.add(deadlines)

    def leave(self, deadlines: Deadlines) -> None:
        """Look at ``deadlines`` no more. The timer stays: the next attempt may need it."""
        self._watched.discard(deadlines)

    def wake(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        """Look at ``at``, in the loop's time, if not before."""
        if at < self._at:
            self._at = at
            loop.call_at(at, self._look, at)

    def _look(self, at: float) -> None:
        if at != self._at:  # An earlier moment was asked for since.
            return
        self._at = inf
        nearest = min((each.look() for each in list(self._watched)), default=inf)
        if nearest < inf:
            self.wake(asyncio.get_running_loop(), nearest)


_watchdogs: WeakKeyDictionary[asyncio.AbstractEventLoop, _Watchdog] = WeakKeyDictionary()


def _watchdog(loop: asyncio.AbstractEventLoop) -> _Watchdog:
    found = _watchdogs.get(loop)
    if found is None:
        found = _watchdogs[loop] = _Watchdog()
    return found
