"""Answers that the provider works on by itself, and how a call finds the one that it began.

Whoever makes a call may hand an `Acceptance` along. A model says there under which id the provider
has accepted the call, before it waits any longer, and asks about that id instead of paying for
another answer when the call is made again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from outlast.core.errors import ModelBehaviorError
from outlast.models.call_options import Acceptance, asked
from outlast.models.errors import in_our_family, response_error
from outlast.models.validate import checked_response

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import Response

_OPEN = ("queued", "in_progress")
_FAILED = ("failed", "incomplete", "cancelled")
_PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Between two looks at an answer that is not there yet; the last one repeats."""


async def _record_nothing(response_id: str, by: str) -> None:
    del response_id, by


def acceptance() -> Acceptance:
    """What is known about the call that is being made; nothing, where nobody remembers it."""
    return asked().acceptance or Acceptance("", "", _record_nothing)


def is_background(kwargs: dict[str, Any]) -> bool:
    """Whether a request asks the provider to work on by itself."""
    body: Any = kwargs.get("extra_body")
    holders: list[Any] = [kwargs, body if isinstance(body, dict) else {}]
    return any(holder.get("background") is True for holder in holders)


def is_open(response: object) -> bool:
    """Whether the provider still works on ``response``."""
    return getattr(response, "status", None) in _OPEN


async def known_response(client: AsyncOpenAI, response_id: str) -> Response | None:
    """The response of that id as it stands now; None if the provider does not know it any more.

    Raises:
        ModelRequestError: It cannot be asked for. It may well be there.
    """
    from openai import NotFoundError

    responses: Any = client.responses
    with in_our_family():
        try:
            return await responses.retrieve(response_id)
        except NotFoundError:
            return None


async def finished(client: AsyncOpenAI, response: Response) -> Response:
    """``response`` when the provider has done with it. It is asked for until then.

    Raises:
        ModelRequestError: It cannot be asked for. It may well be there.
        ModelBehaviorError: The provider says that it failed, was cancelled or is incomplete.
    """
    asked().detached()
    looks = 0
    latest: Response | None = response
    while is_open(latest):
        await asyncio.sleep(_PAUSES_S[min(looks, len(_PAUSES_S) - 1)])
        looks += 1
        latest = await known_response(client, response.id)
    if latest is None:
        await acceptance().over()
        raise ModelBehaviorError(
            f"The provider does not know response {response.id!r} any more, which it had accepted. "
            "Background responses are kept for a limited time. Run it again."
        )
    if latest.status in _FAILED:
        await acceptance().over()
        raise response_error(latest)
    return checked_response(latest)


def completed(response: Response) -> Any:
    """The event that ends the stream of ``response``."""
    from openai.types.responses import ResponseCompletedEvent

    return ResponseCompletedEvent(type="response.completed", response=response, sequence_number=0)
