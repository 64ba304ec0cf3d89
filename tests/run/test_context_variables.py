"""What user code sets in a context variable reaches neither other user code of the run nor its caller."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import pytest

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    HandoffInputData,
    InputGuardrail,
    RunConfig,
    RunHooks,
    Runner,
    SQLiteSession,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    function_tool,
    handoff,
)
from outlast.testing import ScriptedModel, assistant_message, function_call

TENANT: ContextVar[str] = ContextVar("TENANT", default="nobody")
PLACES = [
    "async tool", "sync tool", "tool start", "tool end", "agent start", "model start", "model end",
    "input guardrail", "tool guardrail", "instructions", "handoff filter", "on_handoff",
    "session callback", "is_enabled", "tool_error_formatter",
]  # fmt: skip


class World:
    """Sets the variable at one place, and writes down what every other place sees."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.seen: dict[str, set[str]] = {}

    def at(self, place: str) -> None:
        self.seen.setdefault(place, set()).add(TENANT.get())
        if place == self.place:
            TENANT.set(place)

    def check(self, place: str, answer: Any) -> Any:
        def check(*_: Any) -> Any:
            self.at(place)
            return answer

        check.__name__ = place.replace(" ", "_")
        return check


class Hooks(RunHooks[Any]):
    def __init__(self, world: World) -> None:
        self._at = world.at

    async def on_tool_start(self, *_: Any) -> None:
        self._at("tool start")

    async def on_tool_end(self, *_: Any) -> None:
        self._at("tool end")

    async def on_agent_start(self, *_: Any) -> None:
        self._at("agent start")

    async def on_llm_start(self, *_: Any) -> None:
        self._at("model start")

    async def on_llm_end(self, *_: Any) -> None:
        self._at("model end")


def program(world: World) -> tuple[Agent[Any], RunConfig]:
    @function_tool(
        is_enabled=world.check("is_enabled", True),
        tool_input_guardrails=[
            ToolInputGuardrail(
                world.check("tool guardrail", ToolGuardrailFunctionOutput.allow()), "g"
            )
        ],
    )
    async def first() -> str:
        world.at("async tool")
        return "1"

    @function_tool
    def second() -> str:
        world.at("sync tool")
        return "2"

    async def instructions(_: Any, agent: Any) -> str:
        world.at("instructions")
        return "i"

    def kept(data: HandoffInputData) -> HandoffInputData:
        world.at("handoff filter")
        return data

    end = Agent[Any](
        name="end",
        tools=[first],
        model=ScriptedModel(
            [[function_call("first", {}, call_id="4")], [assistant_message("bye")]]
        ),
    )
    desk = Agent[Any](
        name="desk",
        instructions=instructions,
        tools=[first, second],
        handoffs=[handoff(end, input_filter=kept, on_handoff=lambda _: world.at("on_handoff"))],
        input_guardrails=[
            InputGuardrail(world.check("input guardrail", GuardrailFunctionOutput(None, False)))
        ],
        model=ScriptedModel(
            [
                [function_call("first", {}, call_id="1")],
                [function_call("second", {}, call_id="2"), function_call("no", {}, call_id="n")],
                [function_call("first", {}, call_id="3")],
                [function_call("transfer_to_end", {}, call_id="h")],
            ]
        ),
    )

    def merged(old: list[Any], new: list[Any]) -> list[Any]:
        world.at("session callback")
        return old + new

    return desk, RunConfig(
        journal="memory",
        session_input_callback=merged,
        tool_not_found_behavior="return_error_to_model",
        tool_error_formatter=world.check("tool_error_formatter", None),
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_what_one_place_sets_no_other_sees(place: str, is_streamed: bool):
    world = World(place)
    desk, config = program(world)
    more: dict[str, Any] = {
        "run_config": config,
        "hooks": Hooks(world),
        "session": SQLiteSession("s"),
    }
    if is_streamed:
        streamed = Runner.run_streamed(desk, "go", **more)
        async for _ in streamed.stream_events():
            assert TENANT.get() == "nobody"
    else:
        await Runner.run(desk, "go", **more)
    assert TENANT.get() == "nobody"
    assert world.seen == {place: {"nobody"} for place in PLACES}


async def test_what_the_caller_has_set_every_place_sees():
    world = World("nowhere")
    desk, config = program(world)
    token = TENANT.set("ann")
    try:
        await Runner.run(
            desk, "go", run_config=config, hooks=Hooks(world), session=SQLiteSession("s")
        )
    finally:
        TENANT.reset(token)
    assert world.seen == {place: {"ann"} for place in PLACES}
