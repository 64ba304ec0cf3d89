"""Which trace and which span are current, per task and thread."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, ClassVar, Self

_trace: ContextVar[Any] = ContextVar("outlast_trace", default=None)
_span: ContextVar[Any] = ContextVar("outlast_span", default=None)
_ids: ContextVar[Callable[[], str] | None] = ContextVar("outlast_span_ids", default=None)


class Scope:
    """Reads and sets what is current. Tasks inherit it from where they were created."""

    get_current_span = staticmethod(_span.get)
    set_current_span = staticmethod(_span.set)
    reset_current_span = staticmethod(_span.reset)
    get_current_trace = staticmethod(_trace.get)
    set_current_trace = staticmethod(_trace.set)
    reset_current_trace = staticmethod(_trace.reset)
    get_span_ids = staticmethod(_ids.get)
    """What names the spans that are opened here, where their ids follow from what they are about."""
    set_span_ids = staticmethod(_ids.set)
    reset_span_ids = staticmethod(_ids.reset)


class _Current:
    """Being current between start and finish: once, however often it is started."""

    _variable: ClassVar[ContextVar[Any]]
    _prev_context_token: Token[Any] | None = None
    _started = False

    def start(self, mark_as_current: bool = False) -> None:
        if not self._started:
            self._started = True
            if mark_as_current:
                self._prev_context_token = self._variable.set(self)

    def finish(self, reset_current: bool = False) -> None:
        if reset_current:
            self._step_back()

    def __enter__(self) -> Self:
        self.start(mark_as_current=True)
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *raised: object) -> None:
        try:
            self.finish()
        finally:
            self._step_back(exc_type)

    def _step_back(self, exc_type: type[BaseException] | None = None) -> None:
        token, self._prev_context_token = self._prev_context_token, None
        if token is None:
            return
        try:
            self._variable.reset(token)
        except ValueError:
            # An abandoned generator is closed in whatever context closes it, where nothing was
            # set. Anywhere else, this is a caller's mistake.
            if exc_type is not GeneratorExit:
                raise


class CurrentTrace(_Current):
    """What can be the current trace."""

    _variable = _trace


_mirror: Callable[[Any], Callable[[], None]] | None = None


def mirror_spans(mirror: Callable[[Any], Callable[[], None]] | None) -> None:
    """Make current spans current for somebody else too.

    Args:
        mirror: Is called with a span that becomes current; what it returns, when it is no more. None
            ends that.
    """
    global _mirror  # noqa: PLW0603  # one per process, as is what it mirrors to
    _mirror = mirror


class CurrentSpan(_Current):
    """What can be the current span."""

    _variable = _span
    _undo: Callable[[], None] | None = None

    def start(self, mark_as_current: bool = False) -> None:
        super().start(mark_as_current)
        if mark_as_current and _mirror is not None and self._undo is None:
            self._undo = _mirror(self)

    def _step_back(self, exc_type: type[BaseException] | None = None) -> None:
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()
        super()._step_back(exc_type)
