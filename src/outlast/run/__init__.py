"""Starting, watching and resuming runs: what users call.

`from outlast.run import Runner` works as `from agents.run import Runner` does; what is named here
is loaded when it is first used, for the loop imports modules of this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlast.definitions.openai_types import TResponseInputItem as TResponseInputItem
    from outlast.definitions.run_items import RunItem as RunItem
    from outlast.effects.config import (
        DEFAULT_MAX_TURNS as DEFAULT_MAX_TURNS,
        ReasoningItemIdPolicy as ReasoningItemIdPolicy,
        RunConfig as RunConfig,
        RunOptions as RunOptions,
        ToolNameCollisionPolicy as ToolNameCollisionPolicy,
        ToolNotFoundBehavior as ToolNotFoundBehavior,
    )
    from outlast.run.result import RunResult as RunResult
    from outlast.run.run_state import RunState as RunState
    from outlast.run.runner import (
        AgentRunner as AgentRunner,
        Runner as Runner,
        get_default_agent_runner as get_default_agent_runner,
        set_default_agent_runner as set_default_agent_runner,
    )
    from outlast.run.stream import RunResultStreaming as RunResultStreaming

_NAMES = {
    "definitions.openai_types": "TResponseInputItem",
    "definitions.run_items": "RunItem",
    "effects.config": (
        "DEFAULT_MAX_TURNS ReasoningItemIdPolicy RunConfig RunOptions ToolNameCollisionPolicy "
        "ToolNotFoundBehavior"
    ),
    "run.result": "RunResult",
    "run.run_state": "RunState",
    "run.runner": "AgentRunner Runner get_default_agent_runner set_default_agent_runner",
    "run.stream": "RunResultStreaming",
}
_HOMES = {name: f"outlast.{home}" for home, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll] # noqa: PLE0605 (imported above)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    return getattr(import_module(_HOMES[name]), name)
