"""A handoff's filter says what the next agent sees; what the result and the session say stays whole."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from outlast import (
    Agent,
    HandoffInputData,
    RunConfig,
    Runner,
    SQLiteSession,
    function_tool,
    handoff,
)
from outlast.core.events import EffectStarted
from outlast.definitions.handoff_history import nest_handoff_history, remove_all_tools
from outlast.journal.codec import encode
from outlast.testing import ScriptedModel, assistant_message, function_call

KINDS = [
    "tool_call_item", "tool_call_output_item", "tool_call_item", "handoff_call_item",
    "tool_call_output_item", "handoff_output_item", "message_output_item",
]  # fmt: skip


def in_place(data: HandoffInputData) -> HandoffInputData:
    for item in (*data.pre_handoff_items, *data.new_items):
        if isinstance(item.raw_item, dict):
            item.raw_item["output"] = "hidden"
    return data


FILTERS: dict[str, Callable[[HandoffInputData], HandoffInputData]] = {
    "no tools": remove_all_tools,
    "nothing at all": lambda data: data.clone(
        input_history="hi", pre_handoff_items=(), new_items=()
    ),
    "copies": lambda data: remove_all_tools(copy.deepcopy(data)),
    "changed in place": in_place,
    "nested, then no tools": lambda data: remove_all_tools(nest_handoff_history(data)),
    "no tools, then nested": lambda data: nest_handoff_history(remove_all_tools(data)),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_the_next_agent_does_not_see_what_the_result_still_says(name: str):
    @function_tool
    async def charge() -> str:
        return "secret-4711"

    heard = ScriptedModel([[assistant_message("bye")]])
    clerk = Agent[Any](name="clerk", model=heard)
    script = [
        [function_call("charge", {}, call_id="1")],
        [
            function_call("charge", {}, call_id="2"),
            function_call("transfer_to_clerk", {}, call_id="h"),
        ],
    ]
    desk = Agent[Any](name="desk", model=ScriptedModel(script), tools=[charge])
    desk.handoffs = [handoff(clerk, input_filter=FILTERS[name])]
    session = SQLiteSession("s")
    config = RunConfig(journal="memory")
    result = await Runner.run(desk, "pay", session=session, run_config=config)
    assert "secret-4711" not in json.dumps(heard.calls[0].input, default=str)
    assert [item.type for item in result.new_items] == KINDS
    assert repr(result.new_items).count("secret-4711") >= 2
    assert repr(await session.get_items()).count("secret-4711") == 2


def test_a_wrong_literal_is_refused_where_it_is_written():
    with pytest.raises(ValueError, match="one of 'retry', 'once', 'ask'"):
        function_tool(on_uncertain="onec")(lambda: "x")  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_what_could_not_be_read_again_is_not_written():
    broken: Any = EffectStarted("t1.c", "tool", policy="onec")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="could not be read again"):
        encode([broken])
