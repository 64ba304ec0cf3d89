"""Telling a run something, whoever performs it: cancel, send, pause, go on, decide about a call.

All of it is one path. A command is posted to the run's inbox, and is on disk then. The process that
performs the run takes it; where nobody does, whoever posted it takes the run for a moment and has it
taken. What came of it is read from the log.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from typing import Any, TypedDict

import msgspec

from outlast.core import errors
from outlast.core.commanding import bound, taken
from outlast.core.commands import Command, Decide
from outlast.core.errors import (
    AgentsException,
    AlreadyRunning,
    CallNotFound,
    IncompatibleRun,
    UserError,
)
from outlast.core.events import CommandTaken, ErrorFacts, Event
from outlast.core.evolve import fold
from outlast.core.identity import root_of
from outlast.core.state import RunState
from outlast.core.surrogates import is_sound
from outlast.definitions.clock import wall_s
from outlast.engine.log import RunLog, require_known
from outlast.journal.journal import Journal

_PLAIN: tuple[Any, ...] = (int, float, dict, list)
_decode = msgspec.json.Decoder(Command).decode
PATIENCE_S = 5.0
"""How long to wait until a command is taken: its loop may be busy, or its process be stopped."""


def new_command_id() -> str:
    """An id that no other command has."""
    return os.urandom(16).hex()


class CommandHead(TypedDict):
    """What every command says: which one it is, when and by whom it was given, and why."""

    id: str
    at: float
    by: str
    why: str


def command_head(by: str | None, why: str | None) -> CommandHead:
    """The head of a command that is given now.

    Raises:
        UserError: ``by`` or ``why`` is no text.
    """
    check_said(by=by, why=why)
    return {"id": new_command_id(), "at": wall_s(), "by": by or "", "why": why or ""}


def check_said(**said: object) -> None:
    """Refuse what a caller says of a command, by the names of its arguments.

    Raises:
        UserError: A text is none or cannot be stored, an id is empty, or a switch is none.
    """
    for name, value in said.items():
        is_switch = name == "always"
        if name in _IDS and (not isinstance(value, str) or not value or not is_sound(value)):
            raise UserError(f"{name} must be a text, and a whole id; got {_seen(name, value)}")
        if is_switch and not isinstance(value, bool):
            raise UserError(f"{name} must be True or False; got {value!r:.40}.")
        if name not in _IDS and not is_switch and not isinstance(value, str | None):
            raise UserError(f"{name} must be a text, or None; got {value!r:.40}.")
        if isinstance(value, str) and not is_sound(value):
            raise UserError(
                f"{name} must be a text that can be stored; it has half of a character."
            )


_IDS = ("run_id", "call_id")


def _seen(name: str, value: object) -> str:
    """What was given in place of an id, and what to write instead where it has that id."""
    if value is None or isinstance(value, str | int | float):
        return f"{value!r:.40}."
    kind = type(value).__name__
    for field in ("question_id", "call_id") if name == "call_id" else ("run_id",):
        if isinstance(getattr(value, field, None), str):
            return f"an object of type {kind}. Pass its .{field}."
    return f"an object of type {kind}."


async def command_run(journal: Journal, run_id: str, command: Command) -> None:
    """Give a command to a run, and see what comes of it.

    It is on disk when this returns. It was taken, too, unless the process that performs the run has not
    come to it within five seconds; then it is taken when that process does, or the next one.

    Raises:
        RunNotFound: There is no such run.
        RunHasEnded: It has ended.
        AgentsException: The command was refused; nothing was changed.
    """
    command = _as_stored(command)
    events = await events_of(journal, run_id)
    state = fold(events)
    if isinstance(command, Decide):  # What is asked later is another question.
        command = bound(state, command)
    receipt, *changes = taken(state, run_id, command)
    _require_accepted(receipt)
    if not changes:
        return
    await journal.post(run_id, command)
    deadline = time.monotonic() + PATIENCE_S
    while not await _is_taken(journal, run_id, command, len(events) - 1):
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(random.uniform(0.005, 0.03))  # noqa: S311  # not for secrets


def _as_stored(command: Command) -> Command:
    """The command as whoever takes it will read it.

    What could not be read again would wait for ever, or be passed over.
    """
    try:
        plain = msgspec.to_builtins(command, enc_hook=_plain)
        return _decode(json.dumps(plain, allow_nan=False))
    except (ValueError, TypeError, RecursionError) as error:
        what = str(type(command).__struct_config__.tag)
        raise UserError(
            f"What this {what!r} command says cannot be stored as JSON ({type(error).__name__}): give "
            "texts, whole numbers and finite ones. Nothing was changed."
        ) from error


def _plain(value: object) -> Any:
    """A value of a class that somebody derived from a plain one, as the plain one."""
    if isinstance(value, str):
        return str.__str__(value)  # Not `str(value)`, which is the class's own.
    for kind in _PLAIN:
        if isinstance(value, kind):
            return kind(value)
    raise TypeError


async def _is_taken(journal: Journal, run_id: str, command: Command, after: int) -> bool:
    """Whether somebody has taken the command, if need be this process."""
    try:
        await _have_taken(journal, run_id)
    except AlreadyRunning:
        pass
    except IncompatibleRun:  # A newer version wrote a part of it, and takes it when it goes on.
        return True
    for stored in await journal.read(run_id, after=after):
        if isinstance(stored.event, CommandTaken) and stored.event.id == command.id:
            _require_accepted(stored.event)
            return True
    return False


async def _have_taken(journal: Journal, run_id: str) -> None:
    """Take a run that nobody performs for a moment, with the commands that wait."""
    log = await claimed(journal, run_id)
    try:
        while log.has_commands:
            log.take()
            await log.commit()
    finally:
        await log.release()


def _require_accepted(receipt: Event) -> None:
    if isinstance(receipt, CommandTaken) and receipt.error is not None:
        raise _refusal(receipt.error)


def _refusal(facts: ErrorFacts) -> AgentsException:
    kind = getattr(errors, facts.kind, UserError)
    error = kind(facts.message)
    for name, value in facts.data.items():
        setattr(error, name, value)
    if isinstance(error, CallNotFound):
        error.waiting = tuple(error.waiting)
    return error


async def require_whole(journal: Journal, run_id: str) -> None:
    """Refuse to command a run that is a part of another one.

    Raises:
        UserError: It is.
        RunNotFound: There is no such run.
    """
    state = await state_of(journal, run_id)
    if state.started is not None and state.started.parent:
        raise UserError(
            f"Run {run_id!r} is a part of run {state.started.parent!r}, and goes on and ends with it. Say "
            f"it to {root_of(state.started.parent)!r}; nothing was changed."
        )


async def events_of(journal: Journal, run_id: str) -> list[Event]:
    """A run's log.

    Raises:
        RunNotFound: There is no such run.
    """
    return [each.event for each in await journal.read(run_id)]


async def state_of(journal: Journal, run_id: str) -> RunState:
    """What a run's log amounts to."""
    return fold(await events_of(journal, run_id))


async def claimed(journal: Journal, run_id: str) -> RunLog:
    """The log of a run that nobody performs, for a moment.

    Raises:
        AlreadyRunning: A living process performs it.
        IncompatibleRun: A newer version of Outlast wrote a part of it, and it has not ended.
    """
    lease = await journal.acquire(run_id)
    try:
        log = RunLog(journal, lease, await events_of(journal, run_id))
        require_known(log)
    except BaseException:
        await journal.release(lease)
        raise
    return log
