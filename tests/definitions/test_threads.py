"""The threads of synchronous functions."""

import contextvars
import threading

import pytest

from outlast.definitions.calling import run_in_thread

NAME = contextvars.ContextVar[str]("NAME")


async def test_a_function_runs_in_another_thread_with_the_callers_context():
    NAME.set("caller")
    assert await run_in_thread(NAME.get) == "caller"
    assert await run_in_thread(threading.get_ident) != threading.get_ident()


async def test_a_stop_iteration_does_not_hang_its_caller():
    with pytest.raises(RuntimeError, match="StopIteration"):
        await run_in_thread(next, iter(()))
