"""What happens in a run: a page of its log, or a stream of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from outlast.core.evolve import fold
from outlast.core.items import Item
from outlast.server.callers import Reader
from outlast.server.problems import Problem
from outlast.server.service import service_of
from outlast.server.shown import Json, fact
from outlast.server.sse import HEADERS, MEDIA, Place, RunStream, Wishes
from outlast.views.items import conversation

router = APIRouter(prefix="/api/v1", tags=["events"])


@router.get("/runs/{run_id}/events", operation_id="listEvents", response_model=None)
async def events(  # noqa: PLR0913  # each says something else about what is wanted
    run_id: str,
    request: Request,
    caller: Reader,
    after: str = "-1",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    deltas: bool = False,
    until: Annotated[str, Query(pattern="^(end|pause)$")] = "end",
    accept: Annotated[str, Header()] = "",
    last_event_id: Annotated[str | None, Header()] = None,
) -> Any:
    """The facts of a run behind a position; as a stream with `Accept: text/event-stream`."""
    service = service_of(request)
    try:
        place = Place.parse(last_event_id or after)
    except ValueError:
        raise Problem(422, "invalid", "An event's id is a position, such as 41.") from None
    log = await service.log(run_id, caller)
    if MEDIA in accept:
        wishes = Wishes(has_deltas=deltas, until_pause=until == "pause")
        stream = RunStream(service, run_id, place, wishes)
        return StreamingResponse(stream.frames(), headers=HEADERS, media_type=MEDIA)
    page = [each for each in log if each.seq > place.after][:limit]
    more = page[-1].seq if page and page[-1].seq < log[-1].seq else None
    return {
        "data": [fact(each) for each in page],
        "next_cursor": None if more is None else str(more),
    }


@router.get("/runs/{run_id}/items", operation_id="listItems")
async def items(run_id: str, request: Request, caller: Reader) -> Json:
    """The conversation of a run: what it was asked, and what it has added."""
    log = await service_of(request).log(run_id, caller)
    state = fold([each.event for each in log])
    asked: list[Item] = list(state.started.input) if state.started else []
    added = [entry.item for entry in conversation(state)]
    return {"data": [*asked, *added], "next_cursor": None}
