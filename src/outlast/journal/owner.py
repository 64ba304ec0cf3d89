"""Which process holds a run, and whether it still lives.

A process is a place, its number there and its start time: numbers are used again, the three together
never. A place is one boot of one machine and one namespace of processes in it. Who is at the same
place can look: a killed owner is replaced at once, without waiting for anything to expire. Of a
process in another container or on another machine only its heartbeat can tell; see heartbeat.py.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import uuid
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple


class Owner(NamedTuple):
    """A process, as its name says. Each part is empty where the name does not have it."""

    place: str
    """The machine's boot, a slash, the namespace. Without a slash: an older version wrote only the boot."""
    pid: str
    start: str
    host: str
    """For people. Two machines may have the same one."""


def this_process() -> str:
    """The name of this process as an owner."""
    return _name(os.getpid())


def owner_of(name: str) -> Owner:
    """The parts of a name."""
    return Owner(*(name.split(":", 3) + [""] * 3)[:4])


def described(name: str) -> str:
    """The process, for people."""
    owner = owner_of(name)
    if owner.place in (_place(), boot()) and owner.host in ("", _host()):
        return f"process {owner.pid}"
    if owner.place.partition("/")[0] == boot():
        return f"process {owner.pid} in another container ({owner.host})"
    return f"process {owner.pid} on {owner.host or 'another machine'}"


def life(name: str) -> bool | None:
    """Whether the process of that name still runs; None where it cannot be seen from here.

    The empty name is nobody's.
    """
    if name == this_process():
        return True
    owner = owner_of(name)
    if not owner.pid.isdecimal():
        return False
    is_same = int(owner.pid) == os.getpid()
    if owner.place in (_place(), boot()) and owner.place:
        return not is_same and _start(int(owner.pid)) == owner.start
    if not owner.place and not _place() and owner.host in ("", _host()):
        return None if not is_same and _answers(int(owner.pid)) else False
    return None


@lru_cache(maxsize=1)
def _name(pid: int) -> str:
    # Without /proc a random start at least differs from that of an earlier process of this number.
    return f"{_place()}:{pid}:{_start(pid) if _place() else uuid.uuid4().hex}:{_host()}"


@lru_cache(maxsize=1)
def boot() -> str:
    """The machine's boot; empty where /proc does not say it, or not when processes started."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
    return boot if _start(os.getpid()) else ""


@lru_cache(maxsize=1)
def _place() -> str:
    """Where processes see each other: empty where this one cannot see others, not even in /proc."""
    try:
        proc = Path("/proc")
        # A new namespace may still have its parent's /proc, which numbers processes otherwise.
        is_ours = (proc / "self").readlink().name == str(os.getpid())
        space = (proc / "self/ns/pid").readlink().name
    except OSError:
        return ""
    return f"{boot()}/{re.sub('[^0-9]', '', space)}" if is_ours and boot() else ""


@lru_cache(maxsize=1)
def _host() -> str:
    return re.sub(r"[^\w.-]", "-", socket.gethostname())


def _start(pid: int) -> str:
    """When a process started, in ticks since boot; empty when it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # The name before may hold spaces and brackets.
    return "" if fields[0] in "ZX" else fields[19]


def _answers(pid: int) -> bool:
    if sys.platform == "win32":  # Signal 0 is no question there. Its heartbeat decides.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # It lives and is somebody else's.
        return True
    return True
