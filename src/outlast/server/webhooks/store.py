"""Who wants to hear of runs, and what they are yet to be told: rows in the server's file.

A delivery is a row before it is sent, with an id that its run and its kind make. So whoever looks at the
feed of runs writes the same rows, and none is lost or made twice, whoever dies.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

from outlast.server.database import Database
from outlast.server.webhooks.signing import new_secret

WEBHOOKS = """
CREATE TABLE IF NOT EXISTS webhook (
    id TEXT NOT NULL PRIMARY KEY, tenant TEXT, url TEXT NOT NULL, events TEXT NOT NULL, agents TEXT NOT NULL,
    has_output INTEGER NOT NULL, secret TEXT NOT NULL, place INTEGER NOT NULL, created_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, webhook TEXT NOT NULL, run_id TEXT NOT NULL,
    type TEXT NOT NULL, body BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, due_at REAL NOT NULL,
    created_at REAL NOT NULL, code INTEGER
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (webhook, run_id, number) WHERE state = 'pending';
"""
KINDS = ("run.completed", "run.failed", "run.cancelled", "run.paused", "approval.requested")
_PAUSES_S = (5, 30, 120, 600, 1800, 7200, 21_600, 50_400)
"""Between attempts: eight of them after the first, some 24 hours."""
_LEASE_S = 60.0
"""Who sends a delivery has it for so long; then another process may."""
_KEPT_S = 30 * 86_400.0


class Webhook(NamedTuple):
    """One receiver."""

    id: str
    tenant: str | None
    url: str
    events: tuple[str, ...]
    agents: tuple[str, ...]
    """The names of agents; empty: all."""
    has_output: bool
    secret: str
    place: int
    """Up to where it has heard of changes."""
    created_at: float


class Delivery(NamedTuple):
    """One message to a receiver."""

    number: int
    id: str
    webhook: str
    run_id: str
    type: str
    body: bytes
    state: str
    """`pending`, `delivered` or `dead`."""
    attempts: int
    due_at: float
    created_at: float
    code: int | None
    """The status of the last answer."""


class Webhooks:
    """The receivers, and the messages to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> Sequence[Webhook]:
        """All receivers, the oldest first."""
        rows = self._database.read("SELECT * FROM webhook ORDER BY created_at, id")
        return [_webhook(row) for row in rows]

    def find(self, webhook_id: str) -> Webhook | None:
        """The receiver of that id."""
        rows = self._database.read("SELECT * FROM webhook WHERE id = ?", (webhook_id,))
        return _webhook(rows[0]) if rows else None

    def create(self, fields: dict[str, Any], tenant: str | None, place: int, now: float) -> Webhook:
        """A new receiver, which hears of what happens behind a place of the feed."""
        webhook_id, secret = f"wh_{secrets.token_hex(8)}", new_secret()
        what = (fields["url"], json.dumps(fields["events"]), json.dumps(fields["agents"]))
        row = (webhook_id, tenant, *what, fields["has_output"], secret, place, now)
        self._database.write("INSERT INTO webhook VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        found = self.find(webhook_id)
        assert found is not None
        return found

    def delete(self, webhook_id: str) -> None:
        """Tell a receiver nothing more."""
        with self._database.alone():
            self._database.write("DELETE FROM webhook WHERE id = ?", (webhook_id,))
            self._database.write("DELETE FROM delivery WHERE webhook = ?", (webhook_id,))

    def add(
        self,
        webhook: Webhook,
        messages: Sequence[tuple[str, str, str, bytes]],
        place: int,
        now: float,
    ) -> None:
        """Remember what a receiver is to be told, and up to where it has heard: both or neither.

        Nothing for one that was deleted meanwhile.

        Args:
            webhook: The receiver.
            messages: Of each the run, the kind, what makes it another one than others of that kind, and the body.
            place: Of the feed.
            now: The time.
        """
        with self._database.alone():
            if self.find(webhook.id) is None:
                return
            for run_id, kind, which, body in messages:
                named = f"{webhook.id} {run_id} {kind} {which}".encode()
                message_id = f"msg_{hashlib.sha256(named).hexdigest()[:32]}"
                self._database.write(
                    "INSERT OR IGNORE INTO delivery (id, webhook, run_id, type, body, state, attempts, due_at, "
                    "created_at) VALUES (?, ?, ?, ?, ?, 'pending', 0, ?, ?)",
                    (message_id, webhook.id, run_id, kind, body, now, now),
                )
            self._database.write(
                "UPDATE webhook SET place = max(place, ?) WHERE id = ?", (place, webhook.id)
            )

    def due(self, now: float, limit: int = 20) -> Sequence[Delivery]:
        """What is to be sent now: of each run the first that its receiver has not heard."""
        rows = self._database.read(
            "SELECT * FROM delivery AS own WHERE state = 'pending' AND due_at <= ? AND NOT EXISTS (SELECT 1 FROM "
            "delivery WHERE state = 'pending' AND webhook = own.webhook AND run_id = own.run_id AND number < "
            "own.number) ORDER BY number LIMIT ?",
            (now, limit),
        )
        return [Delivery(*row) for row in rows]

    def take(self, delivery: Delivery, now: float) -> bool:
        """Whether this process sends it."""
        return bool(
            self._database.write(
                "UPDATE delivery SET due_at = ? WHERE number = ? AND due_at = ? AND state = 'pending'",
                (now + _LEASE_S, delivery.number, delivery.due_at),
            )
        )

    def settle(self, delivery: Delivery, code: int | None, now: float, *, is_over: bool) -> None:
        """Remember how sending it went; after so many attempts it is dead."""
        attempts = delivery.attempts + 1
        is_dead = attempts > len(_PAUSES_S) and not is_over
        state = "delivered" if is_over else "dead" if is_dead else "pending"
        due_at = now + _PAUSES_S[min(attempts, len(_PAUSES_S)) - 1]
        self._database.write(
            "UPDATE delivery SET state = ?, attempts = ?, due_at = ?, code = ? WHERE number = ?",
            (state, attempts, due_at, code, delivery.number),
        )
        self._database.write(
            "DELETE FROM delivery WHERE state <> 'pending' AND created_at < ?", (now - _KEPT_S,)
        )

    def deliveries(self, webhook_id: str, limit: int, before: int) -> Sequence[Delivery]:
        """The messages to a receiver, the newest first."""
        rows = self._database.read(
            "SELECT * FROM delivery WHERE webhook = ? AND number < ? ORDER BY number DESC LIMIT ?",
            (webhook_id, before, limit),
        )
        return [Delivery(*row) for row in rows]

    def again(self, webhook_id: str, message_id: str, now: float) -> bool:
        """Send a message again; whether there is one."""
        return bool(
            self._database.write(
                "UPDATE delivery SET state = 'pending', attempts = 0, due_at = ? WHERE webhook = ? AND id = ?",
                (now, webhook_id, message_id),
            )
        )


def _webhook(row: Any) -> Webhook:
    fields: dict[str, Any] = dict(row)
    for name in ("events", "agents"):
        fields[name] = tuple(json.loads(fields[name]))
    fields["has_output"] = bool(fields["has_output"])
    return Webhook(**fields)
