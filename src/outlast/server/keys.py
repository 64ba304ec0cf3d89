"""Keys for callers: what is stored of one is a hash, so whoever reads the file can use none.

    app = App(agents=[desk], auth=ApiKeys())

Keys are kept in a SQLite file beside the journal, so that all processes of a machine know the same ones,
and one that is revoked is refused at the next request.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from outlast.core.errors import UserError, WrongType
from outlast.definitions.clock import wall_s
from outlast.definitions.given import check_number, check_text, names_of
from outlast.server.callers import Caller, credential
from outlast.server.database import Database
from outlast.server.problems import Problem

if TYPE_CHECKING:
    from fastapi import Request

_TABLES = """
CREATE TABLE IF NOT EXISTS key (
    id TEXT PRIMARY KEY, hash TEXT NOT NULL, name TEXT NOT NULL, tenant TEXT, scopes TEXT NOT NULL,
    per_minute INTEGER NOT NULL, created_at REAL NOT NULL, expires_at REAL, revoked_at REAL, used_at REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS used (
    id TEXT NOT NULL, minute INTEGER NOT NULL, requests INTEGER NOT NULL, PRIMARY KEY (id, minute)
) WITHOUT ROWID;
"""
_NOBODY = "0" * 64
_MINUTE = 60
_HOUR = 3600.0
SCOPES = (
    "agents:read", "runs:read", "runs:write", "runs:delete", "runs:fork", "usage:read", "budgets:write", "webhooks:write", "approvals:read", "approvals:decide", "sessions:read",
    "sessions:write", "schedules:read", "schedules:write", "admin:read", "*",
)  # fmt: skip
"""What a key may be for; ``agents:NAME:run`` besides, which lets it begin runs of these agents only."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key, but for its secret."""

    id: str
    name: str
    tenant: str | None
    scopes: tuple[str, ...]
    per_minute: int
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    used_at: float | None

    @property
    def is_valid(self) -> bool:
        """Whether it opens anything now."""
        return self.revoked_at is None and (self.expires_at is None or wall_s() < self.expires_at)


class ApiKeys:
    """The keys in a file.

    Args:
        file: Where they are kept; by default `keys.db` in the journal's folder.
    """

    def __init__(self, file: str | Path | None = None) -> None:
        if not isinstance(file, str | Path | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise WrongType(f"ApiKeys takes the path of a file, got {type(file).__name__}.")
        self.file = Path(file) if file is not None else None
        self._database: Database | None = None

    def create(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        tenant: str | None = None,
        expires_at: float | None = None,
        per_minute: int = 600,
    ) -> str:
        """A new key, which is shown this once.

        Args:
            name: What it is called; it stands in the log of what is done with it.
            scopes: What it is for.
            tenant: Whose runs it sees; None for all.
            expires_at: When it ends, in seconds since 1970.
            per_minute: Requests that it may make in a minute.

        Raises:
            UserError: A scope is none, or another argument is of a wrong type.
        """
        check_text("A key's name", name, may_be_none=False)
        check_text("A key's tenant", tenant)
        check_number("A key's per_minute", per_minute, least=1, whole=True)
        if expires_at is not None:
            check_number("A key's expires_at", expires_at)
        wanted = sorted({*names_of("The scopes of a key", scopes)})
        if wrong := [each for each in wanted if each not in SCOPES and not _is_of_agent(each)]:
            raise UserError(
                f"There is no scope {wrong[0]!r}. Scopes are {', '.join(SCOPES)}, agents:NAME:run."
            )
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = (
            key_id,
            _hash(secret),
            name,
            tenant,
            json.dumps(wanted),
            per_minute,
            wall_s(),
            expires_at,
        )
        self._known.write("INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)", row)
        return f"olk_{key_id}_{secret}"

    def list(self) -> list[Key]:
        """All keys, the oldest first."""
        return [_key(row) for row in self._known.read("SELECT * FROM key ORDER BY created_at", ())]

    def revoke(self, key_id: str) -> None:
        """Refuse a key from now on.

        Raises:
            UserError: There is none of this id.
        """
        if not self._known.write("UPDATE key SET revoked_at = ? WHERE id = ?", (wall_s(), key_id)):
            raise UserError(f"There is no key {key_id!r:.40}. See: outlast keys list")

    def __call__(self, request: Request) -> Caller | None:
        """Whose key a request brings.

        Raises:
            Problem: It is used more often than it may be.
        """
        prefix, _, rest = credential(request).partition("_")
        key_id, _, secret = rest.partition("_")
        rows = self._known.read("SELECT * FROM key WHERE id = ?", (key_id,))
        # An unknown id takes as long as a wrong secret.
        is_right = hmac.compare_digest(_hash(secret), rows[0]["hash"] if rows else _NOBODY)
        key = _key(rows[0]) if rows and is_right and prefix == "olk" else None
        if key is None or not key.is_valid:
            return None
        self._count(key)
        return Caller(key.name, key.tenant, frozenset(key.scopes), {"key": key.id})

    def _count(self, key: Key) -> None:
        """Count a request, by a window that slides: of the last minute as much counts as is left of it."""
        now = wall_s()
        minute, part = int(now // _MINUTE), now % _MINUTE / _MINUTE
        query = "SELECT minute, requests FROM used WHERE id = ? AND minute >= ?"
        counts = {
            row["minute"]: row["requests"] for row in self._known.read(query, (key.id, minute - 1))
        }
        used = counts.get(minute, 0) + counts.get(minute - 1, 0) * (1 - part)
        if used >= key.per_minute:
            wait_s = max(1, round(_MINUTE * (1 - part)))
            raise Problem(
                429,
                "rate-limited",
                f"This key may make {key.per_minute} requests a minute. Wait {wait_s} s.",
                headers={"Retry-After": str(wait_s)},
            )
        self._known.write(
            "INSERT INTO used VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET requests = requests + 1",
            (key.id, minute),
        )
        if key.used_at is None or now - key.used_at > _HOUR:
            self._known.write("UPDATE key SET used_at = ? WHERE id = ?", (now, key.id))
            self._known.write("DELETE FROM used WHERE minute < ?", (minute - 1,))

    @property
    def _known(self) -> Database:
        if self._database is None:
            if self.file is None:
                raise UserError("Where are the keys? Say ApiKeys(FILE), or give it to an App.")
            self._database = Database(self.file, _TABLES, survives_power_cuts=False)
        return self._database


def _is_of_agent(scope: str) -> bool:
    parts = scope.split(":")
    return (
        len(parts) == len(("agents", "name", "run")) and parts[0] == "agents" and parts[2] == "run"
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: sqlite3.Row) -> Key:
    return Key(
        row["id"],
        row["name"],
        row["tenant"],
        tuple(json.loads(row["scopes"])),
        row["per_minute"],
        row["created_at"],
        row["expires_at"],
        row["revoked_at"],
        row["used_at"],
    )
