"""The words between the loop and whoever performs: what an effect came to, and what to tell of it.

All of it is data. It can be written as JSON and read in another process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from outlast.core.events import Event

_NOTHING: dict[str, bytes] = {}


class HookCall(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What hooks are to hear of once it is durable: those of the run, and those of the agent."""

    hook: Literal["on_llm_end", "on_tool_end", "on_handoff"]
    effect_id: str
    """The effect whose result they hear of."""
    agent: str
    """The agent whose effect it was."""
    to: str = ""
    """The agent that was handed off to."""


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What performing an effect came to."""

    events: Sequence[Event]
    hooks: Sequence[HookCall] = ()
    """Told once the events are durable, before anything else begins."""
    blobs: Mapping[str, bytes] = _NOTHING
    """What the events name by the hash of its content: stored before they are."""


class Emit(Protocol):
    """Adds events to the run's log in the middle of an effect."""

    async def __call__(self, *events: Event) -> None:
        """Return once ``events`` are durable.

        Raises:
            JournalError: They were not written. The effect must not go on.
        """
        ...


class BlobReader(Protocol):
    """Reads what events name by the hash of its content."""

    async def __call__(self, name: str, /) -> bytes:
        """The content.

        Raises:
            JournalCorrupt: There is none, or it has changed.
        """
        ...
