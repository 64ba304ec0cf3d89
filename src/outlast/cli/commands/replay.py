"""`outlast replay`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from outlast.cli.command import AsJson, RunId, command, finish
from outlast.cli.logs import read_run
from outlast.cli.problem import Missing
from outlast.cli.program import load_program
from outlast.cli.running import how_to_go_on, matching_run
from outlast.cli.screen import console, print_json
from outlast.cli.text import lines, plain
from outlast.replay import Divergence, Replay, replay as replayed
from outlast.run.servers import among_servers


@command("""
outlast replay order-17 --with desk.py
outlast replay order-17 --with desk.py:triage --json
""")
def replay(
    run_id: RunId,
    place: Annotated[
        str, typer.Option("--with", metavar="FILE[:AGENT]", help="The program as it is now.")
    ] = "",
    as_json: AsJson = False,
) -> int:
    """Perform a run again with changed code, against what models and tools answered then.

    Nothing is asked, sent or written. The status is 1 where the run goes another way.
    """
    found = finish(matching_run(run_id))
    if not place:
        view, _ = finish(read_run(found))
        was = f"was started from {plain(view.program)}" if view.program else "names no file"
        hint = how_to_go_on(found, view.program, "replay").replace("--agent", "--with")
        raise Missing(
            "Which program?",
            f"Run {plain(found)} {was}. What stands in a journal is not executed: name the program.",
            hint,
        )
    agent = load_program(place, run_id=found).agent
    done = finish(among_servers(replayed(found, agent), agent))
    if as_json:
        print_json(_facts(done))
    else:
        _show(done)
    return 0 if done.is_same else 1


def _show(done: Replay) -> None:
    screen = console()
    if done.first is None:
        many = f"{len(done.recorded)} events"
        screen.print(Text(f"{plain(done.run_id)} goes as recorded: {many}, none differs."))
        return
    screen.print(Text("First divergence", style="bold red"))
    for line in lines(str(done.first)):
        style = {"-": "red", "+": "green", "@": "dim"}.get(line[:1], "")
        screen.print(Text(line, style=style), soft_wrap=True)
    for each in done.divergences[1:_MORE]:
        first = str(each).partition("\n")[0]
        screen.print(Text(f"also {first}", style="dim"), soft_wrap=True)
    if len(done.divergences) > _MORE:
        screen.print(Text(f"and {len(done.divergences) - _MORE} more", style="dim"))
    screen.print(Text(f"The replay came to: {done.status}"))


_MORE = 6


def _facts(done: Replay) -> dict[str, object]:
    return {
        "run_id": done.run_id,
        "is_same": done.is_same,
        "status": done.status,
        "output": done.output,
        "divergences": [_divergence(each) for each in done.divergences],
    }


def _divergence(each: Divergence) -> dict[str, object]:
    names = ("place", "turn", "what", "event", "before", "after", "text")
    return {name: getattr(each, name) for name in names}
