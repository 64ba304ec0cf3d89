"""One HTTP client in several event loops: each has connections of its own.

A connection belongs to the loop that opened it. A program that runs agents in threads, or with
`asyncio.run` again and again, uses one client in many loops all the same.
"""

from __future__ import annotations

import asyncio
import copy
import weakref
from typing import Any, NamedTuple, cast


class _Ways(NamedTuple):
    """What a client sends by: its transport, and those for some addresses only, such as proxies."""

    transport: Any
    mounts: dict[Any, Any]


_WAYS = "_outlast_ways"
"""Where a loop keeps them: what else kept them would keep the loop, which connections lead to."""

_first: weakref.WeakKeyDictionary[Any, weakref.ref[asyncio.AbstractEventLoop]] = (
    weakref.WeakKeyDictionary()
)
"""The loop that used a client first."""


def in_this_loop(client: object, plain: type[Any]) -> Any:
    """``client``, an HTTP client, for the running loop.

    It is itself in the loop that uses it first, and anywhere if it sends by something else than
    the library's own connections. In other loops it is a copy with the same settings.

    Args:
        client: A ``plain`` one or one of a subclass.
        plain: `AsyncClient` of httpx or of its successor.
    """
    loop = asyncio.get_running_loop()
    first = _first.get(client) or _first.setdefault(client, weakref.ref(loop))
    if first() is loop:
        return client
    kept: weakref.WeakKeyDictionary[Any, _Ways] | None = getattr(loop, _WAYS, None)
    if kept is None:
        kept = weakref.WeakKeyDictionary()
        setattr(loop, _WAYS, kept)
    ways = kept.get(client) or _fresh(client)
    if ways is None:
        return client
    kept[client] = ways
    # Not the class of `openai`'s, which closes the connections when one of it is collected.
    kind = cast("type[Any]", type(client))
    made: Any = object.__new__(plain if kind.__module__.startswith("openai.") else kind)
    made.__dict__.update(client.__dict__, _transport=ways.transport, _mounts=ways.mounts)
    return made


def _fresh(client: object) -> _Ways | None:
    """The client's ways without the connections that there are; None if they are not known."""
    mounts = client.__dict__["_mounts"]  # They have no public names.
    ways = (client.__dict__["_transport"], *mounts.values())
    if not all(way is None or _is_known(way) for way in ways):
        return None
    transport, *others = map(_copied, ways)
    return _Ways(transport, dict(zip(mounts, others, strict=True)))


def _is_known(transport: object) -> bool:
    pool = getattr(transport, "_pool", None)
    return type(transport).__name__ == "AsyncHTTPTransport" and {
        "_connections",
        "_requests",
    } <= set(getattr(pool, "__dict__", ()))


def _copied(transport: object) -> Any:
    if transport is None:  # Nothing but the client's own transport is used for those addresses.
        return None
    made = copy.copy(transport)
    pool = made.__dict__["_pool"] = copy.copy(made.__dict__["_pool"])
    pool.__dict__.update(_connections=[], _requests=[])
    return made
