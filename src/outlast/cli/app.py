"""The commands. Each is a few lines: parse, call, print; errors become a panel and a status.

Exit status: 0 done, 1 the run failed or the check found something, 2 something is missing.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from outlast.cli.approvals import Waiting, chosen_call, record, waiting_calls
from outlast.cli.doctor import examine, forget_health, has_key, is_offline
from outlast.cli.live import LiveScreen
from outlast.cli.logs import is_cut_off, list_runs, read_run
from outlast.cli.program import Program, ProgramError, load_program
from outlast.cli.provider import CannotServe, Serving, list_faults, serve
from outlast.cli.show import console, duration, run_summary, run_tree
from outlast.cli.steps import RunView, arguments_of
from outlast.cli.text import lines, plain, short
from outlast.core.errors import AgentsException, JournalError, RunNotFound
from outlast.definitions.agent import Agent
from outlast.demo.screen import play
from outlast.journal.journal import TERMINAL
from outlast.run.runner import get_default_agent_runner

app = typer.Typer(
    help="Durable multi-agent runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or the start of one.")]
AgentPlace = Annotated[str, typer.Option("--agent", metavar="FILE:AGENT", help="The program.")]
_P = ParamSpec("_P")


class Missing(Exception):
    """Something has to be given before the command can work."""

    def __init__(self, title: str, *lines: str) -> None:
        super().__init__(title)
        self.lines = lines


def _command(work: Callable[_P, Coroutine[Any, Any, int]]) -> Callable[_P, None]:
    """Make ``work`` a command: its result is the status, what can go wrong a panel and a status."""

    @app.command()
    @functools.wraps(work)
    def command(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            code = asyncio.run(work(*args, **kwargs))
        except Missing as missing:
            _panel(str(missing), *missing.lines)
            code = 2
        except (ProgramError, RunNotFound) as error:
            _panel("Not found", str(error))
            code = 2
        except CannotServe as error:
            _panel("The provider cannot start", str(error))
            code = 2
        except JournalError as error:
            _panel(type(error).__name__, str(error))
            code = 1
        except AgentsException as error:
            _panel("The run failed", f"{type(error).__name__}: {error}")
            code = 1
        except KeyboardInterrupt:
            _panel("Stopped", "What was done is kept. Go on with: outlast resume --all")
            code = 130
        raise typer.Exit(code)

    return command


@app.command()
def demo(
    message: Annotated[str, typer.Argument(help="What the customer writes.")] = "",
    home: Annotated[Path | None, typer.Option(help="Where to play it.")] = None,
) -> None:
    """A support desk that is killed in the middle of a refund, and goes on."""
    raise typer.Exit(play(message or os.environ.get("MSG", ""), home))


@_command
async def run(
    place: Annotated[str, typer.Argument(metavar="FILE[:AGENT]", help="A Python file.")],
    message: Annotated[str, typer.Argument(help="What to tell the agent.")],
    run_id: Annotated[
        str, typer.Option("--id", help="Continue or return the run of this id.")
    ] = "",
) -> int:
    """Run an agent of a Python file."""
    program = load_program(place)
    if run_id and any(row.run_id == run_id and row.status in TERMINAL for row in await list_runs()):
        return _say_finished(run_id, (await read_run(run_id))[0])
    _need_key(program.agent)
    return await _perform(program, message, run_id or None)


@_command
async def runs(
    status: Annotated[str, typer.Option(help="Only these: running, waiting, completed, …")] = "",
) -> int:
    """List the runs of this directory's journal, the newest first."""
    found = [row for row in await list_runs(status or None) if not row.parent]
    screen = console()
    if not found:
        screen.print("No runs here yet. Start one with: outlast demo")
        return 0
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("run", "agent", "status", "events", "updated"):
        table.add_column(name, justify="right" if name == "events" else "left", no_wrap=True)
    now = time.time()
    for row in found:
        state = Text("interrupted", "yellow") if is_cut_off(row) else Text(plain(row.status))
        age = f"{duration(now - row.updated_at)} ago"
        cells = (short(row.run_id, 32), short(row.agent, 16))
        table.add_row(*map(Text, cells), state, str(row.events), age)
    screen.print(table)
    return 0


