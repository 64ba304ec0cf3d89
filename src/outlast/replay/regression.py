"""A recorded run as a test: a file that has its log, and fails where the program goes another way."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec

from outlast.core import events as facts
from outlast.core.errors import UserError
from outlast.definitions.agent import Agent
from outlast.effects.config import RunConfig
from outlast.journal.codec import from_lines, to_lines
from outlast.journal.journal import Journal
from outlast.journal.memory import MemoryJournal
from outlast.models.secrets import without_secrets
from outlast.replay.replaying import Replay, replay
from outlast.run.request import journal_of
from outlast.views.recording import names_of_texts


async def export_pytest(
    run_id: str, folder: str | Path, program: str, *, journal: Any = None
) -> Path:
    """Write a test that replays a run against a program, and its recording beside it.

    The recording holds what the run was told and answered, and no key: look at it before you commit it.

    Args:
        run_id: The run.
        folder: Where to; ``test_NAME.py`` and ``NAME.jsonl`` are written.
        program: ``module:agent``, as the test imports it.
        journal: Where the run is kept, as in `RunConfig`.

    Returns:
        The test's file.

    Raises:
        RunNotFound: There is no such run.
        UserError: ``program`` is not of that form.
    """
    module, _, name = program.partition(":")
    if not module or not name.isidentifier():
        raise UserError(f"A program is named as 'module:agent', got {program!r}.")
    kept = journal_of(RunConfig(journal=journal))
    log = [each.event for each in await kept.read(run_id)]
    return _written(run_id, log, kept, Path(folder), (module, name))


def _written(
    run_id: str, log: list[facts.Event], journal: Journal, where: Path, program: tuple[str, str]
) -> Path:
    stem = re.sub(r"\W+", "_", run_id).strip("_").lower() or "run"
    where.mkdir(parents=True, exist_ok=True)
    _write_recording(where / f"{stem}.jsonl", run_id, log, journal)
    test = where / f"test_{stem}.py"
    test.write_text(_TEST.format(module=program[0], name=program[1], stem=stem), "utf-8")
    return test


_TEST = '''\
"""Replays a recorded run: models and tools answer as they did, the program is as it is now."""

from pathlib import Path

from outlast.replay import assert_replays

from {module} import {name}


def test_{stem}_goes_as_recorded():
    assert_replays(Path(__file__).with_name("{stem}.jsonl"), {name})
'''


def assert_replays(recording: str | Path, agent: Agent, **options: object) -> Replay:
    """Replay a recording that `export_pytest` wrote.

    Args:
        recording: Its file.
        agent: The agent that the run began with, as the program has it now.
        options: What else `replay` takes: a context, a `RunConfig`.

    Raises:
        AssertionError: The program goes another way; the message says where and in what.
    """
    done = asyncio.run(_replayed(Path(recording).read_bytes().splitlines(), agent, options))
    if not done.is_same:
        rest = f"\n… and {len(done.divergences) - 1} more" if len(done.divergences) > 1 else ""
        raise AssertionError(f"The run does not go as recorded.\n{done.first}{rest}")
    return done


async def _replayed(lines: list[bytes], agent: Agent, options: dict[str, Any]) -> Replay:
    head: dict[str, Any] = msgspec.json.decode(lines[0])
    memory = MemoryJournal()
    for name, text in head["texts"].items():
        memory.blobs.put(text.encode(), name)
    lease = await memory.acquire(head["run"], new=True)
    await memory.append(lease, from_lines(head["run"], head["version"], lines[1:]))
    await memory.release(lease)
    return await replay(head["run"], agent, journal=memory, **options)


def _write_recording(file: Path, run_id: str, log: list[facts.Event], journal: Journal) -> None:
    names = sorted(names_of_texts(log))
    texts = {name: journal.blobs.get(name).decode() for name in names}
    head = msgspec.json.encode({"run": run_id, "version": facts.VERSION, "texts": texts})
    text = b"\n".join([head, *to_lines(log)]).decode()
    file.write_text(f"{without_secrets(text)}\n", "utf-8")
