"""What a host that repeats a program's steps, such as Temporal's workflows, changes for ids, tracing and threads.

Such a host registers itself. Elsewhere ids are random, everything happens for the first time, and
there are threads.
"""

from __future__ import annotations

import os
from typing import Protocol


class Host(Protocol):
    """Who performs some of this process's programs."""

    def random_bytes(self, count: int) -> bytes | None:
        """The same bytes whenever the same step is repeated; None where the caller is not performed by it."""
        ...

    def is_replaying(self) -> bool:
        """Whether the caller repeats what has happened already."""
        ...

    def is_here(self) -> bool:
        """Whether the caller is performed by it: on its loop, which has no threads."""
        ...


_hosts: list[Host] = []


def register(host: Host) -> None:
    """Ask ``host``, too, from now on. Harmless when repeated."""
    if host not in _hosts:
        _hosts.append(host)


def random_bytes(count: int) -> bytes:
    """Bytes that nobody can guess, or those that belong to this step of a program that is repeated."""
    for host in _hosts:
        if (found := host.random_bytes(count)) is not None:
            return found
    return os.urandom(count)


def is_replaying() -> bool:
    """Whether what happens now has happened already, and nobody is to be told again."""
    return any(host.is_replaying() for host in _hosts)


def has_threads() -> bool:
    """Whether what blocks may wait in a thread."""
    return not any(host.is_here() for host in _hosts)
