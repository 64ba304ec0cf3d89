"""A conversation on the screen: what was said in it and done for it, run by run, the oldest first."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from outlast.cli.logs import list_runs, read_run
from outlast.cli.show import STATUS_STYLES
from outlast.cli.text import lines, plain, short
from outlast.definitions.clock import utc
from outlast.views.timeline import Step, Timeline

Talk = list[tuple[str, Timeline]]
"""The runs of a conversation with their ids."""


async def talk_of(session_id: str, limit: int | None) -> Talk:
    """The runs that were had in a session, the oldest first; the last ``limit`` of them."""
    rows = await list_runs(session_id=session_id, roots_only=True, limit=limit)
    return [(row.run_id, (await read_run(row.run_id))[0]) for row in reversed(rows)]


def talk_lines(talk: Talk, width: int, *, full: bool) -> Iterator[Text]:
    """What people and agents said, and in one line each what was done in between."""
    for run_id, view in talk:
        head = Text(f"── {plain(run_id)}  {utc(view.started_at):%Y-%m-%d %H:%M} UTC  ", style="dim")
        yield head.append(plain(view.status), style=STATUS_STYLES.get(view.status, "yellow"))
        yield from _said("you", view.input)
        for step in view.steps:
            yield from _step(step, width, full=full)
        if view.error:
            yield Text(
                f"  {plain(view.error) if full else short(view.error, width - 2)}", style="red"
            )


def _step(step: Step, width: int, *, full: bool) -> Iterator[Text]:
    if step.kind == "model" and step.outcome == "ok" and not step.detail.startswith("→ "):
        yield from _said(step.agent, step.detail)
    elif step.kind in _ACTS or step.outcome in ("waiting", "tripped"):
        line = f"{step.name or step.kind}  {step.detail}"
        yield Text(f"  · {plain(line) if full else short(line, width - 4)}", style="dim")


def _said(who: str, what: str) -> Iterator[Text]:
    first, *rest = lines(what) or [""]
    yield Text.assemble((f"{plain(who)}: ", "bold"), first)
    for line in rest:
        yield Text(f"  {line}")


_ACTS = ("tool", "handoff", "approval")
