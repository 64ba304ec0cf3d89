"""`outlast mcp`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import command, finish
from outlast.cli.mcp import Http, inspect, serve_agent, serve_journal


@command(
    """
outlast mcp desk.py:triage         serves an agent over stdin and stdout
outlast mcp desk.py --http 8080    the same over HTTP, at /mcp
outlast mcp --journal              serves the runs, and decisions
outlast mcp inspect npx -y @modelcontextprotocol/server-memory
outlast mcp inspect -- npx -y SERVER --call 5    all of it is the server's
outlast mcp inspect URL --call find --args '{"what": "tea"}'
""",
    {"ignore_unknown_options": True},
)
def mcp(  # noqa: PLR0913 (a command has the options that it has)
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="FILE[:AGENT] to serve, or `inspect` and a command or URL to look at.",
        ),
    ] = None,
    http: Annotated[
        int | None, typer.Option("--http", metavar="PORT", min=0, max=65_535, help="Serve HTTP.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen, with --http.")] = "127.0.0.1",
    journal: Annotated[bool, typer.Option("--journal", help="Serve the runs.")] = False,
    call: Annotated[str, typer.Option(metavar="TOOL", help="With inspect: call a tool.")] = "",
    args: Annotated[str, typer.Option(metavar="JSON", help="What to call it with.")] = "{}",
    header: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="With inspect: a header.")
    ] = None,
) -> int:
    """Serve an agent, or the runs, over MCP; or look at a server."""
    place = None if http is None else Http(host, http)
    given = words or []
    if journal == bool(given):
        raise typer.BadParameter("Name an agent's file, say --journal, or inspect a server.")
    if journal:
        return serve_journal(place)
    if given[0] != "inspect":
        if len(given) > 1:
            raise typer.BadParameter(f"One agent is served: {given[0]}.")
        return serve_agent(given[0], place)
    if len(given) == 1:
        raise typer.BadParameter("Say which server: its command, or its URL.")
    return finish(inspect(given[1:], call, args, header or []))
