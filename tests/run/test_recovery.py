"""Recovery: each run that nobody performs is one row, whatever stops it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from outlast import (
    Agent,
    Recoverer,
    RunConfig,
    RunConflict,
    RunMetadata,
    RunResult,
    SQLiteSession,
    UserError,
    function_tool,
    recover_runs,
)
from outlast.core.events import ErrorFacts, ModelReplied, RunAbandoned, RunFailed, RunStarted
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


async def left(journal: Any, run_id: str, agent: str = "Desk", **started: Any) -> None:
    """Put a run into the journal as a process leaves it that dies after its first event."""
    lease = await journal.acquire(run_id, new=True)
    item = {"role": "user", "content": run_id}
    await journal.append(lease, [RunStarted(agent, [item], **started)])
    await journal.release(lease)


def desk(**options: Any) -> Agent[Any]:
    model = ScriptedModel([[assistant_message("done")] for _ in range(50)])
    return Agent(name="Desk", model=model, **options)


async def test_one_runs_failure_is_one_row_and_never_the_loss_of_the_others():
    journal = MemoryJournal()
    for n in range(6):
        await left(journal, f"r{n}")

    def instructions(context: Any, agent: Any) -> str:
        if context.context == "r2":
            raise ValueError("a mistake of the user's")
        return "help"

    async def context(run: Any) -> str:
        if run.run_id == "r4":
            raise KeyError(run.run_id)
        return run.run_id

    config = RunConfig(journal=journal)
    report = await recover_runs(desk(instructions=instructions), context=context, run_config=config)
    came = {name: type(each).__name__ for name, each in report.items()}
    fine = dict.fromkeys((f"r{n}" for n in range(6)), "RunResult")
    assert came == fine | {"r2": "ValueError", "r4": "KeyError"}


async def test_on_error_raise_lets_every_run_end_first():
    journal = MemoryJournal()
    for n in range(3):
        await left(journal, f"r{n}")

    def context(run: Any) -> None:
        if run.run_id == "r0":
            raise KeyError("none")

    with pytest.raises(KeyError):
        await recover_runs(
            desk(), context=context, on_error="raise", run_config=RunConfig(journal=journal)
        )
    assert [run.run_id for run in await journal.runs(status="completed")] == ["r2", "r1"]


async def test_no_more_runs_than_the_limit_go_on_at_once():
    journal, now, most = MemoryJournal(), 0, 0
    for n in range(9):
        await left(journal, f"r{n}")

    async def instructions(context: Any, agent: Any) -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        now -= 1
        return ""

    config = RunConfig(journal=journal)
    report = await recover_runs(desk(instructions=instructions), limit=3, run_config=config)
    assert (len(report), most) == (9, 3)


async def test_each_run_gets_its_own_session_and_without_one_it_is_a_row_with_the_reason():
    journal, sessions = MemoryJournal(), {n: SQLiteSession(n) for n in ("ada", "bob")}
    for name in sessions:
        metadata = RunMetadata(user=name)
        options = {"session": True, "session_id": name}
        await left(journal, f"of {name}", options=options, metadata=metadata)
    config = RunConfig(journal=journal)
    wrong = await recover_runs(desk(), run_config=config)
    assert {type(each) for each in wrong.values()} == {RunConflict}
    mixed = await recover_runs(desk(), session=sessions["ada"], run_config=config)
    assert [name for name, each in mixed.items() if isinstance(each, RunResult)] == ["of ada"]
    right = await recover_runs(
        desk(), session=lambda run: sessions[run.metadata.user], run_config=config
    )
    assert {name: each.final_output for name, each in right.items()} == {"of bob": "done"}  # pyright: ignore[reportAttributeAccessIssue]
    assert [len(await each.get_items()) for each in sessions.values()] == [2, 2]


async def test_recovery_can_be_for_some_runs_only():
    journal = MemoryJournal()
    for n, tenant in enumerate(("north", "south", "north")):
        await left(journal, f"r{n}", metadata=RunMetadata(tenant=tenant))
    config = RunConfig(journal=journal)
    report = await recover_runs(desk(), only={"tenant": "north"}, run_config=config)
    assert sorted(report) == ["r0", "r2"]


async def test_an_object_of_the_program_is_every_runs_context_also_where_it_can_be_called():
    class Context:
        def __call__(self, run: Any) -> None:
            raise AssertionError(run)

    journal, given = MemoryJournal(), Context()
    await left(journal, "r")
    report = await recover_runs(desk(), context=given, run_config=RunConfig(journal=journal))
    assert report["r"].context_wrapper.context is given  # pyright: ignore[reportAttributeAccessIssue]


def test_what_cannot_work_is_refused_where_it_is_written():
    with pytest.raises(UserError, match="two are called 'Desk'"):
        Recoverer(desk(), desk())
    with pytest.raises(UserError, match="limit"):
        Recoverer(desk(), limit=0)
    with pytest.raises(UserError, match="interval_s"):
        Recoverer(desk(), interval_s=0)


@pytest.mark.parametrize(
    ("kind", "goes_on"), [("ModelUnavailable", True), ("InputGuardrailTripwireTriggered", False)]
)
@pytest.mark.parametrize("failed", [True, False])
async def test_what_failed_of_what_can_pass_goes_on_where_that_is_wanted(
    kind: str, goes_on: bool, failed: bool
):
    journal = MemoryJournal()
    lease = await journal.acquire("r", new=True)
    item = {"role": "user", "content": "hi"}
    await journal.append(
        lease, [RunStarted("Desk", [item]), RunFailed(ErrorFacts(kind, "no", "m1"))]
    )
    await journal.release(lease)
    report = await recover_runs(desk(), failed=failed, run_config=RunConfig(journal=journal))
    assert [type(each) for each in report.values()] == [RunResult] * (goes_on and failed)


# --- While the process lives. ------------------------------------------------------------


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110  # the journal is asked, nobody tells
            await asyncio.sleep(0.005)


async def test_a_recoverer_picks_up_what_is_left_while_it_lives():
    journal = MemoryJournal()
    await left(journal, "before")

    async def all_done() -> bool:
        return len(await journal.runs(status="completed")) == len(await journal.runs())

    async with Recoverer(desk(), run_config=RunConfig(journal=journal), interval_s=0.01) as found:
        await until(all_done)
        await left(journal, "later")
        await until(all_done)

        async def both_are_reported() -> bool:
            return len(found.report) == 2

        await until(both_are_reported)  # A run has ended a moment before its row is written.
    assert set(found.report) == {"before", "later"}
    await left(journal, "too late")
    await asyncio.sleep(0.05)
    assert [run.run_id for run in await journal.runs(status="running")] == ["too late"]


async def test_a_recoverer_does_not_try_in_vain_again_and_again():
    journal, asked = MemoryJournal(), 0
    await left(journal, "r")

    def context(run: Any) -> None:
        nonlocal asked
        asked += 1
        raise KeyError(run.run_id)

    config = RunConfig(journal=journal)
    async with Recoverer(desk(), context=context, run_config=config, interval_s=0.005) as found:
        await asyncio.sleep(0.1)
    assert 1 <= asked <= 5  # of about 20 looks
    assert isinstance(found.report["r"], KeyError)


async def test_what_a_recoverer_was_busy_with_when_it_ended_is_for_the_next_one():
    journal, began = MemoryJournal(), asyncio.Event()
    await left(journal, "r")

    @function_tool
    async def hang() -> str:
        began.set()
        await asyncio.Event().wait()
        return ""

    call = function_call("hang", {}, call_id="c")
    agent = Agent(name="Desk", tools=[hang], model=ScriptedModel([[call]]))
    async with Recoverer(agent, run_config=RunConfig(journal=journal), interval_s=0.01):
        await began.wait()
    log = [each.event for each in await journal.read("r")]
    assert log[-1] == RunAbandoned("finish")
    assert sum(isinstance(event, ModelReplied) for event in log) == 1
    (run,) = await journal.runs(status="running")
    assert not run.owner_alive


async def test_a_recoverer_outlives_a_journal_that_fails():
    class Failing(MemoryJournal):
        asked = 0

        async def runs(self, **options: Any) -> Any:
            self.asked += 1
            if self.asked == 1:
                raise OSError("gone for a moment")
            return await super().runs(**options)

    journal = Failing()
    await left(journal, "r")

    async def done() -> bool:
        return bool(await MemoryJournal.runs(journal, status="completed"))

    async with Recoverer(desk(), run_config=RunConfig(journal=journal), interval_s=0.01):
        await until(done)
