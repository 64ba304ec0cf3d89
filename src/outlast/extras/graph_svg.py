"""Agents as a picture: one card for each agent, with what it may use, and an arrow for each handoff.

Cards stand in rows, by how many handoffs away from the first agent they are. The text is SVG alone: it
needs no program to draw it and fetches nothing.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from outlast.extras.graph import END, START, Graph, Key, Node, graph_of

_CHAR, _LINE, _PAD = 7.2, 18, 12
_GAP_X, _GAP_Y, _EDGE = 36, 64, 24
_LONGEST = 40
_STYLE = """
  text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1f2933; }
  .name { font-weight: 600; }
  .card { fill: #fffbe6; stroke: #8a7a2d; }
  .first { stroke-width: 2.5; }
  .tool { fill: #276749; } .mcp { fill: #4a5568; }
  .arrow { fill: none; stroke: #4a5568; stroke-width: 1.5; marker-end: url(#tip); }
  .back { stroke-dasharray: 5 4; }
"""


_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="#4a5568"/></marker></defs>'
)


@dataclass(slots=True)
class _Card:
    node: Node
    uses: list[Node] = field(default_factory=list[Node])
    row: int = 0
    x: float = 0
    y: float = 0

    @property
    def width(self) -> float:
        longest = max(len(_short(n.label)) + 2 for n in (self.node, *self.uses))
        return longest * _CHAR + 2 * _PAD

    @property
    def height(self) -> float:
        return (1 + len(self.uses)) * _LINE + _PAD

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def svg(agent: Any) -> str:
    """The graph from ``agent`` on, as the text of an SVG file."""
    graph = graph_of(agent)
    cards, arrows = _cards(graph), _arrows(graph)
    _place_rows(cards, arrows)
    width, height = _place(cards)
    title = html.escape(f"Agents from {_visible(agent.name)} on")
    parts = [
        *_drawn_arrows(cards, arrows),
        *(line for each in cards.values() for line in _drawn(each)),
    ]
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    lines = [head, f"<title>{title}</title>", f"<style>{_STYLE}</style>", _TIP, *parts, "</svg>"]
    return "\n".join(lines)


def _cards(graph: Graph) -> dict[Key, _Card]:
    cards = {n.key: _Card(n) for n in graph.nodes if n.kind in ("root", "agent", "handoff")}
    for one, other in dict.fromkeys(graph.edges):
        if other.kind in ("tool", "mcp"):
            cards[one.key].uses.append(other)
    return cards


def _arrows(graph: Graph) -> list[tuple[Key, Key]]:
    ends = (START.key, END.key)
    pairs = dict.fromkeys(
        (one.key, other.key) for one, other in graph.edges if other.kind not in ("tool", "mcp")
    )
    return [pair for pair in pairs if not set(pair) & set(ends)]


def _place_rows(cards: dict[Key, _Card], arrows: list[tuple[Key, Key]]) -> None:
    """Rows by the shortest way from the first card."""
    row, now = 0, list(cards)[:1]
    seen = set(now)
    while now:
        for key in now:
            cards[key].row = row
        now = list(dict.fromkeys(b for a, b in arrows if a in now and b not in seen))
        seen |= set(now)
        row += 1


def _place(cards: dict[Key, _Card]) -> tuple[float, float]:
    """Give each card its place; returns the size of the whole."""
    rows: dict[int, list[_Card]] = {}
    for card in cards.values():
        rows.setdefault(card.row, []).append(card)
    widths = {r: sum(c.width for c in row) + _GAP_X * (len(row) - 1) for r, row in rows.items()}
    whole, y = max(widths.values()), float(_EDGE)
    for number in sorted(rows):
        x = _EDGE + _GAP_X + (whole - widths[number]) / 2
        for card in rows[number]:
            card.x, card.y = x, y
            x += card.width + _GAP_X
        y += max(card.height for card in rows[number]) + _GAP_Y
    return whole + 2 * (_EDGE + _GAP_X), y - _GAP_Y + _EDGE


def _drawn(card: _Card) -> Iterator[str]:
    first = " first" if card.node.kind == "root" else ""
    yield (
        f'<rect class="card{first}" x="{card.x:.1f}" y="{card.y:.1f}" width="{card.width:.1f}" '
        f'height="{card.height:.1f}" rx="8"/>'
    )
    for number, node in enumerate((card.node, *card.uses)):
        y = card.y + _PAD / 2 + (number + 1) * _LINE - 4
        kind = node.kind if node.kind in ("tool", "mcp") else "name"
        sign = {"tool": "• ", "mcp": "▤ "}.get(kind, "")
        text = html.escape(sign + _short(node.label))
        full = (
            f"<title>{html.escape(_visible(node.label))}</title>"
            if len(node.label) > _LONGEST
            else ""
        )
        yield f'<text class="{kind}" x="{card.x + _PAD:.1f}" y="{y:.1f}">{text}{full}</text>'


def _drawn_arrows(cards: dict[Key, _Card], arrows: list[tuple[Key, Key]]) -> Iterator[str]:
    for one, other in arrows:
        a, b = cards[one], cards[other]
        if b.row > a.row:
            y1, y2 = a.y + a.height, b.y
            bend = max((y2 - y1) / 2, 20)
            path = f"M{a.middle:.1f} {y1:.1f}C{a.middle:.1f} {y1 + bend:.1f} {b.middle:.1f} {y2 - bend:.1f} {b.middle:.1f} {y2:.1f}"
            yield f'<path class="arrow" d="{path}"/>'
            continue
        # Up, or beside: around the right side of both, so that it crosses no card's text.
        x1, x2 = a.x + a.width, b.x + b.width
        y1, y2 = a.y + a.height / 2, b.y + min(b.height / 2, _LINE)
        side = max(x1, x2) + _GAP_X * 0.8
        path = f"M{x1:.1f} {y1:.1f}C{side:.1f} {y1:.1f} {side:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        yield f'<path class="arrow back" d="{path}"/>'


def _short(label: str) -> str:
    text = _visible(label)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _visible(label: str) -> str:
    """``label`` on one line, without what XML cannot hold."""
    return "".join(c if c.isprintable() else " " for c in label)
