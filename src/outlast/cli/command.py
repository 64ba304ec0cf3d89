"""What every command shares: a function that returns a status, and errors that become a panel.

Exit status: 0 done, 1 the run failed or the check found something, 2 something is missing, 130 and
143 stopped by Ctrl-C and by SIGTERM.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from outlast.cli.helping import Command, Group
from outlast.cli.logs import list_runs
from outlast.cli.panel import panel, print_lines
from outlast.cli.problem import Problem, problem_of, whole_trace
from outlast.cli.program import with_dashes
from outlast.cli.remote import use_server
from outlast.cli.text import plain
from outlast.core.errors import AgentsException
from outlast.core.surrogates import is_sound
from outlast.journal.journal import RunFilter
from outlast.version import __version__

BEHIND_DASHES = "outlast.behind_dashes"
STOPPED = 128
"""What a shell adds to the number of the signal that ended a program."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Terminated(BaseException):
    """The process was told to end, by SIGTERM."""


class Commands(Group):
    """The group of all commands. Wrong usage becomes a panel as well."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note whether the words of a command stand behind `--`, which click takes away."""
        for word in args:
            if not is_sound(word) and not Path(word).exists():
                raise typer.BadParameter(
                    f"{word!r:.80} has bytes that are no UTF-8. Expected a text, or a file that exists."
                )
        args = with_dashes(args)
        ctx.meta[BEHIND_DASHES] = "--" in args
        return super().parse_args(ctx, args)

    def main(  # what click calls
        self, args: Any = None, prog_name: str | None = None, *rest: Any, **options: Any
    ) -> Any:
        """Run the command of ``args`` and leave with its status."""
        leaves = options.pop("standalone_mode", True)
        name = prog_name or "outlast"
        try:
            code = super().main(args, name, *rest, standalone_mode=False, **options)
        except _USAGE_ERROR as error:
            code = _say_usage(error)
        except (typer.Abort, KeyboardInterrupt):
            code = STOPPED + signal.SIGINT
        if leaves:
            sys.exit(code or 0)
        return code


# Some versions of typer bring a click of their own, so the family is found by its member.
_USAGE_ERROR: Any = typer.BadParameter.__mro__[1]


def _say_usage(error: Any) -> int:
    fix = (f"See: {error.ctx.command_path} -h",) if error.ctx else ()
    said = _in_words(error.format_message())
    if getattr(error, "option_name", "") == "--server":
        said = "Write --server URL before the command: outlast --server URL runs"
    panel(Problem("Usage", said, fix=fix))
    return error.exit_code


def _in_words(said: str) -> str:
    """A message of the parser's as a person would put it."""
    for pattern, words in _SAID.items():
        said = re.sub(pattern, words, said)
    return said


_SAID = {
    r"^Invalid value: ": "",
    r"Input should be a valid integer.*": "expected a whole number.",
    r"Input should be a valid number.*": "expected a number.",
    r"Input should be greater than or equal to (\S+)": r"expected a number from \1 on.",
    r"Input should be less than or equal to (\S+)": r"expected a number up to \1.",
}


def _say_version(wanted: bool) -> None:
    if wanted:
        python = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
        typer.echo(f"outlast {__version__} (Python {python})")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    add_completion=False,  # `completion` prints it, for any shell.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001  # its callback does the work
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_say_version,
            is_eager=True,
            help="Say which version this is.",
        ),
    ] = False,
    server: Annotated[
        str,
        typer.Option(
            metavar="URL", help="Look at the runs of a server: runs, show, approve, cancel, …"
        ),
    ] = "",
) -> None:
    """Durable multi-agent runs: run them, look at them, go on with them."""
    if server:
        use_server(server)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def check_known(option: str, value: str, known: Iterable[str]) -> None:
    """Refuse a value of an option that there is not.

    Raises:
        typer.BadParameter: It is not ``known``.
    """
    names = sorted(set(known))
    if value not in names:
        listed = ", ".join(plain(name) for name in names)
        raise typer.BadParameter(
            f"--{option} {value!r} is not one of those there are. Expected one of: {listed}."
        )


def known_ids(incomplete: str) -> list[str]:
    """The ids of runs that begin so, for a shell that completes them. Never an error."""
    try:
        which: RunFilter = {"run_id_starts": incomplete, "roots_only": True}
        return [row.run_id for row in asyncio.run(list_runs(limit=_COMPLETED, **which))]
    except AgentsException:
        return []


