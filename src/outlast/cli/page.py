"""A run as one page of HTML that stands alone: `views.steps` drawn for a browser.

The page has no script, asks for nothing, and says so in its policy. Whatever a model, a tool or a user
wrote is text in it: escaped, and with characters that hide or turn others spelled out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from outlast.cli.show import duration
from outlast.cli.text import lines, plain
from outlast.core.items import text_of
from outlast.core.records import Item, UsageFacts
from outlast.definitions.clock import utc
from outlast.run.costs import cost_usd
from outlast.views.timeline import Step, Takeover, Timeline
from outlast.views.words import body_of, text_from

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
_MARKS = {
    "ok": ("✓", "ok"),
    "error": ("✗", "bad"),
    "failed attempt": ("✗", "warn"),
    "tripped": ("✗", "bad"),
    "rejected": ("✗", "warn"),
    "unknown": ("?", "warn"),
    "blocked": ("✗", "warn"),
    "ignored": ("-", "soft"),
    "in doubt": ("?", "warn"),
    "open": ("…", "wait"),
    "waiting": ("⏸", "wait"),
}
"""Of each outcome, its mark and its colour. The word stands beside them: neither is told by all."""
_COLOURS = {"completed": "ok", "failed": "bad", "waiting": "wait", "running": "wait"}


def run_page(
    run_id: str,
    view: Timeline,
    children: Mapping[str, Timeline],
    texts: Mapping[str, str] | None = None,
) -> str:
    """A run as a page.

    Args:
        run_id: The run.
        view: What its log says.
        children: The same for each run that one of its steps is, by run id.
        texts: Prompts and tools that turns were prepared with, by the hash of their content.
    """
    style = files("outlast.cli").joinpath("page.css").read_text("utf-8")
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{_text(view.status)}: {_text(run_id)}</title>",
        f"<style>{style}</style></head><body><main>",
        *_head(run_id, view, children),
        "<h2>What happened</h2>",
        *_rows(view, children, _Axis(view)),
        *_asked(view, texts or {}),
        "<h2>What was said</h2>",
        *_talk(view),
        "</main></body></html>",
    ]
    return "\n".join(parts)


def _text(text: object) -> str:
    """A text on one line, as text of the page."""
    return escape(plain(text))


def _block(text: str) -> str:
    """A text with its lines, as text of the page."""
    return f"<pre>{escape(chr(10).join(lines(text)))}</pre>"


def _head(run_id: str, view: Timeline, children: Mapping[str, Timeline]) -> Iterator[str]:
    colour = _COLOURS.get(view.status, "warn")
    yield f'<h1><span class="name">{_text(run_id)}</span> '
    yield f'<span class="word {colour}">{_text(view.status)}</span></h1>'
    who = view.metadata
    processes = 1 + sum(isinstance(row, Takeover) for row in view.rows)
    facts: list[tuple[str, object]] = [
        ("agent", view.agent),
        ("began", _utc(view.started_at)),
        ("from the first to the last event", duration(view.duration_s)),
        ("steps", len({step.id for step in view.steps})),
        ("processes", processes),
        ("tokens", _tokens(view.usage)),
        ("cost", _run_cost([view, *children.values()])),
        ("user", who.user),
        ("tenant", who.tenant),
        ("session", who.session_id),
        ("tags", ", ".join(who.tags)),
    ]
    yield '<dl class="facts">'
    for name, value in facts:
        if value:
            yield f"<div><dt>{name}</dt><dd>{_text(value)}</dd></div>"
    yield "</dl>"
    if view.error:
        yield f'<p class="bad">{_text(view.error)}</p>'


def _utc(at: float) -> str:
    return f"{utc(at):%Y-%m-%d %H:%M:%S} UTC"


def _tokens(usage: UsageFacts | None) -> str:
    if usage is None or not usage.total_tokens:
        return ""
    cached = f", {usage.cached_tokens:,} of them cached" if usage.cached_tokens else ""
    return f"{usage.input_tokens:,} in{cached}, {usage.output_tokens:,} out"


def _cost(step: Step) -> float | None:
    """Dollars that a step's model took, runs inside it not counted; None where no price is known."""
    usage = step.usage or UsageFacts()
    return cost_usd(step.served_by or step.model, usage, step.ended_at or step.started_at or 0.0)


