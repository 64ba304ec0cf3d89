"""Settings that are refused before anything is connected."""

from typing import Any

import pytest

from outlast import UserError
from outlast.mcp import MCPConnectionError, MCPServerSse, MCPServerStdio, MCPServerStreamableHttp
from outlast.mcp.names import public_name

WRONG: list[tuple[Any, Any, str]] = [
    (MCPServerStdio, {}, "no 'command'.*nothing"),
    (MCPServerStdio, "npx server", "are a str"),
    (MCPServerStdio, {"command": ["npx"]}, "no 'command'"),
    (MCPServerStdio, {"command": "npx", "args": "-y", "env": {"KEY": 5}}, "'args'.*'env'"),
    (MCPServerSse, {"uri": "https://e.test"}, "no 'url'.*'uri'"),
    (MCPServerStreamableHttp, "https://e.test", "are a str"),
]


@pytest.mark.parametrize(("kind", "params", "text"), WRONG)
def test_params_that_lead_to_no_server_are_refused_by_name(kind: Any, params: Any, text: str):
    with pytest.raises(UserError, match=text):
        kind(params)


def test_a_key_that_nobody_reads_is_named(caplog: Any):
    MCPServerStdio({"command": "npx", "arg": ["-y"]})  # pyright: ignore[reportArgumentType]
    assert "'arg'" in caplog.text


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        ({"command": "no-such-command"}, FileNotFoundError),
        ({"command": "/no/such/command"}, FileNotFoundError),
        ({"command": "sh", "cwd": "/no/such/folder"}, FileNotFoundError),
        ({"command": __file__}, PermissionError),
    ],
)
async def test_a_command_that_cannot_be_started_is_an_error_of_ours_and_of_python(
    params: Any, kind: type[Exception]
):
    with pytest.raises(MCPConnectionError, match=r"[^:]+: .+\.|folder") as caught:
        await MCPServerStdio(params).connect()
    assert isinstance(caught.value, kind)


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
