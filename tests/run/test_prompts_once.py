"""What user code said of a turn's prompt is a fact: a process that goes on with the turn does not ask again."""

from typing import Any

import pytest

from outlast import Agent, ModelResponse, RunConfig, Runner, Usage, function_tool
from outlast.core.events import EffectStarted
from outlast.definitions.model import Model
from outlast.journal import MemoryJournal
from outlast.testing import assistant_message, function_call
from outlast.testing.crashing import CrashingJournal


class Died(BaseException):
    """The process is gone."""


class Says(Model):
    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        self.heard.append(args[0])
        calls = [function_call("look", {}, call_id=key) for key in ("a", "b")]
        is_done = any("output" in item for item in args[1])
        return ModelResponse([assistant_message("done")] if is_done else calls, Usage(1), None)

    def stream_response(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


def program(asked: list[int], heard: list[str]) -> Agent[Any]:
    def instructions(context: Any, agent: Any) -> str:
        asked.append(len(asked))
        return f"prompt {len(asked)}"

    @function_tool
    async def look() -> str:
        return "seen"

    return Agent(name="desk", model=Says(heard), instructions=instructions, tools=[look])


def die() -> None:
    raise Died


@pytest.mark.parametrize("at", range(1, 8))
async def test_instructions_are_asked_once_for_each_turn_whoever_performs_it(at: int):
    inner, asked, heard = MemoryJournal(), list[int](), list[str]()
    journal: Any = CrashingJournal(inner, at=at, crash=die)
    try:
        await Runner.run(
            program(asked, heard), "hi", run_id="r", run_config=RunConfig(journal=journal)
        )
    except Died:
        for run in await inner.runs():
            await inner.release(await inner.acquire(run.run_id, force=True))
    config = RunConfig(journal=inner)
    result = await Runner.run(program(asked, heard), "hi", run_id="r", run_config=config)
    assert result.final_output == "done"
    events = [stored.event for stored in await inner.read("r")]
    begun = [each for each in events if isinstance(each, EffectStarted) and each.kind == "prepare"]
    assert len(asked) == len(begun)
