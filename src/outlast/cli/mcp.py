"""What `outlast mcp` does: serve an agent or the runs, and look at what a server offers."""

from __future__ import annotations

import json
import os
import shlex
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from outlast.cli.approvals import calls_of, record
from outlast.cli.asking import exact, fields
from outlast.cli.command import finish
from outlast.cli.logs import find_runs, read_run, status_of
from outlast.cli.problem import Missing
from outlast.cli.program import load_program
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.core.errors import AgentsException, UserError
from outlast.run.servers import connected_servers

MANY = 50


class Http(NamedTuple):
    """Where to listen."""

    host: str
    port: int


class CannotInspect(Missing):
    """What was said about a server cannot be used. The text says why."""

    def __init__(self, what: str) -> None:
        super().__init__("Cannot look at the server", what)


class CannotServe(Missing):
    """Something may not be served as was said. The text says why."""

    def __init__(self, what: str) -> None:
        super().__init__("Cannot serve over HTTP", what)


def serve_agent(place: str, http: Http | None) -> int:
    """Serve the agent of a file until the client leaves, or Ctrl-C. Wants no running loop."""
    from outlast.mcp import agent_as_mcp_server

    agent = load_program(place).agent
    return finish(_served(agent_as_mcp_server(agent), http, agent))


def serve_journal(http: Http | None) -> int:
    """Serve the runs of this directory. Wants no running loop."""
    from outlast.mcp.serving import library_server

    server = library_server("outlast-journal", "Runs of agents: what they did, and what waits.")
    for tool in (list_runs, show_run, approve_call, reject_call):
        server.tool()(tool)
    return finish(_served(server, http))


async def _served(server: Any, http: Http | None, *agents: Any) -> int:
    from outlast.mcp.http_serving import VARIABLE, serve_http

    async with connected_servers(*agents):
        if http is None:
            await server.run_stdio_async()
            return 0
        try:
            await serve_http(server, http.host, http.port, os.environ.get(VARIABLE, ""))
        except UserError as error:
            raise CannotServe(str(error)) from None
    return 0


async def list_runs(status: str = "", limit: int = 20) -> str:
    """List runs of agents, the newest first.

    Args:
        status: Only these: running, waiting, interrupted, completed, failed, ... All, if empty.
        limit: As many at most.
    """
    rows = await find_runs(status, max(1, min(limit, MANY)))
    return json.dumps(
        [{"run_id": row.run_id, "agent": row.agent, "status": status_of(row)} for row in rows]
    )


async def show_run(run_id: str) -> str:
    """Show what a run did, what it came to, and which of its calls wait for a person."""
    view, _ = await _told(read_run(run_id))
    waiting = await calls_of(run_id)
    return json.dumps(
        {
            "run_id": run_id,
            "status": view.status,
            "output": view.output or None,
            "error": view.error or None,
            "steps": [f"{step.kind} {step.name}" for step in view.steps],
            "waiting": [
                {
                    "call_id": call.key,
                    "agent": call.agent,
                    "tool": call.tool,
                    "server": call.server or None,
                    "description": exact(call.description) if call.description else None,
                    "arguments": dict(fields(call.item)),
                    "began_already": call.is_in_doubt,
                    "changed": call.request.change or None,
                }
                for call in waiting
            ],
        },
        default=str,
    )


async def approve_call(run_id: str, call_id: str, reason: str = "") -> str:
    """Approve a call of a run that waits for a person. The run goes on when somebody resumes it."""
    await _told(record(run_id, [call_id], approved=True, message="", by="mcp client", why=reason))
    return f"Approved {call_id} of run {run_id}."


async def reject_call(run_id: str, call_id: str, message: str = "") -> str:
    """Reject a call of a run that waits for a person. The model is told the message."""
    await _told(record(run_id, [call_id], approved=False, message=message, by="mcp client"))
    return f"Rejected {call_id} of run {run_id}."


async def _told(result: Any) -> Any:
    from outlast.mcp.serving import tool_error

    try:
        return await result
    except AgentsException as error:
        raise tool_error(str(error)) from None


async def inspect(target: list[str], call: str, args: str, headers: list[str]) -> int:
    """Show what a server offers, or what one of its tools answers.

    Raises:
        CannotInspect: The arguments are no JSON object, a header has no value, or there is no such
            command.
    """
    try:
        arguments: Any = json.loads(args)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise CannotInspect(f"--args has to be a JSON object, got {args!r}.")
    async with AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(_server(target, headers))
        except (FileNotFoundError, PermissionError) as error:
            raise CannotInspect(
                f"The command {target[0]!r} cannot be started: {error.strerror}. Expected a program on "
                "the PATH with its arguments, or a URL."
            ) from error
        if not call:
            await _show_offers(server)
            return 0
        result = await server.call_tool(call, arguments)
    for block in result.content:
        text = getattr(block, "text", None)
        shown = text if isinstance(text, str) else json.dumps(_plain(block))
        for line in shown.splitlines() or [""]:
            console().print(Text(plain(line)), soft_wrap=True)
    return 1 if getattr(result, "is_error", None) or getattr(result, "isError", None) else 0


def _plain(block: Any) -> dict[str, Any]:
    from outlast.mcp.library import plain as as_json

    return as_json(block)


def _server(target: list[str], headers: list[str]) -> Any:
    from outlast.mcp import MCPServerStdio, MCPServerStreamableHttp

    first, *rest = target
    if first.startswith(("http://", "https://")):
        pairs = [each.partition("=") for each in headers]
        if bad := [name for name, equals, _ in pairs if not equals]:
            raise CannotInspect(f"--header is NAME=VALUE, got {bad[0]!r}.")
        named = {name: value for name, _, value in pairs}
        return MCPServerStreamableHttp(
            {"url": first, "headers": named}, client_session_timeout_seconds=60
        )
    if not rest and " " in first:
        first, *rest = shlex.split(first)
    return MCPServerStdio({"command": first, "args": rest}, client_session_timeout_seconds=60)


async def _show_offers(server: Any) -> None:
    from outlast.mcp.library import value

    table = Table(box=None, pad_edge=False)
    for head in ("kind", "name", "takes", "hints", "description"):
        table.add_column(head, overflow="fold")
    for tool in await server.list_tools():
        schema: dict[str, Any] = value(tool, "input_schema") or {}
        needed: list[str] = schema.get("required") or []
        properties: dict[str, Any] = schema.get("properties") or {}
        takes = [name if name in needed else f"{name}?" for name in properties]
        _row(table, "tool", tool.name, " ".join(takes), _hints(tool), tool.description)
    for kind, ask, names in (
        ("prompt", server.list_prompts, "prompts"),
        ("resource", server.list_resources, "resources"),
    ):
        for each in await _listed(ask, names):
            _row(table, kind, each.name, str(getattr(each, "uri", "")), "", each.description)
    console().print(table)


async def _listed(ask: Any, names: str) -> list[Any]:
    """What a server has of a kind; nothing if it does not know the kind."""
    try:
        return getattr(await ask(), names)
    except AgentsException:
        return []


def _row(table: Table, *cells: str | None) -> None:
    table.add_row(*(Text(plain(cell or "")) for cell in cells))


def _hints(tool: Any) -> str:
    from outlast.mcp.library import value

    if tool.annotations is None:
        return ""
    named = {
        "read-only": "read_only_hint",
        "destructive": "destructive_hint",
        "idempotent": "idempotent_hint",
    }
    return " ".join(word for word, name in named.items() if value(tool.annotations, name))
