"""What disks do: fill up, lose power, go bad."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from zlib import crc32

import pytest
from contract import STARTED, begin, names, step

from outlast.core.errors import (
    IncompatibleRun,
    JournalCorrupt,
    JournalError,
    RunNotFound,
    StorageFull,
)
from outlast.core.events import StepRecorded
from outlast.journal import SqliteJournal, Stored, database
from outlast.journal.database import LAYOUT

BIG = StepRecorded("t", "big", result="x" * 50_000)


# --- Full. -------------------------------------------------------------------------------


def let_grow(journal: SqliteJournal, pages: int) -> None:
    db = journal.committer.db
    (size,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {size + pages}")


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_a_full_disk_loses_nothing_and_reading_goes_on(tmp_path: Path, durability: str):
    journal = SqliteJournal(tmp_path / "journal.db", durability=durability)
    lease, other = await begin(journal), await begin(journal, "other")
    let_grow(journal, 8)
    await journal.append(lease, [step(0)], barrier=False)
    blob = journal.blobs.put(b"y" * 3000)
    waiting = [journal.append(other, [BIG]), journal.append(lease, [step(1), BIG])]
    for each in waiting:
        with pytest.raises(StorageFull, match="nothing was lost"):
            await each
    new = await journal.acquire("new", new=True)
    with pytest.raises(StorageFull):
        await journal.append(new, [STARTED, BIG])
    assert len(await journal.read("other")) == 1
    with pytest.raises(RunNotFound):
        await journal.read("new")
    let_grow(journal, 1000)
    for each in (lease, new):
        await journal.append(each, [step(2), BIG])
    assert await names(journal) == [0, 2, BIG.result]
    assert await names(journal, "new") == [2, BIG.result]
    assert journal.blobs.get(blob) == b"y" * 3000
    assert (lease.head, other.head, new.head) == (4, 1, 2)
    await journal.close()


# --- Power. ------------------------------------------------------------------------------


class Wal:
    """How much of the write-ahead log is on disk for certain."""

    def __init__(self, journal: SqliteJournal) -> None:
        self.path = journal.path.with_name(journal.path.name + "-wal")
        self.safe = self.syncs = 0
        journal.committer.checkpoint_bytes = 2**40  # The log only grows, so its size says it all.
        journal.committer.on_sync = self.note

    def note(self) -> None:
        self.safe = self.path.stat().st_size
        self.syncs += 1


async def test_what_was_acknowledged_survives_a_power_cut(tmp_path: Path):
    random.seed(1)
    journal = SqliteJournal(tmp_path / "journal.db", durability="power")
    wal = Wal(journal)
    lease = await begin(journal)
    cuts = 0
    for n in range(60):
        await journal.append(lease, [step(n)])
        acknowledged, safe = n, wal.safe
        for _ in range(n % 3):
            await journal.append(lease, [StepRecorded("t", "unsure")], barrier=False)
        if n % 5 == 0:
            await asyncio.sleep(0.12)  # They are written by now, and not synced.
        elif n % 5 == 1:
            await journal.append(lease, [StepRecorded("t", "done")])
            acknowledged, safe = n, wal.safe
        size = wal.path.stat().st_size
        cuts += size > safe
        found = await after_power_cut(tmp_path, n, random.randint(safe, size))
        assert [each for each in found if each is not None] == list(range(acknowledged + 1))
    assert cuts > 5
    await journal.close()


async def after_power_cut(folder: Path, n: int, kept_bytes: int) -> list[int | None]:
    lost = folder / f"lost {n}"
    lost.mkdir()
    for name in ("journal.db", "journal.db-wal"):
        shutil.copy(folder / name, lost / name)
    os.truncate(lost / "journal.db-wal", kept_bytes)
    journal = SqliteJournal(lost / "journal.db", durability="power")
    found = await names(journal)
    await journal.close()
    return found


async def test_a_batch_is_synced_once(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", durability="power")
    wal = Wal(journal)
    leases = [await journal.acquire(f"r{n}", new=True) for n in range(100)]
    for _ in range(5):
        await asyncio.gather(*(journal.append(lease, [STARTED]) for lease in leases))
    assert wal.syncs <= 10
    synced = wal.syncs
    await journal.append(leases[0], [step(1)], barrier=False)
    await asyncio.sleep(0.15)
    assert await names(journal, "r0") == [1]
    assert wal.syncs == synced
    await journal.close()


# --- Growth. -----------------------------------------------------------------------------


async def test_the_write_ahead_log_stays_short(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    lease = await begin(journal)
    longest = 0
    for n in range(3000):
        await journal.append(lease, [BIG, step(n)])
        longest = max(longest, (tmp_path / "journal.db-wal").stat().st_size)
    assert longest < 100 * 2**20
    assert len(await names(journal)) == 6000
    await journal.close()
    assert (tmp_path / "journal.db").stat().st_size > 140 * 2**20
    assert not (tmp_path / "journal.db-wal").exists()


async def test_a_blob_is_stored_once(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    lease = await begin(journal)
    for _ in range(3):
        journal.blobs.put(b"tools" * 100)
        await journal.append(lease, [step(1)])
    again = SqliteJournal(tmp_path / "journal.db", durability="power")
    again.blobs.put(b"tools" * 100)
    await begin(again, "s")
    assert journal.committer.db.execute("SELECT count(*) FROM blob").fetchone() == (1,)
    await again.close()
    await journal.close()


# --- Damage. -----------------------------------------------------------------------------


async def write_sample(folder: Path, *, with_wal: bool = False) -> dict[str, list[Stored]]:
    """A journal; or one whose newer part is in the write-ahead log, as a killed process leaves it."""
    folder.mkdir()  # noqa: ASYNC240 (nothing else runs in this loop)
    journal = SqliteJournal(folder / "source.db", durability="process")
    leases = [await begin(journal, f"r{n}") for n in range(3)]
    for n in range(40):
        for lease in leases:
            await journal.append(lease, [step(n), StepRecorded("t", "text", result="é" * n)])
        if n == 25:
            journal.committer.db.execute("PRAGMA wal_checkpoint(FULL)")
    logs = {lease.run_id: list(await journal.read(lease.run_id)) for lease in leases}
    if with_wal:
        shutil.copy(folder / "source.db-wal", folder / "journal.db-wal")
        shutil.copy(folder / "source.db", folder / "journal.db")
        await journal.close()
    else:
        await journal.close()
        shutil.copy(folder / "source.db", folder / "journal.db")
    return logs


async def check_is_prefix_or_refused(path: Path, logs: dict[str, list[Stored]]) -> str:
    """Whatever is read must be what was written, from the beginning on."""
    try:
        journal = SqliteJournal(path, durability="process")
    except JournalError:
        return "refused"
    outcome = "whole"
    try:
        for run_id, log in logs.items():
            try:
                found = list(await journal.read(run_id))
            except (JournalError, RunNotFound):
                outcome = "refused"
            else:
                assert found == log[: len(found)]
                assert found
                outcome = "cut" if len(found) < len(log) else outcome
    finally:
        await journal.close()
    return outcome


@pytest.mark.parametrize("end", ["", "-wal"])
async def test_damage_is_never_taken_for_a_log(tmp_path: Path, end: str):
    random.seed(7)
    folder = tmp_path / "sample"
    logs = await write_sample(folder, with_wal=bool(end))
    outcomes: Counter[str] = Counter()
    for n in range(75):
        broken = tmp_path / f"{n}"
        shutil.copytree(folder, broken)
        file = broken / f"journal.db{end}"
        damage(file, n % 3)
        outcomes[await check_is_prefix_or_refused(broken / "journal.db", logs)] += 1
    if end:  # SQLite takes a broken end of its log for one that a power cut left behind.
        assert outcomes["cut"] > 20
    else:
        assert outcomes["refused"] > 30
        assert not outcomes["cut"]


def damage(file: Path, kind: int) -> None:
    data = bytearray(file.read_bytes())
    at = random.randrange(len(data))
    match kind:
        case 0:
            data[at] ^= 1 << random.randrange(8)
        case 1:
            data[at : at + 700] = random.randbytes(len(data[at : at + 700]))
        case _:
            del data[at:]
    file.write_bytes(data)


def changed(sql: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute(sql)
        db.close()

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed("UPDATE log SET body = cast(body || ' ' AS BLOB) WHERE place = (1 << 32) + 3"), "checksum"),
        (changed("UPDATE log SET body = cast(body AS TEXT) WHERE place = (1 << 32) + 3"), "checksum"),
        (changed("UPDATE log SET epoch = 2 WHERE place = (1 << 32) + 3"), "checksum"),
        (changed("UPDATE log SET at = at + 1 WHERE place = (1 << 32) + 3"), "checksum"),
        (changed("UPDATE log SET version = 0 WHERE place = (1 << 32) + 3"), "checksum"),
        (changed("UPDATE log SET place = place + (9 << 32) WHERE place = (1 << 32) + 3"), "missing"),
        (changed("DELETE FROM log WHERE place = (1 << 32) + 3"), "Event 3 .* missing"),
        (changed("DELETE FROM log WHERE place = 1 << 32"), "Event 0 .* missing"),
        (changed("DELETE FROM log WHERE place >> 32 = 1"), "Event 0 .* missing"),
        (
            changed("UPDATE log SET body = (SELECT body FROM log WHERE place = (2 << 32) + 3),"
                    " crc = (SELECT crc FROM log WHERE place = (2 << 32) + 3),"
                    " at = (SELECT at FROM log WHERE place = (2 << 32) + 3)"
                    " WHERE place = (1 << 32) + 3"),
            "Event 3 of run 'r0' .* checksum",
        ),
    ],
)  # fmt: skip
async def test_a_row_is_bound_to_its_place(
    tmp_path: Path, change: Callable[[Path], None], said: str
):
    logs = await write_sample(tmp_path / "sample")
    change(tmp_path / "sample" / "journal.db")
    journal = SqliteJournal(tmp_path / "sample" / "journal.db", durability="process")
    with pytest.raises(JournalCorrupt, match=said) as raised:
        await journal.read("r0")
    assert raised.value.run_id == "r0"
    assert list(await journal.read("r1")) == logs["r1"]  # Others are not affected.
    await journal.close()


async def test_a_changed_blob_is_noticed(tmp_path: Path):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    name = journal.blobs.put(b"be kind")
    await begin(journal)
    changed("UPDATE blob SET body = 'be evil'")(path)
    with pytest.raises(JournalCorrupt, match=name):
        journal.blobs.get(name)
    await journal.close()


def foreign(path: Path) -> None:
    changed("CREATE TABLE theirs (x)")(path)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda path: path.write_bytes(b""), JournalCorrupt, "is empty"),
        (lambda path: path.write_bytes(b"not a database at all" * 500), JournalCorrupt, "not a data"),
        (foreign, JournalCorrupt, "no Outlast journal"),
    ],
)  # fmt: skip
def test_what_is_no_journal_is_refused(
    tmp_path: Path, make: Callable[[Path], None], error: type[Exception], said: str
):
    make(tmp_path / "journal.db")
    with pytest.raises(error, match=said):
        SqliteJournal(tmp_path / "journal.db")


@pytest.mark.parametrize(("layout", "advice"), [(99, "Upgrade"), (1, "another file")])
async def test_another_layout_is_refused(tmp_path: Path, layout: int, advice: str):
    await SqliteJournal(tmp_path / "journal.db").close()
    changed(f"PRAGMA user_version = {layout}")(tmp_path / "journal.db")
    with pytest.raises(IncompatibleRun, match=f"layout {layout}; .* reads {LAYOUT}.* {advice}"):
        SqliteJournal(tmp_path / "journal.db")


TABLES = {2: "42fbe7c9", 3: "8549e3ac", 4: "52587812", 5: "689e239e", 6: "55b14080", 7: "085a4e92"}
"""The checksum of what each layout is made of, comments and spaces aside."""


def test_the_tables_do_not_change_under_the_number_of_their_layout():
    folder = Path(database.__file__).parent
    scripts = ("schema.sql", "inbox.sql", "feed.sql", "accounts.sql")
    schema = "".join((folder / name).read_text("utf-8") for name in scripts)
    bare = "".join(re.sub("--.*", "", schema).split())
    assert TABLES[LAYOUT] == f"{crc32(bare.encode()):08x}", "Raise LAYOUT and add its checksum."
    assert max(TABLES) == LAYOUT


async def test_a_lost_database_beside_its_log_is_refused(tmp_path: Path):
    await write_sample(tmp_path / "sample", with_wal=True)
    (tmp_path / "sample" / "journal.db").write_bytes(b"")
    with pytest.raises(JournalCorrupt, match="is empty"):
        SqliteJournal(tmp_path / "sample" / "journal.db")


async def leave_behind(folder: Path, durability: str) -> SqliteJournal:
    """A journal of a process that lives on, and its files as they were when it last appended."""
    (folder / "left").mkdir(parents=True)
    journal = SqliteJournal(folder / "journal.db", durability=durability)
    lease = await begin(journal)
    for n in range(20):
        await journal.append(lease, [step(n)])
    for end in ("", "-wal", "-mark"):
        shutil.copy(folder / f"journal.db{end}", folder / "left" / f"journal.db{end}")
    return journal


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("what", ["deleted", "emptied", "cut short", "garbled"])
async def test_a_lost_end_of_a_journal_is_noticed(tmp_path: Path, durability: str, what: str):
    journal = await leave_behind(tmp_path, durability)
    left = tmp_path / "left" / "journal.db"
    wal = left.with_name("journal.db-wal")
    size = wal.stat().st_size
    match what:
        case "deleted":
            wal.unlink()
        case "garbled":
            wal.write_bytes(wal.read_bytes()[: size // 2] + random.randbytes(size // 2))
        case _:
            os.truncate(wal, 0 if what == "emptied" else size - 1)
    for _ in range(2):  # It is not forgotten by being told once.
        with pytest.raises(JournalCorrupt, match=r"earlier state.* delete 'journal\.db-mark'"):
            SqliteJournal(left, durability=durability)
    shutil.copy(tmp_path / "journal.db-wal", wal)
    whole = SqliteJournal(left, durability=durability)
    assert len(await whole.read("r")) == 21
    await whole.close()
    await journal.close()


async def test_who_deletes_the_mark_goes_on_with_what_is_left(tmp_path: Path):
    journal = await leave_behind(tmp_path, "process")
    left = tmp_path / "left"
    (left / "journal.db-wal").unlink()
    (left / "journal.db-mark").unlink()
    again = SqliteJournal(left / "journal.db", durability="process")
    assert not await again.runs()
    await again.close()
    await journal.close()


async def test_after_a_restart_of_the_machine_only_what_was_synced_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for durability in ("process", "power"):
        journal = await leave_behind(tmp_path / durability, durability)
        (tmp_path / durability / "left" / "journal.db-wal").unlink()
        await journal.close()
    monkeypatch.setattr("outlast.journal.mark._boot", lambda: 17)
    with pytest.raises(JournalCorrupt, match="earlier state"):
        SqliteJournal(tmp_path / "power" / "left" / "journal.db")
    again = SqliteJournal(tmp_path / "process" / "left" / "journal.db", durability="process")
    assert not await again.runs()
    await again.close()


async def test_a_mark_is_gone_when_its_journal_is_whole(tmp_path: Path):
    one = SqliteJournal(tmp_path / "journal.db", durability="process")
    other = SqliteJournal(tmp_path / "journal.db", durability="power")
    await begin(one)
    await one.close()
    assert (tmp_path / "journal.db-mark").exists()
    await other.close()
    assert [file.name for file in tmp_path.iterdir()] == ["journal.db"]  # noqa: ASYNC240


async def test_a_mark_of_a_deleted_journal_is_not_held_against_the_next(tmp_path: Path):
    journal = await leave_behind(tmp_path, "process")
    left = tmp_path / "left"
    (left / "journal.db").unlink()
    (left / "journal.db-wal").unlink()
    again = SqliteJournal(left / "journal.db", durability="process")
    assert not await again.runs()
    await again.close()
    await journal.close()


async def test_where_no_mark_can_be_kept_a_journal_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(path: Path, flags: int) -> int:
        raise OSError(errno.EACCES, f"no file here ({flags})", str(path))

    monkeypatch.setattr("outlast.journal.mark.open_private", refuse)
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    await begin(journal)
    await journal.close()
    again = SqliteJournal(tmp_path / "journal.db", durability="process")
    assert len(await again.read("r")) == 1
    await again.close()


async def test_epochs_of_a_log_only_rise(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    lease = await begin(journal)
    for n in range(3):
        await journal.append(lease, [step(n)])
        await journal.release(lease)
        lease = await journal.acquire("r")
    epochs = [key for key, _ in groupby(each.epoch for each in await journal.read("r"))]
    assert epochs == [1, 2, 3]
    await journal.close()
