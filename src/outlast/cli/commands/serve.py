"""`outlast serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import command
from outlast.cli.serving import Serving, serve as serve_app


@command("""
outlast serve                              the file here that has an agent
outlast serve desk.py
outlast serve desk.py:app --port 9000
outlast serve desk.py --no-worker          another process performs the runs
""")
def serve(  # noqa: PLR0913  # a command has the options that it has
    place: Annotated[str, typer.Argument(metavar="FILE[:APP]", help="An App, or an Agent.")] = "",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8400,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A name that the server goes by.")
    ] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Let other processes perform the runs.")
    ] = False,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that runs get to end what they do.")
    ] = 20.0,
    root_path: Annotated[str, typer.Option(help="Where a proxy has put the server.")] = "",
    ssl_keyfile: Annotated[str | None, typer.Option(metavar="FILE", help="For TLS.")] = None,
    ssl_certfile: Annotated[str | None, typer.Option(metavar="FILE", help="For TLS.")] = None,
    json_logs: Annotated[
        bool, typer.Option("--json-logs", help="A line of JSON of each request and run.")
    ] = False,
) -> int:
    """Serve agents over HTTP: an API of our own, and OpenAI's. Needs the extra `server`."""
    return serve_app(
        place,
        Serving(
            host=host,
            port=port,
            hosts=tuple(allow_host or ()),
            performs=not no_worker,
            grace_s=grace,
            root_path=root_path,
            ssl_keyfile=ssl_keyfile,
            ssl_certfile=ssl_certfile,
            logs_as_json=json_logs,
        ),
    )
