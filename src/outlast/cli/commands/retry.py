"""`outlast retry`."""

from __future__ import annotations

from outlast.cli.command import AgentPlace, AsJson, MaxTurns, RunId, command, finish
from outlast.cli.running import matching_run, resume_one


@command("""
outlast retry order-17 --agent desk.py
""")
def retry(
    run_id: RunId, place: AgentPlace = "", max_turns: MaxTurns = None, as_json: AsJson = False
) -> int:
    """Go on with a run that has failed, where it failed.

    It does the same as resume.
    """
    return resume_one(finish(matching_run(run_id)), place, max_turns, word="retry", as_json=as_json)
