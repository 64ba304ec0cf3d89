"""Serving the agents of a file until somebody stops it."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from outlast.cli.command import finish
from outlast.cli.logs import journal_place
from outlast.cli.problem import Missing
from outlast.cli.program import ProgramError, find_file, load_module, load_program
from outlast.cli.running import need_key
from outlast.cli.screen import console
from outlast.cli.text import plain

if TYPE_CHECKING:
    from outlast.server.app import App

_USUAL = ("agent.py", "main.py", "app.py")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PORTS_TRIED = 100
_BACKLOG = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How agents are served."""

    host: str
    port: int
    hosts: tuple[str, ...] = ()
    performs: bool = True
    grace_s: float = 20.0
    root_path: str = ""
    ssl_keyfile: str | None = None
    ssl_certfile: str | None = None
    logs_as_json: bool = False


def serve(place: str, how: Serving) -> int:
    """Serve the app or the agent at ``FILE[:APP]``, or of the usual file, until SIGTERM or Ctrl-C. Wants no running loop.

    Raises:
        Missing: The server's libraries are not installed, or the port is taken, or anybody could ask.
    """
    require_libraries()
    if how.logs_as_json:
        log_as_json()
    app = app_at(place or usual_file("serve"))
    if app.auth == "local" and how.host not in _LOOPBACK:
        raise Missing(
            "Anybody could ask",
            f"{plain(how.host)} can be reached from other machines, and the app knows only the token of this one.",
            "Serve it on 127.0.0.1, behind a proxy that knows who asks;",
            "or say who may: App(agents=[...], auth=ApiKeys()), or a function of yours.",
        )
    app.hosts |= {*how.hosts, *([how.host] if how.host not in ("0.0.0.0", "::") else [])}  # noqa: S104  # compared
    app.grace_s, app.performs = how.grace_s, how.performs and app.performs
    listener = listener_of(how)
    _say(app, how, listener)
    run_server(app, how, listener)
    return 0


def require_libraries() -> None:
    """Refuse to serve without what serves.

    Raises:
        Missing: The extra `server` is not installed.
    """
    if importlib.util.find_spec("fastapi") is None or importlib.util.find_spec("uvicorn") is None:
        raise Missing(
            "Missing",
            "A server needs fastapi and uvicorn.",
            "pip install '.[server]' in a clone of Outlast",
        )


def app_at(place: str) -> App:
    """The `App` of that name in a file, or the only one in it; else one of its agent."""
    from outlast.server.app import App

    path, name = find_file(place)
    found = {key: value for key, value in vars(load_module(path)).items() if isinstance(value, App)}
    if name in found:
        return found[name]
    if not name and len(found) > 1:
        raise ProgramError(
            f"{path.name} has several apps. Say which: {path.name}:{' or '.join(found)}."
        )
    if not name and found:
        return next(iter(found.values()))
    agent = load_program(place).agent
    need_key(agent)
    return App(agents=[agent])


def usual_file(word: str) -> str:
    """The file in this folder that has the agent, where the command ``word`` names none.

    Raises:
        Missing: There is none, or there are several.
    """
    found = [name for name in _USUAL if Path(name).is_file()] or sorted(
        map(str, Path().glob("*.py"))
    )
    if not found or (len(found) > 1 and found[0] not in _USUAL):
        raise Missing(
            "Which file?", "Name the Python file that has the agent.", f"outlast {word} FILE"
        )
    return found[0]


def listener_of(how: Serving) -> socket.socket:
    """A socket that listens where it was said.

    Raises:
        Missing: Nobody can listen there.
    """
    family = socket.AF_INET6 if ":" in how.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((how.host, how.port))
        listener.listen(_BACKLOG)  # Who asks before the app is there waits for it.
    except OSError as error:
        listener.close()
        free = next(
            (p for p in range(how.port + 1, how.port + _PORTS_TRIED) if _is_free(how.host, p)), 0
        )
        raise Missing(
            "Port taken",
            f"Nobody can listen on {how.host}:{how.port}: {error.strerror}.",
            f"outlast serve ... --port {free}",
        ) from error
    listener.set_inheritable(True)
    return listener


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        try:
            probe.bind((host, port))
        except (OSError, OverflowError):
            return False
    return True


def address_of(how: Serving, listener: socket.socket) -> str:
    """Where a browser finds the server."""
    scheme = "https" if how.ssl_certfile else "http"
    host = f"[{how.host}]" if ":" in how.host else how.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}{how.root_path}"


def _say(app: App, how: Serving, listener: socket.socket) -> None:
    address = address_of(how, listener)
    screen = console()
    rows = [
        ("serving", ", ".join(map(plain, app.list_agents()))),
        ("own API", f"{address}/api/v1"),
        ("OpenAI's", f"{address}/v1"),
        ("token", app.token),
        ("runs in", journal_place()),
    ]
    for name, value in rows:
        if value:
            screen.print(Text(f"{name:<9} ", style="dim") + Text(value), soft_wrap=True)
    screen.print(
        Text("Ctrl-C stops: what runs is put down, and goes on when somebody serves again.", "dim")
    )


def run_server(
    app: App, how: Serving, listener: socket.socket, until: Callable[[], None] | None = None
) -> bool:
    """Serve until SIGTERM or Ctrl-C, or until ``until`` returns; says whether that was it."""
    import uvicorn

    config: Any = uvicorn.Config(
        app,
        root_path=how.root_path,
        ssl_keyfile=how.ssl_keyfile,
        ssl_certfile=how.ssl_certfile,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(how.grace_s) + 5,
    )
    server = uvicorn.Server(config)
    is_over = threading.Event()

    def leave(*_: object) -> None:
        server.should_exit = True

    def watch() -> None:
        assert until is not None
        until()
        is_over.set()
        leave()

    # Uvicorn hears signals while it serves, and hands them on afterwards to whoever had them before:
    # to the process, which would die of them. One that comes before it serves counts as well.
    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    if until is not None:
        threading.Thread(target=watch, daemon=True).start()
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return is_over.is_set()


def log_as_json() -> None:
    """Write each request, and what becomes of runs, as a line of JSON to the standard error."""
    from outlast.server import logs

    logs.log_as_json()


def work(app: App, *, concurrency: int, grace_s: float, once: bool, queues: str = "") -> int:
    """Perform the runs of this machine's journal that begin with the agents of an app, until stopped."""
    app.grace_s, app.concurrency = grace_s, concurrency
    if queues:
        app.served_queues = frozenset(each.strip() for each in queues.split(","))
    names = ", ".join(map(plain, app.list_agents()))
    console().print(
        Text(f"Working for {names}, runs in {journal_place()}. Ctrl-C stops."), soft_wrap=True
    )
    finish(_worked(app, once=once))
    return 0


async def _worked(app: App, *, once: bool) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await app.start()
    working = asyncio.create_task(app.service.worker.until_idle()) if once else None
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait(
        {waiting, working} if working else {waiting}, return_when=asyncio.FIRST_COMPLETED
    )
    waiting.cancel()
    await app.stop()
