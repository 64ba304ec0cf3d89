"""A command of ours behind a terminal of 80 columns, as somebody sits at it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

import outlast

_PATIENCE = 30
_UNHEARD = 5
"""After so many seconds of silence a key is pressed again."""
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Starts `outlast WORDS`; what it has shown, without colours, is `shown`."""

    def __init__(self, *words: str, cwd: Path) -> None:
        self.shown = ""
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(outlast.__file__).parents[1]),
            "OUTLAST_HOME": str(cwd / ".outlast"),
            "TERM": "xterm",
            "INPUTRC": os.devnull,
        }
        environment.pop("COLUMNS", None)
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(cwd)
            command = [sys.executable, "-m", "outlast", *words]
            os.execve(sys.executable, command, environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def types(self, text: str) -> None:
        """Type ``text``; what was shown so far is not waited for again."""
        self.shown = ""
        os.write(self._fd, text.encode())

    def shows(self, text: str) -> str:
        """Wait until ``text`` is shown; returns all that was shown since something was typed."""
        end = time.monotonic() + _PATIENCE
        while text not in self.shown:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} is not shown: {self.shown!r}"
            if select.select([self._fd], [], [], left)[0]:
                self.shown += self._read()
        return self.shown

    def interrupts(self, text: str) -> str:
        """Press Ctrl-C until ``text`` is shown, as a person does who sees nothing happen.

        Python's readline looks at signals when its wait for a key is cut off. One that comes between the
        echo of a key and the wait for the next is seen with the key after it, so once is not enough.
        """
        end = time.monotonic() + _PATIENCE
        self.types("\x03")
        while text not in self.shown:
            assert time.monotonic() < end, f"{text!r} is not shown: {self.shown!r}"
            if select.select([self._fd], [], [], _UNHEARD)[0]:
                self.shown += self._read()
            else:
                os.write(self._fd, b"\x03")
        return self.shown

    def ends(self) -> int:
        """Wait until the command ends; returns its status."""
        try:
            while select.select([self._fd], [], [], _PATIENCE)[0] and os.read(self._fd, 4096):
                pass
        except OSError:  # Nobody holds the other side any more.
            pass
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """End it, however it is."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)

    def _read(self) -> str:
        return _COLOURS.sub("", os.read(self._fd, 4096).decode(errors="replace"))
