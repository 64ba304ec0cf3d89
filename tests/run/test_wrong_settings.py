"""A setting of a wrong type is refused where it is written, by an error of ours that says what it was."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError

from outlast import (
    Agent,
    AgentsException,
    ApprovalRules,
    Budget,
    Compaction,
    ModelRetryBackoffSettings,
    ModelRetrySettings,
    ModelSettings,
    RunConfig,
    RunMetadata,
    Runner,
    SQLiteSession,
    ToolExecutionConfig,
)
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message


class _Odd:
    """No setting is this."""


_VALUES: list[Any] = [
    5, -1, 2.5, True, "x", "", b"x", float("nan"), [5], {"a": 1}, {5: 6}, (1,), _Odd(), _Odd,
]  # fmt: skip
_NEEDED: dict[Any, dict[str, Any]] = {Compaction: {"context_tokens": 100}, Agent: {"name": "A"}}
_RECORDS: list[Any] = [
    RunConfig, Agent, ModelSettings, Budget, ApprovalRules, Compaction, ModelRetrySettings,
    ModelRetryBackoffSettings, RunMetadata, ToolExecutionConfig,
]  # fmt: skip
_ANYTHING = {"sandbox", "extra_body"}
"""Fields that hold whatever their reader understands."""


@pytest.mark.parametrize("record", _RECORDS)
def test_no_field_takes_what_is_nothing_that_it_can_use(record: Any):
    """Only errors of ours, or pydantic's where openai-agents raises that; and some value is refused."""
    foreign, silent = list[str](), list[str]()
    for name in inspect.signature(record).parameters:
        takes_odd = False
        for value in _VALUES:
            try:
                record(**{**_NEEDED.get(record, {}), name: value})
            except (AgentsException, ValidationError):
                continue
            except Exception as error:  # noqa: BLE001  # this is what is looked for
                foreign.append(f"{name}={value!r}: {error!r}")
            takes_odd = takes_odd or type(value) is _Odd
        if takes_odd and name not in _ANYTHING:
            silent.append(name)
    assert (foreign, silent) == ([], [])


@pytest.mark.parametrize("record", [RunConfig, Agent, ModelSettings])
async def test_what_a_record_takes_a_run_can_use(record: Any):
    """A run under any setting that was taken comes to its end, or to an error of ours."""
    wrong: list[str] = []
    for field in dataclasses.fields(record):
        for value in _VALUES:
            is_users_code = value is _Odd  # Called as a function, it may raise what it likes.
            needed: dict[str, Any] = {"name": "A"} if record is Agent else {}
            if is_users_code or field.name == "journal":
                continue
            try:
                await _used(record(**{**needed, field.name: value}))
            except (AgentsException, ValidationError):
                pass
            except Exception as error:  # noqa: BLE001  # this is what is looked for
                wrong.append(f"{field.name}={value!r}: {error!r}")
    assert wrong == []


async def _used(setting: Any) -> None:
    model = ScriptedModel([[assistant_message("Hello.")]] * 2)
    config = setting if isinstance(setting, RunConfig) else RunConfig()
    config.journal, config.tracing_disabled = MemoryJournal(), True
    agent: Any = Agent(name="A")
    if isinstance(setting, Agent):
        agent = cast("Any", setting)
    agent.model = model
    if isinstance(setting, ModelSettings):
        agent.model_settings = setting
    await Runner.run(agent, "Hello?", run_config=config)


async def test_every_argument_of_a_run_is_refused_by_an_error_of_ours():
    wrong: list[str] = []
    for name in list(inspect.signature(Runner.run).parameters):
        for value in _VALUES:
            agent = Agent(name="A", model=ScriptedModel([[assistant_message("Hello.")]]))
            given: dict[str, Any] = {
                "starting_agent": agent,
                "input": "Hello?",
                "run_config": RunConfig(journal=MemoryJournal(), tracing_disabled=True),
                name: value,
            }
            try:
                await Runner.run(**given)
            except AgentsException:
                pass
            except Exception as error:  # noqa: BLE001  # this is what is looked for
                wrong.append(f"{name}={value!r}: {error!r}")
    assert wrong == []


_SAID: dict[str, Callable[[Any, RunConfig], Awaitable[Any]]] = {
    "pending": lambda value, config: Runner.pending(value, run_config=config),
    "decisions": lambda value, config: Runner.decisions(value, run_config=config),
    "approve": lambda value, config: Runner.approve(value, "c", run_config=config),
    "answer": lambda value, config: Runner.answer("r", value, "yes", run_config=config),
    "cancel": lambda value, config: Runner.cancel(value, run_config=config),
    "send": lambda value, config: Runner.send(value, "more", run_config=config),
}


@pytest.mark.parametrize("name", _SAID)
async def test_no_id_of_a_wrong_type_reaches_the_journal(name: str):
    config = RunConfig(journal=MemoryJournal())
    for value in [*_VALUES, "\ud800"]:
        with pytest.raises(AgentsException):
            await _SAID[name](value, config)


async def test_a_session_refuses_what_is_no_item_and_keeps_none_of_the_others():
    session = SQLiteSession("s")
    fine = {"role": "user", "content": "Hello."}
    for value in (5, None, "text", b"x", [1], _Odd(), {"content": _Odd()}, {"content": b"x"}):
        with pytest.raises(AgentsException):
            await session.add_items([fine, value])  # pyright: ignore[reportArgumentType]
    assert await session.get_items() == []


def test_a_journal_may_be_named_by_a_path(tmp_path: Path):
    config = RunConfig(journal=tmp_path / "here.db", tracing_disabled=True)
    agent = Agent(name="A", model=ScriptedModel([[assistant_message("Hello.")]]))
    Runner.run_sync(agent, "Hello?", run_config=config)
    assert (tmp_path / "here.db").is_file()
