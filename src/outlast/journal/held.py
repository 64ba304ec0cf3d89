"""The runs of one file that this process holds, for all journals and threads that use the file."""

from __future__ import annotations

import threading
import weakref

from outlast.core.errors import AlreadyRunning
from outlast.definitions.forks import at_fork, take
from outlast.journal.heartbeat import Pulses
from outlast.journal.journal import Lease


class Held:
    """A lease that nobody has any more, or whose loop is gone, holds nothing."""

    def __init__(self) -> None:
        self.pulses = Pulses()
        """What was seen of owners that cannot be seen from here."""
        self._lock = threading.Lock()
        self._leases: dict[str, weakref.ref[Lease]] = {}
        at_fork(self)

    def __len__(self) -> int:
        return len(self._leases)

    def take(self, lease: Lease, *, force: bool) -> None:
        """Hold a run.

        Raises:
            AlreadyRunning: This process holds it already, and nobody forces anything.
        """
        with self._lock:
            if not force and self.has(lease.run_id):
                raise AlreadyRunning(
                    f"Run {lease.run_id!r} is held by this process. Wait for it to end."
                )
            self._leases[lease.run_id] = weakref.ref(lease)

    def drop(self, lease: Lease) -> None:
        """Hold the run no more, if it is still by this lease."""
        with self._lock:
            held = self._leases.get(lease.run_id)
            if held is not None and held() is lease:
                del self._leases[lease.run_id]

    def has(self, run_id: str) -> bool:
        """Whether this process performs a run."""
        held = self._leases.get(run_id)
        lease = None if held is None else held()
        return lease is not None and lease.is_held

    def has_any(self) -> bool:
        """Whether this process performs anything."""
        return any(self.has(run_id) for run_id in list(self._leases))

    def leases(self) -> list[Lease]:
        """Those that somebody still has."""
        found = (held() for held in list(self._leases.values()))
        return [lease for lease in found if lease is not None]

    def lost(self) -> list[str]:
        """The runs that were never put down, and that nobody performs."""
        return [run_id for run_id in list(self._leases) if not self.has(run_id)]

    def forget(self, run_id: str) -> None:
        """A lost run is nobody's now in the file too."""
        with self._lock:
            if not self.has(run_id):
                self._leases.pop(run_id, None)

    def before_fork(self) -> None:
        """See `Forked`."""
        take(self._lock)

    def in_child(self) -> None:
        """See `Forked`. The runs are the parent's."""
        self._lock = threading.Lock()
        for lease in self.leases():
            lease.lost = True
        self._leases.clear()
