"""Finding a run and its program, and performing it on the screen: what several commands share."""

from __future__ import annotations

import asyncio
import getpass
import logging
import shlex
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from rich.text import Text

from outlast.cli.advice import about_context
from outlast.cli.approvals import calls_of
from outlast.cli.asking import call_lines
from outlast.cli.command import finish
from outlast.cli.key import has_key, is_offline
from outlast.cli.live import LiveScreen
from outlast.cli.logs import journal_place, list_runs, read_run, with_namesakes
from outlast.cli.problem import Missing, RunError, near
from outlast.cli.program import Program, line_of, load_program
from outlast.cli.remote import server_url
from outlast.cli.screen import console, print_json
from outlast.cli.text import lines, plain, short_id
from outlast.core.errors import AgentsException, BudgetExceeded, RunConflict, RunNotFound
from outlast.core.failing import why_final
from outlast.core.state import Options
from outlast.definitions.agent import Agent
from outlast.effects.config import RunConfig
from outlast.journal.journal import TERMINAL
from outlast.journal.opening import open_journal
from outlast.run.commands import state_of
from outlast.run.control import unpause
from outlast.run.runner import get_default_agent_runner
from outlast.run.servers import connected_servers
from outlast.views.timeline import Timeline
from outlast.views.waiting import WaitingCall
from outlast.views.words import command_line


async def matching_run(run_id: str) -> str:
    """The id of the one run whose id starts so.

    Raises:
        RunNotFound: None does, or several do.
    """
    starts = [row.run_id for row in await list_runs(run_id_starts=run_id)]
    if run_id in starts:
        return run_id
    if len(starts) == 1:
        return starts[0]
    if starts:
        some = ", ".join(starts[:3])
        raise RunNotFound(f"{len(starts)} runs start with {run_id!r}: {some}. Type more of it.")
    raise RunNotFound(f"There is no run {run_id!r} in {journal_place()}. See: outlast runs")


