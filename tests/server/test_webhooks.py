"""Webhooks: signed, at least once, in order, sent again, and never into a private network."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from standardwebhooks import Webhook as Verifier
from tests.server.conftest import PATIENCE_S, desk_of, served, server_of

from outlast.core.errors import JournalError, UserError
from outlast.server import App, Caller, verify_webhook
from outlast.server.webhooks.deliverer import LOOK_S


class Receiver:
    """A server that takes webhooks, unless it is told to be down."""

    def __init__(self) -> None:
        self.api = FastAPI()
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.is_down = False
        self.refused = 0
        self.api.add_api_route("/hooks", self.take, methods=["POST"])

    async def take(self, request: Request) -> Response:
        if self.is_down:
            self.refused += 1
            return Response(status_code=503)
        self.taken.append((dict(request.headers), await request.body()))
        return Response(status_code=204)

    @property
    def kinds(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.taken]


def app_of(folder: Path, **settings: Any) -> App:
    return App(
        [desk_of()], journal=str(folder / "journal.db"), webhooks_reach_private=True, **settings
    )


async def until(true: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110  # another server hears it
            await asyncio.sleep(0.05)


async def test_a_receiver_hears_of_each_run_signed_and_in_order(tmp_path: Path):
    receiver = Receiver()
    async with server_of(receiver.api) as url, served(app_of(tmp_path)) as client:
        hook = (await client.post("/api/v1/webhooks", json={"url": f"{url}/hooks"})).json()
        body = {"input": "Refund order A-1007", "run_id": "r"}
        run = (await client.post("/api/v1/runs", json=body, headers={"Prefer": "wait=30"})).json()
        await until(lambda: receiver.kinds)
        key = run["approvals"][0]["key"]
        await client.post(f"/api/v1/runs/r/approvals/{key}", json={"decision": "approve"})
        await until(lambda: len(receiver.kinds) > 1)
        assert receiver.kinds == ["approval.requested", "run.completed"]
        for headers, data in receiver.taken:
            assert Verifier(hook["secret"]).verify(data.decode(), headers) == json.loads(data)
            assert verify_webhook(headers, data, hook["secret"]) == json.loads(data)
            assert b"refunded" not in data  # No output, unless it was asked for.
        first = json.loads(receiver.taken[0][1])["data"]
        assert (first["run_id"], first["call"], first["tool"]) == ("r", key, "refund")
        place = f"/api/v1/webhooks/{hook['id']}/deliveries"
        rows = (await client.get(place)).json()["data"]
        assert [(row["type"], row["state"]) for row in rows] == [
            ("run.completed", "delivered"),
            ("approval.requested", "delivered"),
        ]
        await client.post(f"{place}/{rows[0]['id']}/redeliver")
        await until(lambda: len(receiver.kinds) > 2)
        ids = [headers["webhook-id"] for headers, _ in receiver.taken]
        assert ids[1] == ids[2] != ids[0]


async def test_what_a_receiver_that_was_down_has_missed_comes_later_and_in_order(tmp_path: Path):
    receiver = Receiver()
    receiver.is_down = True
    app = app_of(tmp_path, performs=False)
    async with server_of(receiver.api) as url, app.lifespan(), httpx2.AsyncClient() as client:
        deliverer = app.deliverer
        now = deliverer.clock()
        deliverer.clock = lambda: now
        fields = {"url": f"{url}/hooks", "events": ["run.completed", "approval.requested"]}
        deliverer.webhooks.create({**fields, "agents": [], "has_output": True}, None, 0, now)
        await app.service.begin(_order("Refund order A-1007"), Caller("me"))
        await app.service.worker.until_idle()
        await deliverer.look(client)
        (call,) = (await app.service.state("r", Caller("me")))["approvals"]
        from outlast import Runner

        await Runner.approve("r", call["key"], run_config={"journal": app.service.journal})
        await app.service.worker.until_idle()
        for _ in range(3):
            now += 40
            await deliverer.look(client)
        assert receiver.refused >= 2
        receiver.is_down = False
        for _ in range(3):
            now += 3600
            await deliverer.look(client)
    assert receiver.kinds == ["approval.requested", "run.completed"]
    assert "refunded" in json.loads(receiver.taken[1][1])["data"]["output"]


async def test_one_that_cannot_be_told_keeps_no_other_from_hearing(tmp_path: Path):
    receiver = Receiver()
    async with server_of(receiver.api) as url, served(app_of(tmp_path)) as client:
        hook = (await client.post("/api/v1/webhooks", json={"url": f"{url}/hooks"})).json()
        with closing(sqlite3.connect(tmp_path / "server.db")) as db, db:
            row = "(id, webhook, run_id, type, body, state, attempts, due_at, created_at)"
            for which, webhook in (("of one that has left", "gone"), ("that is none", hook["id"])):
                db.execute(
                    f"INSERT INTO delivery {row} VALUES (?, ?, ?, 'run.completed', 1.5, 'pending', 0, 0, 0)",
                    (which, webhook, which),
                )
        body = {"input": "Hello", "run_id": "r"}
        await client.post("/api/v1/runs", json=body, headers={"Prefer": "wait=30"})
        await until(lambda: receiver.kinds)


async def test_a_server_whose_file_failed_goes_on_when_it_is_back(tmp_path: Path):
    receiver = Receiver()
    app = app_of(tmp_path)
    async with server_of(receiver.api) as url, served(app) as client:
        await client.post("/api/v1/webhooks", json={"url": f"{url}/hooks"})
        with closing(sqlite3.connect(tmp_path / "server.db")) as db:
            for table in ("webhook", "schedule"):
                db.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
            answer = await client.get("/api/v1/webhooks")
            assert answer.status_code == 503
            with pytest.raises(JournalError, match="server's file"):
                await app.scheduler.look()
            await asyncio.sleep(2.5 * LOOK_S)  # Those who look have seen that it is away.
            for table in ("webhook", "schedule"):
                db.execute(f"ALTER TABLE {table}_away RENAME TO {table}")
        schedule = {"name": "often", "agent": "Desk", "input": "Hello", "every_s": 1}
        answer = await client.post("/api/v1/schedules", json=schedule)
        assert answer.status_code == 201, answer.text
        await until(lambda: receiver.kinds)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hooks",
        "https://user:secret@shop.example/hooks",
        "ftp://shop.example",
        "https://",
        "file:///etc/passwd",
    ],
)
async def test_an_address_that_none_may_have_is_refused(tmp_path: Path, url: str):
    async with served(App([desk_of()], journal=str(tmp_path / "journal.db"))) as client:
        answer = await client.post("/api/v1/webhooks", json={"url": url})
    assert answer.status_code == 422
    assert "secret" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.8", "0.0.0.0"]
)
async def test_no_webhook_reaches_a_private_network(host: str):
    from outlast.server.webhooks.addresses import address_of, check_url

    parts = check_url(f"https://{host}/hooks", reaches_private=False)
    with pytest.raises(UserError, match="private network"):
        await address_of(parts, reaches_private=False)


def test_what_somebody_else_has_sent_or_changed_is_refused():
    import time

    from outlast.server.webhooks.signing import new_secret, signed

    secret, now = new_secret(), int(time.time())
    headers = signed("msg_1", now, b"{}", secret)
    assert verify_webhook(headers, b"{}", secret) == {}
    for wrong_headers, body, key in (
        (headers, b'{"a": 1}', secret),
        (headers, b"{}", new_secret()),
        ({**headers, "webhook-id": "msg_2"}, b"{}", secret),
        (signed("msg_1", now - 3600, b"{}", secret), b"{}", secret),
        ({}, b"{}", secret),
    ):
        with pytest.raises(UserError, match="Answer 400"):
            verify_webhook(wrong_headers, body, key)


def _order(text: str) -> Any:
    from outlast.server.service import Order

    return Order(input=text, run_id="r")
