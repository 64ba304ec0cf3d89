"""Serving an agent to whoever writes it: with a page to talk with it, and anew after every change."""

from __future__ import annotations

import os
import sys
import threading
import time
import webbrowser
from pathlib import Path

from rich.text import Text

from outlast.cli.key import has_key
from outlast.cli.problem import Missing
from outlast.cli.program import find_file
from outlast.cli.screen import console
from outlast.cli.serving import (
    Serving,
    address_of,
    app_at,
    listener_of,
    require_libraries,
    run_server,
)

_USUAL = ("agent.py", "main.py", "app.py")
_LOOK_S = 0.3
_GRACE_S = 2.0
_AGAIN = "--no-open"


def develop(place: str, port: int, *, opens: bool) -> int:
    """Serve the agent at ``FILE[:APP]`` with a chat page, until Ctrl-C. Wants no running loop.

    Raises:
        Missing: There is no such file, or the server's libraries are not installed.
    """
    require_libraries()
    place = place or _usual_file()
    if not has_key():
        os.environ.setdefault("OUTLAST_OFFLINE", "1")
    app = app_at(place)
    app.show_chat()
    how = Serving(host="127.0.0.1", port=port, grace_s=_GRACE_S)
    listener = listener_of(how)
    address = address_of(how, listener)
    link = f"{address}/?token={app.token}" if app.token else address
    screen = console()
    screen.print(Text("chat  ", style="dim") + Text(link), soft_wrap=True)
    if os.environ.get("OUTLAST_OFFLINE") == "1":
        screen.print(Text("A stand-in plays the model: there is no OPENAI_API_KEY.", style="dim"))
    if opens:
        threading.Timer(0.5, webbrowser.open, [link]).start()
    folder = find_file(place)[0].parent
    is_changed = run_server(app, how, listener, until=lambda: _wait_for_change(folder))
    if is_changed:
        screen.print(Text("changed: serving anew", style="dim"))
        words = ["dev", place, "--port", address.rpartition(":")[2], _AGAIN]
        os.execv(sys.executable, [sys.executable, "-m", "outlast", *words])  # noqa: S606  # ourselves
    return 0


def _usual_file() -> str:
    found = [name for name in _USUAL if Path(name).is_file()] or sorted(
        map(str, Path().glob("*.py"))
    )
    if not found or (len(found) > 1 and found[0] not in _USUAL):
        raise Missing("Which file?", "Name the Python file that has the agent.", "outlast dev FILE")
    return found[0]


def _wait_for_change(folder: Path) -> None:
    """Return when a Python file in a folder was changed, made or removed."""
    before = _stamps(folder)
    while _stamps(folder) == before:
        time.sleep(_LOOK_S)


def _stamps(folder: Path) -> dict[Path, int]:
    stamps: dict[Path, int] = {}
    for file in folder.glob("*.py"):
        try:
            stamps[file] = file.stat().st_mtime_ns
        except OSError:  # It is being written.
            continue
    return stamps
