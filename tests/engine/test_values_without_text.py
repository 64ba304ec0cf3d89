"""A tool that has acted is never refused for what it returned: the model gets a text, whatever it was."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from outlast import Agent, CustomTool, RunConfig, Runner, ToolsToFinalOutputResult, function_tool
from outlast.core.events import ToolReturned
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


class NoText:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@dataclasses.dataclass(repr=False)
class NoComparison:
    """A class that the tool names, and that cannot be looked at."""

    number: float = 1

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # pyright: ignore[reportAssignmentType]


def deep() -> list[Any]:
    outer: list[Any] = []
    inner = outer
    for _ in range(100_000):  # Beyond what any version of Python writes down.
        inner.append([])
        inner = inner[0]
    return outer


async def left_over() -> str:
    return "awaited"


async def yields():
    yield 1


VALUES: dict[str, tuple[Any, str]] = {
    # what it returns, what the model is told of it
    "a number of any size": (lambda: 10**5_000, "type int"),
    "a list of any depth": (deep, "type list"),
    "no text": (NoText, "type NoText"),
    "no text, in a list": (lambda: [NoText()], "type list"),
    "no comparison": (NoComparison, "NoComparison"),
    "a generator": (lambda: (each for each in [1]), "type generator"),
    "an asynchronous generator": (yields, "type async_generator"),
    "a coroutine": (left_over, "awaited"),
    "bytes": (lambda: b"\xff", "xff"),
    "half of a pair": (lambda: "a\ud800", "a\ufffd"),
    "half of a pair, in a list": (lambda: ["a\ud800"], "a"),
}


def program(name: str, paid: list[int], **settings: Any) -> Agent[Any]:
    made, _ = VALUES[name]

    @function_tool
    def pay() -> NoComparison:
        paid.append(1)
        return made()

    script = [[function_call("pay", {}, call_id="c")], [assistant_message("ok")]]
    return Agent(name="A", tools=[pay], model=ScriptedModel(script), **settings)


@pytest.mark.parametrize("name", VALUES)
async def test_the_model_is_told_what_a_tool_returned_and_the_call_is_done(name: str):
    paid: list[int] = []
    journal = MemoryJournal()
    result = await Runner.run(
        program(name, paid), "x", run_id="r", run_config=RunConfig(journal=journal)
    )

    ends = [each.event for each in await journal.read("r") if isinstance(each.event, ToolReturned)]
    assert [end.outcome for end in ends] == ["ok"]
    assert VALUES[name][1] in ends[0].item["output"]
    assert (result.final_output, paid) == ("ok", [1])
    result.to_state().to_string()


@pytest.mark.parametrize("name", VALUES)
async def test_a_plain_final_output_has_a_text_whatever_a_tool_returned(name: str):
    paid: list[int] = []

    def end(context: Any, results: list[Any]) -> ToolsToFinalOutputResult:
        return ToolsToFinalOutputResult(is_final_output=True, final_output=results[0].output)

    for behavior in ("stop_on_first_tool", end):
        result = await Runner.run(program(name, paid, tool_use_behavior=behavior), "x")
        told = VALUES[name][1]
        assert told.replace("\ufffd", "\ud800") in result.final_output
        result.to_state().to_string()
    assert paid == [1, 1]


async def test_a_custom_tool_s_value_has_a_text_too():
    tool = CustomTool(name="c", description="", on_invoke_tool=lambda context, text: NoText())
    call = {"type": "custom_tool_call", "call_id": "1", "name": "c", "input": "x", "id": "i"}
    script: Any = [[call], [assistant_message("ok")]]
    result = await Runner.run(Agent(name="A", tools=[tool], model=ScriptedModel(script)), "x")
    assert "type NoText" in str(result.to_input_list())
    assert result.final_output == "ok"
