"""Starting the scripts beside the tests as processes, and talking with them line by line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

Child = subprocess.Popen[str]
Start = Callable[..., Child]


@contextmanager
def children_of(script: str) -> Generator[Start]:
    """What starts ``script`` with arguments; whoever lives at the end is killed."""
    children: list[Child] = []

    def begin_child(*args: object) -> Child:
        command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, args)]
        pipe = subprocess.PIPE
        children.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        return children[-1]

    yield begin_child
    for child in children:
        child.kill()
        child.communicate()


def line(child: Child) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def tell(child: Child, text: object = "go") -> None:
    assert child.stdin is not None
    child.stdin.write(f"{text}\n")
    child.stdin.flush()
