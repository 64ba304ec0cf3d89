"""Which tools of a server an agent gets, what they are called, and whose calls wait."""

from typing import Any

import pytest
from tests.mcp.test_durable import Board

from outlast import Agent, RunContextWrapper, Runner, UserError
from outlast.core.errors import AgentsException
from outlast.mcp import MCPUtil, create_static_tool_filter
from outlast.mcp.library import module
from outlast.mcp.names import prefixed_names, public_name
from outlast.mcp.results import output_of
from outlast.testing import ScriptedModel, assistant_message, function_call

APPROVALS = [
    (None, set()),
    ("never", set()),
    (False, set()),
    ("always", {"price", "order"}),
    (True, {"price", "order"}),
    ({"order": "always"}, {"order"}),
    ({"order": True, "price": False}, {"order"}),
    ({"always": {"tool_names": ["order"]}, "never": {"tool_names": ["price"]}}, {"order"}),
    (lambda context, agent, tool: tool.name == "price", {"price"}),
]


@pytest.mark.parametrize(("setting", "waiting"), APPROVALS)
async def test_each_form_of_require_approval(stdio_shop: Any, setting: Any, waiting: set[str]):
    calls = [function_call(name, {"item": "tea"}, call_id=name) for name in ("price", "order")]
    model = ScriptedModel([calls, [assistant_message("done")]])
    async with stdio_shop.server(require_approval=setting) as server:
        agent = Agent(name="Clerk", model=model, mcp_servers=[server])
        result = await Runner.run(agent, "go")
    assert {item.tool_name for item in result.interruptions} == waiting


@pytest.mark.parametrize(
    "setting",
    ["sometimes", 5, {"a": "maybe"}, {"always": {"tool_names": "a"}, "never": {}},
     {"always": {"tool_names": ["a"]}, "never": {"tool_names": ["a"]}}],
)  # fmt: skip
def test_another_form_of_require_approval_is_refused(opened: Any, setting: Any):
    with pytest.raises(UserError, match="Invalid require_approval"):
        opened("stdio").server(require_approval=setting)


async def test_a_setting_that_names_no_tool_is_told_of_once(stdio_shop: Any, caplog: Any):
    settings: dict[str, Any] = {
        "require_approval": {"ordr": "always", "price": "never"},
        "tool_filter": {"blocked_tool_names": ["order", "pric"]},
        "on_uncertain": {"packk": "once", "*": "ask"},
    }
    async with stdio_shop.server(**settings) as server:
        await names(server)
        await names(server)
    told = [each.getMessage().partition(" names tools")[2] for each in caplog.records]
    for name in ("ordr", "pric", "packk"):
        assert sum(f": {name}." in each for each in told) == 1


async def names(server: Any, user: str = "reader", **config: Any) -> list[str]:
    """What an agent is offered."""
    agent = Agent(name="Clerk", mcp_servers=[server], mcp_config=config)
    return [tool.name for tool in await agent.get_mcp_tools(RunContextWrapper(user))]


async def test_a_filter_by_names(stdio_shop: Any):
    only = create_static_tool_filter(["price", "order"], ["order"])
    async with stdio_shop.server(tool_filter=only) as server:
        assert await names(server) == ["price"]
    async with stdio_shop.server(tool_filter=create_static_tool_filter([])) as server:
        assert await names(server) == []


async def test_a_filter_sees_the_context_of_the_run(stdio_shop: Any):
    def by_role(context: Any, tool: Any) -> bool:
        return context.run_context.context == "writer" or tool.name == "price"

    async with stdio_shop.server(tool_filter=by_role, cache_tools_list=True) as server:
        assert await names(server) == ["price"]
        assert "order" in await names(server, "writer")


async def test_a_filter_that_raises_lets_nothing_through(stdio_shop: Any):
    def broken(context: Any, tool: Any) -> bool:
        raise RuntimeError(tool.name)

    async with stdio_shop.server(tool_filter=broken) as server:
        assert await names(server) == []


