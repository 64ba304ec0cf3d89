"""What a server says about its tools is somebody else's: none of it keeps an agent from the others."""

import re
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner
from outlast.journal import MemoryJournal
from outlast.mcp import MCPServerStdio
from outlast.testing import ScriptedModel, assistant_message, function_call

FINE = {"type": "object", "properties": {"a": {"type": "string"}}}


def nested(depth: int, key: str = "properties") -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(depth):
        schema = {"type": "object", key: {"a": schema}}
    return schema


SCHEMAS = {
    "refers to itself": {"type": "object", "properties": {"a": {"$ref": "#"}}},
    "refers in a circle": {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/x"}},
        "$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}},
    },
    "refers elsewhere": {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:1/x"}}},
    "huge enum": {"type": "object", "properties": {"a": {"enum": [*range(100_000)]}}},
    "nested 40": nested(40),
    "nested 200": nested(200),
    "nested 600": nested(600),
    "nested 3000": nested(3_000),
    "no object": {"type": "string"},
    "empty": {},
    "properties are a list": {"type": "object", "properties": [1, 2]},
    "required is a number": {"type": "object", "required": 7},
    "required has objects": {"type": "object", "required": [{"a": 1}, None]},
    "control characters": {"type": "object", "properties": {"\x1b[2J": {"title": "\x07\u202e"}}},
    "a half of a character": {"type": "object", "properties": {"\ud800": {"title": "\udfff"}}},
}
NAMES = (
    "act\x1b[2J",
    "",
    "a" * 200,
    "files.read/all",
    "\u202eevil",
    "日本",
    "a\nb",
    "a\0b",
)


class Session:
    """A session whose server has these tools."""

    def __init__(self, tools: list[dict[str, Any]], content: list[Any] | None = None) -> None:
        self.tools = tools
        self.content = content or [{"type": "text", "text": "ok"}]
        self.called: list[str] = []

    async def list_tools(self, **_: Any) -> Any:
        from mcp.types import ListToolsResult

        return ListToolsResult.model_validate({"tools": self.tools})

    async def call_tool(self, name: str, *_: Any, **__: Any) -> Any:
        from mcp.types import CallToolResult

        self.called.append(name)
        return CallToolResult.model_validate({"content": self.content})


async def output_of(session: Session, name: str, **config: Any) -> Any:
    """What a tool returns an agent, read from the journal by another process than the one that called."""
    server = MCPServerStdio({"command": "unused"}, name="s")
    server.session = session
    journal = RunConfig(journal=MemoryJournal())
    turns = [[function_call(name, {"a": "x"}, call_id="c")], [assistant_message("done")]]
    agent = Agent(name="A", model=ScriptedModel(turns), mcp_servers=[server], mcp_config=config)
    await Runner.run(agent, "go", run_id="r", run_config=journal)
    again = await Runner.run(agent, "go", run_id="r", run_config=journal)
    (output,) = (each.output for each in again.new_items if each.type == "tool_call_output_item")
    return output


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_schema_of_any_kind_keeps_nobody_from_another_tool(schema: str, strict: bool):
    tools = [{"name": "act", "inputSchema": SCHEMAS[schema]}, {"name": "fine", "inputSchema": FINE}]
    found = await output_of(Session(tools), "fine", convert_schemas_to_strict=strict)
    assert found == {"type": "text", "text": "ok"}


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_no_model_can_say_has_another_one_to_models(name: str):
    server = MCPServerStdio({"command": "unused"}, name="s")
    server.session = Session([{"name": name, "inputSchema": FINE}])
    (tool,) = await Agent(name="A", mcp_servers=[server]).get_mcp_tools(None)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.name)
    session = Session([{"name": name, "inputSchema": FINE}])
    assert await output_of(session, tool.name) == {"type": "text", "text": "ok"}
    assert session.called == [name]


async def test_names_that_would_become_one_stay_two_and_what_can_be_said_stays():
    names = ["a.b", "a/b", "a_b", "c.d"]
    server = MCPServerStdio({"command": "unused"}, name="s")
    server.session = Session([{"name": name, "inputSchema": FINE} for name in names])
    found = [each.name for each in await Agent(name="A", mcp_servers=[server]).get_mcp_tools(None)]
    assert found[2:] == ["a_b", "c_d"]
    assert len({*found}) == 4


CONTENT = {
    "each kind": [
        {"type": "text", "text": "a"},
        {"type": "image", "data": "AAAA", "mimeType": "image/png"},
        {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"},
        {"type": "resource", "resource": {"uri": "x://y", "text": "t"}},
        {"type": "resource", "resource": {"uri": "x://y", "blob": "AAAA"}},
        {"type": "resource_link", "uri": "x://y", "name": "n"},
    ],
    "control characters": [{"type": "text", "text": "\x1b[2J\0\u202e"}],
    "halves of characters": [
        {"type": "text", "text": "\ud800"},
        {"type": "resource", "resource": {"uri": "x://y", "text": "\udfff"}},
    ],
    "no image": [{"type": "image", "data": "!", "mimeType": 'image/png";x'}],
}


@pytest.mark.parametrize("content", CONTENT)
async def test_content_of_any_kind_comes_to_the_model_and_out_of_the_journal(content: str):
    session = Session([{"name": "act", "inputSchema": FINE}], CONTENT[content])
    output = await output_of(session, "act")
    blocks = output if isinstance(output, list) else [output]
    assert len(blocks) == len(CONTENT[content])
    assert all(each["type"] in ("text", "image") for each in blocks)
    repr(blocks).encode()  # No half of a character is left.
