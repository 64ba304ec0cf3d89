"""Commit writes of many runs, each run's in order, in as few transactions as possible.

Every loop has a queue. A write that someone waits for takes all before it along. Then:

* "process", and nobody else is running: the transaction is made right there. It takes 30 µs; a
  future and a turn of the loop take as long again. From two runs on they pay (`bench.py`).
* otherwise, at the end of the loop's tick: what all runs asked for in it is one transaction.
  In "power" mode it is made in a thread, because it waits for the disk.
* the database is locked by another process: in the thread, which can wait without stopping the
  loop. While the thread has anything to do, all goes there, so that nothing is overtaken.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from outlast.core.errors import JournalError, StorageBusy
from outlast.definitions.forks import take
from outlast.journal.blobs import PUT_BLOB, Blobs, stamp
from outlast.journal.database import (
    STORAGE_ERRORS,
    checkpoint,
    closed_error,
    connect,
    storage_error,
)
from outlast.journal.journal import DONE
from outlast.journal.mark import Mark
from outlast.journal.writes import Write

_LINGER_S = 0.1
_BUSY_INLINE_MS = 25
_PAGE = 4096
_CHECKPOINTS_LATE = 8


class _Queue:
    """What one loop's runs want to have committed."""

    __slots__ = ("due", "lingering", "loop", "writes")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.writes: list[Write] = []
        self.due = False
        self.lingering = False


