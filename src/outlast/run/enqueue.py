"""Beginning a run without performing it: whoever looks for runs that nobody performs goes on with it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from outlast.core.errors import AlreadyRunning, JournalUnavailable, RunNotFound
from outlast.definitions.agent import Agent
from outlast.effects.config import coerce_run_config
from outlast.engine.local_runs import RunRequest, begin, released_on_error
from outlast.journal.journal import Journal
from outlast.run.conflicts import claimed_log
from outlast.run.request import as_items, journal_of, request_of

PATIENCE_S = 10.0
"""How long to wait for who begins the same run at the same time."""
_LOOK_AGAIN_S = 0.005


async def enqueue(
    agent: Agent[Any], input: Any, **options: Any
) -> tuple[str, bool]:  # as `Runner.run`
    """Begin a run, which is on disk when this returns, and perform nothing of it.

    Args:
        agent: The agent that begins.
        input: A text, or a list of input items.
        options: What `Runner.run` takes by keyword.

    Returns:
        The run's id, and whether the run is new.

    Raises:
        RunConflict: The id is another run's: that began with another agent, input or session.
        StorageFull: Nothing was written.
    """
    request = request_of(agent, coerce_run_config(options.get("run_config")), options)
    journal = journal_of(request.config)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            return await _begun(journal, request, input)
        except AlreadyRunning:
            if await _is_there(journal, request.run_id or ""):
                return request.run_id or "", False
            await asyncio.sleep(_LOOK_AGAIN_S)
    raise JournalUnavailable(
        f"Somebody begins run {request.run_id!r}, and has not for {PATIENCE_S:.0f} s. Try again."
    )


async def _begun(journal: Journal, request: RunRequest, value: object) -> tuple[str, bool]:
    items = as_items(value)
    log = await claimed_log(journal, request, items)
    async with released_on_error(log):
        is_new = log.state.started is None
        if is_new:
            begin(log, request, items, is_text=isinstance(value, str))
            await log.commit()
    await log.release()
    return log.run_id, is_new


async def _is_there(journal: Journal, run_id: str) -> bool:
    try:
        await journal.read(run_id)
    except RunNotFound:
        return False
    return True
