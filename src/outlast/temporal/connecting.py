"""A client and a worker with all that runs need."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from outlast.run.servers import connected_servers
from outlast.temporal.activities import Performers, Program
from outlast.temporal.codec import converter, sealed
from outlast.temporal.engine import QUEUE
from outlast.temporal.settings import TemporalSettings
from outlast.temporal.store import Store
from outlast.temporal.workflow import OutlastRun

RUNNER = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules("outlast", "msgspec")
)
"""Where the workflow runs: Outlast's own modules are pure there, and loaded once for all runs."""


async def connect(
    store: Store, address: str | None = None, *, namespace: str | None = None, **options: Any
) -> Client:
    """A client of a Temporal server that keeps large payloads in ``store``.

    Args:
        store: What all workers and callers share.
        address: Host and port; by default `TEMPORAL_ADDRESS`, or localhost:7233.
        namespace: By default `TEMPORAL_NAMESPACE`, or "default".
        options: More of `temporalio.client.Client.connect`, such as `tls`, `api_key`, and a
            `data_converter` whose codec encrypts.
    """
    address = address or os.environ.get("TEMPORAL_ADDRESS") or "localhost:7233"
    namespace = namespace or os.environ.get("TEMPORAL_NAMESPACE") or "default"
    options = {"identity": f"outlast-{os.getpid()}", **options}
    options["data_converter"] = converter(store, options.get("data_converter"))
    return await Client.connect(address, namespace=namespace, **options)


def worker_of(
    client: Client,
    store: Store,
    program: Program,
    *,
    queue: str = QUEUE,
    settings: TemporalSettings | None = None,
    **options: Any,
) -> Worker:
    """A worker that performs the runs of a program.

    Args:
        client: From `connect`, with the same store.
        store: What all workers and callers share.
        program: What is performed.
        queue: The task queue to work for.
        settings: For the runs that tools and agents used as tools begin.
        options: More of `temporalio.worker.Worker`, such as `max_concurrent_activities`.
    """
    store = sealed(store, client.data_converter)
    usual: dict[str, Any] = {
        "workflow_task_poller_behavior": PollerBehaviorAutoscaling(),
        "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
        # How long others wait for a worker that has died with a run's workflow in its memory.
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=2),
    }
    return Worker(
        client,
        task_queue=queue,
        workflows=[OutlastRun],
        activities=Performers(program, client, store, settings).activities(),
        workflow_runner=RUNNER,
        **{**usual, **options},
    )


async def run_worker(
    store: Store, program: Program, *, address: str | None = None, queue: str = QUEUE
) -> None:
    """Perform the runs of a program until cancelled. MCP servers of its agents are connected here."""
    client = await connect(store, address)
    async with connected_servers(program.agent, *program.agents):
        await worker_of(client, store, program, queue=queue).run()
