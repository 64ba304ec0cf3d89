"""What the trimmer leaves of tool outputs of earlier turns."""

import copy
import json

import pytest
from hypothesis import given, strategies as st

from outlast import Agent, RunConfig, Runner, function_tool
from outlast.effects.config import CallModelData, ModelInputData
from outlast.extras.tool_output_trimmer import ToolOutputTrimmer
from outlast.testing import ScriptedModel, assistant_message, function_call


def conversation(output, **call):
    """A turn with one tool output, and two later ones."""
    return [
        {"role": "user", "content": "1"},
        {"type": "function_call", "call_id": "c", "name": "search", "arguments": "{}", **call},
        {"type": "function_call_output", "call_id": "c", "output": output},
        {"role": "user", "content": "2"},
        {"role": "user", "content": "3"},
    ]


def trimmed(items, **settings):
    data = ModelInputData(input=items, instructions="Be brief.")
    call = CallModelData(model_data=data, agent=Agent(name="A"), context=None)
    return ToolOutputTrimmer(**settings)(call).input


def text(size):
    return {"type": "input_text", "text": ("abcdefghij" * 100)[:size]}


def image(size, **fields):
    return {"type": "input_image", "image_url": "Q" * size, **fields}


@pytest.mark.parametrize(
    ("output", "settings", "expected"),
    [
        ("a" * 700, {}, f"[Trimmed: search output — 700 chars → 200 char preview]\n{'a' * 200}..."),
        ("a" * 500, {}, "a" * 500),
        ("a" * 700, {"preview_chars": 0}, "[Trimmed: search output — 700 chars → 0 char preview]\n..."),
        ("a" * 510, {"preview_chars": 490}, "a" * 510),
        ({"k": "v" * 100}, {"max_output_chars": 90, "preview_chars": 4},
         "[Trimmed: search output — 109 chars → 4 char preview]\n{'k'..."),
        (["no part" * 100], {}, ["no part" * 100]),
        ([text(700)], {}, f"[Trimmed: search; payload 700; preview 200]\n{'abcdefghij' * 20}..."),
        ([text(10), image(600)], {}, "[Trimmed: search; payload 610; preview 10; dropped 1 input_image]\nabcdefghij"),
        ([image(600)], {"max_output_chars": 30}, "[Trimmed: input_image]"),
        ([text(60)], {"max_output_chars": 20}, "[Trimmed]\nabcdefghij"),
        ([text(60)], {"max_output_chars": 4}, "[Tri"),
        ([image(600, detail="sharp")], {}, [image(600, detail="sharp")]),
        ([{**text(700), "more": "?"}], {}, [{**text(700), "more": "?"}]),
    ],
)  # fmt: skip
def test_an_old_output_becomes_its_beginning(output, settings, expected):
    assert trimmed(conversation(output), **settings)[2]["output"] == expected


parts = st.lists(st.one_of(st.integers(0, 80).map(text), st.integers(1, 80).map(image)), max_size=4)


@given(
    output=st.one_of(st.text(max_size=200), parts),
    limit=st.integers(1, 150),
    preview=st.integers(0, 150),
)
def test_no_output_grows_and_trimming_again_changes_nothing(output, limit, preview):
    items = conversation(output)
    before = copy.deepcopy(items)
    settings = {"max_output_chars": limit, "preview_chars": preview}
    once = trimmed(items, **settings)
    assert items == before
    short = once[2]["output"]
    if isinstance(output, str):
        assert len(short) <= len(output)
    elif short != output:
        assert len(short) <= limit
        assert trimmed(once, **settings) == once


@pytest.mark.parametrize(
    ("tools", "call", "is_trimmed"),
    [
        ("search", {}, True),
        (["other"], {}, False),
        (["search"], {"namespace": "web"}, True),
        (["web.search"], {"namespace": "web"}, True),
        (["search"], {"call_id": "another"}, False),
        (None, {"call_id": "another"}, True),
    ],
)
def test_only_tools_that_are_named_are_trimmed(tools, call, is_trimmed):
    output = trimmed(conversation("a" * 700, **call), trimmable_tools=tools)[2]["output"]
    assert output.startswith("[Trimmed") == is_trimmed


@pytest.mark.parametrize(("turns", "is_trimmed"), [(1, True), (2, True), (3, False), (9, False)])
def test_a_turn_begins_with_a_message_of_the_user(turns, is_trimmed):
    output = trimmed(conversation("a" * 700), recent_turns=turns)[2]["output"]
    assert output.startswith("[Trimmed") == is_trimmed


def test_tools_that_were_searched_for_keep_their_contract_and_lose_their_prose():
    parameters = {
        "description": "x" * 900,
        "properties": {
            "title": {"type": "string", "title": "A", "default": {"title": "kept"}},
            "tags": {"items": [{"description": "x"}], "anyOf": [{"$comment": "x"}]},
        },
        "$defs": {"description": {"enum": [{"title": "kept"}], "examples": ["x"]}},
    }
    tool = {"type": "function", "name": "n", "description": "d" * 300, "parameters": parameters}
    found = {"type": "tool_search_output", "call_id": "s", "tools": [tool]}
    items = [{"role": "user"}, found, {"role": "user"}, {"role": "user"}]
    (short,) = trimmed(items, preview_chars=5)[1]["tools"]
    assert short["description"] == "ddddd..."
    assert short["parameters"] == {
        "properties": {
            "title": {"type": "string", "default": {"title": "kept"}},
            "tags": {"items": [{}], "anyOf": [{}]},
        },
        "$defs": {"description": {"enum": [{"title": "kept"}]}},
    }
    assert trimmed(items, trimmable_tools=["n"]) == items


@pytest.mark.parametrize(
    "settings", [{"recent_turns": 0}, {"max_output_chars": 0}, {"preview_chars": -1}]
)
def test_a_setting_that_is_too_small_is_refused_when_it_is_made(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))} must be >="):
        ToolOutputTrimmer(**settings)


async def test_the_model_sees_the_short_output_and_the_session_has_the_whole_one():
    @function_tool
    def search() -> str:
        return "a" * 900

    model = ScriptedModel(
        [[function_call("search", {}, call_id="c")], *[[assistant_message("ok")]] * 3]
    )
    agent = Agent(name="A", tools=[search], model=model)
    config = RunConfig(call_model_input_filter=ToolOutputTrimmer(recent_turns=1))
    history = (await Runner.run(agent, "1", run_config=config)).to_input_list()
    result = await Runner.run(
        agent, [*history, {"role": "user", "content": "2"}], run_config=config
    )
    assert "[Trimmed: search output — 900 chars" in json.dumps(
        model.calls[2].input, ensure_ascii=False
    )
    assert "a" * 900 in json.dumps(result.to_input_list())
