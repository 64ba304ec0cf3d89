"""Settings that are refused before anything is connected."""

from typing import Any

import pytest

from outlast import UserError
from outlast.mcp import MCPServerSse, MCPServerStreamableHttp
from outlast.mcp.names import public_name

SECRET = "me:pa55word@127.0.0.1:9/mcp?token=t0ken"


@pytest.mark.parametrize("kind", [MCPServerSse, MCPServerStreamableHttp])
@pytest.mark.parametrize(
    "start", ["htps://", " https://", "http:/", "https://[", "sse: http://", ""]
)
def test_a_url_that_is_none_is_refused_and_not_shown(kind: Any, start: str):
    with pytest.raises(UserError, match="no URL") as caught:
        kind({"url": start + SECRET})
    assert "pa55word" not in str(caught.value)
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("shop", "shop"),
        ("stdio: /usr/bin/python", "stdio: /usr/bin/python"),
        ("stdio: C:/python.exe", "stdio: C:/python.exe"),
        (f"sse: https://{SECRET}", "sse: https://127.0.0.1:9/mcp"),
        (f"sse: htps://{SECRET}", "a server"),
        (f" https://{SECRET}", "a server"),
        (f"http:/{SECRET}", "a server"),
        (SECRET, "a server"),
        ("streamable_http: 127.0.0.1/pa55word", "a server"),
    ],
)
def test_the_name_of_a_server_is_shown_without_what_may_be_secret(name: str, shown: str):
    assert public_name(name) == shown


@pytest.mark.parametrize(
    "tool_filter",
    [
        {"allowed": ["price"]},
        {"allowed_tool_names": "price"},
        {"blocked_tool_names": [1]},
        ["price"],
        "price",
    ],
)
def test_a_filter_that_is_none_is_refused(tool_filter: Any):
    with pytest.raises(UserError, match="Invalid tool_filter"):
        MCPServerSse({"url": "http://127.0.0.1:9/sse"}, tool_filter=tool_filter)


@pytest.mark.parametrize(
    "tool_filter", [None, {}, {"allowed_tool_names": ["price"]}, {"blocked_tool_names": ("a",)}]
)
def test_a_filter_is_taken(tool_filter: Any):
    MCPServerSse({"url": "http://127.0.0.1:9/sse"}, tool_filter=tool_filter)
