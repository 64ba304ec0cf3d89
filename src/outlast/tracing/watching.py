"""Who is told of what has no span: events that a run's log has by now, and circuits that change.

Nobody, until an exporter of metrics asks. What an observer raises is logged and costs the run nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from outlast.definitions.logger import logger


class Observer(Protocol):
    """Is told on the thread of the run, and must not block."""

    def on_events(self, run_id: str, events: Sequence[Any]) -> None:
        """``events`` are in the log of a run."""
        ...

    def on_circuit(self, model: str, state: str) -> None:
        """The circuit of a model is ``closed``, ``open`` or ``half-open`` now."""
        ...


_observers: tuple[Observer, ...] = ()


def observe(observer: Observer) -> None:
    """Tell ``observer`` from now on, once however often it is added."""
    global _observers  # noqa: PLW0603  # replaced and never changed: loops over it are not disturbed
    if observer not in _observers:
        _observers = (*_observers, observer)


def ignore(observer: Observer) -> None:
    """Do not tell ``observer`` any more."""
    global _observers  # noqa: PLW0603
    _observers = tuple(each for each in _observers if each is not observer)


def tell_events(run_id: str, events: Sequence[Any]) -> None:
    """Tell of events that are durable."""
    for observer in _observers:
        try:
            observer.on_events(run_id, events)
        except Exception as error:  # noqa: BLE001  # it must not break what it watches
            logger.error("An observer of runs failed: %s", type(error).__name__)


def tell_circuit(model: str, state: str) -> None:
    """Tell of a circuit that has changed."""
    for observer in _observers:
        try:
            observer.on_circuit(model, state)
        except Exception as error:  # noqa: BLE001
            logger.error("An observer of circuits failed: %s", type(error).__name__)


def observers() -> tuple[Observer, ...]:
    """Who is told now."""
    return _observers
