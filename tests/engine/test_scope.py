"""What a run made is closed, whatever happens, and no error of closing takes the run's own's place."""

import asyncio
import logging
from typing import Any

import pytest

from outlast import (
    Agent,
    ComputerProvider,
    ComputerTool,
    ModelResponse,
    RunConfig,
    Runner,
    Usage,
    UserError,
)
from outlast.core.errors import StorageBusy
from outlast.definitions.computer import AsyncComputer
from outlast.definitions.model import Model
from outlast.effects import scope as scopes
from outlast.effects.scope import RunScope
from outlast.journal import MemoryJournal
from outlast.testing import assistant_message


def closer(done: list[str], name: str, error: BaseException | None = None) -> Any:
    async def close() -> None:
        done.append(name)
        if error is not None:
            raise error

    return close


async def left(scope: RunScope, error: Exception | None = None) -> None:
    async with scope:
        if error is not None:
            raise error


async def test_the_latest_is_closed_first_and_each_once():
    done: list[str] = []
    async with RunScope("r") as scope:
        for name in ("provider", "connection", "sandbox"):
            scope.own(name, closer(done, name))
    await scope.close()
    assert done == ["sandbox", "connection", "provider"]


async def test_each_is_closed_where_others_fail_to_and_all_of_it_is_logged(caplog: Any):
    done, scope = list[str](), RunScope("r")
    scope.own("a", closer(done, "a"))
    scope.own("b", closer(done, "b", OSError("first")))
    scope.own("c", closer(done, "c", ValueError("second")))
    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match="second"):
        await left(scope)
    assert done == ["c", "b", "a"]
    assert [record.getMessage() for record in caplog.records] == [
        "Closing the c of run r failed: ValueError",
        "Closing the b of run r failed: OSError",
    ]


async def test_an_error_of_closing_does_not_replace_the_block_s_own():
    done, scope = list[str](), RunScope("r")
    scope.own("a", closer(done, "a", OSError("closing")))
    with pytest.raises(LookupError, match="own"):
        await left(scope, LookupError("own"))
    assert done == ["a"]


async def test_whoever_is_cancelled_while_closing_closes_the_rest_first():
    done, scope = list[str](), RunScope("r")
    scope.own("a", closer(done, "a"))
    scope.own("b", closer(done, "b", asyncio.CancelledError()))
    with pytest.raises(asyncio.CancelledError):
        await left(scope)
    assert done == ["b", "a"]


async def test_what_does_not_close_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scopes, "CLOSE_S", 0.01)
    done, scope = list[str](), RunScope("r")
    scope.own("a", closer(done, "a"))
    scope.own("b", asyncio.Event().wait)
    with pytest.raises(TimeoutError):
        await left(scope)
    assert done == ["a"]


class Screen(AsyncComputer):
    environment, dimensions = "browser", (10, 10)

    async def _do(self, *_: Any) -> str:
        return ""

    screenshot = click = double_click = scroll = type = wait = move = keypress = drag = _do


class Says(Model):
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        if self.error is not None:
            raise self.error
        return ModelResponse([assistant_message("done")], Usage(requests=1), None)

    def stream_response(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


class Busy(MemoryJournal):
    """Cannot take a run back."""

    async def release(self, *args: Any, **options: Any) -> None:
        await super().release(*args, **options)
        raise StorageBusy("The file is locked.")


@pytest.mark.parametrize("error", [None, UserError("the run's own")])
async def test_a_journal_that_takes_no_run_back_hides_nothing_and_keeps_nothing_open(error: Any):
    closed: list[str] = []
    provider: Any = ComputerProvider(
        create=lambda **_: Screen(), dispose=lambda **_: closed.append("computer")
    )
    computer = ComputerTool(computer=provider)
    agent = Agent(name="desk", model=Says(error), tools=[computer])
    with pytest.raises(UserError if error else StorageBusy):
        await Runner.run(agent, "hi", run_config=RunConfig(journal=Busy()))
    assert closed == ["computer"]
