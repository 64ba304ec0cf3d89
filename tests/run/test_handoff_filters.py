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


def first_to_last(data: HandoffInputData) -> tuple[Any, ...]:
    return (*data.pre_handoff_items, *data.new_items)


def last_to_first(data: HandoffInputData) -> tuple[Any, ...]:
    return (*data.new_items, *data.pre_handoff_items)


def calls_alone(data: HandoffInputData) -> tuple[Any, ...]:
    outputs = ("tool_call_output_item", "handoff_output_item")
    return tuple(item for item in first_to_last(data) if item.type not in outputs)


def as_history(data: HandoffInputData) -> tuple[Any, ...]:
    return (
        {"role": "user", "content": "hi"},
        *(item.to_input_item() for item in (*data.pre_handoff_items, *first_to_last(data))),
    )


def changed(data: HandoffInputData) -> tuple[Any, ...]:
    return in_place(copy.deepcopy(data)).pre_handoff_items


COPIES: dict[str, tuple[Callable[[HandoffInputData], HandoffInputData], str]] = {
    "all again": (lambda d: d.clone(input_items=first_to_last(d)), "user m 1 m =1 h =h"),
    "all again, reordered": (lambda d: d.clone(input_items=last_to_first(d)), "user m 1 h =h m =1"),
    "all again, backwards": (
        lambda d: d.clone(input_items=first_to_last(d)[::-1]),
        "user m 1 =h h =1 m",
    ),
    "the earlier ones again": (
        lambda d: d.clone(input_items=d.pre_handoff_items),
        "user m 1 m =1",
    ),
    "the earlier ones again, changed": (
        lambda d: d.clone(input_items=changed(d)),
        "user m 1 m =1:hidden",
    ),
    "the new ones twice": (
        lambda d: d.clone(input_items=(*d.new_items, *d.new_items)),
        "user m 1 =1 h =h",
    ),
    "the earlier ones twice": (
        lambda d: d.clone(pre_handoff_items=d.pre_handoff_items * 2),
        "user m 1 m =1 h =h",
    ),
    "moved to the new ones": (
        lambda d: d.clone(pre_handoff_items=(), input_items=last_to_first(d)),
        "user h =h m 1 =1",
    ),
    "new ones that hold the earlier": (
        lambda d: d.clone(new_items=first_to_last(d)),
        "user m 1 m =1 h =h",
    ),
    "no new ones": (lambda d: d.clone(input_items=()), "user m 1 =1"),
    "calls without their outputs": (
        lambda d: d.clone(pre_handoff_items=(), input_items=calls_alone(d)),
        "user m",
    ),
    "twice in the history": (
        lambda d: d.clone(input_history=as_history(d), pre_handoff_items=(), new_items=()),
        "user m 1 m =1 h =h",
    ),
    "in the history and all again": (
        lambda d: d.clone(input_history=as_history(d)[:-2], input_items=first_to_last(d)),
        "user m 1 m m m =1 h =h",
    ),
    "nested, and all again": (
        lambda d: nest_handoff_history(d).clone(input_items=first_to_last(d) * 2),
        "assistant m 1 h m =1 =h",
    ),
    "nested, reordered": (
        lambda d: nest_handoff_history(d).clone(input_items=last_to_first(d)),
        "assistant h =h m 1 =1",
    ),
}
"""What a filter leaves, and what the next agent sees of it: messages, calls, and =outputs, by id.

As openai-agents shows it its models.
"""


def seen(item: Any) -> str:
    if item.get("type") == "function_call_output":
        return f"={item['call_id']}" + (":hidden" if item["output"] == "hidden" else "")
    return item.get("call_id") or ("m" if item.get("type") == "message" else item["role"])


@pytest.mark.parametrize("name", COPIES)
async def test_the_next_agent_sees_each_call_and_each_output_once(name: str):
    @function_tool
    async def charge() -> str:
        return "done"

    input_filter, expected = COPIES[name]
    heard = ScriptedModel([[function_call("charge", {}, call_id="2")], [assistant_message("bye")]])
    clerk = Agent[Any](name="clerk", model=heard, tools=[charge])
    script = [
        [assistant_message("one moment"), function_call("charge", {}, call_id="1")],
        [function_call("transfer_to_clerk", {}, call_id="h")],
    ]
    desk = Agent[Any](name="desk", model=ScriptedModel(script), tools=[charge])
    desk.handoffs = [handoff(clerk, input_filter=input_filter)]
    session = SQLiteSession("s")
    result = await Runner.run(desk, "hi", session=session, run_config=RunConfig(journal="memory"))
    told: list[list[Any]] = [[*call.input] for call in heard.calls]
    assert [" ".join(map(seen, items)) for items in told] == [expected, f"{expected} 2 =2"]
    own = ["m", "1", "=1", "h", "=h", "2", "=2", "m"]
    assert [seen(item.to_input_item()) for item in result.new_items] == own
    assert [item.agent.name for item in result.new_items] == ["desk"] * 5 + ["clerk"] * 3
    assert [seen(item) for item in await session.get_items()] == ["user", *own]
