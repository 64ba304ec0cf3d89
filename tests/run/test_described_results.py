"""What `str` says of results and of what an error holds: a few lines, the same as openai-agents'."""

from typing import Any

import pytest
from pydantic import BaseModel

from outlast import Agent, MaxTurnsExceeded, RunConfig, Runner, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call

OFF = RunConfig(journal="off")
COUNTS = """\
- {} new item(s)
- {} raw response(s)
- 0 input guardrail result(s)
- 0 output guardrail result(s)"""


class City(BaseModel):
    name: str
    people: int


class Holder(BaseModel):
    model_config = {"arbitrary_types_allowed": True}
    held: Any


@function_tool
def look() -> str:
    """Look."""
    return "seen"


@function_tool
def give() -> Any:
    """Give."""
    return Holder(held=object())


def answering(text: str, name: str = "A", **options: Any) -> Agent[Any]:
    return Agent(name=name, model=ScriptedModel([[assistant_message(text)]]), **options)


@pytest.mark.parametrize("name", ["A", 'q"x', "a'b"])
async def test_a_result_names_its_agent_and_shows_its_output_line_by_line(name: str):
    result = await Runner.run(answering("hi\n\n there", name), "q", run_config=OFF)
    assert str(result) == (
        f'RunResult:\n- Last agent: Agent(name="{name}", ...)\n- Final output (str):\n    hi\n    \n'
        f"     there\n{COUNTS.format(1, 1)}\n(See `RunResult` for more details)"
    )


async def test_a_model_of_pydantics_is_shown_as_json():
    agent = answering('{"name": "Orléans", "people": 116}', output_type=City)
    result = await Runner.run(agent, "q", run_config=OFF)
    shown = '- Final output (City):\n    {\n      "name": "Orléans",\n      "people": 116\n    }\n'
    assert shown in str(result)


async def test_a_model_that_json_cannot_say_is_shown_all_the_same():
    steps = [[function_call("give", {}, call_id="1")]]
    agent = Agent(name="A", model=ScriptedModel(steps), tools=[give],
                  tool_use_behavior=lambda _, results: _final(results[0].output))  # fmt: skip
    result = await Runner.run(agent, "q", run_config=OFF)
    assert "held=<object" in str(result)


def _final(output: Any) -> Any:
    from outlast import ToolsToFinalOutputResult

    return ToolsToFinalOutputResult(is_final_output=True, final_output=output)


async def test_a_streamed_result_says_where_it_is():
    result = Runner.run_streamed(answering("hi"), "q", run_config=OFF)
    head = (
        'RunResultStreaming:\n- Current agent: Agent(name="A", ...)\n- Current turn: {}\n'
        "- Max turns: 10\n- Is complete: {}\n- Final output ({}):\n    {}\n"
    )
    tail = "\n(See `RunResultStreaming` for more details)"
    assert str(result) == head.format(0, False, "NoneType", None) + COUNTS.format(0, 0) + tail
    async for _ in result.stream_events():
        pass
    assert str(result) == head.format(1, True, "str", "hi") + COUNTS.format(1, 1) + tail


async def test_what_an_error_holds_is_counted():
    model = ScriptedModel([[function_call("look", {}, call_id="1")]] * 3)
    agent = Agent(name='q"', model=model, tools=[look])
    with pytest.raises(MaxTurnsExceeded) as caught:
        await Runner.run(agent, "q", run_config=OFF, max_turns=1)
    assert str(caught.value.run_data) == (
        f'RunErrorDetails:\n- Last agent: Agent(name="q"", ...)\n{COUNTS.format(2, 1)}\n'
        "- 0 tool input guardrail result(s)\n- 0 tool output guardrail result(s)\n"
        "(See `RunErrorDetails` for more details)"
    )


async def test_a_notebook_shows_a_result_in_those_lines():
    class Printer:
        def __init__(self) -> None:
            self.shown: list[str] = []

        def text(self, text: str) -> None:
            self.shown.append(text)

    result = await Runner.run(answering("hi"), "q", run_config=OFF)
    printer = Printer()
    result._repr_pretty_(printer, False)
    assert printer.shown == [str(result)]
