"""Conversations: sessions by the names that clients of OpenAI's know them by."""

from __future__ import annotations

import json
import uuid
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request

from outlast.core.surrogates import without_surrogates
from outlast.definitions.clock import wall_s
from outlast.server.callers import Caller, SessionReader, SessionWriter
from outlast.server.database import Database
from outlast.server.openai.requests import object_of, pairs_of, refused
from outlast.server.problems import Problem
from outlast.server.service import service_of
from outlast.server.shown import Json

router = APIRouter(prefix="/v1", tags=["openai"])
CONVERSATIONS = """
CREATE TABLE IF NOT EXISTS conversation (
    tenant TEXT NOT NULL, id TEXT NOT NULL, metadata TEXT NOT NULL, created_at REAL NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
"""
_ITEMS_MAX = 20


@router.post("/conversations", operation_id="createConversation")
async def created(request: Request, body: dict[str, Any], caller: SessionWriter) -> Json:
    """Begin a conversation, perhaps with something that was said before."""
    conversation_id = f"conv_{uuid.uuid4().hex}"
    row = (caller.tenant or "", conversation_id, json.dumps(pairs_of(body)), wall_s())
    items = _items(body.get("items") or [])
    _database(request).write("INSERT INTO conversation VALUES (?, ?, ?, ?)", row)
    if items:
        await _session(request, conversation_id, caller).add_items(items)
    return await _found(request, conversation_id, caller)


@router.get("/conversations/{conversation_id}", operation_id="getConversation")
async def shown(conversation_id: str, request: Request, caller: SessionReader) -> Json:
    """A conversation."""
    return await _found(request, conversation_id, caller)


@router.post("/conversations/{conversation_id}", operation_id="updateConversation")
async def updated(
    conversation_id: str, request: Request, body: dict[str, Any], caller: SessionWriter
) -> Json:
    """Say something else about a conversation."""
    found = await _found(request, conversation_id, caller)
    row = (caller.tenant or "", conversation_id, json.dumps(pairs_of(body)), found["created_at"])
    _database(request).write("INSERT OR REPLACE INTO conversation VALUES (?, ?, ?, ?)", row)
    return await _found(request, conversation_id, caller)


@router.delete("/conversations/{conversation_id}", operation_id="deleteConversation")
async def deleted(conversation_id: str, request: Request, caller: SessionWriter) -> Json:
    """Forget a conversation. The logs of its runs stay."""
    await _found(request, conversation_id, caller)
    await _session(request, conversation_id, caller).clear_session()
    _database(request).write(
        "DELETE FROM conversation WHERE tenant = ? AND id = ?",
        (caller.tenant or "", conversation_id),
    )
    return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


@router.get("/conversations/{conversation_id}/items", operation_id="listConversationItems")
async def items(  # what the API has
    conversation_id: str,
    request: Request,
    caller: SessionReader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: str = "desc",
    after: str = "",
) -> Json:
    """What was said, the newest first, or in order with `asc`."""
    await _found(request, conversation_id, caller)
    kept: list[Any] = await _session(request, conversation_id, caller).get_items()
    rows = [_row(place, item) for place, item in enumerate(kept)]
    if order != "asc":
        rows.reverse()
    places = [place for place, row in enumerate(rows) if row["id"] == after]
    rest = rows[places[0] + 1 :] if places else rows
    page = rest[:limit]
    ends = {"first_id": page[0]["id"] if page else "", "last_id": page[-1]["id"] if page else ""}
    return {"object": "list", "data": page, "has_more": len(rest) > limit, **ends}


@router.post("/conversations/{conversation_id}/items", operation_id="addConversationItems")
async def added(
    conversation_id: str, request: Request, body: dict[str, Any], caller: SessionWriter
) -> Json:
    """Add what was said elsewhere."""
    await _found(request, conversation_id, caller)
    new = _items(body.get("items"))
    session = _session(request, conversation_id, caller)
    before = len(await session.get_items())
    await session.add_items(new)
    rows = [_row(before + place, item) for place, item in enumerate(new)]
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]}
    return {"object": "list", "data": rows, "has_more": False, **ends}


def _items(value: Any) -> list[Json]:
    found = cast("list[Any]", value) if isinstance(value, list) else []
    items = [fields for each in found if (fields := object_of(each)) is not None]
    if len(items) != len(found) or len(items) > _ITEMS_MAX or not isinstance(value, list):
        raise refused("items", f"is a list of at most {_ITEMS_MAX} items.")
    return items


def _row(place: int, item: Any) -> Json:
    fields: Json = {**without_surrogates(item)}
    fields.setdefault("type", "message")
    content = fields.get("content")
    if fields["type"] == "message" and isinstance(content, str):
        kind = "output_text" if fields.get("role") == "assistant" else "input_text"
        more: Json = {"annotations": []} if kind == "output_text" else {}
        fields["content"] = [{"type": kind, "text": content, **more}]
    return {"status": "completed", **fields, "id": f"item_{place}"}


def _database(request: Request) -> Database:
    return request.app.state.database


def _session(request: Request, conversation_id: str, caller: Caller) -> Any:
    return service_of(request).sessions(conversation_id, caller.tenant)


async def _found(request: Request, conversation_id: str, caller: Caller) -> Json:
    """A conversation that was made, or that a run has begun."""
    query = "SELECT metadata, created_at FROM conversation WHERE tenant = ? AND id = ?"
    rows = _database(request).read(query, (caller.tenant or "", conversation_id))
    found: Json = {"id": conversation_id, "object": "conversation"}
    if rows:
        known = (json.loads(rows[0]["metadata"]), rows[0]["created_at"])
        return {**found, "metadata": known[0], "created_at": int(known[1])}
    runs = await service_of(request).journal.runs(
        session_id=conversation_id, tenant=caller.tenant, roots_only=True, limit=1
    )
    if not runs:
        what = f"There is no conversation {conversation_id!r:.150}."
        raise Problem(404, "session-not-found", what)
    return {**found, "metadata": {}, "created_at": int(runs[0].created_at)}
