"""`outlast provider`: a fake provider for programs under test, until it is interrupted.

Its address is the first line on the standard output, so that a script can read it; what a person
wants to know goes to the standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from rich.table import Table
from rich.text import Text

from outlast.cli.problem import Missing
from outlast.cli.screen import console
from outlast.cli.text import plain

if TYPE_CHECKING:
    from outlast.definitions.model import Model
    from outlast.testing.provider import ProviderRequest, ScriptedProvider

    _Log: TypeAlias = Callable[[ProviderRequest], None] | None

MODELS = ("offline", "demo")


class CannotServe(Missing):
    """The provider cannot start. The text says why, and what to change."""

    def __init__(self, what: str) -> None:
        super().__init__("The provider cannot start", what)


@dataclass(frozen=True)
class Serving:
    """What `outlast provider` was told."""

    script: Path | None = None
    model: str = ""
    port: int = 0
    log: Path | None = None
    stateless: bool = False
    pause_s: float = 0.0


async def serve(told: Serving) -> int:
    """Serve until SIGINT or SIGTERM. Returns 0.

    Raises:
        CannotServe: The script, the model, the log or the port cannot be used.
    """
    with _log(told.log) as log:
        provider = _provider(told, log)
        try:
            await provider.open()
        except OSError as error:
            raise CannotServe(f"Port {told.port} cannot be used: {error.strerror}.") from error
        try:
            print(provider.base_url, flush=True)
            _introduce(told, provider)
            await _interrupted()
        finally:
            await provider.close()
    count = len(provider.requests)
    console(stderr=True).print(f"Stopped after {count} request{'' if count == 1 else 's'}.")
    return 0


def list_faults() -> int:
    """Print the table of faults. Returns 0."""
    from outlast.testing.provider import FAULTS

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("fault", no_wrap=True)  # It is typed as it stands here.
    table.add_column("kind", no_wrap=True)
    for name in ("of", "what a client sees"):
        table.add_column(name, overflow="fold")
    for each in FAULTS.values():
        apis = " ".join(each.apis)
        table.add_row(*map(Text, (each.name, each.kind, apis, each.about)))
    console().print(table)
    return 0


def _provider(told: Serving, log: _Log) -> ScriptedProvider:
    from outlast.testing.provider import (
        ProviderSettings,
        ScriptedProvider,
        ScriptFileError,
        load_script,
    )

    if told.script and told.model:
        raise CannotServe("--script and --model were both given. Answers come from one of them.")
    try:
        steps = load_script(told.script) if told.script else None
    except ScriptFileError as error:
        raise CannotServe(str(error)) from error
    return ScriptedProvider(
        steps,
        model=None if told.script else _model(told.model or "offline"),
        stateless=told.stateless,
        port=told.port,
        settings=ProviderSettings(pause_s=told.pause_s, on_request=log),
    )


def _model(name: str) -> Model:
    if name == "offline":
        from outlast.models.offline import OfflineModel

        return OfflineModel()
    if name == "demo":
        from outlast.demo.model import DeskModel

        return DeskModel()
    raise CannotServe(f"There is no model {name!r} to answer with. Use {' or '.join(MODELS)}.")


@contextlib.contextmanager
def _log(path: Path | None) -> Generator[_Log]:
    if path is None:
        yield None
        return
    try:
        # Each line is written at once: the reader may be a test that waits for it.
        log = path.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise CannotServe(f"The log {path} cannot be written: {error.strerror}.") from error
    with log:
        yield lambda request: print(json.dumps(request.facts()), file=log)


def _introduce(told: Serving, provider: ScriptedProvider) -> None:
    screen = console(stderr=True)
    answers = f"the script {told.script}" if told.script else f"the model {told.model or 'offline'}"
    screen.print(Text(plain(f"A fake provider, answering from {answers}. Ctrl-C ends it.")))
    screen.print(Text(f"  export OPENAI_BASE_URL={provider.base_url} OPENAI_API_KEY=sk-test"))


async def _interrupted() -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    try:
        await stop.wait()
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)
