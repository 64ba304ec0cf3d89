"""Many runs of one agent: so many at a time, with their results in the order of their inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from outlast.core.errors import UserError
from outlast.run.result import RunResult
from outlast.run.runner import Runner


async def run_batch(
    agent: Any,
    inputs: Sequence[Any],
    *,
    at_once: int = 8,
    name: str | None = None,
    return_exceptions: bool = False,
    **options: Any,
) -> list[Any]:
    """The results of an agent's runs, one for each input, in the order of the inputs.

    Args:
        agent: Whose runs they are.
        inputs: What each run begins with.
        at_once: How many runs are under way at a time.
        name: A name for the batch. Its runs have the ids ``name-0``, ``name-1`` and so on: the same
            batch, called again after a crash, goes on with those that have not ended and performs none
            of the others again. By default every call makes new runs.
        return_exceptions: Whether an error stands in the place of its run's result. Otherwise the first
            one is raised, no further run begins, and those under way are cancelled.
        options: What `Runner.run` takes, for each of them, but ``run_id``.

    Raises:
        UserError: ``at_once`` is below 1, or ``run_id`` is given.
    """
    if at_once < 1:
        raise UserError(f"run_batch performs at_once={at_once} runs at a time. Give it at least 1.")
    if options.get("run_id") is not None:
        raise UserError(
            f"run_batch makes many runs, and got run_id={options['run_id']!r} for one. Give it "
            "name=..., from which each run gets an id of its own."
        )
    slots = asyncio.Semaphore(at_once)

    async def one(number: int, given: Any) -> RunResult | Exception:
        own: dict[str, Any] = {} if name is None else {"run_id": f"{name}-{number}"}
        async with slots:
            try:
                return await Runner.run(agent, given, **{**options, **own})
            except Exception as error:
                if not return_exceptions:
                    raise
                return error

    tasks = [asyncio.ensure_future(one(*each)) for each in enumerate(inputs)]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
