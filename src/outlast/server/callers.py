"""Who asks, and what they may do. Deny by default: each route names the scope that it wants."""

from __future__ import annotations

import hmac
import inspect
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import SecurityScopes

from outlast.definitions.given import names_of
from outlast.server.logs import note
from outlast.server.problems import Problem

ALL = "*"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        id: Their name: it stands in the log of what they begin and decide.
        tenant: On whose behalf they ask; they see the runs of this tenant. None sees all.
        scopes: What they may do, such as ``runs:write``; ``*`` is everything.
        claims: Anything else that is known of them.
    """

    id: str
    tenant: str | None = None
    scopes: frozenset[str] = frozenset({ALL})
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        names_of("Caller(scopes=...)", self.scopes)

    def may(self, scope: str) -> bool:
        """Whether a scope is theirs."""
        return ALL in self.scopes or scope in self.scopes

    def may_run(self, agent: str) -> bool:
        """Whether they may begin runs of an agent: of any, unless their scopes name some."""
        named = [
            scope for scope in self.scopes if scope.startswith("agents:") and scope.endswith(":run")
        ]
        return ALL in self.scopes or not named or f"agents:{agent}:run" in named


Authenticate = Callable[[Request], "Caller | Awaitable[Caller | None] | None"]
"""Says who a request is from; None for nobody who is known."""


class LocalToken:
    """A secret in a file that only this user of the machine can read. Who knows it may do everything.

    Args:
        file: Where it is kept. It is made if it is not there.
    """

    def __init__(self, file: Path) -> None:
        self.token = _read(file)

    def __call__(self, request: Request) -> Caller | None:
        """The owner of the machine, or nobody."""
        sent = credential(request)
        is_right = hmac.compare_digest(sent.encode(), self.token.encode())
        return Caller("local") if is_right else None


def _read(file: Path) -> str:
    if file.exists():
        return file.read_text("utf-8").strip()
    file.parent.mkdir(parents=True, exist_ok=True)
    token = f"oll_{secrets.token_urlsafe(32)}"
    new = file.with_suffix(f".{os.getpid()}")
    new.touch(0o600)
    new.write_text(token, "utf-8")
    try:
        os.link(
            new, file
        )  # Of two servers that begin at once, the first one's token is that of both.
    except FileExistsError:
        return file.read_text("utf-8").strip()
    finally:
        new.unlink()
    return token


COOKIE = "outlast_token"


def credential(request: Request) -> str:
    """What a request brings to say who it is from; empty if nothing.

    A browser's cookie counts only for what its own page asks: another site's page can send it, but cannot
    send a header with it that the server has to allow first.
    """
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return bearer.strip()
    if key := request.headers.get("x-api-key"):
        return key
    is_own_page = (
        request.scope.get("method", "GET") == "GET" or "x-outlast-request" in request.headers
    )
    return request.cookies.get(COOKIE, "") if is_own_page else ""


async def caller_of(request: Request, wanted: SecurityScopes) -> Caller:
    """Who asks, if they may do what the route does.

    Raises:
        Problem: Nobody who is known, or nobody who may.
    """
    found = request.app.state.authenticate(request)
    caller: Caller | None = await found if inspect.isawaitable(found) else found
    if caller is None:
        raise Problem(
            401,
            "no-credentials",
            "Send the key as `Authorization: Bearer KEY` or as `X-API-Key: KEY`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    note(caller=caller.id, tenant=caller.tenant)
    for scope in wanted.scopes:
        if not caller.may(scope):
            raise Problem(403, "scope-missing", f"This wants the scope {scope!r}.", scope=scope)
    return caller


def needs(scope: str) -> Any:
    """The dependency of a route that wants a scope."""
    return Security(caller_of, scopes=[scope])


Reader = Annotated[Caller, needs("runs:read")]
Writer = Annotated[Caller, needs("runs:write")]
AgentReader = Annotated[Caller, needs("agents:read")]
ApprovalReader = Annotated[Caller, needs("approvals:read")]
Decider = Annotated[Caller, needs("approvals:decide")]
SessionReader = Annotated[Caller, needs("sessions:read")]
SessionWriter = Annotated[Caller, needs("sessions:write")]
ScheduleReader = Annotated[Caller, needs("schedules:read")]
ScheduleWriter = Annotated[Caller, needs("schedules:write")]
Forker = Annotated[Caller, needs("runs:fork")]
UsageReader = Annotated[Caller, needs("usage:read")]
Budgeter = Annotated[Caller, needs("budgets:write")]
WebhookWriter = Annotated[Caller, needs("webhooks:write")]
Deleter = Annotated[Caller, needs("runs:delete")]
Administrator = Annotated[Caller, needs("admin:read")]
Known = Annotated[Caller, Depends(caller_of)]
