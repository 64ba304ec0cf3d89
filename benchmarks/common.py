"""What every peer's driver builds on. Only the standard library: it runs in each peer's environment.

A peer is one file in `peers/` with a `Driver`. The fake model lives in the process and answers at
once. A driver keeps nothing of a run on its agent: the position in the script is in a context
variable, which every framework carries into its tasks and threads.
"""

import contextvars
import json
import time
from typing import Any, Literal

STATE: contextvars.ContextVar[list[int]] = contextvars.ContextVar("bench_state")
TURN_TIMES: contextvars.ContextVar[list[tuple[float, float]] | None] = contextvars.ContextVar(
    "bench_turn_times", default=None
)

ARGS = {"city": "Paris", "days": 2}
ARGS_JSON = json.dumps(ARGS)
TEXT = "The weather in Paris is sunny."
INSTRUCTIONS = "You are a helpful assistant."
PROMPT = "What is the weather in Paris?"

Shape = list[list[str] | None]
"""What the model does in a run: call ids per turn with tools, then None for the final answer."""


def shape(turns: int, calls: int = 1) -> Shape:
    return [[f"call_{turn}_{call}" for call in range(calls)] for turn in range(turns)] + [None]


def begin_run() -> None:
    """Start at the first step. Called at the start of each run, inside the run's task."""
    STATE.set([0])


def next_step() -> int:
    """Return the index of this model call in its run. Fake models call it."""
    state = STATE.get()
    index = state[0]
    state[0] = index + 1
    times = TURN_TIMES.get()
    if times is not None:
        times.append((time.perf_counter(), time.process_time()))
    return index


def make_functions(count: int) -> list[Any]:
    """Return fresh functions with a typical typed signature and docstring."""
    return [_make_function(f"tool_{index}") for index in range(count)]


def _make_function(name: str) -> Any:
    async def function(city: str, days: int = 3, units: Literal["c", "f"] = "c") -> str:
        """Get the weather forecast for a city.

        Args:
            city: Name of the city to look up.
            days: Number of days to forecast.
            units: Temperature units.
        """
        return "sunny"

    function.__name__ = function.__qualname__ = name
    return function


class Driver:
    """How one framework does what a scenario asks for."""

    IMPORT = "pass"  # the statement that a first program of this framework needs
    DISTS: tuple[str, ...] = ()  # distributions whose versions are reported
    UNSUPPORTED: frozenset[str] = frozenset()

    def __init__(self, variant: str) -> None:
        self.variant = variant

    def tools(self, count: int) -> list[Any]:
        """Make tools, with their schemas."""
        raise NotImplementedError

    def script(self, steps: Shape) -> list[Any]:
        """Translate a shape into answers of the model, built beforehand."""
        raise NotImplementedError

    def agent(self, tools: list[Any], script: list[Any], delay: float = 0.0) -> Any:
        raise NotImplementedError

    def stream_agent(self, events: int) -> Any:
        raise NotImplementedError

    def wire_agent(self, api: str, model: str, url: str) -> Any:
        """Make an agent whose model is behind the API `responses` or `chat` at the URL."""
        raise NotImplementedError

    async def run(self, agent: Any, max_turns: int) -> str:
        """Make one complete run and return the final text."""
        raise NotImplementedError

    async def run_stream(self, agent: Any) -> int:
        """Make one streamed run and return how many text deltas reached the caller."""
        raise NotImplementedError

    async def durable(self, tools: list[Any], script: list[Any], folder: str) -> Any:
        """Return `async (run_id, max_turns) -> text` that leaves each run on disk in `folder`."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of what `durable` opened."""
