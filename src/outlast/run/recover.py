"""Letting interrupted runs go on when a server or a worker starts."""

from __future__ import annotations

import asyncio
from typing import Unpack

from outlast.core.errors import AgentsException
from outlast.definitions.agent import Agent
from outlast.definitions.context import TContext
from outlast.engine.config import coerce_run_config
from outlast.run.options import RunOptions
from outlast.run.result import RunResult
from outlast.run.runner import Runner, journal_of


async def recover_runs(
    *agents: Agent[TContext], **options: Unpack[RunOptions[TContext]]
) -> dict[str, RunResult | AgentsException]:
    """What every interrupted run came to that began with one of ``agents``, by run id.

    Runs that a living process performs, runs that wait for a person and runs of other agents are
    left alone. Nested runs go on with the runs that they belong to.

    Args:
        agents: The agents that runs begin with.
        options: What `Runner.run` takes by keyword, for all of them.
    """
    journal = journal_of(coerce_run_config(options.get("run_config")))
    by_name = {agent.name: agent for agent in agents}
    interrupted = [
        run
        for run in await journal.runs(status="running")
        if not run.owner_alive and not run.parent and run.agent in by_name
    ]
    results = await asyncio.gather(
        *(Runner.resume(run.run_id, by_name[run.agent], **options) for run in interrupted),
        return_exceptions=True,
    )
    found: dict[str, RunResult | AgentsException] = {}
    for run, result in zip(interrupted, results, strict=True):
        if not isinstance(result, RunResult | AgentsException):
            raise result
        found[run.run_id] = result
    return found
