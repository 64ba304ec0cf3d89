"""What is said of a command is checked before anything is asked or written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from outlast import Agent, Budget, RunConfig, Runner, UserError, function_tool
from outlast.journal import MemoryJournal, SqliteJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

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


class Word(str):
    """A text of a class of the program's own, which says something else of itself."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("not this one")


class Count(int):
    """A number of a class of the program's own."""


_AMOUNTS: list[Any] = [math.nan, math.inf, "5", True, -1, 10**30, 1.5]
_TOPPED_UP = ["tokens", "requests", "tool_calls", "cost_usd", "seconds"]


@pytest.mark.parametrize("amount", _AMOUNTS, ids=str)
@pytest.mark.parametrize("measure", _TOPPED_UP)
async def test_what_cannot_be_counted_is_refused(journal: MemoryJournal, measure: str, amount: Any):
    if amount == 1.5 and measure in ("cost_usd", "seconds"):
        return  # Parts of these are counted.
    said = await _refused(journal, "top_up", "w", **{measure: amount})
    assert f"Runner.top_up({measure}=...) must be" in said
    with pytest.raises(UserError, match=rf"Budget\({measure}=\.\.\.\) must be"):
        Budget(**{measure: amount})


@pytest.mark.parametrize("text", ["\ud800", 5], ids=["half", "number"])
async def test_no_text_is_half_a_character(journal: MemoryJournal, text: Any):
    for name, args in _COMMANDS.items():
        for word in ("by",) if name == "send" else ("by", "why"):
            assert word in await _refused(journal, name, "w", *args, **{word: text})
    assert "message" in await _refused(journal, "reject", "w", "c", message=text)
    assert "answer" in await _refused(journal, "answer", "w", "c", text)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
async def test_no_number_becomes_nothing(journal: MemoryJournal, number: float):
    item = {"role": "user", "content": "x", "extra": {"deep": [number]}}
    await _refused(journal, "send", "w", [item])
    assert "arguments" in await _refused(journal, "approve", "w", "c", arguments={"x": number})


@pytest.mark.parametrize("kept", ["memory", "file"])
async def test_values_of_classes_derived_from_plain_ones_are_plain(kept: str, tmp_path: Path):
    journal = MemoryJournal() if kept == "memory" else SqliteJournal(tmp_path / "journal.db")
    config = RunConfig(journal=journal)
    model = ScriptedModel([[function_call("ask", {}, call_id="c")], [assistant_message("well")]])
    agent = Agent(name="A", tools=[ask], model=model)
    await Runner.run(agent, "hi", run_id="w", run_config=config)
    await Runner.top_up("w", tokens=Count(5), by=Word("ann"), run_config=config)
    await Runner.send("w", Word("more"), by=Word("ann"), run_config=config)
    await Runner.reject(
        "w", "c", by=Word("ann"), why=Word("so"), message=Word("no"), run_config=config
    )
    result = await Runner.resume("w", agent, run_config=config)
    assert result.final_output == "well"
    assert "no" in [item.get("output") for item in result.to_input_list()]
    if isinstance(journal, SqliteJournal):
        await journal.close()
