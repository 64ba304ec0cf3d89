"""What every command shares: a function that returns a status, and errors that become a panel.

Exit status: 0 done, 1 the run failed or the check found something, 2 something is missing.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from outlast.cli.panel import panel
from outlast.cli.program import ProgramError
from outlast.cli.provider import CannotServe
from outlast.core.errors import AgentsException, JournalError, RunNotFound

app = typer.Typer(
    help="Durable multi-agent runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or the start of one.")]
AgentPlace = Annotated[str, typer.Option("--agent", metavar="FILE:AGENT", help="The program.")]
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Missing(Exception):
    """Something has to be given before the command can work."""

    def __init__(self, title: str, *lines: str) -> None:
        super().__init__(title)
        self.lines = lines


def command(work: Callable[_P, int]) -> Callable[_P, int]:
    """Make ``work`` a command: its result is the status, what can go wrong a panel and a status."""

    @app.command(help=inspect.getdoc(work))
    @functools.wraps(work)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
        raise typer.Exit(_status(lambda: work(*args, **kwargs)))

    return work


def finish(work: Coroutine[Any, Any, _T]) -> _T:
    """What ``work`` returns, in a loop of its own. Programs are loaded where no loop runs."""
    return asyncio.run(work)


def _status(work: Callable[[], int]) -> int:
    try:
        return work()
    except Missing as missing:
        panel(str(missing), *missing.lines)
        return 2
    except (ProgramError, RunNotFound) as error:
        panel("Not found", str(error))
        return 2
    except CannotServe as error:
        panel("The provider cannot start", str(error))
        return 2
    except JournalError as error:
        panel(type(error).__name__, str(error))
        return 1
    except AgentsException as error:
        panel("The run failed", f"{type(error).__name__}: {error}")
        return 1
    except KeyboardInterrupt:
        panel("Stopped", "What was done is kept. Go on with: outlast resume --all")
        return 130
