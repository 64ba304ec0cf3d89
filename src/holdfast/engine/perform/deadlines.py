"""Ending an attempt of a model call that makes no progress.

One timer is enough: when it fires it looks whether there was progress, and if so sets itself anew.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import NamedTuple, Self

from holdfast.core.errors import ModelDeadlineExceeded
from holdfast.definitions.limits import ModelLimits

_GRACE_S = 5.0
"""After that an attempt that goes on although it was cancelled is cancelled once more."""

_LAG_S = 0.1
_DETACHED = "detached"


class _Due(NamedTuple):
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
        self._late: ModelDeadlineExceeded | None = None
        self._timer: asyncio.TimerHandle | None = None

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
        self._arm()

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
        self._arm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._late is None:
            return
        others = self._task.uncancel() > self._cancelled_before
        if kind is not None and not (others and kind is asyncio.CancelledError):
            raise self._late from error

    def _enter(self, phase: str) -> None:
        if self._phase not in (phase, _DETACHED):
            self._phase = phase
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._late is None and (due := self._due()) is not None:
            self._timer = self._loop.call_at(due.at, self._look)

    def _due(self) -> _Due | None:
        if self._phase == _DETACHED:
            return None
        limits = self._limits
        found: list[_Due] = []
        if limits.total is not None:
            left = max(0.0, limits.total - self._spent_s)
            found.append(_Due(self._began + left, "total", limits.total))
        quiet = getattr(limits, self._phase) if self._phase else None
        if quiet is not None:
            found.append(_Due(self._latest + quiet, self._phase, quiet))
        return min(found) if found else None

    def _look(self) -> None:
        due, now = self._due(), self._loop.time()
        if due is None or due.at > now:
            self._arm()
            return
        if now - due.at > _LAG_S and not self._has_lagged:
            # The loop was kept busy, so what has come meanwhile could not be read. Now it can.
            self._has_lagged = True
            self._timer = self._loop.call_later(_LAG_S, self._look)
            return
        self._has_lagged = False
        self._late = ModelDeadlineExceeded(due.limit, due.seconds)
        self._cancel()

    def _cancel(self) -> None:
        if self._task.cancelling() <= self._cancelled_before:
            self._task.cancel(str(self._late))  # The text, so that the model's span can say why.
        self._timer = self._loop.call_later(_GRACE_S, self._insist)

    def _insist(self) -> None:
        self._task.uncancel()
        self._cancel()
