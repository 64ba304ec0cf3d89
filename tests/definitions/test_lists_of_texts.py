"""Where a list of texts is meant, a text alone is refused: it would be read letter by letter."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from outlast import (
    Agent,
    ApprovalRules,
    FileSearchTool,
    FunctionTool,
    RunMetadata,
    ToolContext,
    UserError,
    function_tool,
)
from outlast.journal import MemoryJournal, SqliteJournal
from outlast.mcp import MCPServerStdio
from outlast.server import App, Caller
from outlast.server.keys import ApiKeys


def prunes(journal: Any) -> Callable[[Any, Any], Any]:
    async def pruned(value: Any, path: Any) -> None:
        await journal(path).prune(older_than_s=1, statuses=value)

    return pruned


async def asks(value: Any, _: Any) -> None:
    await ToolContext(None, tool_name="t", tool_call_id="c", tool_arguments="{}").ask("?", value)


PLACES: dict[str, Callable[[Any, Any], Any]] = {
    "choices of a question": asks,
    "StopAtTools": lambda value, _: Agent("A", tool_use_behavior={"stop_at_tool_names": value}),
    "statuses to prune": prunes(lambda _: MemoryJournal()),
    "statuses to prune in a file": prunes(lambda path: SqliteJournal(path / "j.db")),
    "cors": lambda value, _: App([], cors=value),
    "hosts": lambda value, _: App([], hosts=value),
    "what a server exposes": lambda value, _: App([], expose=value),
    "scopes of a caller": lambda value, _: Caller("me", scopes=value),
    "scopes of a key": lambda value, path: ApiKeys(path / "keys.db").create("k", value),
    "tags": lambda value, _: RunMetadata(tags=value),
    "deciders": lambda value, _: ApprovalRules(deciders=value),
    "who it is escalated to": lambda value, _: ApprovalRules(escalate_to=value),
    "tools of a rule": lambda value, _: ApprovalRules(tools=value),
    "vector stores": lambda value, _: FileSearchTool(value),
    "allowed callers": lambda value, _: function_tool(lambda: 1, allowed_callers=value),
    "allowed callers of a tool made by hand": lambda value, _: FunctionTool(
        "t", "", {}, print, allowed_callers=value
    ),
    "names of an MCP server's tools": lambda value, _: MCPServerStdio(
        {"command": "x"}, tool_filter={"allowed_tool_names": value}
    ),
}


@pytest.mark.parametrize("value", ["completed", b"completed", 5, [5], {"completed": 1}], ids=repr)
@pytest.mark.parametrize("place", PLACES)
async def test_it_is_refused_by_an_error_of_ours(place: str, value: Any, tmp_path: Any):
    with pytest.raises(UserError):
        await written(PLACES[place], value, tmp_path)


async def written(place: Callable[[Any, Any], Any], value: Any, path: Any) -> None:
    answer = place(value, path)
    if inspect.isawaitable(answer):
        await answer


async def test_a_status_that_there_is_not_prunes_nothing_silently():
    with pytest.raises(UserError, match=r"has 'complete'.*Known are .*completed"):
        await MemoryJournal().prune(older_than_s=1, statuses=["complete"])
