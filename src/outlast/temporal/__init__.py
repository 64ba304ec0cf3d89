"""Runs on a Temporal cluster: the same programs, the same logs, another host for their effects.

    worker:  async with Client.connect(..., plugins=[OutlastPlugin(agent)]): ...   or: outlast worker FILE
    caller:  await Runner.run(agent, "...", engine=TemporalEngine(client))

Needs the extra `temporal`. One workflow, `OutlastRun`, holds the pure core and its loop; whatever user
code answers is an activity on a worker that has the program.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlast.temporal.activities import Program
    from outlast.temporal.connecting import connect, run_worker, worker_of
    from outlast.temporal.engine import TemporalEngine
    from outlast.temporal.journal import TemporalJournal
    from outlast.temporal.settings import TemporalSettings
    from outlast.temporal.store import DirectoryStore, Store

__all__ = [
    "DirectoryStore",
    "Program",
    "Store",
    "TemporalEngine",
    "TemporalJournal",
    "TemporalSettings",
    "connect",
    "run_worker",
    "worker_of",
]

_HOMES = {
    "DirectoryStore": "store",
    "Program": "activities",
    "Store": "store",
    "TemporalEngine": "engine",
    "TemporalJournal": "journal",
    "TemporalSettings": "settings",
    "connect": "connecting",
    "run_worker": "connecting",
    "worker_of": "connecting",
}


def __getattr__(name: str) -> Any:
    # Lazy: the workflow's sandbox imports this package, and wants none of what a worker needs.
    if name not in _HOMES:
        raise AttributeError(f"module 'outlast.temporal' has no attribute {name!r}")
    return getattr(import_module(f"outlast.temporal.{_HOMES[name]}"), name)