_COMPLETED = 50

RunId = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's id, or the start of one.", autocompletion=known_ids
    ),
]
WholeRunId = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's whole id.", autocompletion=known_ids)
]
MaxTurns = Annotated[
    int | None, typer.Option("--max-turns", min=1, help="How many turns the whole run may make.")
]
AgentPlace = Annotated[
    str,
    typer.Option("--agent", metavar="FILE[:AGENT]", help="The program to go on with."),
]
CallId = Annotated[str, typer.Argument(metavar="CALL", help="A call's whole id.")]
AllCalls = Annotated[bool, typer.Option("--all", help="All calls of the run that wait.")]
Message = Annotated[str, typer.Option(help="What the model is told of a call that is refused.")]
By = Annotated[str, typer.Option(help="Who says so; without it, the name of your account.")]
Why = Annotated[str, typer.Option(help="A reason, for whoever reads the log.")]
Full = Annotated[bool, typer.Option("--full", help="Cut nothing, however long it is.")]
Limit = Annotated[int, typer.Option(min=0, help="As many at most; 0 lists all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, with whole ids, uncut.")]
_TRACE = inspect.Parameter(
    "trace",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, typer.Option("--trace", help="Show errors with their traceback.")],
)


def command(
    example: str, settings: dict[str, Any] | None = None
) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Make a function a command.

    Its result is the status, and what goes wrong becomes a panel and a status.

    Args:
        example: Lines for the end of its help: the command as one types it.
        settings: What click is to know of it besides.
    """

    def made(work: Callable[_P, int]) -> Callable[_P, int]:
        @functools.wraps(work)
        def run(*args: Any, trace: bool = False, **kwargs: Any) -> None:
            raise typer.Exit(_status(functools.partial(work, *args, **kwargs), trace=trace))

        kept = inspect.signature(work, eval_str=True)
        run.__signature__ = kept.replace(  # pyright: ignore[reportAttributeAccessIssue]  # typer reads it
            parameters=[*kept.parameters.values(), _TRACE]
        )
        text = "\n".join(f"  {line}" for line in example.strip().splitlines())
        epilog = f"\b\nExamples:\n{text}"
        app.command(
            cls=Command, help=inspect.getdoc(work), epilog=epilog, context_settings=settings
        )(run)
        return work

    return made


def finish(work: Coroutine[Any, Any, _T]) -> _T:
    """What ``work`` returns, in a loop of its own. Programs are loaded where no loop runs.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the work was cancelled.
        Terminated: SIGTERM came; the work was cancelled.
    """
    return asyncio.run(_until_terminated(work))


async def _until_terminated(work: Coroutine[Any, Any, _T]) -> _T:
    loop, task, told = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

    def stop() -> None:
        told.set()
        if task is not None:
            task.cancel()

    try:
        loop.add_signal_handler(signal.SIGTERM, stop)
    except (ValueError, RuntimeError, NotImplementedError):  # Not in the main thread.
        return await work
    try:
        return await work
    except asyncio.CancelledError:
        if told.is_set():
            raise Terminated from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _status(work: Callable[[], int], *, trace: bool) -> int:
    try:
        return work()
    except (_USAGE_ERROR, typer.Exit, typer.Abort):
        raise
    except SystemExit as leaving:
        return _left(leaving)
    except KeyboardInterrupt:
        return _say_stopped(signal.SIGINT)
    except Terminated:
        return _say_stopped(signal.SIGTERM)
    except BrokenPipeError:  # Of the program's own output, with nobody left to read it.
        return 1
    except Exception as error:  # noqa: BLE001  # the edge of the program: whoever raised it
        if trace:
            print_lines(whole_trace(error))
        problem = problem_of(error)
        panel(problem)
        return problem.status


def _left(leaving: SystemExit) -> int:
    """The status of a program that has called `sys.exit`."""
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    print_lines(str(leaving.code))
    return 1


def _say_stopped(number: signal.Signals) -> int:
    fix = ("See what there is: outlast runs", "Go on with a run:  outlast resume RUN --agent FILE")
    panel(Problem("Stopped", "What was done is kept.", fix=fix))
    return STOPPED + number
