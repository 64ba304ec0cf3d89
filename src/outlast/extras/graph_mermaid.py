"""Agents as a graph in Mermaid, which GitHub and many editors draw from text."""

from __future__ import annotations

from typing import Any

from outlast.extras.graph import END, Graph, Key, graph_of

_SHAPES = {
    "start": ("([", "])"), "end": ("([", "])"), "root": ("[", "]"), "agent": ("(", ")"),
    "handoff": ("(", ")"), "tool": ("([", "])"), "mcp": ("[(", ")]"),
}  # fmt: skip
_LABELS = {"start": "start", "end": "end"}
_CLASSES = (
    "classDef start fill:#add8e6,stroke:#555,color:#000",
    "classDef agent fill:#ffffe0,stroke:#555,color:#000",
    "classDef tool fill:#c8f0c8,stroke:#555,color:#000",
    "classDef mcp fill:#d3d3d3,stroke:#555,color:#000",
)
_CLASS_OF = {"end": "start", "root": "agent", "handoff": "agent"}


def mermaid(agent: Any) -> str:
    """The graph from ``agent`` on, as a flowchart."""
    graph = graph_of(agent)
    ids = _ids(graph)
    lines = ["flowchart TD"]
    reached = {node.key for edge in graph.edges for node in edge}
    for key, node in {node.key: node for node in graph.nodes}.items():
        if key not in reached:
            continue
        opening, closing = _SHAPES[node.kind]
        label = _escaped(_LABELS.get(node.kind, node.label))
        kind = _CLASS_OF.get(node.kind, node.kind)
        lines.append(f'    {ids[key]}{opening}"{label}"{closing}:::{kind}')
    for one, other in dict.fromkeys(graph.edges):
        arrow = "-.->" if other.kind in ("tool", "mcp") else "-->"
        lines.append(f"    {ids[one.key]} {arrow} {ids[other.key]}")
    return "\n".join([*lines, *(f"    {each}" for each in _CLASSES), ""])


def _ids(graph: Graph) -> dict[Key, str]:
    """Mermaid takes few characters in a name, so the nodes are numbered."""
    keys = dict.fromkeys(node.key for node in (*graph.nodes, END))
    return {key: f"n{number}" for number, key in enumerate(keys)}


def _escaped(label: str) -> str:
    """``label`` for a text in quotes: entities for what Mermaid or HTML would read."""
    one_line = " ".join(label.split()) or " "
    return "".join(c if c.isalnum() or c in " _-./:," else f"#{ord(c)};" for c in one_line)
