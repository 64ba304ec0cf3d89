"""The desk's shop: a SQLite file with orders and a ledger that posts each key once."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

_SCHEMA = """
create table orders (id text primary key, item text, cents integer, status text, note text);
create table ledger (key text unique not null, order_id text, cents integer, at real);
create table requests (key text, order_id text, pid integer, at real);
"""
_ORDERS = [
    ("A-1007", "copper kettle", 4990, "delivered", "handed over on Monday"),
    ("A-1012", "desk lamp", 8900, "on its way", "arrives on Thursday"),
    ("A-1023", "oak shelf", 15900, "delivered", "handed over in March"),
    ("A-1031", "wool blanket", 6500, "packed", "leaves the house today"),
]


class Order(NamedTuple):
    """A row of the orders."""

    id: str
    item: str
    cents: int
    status: str
    note: str

    @property
    def price(self) -> str:
        """What it cost, in words."""
        return euros(self.cents)


class Refund(NamedTuple):
    """A row of the ledger, and how often it was asked for."""

    key: str
    order_id: str
    cents: int
    requests: int


class Shop:
    """The orders and the ledger of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the file, with its orders."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path)) as db, db:
            db.executescript(_SCHEMA)
            db.executemany("insert into orders values (?, ?, ?, ?, ?)", _ORDERS)

    def order(self, order_id: str) -> Order | None:
        """The order of that id."""
        with closing(sqlite3.connect(self.path)) as db:
            row = db.execute("select * from orders where id = ?", (order_id,)).fetchone()
        return Order(*row) if row else None

    def refund(self, order: Order, key: str, pid: int) -> bool:
        """Post a refund under ``key``. Returns whether it is new: a known key posts nothing."""
        at = time.time()
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("insert into requests values (?, ?, ?, ?)", (key, order.id, pid, at))
            row = (key, order.id, order.cents, at)
            done = db.execute("insert or ignore into ledger values (?, ?, ?, ?)", row)
            return done.rowcount == 1

    def refunds(self) -> list[Refund]:
        """The ledger."""
        query = """
            select l.key, l.order_id, l.cents, (select count(*) from requests r where r.key = l.key)
            from ledger l order by l.at
        """
        with closing(sqlite3.connect(self.path)) as db:
            return [Refund(*row) for row in db.execute(query)]


def euros(cents: int) -> str:
    """An amount, in words."""
    return f"EUR {cents / 100:.2f}"
