"""`outlast keys`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from outlast.cli.command import AsJson, command
from outlast.cli.logs import journal_file
from outlast.cli.problem import Missing
from outlast.cli.screen import console, print_json
from outlast.cli.text import plain
from outlast.definitions.clock import utc, wall_s
from outlast.journal.retention import seconds_of


@command("""
outlast keys create --name ci --scope runs:write --expires 90d
outlast keys list
outlast keys revoke 4f1c22ab09de
""")
def keys(  # noqa: PLR0913  # a command has the options that it has
    act: Annotated[
        str, typer.Argument(metavar="create|list|revoke", help="What to do; list if unset.")
    ] = "list",
    key: Annotated[str, typer.Argument(metavar="KEY", help="The id of the key to revoke.")] = "",
    name: Annotated[str, typer.Option(help="What the new key is called.")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="What it is for; may be said several times.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose runs it sees; all, if unset.")] = None,
    expires: Annotated[str, typer.Option(metavar="AGE", help="When it ends, such as 90d.")] = "",
    rate: Annotated[int, typer.Option(min=1, help="Requests that it may make in a minute.")] = 600,
    file: Annotated[
        Path | None, typer.Option(help="Where keys are kept, if not beside the journal.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Make, list and revoke the keys of `App(auth=ApiKeys())`."""
    from outlast.server.keys import ApiKeys

    known = ApiKeys(file or _file())
    if act == "create":
        if not name or not scope:
            raise Missing(
                "Which key?",
                "A key has a name and scopes.",
                "outlast keys create --name NAME --scope runs:write",
            )
        until = wall_s() + _age_s(expires) if expires else None
        made = known.create(name, scope, tenant=tenant, expires_at=until, per_minute=rate)
        console().print(made, soft_wrap=True, highlight=False)
        console(stderr=True).print("It is shown this once. What is kept is a hash.", style="dim")
    elif act == "revoke":
        known.revoke(key)
        console().print(f"revoked {plain(key)}", style="bold")
    elif act == "list":
        _list(known, as_json=as_json)
    else:
        raise typer.BadParameter(f"keys can create, list or revoke, not {act!r}.")
    return 0


def _age_s(age: str) -> float:
    seconds = seconds_of(age)
    if seconds is None:
        raise typer.BadParameter(f"{age!r} is no age. Write one such as 90d or 12h.")
    return seconds


def _file() -> Path:
    journal = journal_file()
    return (journal.parent if journal else Path(".outlast")) / "keys.db"


def _list(known: Any, *, as_json: bool) -> None:
    rows = known.list()
    if as_json:
        names = (
            "id",
            "name",
            "tenant",
            "scopes",
            "per_minute",
            "created_at",
            "expires_at",
            "revoked_at",
            "used_at",
        )
        print_json([{name: getattr(row, name) for name in names} for row in rows])
        return
    table = Table("key", "name", "tenant", "scopes", "state", box=None, pad_edge=False)
    for row in rows:
        state = "revoked" if row.revoked_at else "valid" if row.is_valid else "ended"
        if row.is_valid and row.expires_at:
            state = f"until {utc(row.expires_at):%Y-%m-%d}"
        table.add_row(row.id, plain(row.name), plain(row.tenant or ""), " ".join(row.scopes), state)
    console().print(table)
