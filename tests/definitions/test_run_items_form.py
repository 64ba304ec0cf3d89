"""Items wrap what the model said, as objects or dicts, and become input again."""

import copy
import gc
import weakref

import pytest
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseOutputText,
)
from pydantic import BaseModel, ValidationError

from outlast.core.errors import AgentsException
from outlast.core.usage import Usage
from outlast.definitions import run_items
from outlast.definitions.run_items import (
    CompactionItem,
    HandoffOutputItem,
    InputItem,
    ItemHelpers,
    MessageOutputItem,
    ModelResponse,
    ToolApprovalItem,
    ToolCallItem,
    ToolCallOutputItem,
    coerce_tool_search_call_raw_item,
    coerce_tool_search_output_raw_item,
)

CALL = {"type": "function_call", "call_id": "c1", "name": "pay", "arguments": "{}"}


class Owner:
    name = "Ada"


ADA = Owner()


def message(*parts):
    return ResponseOutputMessage(
        id="m1", content=list(parts), role="assistant", status="completed", type="message"
    )


TEXT = ResponseOutputText(annotations=[], text="yes", type="output_text")
REFUSAL = ResponseOutputRefusal(refusal="no", type="refusal")


def test_only_what_was_set_becomes_input():
    call = ResponseFunctionToolCall.model_validate({**CALL, "created_by": "server"})
    assert ToolCallItem(ADA, call).to_input_item() == CALL
    assert ToolCallItem(ADA, {**CALL, "created_by": "x"}).to_input_item() == CALL


def test_becoming_input_changes_nothing():
    raw = {"type": "shell_call_output", "output": [{"stdout": "x", "created_by": "s"}, "odd"]}
    before = copy.deepcopy(raw)
    made = ToolCallOutputItem(ADA, raw, "x").to_input_item()
    assert made == {"type": "shell_call_output", "output": [{"stdout": "x"}, "odd"]}
    assert raw == before


def test_what_is_neither_object_nor_dict_cannot_become_input():
    with pytest.raises(AgentsException, match="Unexpected raw item type"):
        MessageOutputItem(ADA, 5).to_input_item()


def test_a_call_that_waits_never_becomes_input():
    with pytest.raises(AgentsException, match="cannot be converted"):
        ToolApprovalItem(ADA, CALL).to_input_item()


def test_an_opaque_item_stays_as_it_is():
    raw = {"type": "compaction", "created_by": "server"}
    assert CompactionItem(ADA, raw).to_input_item() == raw


def test_a_released_item_keeps_no_agent_alive():
    agents = [Owner(), Owner(), Owner()]
    item = HandoffOutputItem(agents[0], {}, source_agent=agents[1], target_agent=agents[2])
    item.release_agent()
    item.release_agent()
    assert [item.agent, item.source_agent, item.target_agent] == agents
    refs = [weakref.ref(agent) for agent in agents]
    agents.clear()
    gc.collect()
    assert [ref() for ref in refs] == [None, None, None]
    assert (item.agent, item.target_agent) == (None, None)
    assert "agent=None" in repr(item)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = item.nothing


def test_a_call_knows_its_name_and_id():
    item = ToolCallItem(ADA, CALL)
    assert (item.tool_name, item.call_id) == ("pay", "c1")
    assert ToolCallItem(ADA, {"type": "file_search_call", "id": "f"}).call_id == "f"
    assert ToolCallOutputItem(ADA, {"call_id": "c1"}, "x").call_id == "c1"


@pytest.mark.parametrize(
    ("raw", "arguments"),
    [
        (CALL, "{}"),
        ({**CALL, "arguments": {"a": 1}}, '{"a": 1}'),
        ({"type": "custom_tool_call", "name": "pay", "input": "x"}, "x"),
        ({"type": "shell_call", "name": "pay"}, None),
    ],
)
def test_a_call_that_waits_shows_its_arguments(raw, arguments):
    item = ToolApprovalItem(ADA, {**raw, "namespace": "bank"})
    assert item.arguments == arguments
    assert (item.name, item.qualified_name) == ("pay", "bank.pay")


