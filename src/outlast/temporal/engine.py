"""Running on a cluster from any process: `Runner.run(agent, "...", engine=TemporalEngine(client, store))`."""

from __future__ import annotations

from temporalio.client import Client

from outlast.temporal.codec import converter, sealed
from outlast.temporal.journal import TemporalJournal
from outlast.temporal.settings import TemporalSettings
from outlast.temporal.store import Store

QUEUE = "outlast"
"""The task queue of workers and callers that name none."""


class TemporalEngine:
    """Has runs performed by the workers of a Temporal cluster.

    Args:
        client: From `connect`, or a client of your own with the same namespace; large payloads go to
            ``store``, whatever its data converter does.
        store: What all workers and callers share.
        queue: The task queue of the workers that have the program.
        settings: How effects become activities.
        prefix: What the ids of workflows begin with; the rest is the run's id.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        *,
        queue: str = QUEUE,
        settings: TemporalSettings | None = None,
        prefix: str = "",
    ) -> None:
        config = client.config()
        store = sealed(store, config["data_converter"])
        config["data_converter"] = converter(store, config["data_converter"])
        self.journal = TemporalJournal(Client(**config), store, queue, settings, prefix=prefix)
        """Where the runs are: `RunConfig(journal=engine.journal)` for `Runner.approve` and its like."""
