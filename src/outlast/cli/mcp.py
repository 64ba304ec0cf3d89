"""What `outlast mcp` does: serve an agent or the runs, and look at what a server offers."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from collections.abc import Callable
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
PATIENCE_S = 60.0
"""How long a server that is looked at may take to answer; `npx` may have to install it first."""
NOTICE_S = 1.0
"""How long nothing is said of that."""


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
            await serve_http(server, http.host, http.port, os.environ.get(VARIABLE, ""), _announce)
        except UserError as error:
            raise CannotServe(str(error)) from None
    return 0


def _announce(url: str) -> None:
    console(stderr=True).print(Text(f"Serving MCP at {plain(url)}. Ctrl-C ends it."))


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
        made, loop = _server(target, headers), asyncio.get_running_loop()
        from outlast.mcp.names import public_name

        what = f"Waiting for {plain(public_name(made.name))}: {int(PATIENCE_S)} s at most."
        notice = loop.call_later(NOTICE_S, console(stderr=True).print, Text(what))
        try:
            server = await stack.enter_async_context(made)
        except (FileNotFoundError, PermissionError) as error:
            raise CannotInspect(
                f"{error} Expected a command with its arguments, or a URL."
            ) from None
        finally:
            notice.cancel()
        if not call:
            return await _show_offers(server)
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
            {"url": first, "headers": named}, client_session_timeout_seconds=PATIENCE_S
        )
    if not rest and " " in first:
        first, *rest = shlex.split(first)
    return MCPServerStdio(
        {"command": first, "args": rest}, client_session_timeout_seconds=PATIENCE_S
    )


async def _show_offers(server: Any) -> int:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(ratio=2, overflow="fold")
    table.add_column(ratio=3, overflow="fold")
    about = getattr(server, "server_initialize_result", None)
    known = getattr(about, "capabilities", None)
    asked = [
        each for each in _KINDS if known is None or getattr(known, each.capability) is not None
    ]
    errors = [error for kind in asked if (error := await _add_kind(table, server, kind))]
    if table.row_count:
        console().print(table)
    elif not errors:
        console().print("The server offers nothing.")
    for error in errors:
        console(stderr=True).print(Text(plain(str(error))), soft_wrap=True)
    return 1 if errors else 0


class _Kind(NamedTuple):
    """Of what a server may offer several."""

    word: str
    capability: str
    list: str
    """The method that lists them."""
    field: str
    """Where they stand in what that returns; empty if it returns them."""
    about: Callable[[Any], list[str]]
    """What there is to say of one besides its name and description, in lines."""


async def _add_kind(table: Table, server: Any, kind: _Kind) -> Exception | None:
    """Add what the server has of a kind, which it need not know; what went wrong, if anything did."""
    from outlast.mcp.library import METHOD_NOT_FOUND, error_code, value

    try:
        found: Any = await getattr(server, kind.list)()
    except AgentsException as error:
        return None if error_code(error) == METHOD_NOT_FOUND else error
    for each in value(found, kind.field) if kind.field else found:
        more = [Text(plain(line)) for line in kind.about(each) if line]
        cell = Text("\n").join([Text(plain(each.name), style="bold"), *more])
        table.add_row(kind.word, cell, Text(plain(each.description or "")))
    return None


def _about_tool(tool: Any) -> list[str]:
    from outlast.mcp.library import value

    schema: dict[str, Any] = value(tool, "input_schema") or {}
    needed: list[str] = schema.get("required") or []
    properties: dict[str, Any] = schema.get("properties") or {}
    takes = [name if name in needed else f"{name}?" for name in properties]
    return [" ".join(takes), _hints(tool)]


def _about_prompt(prompt: Any) -> list[str]:
    takes = [each.name if each.required else f"{each.name}?" for each in prompt.arguments or ()]
    return [" ".join(takes)]


def _address(resource: Any) -> list[str]:
    from outlast.mcp.library import value

    return [str(getattr(resource, "uri", None) or value(resource, "uri_template") or "")]


_KINDS = (
    _Kind("tool", "tools", "list_tools", "", _about_tool),
    _Kind("prompt", "prompts", "list_prompts", "prompts", _about_prompt),
    _Kind("resource", "resources", "list_resources", "resources", _address),
    _Kind("template", "resources", "list_resource_templates", "resource_templates", _address),
)


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
