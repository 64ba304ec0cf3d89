"""What is said of a command is checked before anything is asked or written."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, UserError, function_tool
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, function_call

_COMMANDS: dict[str, tuple[Any, ...]] = {
    "cancel": (),
    "pause": (),
    "unpause": (),
    "send": ("more",),
    "raise_limit": (20,),
    "approve": ("c",),
    "reject": ("c",),
}
_BAD_IDS: list[Any] = [None, 5, "", "\ud800", b"w", True]


@function_tool(needs_approval=True)
def ask() -> str:
    return "yes"


@pytest.fixture
async def journal() -> MemoryJournal:
    journal = MemoryJournal()
    model = ScriptedModel([[function_call("ask", {}, call_id="c")]])
    agent = Agent(name="A", tools=[ask], model=model)
    await Runner.run(agent, "hi", run_id="w", run_config=RunConfig(journal=journal))
    return journal


async def _refused(journal: MemoryJournal, name: str, *args: Any, **more: Any) -> str:
    before = await journal.read("w")
    with pytest.raises(UserError) as raised:
        await getattr(Runner, name)(*args, run_config=RunConfig(journal=journal), **more)
    assert await journal.read("w") == before
    return str(raised.value)


@pytest.mark.parametrize("run_id", _BAD_IDS)
@pytest.mark.parametrize("name", _COMMANDS)
async def test_an_id_is_a_text_that_can_be_stored(journal: MemoryJournal, name: str, run_id: Any):
    said = await _refused(journal, name, run_id, *_COMMANDS[name])
    assert said.startswith("run_id must be a text")


@pytest.mark.parametrize("call_id", _BAD_IDS)
@pytest.mark.parametrize("name", ["approve", "reject"])
async def test_so_is_that_of_a_call(journal: MemoryJournal, name: str, call_id: Any):
    assert (await _refused(journal, name, "w", call_id)).startswith("call_id must be a text")


@pytest.mark.parametrize("name", _COMMANDS)
async def test_who_decides_and_why_are_texts(journal: MemoryJournal, name: str):
    for word in ("by",) if name == "send" else ("by", "why"):
        said = await _refused(journal, name, "w", *_COMMANDS[name], **{word: 5})
        assert said.startswith(f"{word} must be a text, or None")


async def test_what_the_model_is_told_is_a_text(journal: MemoryJournal):
    said = await _refused(journal, "reject", "w", "c", message=5)
    assert said.startswith("message must be a text, or None")


@pytest.mark.parametrize("name", ["approve", "reject"])
async def test_always_is_yes_or_no(journal: MemoryJournal, name: str):
    said = await _refused(journal, name, "w", "c", always="no")
    assert said.startswith("always must be True or False")
