"""Which tools and handoffs an agent has right now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

from outlast.definitions.calling import awaited

TThing = TypeVar("TThing")


async def gathered(*awaitables: Awaitable[Any]) -> list[Any]:
    """All results. If one fails, the others are cancelled and have ended before its error is raised."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        return await asyncio.gather(*tasks)
    except GeneratorExit:
        raise  # The caller was closed from outside its loop, where nothing can be waited for.
    except BaseException:
        left = [each for each in tasks if not each.done()]
        for each in left:
            each.cancel()
        if left:
            await asyncio.gather(*left, return_exceptions=True)
        raise


async def is_enabled(thing: object, context: object, agent: object) -> bool:
    """Whether a tool or handoff is to be offered; what cannot be switched off always is."""
    switch = getattr(thing, "is_enabled", True)
    if not callable(switch):
        return bool(switch)
    return bool(await awaited(switch(context, agent)))


async def enabled(things: Iterable[TThing], context: object, agent: object) -> list[TThing]:
    """Those that are to be offered, in their order. Users' functions are asked side by side."""
    switched = [(each, getattr(each, "is_enabled", True)) for each in things]
    asked = [is_enabled(each, context, agent) for each, switch in switched if callable(switch)]
    answers = iter(await gathered(*asked) if asked else [])
    return [each for each, switch in switched if (next(answers) if callable(switch) else switch)]
