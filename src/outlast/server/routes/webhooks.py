"""Webhooks: who hears of runs, and what became of each message."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from outlast.server.callers import Caller, WebhookWriter
from outlast.server.problems import Problem
from outlast.server.routes.runs import Body, PageSize
from outlast.server.shown import Json, moment
from outlast.server.webhooks.addresses import check_url
from outlast.server.webhooks.deliverer import Deliverer
from outlast.server.webhooks.store import KINDS, Webhook

router = APIRouter(prefix="/api/v1", tags=["webhooks"])
Kind = Literal["run.completed", "run.failed", "run.cancelled", "run.paused", "approval.requested"]
_LAST = 2**62


class Receiver(Body):
    """Who is to be told of what."""

    url: str = Field(max_length=2048, examples=["https://shop.example/hooks"])
    events: list[Kind] = Field(list(KINDS), min_length=1)
    agents: list[Annotated[str, Field(max_length=512)]] = Field([], description="All, if empty.")
    has_output: bool = Field(False, description="Whether outputs of runs are told, too.")


@router.post("/webhooks", status_code=201, operation_id="createWebhook")
async def created(body: Receiver, request: Request, caller: WebhookWriter) -> Json:
    """Tell somebody what becomes of runs from now on. The secret is shown this once."""
    deliverer = _deliverer(request)
    check_url(body.url, reaches_private=deliverer.reaches_private)
    place = await deliverer.newest_place()
    made = deliverer.webhooks.create(body.model_dump(), caller.tenant, place, deliverer.clock())
    return {**_shown(made), "secret": made.secret}


@router.get("/webhooks", operation_id="listWebhooks")
async def listed(request: Request, caller: WebhookWriter) -> Json:
    """All receivers."""
    found = _deliverer(request).webhooks.list()
    own = [each for each in found if caller.tenant in (None, each.tenant)]
    return {"data": [_shown(each) for each in own], "next_cursor": None}


@router.get("/webhooks/{webhook_id}", operation_id="getWebhook")
async def shown(webhook_id: str, request: Request, caller: WebhookWriter) -> Json:
    """One receiver."""
    return _shown(_found(_deliverer(request), webhook_id, caller))


@router.delete("/webhooks/{webhook_id}", status_code=204, operation_id="deleteWebhook")
async def deleted(webhook_id: str, request: Request, caller: WebhookWriter) -> None:
    """Tell somebody nothing more."""
    deliverer = _deliverer(request)
    deliverer.webhooks.delete(_found(deliverer, webhook_id, caller).id)


@router.get("/webhooks/{webhook_id}/deliveries", operation_id="listDeliveries")
async def deliveries(
    webhook_id: str,
    request: Request,
    caller: WebhookWriter,
    cursor: int | None = None,
    limit: PageSize = 50,
) -> Json:
    """What somebody was told, and is yet to be told, the newest first."""
    deliverer = _deliverer(request)
    webhook = _found(deliverer, webhook_id, caller)
    found = deliverer.webhooks.deliveries(webhook.id, limit, cursor or _LAST)
    rows = [
        {
            "id": each.id,
            "type": each.type,
            "run_id": each.run_id,
            "state": each.state,
            "attempts": each.attempts,
            "code": each.code,
            "created_at": moment(each.created_at),
            "due_at": moment(each.due_at) if each.state == "pending" else None,
        }
        for each in found
    ]
    return {"data": rows, "next_cursor": found[-1].number if len(found) == limit else None}


@router.post(
    "/webhooks/{webhook_id}/deliveries/{message_id}/redeliver",
    status_code=202,
    operation_id="redeliver",
)
async def again(webhook_id: str, message_id: str, request: Request, caller: WebhookWriter) -> Json:
    """Send a message again, also one that was given up."""
    deliverer = _deliverer(request)
    webhook = _found(deliverer, webhook_id, caller)
    if not deliverer.webhooks.again(webhook.id, message_id, deliverer.clock()):
        raise Problem(404, "not-found", f"There is no message {message_id!r:.80}.")
    return {"id": message_id, "state": "pending"}


def _deliverer(request: Request) -> Deliverer:
    return request.app.state.deliverer


def _found(deliverer: Deliverer, webhook_id: str, caller: Caller) -> Webhook:
    webhook = deliverer.webhooks.find(webhook_id)
    if webhook is None or caller.tenant not in (None, webhook.tenant):
        raise Problem(404, "webhook-not-found", f"There is no webhook {webhook_id!r:.80}.")
    return webhook


def _shown(webhook: Webhook) -> Json:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": list(webhook.events),
        "agents": list(webhook.agents),
        "has_output": webhook.has_output,
        "created_at": moment(webhook.created_at),
    }