@_command
async def show(run_id: RunId) -> int:
    """Show what a run did: its steps, and where a process died."""
    found = await _matching(run_id)
    view, children = await read_run(found)
    screen = console()
    screen.print(run_tree(found, view, children, screen.width))
    screen.print(run_summary(view))
    return 0


@_command
async def resume(
    run_id: Annotated[str, typer.Argument(metavar="[RUN]")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="All runs that were interrupted.")
    ] = False,
    place: AgentPlace = "",
) -> int:
    """Go on with a run, or with all that were interrupted."""
    if bool(run_id) == everything:
        raise typer.BadParameter("Name a run, or say --all.")
    chosen = [await _matching(run_id)] if run_id else await _interrupted()
    if not chosen:
        console().print("Nothing to resume: no run was interrupted.")
    codes = [await _resume_one(each, place) for each in chosen]
    return max(codes, default=0)


async def _resume_one(run_id: str, place: str) -> int:
    view, _ = await read_run(run_id)
    if view.status in TERMINAL:
        return _say_finished(run_id, view)
    program = await _program_of(run_id, place)
    console().print(Text(f"resuming {plain(run_id)}", style="bold"))
    return await _perform(program, "", run_id)


def _say_finished(run_id: str, view: RunView) -> int:
    screen = console()
    screen.print(Text(f"Run {plain(run_id)} is {view.status} already. Nothing to do."))
    for line in lines(view.output or view.error):
        screen.print(Text(line))
    return 0 if view.status == "completed" else 1


