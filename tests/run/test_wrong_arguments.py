"""What a caller gives that cannot work is one error of the family, before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import Agent, AgentsException, RunConfig, Runner, SQLiteSession, function_tool
from outlast.core.errors import JournalCorrupt, UserError, WrongType
from outlast.core.events import RunAcquired, RunStarted
from outlast.journal import MemoryJournal
from outlast.journal.codec import encode
from outlast.journal.journal import NotStorable
from outlast.run.recover import Recoverer, recover_runs
from outlast.testing import ScriptedModel, assistant_message, function_call

ANY: Any = None
CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


def greeter() -> Agent:
    return Agent(name="A", model=ScriptedModel([[assistant_message("ok")]] * 2))


WRONG: list[Any] = [5, [], {}, ["a"], object(), CIRCLE]


@pytest.mark.parametrize(
    "keywords",
    [
        *({"conversation_id": each} for each in WRONG),
        *({"previous_response_id": each} for each in WRONG),
        {"auto_previous_response_id": "x"},
        {"engine": 5},
        {"error_handlers": 5},
        {"error_handlers": ["x"]},
        {"error_handlers": {"max_turns": 5}},
    ],
)
async def test_a_wrong_keyword_of_a_run_is_refused_before_the_run_exists(keywords: dict[str, Any]):
    journal = MemoryJournal()
    with pytest.raises(WrongType, match=next(iter(keywords))):
        await Runner.run(
            greeter(), "hi", run_id="r", run_config=RunConfig(journal=journal), **keywords
        )
    assert await journal.runs() == []


async def test_settings_of_a_run_that_are_none_are_refused():
    with pytest.raises(WrongType, match="run_config"):
        await Runner.run(greeter(), "hi", run_config=WRONG[0])


@pytest.mark.parametrize("value", [0, None, "", []])
async def test_a_setting_that_slips_through_is_an_error_and_never_a_damaged_log(value: Any):
    config = RunConfig(journal=MemoryJournal())
    config.guardrails_hold_tools = value
    for _ in range(2):
        with pytest.raises(AgentsException) as caught:
            await Runner.run(greeter(), "hi", run_id="r", run_config=config)
        assert isinstance(caught.value, NotStorable)
        assert not isinstance(caught.value, JournalCorrupt)
    config.guardrails_hold_tools = True
    assert (await Runner.run(greeter(), "hi", run_id="r", run_config=config)).final_output == "ok"


@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize("options", [{"session": 0}, {"conversation_id": 5}, {"program": []}])
def test_options_that_could_not_be_read_again_are_not_written(packs: bool, options: Any):
    long = [{"role": "user", "content": "x" * 5000}] * 3
    started = RunStarted("A", long, is_text=False, max_turns=None, options=options)
    for event in (started, RunAcquired("pid 1", options)):
        with pytest.raises(NotStorable):
            encode([event], packs=packs)


@pytest.mark.parametrize("keywords", [{"limit": "3"}, {"limit": 0}, {"only": 5}, {"on_error": "x"}])
async def test_a_recovery_that_cannot_work_is_refused(keywords: dict[str, Any]):
    config = RunConfig(journal=MemoryJournal())
    with pytest.raises(UserError):
        await recover_runs(greeter(), run_config=config, **keywords)
    wrong: Any = "A"
    with pytest.raises(WrongType, match="agents"):
        await recover_runs(wrong, run_config=config)
    with pytest.raises(WrongType, match="agents"):
        Recoverer(wrong, run_config=config)


@pytest.mark.parametrize("items", [5, None, "text", {"role": "user"}])
async def test_a_session_takes_lists_of_items_and_paths(items: Any):
    session = SQLiteSession("s")
    with pytest.raises(WrongType, match="list of items"):
        await session.add_items(items)
    assert await session.get_items() == []
    with pytest.raises(WrongType, match="db_path"):
        SQLiteSession("s", ANY)


async def _run_with_approval(answer: Any) -> tuple[Any, list[str]]:
    done: list[str] = []

    @function_tool(needs_approval=lambda _, __, ___: answer)
    def pay() -> str:
        """Pay."""
        done.append("paid")
        return "paid"

    steps = [[function_call("pay", {}, call_id="1")], [assistant_message("ok")]]
    agent = Agent(name="A", tools=[pay], model=ScriptedModel(steps))
    return await Runner.run(agent, "hi", run_config=RunConfig(journal=MemoryJournal())), done


@pytest.mark.parametrize("answer", [None, 0, "", []])
async def test_whether_a_person_is_needed_is_not_guessed(answer: Any):
    with pytest.raises(UserError, match="'pay' must return True or False"):
        await _run_with_approval(answer)


@pytest.mark.parametrize("answer", [True, False, "yes"])
async def test_a_person_is_asked_where_the_tool_says_so(answer: Any):
    result, done = await _run_with_approval(answer)
    assert (len(result.interruptions), done) == ((1, []) if answer else (0, ["paid"]))


async def test_a_decision_is_about_an_interruption():
    result, _ = await _run_with_approval(answer=True)
    with pytest.raises(WrongType, match="interruptions"):
        result.to_state().approve(5)
