"""A recorded run with tools in parallel, an approval and a handoff, in a journal of its own."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from desk import Desk

from outlast import RunConfig, Runner


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def recorded(tmp_path: Path, desk: Desk) -> str:
    """The journal of a run `order-1` that has completed."""
    place = str(tmp_path / "journal.db")
    config = RunConfig(journal=place)
    agent = desk.agent(desk.script())
    result = await Runner.run(agent, "refund A-1", run_id="order-1", run_config=config)
    state = result.to_state()
    state.approve(result.interruptions[0])
    done = await Runner.run(agent, state, run_config=config)
    assert done.final_output == "refunded"
    return place
