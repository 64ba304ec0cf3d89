"""What the architecture page says about a run's commits holds, append by append."""

from typing import Any

from outlast import Agent, RunConfig, RunHooks, Runner, function_tool
from outlast.core.events import EffectStarted, RunStarted
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


class NotingJournal(MemoryJournal):
    """Remembers what each append brought."""

    def __init__(self) -> None:
        super().__init__()
        self.appends: list[list[str]] = []

    def append(self, lease: Any, events: Any, **options: Any) -> Any:
        self.appends.append([type(event).__name__ for event in events])
        return super().append(lease, events, **options)


@function_tool
async def look(city: str) -> str:
    """Look at a city."""
    return f"{city}: sunny"


def desk(turns: int, calls: int = 1) -> Agent[Any]:
    steps = [
        [function_call("look", {"city": "Rome"}, call_id=f"{turn}-{n}") for n in range(calls)]
        for turn in range(turns)
    ]
    return Agent(
        name="Desk", tools=[look], model=ScriptedModel([*steps, [assistant_message("done")]])
    )


async def appends_of(agent: Agent[Any], **options: Any) -> list[list[str]]:
    journal = NotingJournal()
    await Runner.run(agent, "look", run_config=RunConfig(journal=journal), **options)
    return journal.appends


async def test_a_turn_takes_two_commits_however_many_tools_end_together():
    for calls in (1, 5):
        one, two = [len(await appends_of(desk(turns, calls))) for turns in (1, 2)]
        assert two - one == 2


async def test_the_first_commit_brings_the_start_the_turn_and_that_the_model_is_asked():
    first, second, *_ = await appends_of(desk(1))
    assert first == ["RunStarted", "TurnPrepared", "EffectStarted"]
    assert second == ["ModelReplied", "EffectStarted"]


async def test_the_last_commit_brings_the_reply_and_all_that_follows_from_it():
    assert (await appends_of(desk(1)))[-1] == ["ModelReplied", "OutputProduced", "RunCompleted"]


async def test_a_hook_hears_of_a_result_once_it_is_committed():
    journal = NotingJournal()
    heard: list[int] = []

    class Hooks(RunHooks[Any]):
        async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: Any) -> None:
            heard.append(len(journal.appends))

    config = RunConfig(journal=journal)
    await Runner.run(desk(1), "look", run_config=config, hooks=Hooks())
    assert "ToolReturned" in journal.appends[heard[0] - 1]


async def test_a_call_has_the_runs_id_its_salt_and_its_position_as_its_key():
    journal = MemoryJournal()
    config = RunConfig(journal=journal)
    await Runner.run(desk(1), "look", run_id="r", run_config=config)
    started = [stored.event for stored in await journal.read("r")]
    keys = [event.key for event in started if isinstance(event, EffectStarted) and event.key]
    salt = next(event.salt for event in started if isinstance(event, RunStarted))
    assert keys == [f"r:{salt}:t1.0-0"]
