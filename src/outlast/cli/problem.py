"""An error as a person reads it: what happened, where in the user's program, what to do now."""

from __future__ import annotations

import site
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from outlast.cli.advice import advice
from outlast.client.client import ServerProblem
from outlast.core.errors import (
    AgentsException,
    AlreadyDecided,
    AlreadyRunning,
    CallNotFound,
    JournalError,
    RunConflict,
    RunHasEnded,
    RunIsPaused,
    RunNotFound,
    RunParked,
    UserError,
)
from outlast.core.missing import NoSuchThing

_OURS = Path(__file__).parents[1]
_NOWHERE = "This did not work"
_TRACE = "--trace shows the whole traceback."


class Problem(NamedTuple):
    """What a panel says."""

    title: str
    what: str
    where: str = ""
    """`file.py:12, in lookup`: a place in the user's program; empty where there is none."""
    fix: tuple[str, ...] = ()
    """Lines that say what to do."""
    status: int = 1


class Missing(Exception):
    """Something has to be given before the command can work."""

    def __init__(self, title: str, what: str, *fix: str) -> None:
        super().__init__(title)
        self.problem = Problem(title, what, fix=fix, status=2)


class RunError(Exception):
    """An error of a run, with the place of the agent that was run; its cause is the error itself."""

    def __init__(self, place: str, *fix: str) -> None:
        super().__init__(place)
        self.place, self.fix = place, fix


class LoadError(RunError):
    """A file could not be searched for an agent; its cause is what the file raised."""

    def __init__(self, file: str, run_id: str = "", *, is_script: bool = False) -> None:
        super().__init__(file)
        self.run_id, self.is_script = run_id, is_script


_UNKNOWN_CALLER = 401
_SERVER_KEY = "export OUTLAST_SERVER_KEY=...  a key of it, or the token that it has printed"
_GUARD = (
    "The file is executed to find its agent:",
    'put what it does under `if __name__ == "__main__":`',
)


def _of_loading(error: LoadError) -> Problem:
    assert error.__cause__ is not None
    problem = problem_of(error.__cause__)
    untouched = f"Run {error.run_id} was not touched by this command." if error.run_id else ""
    if not error.is_script:
        return problem._replace(fix=(*filter(None, [untouched]), *problem.fix))
    what = f"Loading {error.place} failed. {untouched}".strip()
    return problem._replace(
        title="The program could not be loaded",
        what=f"{what}\n{problem.what}",
        where=problem.where or error.place,
        fix=(*_GUARD, *problem.fix),
    )


def problem_of(error: BaseException) -> Problem:
    """What to say about ``error``, whoever raised it."""
    if isinstance(error, LoadError):
        return _of_loading(error)
    if isinstance(error, RunError) and error.__cause__ is not None:
        problem = problem_of(error.__cause__)
        fix = (*(line for line in problem.fix if line != _TRACE), *error.fix) or problem.fix
        title = (
            problem.title if problem.where else problem.title.replace(_NOWHERE, "The run failed")
        )
        return problem._replace(title=title, where=problem.where or error.place, fix=fix)
    if isinstance(error, BaseExceptionGroup):
        first, *others = _leaves(cast("BaseExceptionGroup[Any]", error))
        problem = problem_of(first)
        more = f" (and {len(others)} more errors)" if others else ""
        return problem._replace(what=f"{problem.what}{more}")
    return _ours(error) or _of_program(error)


def _ours(error: BaseException) -> Problem | None:
    """What to say about an error that Outlast raised on purpose."""
    if isinstance(error, Missing):
        return error.problem
    where = place_of(error)
    for kind, (said, status) in _TITLES.items():
        if isinstance(error, kind):
            return Problem(said, str(error), where, status=status)
    if isinstance(error, ServerProblem):
        fix = (_SERVER_KEY,) if error.status == _UNKNOWN_CALLER else ()
        return Problem("The server has refused", str(error), where, fix)
    if isinstance(error, JournalError):
        return Problem("The journal", _said(error), where)
    if isinstance(error, UserError):
        title = "A mistake in the program" if where else _NOWHERE
        return Problem(title, str(error), where, advice(error))
    if isinstance(error, AgentsException):
        return Problem("The run failed", _said(error), where, advice(error))
    return None


