"""A run on the screen: `views.steps` drawn with rich. Decides nothing about what happened."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from outlast.cli.text import lines as text_lines, plain, short
from outlast.views.timeline import Step, Takeover, Timeline
from outlast.views.words import counted

_GUIDES = "grey50"
_MARKS: dict[str, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "error": ("✗", "red"),
    "failed attempt": ("✗", "yellow"),
    "tripped": ("✗", "red"),
    "rejected": ("✗", "yellow"),
    "unknown": ("?", "yellow"),
    "blocked": ("✗", "yellow"),
    "ignored": ("-", "dim"),
    "in doubt": ("?", "bold yellow"),
    "open": ("…", "cyan"),
    "waiting": ("⏸", "cyan"),
}


STATUS_STYLES = {
    "completed": "green",
    "failed": "red",
    "waiting": "cyan",
    "interrupted": "yellow",
    "abandoned": "yellow",
    "parked": "yellow",
    "paused": "yellow",
}
_WHOLE_S = 10
_SHORT_WAIT_S = 1.0
"""A process that goes on at once after a person's word is no news."""


def duration(seconds: float) -> str:
    """So many seconds, in the unit that one would say them in."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    if seconds >= _WHOLE_S:
        return f"{seconds:.0f} s"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{max(seconds, 0) * 1000:.0f} ms"


def run_tree(
    run_id: str, view: Timeline, children: Mapping[str, Timeline], width: int, *, full: bool = False
) -> Tree:
    """The steps of a run as a tree, with the runs inside it.

    Args:
        run_id: The run.
        view: What its log says.
        children: The same for each run that one of its steps is, by run id.
        width: Of the screen, in columns.
        full: Whether a step may take as many lines as it needs.
    """
    tree = Tree(_title(run_id, view), guide_style=_GUIDES)
    _grow(tree, view, children, None if full else width)
    if view.error:
        tree.add(Text(plain(view.error) if full else short(view.error, width - 4), style="red"))
    return tree


def run_summary(view: Timeline, *, full: bool = False) -> RenderableType:
    """What a run came to, below its tree."""
    made = [counted(len({step.id for step in view.steps})), _sum_of_times(view)]
    if view.usage.total_tokens:
        made.append(f"{view.usage.total_tokens:,} tokens")
    lines = [Text(" · ".join(made), style="dim")]
    who = view.metadata
    whose = [("user", who.user), ("tenant", who.tenant), ("session", who.session_id)]
    whose += [("tag", tag) for tag in who.tags]
    if about := " · ".join(f"{name} {short(value, 40)}" for name, value in whose if value):
        lines.append(Text(about, style="dim"))
    if view.output:
        said = "\n".join(text_lines(view.output)) if full else short(view.output, 400)
        lines.insert(0, Text(f"→ {said}"))
    return Group(*lines)


def _sum_of_times(view: Timeline) -> str:
    """How long it has worked, and beside that, where it has waited, how long it took."""
    if view.duration_s - view.work_s < _SHORT_WAIT_S:
        return f"{view.duration_s:.1f} s"
    return f"{view.work_s:.1f} s at work, {duration(view.duration_s)} in all"


def takeover_line(takeover: Takeover) -> Text:
    """The line where another process went on with a run."""
    if not takeover.was_crash:
        return Text(f"━━ taken up again after {duration(takeover.gap_s)}", style="cyan")
    who = plain(takeover.owner) or "another process"
    line = Text("━━ crash ", style="bold red")
    line.append(f"{who} went on {duration(takeover.gap_s)} later\n", style="not bold red")
    return line.append(f"   {takeover}", style="not red")


def _title(run_id: str, view: Timeline) -> Text:
    style = STATUS_STYLES.get(view.status, "yellow")
    title = Text(f"run {plain(run_id)} ", style="bold")
    title.append(plain(view.status), style=style)
    return title.append(f" · forked from {plain(view.source)}", "dim") if view.source else title


def _grow(tree: Tree, view: Timeline, children: Mapping[str, Timeline], width: int | None) -> None:
    branch, agent = tree, ""
    for row in view.rows:
        if isinstance(row, Takeover):
            if row.was_crash or row.gap_s >= _SHORT_WAIT_S:
                tree.add(takeover_line(row))
                agent = ""
            continue
        if row.agent != agent:
            agent = row.agent
            branch = tree.add(Text(plain(agent), style="bold"))
        leaf = branch.add(_step_row(view, row, width) if width else _whole_step(view, row))
        if child := children.get(row.child):
            _grow(leaf, child, children, width - 4 if width else None)


def step_line(view: Timeline, step: Step, width: int) -> RenderableType:
    """One step by itself, for a list that grows."""
    return _step_row(view, step, width)


def _whole_step(view: Timeline, step: Step) -> Text:
    """One step with all that it says, on as many lines as that takes."""
    mark, style = _MARKS[step.outcome]
    text = Text(f"{mark} ", style=style).append(plain(step.name or step.kind), style="bold")
    text.append(f"  {_note(view, step)}", style="dim")
    return text.append("".join(f"\n  {line}" for line in text_lines(step.detail)), style="not bold")


def _step_row(view: Timeline, step: Step, width: int) -> Table:
    """One step: mark, what it was, and what it took, the last right-aligned."""
    mark, style = _MARKS[step.outcome]
    note = _note(view, step)
    label = plain(step.name or step.kind) if step.kind != "model" else "model"
    label = f"{label} {plain(step.model)}" if step.model else label
    room = max(width - 13 - len(label) - len(note), 8)
    what = Text(f"{mark} ", style=style)
    what.append(label, style="bold" if step.kind == "tool" else "")
    what.append(f"  {short(step.detail, room)}" if step.detail else "", style="dim")
    row = Table.grid(expand=True, padding=(0, 1, 0, 0))
    row.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    row.add_column(justify="right", no_wrap=True)
    row.add_row(what, Text(note, style="dim"))
    return row


def _note(view: Timeline, step: Step) -> str:
    parts: list[str] = []
    if step.outcome in ("in doubt", "unknown", "waiting", "rejected", "blocked"):
        parts.append(step.outcome)
    if step.attempt > 1:
        parts.append(f"attempt {step.attempt}{', same key' if step.same_key else ''}")
    if step.usage and step.usage.total_tokens:
        parts.append(f"{step.usage.total_tokens:,} tok")
    if step.duration_s is not None:
        parts.append(duration(step.duration_s))
    if view.is_reused(step):
        parts.append("reused")
    return "  ".join(parts)
