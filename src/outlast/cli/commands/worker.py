"""`outlast worker`."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outlast.cli.command import command, finish
from outlast.cli.problem import Missing
from outlast.cli.program import find_file, load_module, load_program
from outlast.cli.screen import console
from outlast.cli.serving import app_at, log_as_json, work

if TYPE_CHECKING:
    from outlast.temporal import Program
    from outlast.temporal.place import ClusterPlace

_BEAT_S = 10.0


@command("""
outlast worker desk.py --temporal localhost:7233 --store /mnt/shared/outlast
outlast worker desk.py:program --queue desk
outlast worker desk.py          for the journal that OUTLAST_JOURNAL names
outlast worker desk.py --once   what is due, and no more
""")
def worker(  # noqa: PLR0913  # a command has the options that it has
    place: Annotated[str, typer.Argument(metavar="FILE[:NAME]", help="An Agent, or a Program.")],
    temporal: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The server; or OUTLAST_JOURNAL names it.")
    ] = "",
    store: Annotated[
        str, typer.Option(metavar="FOLDER", help="What all workers and callers share.")
    ] = "",
    queue: Annotated[str, typer.Option(help="The task queue to work for.")] = "",
    namespace: Annotated[str, typer.Option(help="Of the server.")] = "",
    concurrency: Annotated[int, typer.Option(min=1, help="Runs at a time, of a journal.")] = 50,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that runs get to end what they do.")
    ] = 20.0,
    queues: Annotated[
        str, typer.Option(metavar="A,B", help="Only agents of these queues, of a journal.")
    ] = "",
    json_logs: Annotated[
        bool, typer.Option("--json-logs", help="A line of JSON of what becomes of each run.")
    ] = False,
    alive: Annotated[
        str,
        typer.Option(metavar="FILE", help="Touch it every ten seconds, of a cluster: for a probe."),
    ] = "",
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing of a journal is due.")
    ] = False,
) -> int:
    """Perform the runs of a journal, or those of a Temporal cluster, until stopped."""
    if json_logs:
        log_as_json()
    if not (temporal or store or os.environ.get("OUTLAST_JOURNAL", "").startswith("temporal://")):
        return work(app_at(place), concurrency=concurrency, grace_s=grace, once=once, queues=queues)
    if importlib.util.find_spec("temporalio") is None:
        raise Missing("Missing", "A worker needs temporalio.", "pip install temporalio")
    where = _cluster(temporal, store, queue, namespace)
    program = _program(place)
    finish(_work(where, program, grace, alive))
    return 0


def _cluster(address: str, store: str, queue: str, namespace: str) -> ClusterPlace:
    from outlast.temporal.place import ClusterPlace

    named = os.environ.get("OUTLAST_JOURNAL", "")
    told = ClusterPlace.parse(named) if named.startswith("temporal://") else None
    given = {"address": address, "namespace": namespace, "store": store, "queue": queue}
    given = {name: value for name, value in given.items() if value}
    if told is not None:
        return told._replace(**given)
    if "address" not in given or "store" not in given:
        raise Missing(
            "Which cluster?",
            "A worker needs a server and a store.",
            "Say --temporal HOST:PORT --store FOLDER, or set OUTLAST_JOURNAL=temporal://HOST:PORT/NAMESPACE"
            "?store=FOLDER.",
        )
    return ClusterPlace(**{"namespace": "default", **given})


def _program(place: str) -> Program:
    """The `Program` of that name in the file, or the only one; else one of its agent."""
    from outlast.temporal import Program

    path, name = find_file(place)
    made: dict[str, Any] = {
        key: value for key, value in vars(load_module(path)).items() if isinstance(value, Program)
    }
    if name in made:
        return made[name]
    if not name and len(made) == 1:
        return next(iter(made.values()))
    return Program(agent=load_program(place).agent)


async def _work(where: ClusterPlace, program: Program, grace_s: float, alive: str) -> None:
    from outlast.run.servers import connected_servers
    from outlast.temporal import connect, worker_of

    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    store = where.open_store()
    client = await connect(store, where.address, namespace=where.namespace)
    worker = worker_of(
        client,
        store,
        program,
        queue=where.queue,
        graceful_shutdown_timeout=timedelta(seconds=grace_s),
    )
    async with connected_servers(program.agent, *program.agents), worker:
        console().print(
            f"Working for {where.address}, queue {where.queue!r}, as {client.identity}. Ctrl-C stops."
        )
        while not told.is_set():
            if alive:  # By the loop itself: where that hangs the file grows old.
                Path(alive).touch()  # noqa: ASYNC240  # a moment, every ten seconds
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), _BEAT_S)
