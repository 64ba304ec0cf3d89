"""Errors of the machine end no run and no model hears of them, wherever below a run they are raised."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    HandoffInputData,
    InputGuardrail,
    OutputGuardrail,
    RunConfig,
    RunHooks,
    Runner,
    RunResult,
    SQLiteSession,
    ToolContext,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolOutputGuardrail,
    ToolsToFinalOutputResult,
    function_tool,
    handoff,
)
from outlast.core import errors
from outlast.core.events import EffectFailed, RunFailed, ToolReturned
from outlast.effects.config import ModelInputData
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

MACHINE = [
    errors.StorageBusy, errors.StorageFull, errors.Fenced, errors.JournalUnavailable,
    errors.JournalCorrupt, errors.AlreadyRunning, errors.IncompatibleRun,
]  # fmt: skip
PLACES = [
    "async tool", "sync tool", "hand-made failure text", "wrapped", "implicitly wrapped", "hidden",
    "group", "step", "tool input guardrail", "tool output guardrail", "tool start", "tool end", "agent start",
    "agent end", "model start", "model end", "input guardrail", "output guardrail", "instructions",
    "is_enabled", "handoff filter", "on_handoff", "handoff enabled", "session read", "session write",
    "nested run", "agent as tool", "custom data", "tool_use_behavior", "needs_approval",
    "model filter", "model", "formatter", "session callback",
]  # fmt: skip


class Trap:
    """Raises an error at one place, the first time that a program gets there."""

    def __init__(self, place: str, kind: type[BaseException]) -> None:
        self.place = place
        self.kind = kind
        self.has_sprung = False
        self.answers: list[str] = []

    def at(self, place: str) -> None:
        if place == self.place and not self.has_sprung:
            self.has_sprung = True
            raise self.kind("The disk is full.")


class Hooks(RunHooks[Any]):
    def __init__(self, trap: Trap) -> None:
        self._trap = trap

    async def on_tool_start(self, *_: Any) -> None:
        self._trap.at("tool start")

    async def on_tool_end(self, *_: Any) -> None:
        self._trap.at("tool end")

    async def on_agent_start(self, *_: Any) -> None:
        self._trap.at("agent start")

    async def on_agent_end(self, *_: Any) -> None:
        self._trap.at("agent end")

    async def on_llm_start(self, *_: Any) -> None:
        self._trap.at("model start")

    async def on_llm_end(self, *_: Any) -> None:
        self._trap.at("model end")


class Session(SQLiteSession):
    def __init__(self, trap: Trap) -> None:
        super().__init__("s")
        self._trap = trap

    async def get_items(self, *args: Any, **more: Any) -> Any:
        self._trap.at("session read")
        return await super().get_items(*args, **more)

    async def add_items(self, *args: Any, **more: Any) -> None:
        self._trap.at("session write")
        await super().add_items(*args, **more)


class Model(ScriptedModel):
    def __init__(self, trap: Trap, *script: Any) -> None:
        super().__init__([*script])
        self._trap = trap

    async def get_response(self, *args: Any, **more: Any) -> Any:
        self._trap.at("model")
        return await super().get_response(*args, **more)


def checks(trap: Trap, place: str, answer: Any) -> Callable[..., Any]:
    def check(*_: Any) -> Any:
        trap.at(place)
        return answer() if callable(answer) else answer

    check.__name__ = place.replace(" ", "_")
    return check


def passed() -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(None, tripwire_triggered=False)


def tools_of(trap: Trap) -> list[Any]:
    inner = Agent[Any](
        name="inner", instructions="i", model=Model(trap, *[[assistant_message("in")]] * 4)
    )

    @function_tool(
        tool_input_guardrails=[
            ToolInputGuardrail(
                checks(trap, "tool input guardrail", ToolGuardrailFunctionOutput.allow), "in"
            )
        ],
        tool_output_guardrails=[
            ToolOutputGuardrail(
                checks(trap, "tool output guardrail", ToolGuardrailFunctionOutput.allow), "out"
            )
        ],
        is_enabled=checks(trap, "is_enabled", True),
        needs_approval=checks(trap, "needs_approval", False),
        custom_data_extractor=checks(trap, "custom data", {}),
    )
    async def first(ctx: ToolContext[Any]) -> str:
        trap.at("async tool")
        await ctx.step("part", checks(trap, "step", "done"))
        return "first"

    @function_tool
    def second() -> str:
        trap.at("sync tool")
        return "second"

    @function_tool(failure_error_function=lambda _, error: f"sorry: {error}")
    async def third() -> str:
        trap.at("hand-made failure text")
        return "third"

    @function_tool
    async def fourth(ctx: ToolContext[Any]) -> str:
        try:
            trap.at("wrapped")
        except Exception as error:
            raise ValueError("it did not work") from error
        try:
            trap.at("implicitly wrapped")
        except errors.AgentsException:
            raise ValueError("it did not work")  # noqa: B904  # implicitly
        try:
            trap.at("hidden")
        except errors.AgentsException:
            raise ValueError("it did not work") from None
        async with asyncio.TaskGroup() as group:
            group.create_task(_later(trap))
        child = await Runner.run(inner, "x", context=ctx.context, run_config=ctx.run_config)
        return str(child.final_output)

    async def nested_instructions(_: Any, agent: Any) -> str:
        trap.at("nested run")
        return "i"

    async def as_tool_instructions(_: Any, agent: Any) -> str:
        trap.at("agent as tool")
        return "i"

    inner.instructions = nested_instructions
    child = inner.clone(instructions=as_tool_instructions)
    return [first, second, third, fourth, child.as_tool("fifth", "asks")]


async def _later(trap: Trap) -> None:
    trap.at("group")


def program(trap: Trap) -> tuple[Agent[Any], dict[str, Any]]:
    clerk = Agent[Any](
        name="clerk",
        model=Model(trap, [assistant_message("bye")]),
        output_guardrails=[OutputGuardrail(checks(trap, "output guardrail", passed))],
    )

    async def instructions(_: Any, agent: Any) -> str:
        trap.at("instructions")
        return "be kind"

    def kept(data: HandoffInputData) -> HandoffInputData:
        trap.at("handoff filter")
        return data

    names = ["first", "second", "third", "fourth"]
    desk = Agent[Any](
        name="desk",
        instructions=instructions,
        model=Model(
            trap,
            [function_call(name, {}, call_id=name) for name in names]
            + [function_call("fifth", {"input": "x"}, call_id="fifth")]
            + [function_call("nobody", {}, call_id="nobody")],
            [function_call("transfer_to_clerk", {}, call_id="h")],
        ),
        tools=tools_of(trap),
        tool_use_behavior=checks(trap, "tool_use_behavior", ToolsToFinalOutputResult(False)),
        handoffs=[
            handoff(
                clerk,
                input_filter=kept,
                on_handoff=lambda _: trap.at("on_handoff"),
                is_enabled=checks(trap, "handoff enabled", True),
            )
        ],
        input_guardrails=[InputGuardrail(checks(trap, "input guardrail", passed))],
    )

    def merged(old: list[Any], new: list[Any]) -> list[Any]:
        trap.at("session callback")
        return old + new

    def seen(data: Any) -> ModelInputData:
        trap.at("model filter")
        return data.model_data

    config = {
        "session_input_callback": merged,
        "call_model_input_filter": seen,
        "tool_not_found_behavior": "return_error_to_model",
        "tool_error_formatter": checks(trap, "formatter", None),
    }
    return desk, config


async def run(trap: Trap, journal: MemoryJournal) -> Callable[[], Any]:
    desk, config = program(trap)
    session, hooks = Session(trap), Hooks(trap)
    settings = RunConfig(journal=journal, **config)

    async def go() -> RunResult:
        return await Runner.run(
            desk, "go", run_id="r", session=session, hooks=hooks, run_config=settings
        )

    return go


@pytest.mark.parametrize("place", PLACES)
async def test_an_error_of_the_machine_leaves_the_run_as_it_was(place: str):
    for kind in MACHINE:
        trap, journal = Trap(place, kind), MemoryJournal()
        go = await run(trap, journal)
        with pytest.raises(kind):
            await go()
        events = [each.event for each in await journal.read("r")]
        assert not [e for e in events if isinstance(e, EffectFailed | RunFailed)]
        told = [str(e.item) for e in events if isinstance(e, ToolReturned) and e.name != "nobody"]
        assert not [text for text in told if "disk" in text or "error" in text.lower()]
        result = await go()
        assert result.final_output == "bye"
        outputs = {i.output for i in result.new_items if i.type == "tool_call_output_item"}
        assert {"first", "second", "third", "in"} <= outputs


@pytest.mark.parametrize(
    "place", ["async tool", "step", "input guardrail", "tool start", "tool end"]
)
@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit])
async def test_the_end_of_a_process_is_not_a_tools_failure(place: str, kind: type[BaseException]):
    trap, journal = Trap(place, kind), MemoryJournal()
    go = await run(trap, journal)
    with contextlib.suppress(kind):  # A tool's own cancellation is its failure, and is told.
        await go()
    assert (await go()).final_output == "bye"


async def test_a_user_error_of_a_hook_is_still_the_runs_failure():
    trap, journal = Trap("tool end", ValueError), MemoryJournal()
    go = await run(trap, journal)
    with pytest.raises(errors.UserError):
        await go()
    assert [e for e in await journal.read("r") if isinstance(e.event, RunFailed)]