def _run_cost(views: list[Timeline]) -> str:
    steps = [step for view in views for step in view.steps if step.usage and step.kind == "model"]
    costs = [_cost(step) for step in steps]
    known = [cost for cost in costs if cost is not None]
    if not known:
        return ""
    more = len(costs) - len(known)
    return f"${sum(known):.4f}{f', and {more} calls without a known price' if more else ''}"


# --- The waterfall. ----------------------------------------------------------------------


class _Axis:
    """Where moments stand on the page: time in which nobody worked on the run takes no room."""

    def __init__(self, view: Timeline) -> None:
        takeovers = [row for row in view.rows if isinstance(row, Takeover)]
        self._gaps = [(row.at - row.gap_s, row.at) for row in takeovers]
        self._start = view.started_at
        self._length = self._worked(view.started_at + view.duration_s) or 1.0

    def _worked(self, at: float) -> float:
        idle = sum(max(0.0, min(at, end) - start) for start, end in self._gaps if at > start)
        return max(0.0, at - self._start - idle)

    def bar(self, step: Step) -> tuple[float, float]:
        """The left end and the width of a step's bar, in percent."""
        end = self._length
        if step.outcome == "in doubt":  # Its process died some time before the next one came.
            ended = self._worked(step.ended_at) if step.ended_at is not None else end
        else:
            ended = end if step.ended_at is None else self._worked(step.ended_at)
        started = ended if step.started_at is None else self._worked(step.started_at)
        left = min(100.0 * started / end, 100.0)
        return left, min(max(100.0 * (ended - started) / end, 0.0), 100.0 - left)


def _rows(view: Timeline, children: Mapping[str, Timeline], axis: _Axis) -> Iterator[str]:
    yield '<div class="rows"><div class="block">'
    agent = ""
    for number, row in enumerate(view.rows, 1):
        if isinstance(row, Takeover):
            yield _takeover(row)
            continue
        if row.agent != agent:
            agent = row.agent
            yield f'<div class="agent">{_text(agent)}</div>'
        yield from _step(row, view, children, axis)
        if number % _BLOCK == 0:
            yield '</div><div class="block">'
    if not view.rows:
        yield '<div class="agent soft">Nothing yet.</div>'
    yield "</div></div>"


_BLOCK = 50
"""As many rows stand in a block, which a browser draws when it comes into sight: of 5,000 rows that each
do so, drawing a frame takes half a second (`tests/cli/test_page_in_chromium.py`)."""


def _takeover(row: Takeover) -> str:
    later = duration(row.gap_s)
    if not row.was_crash:
        return f'<div class="takeover wait">Taken up again after {later}.</div>'
    who = _text(row.owner) or "another process"
    return (
        f'<div class="takeover crash"><strong class="bad">A process died.</strong> {who} went on '
        f"{later} later: {_text(row)}.</div>"
    )


def _step(
    step: Step, view: Timeline, children: Mapping[str, Timeline], axis: _Axis
) -> Iterator[str]:
    mark, colour = _MARKS[step.outcome]
    left, width = axis.bar(step)
    kind = "wait" if step.kind in ("approval", "wait") else step.kind
    state = colour if colour in ("bad", "warn") else kind
    name = step.name if step.kind != "model" else f"model {step.model}".strip()
    yield '<details class="step"><summary>'
    yield f'<span class="{colour}" aria-hidden="true">{mark}</span>'
    yield f'<span class="name">{_text(name or step.kind)}</span>'
    yield '<span class="lane" aria-hidden="true">'
    yield f'<span class="bar {state}" style="left:{left:.3f}%;width:{width:.3f}%"></span></span>'
    yield f'<span class="note">{_text(_note(step, view))}</span></summary>'
    yield '<div class="body">'
    yield from _inside(step)
    if child := children.get(step.child):
        yield f"<h3>The run inside: {_text(step.child)}</h3>"
        yield from _rows(child, children, axis)
    yield "</div></details>"


