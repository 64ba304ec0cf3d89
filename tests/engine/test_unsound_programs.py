"""What of a program can be neither stored nor sent is an error that names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, RunState, UserError, function_tool
from outlast.definitions.context import RunContextWrapper
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message

HALF = "\ud800"


def _run(input: Any = "hi", journal: Any = None, **fields: Any) -> Any:
    model = ScriptedModel([[assistant_message("ok")]])
    agent = Agent(name=fields.pop("name", "A"), model=model, **fields)
    config = RunConfig(journal=journal or MemoryJournal())
    return Runner.run(agent, input, run_config=config)


def _price(article: str) -> str:
    return article


def _documented(article: str) -> str:
    return article


def _five(_context: Any, _agent: Any) -> Any:
    return 5


_documented.__doc__ = f"Tell.\n\nArgs:\n    article: a {HALF} b\n"


def _holds_itself() -> list[Any]:
    items: list[Any] = [{"role": "user", "content": "x"}]
    items[0]["me"] = items
    return items


def _deep() -> list[Any]:
    inner: dict[str, Any] = {}
    item: dict[str, Any] = {"role": "user", "content": "x", "inner": inner}
    for _ in range(50_000):
        inner["a"] = inner = {}
    return [item]


_PROGRAMS: dict[str, tuple[Callable[[], Any], str]] = {
    "the name of an agent": (lambda: _run(name=HALF), "Agent name"),
    "the name of one to hand off to": (lambda: _run(handoffs=[Agent(name=HALF)]), "Agent name"),
    "the description of a tool": (
        lambda: _run(tools=[function_tool(_price, description_override=HALF)]),
        "the description of tool '_price'",
    ),
    "the schema of a tool": (
        lambda: _run(tools=[function_tool(_documented)]),
        "the parameters of tool '_documented'",
    ),
    "instructions of a wrong type": (
        lambda: _run(instructions=_five),
        "instructions of agent 'A'.*got int",
    ),
    "an object in the input": (lambda: _run([{"role": "user", "content": object()}]), "no JSON"),
    "an input that holds itself": (lambda: _run(_holds_itself()), "no JSON"),
    "an input too deep": (lambda: _run(_deep()), "no JSON"),
    "a journal with NUL": (lambda: _run(journal="\0"), "A journal cannot be kept at"),
    "a journal with half a pair": (lambda: _run(journal=f"{HALF}.db"), "A journal cannot be kept"),
}


@pytest.mark.parametrize("what", _PROGRAMS)
async def test_the_error_names(what: str):
    program, said = _PROGRAMS[what]
    with pytest.raises(UserError, match=said):
        await program()


async def test_input_that_is_staged_is_checked_too():
    state: RunState[Any] = RunState(RunContextWrapper(None), "hi", Agent(name="A"))
    with pytest.raises(UserError, match="no JSON"):
        state.add_input([{"role": "user", "content": object()}])  # pyright: ignore[reportArgumentType]  # no content


async def test_texts_in_other_scripts_and_whole_pairs_are_fine():
    tool = function_tool(_price, description_override="价格 \U0001f4b6")
    assert (await _run(name="Ответчик \U0001f600", tools=[tool])).final_output == "ok"
