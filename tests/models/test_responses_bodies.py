"""What a request to the Responses API says, word for word, recorded at a real socket."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.shared import Reasoning
from pydantic import BaseModel

from outlast import (
    Agent,
    AgentOutputSchema,
    ApplyPatchTool,
    CodeInterpreterTool,
    Computer,
    ComputerTool,
    CustomTool,
    FileSearchTool,
    HostedMCPTool,
    ImageGenerationTool,
    LocalShellTool,
    ModelSettings,
    ModelTracing,
    OpenAIResponsesModel,
    ProgrammaticToolCallingTool,
    ShellTool,
    ToolSearchTool,
    WebSearchTool,
    function_tool,
    handoff,
    tool_namespace,
)
from outlast.definitions.settings import MCPToolChoice
from outlast.testing.provider import ScriptedProvider

GONE = object()
"""Stands for a field that is not sent."""
BASE = {
    "model": "gpt-5",
    "input": [{"content": "hi", "role": "user"}],
    "include": [],
    "tools": [],
}
USER = [{"role": "user", "content": "hi"}]


class Answer(BaseModel):
    text: str


@function_tool
def add(a: int, b: int = 2) -> int:
    """Add two numbers.

    Args:
        a: The one.
        b: The other.
    """
    return a + b


@function_tool(strict_mode=False, name_override="find", description_override="Find.")
def find_it(query: str) -> str:
    return query


@function_tool(defer_loading=True)
def rare(x: int) -> int:
    """Rarely used."""
    return x


@function_tool(allowed_callers=["programmatic", "direct"])
def count(x: int) -> Answer:
    """Count."""
    return Answer(text=str(x))


class Screen(Computer):
    """A screen that nobody looks at."""

    environment = "browser"
    dimensions = (800, 600)

    def screenshot(self) -> str:
        return ""

    def click(self, x: int, y: int, button: Any) -> None:
        pass

    def double_click(self, x: int, y: int) -> None:
        pass

    def scroll(self, x: int, y: int, scroll_x: int, scroll_y: int) -> None:
        pass

    def type(self, text: str) -> None:
        pass

    def wait(self) -> None:
        pass

    def move(self, x: int, y: int) -> None:
        pass

    def keypress(self, keys: list[str]) -> None:
        pass

    def drag(self, path: list[tuple[int, int]]) -> None:
        pass


class Editor:
    """Edits nothing."""

    def create_file(self, operation: Any) -> None:
        pass

    def update_file(self, operation: Any) -> None:
        pass

    def delete_file(self, operation: Any) -> None:
        pass


def run_nothing(request: Any) -> str:
    return ""


ADD = {
    "type": "function",
    "name": "add",
    "description": "Add two numbers.",
    "strict": True,
    "parameters": {
        "type": "object",
        "title": "add_args",
        "additionalProperties": False,
        "required": ["a", "b"],
        "properties": {
            "a": {"description": "The one.", "title": "A", "type": "integer"},
            "b": {"default": 2, "description": "The other.", "title": "B", "type": "integer"},
        },
    },
}


def one_integer(name: str) -> dict[str, Any]:
    return {
        "type": "object",
        "title": f"{name}_args",
        "additionalProperties": False,
        "required": ["x"],
        "properties": {"x": {"title": "X", "type": "integer"}},
    }


RARE = {
    "type": "function",
    "name": "rare",
    "description": "Rarely used.",
    "strict": True,
    "parameters": one_integer("rare"),
    "defer_loading": True,
}
COUNT = {
    "type": "function",
    "name": "count",
    "description": "Count.",
    "strict": True,
    "parameters": one_integer("count"),
    "allowed_callers": ["programmatic", "direct"],
    "output_schema": {
        "title": "Answer",
        "type": "object",
        "additionalProperties": False,
        "required": ["text"],
        "properties": {"text": {"title": "Text", "type": "string"}},
    },
}
TRANSFER = {
    "type": "function",
    "name": "transfer_to_b",
    "description": "Handoff to the B agent to handle the request. ",
    "strict": True,
    "parameters": {
        "additionalProperties": False,
        "type": "object",
        "properties": {},
        "required": [],
    },
}
WEB = {
    "type": "web_search",
    "filters": None,
    "user_location": None,
    "search_context_size": "medium",
}
MCP = {
    "type": "mcp",
    "server_label": "deep",
    "server_url": "https://mcp.example.test",
    "require_approval": "never",
}
IMAGE = {"type": "image_generation", "quality": "high", "size": "1024x1024"}
CODE = {"type": "code_interpreter", "container": {"type": "auto"}}
HOSTED_SHELL = {"type": "container_auto", "memory_limit": "4g"}


def case(name: str, body: dict[str, Any], **asked: Any) -> Any:
    return pytest.param(asked, body, id=name)


def of_settings(name: str, body: dict[str, Any], **settings: Any) -> Any:
    return case(name, body, settings=ModelSettings(**settings))


def of_tools(name: str, *pairs: tuple[Any, Any], **more: Any) -> Any:
    """Tools and what each becomes; more of the body by name."""
    asked = {key: more.pop(key) for key in ("settings", "prompt", "model") if key in more}
    body = {"tools": [wire for _, wire in pairs], **more}
    return case(name, body, tools=[tool for tool, _ in pairs], **asked)


def choice(given: Any, wire: Any, *pairs: tuple[Any, Any]) -> Any:
    settings = ModelSettings(tool_choice=given)
    return of_tools(f"choice-{given}", *pairs, settings=settings, tool_choice=wire)


CASES = [
    case("plain", {}),
    case("instructions", {"instructions": "Be brief."}, instructions="Be brief."),
    case("streamed", {"stream": True}, streamed=True),
    case("previous-response", {"previous_response_id": "resp_1"}, previous_response_id="resp_1"),
    case("conversation", {"conversation": "conv_1"}, conversation_id="conv_1"),
    case(
        "both-kept-by-the-provider",
        {"previous_response_id": "resp_1", "conversation": "conv_1"},
        previous_response_id="resp_1",
        conversation_id="conv_1",
    ),
    case(
        "items-without-what-came-from-elsewhere",
        {
            "input": [
                {"role": "user", "content": "hi"},
                {"type": "message", "role": "assistant", "content": []},
                {"type": "reasoning", "id": "rs_1", "summary": []},
                {"type": "message", "id": "msg_1", "role": "assistant", "content": []},
            ]
        },
        input=[
            {"role": "user", "content": "hi"},
            {
                "type": "message",
                "id": "__fake_id__",
                "role": "assistant",
                "content": [],
                "provider_data": {"model": "x"},
            },
            {"type": "reasoning", "id": "rs_0", "summary": [], "provider_data": {"model": "x"}},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "message", "id": "msg_1", "role": "assistant", "content": []},
        ],
    ),
    # Settings.
    of_settings("sampling", {"temperature": 0.2, "top_p": 0.9}, temperature=0.2, top_p=0.9),
    of_settings("zeroes-are-sent", {"temperature": 0.0}, temperature=0.0),
    of_settings("limit", {"max_output_tokens": 64}, max_tokens=64),
    of_settings("truncation", {"truncation": "auto"}, truncation="auto"),
    of_settings(
        "stored", {"store": False, "metadata": {"a": "b"}}, store=False, metadata={"a": "b"}
    ),
    of_settings(
        "reasoning",
        {"reasoning": {"effort": "low", "summary": "auto"}},
        reasoning=Reasoning(effort="low", summary="auto"),
    ),
    of_settings("verbosity", {"text": {"verbosity": "low"}}, verbosity="low"),
    of_settings(
        "includes-are-a-union",
        {
            "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
            "top_logprobs": 3,
        },
        top_logprobs=3,
        response_include=["reasoning.encrypted_content", "message.output_text.logprobs"],
    ),
    of_settings(
        "cache",
        {
            "prompt_cache_retention": "24h",
            "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
            "prompt_cache_key": "mine",
        },
        prompt_cache_retention="24h",
        prompt_cache_options={"mode": "explicit", "ttl": "30m"},
        extra_args={"prompt_cache_key": "mine"},
    ),
    of_settings(
        "context-management",
        {"context_management": [{"type": "compaction", "compact_threshold": 200000}]},
        context_management=[{"type": "compaction", "compact_threshold": 200000}],
    ),
    of_settings(
        "extras",
        {"service_tier": "flex", "mine": 1},
        extra_args={"service_tier": "flex"},
        extra_body={"mine": 1},
    ),
    of_settings("parallel-calls-need-tools", {}, parallel_tool_calls=True),
    of_settings("not-of-this-api", {}, frequency_penalty=0.5, presence_penalty=0.5),
    # Outputs.
    case(
        "output-type",
        {
            "text": {
                "verbosity": "low",
                "format": {
                    "type": "json_schema",
                    "name": "final_output",
                    "strict": True,
                    "schema": {
                        "title": "Answer",
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["text"],
                        "properties": {"text": {"title": "Text", "type": "string"}},
                    },
                },
            }
        },
        schema=AgentOutputSchema(Answer),
        settings=ModelSettings(verbosity="low"),
    ),
    case("plain-text-output", {}, schema=AgentOutputSchema(str)),
    # Functions and handoffs.
    of_tools(
        "function",
        (add, ADD),
        settings=ModelSettings(parallel_tool_calls=False),
        parallel_tool_calls=False,
    ),
    of_tools(
        "function-that-is-not-strict",
        (
            find_it,
            {
                "type": "function",
                "name": "find",
                "description": "Find.",
                "strict": False,
                "parameters": {
                    "type": "object",
                    "title": "find_args",
                    "required": ["query"],
                    "properties": {"query": {"title": "Query", "type": "string"}},
                },
            },
        ),
    ),
    case(
        "handoffs-come-last",
        {"tools": [ADD, TRANSFER]},
        tools=[add],
        handoffs=[handoff(Agent(name="B"))],
    ),
    # Tools that the provider has.
    of_tools("web-search", (WebSearchTool(), WEB)),
    of_tools(
        "web-search-all",
        (
            WebSearchTool(
                user_location={"type": "approximate", "city": "Oslo"},
                filters={"allowed_domains": ["example.test"]},  # pyright: ignore[reportArgumentType]
                search_context_size="high",
                external_web_access=False,
                search_content_types=["text", "image"],
                image_settings={"max_results": 2, "caption": True},
            ),
            {
                "type": "web_search",
                "filters": {"allowed_domains": ["example.test"]},
                "user_location": {"type": "approximate", "city": "Oslo"},
                "search_context_size": "high",
                "external_web_access": False,
                "search_content_types": ["text", "image"],
                "image_settings": {"max_results": 2, "caption": True},
            },
        ),
        include=["web_search_call.results"],
    ),
    of_tools(
        "file-search",
        (
            FileSearchTool(vector_store_ids=["vs_1"]),
            {"type": "file_search", "vector_store_ids": ["vs_1"]},
        ),
    ),
    of_tools(
        "file-search-all",
        (
            FileSearchTool(
                vector_store_ids=["vs_1", "vs_2"],
                max_num_results=3,
                include_search_results=True,
                ranking_options={"ranker": "auto", "score_threshold": 0.5},
                filters={"type": "eq", "key": "year", "value": 2026},
            ),
            {
                "type": "file_search",
                "vector_store_ids": ["vs_1", "vs_2"],
                "max_num_results": 3,
                "ranking_options": {"ranker": "auto", "score_threshold": 0.5},
                "filters": {"type": "eq", "key": "year", "value": 2026},
            },
        ),
        include=["file_search_call.results"],
    ),
    of_tools("code-interpreter", (CodeInterpreterTool(tool_config=CODE), CODE)),  # pyright: ignore[reportArgumentType]
    of_tools("image-generation", (ImageGenerationTool(tool_config=IMAGE), IMAGE)),  # pyright: ignore[reportArgumentType]
    of_tools("hosted-mcp", (HostedMCPTool(tool_config=MCP), MCP)),  # pyright: ignore[reportArgumentType]
    of_tools("computer", (ComputerTool(computer=Screen()), {"type": "computer"})),
    of_tools(
        "computer-of-the-preview-model",
        (
            ComputerTool(computer=Screen()),
            {
                "type": "computer_use_preview",
                "environment": "browser",
                "display_width": 800,
                "display_height": 600,
            },
        ),
        model="computer-use-preview",
    ),
    of_tools(
        "shell-here",
        (
            ShellTool(executor=run_nothing),
            {"type": "shell", "environment": {"type": "local"}},
        ),
    ),
    of_tools(
        "shell-hosted",
        (
            ShellTool(environment=HOSTED_SHELL),  # pyright: ignore[reportArgumentType]
            {"type": "shell", "environment": HOSTED_SHELL},
        ),
    ),
    of_tools("local-shell", (LocalShellTool(executor=run_nothing), {"type": "local_shell"})),
    of_tools("apply-patch", (ApplyPatchTool(editor=Editor()), {"type": "apply_patch"})),
    of_tools(
        "custom",
        (
            CustomTool(
                name="sql",
                description="Ask the database.",
                on_invoke_tool=run_nothing,
                format={"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
            ),
            {
                "type": "custom",
                "name": "sql",
                "description": "Ask the database.",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
            },
        ),
    ),
    of_tools("tool-search", (rare, RARE), (ToolSearchTool(), {"type": "tool_search"})),
    case(
        "namespace",
        {
            "tools": [
                {
                    "type": "namespace",
                    "name": "math",
                    "description": "Numbers.",
                    "tools": [ADD],
                },
                {"type": "tool_search"},
            ]
        },
        tools=[
            *tool_namespace(name="math", description="Numbers.", tools=[add]),
            ToolSearchTool(),
        ],
    ),
    of_tools(
        "programs",
        (count, COUNT),
        (ProgrammaticToolCallingTool(), {"type": "programmatic_tool_calling"}),
    ),
    # Tool choices.
    choice("auto", "auto", (add, ADD)),
    choice("required", "required", (add, ADD)),
    choice("none", "none", (add, ADD)),
    choice("add", {"type": "function", "name": "add"}, (add, ADD)),
    choice("nobody_knows", {"type": "function", "name": "nobody_knows"}),
    choice("web_search", {"type": "web_search"}, (WebSearchTool(), WEB)),
    choice("file_search", {"type": "file_search"}),
    choice("code_interpreter", {"type": "code_interpreter"}),
    choice("image_generation", {"type": "image_generation"}),
    choice(
        "computer", {"type": "computer"}, (ComputerTool(computer=Screen()), {"type": "computer"})
    ),
    choice(
        "shell",
        {"type": "shell"},
        (
            ShellTool(executor=run_nothing),
            {"type": "shell", "environment": {"type": "local"}},
        ),
    ),
    choice(
        "apply_patch",
        {"type": "apply_patch"},
        (ApplyPatchTool(editor=Editor()), {"type": "apply_patch"}),
    ),
    choice("mcp", {"type": "mcp"}, (HostedMCPTool(tool_config=MCP), MCP)),  # pyright: ignore[reportArgumentType]
    choice(
        MCPToolChoice(server_label="deep", name="ask"),
        {"type": "mcp", "server_label": "deep", "name": "ask"},
        (HostedMCPTool(tool_config=MCP), MCP),  # pyright: ignore[reportArgumentType]
    ),
    # Prompts that the provider keeps.
    case(
        "prompt",
        {"prompt": {"id": "pmpt_1", "version": "2"}, "tools": GONE},
        prompt={"id": "pmpt_1", "version": "2"},
    ),
    case(
        "prompt-that-names-the-model",
        {"prompt": {"id": "pmpt_1"}, "tools": GONE, "model": GONE},
        prompt={"id": "pmpt_1"},
        model_is_explicit=False,
    ),
    case(
        "prompt-with-tools",
        {"prompt": {"id": "pmpt_1"}, "tools": [ADD], "parallel_tool_calls": True},
        prompt={"id": "pmpt_1"},
        tools=[add],
        settings=ModelSettings(parallel_tool_calls=True),
    ),
]


@pytest.fixture(scope="module")
def provider():
    with ScriptedProvider() as made:
        yield made


async def ask(client: Any, asked: dict[str, Any]) -> None:
    model = OpenAIResponsesModel(
        asked.get("model", "gpt-5"),
        client,
        model_is_explicit=asked.get("model_is_explicit", True),
    )
    args: list[Any] = [
        asked.get("instructions"),
        asked.get("input", "hi"),
        asked.get("settings", ModelSettings()),
        asked.get("tools", []),
        asked.get("schema"),
        asked.get("handoffs", []),
        ModelTracing.DISABLED,
    ]
    names = ("previous_response_id", "conversation_id", "prompt")
    named = {name: asked.get(name) for name in names}
    if asked.get("streamed"):
        async for _ in model.stream_response(*args, **named):
            pass
    else:
        await model.get_response(*args, **named)


async def recorded(provider: ScriptedProvider, asked: dict[str, Any]) -> Any:
    """The body that arrived, whatever is answered to it."""
    before = len(provider.requests)
    async with provider.client(max_retries=0) as client:
        try:
            await ask(client, asked)
        except Exception:  # noqa: BLE001  # a response that nobody knows cannot be continued
            assert len(provider.requests) > before
    [request] = provider.requests[before:]
    return request.body


@pytest.mark.parametrize(("asked", "body"), CASES)
async def test_a_request_says(
    provider: ScriptedProvider, asked: dict[str, Any], body: dict[str, Any]
) -> None:
    expected = {**BASE, **body}
    if "model" in asked:
        expected["model"] = asked["model"]
    expected = {name: value for name, value in expected.items() if value is not GONE}
    assert await recorded(provider, asked) == expected


def test_every_tool_of_the_api_is_in_the_table() -> None:
    tools = [param.values[1].get("tools") for param in CASES]
    sent = [tool for listed in tools if isinstance(listed, list) for tool in listed]
    assert {tool["type"] for tool in sent} == {
        "apply_patch", "code_interpreter", "computer", "computer_use_preview", "custom",
        "file_search", "function", "image_generation", "local_shell", "mcp", "namespace",
        "programmatic_tool_calling", "shell", "tool_search", "web_search",
    }  # fmt: skip


async def test_headers_and_query_go_where_they_belong(provider: ScriptedProvider) -> None:
    settings = ModelSettings(extra_headers={"X-Team": "a"}, extra_query={"route": "b"})
    before = len(provider.requests)
    async with provider.client() as client:
        await ask(client, {"settings": settings})
    [request] = provider.requests[before:]
    assert request.headers["x-team"] == "a"
    assert request.headers["user-agent"].startswith("Outlast/Python ")
    assert request.query == {"route": "b"}


async def test_an_argument_that_is_given_twice_is_refused(provider: ScriptedProvider) -> None:
    settings = ModelSettings(temperature=0.1, extra_args={"temperature": 0.2})
    async with provider.client() as client:
        with pytest.raises(TypeError, match=r"multiple values.*'temperature'"):
            await ask(client, {"settings": settings})
