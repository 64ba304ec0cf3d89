"""What is done where a run goes on under a changed program: as `RunConfig.on_change` says."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from outlast.core.errors import IncompatibleRun
from outlast.core.events import RunAbandoned, RunForked
from outlast.engine.changed import Change, changes_of
from outlast.engine.env import RunEnv
from outlast.engine.local_runs import new_run_id, open_log
from outlast.views.branch import whole

_log = logging.getLogger("outlast.runs")


async def heed_changes(env: RunEnv) -> str:
    """Do what the run's settings want where the program has changed since it was performed last.

    Returns:
        The id of the fork that goes on instead; empty where the run itself does.

    Raises:
        IncompatibleRun: The settings want the run to stop, or what has changed cannot be pinned. Nothing
            was recorded, and `changes` of the error says how each part differs.
    """
    changes = await changes_of(env)
    if not changes:
        return ""
    parts = ", ".join(map(str, changes))
    match env.config.on_change:
        case "stop":
            raise _refused(env.run_id, changes, f"its program has changed: {parts}")
        case "pin":
            _pin(env, changes)
        case "fork":
            return await _forked(env, parts)
        case _:
            _say(env.run_id, f"goes on under a changed program: {parts}")
    return ""


def _refused(run_id: str, changes: Sequence[Change], why: str) -> IncompatibleRun:
    error = IncompatibleRun.changed(
        run_id,
        why,
        "Go on with it in the program that it had, or with RunConfig(on_change='go_on'), which leaves "
        "what has happened and asks the rest of the new one.",
        changes[0].part or changes[0].agent,
    )
    error.changes = tuple(changes)
    return error


def _pin(env: RunEnv, changes: Sequence[Change]) -> None:
    """Let agents keep the instructions that the run has: those are data. What a tool does is code."""
    code = [each for each in changes if each.part != "instructions"]
    if any(each.kind != "+" for each in code):
        parts = ", ".join(map(str, code))
        raise _refused(env.run_id, changes, f"what has changed cannot be pinned: {parts}")
    env.live.pins = {each.agent: each.before for each in changes if each.part == "instructions"}
    _say(
        env.run_id,
        f"keeps what it was told, though its program has changed: {', '.join(map(str, changes))}",
    )


async def _forked(env: RunEnv, parts: str) -> str:
    """Leave the run as it is, and begin one that is the same so far."""
    own = whole([each.event for each in await env.log.journal.read(env.run_id)])
    log = await open_log(env.log.journal, new_run_id())
    try:
        log.add([*own, RunForked(env.run_id, len(own)), RunAbandoned("leave")])
        await log.commit()
    finally:
        await log.release()
    _say(env.run_id, f"stays as it is, and goes on as {log.run_id}: {parts}")
    return log.run_id


def _say(run_id: str, text: str) -> None:
    _log.warning("run %s %s", run_id, text, extra={"run_id": run_id, "event": "program.changed"})
