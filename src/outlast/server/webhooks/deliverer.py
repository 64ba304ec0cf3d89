"""Telling receivers what becomes of runs: at least once, in the order of each run, for about a day."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import msgspec

from outlast.core.evolve import fold
from outlast.definitions.clock import wall_s
from outlast.definitions.logger import logger
from outlast.journal.journal import RunSummary
from outlast.server.background import tried
from outlast.server.service import Service
from outlast.server.shown import Json, approval, moment, output_of, whose
from outlast.server.webhooks.addresses import address_of, check_url
from outlast.server.webhooks.signing import signed
from outlast.server.webhooks.store import KINDS, Delivery, Webhook, Webhooks
from outlast.views.waiting import waiting_calls

LOOK_S = 1.0
_TIMEOUT_S = 10.0
_PAGE = 200
_OK, _REDIRECTS = 200, 300
Message = tuple[str, str, str, bytes]


class Deliverer:
    """Looks at what has changed, and sends what is due. Every process of a server does it.

    Args:
        service: Whose runs they are.
        webhooks: Who is to be told.
        reaches_private: Whether receivers may be in private networks, and asked without TLS.
        clock: The time, in seconds since 1970.
    """

    def __init__(
        self,
        service: Service,
        webhooks: Webhooks,
        *,
        reaches_private: bool = False,
        clock: Callable[[], float] = wall_s,
    ) -> None:
        self.webhooks = webhooks
        self.reaches_private = reaches_private
        self.clock = clock
        self._service = service

    async def work(self) -> None:
        """Look and send, until cancelled."""
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client:
            while not self._service.leaving.is_set():
                await tried("Looking for webhooks", self.look(client))
                await asyncio.sleep(LOOK_S * random.uniform(0.8, 1.2))  # noqa: S311  # no secret

    async def look(self, client: Any) -> None:
        """Remember what receivers are to be told, and tell them what is due."""
        receivers = {each.id: each for each in await asyncio.to_thread(self.webhooks.list)}
        for webhook in receivers.values():
            await tried(f"What webhook {webhook.id} is to be told", self._hear(webhook))
        if not receivers:
            return
        due = await asyncio.to_thread(self.webhooks.due, self.clock())
        # A receiver may be there, or have left, since they were read.
        known = [each for each in due if each.webhook in receivers]
        own = [each for each in known if self.webhooks.take(each, self.clock())]
        await asyncio.gather(
            *(
                tried(f"Webhook {each.webhook}", self._send(client, receivers[each.webhook], each))
                for each in own
            )
        )

    async def newest_place(self) -> int:
        """Where the feed ends now: a new receiver hears of what comes behind it."""
        place = 0
        while found := await self._service.journal.changes(place, limit=_PAGE):
            place = found[-1].place
        return place

    async def _hear(self, webhook: Webhook) -> None:
        changes = await self._service.journal.changes(
            webhook.place, limit=_PAGE, tenant=webhook.tenant, roots_only=True
        )
        if not changes:
            return
        messages: list[Message] = []
        for _, run in changes:
            if not webhook.agents or run.agent in webhook.agents:
                messages += await self._messages(webhook, run)
        self.webhooks.add(webhook, messages, changes[-1].place, self.clock())

    async def _messages(self, webhook: Webhook, run: RunSummary) -> Sequence[Message]:
        kind = "approval.requested" if run.status == "waiting" else f"run.{run.status}"
        if kind not in KINDS or kind not in webhook.events:
            return []
        facts: Json = {"run_id": run.run_id, "agent": run.agent, "status": run.status}
        facts |= {"at": moment(run.updated_at), **whose(run.metadata)}
        if kind != "approval.requested" and not webhook.has_output:
            return [(run.run_id, kind, str(run.events), _body(kind, run.updated_at, facts))]
        log = await self._service.journal.read(run.run_id)
        state = fold([each.event for each in log])
        if kind != "approval.requested":
            facts["output"] = output_of(state)
            return [(run.run_id, kind, str(run.events), _body(kind, run.updated_at, facts))]
        calls = [approval(call, state, log) for call in waiting_calls(state)]
        about = [{**facts, "call": call["key"], "tool": call["tool"]} for call in calls]
        return [
            (run.run_id, kind, each["call"], _body(kind, run.updated_at, each)) for each in about
        ]

    async def _send(self, client: Any, webhook: Webhook, delivery: Delivery) -> None:
        code = None
        try:
            parts = check_url(webhook.url, reaches_private=self.reaches_private)
            number = await address_of(parts, reaches_private=self.reaches_private)
            at = int(self.clock())
            answer = await client.post(
                httpx2.URL(webhook.url).copy_with(host=number),
                content=delivery.body,
                headers={
                    "Host": parts.netloc,
                    "Content-Type": "application/json",
                    **signed(delivery.id, at, delivery.body, webhook.secret),
                },
                extensions={"sni_hostname": parts.hostname},
            )
            code = answer.status_code
        except Exception as error:  # noqa: BLE001  # whatever it is, it counts as an attempt
            logger.info("Webhook %s was not delivered: %s.", webhook.id, type(error).__name__)
        is_over = code is not None and _OK <= code < _REDIRECTS
        self.webhooks.settle(delivery, code, self.clock(), is_over=is_over)


def _body(kind: str, at: float, data: Json) -> bytes:
    return msgspec.json.encode({"type": kind, "timestamp": moment(at), "data": data})
