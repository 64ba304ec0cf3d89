"""A program that does not fit a run: whichever way it comes upon the run, it leaves it as it was."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from programs import Case, Parts, Told, unchanged

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    IncompatibleRun,
    ModelBehaviorError,
    RunConfig,
    Runner,
    RunState,
    function_tool,
    input_guardrail,
    recover_runs,
)
from outlast.core.errors import JournalCorrupt, StorageBusy
from outlast.core.events import GuardrailChecked, RunCompleted, RunStarted, UnknownEvent
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


def without_pay(parts: Parts) -> None:
    parts.drop("pay")


async def plain(case: Case, agent: Agent[Any]) -> Any:
    return await Runner.run(agent, "x", run_id="r", run_config=case.config)


async def resumed(case: Case, agent: Agent[Any]) -> Any:
    return await Runner.resume("r", agent, run_config=case.config)


async def watched(case: Case, agent: Agent[Any]) -> Any:
    result = Runner.run_streamed(agent, "x", run_id="r", run_config=case.config)
    async for _ in result.stream_events():
        pass
    return result


async def recovered(case: Case, agent: Agent[Any]) -> Any:
    (outcome,) = (await recover_runs(agent, run_config=case.config)).values()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def in_another_loop(case: Case, agent: Agent[Any]) -> Any:
    return asyncio.to_thread(lambda: asyncio.run(plain(case, agent)))


@pytest.mark.parametrize("come", [plain, resumed, watched, recovered, in_another_loop])
@pytest.mark.parametrize("policy", ["retry", "once", "ask"])
async def test_every_way_in_leaves_an_interrupted_run_as_it_was(come: Any, policy: Any):
    def with_policy(parts: Parts) -> None:
        parts.swap("pay", parts.tool("pay", on_uncertain=policy))

    def removed(parts: Parts) -> None:
        parts.drop("pay")

    case = Case("both", with_policy)
    await case.begin(dies_at="look")
    before = await case.log()
    assert {"look", "pay"} & set(case.world.did) == {"pay"}

    def lacks_look(parts: Parts) -> None:
        parts.drop("look")

    for _ in range(2):  # Nobody holds it after the first time.
        with pytest.raises(IncompatibleRun, match=r"the program changed.*'look'") as refused:
            await come(case, case.parts(lacks_look).build())
        assert not isinstance(refused.value, ModelBehaviorError)
    assert await case.log() == before
    assert await case.status() == ("running", False)
    result = await come(case, case.parts().build())
    assert result.final_output == "done"
    assert (case.world.did["look"], case.world.did["pay"]) == (1, 1)


async def test_a_state_is_as_it_was_after_a_program_did_not_fit_it():
    case = Case("shop", unchanged, asks=True)
    state = (await case.begin()).to_state()
    state.approve(state.get_interruptions()[0])
    stored = state.to_string()
    before = await case.log()

    for given in (state, await RunState.from_string(case.parts(without_pay).build(), stored)):
        with pytest.raises(IncompatibleRun, match=r"the program changed.*'pay'"):
            await Runner.run(case.parts(without_pay).build(), given, run_config=case.config)
    assert await case.log() == before
    assert await case.status() == ("waiting", False)
    result = await Runner.run(case.parts().build(), state, run_config=case.config)
    assert (result.final_output, case.world.did["pay"]) == ("done", 1)


async def test_a_call_that_a_person_refused_needs_no_tool():
    case = Case("shop", unchanged, asks=True)
    state = (await case.begin()).to_state()
    state.reject(state.get_interruptions()[0])
    result = await Runner.run(case.parts(without_pay).build(), state, run_config=case.config)
    assert (result.final_output, case.world.did["pay"]) == ("done", 0)


async def test_a_name_that_was_never_offered_is_the_models_mistake():
    model = ScriptedModel([[function_call("fly", {}, call_id="c1")]])
    with pytest.raises(ModelBehaviorError, match="fly"):
        await Runner.run(
            Agent(name="desk", model=model), "x", run_config=RunConfig(journal=MemoryJournal())
        )


async def test_forgiving_unknown_tools_does_not_forgive_a_program_that_changed():
    case = Case("shop", unchanged)
    await case.begin(dies_at="pay")
    config = RunConfig(journal=case.journal, tool_not_found_behavior="return_error_to_model")
    with pytest.raises(IncompatibleRun, match="'pay'"):
        await Runner.resume("r", case.parts(without_pay).build(), run_config=config)


async def test_one_misfit_does_not_take_other_runs_along():
    case = Case("shop", unchanged)
    await case.begin(dies_at="pay")
    other = Case("shop", unchanged)
    other.journal = case.journal
    other.config = case.config
    lease = await case.journal.acquire("s", new=True)
    item = {"role": "user", "content": "x"}
    await case.journal.append(lease, [RunStarted(agent="desk", input=[item])])
    await case.journal.release(lease)

    outcomes = await recover_runs(case.parts(without_pay).build(), run_config=case.config)

    assert isinstance(outcomes["r"], IncompatibleRun)
    assert {run.run_id: run.status for run in await case.journal.runs()}["r"] == "running"


# --- Guardrails by name. -----------------------------------------------------------------


def guard(name: str, asked: list[str], *, trips: bool = False) -> Any:
    @input_guardrail(name=name, run_in_parallel=False)
    async def check(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        asked.append(name)
        return GuardrailFunctionOutput(name, tripwire_triggered=trips)

    return check


async def test_a_guardrail_in_front_does_not_answer_for_another():
    case, asked = Case("shop", unchanged), list[str]()
    await case.begin(dies_at="polite")

    def in_front(parts: Parts) -> None:
        parts.guards[:] = [guard("spam", asked, trips=True), guard("polite", asked)]

    assert (await case.go_on(in_front)).final_output == "done"
    assert asked == ["polite"]
    checks = [event for _, event in await case.log() if isinstance(event, GuardrailChecked)]
    assert [(each.name, each.info) for each in checks if each.stage == "input"] == [
        ("polite", "polite")
    ]


async def test_two_guardrails_of_one_name_are_told_apart_by_their_order():
    case, asked = (
        Case("shop", lambda parts: parts.guards.append(parts.guard("polite"))),
        list[str](),
    )
    case.first(case.parts())
    journal = case.journal
    lease = await journal.acquire("two", new=True)
    names = RunStarted(agent="desk", input=[{"role": "user", "content": "x"}])
    names = RunStarted(
        agent="desk",
        input=names.input,
        guardrails=type(names.guardrails)(("same", "other", "same")),
    )
    passed = GuardrailChecked("g1.in.0", "input", "same")
    await journal.append(lease, [names, passed])
    await journal.release(lease)

    first, second = guard("same", ["never"]), guard("same", asked)
    agent = Agent(
        name="desk",
        model=ScriptedModel([[assistant_message("done")]]),
        input_guardrails=[first, second, guard("other", asked)],
    )
    result = await Runner.resume("two", agent, run_config=case.config)
    assert sorted(asked) == ["other", "same"]
    assert [each.guardrail is second for each in result.input_guardrail_results].count(True) == 1


async def test_an_output_guardrail_added_before_the_end_is_asked():
    case = Case("shop", lambda parts: parts.checks.clear())
    await case.begin(dies_at="pay")

    def added(parts: Parts) -> None:
        parts.checks.append(parts.check("new"))

    result = await case.go_on(added)
    assert case.world.did["new"] == 1
    assert [each.guardrail.get_name() for each in result.output_guardrail_results] == ["new"]


async def test_hooks_that_come_later_hear_of_the_end_and_not_of_the_past():
    case = Case("shop", unchanged)
    await case.begin(dies_at="pay")

    def heard(parts: Parts) -> None:
        parts.hooks = Told(parts.world)

    await case.go_on(heard)
    assert case.world.told == {"pay": 1, "end": 1}


# --- Ended runs. -------------------------------------------------------------------------


async def test_who_is_gone_is_stood_for_by_its_name():
    case = Case("billing", unchanged)
    await case.begin()

    def gone(parts: Parts) -> None:
        parts.handoff = None
        parts.checks.clear()
        parts.guards.clear()

    result = await case.go_on(gone)
    assert (result.last_agent.name, result.last_agent.tools) == ("billing", [])
    assert result.last_agent is result.new_items[-1].agent
    names = [each.guardrail.get_name() for each in result.input_guardrail_results]
    names += [each.guardrail.get_name() for each in result.output_guardrail_results]
    assert names == ["polite", "short"]
    assert str(result)
    assert result.to_input_list()
    with pytest.raises(Exception, match="does not have it any more"):
        await result.input_guardrail_results[0].guardrail.run(result.last_agent, "x", None)


async def test_a_failed_run_says_why_to_any_program():
    asked: list[str] = []
    journal = MemoryJournal()
    config = RunConfig(journal=journal)
    agent = Agent(name="desk", input_guardrails=[guard("polite", asked, trips=True)])
    for program in (agent, Agent(name="desk"), Agent(name="desk")):
        with pytest.raises(Exception, match="InputGuardrail triggered tripwire") as tripped:
            await Runner.run(program, "x", run_id="r", run_config=config)
        assert tripped.value.guardrail_result.guardrail.get_name() == "polite"
    assert asked == ["polite"]


# --- Newer versions. ---------------------------------------------------------------------

NEWER = UnknownEvent(kind="tool.returned.v2", body={"type": "tool.returned.v2", "id": "t1.c1"})


async def stored(journal: MemoryJournal, *events: Any) -> None:
    lease = await journal.acquire("r", new=True)
    await journal.append(lease, events)
    await journal.release(lease)


async def test_a_run_that_a_newer_version_wrote_is_not_gone_on_with():
    journal = MemoryJournal()
    await stored(journal, RunStarted(agent="desk", input=[]), NEWER)
    before = await journal.read("r")
    config = RunConfig(journal=journal)
    for _ in range(2):
        with pytest.raises(IncompatibleRun, match=r"'tool.returned.v2'.*newer version") as refused:
            await Runner.resume("r", Agent(name="desk"), run_config=config)
        assert (refused.value.run_id, refused.value.missing) == ("r", "tool.returned.v2")
    assert await journal.read("r") == before
    assert [(run.status, run.owner_alive) for run in await journal.runs()] == [("running", False)]


async def test_a_run_that_a_newer_version_completed_can_be_read():
    journal = MemoryJournal()
    await stored(journal, RunStarted(agent="desk", input=[]), NEWER, RunCompleted())
    result = await Runner.resume("r", Agent(name="desk"), run_config=RunConfig(journal=journal))
    assert result.final_output is None


async def test_what_a_newer_version_did_after_the_end_is_not_passed_over():
    journal = MemoryJournal()
    await stored(journal, RunStarted(agent="desk", input=[]), RunCompleted(), NEWER)
    with pytest.raises(IncompatibleRun, match=r"tool\.returned\.v2"):
        await Runner.resume("r", Agent(name="desk"), run_config=RunConfig(journal=journal))


# --- Nobody keeps a run that cannot be gone on with. -------------------------------------


class Failing(MemoryJournal):
    """A journal that fails on purpose."""

    reads = releases = True

    async def read(self, run_id: str, *, after: int = -1) -> Any:
        if not self.reads:
            raise JournalCorrupt("damaged")
        return await super().read(run_id, after=after)

    async def release(self, lease: Any, *, waits: bool = False) -> None:
        await super().release(lease, waits=waits)
        if not self.releases:
            raise StorageBusy("locked")


async def test_a_damaged_log_is_held_by_nobody():
    journal = Failing()
    await stored(journal, RunStarted(agent="desk", input=[]))
    journal.reads = False
    for _ in range(2):
        with pytest.raises(JournalCorrupt):
            await Runner.run(
                Agent(name="desk"), [], run_id="r", run_config=RunConfig(journal=journal)
            )
    assert [run.owner_alive for run in await journal.runs()] == [False]


async def test_input_that_is_none_holds_no_run():
    config = RunConfig(journal=MemoryJournal())
    for _ in range(2):
        with pytest.raises(Exception, match="input must be"):
            await Runner.run(Agent(name="desk"), 7, run_id="r", run_config=config)


async def test_what_fails_while_cleaning_up_does_not_replace_the_runs_own_error(caplog):
    journal = Failing()
    journal.releases = False

    @function_tool(failure_error_function=None)
    def pay() -> str:
        raise ZeroDivisionError("the run's own")

    agent = Agent(
        name="desk", tools=[pay], model=ScriptedModel([[function_call("pay", {}, call_id="c1")]])
    )
    with pytest.raises(Exception, match="the run's own"):
        await Runner.run(agent, "x", run_config=RunConfig(journal=journal))
    assert "StorageBusy" in caplog.text


async def test_what_fails_while_cleaning_up_is_raised_where_nothing_else_failed():
    journal = Failing()
    journal.releases = False
    agent = Agent(name="desk", model=ScriptedModel([[assistant_message("done")]]))
    with pytest.raises(StorageBusy):
        await Runner.run(agent, "x", run_config=RunConfig(journal=journal))


# --- A turn that is kept. ----------------------------------------------------------------


async def test_a_tool_that_was_renamed_in_place_has_its_new_name_in_the_next_run():
    @function_tool
    async def look() -> str:
        return "seen"

    model = ScriptedModel([[assistant_message("1")]])
    agent = Agent(name="desk", tools=[look], model=model)
    config = RunConfig(journal=MemoryJournal())
    await Runner.run(agent, "x", run_config=config)
    look.name = "seek"
    model.extend([[function_call("seek", {}, call_id="c1")], [assistant_message("2")]])
    assert (await Runner.run(agent, "x", run_config=config)).final_output == "2"


async def test_a_state_without_a_decision_may_be_looked_at_where_its_tool_is_gone():
    case = Case("shop", unchanged, asks=True)
    state = (await case.begin()).to_state()
    waiting = await Runner.run(case.parts(without_pay).build(), state, run_config=case.config)
    assert [item.tool_name for item in waiting.interruptions] == ["pay"]
    assert await case.status() == ("waiting", False)