def account() -> str:
    """The name of whoever sits at the terminal, as the system knows it; empty if it does not."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


async def whole_run(run_id: str) -> str:
    """The id, if a run has it. What cannot be taken back needs the whole of it.

    Raises:
        RunNotFound: None does; the message names those that start so.
    """
    known = [row.run_id for row in await list_runs(run_id_starts=run_id)]
    if run_id in known:
        return run_id
    starts = ", ".join(known[:3])
    hint = f"These start so: {starts}." if starts and run_id else "See: outlast runs"
    raise RunNotFound(f"This needs the whole id of a run, and {run_id!r} is none. {hint}")


def say(what: str, run_id: str) -> None:
    """Say what was done with a run."""
    console().print(Text(f"{what} {plain(run_id)}", style="bold"))


def program_of(run_id: str, view: Timeline, place: str, word: str = "resume") -> Program:
    """The program at ``place``. Wants no running loop.

    The log says which file the run was started from. That is shown and never executed: whoever can
    write to a journal could name a file of theirs.

    Raises:
        Missing: No place was named; the error says how to go on, with the command ``word``.
    """
    if not place:
        was = f"was started from {plain(view.program)}" if view.program else "names no file"
        raise Missing(
            "Which program?",
            f"Run {plain(run_id)} {was}. What stands in a journal is not executed: name the program.",
            *finish(ways_on(run_id, view.program, word)),
        )
    program = load_program(place, run_id=run_id)
    need_key(program.agent)
    return program


def require_nothing_else(run_id: str, *, before: str = "Nothing was done. ") -> None:
    """Refuse to go on here with a run that needs what only its program has. Wants no running loop.

    Args:
        run_id: The run.
        before: What the command has done with it.

    Raises:
        Missing: The run began with a session, or with a context.
    """
    options = finish(state_of(open_journal(), run_id)).options
    needs = _needs(options)
    if not needs:
        return
    session = f" (session {plain(options.session_id)!r})" if options.session_id else ""
    raise Missing(
        "Its program goes on with it",
        f"{before}Run {plain(run_id)} began with a {' and a '.join(needs)}{session}, and a command "
        f"line has none: its tools would be performed without.",
        _in_program(run_id, needs, _file(options.program)),
    )


def _needs(options: Options) -> list[str]:
    """What a run began with that only its program has, as arguments of `Runner`."""
    return [name for name, field in _NEEDS.items() if getattr(options, field)]


_NEEDS = {"session": "session", "context": "has_context"}
"""What only a program can give, and what a log says of it."""


def _in_program(run_id: str, needs: list[str], file: str = "") -> str:
    more = "".join(f", {name}=..." for name in needs)
    place = plain(near(file)) if file else "the program"
    return f"await Runner.resume({plain(run_id)!r}, agent{more})   in {place}"


def _file(program: str) -> str:
    """The file of what a log says of a program: `FILE:VARIABLE`, `FILE` alone, or nothing."""
    return program if program.endswith(".py") else program.rpartition(":")[0]


async def ways_on(run_id: str, program: str, word: str = "resume") -> tuple[str, ...]:
    """How to go on with a run that began in ``program``: a command, or in the program what only that can."""
    if url := server_url():
        return (plain(f"The server goes on by itself: outlast --server {url} show {run_id}"),)
    needs = _needs((await state_of(open_journal(), run_id)).options)
    file = _file(program)
    if needs:
        return (_in_program(run_id, needs, file),)
    command = how_to_go_on(run_id, program, word)
    if file != program or not program:
        return (command,)
    return (_in_program(run_id, [], file), f"{command}   if FUNCTION returns the agent")


def how_to_go_on(run_id: str, program: str, word: str = "resume") -> str:
    """The command that goes on with a run, with the program that its log names, as text."""
    file, _, variable = program.rpartition(":")
    if program.endswith(".py"):  # The agent is in no variable.
        file, variable = program, "FUNCTION"
    place = shlex.quote(plain(f"{near(file)}:{variable}")) if program else "FILE[:AGENT]"
    return plain(command_line(word, run_id, options=f"--agent {place}"))


def need_key(agent: Agent, model: str = "") -> None:
    """Refuse an agent that would call OpenAI without a key, with ``model`` in place of its own."""
    name = model or agent.model or ""
    needs_none = (
        not isinstance(name, str) or name == "offline" or "/" in name.removeprefix("openai/")
    )
    if needs_none or has_key() or is_offline():
        return
    raise Missing(
        "No API key",
        "OPENAI_API_KEY is not set, and this agent calls a model by its name.",
        "export OPENAI_API_KEY=sk-...  calls the real model",
        "export OUTLAST_OFFLINE=1      uses the offline stand-in",
        "outlast demo                  shows a run, no key needed",
    )


def resume_one(
    run_id: str,
    place: str,
    max_turns: int | None,
    *,
    word: str = "resume",
    as_json: bool = False,
) -> int:
    """Go on with a run that can go on; of another one, say what it came to. Wants no running loop."""
    view, _ = finish(read_run(run_id))
    if view.status in TERMINAL and not view.can_go_on:
        return say_finished(run_id, view, as_json=as_json)
    if view.status == "paused" and not place:
        finish(unpause(run_id, by=account()))
        say("goes on:", run_id)
        hint = "A worker that recovers runs goes on with it; or:"
        console().print(Text(f"\n{hint}", style="dim"), soft_wrap=True)
        say_ways_on(run_id, view.program)
        return 0
    require_nothing_else(run_id)
    if view.failure and view.failure.kind == "MaxTurnsExceeded" and max_turns is None:
        raise Missing(
            "It has made all of its turns",
            view.error,
            f"{how_to_go_on(run_id, view.program, word)} --max-turns N",
        )
    program = program_of(run_id, view, place, word)
    doing = "retrying" if view.status == "failed" else "resuming"
    if not as_json:
        console().print(Text(f"{doing} {plain(run_id)}", style="bold"))
    more: dict[str, Any] = {} if max_turns is None else {"max_turns": max_turns}
    facts: dict[str, Any] | None = {} if as_json else None
    return finish(perform(program, "", run_id, goes_on=True, facts=facts, **more))


async def perform(program: Program, message: str, run_id: str | None, **options: Any) -> int:
    """Connect the MCP servers of a program's agents, and do as `show_run` does."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(connected_servers(program.agent))
        except Exception as error:
            raise RunError(line_of(program)) from error
        return await show_run(program, message, run_id, **options)


