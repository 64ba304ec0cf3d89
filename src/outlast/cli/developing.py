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
from outlast.cli.panel import panel
from outlast.cli.problem import LoadError, Missing, problem_of
from outlast.cli.program import find_file
from outlast.cli.screen import console
from outlast.cli.serving import (
    Serving,
    address_of,
    app_at,
    listener_of,
    require_libraries,
    run_server,
    usual_file,
)

_LOOK_S = 0.3
_GRACE_S = 2.0
_AGAIN = ("--no-open", "--again")


def develop(place: str, port: int, *, opens: bool, again: bool = False) -> int:
    """Serve the agent at ``FILE[:APP]`` with a chat page, until Ctrl-C. Wants no running loop.

    A file with a mistake in it is said, and waited for: whoever writes it saves it again.

    Raises:
        Missing: There is no such file, or the server's libraries are not installed.
    """
    require_libraries()
    place = place or usual_file("dev")
    if not has_key():
        os.environ.setdefault("OUTLAST_OFFLINE", "1")
    folder = _folder_of(place, again=again)
    before = _stamps(folder)
    try:
        app = app_at(place)
    except (LoadError, Missing, SyntaxError) as error:
        if isinstance(error, Missing) and not again:
            raise
        _await_mending(error, folder, before)
        return _serve_anew(place, str(port))
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
    is_changed = run_server(app, how, listener, until=lambda: _wait_for_change(folder, before))
    return _serve_anew(place, address.rpartition(":")[2]) if is_changed else 0


def _folder_of(place: str, *, again: bool) -> Path:
    try:
        return find_file(place)[0].parent
    except Missing:
        if not again:
            raise
        return Path(place).absolute().parent  # An editor may be about to put the file back.


def _await_mending(error: Exception, folder: Path, before: dict[Path, int]) -> None:
    """Say what is wrong with the program, and return when it was saved again."""
    panel(problem_of(error))
    console().print(Text("Nothing is served until the next save.", style="dim"))
    _wait_for_change(folder, before)


def _serve_anew(place: str, port: str) -> int:
    """Begin again as a new process, which has none of the old program in it."""
    console().print(Text("changed: serving anew", style="dim"))
    sys.stdout.flush()
    words = ["dev", place, "--port", port, *_AGAIN]
    os.execv(sys.executable, [sys.executable, "-m", "outlast", *words])  # noqa: S606  # ourselves


def _wait_for_change(folder: Path, before: dict[Path, int]) -> None:
    """Return when the Python files in a folder are other ones than they were, or have changed."""
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