class Committer:
    """The one writer of a database in this process, for all its threads."""

    on_sync: Callable[[], None] | None = None
    """Called after each commit that has reached the disk; tests note there what is safe."""
    checkpoint_bytes = 4 * 2**20

    def __init__(
        self, path: Path, blobs: Blobs, ring: Callable[[str], None], *, power: bool, busy_s: float
    ) -> None:
        """Connect to a journal that exists.

        Args:
            path: The file.
            blobs: Those that wait are stored with the next transaction.
            ring: Called with the id of each run that was written to.
            power: Whether commits that somebody waits for are synced.
            busy_s: How long to wait for another process that has the file locked.
        """
        self._db: sqlite3.Connection | None = connect(path, busy_ms=_BUSY_INLINE_MS)
        self.mark = Mark(path)
        self._path = path
        self._is_closed = False
        self._blobs = blobs
        self._ring = ring
        self._power = power
        self._busy_s = busy_s
        self._synced = False
        self._queues: dict[asyncio.AbstractEventLoop, _Queue] = {}
        self._left: list[Write] = []
        """Writes that nobody waits for any more, of loops that have ended."""
        self._lock = threading.Lock()
        """Of the connection; held for as long as a transaction takes."""
        self._jobs: SimpleQueue[tuple[_Queue, list[Write]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._gate = threading.Lock()
        """Of everything else; held for a moment only."""
        self._backlog = 0
        self._wal_bytes = 0
        self._checkpoint: threading.Thread | None = None

    @property
    def db(self) -> sqlite3.Connection:
        """The connection. A fork closes it; the next use opens another one."""
        if self._db is None:
            self._db = connect(self._path, busy_ms=_BUSY_INLINE_MS)
            self._synced = False
        return self._db

    def submit(self, write: Write, *, alone: bool) -> Awaitable[None]:
        """Commit a write, together with whatever waits before it.

        Args:
            write: What to commit.
            alone: Whether nobody else is likely to commit anything in this tick.
        """
        queue = self._queue(write.lease.run_id)
        queue.writes.append(write)
        if not write.barrier:
            if not queue.lingering:
                queue.lingering = True
                queue.loop.call_later(_LINGER_S, self._linger, queue)
            return DONE
        if alone and not (self._power or self._backlog or queue.due):
            if self._flush(queue) and write.error is not None:
                raise write.error
            return write.future or DONE
        write.future = queue.loop.create_future()
        if not queue.due:
            queue.due = True
            queue.loop.call_soon(self._tick, queue)
        return write.future

    def flush(self) -> None:
        """Commit what lingers in this thread's loop, unless that is about to happen."""
        queue = self._queue()
        if queue.writes and not queue.due:
            self._tick(queue)

    def commit(self, writes: Sequence[Write]) -> None:
        """Commit writes from a thread that has no loop, unless the database is locked just now.

        Raises:
            JournalError: Nothing was written.
        """
        with self._gate:
            if self._is_closed:
                raise closed_error(self._path)
        self._commit([*writes])

    def close(self, last: Sequence[Write]) -> None:
        """Commit what waits, then `last`, and close. Whoever asks later is refused."""
        with self._gate:
            self._is_closed = True
            queues, left = list(self._queues.values()), self._left
        for queue in queues:
            if queue.writes:
                self._delegate(queue)
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
        try:
            if left or last:
                self._commit_patiently([*left, *last])
        finally:
            if self._checkpoint is not None:  # The last connection to close removes the log file.
                self._checkpoint.join()
            with self._lock:
                if self._db is not None:
                    self._db.close()

    def is_idle(self) -> bool:
        """Whether nothing waits to be written, and no thread writes."""
        with self._gate:
            is_checkpointed = self._checkpoint is None or not self._checkpoint.is_alive()
            has_writes = any(queue.writes for queue in self._queues.values())
            return is_checkpointed and not (has_writes or self._backlog or self._left)

    def before_fork(self) -> None:
        """Let every transaction end, and close the connection."""
        checkpoint = self._checkpoint
        if checkpoint is not None:
            checkpoint.join()
        if take(self._lock) and self._db is not None and not self._is_closed:
            self._db.close()
            self._db = None

    def _queue(self, run_id: str = "") -> _Queue:
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None or self._is_closed:
            queue = self._new_queue(loop, run_id)
        return queue

    def _new_queue(self, loop: asyncio.AbstractEventLoop, run_id: str) -> _Queue:
        """Each thread may begin a loop at any time, so the table of queues is changed by one only."""
        with self._gate:
            if self._is_closed:
                raise closed_error(self._path, run_id)
            queue = self._queues[loop] = _Queue(loop)
            for ended in [old for old in self._queues if old.is_closed()]:
                # Nobody waits for these any more; they were to be written all the same.
                for write in self._queues.pop(ended).writes:
                    write.future = None
                    self._left.append(write)
            queue.writes, self._left = self._left, []
        return queue

    def _linger(self, queue: _Queue) -> None:
        queue.lingering = False
        if queue.writes and not queue.due:
            self._tick(queue)

    def _tick(self, queue: _Queue) -> None:
        queue.due = False
        if not queue.writes:
            return
        if self._power or self._backlog:
            self._delegate(queue)
            return
        writes = queue.writes
        try:
            committed = self._flush(queue)
        except Exception as error:  # noqa: BLE001 (whatever it is belongs to those who wait)
            _answer(writes, error)
        else:
            if committed:
                _answer(writes, None)

    def _flush(self, queue: _Queue) -> bool:
        """Commit here and now, or leave it to the thread if the database is locked."""
        writes, queue.writes = queue.writes, []
        try:
            self._commit(writes)
        except StorageBusy:
            queue.writes = writes
            writes[-1].future = writes[-1].future or queue.loop.create_future()
            self._delegate(queue)
            return False
        except BaseException:
            queue.writes = [write for write in writes if not write.barrier]
            raise
        return True

    def _delegate(self, queue: _Queue) -> None:
        writes, queue.writes = queue.writes, []
        with self._gate:
            self._backlog += len(writes)
            self._jobs.put((queue, writes))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="outlast-journal", daemon=True
                )
                self._thread.start()

    def _serve(self) -> None:
        # No variable here may hold a job while it waits: that would keep leases alive.
        while self._work(self._jobs.get()):
            pass

    def _work(self, job: tuple[_Queue, list[Write]] | None) -> bool:
        if job is None:
            return False
        jobs = [job, *self._drain()]
        writes = [write for _, part in jobs for write in part]
        failure: Exception | None = None
        try:
            self._commit_patiently(writes)
        except Exception as error:  # noqa: BLE001 (whatever it is belongs to those who wait)
            failure = error
        with self._gate:
            self._backlog -= len(writes)
        del writes
        for queue, part in jobs:
            try:
                queue.loop.call_soon_threadsafe(_hand_back, queue, part, failure)
            except RuntimeError:  # The loop has ended meanwhile, and whoever waited in it.
                self._keep([] if failure is None else part)
        return True

    def _keep(self, writes: list[Write]) -> None:
        """Leave it to the next loop to write what nobody waits for."""
        with self._gate:
            self._left += [write for write in writes if not write.barrier]

    def _drain(self) -> list[tuple[_Queue, list[Write]]]:
        jobs: list[tuple[_Queue, list[Write]]] = []
        try:
            while (job := self._jobs.get_nowait()) is not None:
                jobs.append(job)
            self._jobs.put(None)
        except Empty:
            pass
        return jobs

    def _commit_patiently(self, writes: list[Write]) -> None:
        deadline = time.monotonic() + self._busy_s
        while True:
            try:
                return self._commit(writes)
            except StorageBusy:
                if time.monotonic() > deadline:
                    raise

    def _commit(self, writes: list[Write]) -> None:
        """One transaction. Raises when none of it was written."""
        blobs = self._blobs.waiting()
        sync = self._power and any(write.barrier for write in writes)
        with self._lock:
            try:
                if sync is not self._synced:
                    self.db.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
                    self._synced = sync
                _transact(self.db, writes, blobs)
            except STORAGE_ERRORS as error:
                raise storage_error(error, self._path) from error
            if sync and self.on_sync is not None:
                self.on_sync()
        # A page of the log and one of the list of runs for each; an index more where a run begins.
        self._wal_bytes += _PAGE * (1 + 2 * len(writes))
        if blobs:
            self._blobs.stored(blobs)
            self._wal_bytes += sum(map(len, blobs.values()))
        place = 0
        for write in writes:
            self._wal_bytes += write.size
            place = write.settle() or place
            self._ring(write.lease.run_id)
        if place and (sync or not self._power):
            self.mark.note(place, synced=sync)
        if self._wal_bytes > self.checkpoint_bytes:
            self._start_checkpoint()

    def _start_checkpoint(self) -> None:
        """In the background: inside a commit, where SQLite does it, it takes 5 to 50 ms.

        Where it does not keep up, because the machine is busy, whoever writes more waits for it.
        """
        with self._gate:
            late = self._checkpoint
            if late is None or not late.is_alive():
                self._wal_bytes, late = 0, None
                self._checkpoint = threading.Thread(
                    target=checkpoint, args=(self._path, self._lock), daemon=True
                )
                self._checkpoint.start()
        if late is not None and self._wal_bytes > _CHECKPOINTS_LATE * self.checkpoint_bytes:
            late.join()


def _transact(db: sqlite3.Connection, writes: list[Write], blobs: dict[str, bytes]) -> None:
    try:
        db.execute("BEGIN IMMEDIATE")
        if blobs:
            at = stamp()
            db.executemany(PUT_BLOB, ((name, body, at) for name, body in blobs.items()))
        for write in writes:
            write.apply(db)
        db.execute("COMMIT")
    except BaseException as error:
        if isinstance(error, STORAGE_ERRORS) or db.in_transaction:
            for write in reversed(writes):
                write.undo()
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _hand_back(queue: _Queue, writes: list[Write], failure: Exception | None) -> None:
    if failure is not None:  # What nobody waits for is kept for the next transaction.
        queue.writes[:0] = [write for write in writes if not write.barrier]
    _answer(writes, failure)
    writes.clear()  # The thread may still have the list; it must not keep leases alive.


def _answer(writes: list[Write], failure: Exception | None) -> None:
    for write in writes:
        if write.future is None or write.future.done():
            continue
        if write.error is not None:
            write.future.set_exception(write.error)
        elif failure is None:
            write.future.set_result(None)
        else:
            write.future.set_exception(_own(failure))


def _own(error: Exception) -> Exception:
    """An error for one of several who wait: each adds its own traceback to it."""
    if not isinstance(error, JournalError):
        return error
    own = type(error)(*error.args)
    own.__cause__ = error.__cause__
    return own
