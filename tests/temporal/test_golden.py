"""Histories that older versions left behind go on under this one. No server is needed."""

import importlib
import json
from pathlib import Path

import pytest
from golden_kit import GOLDEN, SCENARIOS, WORKFLOWS, load
from temporalio.worker import Replayer
from test_guide import guide

from outlast.temporal.codec import converter
from outlast.temporal.connecting import RUNNER
from outlast.temporal.workflow import OutlastRun

FILES = sorted(GOLDEN.glob("v*/*.json"))
OF_RUNS = [each for each in FILES if each.stem not in WORKFLOWS]


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", OF_RUNS, ids=named)
async def test_a_run_s_history_is_accepted(path: Path):
    history, store = load(path)
    replayer = Replayer(
        workflows=[OutlastRun], data_converter=converter(store), workflow_runner=RUNNER
    )
    await replayer.replay_workflow(history)


async def test_histories_of_programs_own_workflows_are_accepted(tmp_path: Path):
    with guide(tmp_path / "did.log"):
        programs = importlib.import_module("guide_workflows")
        from temporalio.contrib.openai_agents import OpenAIAgentsPlugin

        kinds = [getattr(programs, name) for name in WORKFLOWS]
        replayer = Replayer(workflows=kinds, plugins=[OpenAIAgentsPlugin()])
        for path in FILES:
            if path.stem in WORKFLOWS:
                await replayer.replay_workflow(load(path)[0])
    assert not (tmp_path / "did.log").exists(), "a replay did something in the world"


async def test_a_history_of_another_program_is_not_accepted():
    """So the two tests above can fail."""
    path = next(each for each in OF_RUNS if each.stem.startswith("plain-2000"))
    said = json.loads(path.read_text())
    events = said["history"]["events"]
    scheduled = [each for each in events if "activityTaskScheduledEventAttributes" in each]
    scheduled[0]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "another"
    changed = path.with_suffix(".changed")
    changed.write_text(json.dumps(said))
    try:
        history, store = load(changed)
    finally:
        changed.unlink()
    replayer = Replayer(
        workflows=[OutlastRun], data_converter=converter(store), workflow_runner=RUNNER
    )
    with pytest.raises(Exception, match=r"[Nn]ondeterminis"):
        await replayer.replay_workflow(history)


def test_there_are_histories_of_everything_that_was_recorded():
    known = {each.stem.partition("-")[0] for each in FILES}
    assert known == {*SCENARIOS, *WORKFLOWS}
