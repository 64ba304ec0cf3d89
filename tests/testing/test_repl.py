"""The conversation in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from outlast import Agent, function_tool, run_demo_loop
from outlast.testing import ScriptedModel, assistant_message, function_call

if TYPE_CHECKING:
    import pytest


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    left: Iterator[str] = iter(lines)

    def prompt(_: str = "") -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", prompt)


async def test_what_was_said_before_is_kept_and_blank_lines_are_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ScriptedModel([[assistant_message("one")], [assistant_message("two")]])
    typed(monkeypatch, "first", "   ", "second", " QUIT ")
    await run_demo_loop(Agent(name="a", model=model), stream=False)
    assert capsys.readouterr().out.split() == ["one", "two"]
    assert model.last_call is not None
    roles = [item.get("role") for item in model.last_call.input]
    assert roles == ["user", "assistant", "user"]


async def test_tools_and_handoffs_show_and_the_new_agent_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @function_tool
    def look() -> str:
        return "found"

    expert_model = ScriptedModel([[assistant_message("done")], [assistant_message("again")]])
    expert = Agent(name="Expert", model=expert_model)
    model = ScriptedModel(
        [
            [function_call("look", {}, call_id="c1")],
            [function_call("transfer_to_expert", {}, call_id="c2")],
        ]
    )
    typed(monkeypatch, "go", "more")
    await run_demo_loop(Agent(name="First", model=model, tools=[look], handoffs=[expert]))
    shown = capsys.readouterr().out
    for text in (
        "[tool called]",
        "[tool output: found]",
        "[Agent updated: Expert]",
        "done",
        "again",
    ):
        assert text in shown
    expert_model.assert_complete()
