"""Every program comes to the same end on a cluster, and leaves the same log."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from chaoskit.harness import _SAID, effects
from chaoskit.scenarios import SCENARIOS
from chaoskit.world import World
from cluster_kit import cluster
from more_scenarios import PROGRAMS

from outlast import Runner
from outlast.core.events import ApprovalDecided, Event, ModelReplied, UsageFacts
from outlast.journal.memory import MemoryJournal

pytestmark = pytest.mark.services


async def logs(journal) -> dict[str, list[str]]:
    """What each run's log says, but for who performed it, how often, and in which order."""
    return {
        row.run_id: sorted(
            f"{type(stored.event).__name__} {msgspec.json.encode(plain(stored.event)).decode()}"
            for stored in await journal.read(row.run_id)
            if isinstance(stored.event, _SAID)
        )
        for row in await journal.runs()
    }


def plain(event: Event) -> Event:
    """The event without what a lost attempt would have added, and without when somebody said it."""
    if isinstance(event, ModelReplied):
        return msgspec.structs.replace(event, usage=UsageFacts())
    return msgspec.structs.replace(event, at=None) if isinstance(event, ApprovalDecided) else event


RACES: dict[str, list[Any]] = {
    "tripped_guardrail": [{"tripped": "refuse"}],
    "cancelled": [{"output": "None"}, {"output": "paid"}],
}
"""Scenarios in which something may or may not come into the log before the run ends, and their ends."""


async def played(scenario: str, world: World) -> tuple[Any, Any, Any]:
    """What a scenario came to: what its user sees, its logs, and what was really done."""
    outcome = await SCENARIOS[scenario](world)
    done = sorted(line["effect"] for line in effects(world.folder))
    return outcome, await logs(world.journal), done


@pytest.mark.parametrize("scenario", sorted(SCENARIOS.keys() - RACES.keys()))
@pytest.mark.parametrize("events_per_history", [2000, 12], ids=["whole", "continued"])
async def test_a_cluster_comes_to_the_same_end_by_the_same_log(
    scenario: str, events_per_history: int, address: str, tmp_path: Path
):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    expected = await played(scenario, World(tmp_path / "here"))
    async with cluster(tmp_path, address, events_per_history=events_per_history) as there:
        world = World(tmp_path / "there")
        world.journal = there.engine.journal
        assert await played(scenario, world) == expected
        await there.replay()


@pytest.mark.parametrize("scenario", RACES)
async def test_a_race_has_its_end_on_a_cluster_too(scenario: str, address: str, tmp_path: Path):
    async with cluster(tmp_path, address) as there:
        world = World(tmp_path)
        world.journal = there.engine.journal
        outcome, *_ = await played(scenario, world)
        assert outcome in RACES[scenario]
        await there.replay()


async def came_to(name: str, world: World) -> tuple[Any, Any, Any]:
    """What a small program came to: its output or its error, its logs, and what was really done."""
    agent, options = PROGRAMS[name](world)
    config = options.pop("config", None) or world.config()
    config.journal = world.journal
    given = options.pop("input", "go")
    try:
        result = await Runner.run(agent, given, run_id="run", run_config=config, **options)
        seen = [str(result.final_output), [item.type for item in result.new_items]]
    except Exception as error:  # noqa: BLE001  # which error is compared
        seen = [type(error).__name__]
    done = sorted(line["effect"] for line in effects(world.folder))
    return seen, await logs(world.journal), done


@pytest.mark.parametrize("name", PROGRAMS)
async def test_memory_a_file_and_a_cluster_keep_the_same_log(
    name: str, address: str, tmp_path: Path
):
    for where in ("memory", "sqlite", "temporal"):
        (tmp_path / where).mkdir()
    expected = await came_to(name, World(tmp_path / "sqlite"))
    world = World(tmp_path / "memory")
    world.journal = MemoryJournal()
    assert await came_to(name, world) == expected
    async with cluster(tmp_path, address) as there:
        world = World(tmp_path / "temporal")
        world.journal = there.engine.journal
        assert await came_to(name, world) == expected
        await there.replay()
