"""What runs need, looked at: each check is one line that says what was found."""

from __future__ import annotations

import os
import platform
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

from outlast.calls.health import Health, Pace
from outlast.cli.check import Check
from outlast.cli.key import key_check, provider_check
from outlast.cli.logs import is_cut_off, journal_file, list_runs
from outlast.core.errors import JournalError
from outlast.definitions.clock import wall_s
from outlast.journal import open_journal
from outlast.version import __version__


async def examine(*, live: bool = False) -> list[Check]:
    """All checks. Changes nothing.

    Args:
        live: Ask the provider too.
    """
    file = journal_file()
    is_there = file is not None and file.exists()
    return [
        Check("python", "good", platform.python_version()),
        Check("outlast", "good", __version__),
        *_files(file),
        key_check(),
        *([await provider_check()] if live else []),
        await _runs(is_there=is_there),
        *(_models() if is_there else []),
    ]


async def forget_health() -> int:
    """Close all circuits and forget how often models were asked; returns of how many models."""
    file = journal_file()
    if file is None or not file.exists():
        return 0
    health = open_journal().health
    known = len(health.all())
    await health.clear()
    return known


def _files(file: Path | None) -> list[Check]:
    if file is None:
        kind = os.environ["OUTLAST_JOURNAL"]
        return [Check("journal", "note", f"{kind!r}: runs end with their process")]
    if not file.exists():
        folder = next(parent for parent in file.absolute().parents if parent.exists())
        if folder.is_dir() and os.access(folder, os.W_OK):
            return [Check("journal", "good", f"{file} (not there yet; {folder} is writable)")]
        found = f"{folder} is not writable, or no folder: runs end with their process"
        return [Check("journal", "bad", found)]
    return [_writable(file), _mode(file), _integrity(file)]


def _writable(file: Path) -> Check:
    size = file.stat().st_size / 2**20
    if os.access(file, os.W_OK) and os.access(file.absolute().parent, os.W_OK):
        return Check("journal", "good", f"{file}, {size:.1f} MB")
    return Check("journal", "bad", f"{file} is read-only. Give yourself the right to write it.")


def _mode(file: Path) -> Check:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        return Check("file mode", "note", f"{mode:04o}: others can read it. chmod 600 {file}")
    return Check("file mode", "good", f"{mode:04o}")


def _integrity(file: Path) -> Check:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            (found,) = db.execute("pragma quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return Check("integrity", "bad", f"SQLite says: {error}. Restore the file from a copy.")
    if found == "ok":
        return Check("integrity", "good", "SQLite's quick check passed")
    return Check("integrity", "bad", f"{found}. Restore the file from a copy.")


async def _runs(*, is_there: bool) -> Check:
    if not is_there:
        return Check("runs", "good", "none yet")
    try:
        rows = await list_runs()
    except JournalError as error:
        return Check("runs", "bad", str(error))
    cut_off = sum(map(is_cut_off, rows))
    waiting = sum(row.status == "waiting" for row in rows)
    text = f"{len(rows)}, {waiting} waiting for a person, {cut_off} interrupted."
    if cut_off:
        return Check("runs", "note", f"{text}\nGo on with them: outlast resume --all --agent FILE")
    return Check("runs", "good", text)


def _models() -> list[Check]:
    """The models that have failed lately, or whose calls are counted."""
    now = wall_s()
    try:
        kept = open_journal().health.all()
    except JournalError as error:
        return [Check("models", "bad", str(error))]
    return [_model(key, health, now) for key, health in kept.items() if health != Health()]


def _model(key: str, health: Health, now: float) -> Check:
    circuit, until = health.circuit, _time(health.circuit.until)
    said = [key]
    if circuit.failures:
        since = _time(circuit.since)
        said.append(f"circuit {circuit.name}, {circuit.failures} failures since {since}")
    if circuit.probe:
        said.append(f"tried by {circuit.probe} until {until}")
    elif circuit.opened:
        said.append("tried at the next call" if circuit.until <= now else f"not before {until}")
    if health.pace.slots:
        said.append(_pace(health.pace, now))
    return Check("model", "note" if circuit.opened else "good", "; ".join(said))


def _pace(pace: Pace, now: float) -> str:
    requests, tokens = pace.rate(now)
    waiting = sum(slot.requests for slot in pace.slots if slot.second > now)
    limits = (
        ("calls", requests, pace.requests_per_minute),
        ("tokens", tokens, pace.tokens_per_minute),
    )
    counted = [f"{count:,} of {most:,} {what}" for what, count, most in limits if most is not None]
    return f"{' and '.join(counted)} in the last minute, {waiting:,} waiting"


def _time(moment: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
    except (ValueError, OverflowError, OSError):  # Of a clock that was wrong.
        return "another time"
