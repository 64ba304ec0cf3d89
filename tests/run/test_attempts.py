"""A call that was cancelled and goes on in the same process is never at work twice at once."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, ToolContext, function_tool
from outlast.definitions import attempts
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


class Work:
    """A tool's body that counts how many of it are at work, and waits for a word in the first."""

    def __init__(self) -> None:
        self.at_work = self.most = self.begun = 0
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def enter(self) -> bool:
        """Whether this is the first."""
        self.begun += 1
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        self.has_begun.set()
        return self.begun == 1

    def blocking(self) -> Any:
        def pay() -> str:
            if self.enter():
                self.may_end.wait(60)
            self.at_work -= 1
            return "paid"

        return function_tool(pay)

    def stubborn(self) -> Any:
        async def pay() -> str:
            if self.enter():
                while not self.may_end.is_set():
                    try:
                        await asyncio.sleep(0.01)
                    except asyncio.CancelledError:
                        continue
            self.at_work -= 1
            return "paid"

        return function_tool(pay)


def agent(tool: Any, *replies: Any) -> Agent[Any]:
    return Agent(name="desk", tools=[tool], model=ScriptedModel([[each] for each in replies]))


async def cut_off(work: Any, tool: Any, config: RunConfig) -> None:
    """Begin a run, and cancel it while its tool is at work."""
    call = function_call("pay", {}, call_id="c")
    run = asyncio.create_task(Runner.run(agent(tool, call), "go", run_id="r", run_config=config))
    await asyncio.to_thread(work.has_begun.wait)
    run.cancel()
    await asyncio.wait([run])


@pytest.mark.parametrize("kind", ["blocking", pytest.param("stubborn", marks=pytest.mark.slow)])
async def test_a_resumed_call_waits_until_its_attempt_before_has_ended(
    kind: str, caplog: pytest.LogCaptureFixture
):
    work, config = Work(), RunConfig(journal=MemoryJournal())
    tool = getattr(work, kind)()
    await cut_off(work, tool, config)
    is_told = threading.Event()
    caplog.handler.addFilter(lambda _: is_told.set() or True)
    resumed = asyncio.create_task(
        Runner.resume("r", agent(tool, assistant_message("done")), run_config=config)
    )
    await asyncio.to_thread(is_told.wait, 60)
    assert "its attempt before works on" in caplog.text
    assert work.begun == 1
    work.may_end.set()
    assert (await resumed).final_output == "done"
    assert (work.begun, work.most) == (2, 1)
    assert not attempts._attempts.running


async def test_whoever_waits_for_an_attempt_can_be_cancelled():
    work, config = Work(), RunConfig(journal=MemoryJournal())
    tool = work.blocking()
    await cut_off(work, tool, config)
    done = assistant_message("done")
    resumed = asyncio.create_task(Runner.resume("r", agent(tool, done), run_config=config))
    await asyncio.sleep(0.05)
    resumed.cancel()
    await asyncio.wait([resumed])
    assert resumed.cancelled()
    work.may_end.set()
    result = await Runner.resume("r", agent(tool, done), run_config=config)
    assert (result.final_output, work.most) == ("done", 1)


def test_an_attempt_of_a_closed_loop_keeps_nobody_waiting():
    async def left() -> None:
        loop = asyncio.get_running_loop()
        attempts._attempts.begin("k", loop.create_task(asyncio.sleep(3600)))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(left())
    (left_work,) = attempts._attempts.running["k"]
    loop.close()

    async def again() -> str:
        async with attempts.one_attempt("k"):
            return "done"

    assert asyncio.run(asyncio.wait_for(again(), 60)) == "done"
    attempts._attempts.finish("k", left_work.work)


async def test_calls_of_other_keys_do_not_wait():
    async with attempts.one_attempt("a"), attempts.one_attempt("b"), attempts.one_attempt(""):
        assert set(attempts._attempts.running) == {"a", "b"}


class Steps:
    """A tool that is slow before its only step; the step must have one result in all lives."""

    def __init__(self) -> None:
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()
        self.charged = 0
        self.failures: list[str] = []

    def _charge(self) -> str:
        self.charged += 1
        return "charged"

    def tool(self, **options: Any) -> Any:
        def pay(ctx: ToolContext[Any]) -> str:
            if not self.has_begun.is_set():
                self.has_begun.set()
                self.may_go_on.wait(60)
            try:
                return ctx.step_sync("charge", self._charge)
            except Exception as error:
                self.failures.append(str(error))
                raise

        return function_tool(pay, **options)


async def test_an_attempt_that_nobody_waits_for_begins_no_step():
    work, config = Steps(), RunConfig(journal=MemoryJournal())
    tool = work.tool()
    await cut_off(work, tool, config)
    done = assistant_message("done")
    resumed = asyncio.create_task(Runner.resume("r", agent(tool, done), run_config=config))
    await asyncio.sleep(0)
    work.may_go_on.set()
    assert (await resumed).final_output == "done"
    assert work.charged == 1
    assert len(work.failures) == 1
    assert "'charge' of call 't1.c' was not begun" in work.failures[0]


async def test_a_tool_that_was_too_late_begins_no_step():
    work, config = Steps(), RunConfig(journal=MemoryJournal())
    tool = work.tool()
    tool.timeout_seconds = 0.05
    call = function_call("pay", {}, call_id="c")
    result = await Runner.run(agent(tool, call, assistant_message("done")), "go", run_config=config)
    work.may_go_on.set()
    while not work.failures:  # noqa: ASYNC110  # a thread's
        await asyncio.sleep(0.001)
    assert (result.final_output, work.charged) == ("done", 0)