async def test_two_servers_with_a_tool_of_one_name_are_refused_or_told_apart(stdio_shop: Any):
    async with stdio_shop.server(name="a") as one, stdio_shop.server(name="b") as other:
        agent = Agent(name="Clerk", mcp_servers=[one, other])
        with pytest.raises(UserError, match="include_server_in_tool_names"):
            await agent.get_mcp_tools(RunContextWrapper(None))
        agent.mcp_config = {"include_server_in_tool_names": True}
        tools = await agent.get_mcp_tools(RunContextWrapper(None))
    assert {"mcp_a__price", "mcp_b__price"} <= {tool.name for tool in tools}


URL = "streamable_http: https://u:S3cret@x/mcp?k=S3cret"


@pytest.mark.parametrize(
    ("given", "stem"),
    [
        ([URL], "mcp_streamable_http__https___x_mcp__ship"),
        (["docs=postgres://u:S3cret@x"], "mcp_a_server__ship"),
        ([f"{URL}1", f"{URL}2"], "mcp_streamable_http__https___x_mcp__ship_"),
    ],
)
async def test_names_of_tools_hold_no_secret_of_the_name_of_their_server(
    given: list[str], stem: str
):
    offered: list[list[str]] = []
    for servers in (given, given[::-1]):
        boards: list[Any] = [Board(name, {"ship": "Ship it."}) for name in servers]
        config: Any = {"include_server_in_tool_names": True}
        agent = Agent(name="Clerk", mcp_servers=boards, mcp_config=config)
        offered.append([each.name for each in await agent.get_mcp_tools(RunContextWrapper(None))])
    assert offered[1] == offered[0][::-1]  # Whatever the order of the servers.
    assert len({*offered[0]}) == len(given)
    assert all(name.startswith(stem) and "S3cret" not in name for name in offered[0])
    assert len(given) > 1 or offered[0] == [stem]


NAMES = [
    ([("s1", "a"), ("s1", "b"), ("s2", "a")], ["mcp_s1__a", "mcp_s1__b", "mcp_s2__a"]),
    (
        [("My Server: https://x/y?k=1", "do it!")],
        ["mcp_My_Server__https___x_y_k_1__do_it"],
    ),
    ([("日本", "道具")], ["mcp_server__tool"]),
    ([("s 1", "a"), ("s_1", "a")], ["mcp_s_1__a_a4cdafbc", "mcp_s_1__a_d4974fe5"]),
]


@pytest.mark.parametrize(("offers", "expected"), NAMES)
def test_names_with_their_server_before_them(offers: Any, expected: list[str]):
    given = [(server, 0, tool) for server, tool in offers]
    assert prefixed_names(given, ()) == expected
    assert prefixed_names(given[::-1], ()) == expected[::-1]


def test_a_name_that_is_taken_or_too_long_gets_a_hash():
    assert prefixed_names([("s1", 0, "a")], {"mcp_s1__a"}) == ["mcp_s1__a_2d8d7091"]
    (long,) = prefixed_names([("s" * 60, 0, "t" * 60)], ())
    assert len(long) == 64
    same = prefixed_names([("s", 0, "a"), ("s", 1, "a")], ())
    assert len(set(same)) == 2


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("sse: https://u:p@e.test:8/x?t=1#f", "sse: https://e.test:8/x"),
        ("https://u:p@[bad/x", "<invalid-url>"),
        ("stdio: python server.py?token=x", "stdio: python server.py?token=x"),
        ("evil\x1b[2J", "evil\\x1b[2J"),
    ],
)
def test_a_servers_name_is_shown_without_secrets(name: str, shown: str):
    assert public_name(name) == shown


async def test_a_conversion_without_an_agent_leaves_a_function_to_a_person(stdio_shop: Any):
    async with stdio_shop.server(require_approval=lambda *_: False) as server:
        (tool, *_) = await server.list_tools()
        assert MCPUtil.to_function_tool(tool, server, False).needs_approval is True


