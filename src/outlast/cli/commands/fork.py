"""`outlast fork`."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer
from rich.text import Text

from outlast.cli.command import AgentPlace, RunId, command, finish
from outlast.cli.program import Program, load_program
from outlast.cli.running import how_to_go_on, matching_run, need_key, perform
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.effects.config import RunConfig
from outlast.effects.registry import Registry
from outlast.journal.opening import open_journal
from outlast.replay import fork as forked
from outlast.run.commands import state_of

_OF_LOG = ("result", "reply", "message", "input")
_OF_PROGRAM = ("instructions", "model")


@command("""
outlast fork order-17 --at m2 --agent desk.py
outlast fork order-17 --at t1.c9 --set result="not found" --agent desk.py
outlast fork order-17 --at m1 --set model=gpt-5-mini --agent desk.py
outlast fork order-17 --at m3        make it, and perform nothing yet
""")
def fork(
    run_id: RunId,
    at: Annotated[str, typer.Option("--at", metavar="STEP", help="From which step: m2, t1.CALL.")],
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="result, reply, message or input; with --agent also instructions or model.",
        ),
    ] = None,
    new_id: Annotated[str, typer.Option("--id", help="The id of the new run.")] = "",
    place: AgentPlace = "",
) -> int:
    """Make a new run that is another one up to a step, and goes its own way from there."""
    source = finish(matching_run(run_id))
    wanted = _read(changes or [])
    if missing := [name for name in _OF_PROGRAM if name in wanted and not place]:
        raise typer.BadParameter(f"--set {missing[0]}=... needs --agent: it is the program's.")
    program = load_program(place, run_id=source) if place else None
    if program is not None:
        need_key(program.agent, wanted.get("model", ""))
    of_log: dict[str, Any] = {name: wanted[name] for name in _OF_LOG if name in wanted}
    made = finish(forked(source, at, new_id=new_id or None, **of_log))
    console().print(Text(f"forked {plain(source)} at {plain(at)}: {plain(made)}", style="bold"))
    if program is None:
        rests = "Nothing of it is performed until somebody goes on with it; until then it is `abandoned`."
        console().print(Text(rests, style="dim"), soft_wrap=True)
        console().print(Text(f"\n{how_to_go_on(made, '')}", style="dim"), soft_wrap=True)
        return 0
    of_program = {name: wanted[name] for name in _OF_PROGRAM if name in wanted}
    if not of_program:
        return finish(perform(program, "", made, goes_on=True))
    kept = f"{' and '.join(of_program)} hold for this command only: no other goes on with them."
    console().print(Text(kept, style="dim"), soft_wrap=True)
    words = ["outlast", "fork", source, "--at", at, "--agent", place]
    words += [word for name, value in wanted.items() for word in ("--set", f"{name}={value}")]
    again = plain(shlex.join(words))
    return finish(_performed(made, program, of_program, again))


async def _performed(run_id: str, program: Program, wanted: dict[str, str], again: str) -> int:
    config = RunConfig(model=wanted.get("model"))
    if "instructions" in wanted:
        state = await state_of(open_journal(), run_id)
        # The file was loaded for this command alone: its agent may be changed.
        Registry(program.agent).agent(state.agent).instructions = wanted["instructions"]
    return await perform(program, "", run_id, goes_on=True, run_config=config, again=again)


def _read(changes: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or name not in (*_OF_LOG, *_OF_PROGRAM):
            known = ", ".join((*_OF_LOG, *_OF_PROGRAM))
            raise typer.BadParameter(
                f"--set takes NAME=VALUE, with one of {known}; got {change!r}."
            )
        found[name] = value
    return found