async def show_run(
    program: Program,
    message: str,
    run_id: str | None,
    *,
    facts: Mapping[str, Any] | None = None,
    again: str = "",
    **options: Any,
) -> int:
    """Start a run, or go on with it, and show what happens. Returns the status of the command.

    Args:
        program: The agent.
        message: What it is told.
        run_id: The run; None for a new one.
        facts: Print JSON at the end instead: these, and what the run came to.
        again: The command that does this once more, where going on with the run would do something else.
        options: Of `Runner.run_streamed`.
    """
    # The log remembers the program, for whoever looks at the run. `Runner` has no argument for that.
    logging.getLogger("outlast").addHandler(logging.NullHandler())  # The screen says all of it.
    screen = console(quiet=facts is not None)
    live = LiveScreen(screen)
    live.agent(program.agent.name)
    # Ctrl-C: somebody has to go on with it.
    config = replace(options.pop("run_config", None) or RunConfig(), on_abandon="leave")
    try:
        result = get_default_agent_runner().run_streamed(
            program.agent,
            message,
            run_id=run_id,
            program=program.place,
            run_config=config,
            **options,
        )
    except Exception as error:
        raise RunError(line_of(program)) from error
    try:
        await live.show(result)
    except asyncio.CancelledError:  # Ctrl-C, or SIGTERM.
        live.end()
        say = again or how_to_go_on(result.run_id, program.place)
        screen.print(Text(f"\n{say}", style="dim"), soft_wrap=True)
        raise
    except Exception as error:
        live.end()
        raise await _failed(error, result.run_id, program, again) from error
    if facts is not None:
        print_json({**facts, **(await facts_of(result.run_id))})
        return 0
    if result.interruptions:
        screen.print(Text("waits for a person", style="cyan"))
        show_waiting(result.run_id, await calls_of(result.run_id))
    else:
        screen.print(Text(f"\n{await _how_to_show(result.run_id)}", style="dim"))
    return 0


async def _failed(error: Exception, run_id: str, program: Program, again: str) -> Exception:
    if isinstance(error, RunConflict):
        return _another(error)
    more = [_how_to_top_up(error, run_id)] if isinstance(error, BudgetExceeded) else []
    more += filter(None, [about_context(str(error))])
    return RunError(line_of(program), *more, *(await _ways_on(run_id, program, again)))


def _how_to_top_up(error: BudgetExceeded, run_id: str) -> str:
    option = {"cost_usd": "usd", "tool_calls": "calls"}.get(error.measure, error.measure)
    whose = error.budget.rpartition(" of ")[2].removeprefix("the ").split()[0]
    per = f" --per {whose}" if whose in ("agent", "user", "tenant", "journal") else ""
    return plain(command_line("topup", run_id, options=f"--{option} N{per}"))


def _another(error: RunConflict) -> Missing:
    """What a command line says of an id that is another run's: how to go on is a command there."""
    show = plain(command_line("show", error.run_id)) if error.run_id else "outlast runs"
    what = error.what or str(error)
    return Missing("Another run", what, f"{show}   what that run did", "--id OTHER for other work")


async def facts_of(run_id: str) -> dict[str, Any]:
    """What a run has come to, for `--json`."""
    view, _ = await read_run(run_id)
    return {
        "run_id": run_id,
        "status": view.status,
        "output": view.output,
        "waiting": [call.key for call in await calls_of(run_id)],
    }


async def _ways_on(run_id: str, program: Program, again: str) -> tuple[str, ...]:
    """The commands for a run that has failed; none if it has no log."""
    try:
        view, _ = await read_run(run_id)
    except AgentsException:  # What it failed of is the news.
        return ()
    retry = again or how_to_go_on(run_id, program.place, "retry")
    return (*([retry] if view.can_go_on else []), await _how_to_show(run_id))


async def _how_to_show(run_id: str) -> str:
    known = await with_namesakes([run_id])
    return plain(command_line("show", short_id(run_id, known)))


def show_waiting(run_id: str, calls: list[WaitingCall], *, is_full: bool = False) -> None:
    """Show calls that wait, as what they will run."""
    screen = console()
    for call in calls:
        for number, line in enumerate(call_lines(run_id, call, screen.width, is_full=is_full)):
            style = "bold" if not number else "cyan" if number == 1 else ""
            screen.print(Text(line, style=style), soft_wrap=True)


def say_ways_on(run_id: str, program: str, word: str = "resume") -> None:
    """Say how to go on with a run. Wants no running loop."""
    for line in finish(ways_on(run_id, program, word)):
        console().print(Text(line, style="dim"), soft_wrap=True)


def say_finished(run_id: str, view: Timeline, *, as_json: bool = False) -> int:
    """Say what a run that has ended came to. Returns the status of the command."""
    status = 0 if view.status == "completed" else 1
    if as_json:
        print_json(finish(facts_of(run_id)))
        return status
    screen = console()
    verb = "has" if view.status == "failed" else "is"
    screen.print(Text(f"Run {plain(run_id)} {verb} {view.status} already. Nothing to do."))
    for line in lines(view.output or view.error):
        screen.print(Text(line))
    if view.status == "cancelled":
        screen.print(Text("Somebody stopped it; that does not change. Start a new run."))
    if view.failure and (why := why_final(run_id, view.failure)):
        screen.print(Text(plain(why)))
    elif view.failure:
        say_ways_on(run_id, view.program, "retry")
    return status