async def test_agents_share_the_tools_of_a_server_where_they_are_made_alike(stdio_shop: Any):
    asked: list[Any] = []

    def ask(context: Any, agent: Any, tool: Any) -> bool:
        asked.append(agent.name)
        return False

    async def offered(name: str, **config: Any) -> Any:
        agent = Agent(name=name, mcp_servers=[server], mcp_config=config)
        return (await agent.get_mcp_tools(RunContextWrapper(None)))[0]

    async with stdio_shop.server(cache_tools_list=True) as server:
        one = await offered("one")
        assert await offered("two") is one
        assert (await offered("three", convert_schemas_to_strict=True)).strict_json_schema
        assert not (await offered("four")).strict_json_schema
        server.on_uncertain = "ask"
        assert (await offered("five")).on_uncertain == "ask"
        server.invalidate_tools_cache()
        assert await offered("six") is not one
    async with stdio_shop.server(cache_tools_list=True, require_approval=ask) as server:
        for name in ("seven", "eight"):
            tool = await offered(name)
            await tool.needs_approval(RunContextWrapper(None), {}, "c")
    assert asked == ["seven", "eight"]


FREE = {"type": "object"}
SHAPE = {"type": "object", "properties": {"a": {"type": "string"}}}
STRICT: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    (SHAPE, True),
    ({"type": "object", "additionalProperties": False}, True),
    ({"type": "object", "properties": {"x": {"$ref": "#/$defs/X"}}, "$defs": {"X": SHAPE}}, True),
    ({"type": "object", "properties": {"type": {"type": "string", "default": FREE}}}, True),
    (FREE, False),
    ({"type": "object", "properties": {"x": FREE}}, False),
    ({"type": "object", "properties": {"x": {"type": ["object", "null"]}}}, False),
    ({"type": "object", "properties": {"x": {"anyOf": [{"type": "string"}, FREE]}}}, False),
    ({"type": "object", "properties": {"x": {"type": "array", "items": FREE}}}, False),
    ({"type": "object", "properties": {"x": {"$ref": "#/$defs/X"}}, "$defs": {"X": FREE}}, False),
    ({"type": "object", "properties": {"x": {"$ref": "#/$defs/Gone"}}}, False),
    ({"type": "object", "properties": {"x": {**FREE, "additionalProperties": SHAPE}}}, False),
]


def tool_with(**facts: Any) -> Any:
    return module("types").Tool.model_validate({"name": "act", "inputSchema": SHAPE, **facts})


@pytest.mark.parametrize(("schema", "is_strict"), STRICT)
def test_a_schema_with_an_object_of_any_fields_stays_as_it_is(
    schema: dict[str, Any], is_strict: bool
):
    tool = MCPUtil.to_function_tool(tool_with(inputSchema=schema), Board("b", {}), True)
    assert tool.strict_json_schema is is_strict
    if not is_strict:
        assert tool.params_json_schema == {"properties": {}, **schema}


@pytest.mark.parametrize("resolved", [None, {"x": 5, "y": 2}])
async def test_what_a_server_lists_as_meta_travels_over_what_is_resolved(resolved: Any):
    board = Board("b", {}, tool_meta_resolver=lambda _: resolved)
    tool = MCPUtil.to_function_tool(tool_with(_meta={"x": 1}), board, False)
    body: Any = tool.on_invoke_tool
    await body.body(tool, RunContextWrapper(None), "{}")
    assert board.metas == [{**(resolved or {}), "x": 1}]


def fails(_: Any) -> Any:
    raise RuntimeError("no tenant")


@pytest.mark.parametrize(
    ("resolver", "text"), [(lambda _: 5, "must return a dict or None"), (fails, "no tenant")]
)
async def test_a_resolver_that_fails_is_an_error_of_ours(resolver: Any, text: str):
    board = Board("b", {}, tool_meta_resolver=resolver)
    with pytest.raises(AgentsException, match=f"act on server 'b': .*{text}"):
        await MCPUtil.invoke_mcp_tool(board, tool_with(), RunContextWrapper(None), "{}")
    assert board.metas == []


@pytest.mark.parametrize(
    "block",
    [
        {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"},
        {"type": "resource", "resource": {"uri": "file:///x", "text": "t"}},
        {"type": "resource_link", "uri": "file:///x", "name": "n"},
    ],
    ids=lambda block: block["type"],
)
def test_a_block_that_is_no_text_and_no_image_is_its_json(block: dict[str, Any]):
    result = module("types").CallToolResult.model_validate({"content": [block]})
    expected = {"type": "text", "text": result.content[0].model_dump_json()}
    assert output_of(result, prefers_structure=False) == expected
