"""Histories that move between providers: every kind of item and part is told, or left out with a word.

No run fails, no call loses its output, no output its call, and the provider is sent nothing that it
does not know.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest
from raw_wire import call, reply, streamed, wire
from test_call_ids import SAID, events, response

from outlast import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    UserError,
    function_tool,
)
from outlast.models.chat import Converter
from outlast.models.chat_messages import Conversion

HI = {"role": "user", "content": "hi"}
ANSWER = {
    "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
    "content": [{"type": "output_text", "text": "ok", "annotations": [
        {"type": "url_citation", "start_index": 0, "end_index": 1, "url": "u", "title": "t"}]}],
}  # fmt: skip
SHELL = {"commands": ["ls"], "timeout_ms": None, "max_output_length": None}
PNG = "data:image/png;base64,AAAA"
# Items of the Responses API, each with what belongs to it; what of it a chat model is told.
ITEMS: dict[str, tuple[list[dict[str, Any]], str | None]] = {
    "web_search_call": ([{"type": "web_search_call", "id": "ws_1", "status": "completed",
                          "action": {"type": "search", "query": "q"}}], None),
    "file_search_call": ([{"type": "file_search_call", "id": "fs_1", "status": "completed",
                           "queries": ["q"], "results": [{"text": "found"}]}], "found"),
    "code_interpreter_call": ([{"type": "code_interpreter_call", "id": "ci_1", "status": "completed",
                                "code": "1+1", "container_id": "c",
                                "outputs": [{"type": "logs", "logs": "two"}]}], "two"),
    "image_generation_call": ([{"type": "image_generation_call", "id": "ig_1",
                                "status": "completed", "result": "AAAA"}], None),
    "mcp_call": ([{"type": "mcp_call", "id": "mcp_1", "name": "look", "arguments": "{}",
                   "server_label": "s", "output": "seen"}], "seen"),
    "mcp_call that failed": ([{"type": "mcp_call", "id": "mcp_1", "name": "look", "arguments": "{}",
                               "server_label": "s", "error": "is down"}], "is down"),
    "mcp_list_tools": ([{"type": "mcp_list_tools", "id": "l", "server_label": "s",
                         "tools": []}], None),
    "mcp_approval": ([{"type": "mcp_approval_request", "id": "a", "name": "n", "arguments": "{}",
                       "server_label": "s"},
                      {"type": "mcp_approval_response", "approval_request_id": "a",
                       "approve": True}], None),
    "computer_call": ([{"type": "computer_call", "id": "cu", "call_id": "c1", "status": "completed",
                        "action": {"type": "screenshot"}, "pending_safety_checks": []},
                       {"type": "computer_call_output", "call_id": "c1",
                        "output": {"type": "computer_screenshot", "image_url": PNG}}],
                      "[screenshot omitted]"),
    "shell_call": ([{"type": "shell_call", "id": "sh", "call_id": "c1", "status": "completed",
                     "action": SHELL},
                    {"type": "shell_call_output", "call_id": "c1", "output": [
                        {"stdout": "files", "stderr": "", "outcome": {"type": "exit"}}]}], "files"),
    "local_shell_call": ([{"type": "local_shell_call", "id": "ls", "call_id": "c1",
                           "status": "completed", "action": {"type": "exec", "command": ["ls"]}},
                          {"type": "local_shell_call_output", "call_id": "c1", "output": "files"}],
                         "files"),
    "apply_patch_call": ([{"type": "apply_patch_call", "id": "ap", "call_id": "c1",
                           "status": "completed",
                           "operation": {"type": "delete_file", "path": "a"}},
                          {"type": "apply_patch_call_output", "call_id": "c1",
                           "status": "completed", "output": "gone"}], "gone"),
    "custom_tool_call": ([{"type": "custom_tool_call", "id": "ct", "call_id": "c1", "name": "sql",
                           "input": "select 1"},
                          {"type": "custom_tool_call_output", "call_id": "c1", "output": "one"}],
                         "one"),
    "function_call": ([{"type": "function_call", "id": "fc", "call_id": "c1", "name": "f",
                        "arguments": "{}"},
                       {"type": "function_call_output", "call_id": "c1", "output": "said"}], "said"),
    "tool_search": ([{"type": "tool_search_call", "id": "t", "call_id": "t1", "arguments": {}},
                     {"type": "tool_search_output", "id": "t2", "call_id": "t1", "tools": []}],
                    None),
    "reasoning": ([{"type": "reasoning", "id": "rs_1", "encrypted_content": "secret",
                    "summary": [{"type": "summary_text", "text": "Hm."}]}], None),
    "compaction": ([{"type": "compaction", "id": "cmp", "encrypted_content": "secret"}], None),
    "item_reference": ([{"type": "item_reference", "id": "msg_0"}], None),
    "program": ([{"type": "program", "id": "p", "call_id": "p1", "code": "x"},
                 {"type": "program_output", "call_id": "p1", "result": "y"}], None),
    "an item of next year": ([{"type": "hologram_call", "id": "h", "status": "completed"}], None),
    "a message": ([ANSWER], "ok"),
    "a refusal": ([{**ANSWER, "content": [{"type": "refusal", "refusal": "I will not."}]}], "I will not."),
    "sound": ([{**ANSWER, "content": [{"type": "output_audio", "data": "A",
                                       "transcript": "said aloud"}]}], "said aloud"),
    "half a call": ([{"type": "function_call", "call_id": "c9", "name": "f", "arguments": "{}"}], None),
    "half an output": ([{"type": "function_call_output", "call_id": "c9", "output": "lost"}], None),
    "half a shell call": ([{"type": "shell_call", "id": "sh", "call_id": "c1",
                            "status": "completed", "action": SHELL}], None),
}  # fmt: skip
PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "input_text": ({"type": "input_text", "text": "t"}, "text"),
    "text": ({"type": "text", "text": "t"}, "text"),
    "output_text": ({"type": "output_text", "text": "t", "annotations": []}, "text"),
    "input_image": ({"type": "input_image", "image_url": PNG, "detail": "auto"}, "image_url"),
    "input_image by id": ({"type": "input_image", "file_id": "file_1"}, "text"),
    "input_file": ({"type": "input_file", "file_data": "A", "filename": "a.pdf"}, "file"),
    "input_file by address": ({"type": "input_file", "file_url": "https://a/b.pdf"}, "text"),
    "input_audio": ({"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}},
                    "input_audio"),
    "video_url": ({"type": "video_url", "video_url": {"url": "v"}}, "video_url"),
    "a part of next year": ({"type": "input_smell", "smell": "A"}, "text"),
    "no type": ({"text": "t"}, "text"),
}  # fmt: skip
CHAT_PARTS = {"text", "image_url", "input_audio", "file", "video_url", "refusal"}
CHAT_FIELDS = {"role", "content", "refusal", "tool_calls", "tool_call_id"}


async def asked(model: Any, history: list[Any], *, streams: bool, **options: Any) -> str:
    agent = Agent("next", model=model, **options)
    if not streams:
        result: Any = await Runner.run(agent, history, run_config=RunConfig(journal="off"))
        return result.final_output
    result = Runner.run_streamed(agent, history, run_config=RunConfig(journal="off"))
    async for _ in result.stream_events():
        pass
    return result.final_output


async def messages_of(history: list[Any], *, streams: bool = False) -> list[dict[str, Any]]:
    """What a chat endpoint is sent."""
    body = reply(content="done")
    with wire(streamed(body) if streams else body) as at:
        model = OpenAIChatCompletionsModel("m", at.client())
        assert await asked(model, history, streams=streams) == "done"
        return at.asked[0]["messages"]


def check(messages: list[dict[str, Any]]) -> None:
    """All is of the API, and each call has its answer right behind its message."""
    waiting: list[str] = []
    for message in messages:
        assert set(message) <= CHAT_FIELDS
        if message["role"] == "tool":
            assert message["tool_call_id"] in waiting
            waiting.remove(message["tool_call_id"])
        else:
            assert waiting == []
        waiting += [each["id"] for each in message.get("tool_calls") or ()]
        content = message.get("content")
        parts = content if isinstance(content, list) else []
        assert {part["type"] for part in parts} <= CHAT_PARTS
    assert waiting == []


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("kind", ITEMS)
async def test_an_item_of_the_responses_api_is_told_or_left_out(
    kind: str, streams: bool, caplog: pytest.LogCaptureFixture
):
    items, wanted = ITEMS[kind]
    with caplog.at_level(logging.WARNING):
        messages = await messages_of([HI, *items, ANSWER, HI], streams=streams)

    check(messages)
    told = str(messages)
    assert "secret" not in told
    assert wanted is None or wanted in told
    warnings = [each for each in caplog.messages if "Left out" in each]
    assert len(warnings) == (wanted is None and kind != "reasoning") or kind == "sound"


@pytest.mark.parametrize("first", ITEMS)
def test_two_kinds_beside_each_other_are_told_or_left_out(first: str):
    for second in ITEMS:
        history = [HI, *ITEMS[first][0], *ITEMS[second][0], HI]
        check(Conversion(model="m", translates=True).of(history))


@pytest.mark.parametrize("role", ["user", "assistant", "system", "a tool"])
@pytest.mark.parametrize("kind", PARTS)
async def test_a_part_is_told_or_named(kind: str, role: str):
    part, wanted = PARTS[kind]
    mixed: list[dict[str, Any]] = [{"role": role, "content": [part]}]
    if role == "a tool":
        called, answered = ITEMS["function_call"][0]
        mixed = [called, {**answered, "output": [part]}]
    messages = await messages_of([HI, *mixed, HI])

    check(messages)
    if role == "user":
        assert [each["type"] for each in messages[1]["content"]] == [wanted]


async def test_what_was_left_out_is_said_once_for_a_model(caplog: pytest.LogCaptureFixture):
    search = ITEMS["web_search_call"][0]
    with wire(reply(content="done")) as at, caplog.at_level(logging.WARNING):
        model = OpenAIChatCompletionsModel("m", at.client())
        for _ in range(3):
            await asked(model, [HI, *search, HI], streams=False)

    assert [each.count("1 x web_search_call") for each in caplog.messages] == [1]


@pytest.mark.parametrize("kind", ["web_search_call", "mcp_call", "compaction", "custom_tool_call"])
async def test_who_wants_errors_gets_them(kind: str):
    items = [HI, *ITEMS[kind][0]]
    with pytest.raises(UserError):
        Converter.items_to_messages(items)
    with wire(reply(content="done")) as at:
        strict = OpenAIChatCompletionsModel("m", at.client(), strict_feature_validation=True)
        with pytest.raises(UserError):
            await asked(strict, items, streams=False)


@pytest.mark.parametrize("streams", [False, True])
async def test_what_a_chat_model_said_goes_on_with_the_responses_api(streams: bool):
    @function_tool
    def look(n: int) -> str:
        return f"seen {n}"

    called = reply(
        "tool_calls", content="I look.", reasoning_content="Hm.", reasoning_details=[{"data": "secret"}],
        tool_calls=[call("look", {"n": 1}, id="c1", extra_content={"google": {"thought_signature": "secret"}})],
    )  # fmt: skip
    with wire(called, reply(content="done")) as at:
        first = Agent("first", model=OpenAIChatCompletionsModel("m", at.client()), tools=[look])
        before = await Runner.run(first, "hi", run_config=RunConfig(journal="off"))
    body = response(SAID)
    with wire(events(body) if streams else body) as at:
        model = OpenAIResponsesModel("o", at.client())
        history = [*before.to_input_list(), HI]
        assert await asked(model, history, streams=streams) == "done"
        sent = at.asked[0]["input"]

    assert "secret" not in str(sent)
    assert "provider_data" not in str(sent)
    kinds = [each.get("type", "message") for each in sent]
    assert kinds == [
        "message",
        "message",
        "function_call",
        "function_call_output",
        "message",
        "message",
    ]


async def test_an_answer_that_came_late_stands_behind_its_call():
    called, answered = ITEMS["function_call"][0]
    messages = await messages_of([HI, called, HI, answered, HI])

    check(messages)
    assert [each["role"] for each in messages] == ["user", "assistant", "tool", "user", "user"]
