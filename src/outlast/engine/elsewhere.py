"""Engines that perform whole runs in other processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from outlast.core.errors import WrongType


class RunsElsewhere(Protocol):
    """An engine that performs whole runs in other processes."""

    @property
    def journal(self) -> Any:
        """The `Journal` of its runs, which is a `Follower` too."""
        ...


def engine_of(options: Mapping[str, Any]) -> RunsElsewhere | None:
    """The engine that a runner's keywords name.

    Raises:
        WrongType: It is none.
    """
    engine = options.get("engine")
    if engine is None or hasattr(engine, "journal"):
        return engine
    raise WrongType(
        f"engine must be one that performs whole runs, such as a TemporalEngine, got "
        f"{type(engine).__name__}. Leave it out to perform the run in this process."
    )
