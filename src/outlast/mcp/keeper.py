"""A process between us and a stdio server, which ends the server when we are gone.

It is run by its file's name, with the standard library only. Nobody can catch SIGKILL, so a killed
program cannot end its servers, and many of them do not notice that their input has ended. The
keeper does: the reading end of its stderr is ours, so polling it tells that we are gone. The server
gets a process group of its own, and all of the group is ended, whatever it has started.

    python keeper.py PID COMMAND [ARGUMENT...]
"""

import os
import select
import signal
import sys
import time

GRACE_S = 1.0
POLL_MS = 500
NOT_FOUND = 127
NOT_RUN = 126


def _die_with_parent() -> None:
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    except (ImportError, OSError, AttributeError):
        return  # Not on Linux: the group is still ended.


def _start(command: list[str]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        _die_with_parent()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 (that is what it is for)
    except FileNotFoundError:
        os._exit(NOT_FOUND)
    except BaseException as error:  # noqa: BLE001  # there is nobody to raise it to
        os.write(2, f"{command[0]}: {error}\n".encode())
    os._exit(NOT_RUN)


def _kill(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _ended(child: int) -> "int | None":
    done, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _end(child: int) -> int:
    """End the whole group: kindly, then not."""
    code = None
    until = time.monotonic() + GRACE_S
    _kill(child, signal.SIGTERM)
    while code is None and time.monotonic() < until:
        time.sleep(0.01)
        code = _ended(child)
    _kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if code is None else code


def _wait(child: int, owner: int) -> int:
    is_told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: is_told.append(number))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    poll.register(2, 0)  # Only that its other end is gone: POLLERR or POLLHUP.
    while True:
        code = _ended(child)
        if code is not None:
            _kill(child, signal.SIGKILL)  # What it has left behind.
            return code
        is_gone = os.getppid() != owner
        for number, events in poll.poll(POLL_MS):
            if number == reader:
                os.read(reader, 4096)
            is_gone = is_gone or bool(events & (select.POLLERR | select.POLLHUP))
        if is_told or is_gone:
            return _end(child)


def main() -> int:
    """Start the server, wait for it, and end it in time; its exit code."""
    owner, command = int(sys.argv[1]), sys.argv[2:]
    _die_with_parent_kindly()
    child = _start(command)
    # The pipes are the server's: while we held them, nobody would see them end.
    empty = os.open(os.devnull, os.O_RDWR)
    os.dup2(empty, 0)
    os.dup2(empty, 1)
    code = _wait(child, owner)
    return code if code >= 0 else 128 - code


def _die_with_parent_kindly() -> None:
    """On Linux, hear at once that the thread which started us is gone."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    except (ImportError, OSError, AttributeError):
        return


if __name__ == "__main__":
    sys.exit(main())
