"""Noticing that an agent's tools change while several runs share the agent.

A run decides which tools a call may reach from what the agent has at that moment. Another run that
changes the list would lend its tools to this one, so both are refused. One record an agent keeps
this O(1) in the number of runs.
"""

from __future__ import annotations

import threading
from operator import is_
from typing import Any

import msgspec

from outlast.core.errors import UserError
from outlast.definitions.agent import WATCHED, Agent


class _Shared(msgspec.Struct):
    agent: Agent
    runs: int
    tools: list[Any]
    is_broken: bool = False


_SHARED: dict[int, _Shared] = {}
_LOCK = threading.Lock()


def enter(agent: Agent) -> None:
    """A run begins to use ``agent``."""
    with _LOCK:
        known = _SHARED.get(id(agent))
        if known is None:
            known = _SHARED[id(agent)] = _Shared(agent, 1, list(agent.tools))
            # What is put back before anybody looks was changed all the same.
            WATCHED[id(agent)] = lambda: _look(known)
            return
        _look(known)
        known.runs += 1


def leave(agent: Agent) -> None:
    """That run has ended. A conflict lasts until the last run that shares the agent has."""
    with _LOCK:
        known = _SHARED.get(id(agent))
        if known is None:
            return
        _look(known)
        known.runs -= 1
        if known.runs == 0:
            del _SHARED[id(agent)], WATCHED[id(agent)]


def is_consistent(agent: Agent) -> bool:
    """Whether nobody changed the agent's tools under several runs."""
    known = _SHARED.get(id(agent))
    if known is None:
        return True
    _look(known)
    return not known.is_broken


def require_consistent(agent: Agent) -> None:
    """Refuse to go on with an agent whose tools were changed under several runs.

    Raises:
        UserError: They were. Give each run an agent of its own (`clone`), or use `is_enabled`.
    """
    if not is_consistent(agent):
        raise UserError(
            f"The tools of agent {agent.name!r} were changed while concurrent runs share it. Use a "
            "clone for each run, or let is_enabled decide by the run's context."
        )


def _look(known: _Shared) -> None:
    tools = known.agent.tools
    if len(tools) == len(known.tools) and all(map(is_, tools, known.tools)):
        return
    if known.runs > 1:
        known.is_broken = True
    known.tools = list(tools)