def _of_program(error: BaseException) -> Problem:
    """What to say about any other error."""
    if isinstance(error, SyntaxError):
        return _syntax(error)
    if isinstance(error, ModuleNotFoundError) and error.name and not _is_ours(error):
        return _module(error, error.name)
    if isinstance(error, FileNotFoundError) and not _has_folder():
        what = "The folder that this shell is in was removed."
        return Problem("No folder", what, fix=("cd to another one.",), status=2)
    where = place_of(error)
    if isinstance(error, OSError) and error.filename and error.strerror and not where:
        what = f"{str(error.filename)!r} cannot be used: {error.strerror}. Name another place."
        return Problem(_NOWHERE, what, fix=(_TRACE,))
    title = "The program failed" if where else _NOWHERE
    return Problem(title, _said(error), where, (*advice(error), _TRACE))


_TITLES: dict[type[AgentsException], tuple[str, int]] = {
    RunNotFound: ("Not found", 2),
    CallNotFound: ("Not found", 2),
    RunConflict: ("Another run", 2),
    AlreadyDecided: ("Too late", 1),
    RunHasEnded: ("Too late", 1),
    AlreadyRunning: ("The run is being performed", 1),
    RunParked: ("The run is parked", 1),
    RunIsPaused: ("The run is paused", 1),
    NoSuchThing: ("Not found", 2),
}
"""What is nobody's failure, and the status that says so."""


def whole_trace(error: BaseException) -> str:
    """What Python would print of ``error``."""
    error = (isinstance(error, RunError) and error.__cause__) or error
    return "".join(traceback.format_exception(error))


def place_of(error: BaseException) -> str:
    """Where in the user's program an error began: as near to its cause as the program goes."""
    for each in reversed(list(_chain(error))):
        frames = traceback.extract_tb(each.__traceback__)
        mine = [frame for frame in frames if is_of_program(frame.filename)]
        if mine:
            last = mine[-1]
            function = "" if last.name == "<module>" else f", in {last.name}"
            return f"{near(last.filename)}:{last.lineno}{function}"
    return ""


def is_of_program(file: str) -> bool:
    """Whether a file is neither ours nor Python's nor installed."""
    if file.startswith("<"):
        return False
    path = Path(file)
    return not any(path.is_relative_to(folder) for folder in (_OURS, *_installed()))


def near(file: str) -> str:
    """A file's name from the working directory on, if it is below that."""
    path = Path(file)
    try:
        here = Path.cwd()
    except OSError:  # It was removed.
        return file
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def _has_folder() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _installed() -> Iterator[str]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    yield from (sysconfig.get_path(name) for name in names)
    yield from (*site.getsitepackages(), site.getusersitepackages())


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _said(error: BaseException) -> str:
    text = str(error)
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    notes: Any = getattr(error, "__notes__", ())
    notes = cast("list[Any]", notes) if isinstance(notes, list) else []
    return "\n".join([said, *(note for note in notes if isinstance(note, str))])


def _syntax(error: SyntaxError) -> Problem:
    line = f": {error.text.strip()}" if error.text and error.text.strip() else ""
    where = f"{near(error.filename)}:{error.lineno}" if error.filename else ""
    fix = advice(error) or ("Mend that line, and try again.",)
    return Problem("Syntax error", f"{error.msg}{line}", where, fix)


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    errors: tuple[BaseException, ...] = group.exceptions
    for error in errors:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[Any]", error))
        else:
            yield error


def _is_ours(error: ModuleNotFoundError) -> bool:
    """Whether the message says more than Python's own does."""
    return not str(error).startswith("No module named")


def _module(error: ModuleNotFoundError, name: str) -> Problem:
    root = name.partition(".")[0]
    fix = (f"If that is its name, install it: {sys.executable} -m pip install {root}",)
    if root in ("agents", "outlast"):
        fix = ("Outlast has no such module: docs/compatibility.md lists what is missing.",)
    return Problem("A module is missing", str(error), place_of(error), fix)
