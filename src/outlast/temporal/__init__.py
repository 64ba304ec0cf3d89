"""Runs on a Temporal cluster: the same programs, the same logs, another host for their effects.

    worker:  outlast worker FILE   or: worker_of(client, store, Program(agent=agent))
    caller:  await Runner.run(agent, "...", engine=TemporalEngine(client, store))

Needs the extra `temporal`. One workflow, `OutlastRun`, holds the pure core and its loop; whatever user
code answers is an activity on a worker that has the program. Who writes workflows gives
`OpenAIAgentsPlugin` to a client and calls `Runner.run` in them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlast.temporal.activities import Program
    from outlast.temporal.connecting import connect, run_worker, worker_of
    from outlast.temporal.engine import TemporalEngine
    from outlast.temporal.journal import TemporalJournal
    from outlast.temporal.model_activity import ModelActivityParameters
    from outlast.temporal.plugin import OpenAIAgentsPlugin
    from outlast.temporal.settings import TemporalSettings
    from outlast.temporal.store import DirectoryStore, Store
    from outlast.temporal.worker_env import AllowAllWorkerEnvVars, temporal_worker_env_ref
    from outlast.temporal.workflow_servers import (
        StatefulMCPServerProvider,
        StatelessMCPServerProvider,
        stateful_mcp_server,
        stateless_mcp_server,
        temporal_mcp_server,
    )
    from outlast.temporal.workflow_tools import activity_as_tool, nexus_operation_as_tool

__all__ = [
    "AllowAllWorkerEnvVars",
    "DirectoryStore",
    "ModelActivityParameters",
    "OpenAIAgentsPlugin",
    "Program",
    "StatefulMCPServerProvider",
    "StatelessMCPServerProvider",
    "Store",
    "TemporalEngine",
    "TemporalJournal",
    "TemporalSettings",
    "activity_as_tool",
    "connect",
    "nexus_operation_as_tool",
    "run_worker",
    "stateful_mcp_server",
    "stateless_mcp_server",
    "temporal_mcp_server",
    "temporal_worker_env_ref",
    "worker_of",
]

_HOMES = {
    "AllowAllWorkerEnvVars": "worker_env",
    "DirectoryStore": "store",
    "ModelActivityParameters": "model_activity",
    "OpenAIAgentsPlugin": "plugin",
    "Program": "activities",
    "StatefulMCPServerProvider": "workflow_servers",
    "StatelessMCPServerProvider": "workflow_servers",
    "Store": "store",
    "TemporalEngine": "engine",
    "TemporalJournal": "journal",
    "TemporalSettings": "settings",
    "activity_as_tool": "workflow_tools",
    "connect": "connecting",
    "nexus_operation_as_tool": "workflow_tools",
    "run_worker": "connecting",
    "stateful_mcp_server": "workflow_servers",
    "stateless_mcp_server": "workflow_servers",
    "temporal_mcp_server": "workflow_servers",
    "temporal_worker_env_ref": "worker_env",
    "worker_of": "connecting",
}


def __getattr__(name: str) -> Any:
    # Lazy: the workflow's sandbox imports this package, and wants none of what a worker needs.
    if name not in _HOMES:
        raise AttributeError(f"module 'outlast.temporal' has no attribute {name!r}")
    return getattr(import_module(f"outlast.temporal.{_HOMES[name]}"), name)
