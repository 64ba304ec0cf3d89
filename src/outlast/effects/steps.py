"""The recorded parts of a tool's work: each performed at most until one result is in the log."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from outlast.core.errors import AgentsException, UserError
from outlast.core.events import StepRecorded
from outlast.core.shown import class_name, shown, tame
from outlast.core.state import WHOLE
from outlast.core.surrogates import without_surrogates
from outlast.definitions.values import Lookup, NotKept, pack, scope_of, unpack
from outlast.effects.outcome import Emit

_NOTHING: dict[str, StepRecorded] = {}
_within: ContextVar[tuple[tuple[object, str], ...]] = ContextVar("_within", default=())
"""The steps that this code is part of, outermost first, each with the call that it belongs to."""


class Steps:
    """The steps of one call. Of two at once under one name, the second gets the first's result."""

    __slots__ = (
        "_busy",
        "_effect_id",
        "_emit",
        "_fresh",
        "_is_closed",
        "_known",
        "_loop",
        "_waits",
    )

    def __init__(self, known: dict[str, StepRecorded], emit: Emit, effect_id: str) -> None:
        self._known = known
        """Those that were recorded when the effect began, by name."""
        self._fresh: dict[str, StepRecorded] = _NOTHING
        self._emit = emit
        self._effect_id = effect_id
        self._busy: dict[str, asyncio.Lock] = {}
        self._waits: dict[str, list[str]] = {}
        """By step, those whose results it waits for now."""
        self._loop = asyncio.get_running_loop()
        self._is_closed = False

    def close(self) -> None:
        """Begin no step any more: nobody waits for the call, and nothing would be recorded."""
        self._is_closed = True

    async def perform(self, name: str, fn: Callable[[], Any], returns: object = None) -> Any:
        """The recorded result of the step, or ``fn``'s, recorded now and read back."""
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]  # user code
            raise UserError(f"A step needs a name, a text that is not empty; got {name!r}.")
        see = scope_of(fn, *(() if returns is None else (returns,)))
        with self._waiting(name):
            known = await self._result(name, fn, see)
        if known.refused:
            raise UserError(known.refused)
        return unpack(known.result, see)

    async def _result(self, name: str, fn: Callable[[], Any], see: Lookup) -> StepRecorded:
        async with self._busy.setdefault(name, asyncio.Lock()):
            known = self._known.get(name) or self._fresh.get(name)
            if known is None:
                self._require_open(name)
                known = await self._recorded(name, fn, see)
                self._fresh = {**self._fresh, name: known}
        return known

    @contextmanager
    def _waiting(self, name: str) -> Generator[None]:
        """A block in which the step that this code is part of, if any, waits for step ``name``."""
        held = [step for steps, step in _within.get() if steps is self]
        if not held:
            yield
            return
        self._require_end(name, held)
        waits = self._waits.setdefault(held[-1], [])
        waits.append(name)
        try:
            yield
        finally:
            waits.remove(name)

    def _require_end(self, name: str, held: list[str]) -> None:
        """Refuse to wait for a step that waits, itself or by others, for the one that asks."""
        met, due = set[str](), [name]
        while due:
            step = due.pop()
            if step in met or not self._is_busy(step):
                continue
            if step in held:
                raise UserError(
                    f"Step {name!r} of call {self._effect_id!r} was asked for inside of step {step!r}, "
                    "whose end it would have to wait for: both would wait for ever. Give each part "
                    "a name of its own, for example with a number in it."
                )
            met.add(step)
            due += self._waits.get(step, ())

    def _is_busy(self, name: str) -> bool:
        return name in self._busy and self._busy[name].locked()

    @property
    def whole(self) -> StepRecorded | None:
        """What the whole call came to when it was performed before; see `keep_whole`."""
        return self._known.get(WHOLE)

    async def keep_whole(self, value: object, see: Lookup) -> None:
        """Record what the whole call came to: what looks at its value has failed, the call has not."""
        try:
            result = pack(value, see)
        except NotKept:
            result = without_surrogates(shown(value))
        await self._emit(StepRecorded(self._effect_id, WHOLE, result))

    def _require_open(self, name: str) -> None:
        if self._is_closed:
            raise AgentsException(
                f"Step {name!r} of call {self._effect_id!r} was not begun: the run does not wait for this "
                "call any more, because it was cancelled or too late, and could not record the result. "
                "Let this error leave the tool."
            )

    async def _recorded(self, name: str, fn: Callable[[], Any], see: Lookup) -> StepRecorded:
        token = _within.set((*_within.get(), (self, name)))
        try:
            result = fn()
            result = tame(result)
            result = tame(await result) if inspect.isawaitable(result) else result
        finally:
            _within.reset(token)
        try:
            event = StepRecorded(self._effect_id, name, pack(result, see))
        except NotKept as error:
            refused = (
                f"Step {name!r} was performed and returned a {class_name(result)}, which the run's "
                f"log cannot keep: {error}. It is not performed again. Return text, numbers, lists or "
                "dicts, annotate what the function returns, or pass returns=."
            )
            event = StepRecorded(self._effect_id, name, refused=refused)
        await self._emit(event)
        return event

    def perform_in_thread(self, name: str, fn: Callable[[], Any], returns: object = None) -> Any:
        """The same from a thread, in which ``fn`` is called while the loop goes on."""
        if _loop_here() is self._loop:
            raise UserError(
                "step_sync waits for the run's loop, and was called on it. In an async tool, await "
                "ctx.step instead."
            )
        self._require_open(name)  # The loop may not even run any more.
        turn: concurrent.futures.Future[asyncio.Future[Any]] = concurrent.futures.Future()

        async def in_turn() -> Any:
            box: asyncio.Future[Any] = self._loop.create_future()
            turn.set_result(box)
            return await box

        in_turn.__wrapped__ = fn  # pyright: ignore[reportFunctionMemberAccess]  # what it sees
        done = asyncio.run_coroutine_threadsafe(self.perform(name, in_turn, returns), self._loop)
        concurrent.futures.wait([turn, done], return_when=concurrent.futures.FIRST_COMPLETED)
        if turn.done():
            self._answer(turn.result(), name, fn)
        return done.result()

    def _answer(self, box: asyncio.Future[Any], name: str, fn: Callable[[], Any]) -> None:
        value: Any = None
        failure: BaseException | None = None
        token = _within.set((*_within.get(), (self, name)))
        try:
            value = fn()
        except StopIteration as error:
            failure = RuntimeError(f"{fn!r} raised StopIteration.")
            failure.__cause__ = error
        except BaseException as error:  # noqa: BLE001  # raised where the result is waited for
            failure = error
        finally:
            _within.reset(token)

        def put() -> None:
            if box.done():
                return  # Nobody waits any more.
            if failure is None:
                box.set_result(value)
            else:
                box.set_exception(failure)

        self._loop.call_soon_threadsafe(put)


def _loop_here() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
