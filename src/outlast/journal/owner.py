"""Which process holds a run, and whether it still lives.

A process is its machine's boot, its number and its start time: numbers are used again, the three
together never. So a killed owner is replaced at once, without waiting for anything to expire.
Processes that share a journal but cannot see each other (containers) may take each other for
dead. The epoch makes that safe, not pleasant.
"""

from __future__ import annotations

import os
import sys
import uuid
from functools import lru_cache
from pathlib import Path


def this_process() -> str:
    """The name of this process as an owner."""
    return _name(os.getpid())


def pid_of(owner: str) -> str:
    """The number of the process, for people."""
    return owner.split(":")[1] if ":" in owner else owner


def is_alive(owner: str) -> bool:
    """Whether the process of that name still runs. The empty name is nobody's."""
    if owner == this_process():
        return True
    machine, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    if machine != boot() or not pid.isdecimal() or int(pid) == os.getpid():
        return False
    return _start(int(pid)) == start if machine else _answers(int(pid))


@lru_cache(maxsize=1)
def _name(pid: int) -> str:
    # Without /proc a random start at least differs from that of an earlier process of this number.
    return f"{boot()}:{pid}:{_start(pid) if boot() else uuid.uuid4().hex}"


@lru_cache(maxsize=1)
def boot() -> str:
    """The machine's boot; empty where /proc does not say it, or not when processes started."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
    return boot if _start(os.getpid()) else ""


def _start(pid: int) -> str:
    """When a process started, in ticks since boot; empty when it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # The name before may hold spaces and brackets.
    return "" if fields[0] in "ZX" else fields[19]


def _answers(pid: int) -> bool:
    if sys.platform == "win32":  # Signal 0 is no question there. The epoch decides.
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # It lives and is somebody else's.
        return True
    return True