def _note(step: Step, view: Timeline) -> str:
    parts = [step.outcome]
    if step.attempt > 1:
        parts.append(f"attempt {step.attempt}")
    if view.is_reused(step):
        parts.append("reused")
    if step.usage and step.usage.total_tokens:
        parts.append(f"{step.usage.total_tokens:,} tok")
    if step.duration_s is not None:
        parts.append(duration(step.duration_s))
    return ", ".join(parts)


def _inside(step: Step) -> Iterator[str]:
    key = step.key if step.kind == "tool" else ""
    facts = [
        ("step", step.id),
        ("turn", step.turn or ""),
        ("began", _utc(step.started_at) if step.started_at else ""),
        ("tokens", _tokens(step.usage)),
        ("cost", "" if (cost := _cost(step)) is None or not step.usage else f"${cost:.6f}"),
        ("idempotency key", f"{key} (the same as before)" if step.same_key else key),
    ]
    yield '<dl class="facts">'
    for name, value in facts:
        if value:
            yield f'<div><dt>{name}</dt><dd class="key">{_text(value)}</dd></div>'
    yield "</dl>"
    if step.call is not None and (body := body_of(step.call)):
        yield "<h3>Arguments</h3>" + _block(_pretty(body))
    for item in step.output:
        yield f"<h3>{_text(_title(item))}</h3>" + _block(_said(item))
    if step.error is not None:
        yield f"<h3>Error</h3>{_block(f'{step.error.kind}: {step.error.message}')}"
    elif step.detail and not step.output:
        yield f'<p class="soft">{_text(step.detail)}</p>'


# --- What models were asked with. --------------------------------------------------------


def _asked(view: Timeline, texts: Mapping[str, str]) -> Iterator[str]:
    """The prompt and the tools of each turn, where they are not those of the turn before."""
    yield "<h2>What models were given</h2>" if texts else ""
    last = ("", "")
    for turn in view.turns:
        asked = (turn.instructions, turn.tools)
        if asked == last or not any(name in texts for name in asked):
            continue
        last = asked
        title = f"from turn {turn.number}: {turn.agent}"
        yield f'<details class="step"><summary class="plain">{_text(title)}</summary><div class="body">'
        if prompt := texts.get(turn.instructions):
            yield f"<h3>Instructions</h3>{_block(prompt)}"
        if tools := texts.get(turn.tools):
            yield f"<h3>Tools and handoffs</h3>{_block(_indented(tools))}"
        yield "</div></details>"


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


# --- The conversation. -------------------------------------------------------------------


def _talk(view: Timeline) -> Iterator[str]:
    said = list(_sayings(view))
    for start in range(0, len(said), _BLOCK):
        yield '<ol class="talk block">'
        yield from said[start : start + _BLOCK]
        yield "</ol>"


def _sayings(view: Timeline) -> Iterator[str]:
    if view.input:
        yield f'<li><div class="who">input</div>{_block(view.input)}</li>'
    for step in view.steps:
        who = step.agent if step.kind == "model" else step.name
        for item in step.output:
            about = _text(f"{who}: {_title(item)}")
            yield f'<li><div class="who">{about}</div>{_block(_said(item))}</li>'
    if view.output:
        yield f'<li><div class="who word ok">output</div>{_block(view.output)}</li>'


def _title(item: Item) -> str:
    kind = str(item.get("type", "message"))
    name = item.get("name")
    return f"{kind.replace('_', ' ')} {name}" if name else kind.replace("_", " ")


def _said(item: Item) -> str:
    """What an item says: a message's text, a call's arguments, an answer's output, or all of it."""
    if text := text_of(item):
        return text
    if (body := body_of(item)) is not None:
        return _pretty(body)
    return text_from(item["output"]) if "output" in item else _pretty(text_from(item))


def _pretty(text: str) -> str:
    """JSON over several lines; any other text as it is."""
    try:
        value: Any = json.loads(text)
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else text
    except (ValueError, RecursionError):
        return text