def test_calls_that_wait_are_told_apart_by_identity():
    first, second = ToolApprovalItem(ADA, CALL), ToolApprovalItem(ADA, CALL)
    assert first != second
    assert len({first, second}) == 2


def test_added_input_has_an_id():
    assert InputItem(ADA, {}).input_id != InputItem(ADA, {}).input_id


def test_an_answer_becomes_input():
    answer = ModelResponse([message(TEXT)], Usage(), None)
    (item,) = answer.to_input_items()
    assert item["content"] == [{"annotations": [], "text": "yes", "type": "output_text"}]


def test_texts_and_refusals_are_found():
    both = message(TEXT, REFUSAL, TEXT)
    assert ItemHelpers.extract_text(both) == "yesyes"
    assert ItemHelpers.extract_refusal(both) == "no"
    assert ItemHelpers.extract_last_content(message(TEXT, REFUSAL)) == "no"
    assert ItemHelpers.extract_last_text(message(TEXT, REFUSAL)) is None
    assert ItemHelpers.extract_last_text(both) == "yes"
    assert ItemHelpers.text_message_outputs([MessageOutputItem(ADA, both)]) == "yesyes"


def test_what_is_no_message_has_no_text():
    call = ResponseFunctionToolCall.model_validate(CALL)
    assert ItemHelpers.extract_last_content(call) == ""
    assert ItemHelpers.extract_text(call) is None
    assert ItemHelpers.extract_text(message(REFUSAL)) is None


def test_input_is_copied_into_json_types():
    parts = (part for part in [{"type": "input_text", "text": "x"}])
    given = [{"role": "user", "content": parts}, message(TEXT)]
    first, second = ItemHelpers.input_to_new_input_list(given)
    assert first == {"role": "user", "content": [{"type": "input_text", "text": "x"}]}
    assert second["role"] == "assistant"
    assert ItemHelpers.input_to_new_input_list("hi") == [{"content": "hi", "role": "user"}]


def test_an_output_names_its_call_and_its_caller():
    caller = {"type": "program", "caller_id": "p1"}
    call = ResponseFunctionToolCall.model_validate(CALL)
    assert ItemHelpers.tool_call_output_item(call, 5)["output"] == "5"
    assert ItemHelpers.copy_tool_call_caller(call, {"a": 1}) == {"a": 1}
    assert ItemHelpers.copy_tool_call_caller({"caller": caller}, {})["caller"] == caller


def test_a_search_is_typed_where_it_can_be():
    whole = {
        "type": "tool_search_call",
        "id": "i",
        "arguments": {},
        "call_id": "x",
        "execution": "client",
        "status": "completed",
    }
    assert coerce_tool_search_call_raw_item(whole).id == "i"
    partial = {"type": "tool_search_call"}
    assert coerce_tool_search_call_raw_item(partial) == partial
    with pytest.raises(AgentsException, match="Unexpected tool search output item type: 'x'"):
        coerce_tool_search_output_raw_item({"type": "x"})
    with pytest.raises(AgentsException, match="class 'int'"):
        coerce_tool_search_output_raw_item(5)


def test_names_of_openai_s_types_are_there_for_who_asks():
    assert run_items.TResponse.__name__ == "Response"
    assert run_items.ToolCallItemTypes is not None
    with pytest.raises(AttributeError):
        _ = run_items.TNothing


@pytest.mark.parametrize("text", ["hello", None])
def test_a_message_that_was_made_without_its_type_has_its_text(text):
    part = ResponseOutputText.model_construct(type="output_text", text=text, annotations=[])
    said = ResponseOutputMessage.model_construct(id="m1", role="assistant", content=[part])
    assert ItemHelpers.extract_last_content(said) == (text or "")
    assert ItemHelpers.text_message_output(MessageOutputItem(ADA, said)) == (text or "")


def test_users_models_hold_items_and_answers_as_they_are():
    class Held(BaseModel):
        answer: ModelResponse
        item: run_items.RunItem

    answer, item = ModelResponse([], Usage(), None), MessageOutputItem(ADA, CALL)
    held = Held(answer=answer, item=item)
    assert held.answer is answer
    assert held.item is item
    with pytest.raises(ValidationError):
        Held(answer="hello", item=item)
