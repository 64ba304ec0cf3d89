"""Results that guides read before they have awaited them, and tools that answer with a run."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Coroutine, Generator
from typing import Any

from outlast.compat.guides.patching import Patches
from outlast.compat.guides.runs import VIEWS
from outlast.definitions.function_tool import ToolInvoker
from outlast.run.result import RunResult, RunResultBase
from outlast.run.runner import Runner


def teach(patches: Patches) -> None:
    """Teach `Runner.run` and tools the spellings of guides."""
    patches.add(Runner, "run", classmethod(_run(Runner.run.__func__)))
    for name in ("__call__", "settled"):
        patches.wrap(ToolInvoker, name, _answering)


class LateResult(Coroutine[Any, Any, Any]):
    """A run that can be awaited, like the coroutine that it holds, or read, which performs it."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._result: Any = None

    def send(self, value: Any) -> Any:
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def __getattr__(self, name: str) -> Any:
        """Something of the result. What a coroutine has is asked of the coroutine."""
        if name not in _OF_RESULTS:
            return getattr(self._coroutine, name)
        if self._result is None:
            self._result = asyncio.run(self._coroutine)
        return getattr(self._result, name)


_OF_RESULTS = frozenset(
    name for name in (*RunResult.__dataclass_fields__, *dir(RunResult), *VIEWS) if name[0] != "_"
)


def _run(original: Any) -> Any:
    @functools.wraps(original)
    def run(cls: Any, *args: Any, **options: Any) -> Any:
        coroutine = original(cls, *args, **options)
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # Nothing could await it in this thread but a loop that it starts.
            return LateResult(coroutine)
        return coroutine

    mark: Any = getattr(inspect, "markcoroutinefunction", None)
    if mark is not None:
        return mark(run)
    # Before Python 3.12, asyncio alone can be told what is as good as an `async def`.
    vars(run)["_is_coroutine"] = vars(asyncio.coroutines)["_is_coroutine"]
    return run


def _answering(original: Any) -> Any:
    """A tool that answers with a run, as `return Runner.run(...)` does, means its output."""

    async def answer(self: Any, *args: Any) -> Any:
        value = await original(self, *args)
        value = await value if isinstance(value, LateResult) else value
        return value.final_output if isinstance(value, RunResultBase) else value

    return answer
