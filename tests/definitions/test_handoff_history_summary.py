"""The conversation before a handoff becomes a summary that can be read and extended again."""

from copy import deepcopy
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from outlast.definitions.handoff import HandoffInputData
from outlast.definitions.handoff_history import (
    default_handoff_history_mapper,
    get_conversation_history_wrappers,
    held_positions,
    nest_handoff_history,
    remove_all_tools,
    reset_conversation_history_wrappers,
    set_conversation_history_wrappers,
)
from outlast.definitions.run_items import (
    InputItem,
    MessageOutputItem,
    ToolApprovalItem,
    ToolCallItem,
)

ADA = SimpleNamespace(name="Ada")
HI = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "c1", "name": "pay", "arguments": "{}"}


def said(text):
    return MessageOutputItem(ADA, {"role": "assistant", "content": text, "type": "message"})


def before(history=(), pre=(), new=()):
    return HandoffInputData(input_history=history, pre_handoff_items=pre, new_items=new)


def summary(*lines):
    records = "\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1))
    intro = "For context, here is the conversation so far between the user and the previous agent:"
    content = f"{intro}\n<CONVERSATION HISTORY>\n{records}\n</CONVERSATION HISTORY>"
    return {"role": "assistant", "content": content}


def test_messages_of_the_last_turn_stay_in_their_place():
    call = ToolCallItem(ADA, CALL)
    nested = nest_handoff_history(before((HI,), (call,), (said("bye"), call)))
    record = '{"type": "function_call", "call_id": "c1", "name": "pay", "arguments": "{}"}'
    assert nested.input_history == (
        summary("user: hi", record),
        {"role": "assistant", "content": "bye", "type": "message"},
        summary(record),
    )
    assert (nested.pre_handoff_items, nested.input_items) == ((), ())
    assert len(nested.new_items) == 2


def test_what_does_not_fit_a_line_is_json():
    history = ({"role": "user", "content": "a\nb"}, {"role": "user", "name": "Al", "content": "x"})
    assert nest_handoff_history(before(history)).input_history == (
        summary('{"role": "user", "content": "a\\nb"}', "user (Al): x"),
    )


def test_a_summary_of_a_summary_is_one_summary():
    first = nest_handoff_history(before((HI, {"role": "user", "content": "a\nb"})))
    second = nest_handoff_history(before((*first.input_history, {"role": "user", "content": "c"})))
    assert second.input_history == (
        summary("user: hi", '{"role": "user", "content": "a\\nb"}', "user: c"),
    )


def test_a_mapper_gets_the_conversation_without_summaries_and_waiting_calls():
    seen = []

    def mapper(transcript):
        seen.extend(transcript)
        return [HI]

    first = nest_handoff_history(before("hi"))
    waits = ToolApprovalItem(ADA, CALL)
    nested = nest_handoff_history(before(first.input_history, (waits,)), history_mapper=mapper)
    assert seen == [HI]
    assert nested.input_history == (HI,)


def test_input_that_was_added_stays_as_it_is():
    nested = nest_handoff_history(before((), (InputItem(ADA, HI),)))
    assert nested.input_history == (HI,)


def test_nothing_is_said_to_be_nothing():
    (only,) = nest_handoff_history(before()).input_history
    assert "(no previous turns recorded)" in only["content"]
    assert nest_handoff_history(before((only,))).input_history == (only,)


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_quoted_wrappers_are_no_summary(role):
    item = {
        "role": role,
        "content": "x\n<CONVERSATION HISTORY>\n1. user: a\n</CONVERSATION HISTORY>",
    }
    seen = []
    nest_handoff_history(before((item,)), history_mapper=lambda items: seen.extend(items) or items)
    assert seen == [item]


def test_older_summaries_are_read_too():
    content = (
        "For context, here is the conversation so far:\n<CONVERSATION HISTORY>\n"
        "1. user: one\ntwo\n2.   \n3. nothing\n4. : nobody\n5. assistant (Bob): yes\n"
        '6. function_call: {"type": "function_call", "name": "x"}\n</CONVERSATION HISTORY>'
    )
    seen = []
    item = {"role": "assistant", "content": content}
    nest_handoff_history(before((item,)), history_mapper=lambda items: seen.extend(items) or items)
    assert seen == [
        {"role": "user", "content": "one\ntwo"},
        {"role": "assistant", "name": "Bob", "content": "yes"},
        {"type": "function_call", "name": "x"},
    ]


def test_the_wrappers_can_be_chosen():
    set_conversation_history_wrappers(start="<<")
    try:
        assert get_conversation_history_wrappers() == ("<<", "</CONVERSATION HISTORY>")
        (only,) = default_handoff_history_mapper([HI])
        assert "\n<<\n1. user: hi\n" in only["content"]
        assert nest_handoff_history(before((only,))).input_history == (only,)
    finally:
        reset_conversation_history_wrappers()
    assert get_conversation_history_wrappers()[0] == "<CONVERSATION HISTORY>"


def test_removing_tools_keeps_the_words():
    call = ToolCallItem(ADA, CALL)
    data = before((HI, CALL), (call, said("a")), (said("b"), call)).clone(input_items=(call,))
    left = remove_all_tools(data)
    assert left.input_history == (HI,)
    assert [len(left.pre_handoff_items), len(left.new_items)] == [1, 1]
    assert left.input_items == ()
    assert remove_all_tools(before("hi")).input_history == "hi"


def test_items_that_stand_in_the_history_are_known_through_copies():
    data = before((HI,), (), (said("a"), ToolCallItem(ADA, CALL), said("b")))
    nested = nest_handoff_history(data)
    copied = nested.clone(new_items=deepcopy(nested.new_items))
    assert held_positions(nested, nested.new_items) == [0, 2]
    assert held_positions(copied, copied.new_items) == [0, 2]
    assert held_positions(remove_all_tools(nested), nested.new_items) == [0, 2]


def test_items_that_only_say_the_same_are_not_taken_for_them():
    nested = nest_handoff_history(before((HI,), (), (said("a"),)))
    assert held_positions(nested, (said("a"),)) == []
    assert held_positions(nested.clone(input_history=(HI,)), nested.new_items) == []
    built = HandoffInputData(nested.input_history, (), nested.new_items)
    assert held_positions(built, built.new_items) == []
    assert "held" not in asdict(nested.clone(new_items=()))


def test_an_item_that_stands_there_twice_is_held_twice():
    twice = said("a")
    nested = nest_handoff_history(before((), (), (twice, twice)))
    assert held_positions(nested, (twice, twice, twice)) == [0, 1]


def test_a_summary_keeps_the_line_separators_of_a_text():
    text = "a\u2028b\u2029c\x85d"
    first = nest_handoff_history(before(({"role": "user", "content": text},), ()))
    again = nest_handoff_history(before(first.input_history, ()))
    assert again.input_history == first.input_history
    assert text in str(again.input_history[0]["content"])  # pyright: ignore[reportArgumentType, reportIndexIssue, reportUnknownMemberType]
