"""What the package `exospherehost` offers beside `openai`, where that package is not installed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NoReturn

from outlast.core.errors import UserError

_GRAPHS = (
    "CronTrigger", "GraphNodeModel", "PruneSignal", "ReQueueAfterSignal", "RetryPolicyModel",
    "RetryStrategyEnum", "Runtime", "StateManager", "StoreConfigModel", "UnitesModel",
    "UnitesStrategyEnum",
)  # fmt: skip


class BaseNode(ABC):
    """A step of a graph: `Inputs` and `Outputs` are pydantic models, `execute` makes one of the other.

    A node can be called by itself: ``await node.execute(node.Inputs(...))``.
    """

    Inputs: ClassVar[Any] = None
    Outputs: ClassVar[Any] = None
    Secrets: ClassVar[Any] = None
    inputs: Any = None
    secrets: Any = None

    @abstractmethod
    async def execute(self, *args: Any) -> Any:
        """The node's outputs."""


def __getattr__(name: str) -> NoReturn:
    if name in _GRAPHS:
        raise UserError(
            f"This version of Outlast has no graphs, so there is no exospherehost.{name}. Install "
            "exospherehost for that; exospherehost.openai works beside it."
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
