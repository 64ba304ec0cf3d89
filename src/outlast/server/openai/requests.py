"""What a client of OpenAI's asks, as an order of ours; and what we cannot do, by its name."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, cast

from fastapi import Request

from outlast.definitions.clock import wall_s
from outlast.server.callers import Caller
from outlast.server.problems import Problem
from outlast.server.service import Order, Service
from outlast.server.shown import BODY_TAG, Json

_RETRY_S = 600.0
_ROLES = {"user": "user", "assistant": "assistant", "system": "developer", "developer": "developer"}
_PAIRS_MAX = 16


def object_of(value: Any) -> Json | None:
    """A value as an object of JSON; None if it is none."""
    return cast("Json", value) if isinstance(value, dict) else None


def refused(name: str, why: str) -> Problem:
    """The problem about a field that a request must not have."""
    return Problem(400, "unsupported", f"{name}: {why}", param=name)


def require_plain(body: Json, refusals: Mapping[str, str]) -> None:
    """Refuse a request that asks for what agents do not do.

    Raises:
        Problem: It does; the first such field is named.
    """
    for name, why in refusals.items():
        value = body.get(name)
        if value is True or value not in (None, False, 1, [], {}):
            raise refused(name, why)


def pairs_of(body: Json) -> dict[str, str]:
    """A request's metadata."""
    metadata = object_of(body.get("metadata") or {})
    is_fine = metadata is not None and all(isinstance(value, str) for value in metadata.values())
    if metadata is None or not is_fine or len(metadata) > _PAIRS_MAX:
        raise refused("metadata", f"takes at most {_PAIRS_MAX} texts by their names.")
    return metadata


async def order_of(
    service: Service, request: Request, caller: Caller, body: Json, items: Any, **more: Any
) -> Order:
    """The order that a request makes. A client that sends a request again finds the same run."""
    mark = hashlib.sha256(json.dumps([caller.id, body], sort_keys=True).encode()).hexdigest()[:32]
    run_id = more.pop("run_id", None)
    if request.headers.get("x-stainless-retry-count", "0") != "0":
        since = wall_s() - _RETRY_S
        found = await service.journal.runs(
            tag=f"{BODY_TAG}{mark}", tenant=caller.tenant, began_since=since, limit=1
        )
        run_id = found[0].run_id if found else run_id
    user: Any = body.get("user") or body.get("safety_identifier")
    return Order(
        agent=str(body.get("model") or ""),
        input=items,
        run_id=run_id,
        user=user if isinstance(user, str) else None,
        tags=(f"{BODY_TAG}{mark}",),
        metadata=pairs_of(body),
        **more,
    )


def new_id(kind: str, request: Request, caller: Caller) -> str:
    """An id for what a request begins: always the same one, if the request has a name."""
    key = request.headers.get("idempotency-key")
    if not key:
        return f"{kind}_{uuid.uuid4().hex}"
    whose = f"{caller.tenant or ''}\0{caller.id}\0{key}"
    return f"{kind}_{hashlib.sha256(whose.encode()).hexdigest()[:32]}"


def items_of(messages: Any) -> list[Json]:
    """The messages of a chat as input items; what was decided about calls is no part of it.

    Raises:
        Problem: They are no messages.
    """
    if not isinstance(messages, list) or not messages:
        raise refused("messages", "is a list of messages, and not empty.")
    found: list[Json] = []
    for message in cast("list[Any]", messages):
        fields = object_of(message) or {}
        role: Any = fields.get("role")
        if role == "tool":
            continue
        if role not in _ROLES:
            raise refused("messages", f"has a message whose role is {role!r:.40}.")
        content = _content(fields.get("content"), is_said=role == "assistant")
        if content:
            found.append({"role": _ROLES[role], "content": content})
    return found


def _content(content: Any, *, is_said: bool) -> Any:
    if isinstance(content, str) or content is None:
        return content or ""
    if not isinstance(content, list):
        raise refused("messages", "has content that is neither a text nor a list of parts.")
    parts = [_part(part, is_said=is_said) for part in cast("list[Any]", content)]
    return "".join(part["text"] for part in parts) if is_said else parts


def _part(part: Any, *, is_said: bool) -> Json:
    fields = object_of(part) or {}
    kind, image = fields.get("type"), object_of(fields.get("image_url"))
    if kind == "text" and isinstance(fields.get("text"), str):
        return {"type": "input_text", "text": fields["text"]}
    if kind == "image_url" and not is_said and image is not None:
        detail = image.get("detail", "auto")
        return {"type": "input_image", "image_url": image.get("url"), "detail": detail}
    raise refused("messages", f"has a part of type {kind!r:.40}, which agents do not read here.")


def failed(kind: str, message: str) -> Problem:
    """The problem that a run has failed of."""
    return Problem(500, "run-failed", f"{kind}: {message}", code=kind)
