"""What becomes of a run whose caller goes away: a time-out, a cancelled task, a closed tab, Ctrl-C.

To a program all of these are a cancelled task. That somebody has left is a fact of the run: it is in
the log, so that a list of runs says it and recovery does what the program wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from outlast.core.errors import JournalError
from outlast.core.events import RunAbandoned, RunCancelled
from outlast.definitions.logger import logger
from outlast.effects.config import OnAbandon
from outlast.engine.log import RunLog
from outlast.views.waiting import waits_for_person

T = TypeVar("T")

_OWNED: set[asyncio.Task[Any]] = set()
"""Runs that go on without a caller. The process holds them: a loop alone forgets its tasks."""


def in_background(run: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task that goes on whether or not somebody waits for it."""
    task = asyncio.get_running_loop().create_task(run)
    _OWNED.add(task)
    task.add_done_callback(_OWNED.discard)
    return task


async def finished_anyway(run: Coroutine[Any, Any, T], departed: Callable[[], None]) -> T:
    """What ``run`` returns. If the caller is cancelled it goes on, after ``departed`` was told."""
    task = in_background(run)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            departed()
            task.add_done_callback(_report)
        raise


def _report(task: asyncio.Task[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.warning("A run that nobody waits for failed: %s", type(error).__name__)


async def stop_owned() -> None:
    """Stop the runs that this loop goes on with, which will not run any more. They can be resumed."""
    loop, current = asyncio.get_running_loop(), asyncio.current_task()
    tasks = [task for task in _OWNED if task.get_loop() is loop and task is not current]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def note_departure(log: RunLog, policy: OnAbandon) -> bool:
    """Add to a run's log that whoever asked for it has gone. False where that changes nothing."""
    state = log.state
    if not state.started or state.ended or waits_for_person(state):
        return False
    why = "whoever asked for it went away"
    log.add([RunCancelled(why=why) if policy == "cancel" else RunAbandoned(policy)])
    return True


async def record_departure(log: RunLog, policy: OnAbandon) -> None:
    """Record that whoever asked for a run has gone, and that nobody performs it any more."""
    if not note_departure(log, policy):
        return
    try:
        await asyncio.shield(log.commit())
    except JournalError as error:  # Then the run is found as one whose process died.
        logger.warning("Could not record that a run was abandoned: %s", type(error).__name__)