@_command
async def approve(
    run_id: RunId,
    call: Annotated[
        str, typer.Argument(metavar="CALL", help="A call's id, or the start of one.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="All calls that wait.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Say no instead of yes.")] = False,
    message: Annotated[str, typer.Option(help="With --reject: what the model is told.")] = "",
    place: AgentPlace = "",
) -> int:
    """List the calls that wait for a person; decide about one, and go on."""
    if call and everything:
        raise typer.BadParameter("Name a call, or say --all.")
    if message and not reject:
        raise typer.BadParameter("A --message goes with --reject: an approved call says nothing.")
    if reject and not (call or everything):
        raise typer.BadParameter("Name the call to reject, or say --all.")
    run_id = await _matching(run_id)
    waiting = await waiting_calls(run_id)
    if not waiting:
        console().print(Text(f"Nothing waits for a person in run {plain(run_id)}."))
        return 0
    if not (call or everything):
        return _list_waiting(run_id, waiting)
    keys = [chosen_call(waiting, call).key] if call else [each.key for each in waiting]
    program = await _program_of(run_id, place)
    await record(run_id, keys, approved=not reject, message=message)
    word = "rejected" if reject else "approved"
    console().print(Text(f"{word} {plain(', '.join(keys))}", style="bold"))
    return await _perform(program, "", run_id)


def _list_waiting(run_id: str, waiting: list[Waiting]) -> int:
    screen = console()
    for each in waiting:
        screen.print(Text(f"{plain(each.key)}  {plain(each.agent)}", style="bold"))
        screen.print(Text(f"  {plain(each.tool)}({plain(arguments_of(each.item))})", style="cyan"))
    screen.print(Text(f"\noutlast approve {plain(run_id)} CALL [--reject]", style="dim"))
    return 0


@_command
async def doctor(
    reset: Annotated[
        bool, typer.Option("--reset", help="Ask models again that are passed over for failures.")
    ] = False,
) -> int:
    """Check what runs need: Python, the journal, a key, models that answer."""
    if reset:
        known = await forget_health()
        console().print(f"Forgot the circuits and counts of {known} models.")
    checks = await examine()
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        style, mark = _VERDICTS[check.verdict]
        table.add_row(Text(mark, style=style), Text(check.name), Text(plain(check.found)))
    console().print(table)
    return 1 if any(check.verdict == "bad" for check in checks) else 0


_VERDICTS: dict[str, tuple[str, str]] = {
    "good": ("green", "✓"),
    "note": ("yellow", "!"),
    "bad": ("red", "✗"),
}


@_command
async def provider(  # noqa: PLR0913 (a command has the options that it has)
    script: Annotated[
        Path | None, typer.Option(help="A JSON file of steps to answer from.")
    ] = None,
    model: Annotated[str, typer.Option(help="Without a script: offline, or demo.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where; 0 takes a free one.")] = 0,
    log: Annotated[Path | None, typer.Option(help="Add a line of JSON for each request.")] = None,
    stateless: Annotated[
        bool, typer.Option("--stateless", help="Choose a step by the conversation's turn.")
    ] = False,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two events.")] = 0.0,
    faults: Annotated[
        bool, typer.Option("--faults", help="List how it can fail, and end.")
    ] = False,
) -> int:
    """Serve a fake OpenAI on this machine, for programs under test."""
    if faults:
        return list_faults()
    return await serve(Serving(script, model, port, log, stateless, pause))


# --- What they share. --------------------------------------------------------------------


async def _perform(program: Program, message: str, run_id: str | None) -> int:
    """Start a run, or go on with it, and show what happens."""
    # The log remembers the program, so that `resume` finds it. `Runner` has no argument for that.
    result = get_default_agent_runner().run_streamed(
        program.agent, message, run_id=run_id, program=program.place
    )
    screen = console()
    live = LiveScreen(screen)
    live.agent(program.agent.name)
    await live.show(result.stream_events())
    waits = [item.tool_name for item in result.interruptions]
    if waits:
        screen.print(Text(f"waits for a person: {', '.join(map(plain, waits))}", style="cyan"))
    next_step = "approve" if waits else "show"
    screen.print(Text(f"\noutlast {next_step} {plain(result.run_id)}", style="dim"))
    return 0


_PANEL_MAX = 400
"""Characters of a line in a panel: six lines of the screen."""


def _panel(title: str, *lines: str) -> None:
    """At most eight lines on the error stream, borders included."""
    text = Text("\n".join(plain(line)[:_PANEL_MAX] for line in lines[:6]))
    console(stderr=True).print(Panel(text, title=title, title_align="left", border_style="red"))


def _need_key(agent: Agent[Any]) -> None:
    name = agent.model or ""
    needs_none = (
        not isinstance(name, str) or name == "offline" or "/" in name.removeprefix("openai/")
    )
    if needs_none or has_key() or is_offline():
        return
    raise Missing(
        "No API key",
        "OPENAI_API_KEY is not set, and this agent calls a model by its name.",
        "",
        "  export OPENAI_API_KEY=…        to call the real model",
        "  OUTLAST_OFFLINE=1 outlast …  to use the offline stand-in",
        "  outlast demo                  to see a run, no key needed",
    )


async def _matching(run_id: str) -> str:
    known = [row.run_id for row in await list_runs()]
    if run_id in known:
        return run_id
    starts = [other for other in known if other.startswith(run_id)]
    if len(starts) == 1:
        return starts[0]
    if starts:
        some = ", ".join(starts[:3])
        raise RunNotFound(f"{len(starts)} runs start with {run_id!r}: {some}. Type more of it.")
    raise RunNotFound(f"There is no run {run_id!r} among {len(known)}. See: outlast runs")


async def _interrupted() -> list[str]:
    return [row.run_id for row in await list_runs() if is_cut_off(row) and not row.parent]


async def _program_of(run_id: str, place: str) -> Program:
    if not place:
        view, _ = await read_run(run_id)
        place = view.program
    if not place:
        raise Missing(
            "Which program?",
            f"Run {run_id} does not say which file it was started from. Say it:",
            "  --agent FILE:AGENT",
        )
    program = load_program(place)
    _need_key(program.agent)
    return program
