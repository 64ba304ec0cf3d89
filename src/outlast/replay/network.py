"""No network while a run is replayed: whoever reaches for it gets an error, and nothing is sent."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from outlast.core.errors import UserError

_REACHES = frozenset({
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg",
})  # fmt: skip
_is_blocked: ContextVar[bool] = ContextVar("outlast_network_blocked", default=False)
_hooks: list[bool] = []


class NetworkBlocked(UserError):
    """Code that is replayed reached for the network. What it asks for has to be recorded."""


@contextmanager
def blocked() -> Generator[None]:
    """A block in which nothing of this task, or begun by it, reaches the network."""
    if not _hooks:
        # An audit hook stays for the life of the process; outside of such a block it lets all pass.
        sys.addaudithook(_refuse)
        _hooks.append(True)
    token = _is_blocked.set(True)
    try:
        yield
    finally:
        _is_blocked.reset(token)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    del arguments
    if event in _REACHES and _is_blocked.get():
        raise NetworkBlocked(
            f"Code of a replayed run reached for the network ({event}), which is blocked. Let it read "
            "what it needs in a tool: tools are not performed in a replay."
        )
