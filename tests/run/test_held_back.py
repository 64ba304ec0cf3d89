"""What a turn that waits for a person may yet say is in no session until a guardrail has let it pass."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    Runner,
    RunState,
    StopAtTools,
    StorageFull,
    UserError,
    function_tool,
    output_guardrail,
)
from outlast.journal import MemoryJournal
from outlast.testing import (
    CrashingJournal,
    ModelStep,
    ScriptedModel,
    assistant_message,
    function_call,
)


@function_tool(needs_approval=True)
def write(n: int) -> str:
    """Write."""
    return f"secret {n}"


class Model(ScriptedModel):
    """Says a word and calls, and is done once the calls are answered; whoever asks, and however often."""

    def __init__(self, calls: int = 1) -> None:
        super().__init__()
        self.count = calls

    async def get_response(self, *args: Any, **options: Any) -> Any:
        calls = [function_call("write", {"n": n}, call_id=f"c{n}") for n in range(self.count)]
        output: Any = [assistant_message("soon", item_id="word"), *calls]
        if args[1][-1].get("type") == "function_call_output":
            output = [assistant_message("done", item_id="last")]
        self.enqueue(ModelStep(output=output))
        return await super().get_response(*args, **options)


class Notes:
    """A session in memory."""

    def __init__(self, session_id: str = "ada") -> None:
        self.session_id = session_id
        self.items: list[Any] = []

    async def get_items(self, limit: int | None = None) -> list[Any]:
        return list(self.items) if limit is None else self.items[-limit:]

    async def add_items(self, items: list[Any]) -> None:
        self.items += items

    async def pop_item(self) -> Any:
        return self.items.pop() if self.items else None

    async def clear_session(self) -> None:
        self.items.clear()

    def told(self) -> list[str]:
        """Each item in a word; the output of a call by its text."""
        return [str(i.get("output") or i.get("call_id") or i.get("id") or "go") for i in self.items]


def guardrail(trips: bool) -> Any:
    @output_guardrail
    async def judge(ctx: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=trips)

    return judge


def clerk(stop: str | None = "write", guards: Any = (False,), calls: int = 1) -> Agent:
    return Agent(
        name="clerk",
        model=Model(calls),
        tools=[write],
        output_guardrails=[guardrail(trips) for trips in guards],
        tool_use_behavior=StopAtTools(stop_at_tool_names=[stop]) if stop else "run_llm_again",
    )


WITHHELD = "Output withheld by an output guardrail."
BEFORE, WAITING = ["go"], ["go", "word", "c0"]
TABLE = [
    # stop at, guardrails that trip, at the pause, at the end
    ("write", (False,), BEFORE, [*WAITING, "secret 0"]),
    ("write", (True,), BEFORE, ["go", "c0", WITHHELD]),
    ("other", (False,), BEFORE, [*WAITING, "secret 0", "last"]),
    ("write", (), WAITING, [*WAITING, "secret 0"]),
    (None, (False,), WAITING, [*WAITING, "secret 0", "last"]),
    (None, (True,), WAITING, [*WAITING, "secret 0"]),
]


async def approved(journal: Any, session: Any, agent: Agent) -> None:
    """The run, and a person who agrees with all that it asks."""
    config = RunConfig(journal=journal)
    try:
        result = await Runner.run(agent, "go", session=session, run_id="r", run_config=config)
        for call in result.interruptions:
            await Runner.approve("r", str(call.call_id), run_config=config)
        if result.interruptions:
            await Runner.resume("r", agent, session=session, run_config=config)
    except OutputGuardrailTripwireTriggered:
        return


@pytest.mark.parametrize(("stop", "guards", "pause", "end"), TABLE)
async def test_a_session_is_told_of_a_waiting_turn_unless_a_guardrail_may_refuse_its_result(
    stop: str | None, guards: tuple[bool, ...], pause: list[str], end: list[str]
):
    agent, session, journal = clerk(stop, guards), Notes(), MemoryJournal()
    config = RunConfig(journal=journal)
    result = await Runner.run(agent, "go", session=session, run_id="r", run_config=config)
    assert session.told() == pause
    pending = result.to_state().to_json().get("pending_session_write")
    assert (pending is not None) == (pause == BEFORE)
    await approved(journal, session, agent)
    assert session.told() == end


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("stop", "guards", "pause", "end"), TABLE)
async def test_a_process_that_dies_anywhere_changes_nothing_of_that(
    stop: str | None, guards: tuple[bool, ...], pause: list[str], end: list[str], moment: Any
):
    def die() -> None:
        raise StorageFull("The process dies.")

    for point in range(1, 60):
        session, journal = Notes(), MemoryJournal()
        try:
            dying = CrashingJournal(journal, at=point, moment=moment, crash=die)
            await approved(dying, session, clerk(stop, guards))
        except StorageFull:
            assert session.told()[: len(pause)] in (pause[: len(session.told())], end[: len(pause)])
            await approved(journal, session, clerk(stop, guards))
            assert session.told() == end, point
        else:
            return
    pytest.fail("The run has no end.")


async def paused(session: Any, agent: Agent) -> RunState[Any, Any]:
    result = await Runner.run(agent, "go", session=session)
    return await RunState.from_json(agent, result.to_state().to_json())


async def test_what_was_held_back_comes_to_its_own_session_only():
    agent = clerk()
    state = await paused(Notes("ada"), agent)
    state.approve(state.get_interruptions()[0])
    with pytest.raises(UserError, match="pending Session write for session 'ada'"):
        await Runner.run(agent, state, session=Notes("bob"))


async def test_a_run_that_goes_on_without_its_session_tells_it_later():
    agent, session = clerk(None, calls=2), Notes()
    state = await paused(session, agent)
    state.approve(state.get_interruptions()[0])
    result = await Runner.run(agent, state)
    assert session.told() == ["go", "word", "c0", "c1"]
    state = await RunState.from_json(agent, result.to_state().to_json())
    state.approve(state.get_interruptions()[0])
    await Runner.run(agent, state, session=session)
    assert session.told() == ["go", "word", "c0", "c1", "secret 0", "secret 1", "last"]


async def test_what_a_session_was_told_is_not_guarded_afterwards():
    session = Notes()
    agent, guarded = clerk(None), clerk()
    state = await paused(session, agent)
    state.approve(state.get_interruptions()[0])
    now = await RunState.from_json(guarded, state.to_json())
    with pytest.raises(UserError, match="output guardrails after current-turn items"):
        await Runner.run(guarded, now, session=session)
    result = await Runner.run(agent, state, session=session)
    assert result.final_output == "done"


async def test_a_run_that_died_before_it_had_read_its_session_asks_for_it():
    journal, agent = MemoryJournal(), clerk()

    def die() -> None:
        raise StorageFull("The process dies.")

    dying = RunConfig(journal=CrashingJournal(journal, at=2, moment="before", crash=die))
    with pytest.raises(StorageFull):
        await Runner.run(agent, "go", session=Notes(), run_id="r", run_config=dying)
    config = RunConfig(journal=journal)
    with pytest.raises(UserError, match="session 'ada'"):
        await Runner.resume("r", agent, run_config=config)
    session = Notes()
    result = await Runner.resume("r", agent, session=session, run_config=config)
    assert len(result.interruptions) == 1
    assert session.told() == BEFORE
