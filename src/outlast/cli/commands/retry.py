"""`outlast retry`."""

from __future__ import annotations

from outlast.cli.command import AgentPlace, MaxTurns, RunId, command, finish
from outlast.cli.running import matching_run, resume_one


@command("""
outlast retry order-17 --agent desk.py
""")
def retry(run_id: RunId, place: AgentPlace = "", max_turns: MaxTurns = None) -> int:
    """Go on with a run that has failed, where it failed: the same as resume."""
    return resume_one(finish(matching_run(run_id)), place, max_turns, word="retry")
