"""The command line: all of its commands, each in a module of its own under `commands`."""

from __future__ import annotations

from outlast.cli.command import app
from outlast.cli.commands import (
    answer,
    approvals,
    approve,
    backup,
    cancel,
    chat,
    completion,
    costs,
    demo,
    dev,
    diff,
    doctor,
    evaluating,
    export,
    forget,
    fork,
    graph,
    keys,
    mcp,
    migrate,
    new,
    pause,
    provider,
    prune,
    reject,
    replay,
    restore,
    resume,
    retry,
    run,
    runs,
    send,
    serve,
    sessions,
    show,
    stats,
    stubs,
    topup,
    trace,
    watch,
    worker,
)

COMMANDS = (
    demo, new, dev, run, chat, serve, runs, show, watch, stats, trace, resume, retry, approvals, approve, reject, answer, cancel,
    pause, send, topup, costs, replay, fork, diff, export, evaluating, prune, backup, restore, worker, keys, doctor, mcp, provider, completion, stubs,
    graph, migrate,
    sessions, forget,
)  # fmt: skip
"""Importing a command registers it; this is the order in which the help lists them."""
_ORDER = [module.__name__ for module in COMMANDS]
app.registered_commands.sort(
    key=lambda each: _ORDER.index(getattr(each.callback, "__module__", ""))
)

__all__ = ["COMMANDS", "app"]
