"""Tracebacks of failed runs, as short as what a user's program has to do with them."""

from __future__ import annotations

import asyncio
import functools
import sysconfig
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from outlast.core.errors import AgentsException, ModelRequestError, ModelTimeoutError, UserError

_OURS = f"{Path(__file__).parents[1]}/"
_MACHINERY = (_OURS, f"{Path(asyncio.__file__).parent}/")
_PACKAGES = sysconfig.get_path("purelib")
_CARRIERS = (*_MACHINERY, *(f"{_PACKAGES}/{name}/" for name in ("openai", "httpx", "httpcore")))
"""What lies between a run and an error that Outlast raises in a client of a provider."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


def shorten(error: BaseException) -> None:
    """Take the frames off ``error`` that only say how Outlast came to raise it.

    A run is performed some fifteen calls below its caller, and the error says what to do. Frames of
    the user's code and of other libraries stay; an error that is no run's, a bug of ours, stays whole.
    """
    left, seen = error, set[int]()
    while id(left) not in seen:  # Errors can be each other's cause.
        seen.add(id(left))
        is_told = isinstance(left, AgentsException)
        if is_told or not _is_of(_last(left.__traceback__), (_OURS,)):
            left.__traceback__ = _without(left.__traceback__, _CARRIERS if is_told else _MACHINERY)
        if isinstance(left, _OF_MODELS):
            _quiet(left)
            return
        left = left.__cause__ or left


def shortened(work: Callable[_P, Awaitable[_T]]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """``work``, with errors that `shorten` has made short."""

    @functools.wraps(work)
    async def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await work(*args, **kwargs)
        except Exception as error:
            shorten(error)
            raise

    return run


_OF_MODELS = (ModelRequestError, ModelTimeoutError)


def is_of_setup(error: BaseException) -> bool:
    """Whether an error is about a key, a network or a setting: no line of a program has gone wrong."""
    is_told = isinstance(error, UserError) and error.__cause__ is None
    return is_told or isinstance(error, _OF_MODELS)


def _quiet(error: BaseException) -> None:
    """Leave of what led to ``error`` the provider's answer, without the lines of its library.

    They are a hundred, and the error has said what they mean.
    """
    cause = error.__cause__
    error.__suppress_context__ = True
    if cause is not None and isinstance(error, ModelRequestError):
        cause.__traceback__ = cause.__cause__ = None
        cause.__suppress_context__ = True


def _last(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _is_of(trace: TracebackType | None, folders: tuple[str, ...]) -> bool:
    return trace is not None and trace.tb_frame.f_code.co_filename.startswith(folders)


def _without(trace: TracebackType | None, folders: tuple[str, ...]) -> TracebackType | None:
    kept: list[TracebackType] = []
    while trace is not None:
        if not _is_of(trace, folders):
            kept.append(trace)
        trace = trace.tb_next
    rest: TracebackType | None = None
    for each in reversed(kept):  # As deep as a program may recurse, so not by recursion.
        rest = TracebackType(rest, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return rest
