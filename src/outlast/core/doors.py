"""Doors that lead upwards: what definitions offer, and layers above them do.

`Agent.as_tool` is a run inside a tool, and runs stand far above agents. So the package, which stands
above everything, says here what is behind each door; it is loaded when somebody goes through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

Door: TypeAlias = Literal["agent_as_tool", "agent_tools", "coerce_run_config"]

_LOADERS: dict[str, Callable[[], Any]] = {}


def open_door(name: Door, load: Callable[[], Any]) -> None:
    """Say what is behind a door: ``load`` gives it, and is called each time."""
    _LOADERS[name] = load


def behind(name: Door) -> Any:
    """What is behind a door."""
    return _LOADERS[name]()
