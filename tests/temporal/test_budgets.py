"""Budgets hold on a cluster: across its workers, in runs inside runs, and beside a machine's own runs."""

import asyncio
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from cluster_kit import cluster

from outlast import Agent, Budget, BudgetExceeded, RunConfig, Runner, UserError, function_tool
from outlast.core.budgets import Amounts, Claim, Granted, Verdict, Wish, reserve, settle
from outlast.core.errors import JournalCorrupt
from outlast.journal.heartbeat import Pulses
from outlast.temporal import DirectoryStore, TemporalEngine
from outlast.temporal.accounts import FolderLedger
from outlast.testing import ScriptedModel, assistant_message, function_call

CLAIM = Claim("k", "the tenant", {"tool_calls": 20})
ONE = Amounts(tool_calls=1)


@function_tool
def look(n: int) -> str:
    """Look."""
    return f"seen {n}"


def looker(name: str, turns: int = 1) -> Agent[Any]:
    calls = [[function_call("look", {"n": n}, call_id=f"{name}{n}")] for n in range(turns)]
    return Agent(
        name=name, model=ScriptedModel([*calls, [assistant_message("done")]]), tools=[look]
    )


async def spent(ledger: Any) -> dict[str, int]:
    return {key: each.spent.tool_calls for key, each in ledger.all().items()}


# --- The folder. --------------------------------------------------------------------------


async def asked(ledger: FolderLedger, name: str, owner: str = "") -> Verdict:
    wish = Wish(name, ONE, ONE, owner=owner or ledger.owner)
    return await ledger.change(["k"], lambda known: reserve(known, [CLAIM], wish, ledger.lives))


def take_all(path: Path, name: str) -> int:
    """What one of several processes got; it leaves without giving anything back."""

    async def take() -> int:
        ledger, got = FolderLedger(path), 0
        for n in range(20):
            verdict = await asked(ledger, f"{name} {n}")
            got += isinstance(verdict, Granted)
            if isinstance(verdict, Granted) and n % 2:
                await ledger.settle(
                    ["k"], lambda known, n=n: (settle(known, f"{name} {n}", ONE), None)
                )
        return got

    return asyncio.run(take())


@pytest.mark.slow
def test_processes_that_share_a_folder_never_get_more_than_there_is(tmp_path: Path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        got = pool.starmap(take_all, [(tmp_path, name) for name in "abc"])
    assert sum(got) == 20
    ledger = FolderLedger(tmp_path)
    assert type(asyncio.run(asked(ledger, "late"))).__name__ == "Refused"
    account = ledger.get("k")  # What the dead ones held counts as spent.
    assert (account.spent.tool_calls, account.holds) == (20, {})


async def test_the_hold_of_a_worker_elsewhere_ends_with_its_heartbeat(tmp_path: Path):
    now = [100.0]
    there, here = FolderLedger(tmp_path), FolderLedger(tmp_path)
    here._pulses = Pulses(clock=lambda: now[0])  # whose clock it is
    far = "1b4e28ba-2fa1-11d2-883f-0016d3cca427/4026531836:7:1:far"
    there._owner_file(there.owner)
    assert isinstance(await asked(there, "theirs", far), Granted)
    there._sign()
    there._owner_file(there.owner).rename(here._owner_file(far))
    hold = here.get("k").holds["theirs"]
    assert here.lives(hold)
    now[0] += 20
    assert here.lives(hold)
    now[0] += 2
    assert not here.lives(hold)


async def test_a_damaged_account_is_said_to_be_one(tmp_path: Path):
    ledger = FolderLedger(tmp_path)
    await asked(ledger, "a")
    ledger._file("k").write_bytes(b"{")
    with pytest.raises(JournalCorrupt, match="damaged"):
        await asked(ledger, "b")


# --- On a cluster. ------------------------------------------------------------------------


@pytest.mark.services
async def test_a_tenant_s_window_is_one_for_the_cluster_and_for_this_machine(
    address: str, tmp_path: Path
):
    file = tmp_path / "journal.db"
    window = Budget(tool_calls=3, per="tenant", window="month")
    settings: Any = {"budgets": window, "metadata": {"tenant": "acme"}}
    store = DirectoryStore(tmp_path / "store", accounts=file)
    await Runner.run(looker("here", 2), "go", run_config=RunConfig(journal=str(file), **settings))
    async with cluster(tmp_path, address, store) as there:
        config = RunConfig(journal=there.engine.journal, **settings)
        with pytest.raises(BudgetExceeded, match="3 of 3 tool_calls"):
            await Runner.run(looker("there", 2), "go", run_config=config, run_id="r")
        assert set((await spent(there.engine.journal.ledger)).values()) == {3}
        await Runner.top_up("r", tool_calls=1, per="tenant", run_config=config)
        result = await Runner.resume("r", looker("there", 2), run_config=config)
        assert result.final_output == "done"
        await there.replay()
    with pytest.raises(BudgetExceeded, match="4 of 4 tool_calls"):
        await Runner.run(looker("here"), "go", run_config=RunConfig(journal=str(file), **settings))


@pytest.mark.services
async def test_a_run_inside_a_run_spends_of_what_is_the_outer_one_s(address: str, tmp_path: Path):
    helper = looker("helper", 3)
    calls = [function_call("ask", {"input": "look"}, call_id="a")]
    boss = Agent(
        name="boss",
        model=ScriptedModel([calls, [assistant_message("asked")]]),
        tools=[helper.as_tool("ask", "Asks.", failure_error_function=None)],
    )
    async with cluster(tmp_path, address) as there:
        config = RunConfig(journal=there.engine.journal, budgets=Budget(tool_calls=3))
        with pytest.raises(BudgetExceeded, match="run 'r' is used up: 3 of 3"):
            await Runner.run(boss, "go", run_config=config, run_id="r")
        assert await spent(there.engine.journal.ledger) == {"run:r\n": 3}


@pytest.mark.services
async def test_the_worker_s_program_limits_runs_whose_callers_say_nothing(
    address: str, tmp_path: Path
):
    async with cluster(tmp_path, address) as there:
        limited = RunConfig(budgets=Budget(tool_calls=1))
        there._work(looker("there", 2), {"run_config": limited})
        with pytest.raises(BudgetExceeded, match="1 of 1 tool_calls"):
            await Runner.run(looker("there", 2), "go", engine=there.engine)


class Bare:
    """A store that counts nothing."""

    def __init__(self, path: Path) -> None:
        self._store = DirectoryStore(path)
        self.put, self.get = self._store.put, self._store.get


@pytest.mark.services
async def test_a_store_that_counts_nothing_takes_no_budget(address: str, tmp_path: Path):
    async with cluster(tmp_path, address, Bare(tmp_path / "store")) as there:
        config = RunConfig(budgets=Budget(tokens=10))
        engine = TemporalEngine(there.client, Bare(tmp_path / "store"), queue=there.queue)
        with pytest.raises(UserError, match="its store, a Bare, counts nothing"):
            await Runner.run(looker("there"), "go", engine=engine, run_config=config)
        assert await there.engine.journal.runs() == []
