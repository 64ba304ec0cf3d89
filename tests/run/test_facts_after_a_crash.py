"""What user code is told of a run, and what it has answered, is the same whichever process asks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from outlast import Agent, RunConfig, RunErrorHandlerResult, Runner, RunNotFound, function_tool
from outlast.core.events import ApprovalRequested, ApprovalWaived, ModelReplied
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call
from outlast.testing.crashing import CrashingJournal


class Died(BaseException):
    """The process of a run has ended."""


def die() -> None:
    raise Died


class Replies:
    """What a model answers, from wherever in it a run goes on."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps

    async def left(self, journal: Any) -> ScriptedModel:
        try:
            log = await journal.read("r")
        except RunNotFound:
            log = []
        seen = sum(isinstance(each.event, ModelReplied) for each in log)
        return ScriptedModel(list(self.steps[seen:]))


async def crashes(begin: Any) -> AsyncIterator[Any]:
    """The journals that ``begin(journal)`` leaves if its process dies before or after each append."""
    counting = CrashingJournal(MemoryJournal())
    await begin(counting)
    for at in range(1, counting.appends + 1):
        for moment in ("before", "after"):
            journal = MemoryJournal()
            with contextlib.suppress(Died):  # What ends at once may be written at once, or not.
                await begin(CrashingJournal(journal, at=at, moment=moment, crash=die))
            yield journal


@function_tool
async def look(at: int) -> str:
    return f"seen {at}"


async def test_a_handler_of_errors_is_told_the_same_after_a_crash_at_any_point():
    told: list[Any] = []

    def excuse(data: Any) -> RunErrorHandlerResult:
        facts = data.run_data
        told.append(
            (
                type(data.error),
                facts.input,
                facts.history,
                facts.output,
                [(type(each), each.agent.name, each.to_input_item()) for each in facts.new_items],
                [(each.usage.total_tokens, len(each.output)) for each in facts.raw_responses],
                facts.last_agent.name,
                data.context.usage.total_tokens,
            )
        )
        return RunErrorHandlerResult(final_output="sorry")

    replies = Replies(
        [assistant_message("One moment."), function_call("look", {"at": 1}, call_id="a")],
        [function_call("transfer_to_clerk", {}, call_id="h")],
        [
            function_call("look", {"at": 2}, call_id="b"),
            function_call("look", {"at": 3}, call_id="c"),
        ],
    )

    async def go_on(journal: Any) -> Any:
        model = await replies.left(journal)
        clerk = Agent(name="clerk", tools=[look], model=model)
        desk = Agent(name="desk", tools=[look], handoffs=[clerk], model=model)
        return await Runner.run(
            desk,
            "hi",
            run_id="r",
            max_turns=3,
            error_handlers={"max_turns": excuse},
            run_config=RunConfig(journal=journal, tracing_disabled=True),
        )

    await go_on(MemoryJournal())
    undisturbed, points = told.pop(), 0
    async for journal in crashes(go_on):
        told.clear()
        assert (await go_on(journal)).final_output == "sorry"
        assert told in ([undisturbed], [])  # Where its answer is in the log, nobody asks again.
        points += bool(told)
    assert points >= 12


async def answered(journal: Any) -> set[str]:
    """The calls of which the log says whether they need approval."""
    kinds = ApprovalRequested | ApprovalWaived
    try:
        log = await journal.read("r")
    except RunNotFound:
        return set()
    return {each.event.call_id for each in log if isinstance(each.event, kinds)}


@pytest.mark.parametrize("answer", [True, False])
async def test_who_has_said_whether_a_call_needs_approval_is_not_asked_again(answer: bool):
    asked: list[str] = []
    replies = Replies(
        [function_call("pay", {}, call_id=call_id) for call_id in ("a", "b")],
        [assistant_message("done")],
    )

    async def go_on(journal: Any) -> Any:
        async def needs(_: Any, __: Any, call_id: str) -> bool:
            asked.append(call_id)
            while call_id == "b" and "a" not in await answered(journal):  # noqa: ASYNC110  # what is waited for is in a log
                await asyncio.sleep(0)  # The answers come in one order.
            return answer

        @function_tool(needs_approval=needs)
        async def pay() -> str:
            return "paid"

        agent = Agent(name="desk", tools=[pay], model=await replies.left(journal))
        config = RunConfig(journal=journal, tracing_disabled=True)
        return await Runner.run(agent, "hi", run_id="r", run_config=config)

    seen: set[frozenset[str]] = set()
    async for journal in crashes(go_on):
        known = await answered(journal)
        asked.clear()
        result = await go_on(journal)
        assert sorted(asked) == sorted({"a", "b"} - known)
        assert len(result.interruptions) == (2 if answer else 0)
        seen.add(frozenset(known))
    assert seen == {frozenset(), frozenset("a"), frozenset("ab")}
