"""`outlast run`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from outlast.cli.command import BEHIND_DASHES, AsJson, command, finish
from outlast.cli.logs import list_runs, read_run
from outlast.cli.problem import Missing
from outlast.cli.program import (
    agents_of,
    find_file,
    has_main_part,
    load_module,
    load_program,
    no_agent,
    place_of,
    reads_words,
    run_main_part,
    run_module,
    runs_itself,
)
from outlast.cli.running import need_key, perform, say_finished
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.effects.place import here
from outlast.journal.journal import TERMINAL
from outlast.run.runner import AgentRunner, get_default_agent_runner, set_default_agent_runner


@command("""
outlast run guide.py "What is the weather in Rome?"
outlast run desk.py:triage "Where is A-1012?" --id order-17
outlast run hello.py               the whole file, as `python hello.py`
outlast run report.py --day 5      the same, if it looks at arguments
outlast run report.py -- --day 5   the whole file, with arguments of its own
outlast run -m desk.report --day 5 a module, as `python -m desk.report`
""")
def run(
    context: typer.Context,
    place: Annotated[
        str, typer.Argument(metavar="FILE[:AGENT]", help="A Python file that makes an agent.")
    ] = "",
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MESSAGE", help="What to tell the agent. Without it, FILE itself is run."
        ),
    ] = None,
    run_id: Annotated[
        str, typer.Option("--id", metavar="ID", help="Continue or return the run of this id.")
    ] = "",
    as_json: AsJson = False,
    module: Annotated[
        str,
        typer.Option(
            "--module", "-m", metavar="MODULE", help="Run a module, as `python -m MODULE` does."
        ),
    ] = "",
) -> int:
    """Run an agent of a Python file, or the whole file.

    Without a message, the file itself is run. The message may be several words. A file for openai-agents runs as it is: `import agents` means
    Outlast in it, unless the project has a module of that name.
    """
    if module:
        run_module(module, [*([place] if place else []), *(words or ())])
        return 0
    if not place:
        raise typer.BadParameter("Missing argument: name a file, or a module behind -m.")
    path, name = find_file(place)
    if as_json and not words:
        raise typer.BadParameter("--json is for a message: a file prints what it prints.")
    if not words or (context.meta.get(BEHIND_DASHES) and not name and _is_whole(path)):
        return _run_file(path, words or (), place)
    loaded = load_module(path)
    if not name and not agents_of(loaded):
        return _run_main(path, loaded, words)
    program = load_program(place)
    message = " ".join(words)
    if run_id and finish(_has_ended(run_id)):
        view = finish(read_run(run_id))[0]
        if view.input == message:
            return say_finished(run_id, view, as_json=as_json)
    need_key(program.agent)
    facts: dict[str, Any] | None = {} if as_json else None
    return finish(perform(program, message, run_id or None, facts=facts))


def _is_whole(path: Path) -> bool:
    return runs_itself(path) or reads_words(path)


def _run_file(path: Path, words: Sequence[str], typed: str) -> int:
    """Run a whole file. That one which only defines an agent runs nothing is worth an error."""
    runner = _Noting(path)
    set_default_agent_runner(runner)
    module = load_module(path, words=words, is_main=True, typed=typed)
    has_run = runner.has_run or get_default_agent_runner() is not runner
    if not has_run and agents_of(module) and not (has_main_part(path) or reads_words(path)):
        raise Missing(
            "No message",
            f"{path.name} makes an agent and runs nothing by itself, so it wants a message.",
            f'outlast run {path.name} "MESSAGE"',
            "If it calls Runner.run(...), that wants `await`; or use Runner.run_sync(...).",
        )
    return 0


def _run_main(path: Path, module: Any, words: list[str]) -> int:
    sys.argv = [str(path), *words]
    note = f"{path.name} has no Agent at its top level: it runs as `python {path.name}` would."
    console(stderr=True).print(Text(plain(note), style="dim"))
    set_default_agent_runner(_Noting(path))
    if not run_main_part(path, module):
        raise no_agent(path)
    return 0


async def _has_ended(run_id: str) -> bool:
    rows = await list_runs(run_id_starts=run_id)
    return any(row.run_id == run_id and row.status in TERMINAL for row in rows)


class _Noting(AgentRunner):
    """Outlast's own runner, which notes in each log which file it is run from, and that it was."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.has_run = False

    async def run(self, starting_agent: Any, input: Any, **options: Any) -> Any:  # noqa: A002  # as upstream
        return await super().run(starting_agent, input, **self._noted(starting_agent, options))

    def run_streamed(self, starting_agent: Any, input: Any, **options: Any) -> Any:  # noqa: A002  # as upstream
        return super().run_streamed(starting_agent, input, **self._noted(starting_agent, options))

    def _noted(self, agent: object, options: dict[str, Any]) -> dict[str, Any]:
        self.has_run = True
        if here() is not None:  # A run within a run: whoever goes on with the outer one finds it.
            return options
        return {"program": place_of(agent, self._path, sys.modules.get("__main__")), **options}
