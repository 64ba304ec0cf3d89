"""Agents as a graph in Graphviz' language, as `agents.extensions.visualization` draws it.

`draw_graph` needs the package graphviz (extra `viz`); the texts do not.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

from outlast.core.errors import UserError
from outlast.extras.graph import END, START, Graph, Key, Node, graph_of

if TYPE_CHECKING:
    from graphviz import Source  # pyright: ignore[reportMissingTypeStubs] # it has no stubs


def draw_graph(agent: Any, filename: str | None = None) -> Source:
    """Draw ``agent``, what it may use, and whom it hands over to.

    Args:
        agent: Where to begin.
        filename: Also write a picture to this name, with `.png` behind it. Needs the program `dot`.

    Raises:
        UserError: The package graphviz is not installed, or a picture is wanted and `dot` is not.
    """
    try:
        graphviz: Any = importlib.import_module("graphviz")  # an extra
    except ImportError as error:
        raise UserError(
            "draw_graph needs the package graphviz, which cannot be imported. Install it: in a "
            "clone of Outlast, pip install '.[viz]'. `outlast graph FILE` draws without it."
        ) from error
    drawing = graphviz.Source(get_main_graph(agent))
    if filename:
        _render(graphviz, drawing, filename)
    return drawing


def _render(graphviz: Any, drawing: Any, filename: str) -> None:
    try:
        drawing.render(filename, format="png", cleanup=True)
    except graphviz.ExecutableNotFound as error:
        raise UserError(
            f"Writing the picture {filename + '.png'!r} needs Graphviz' program dot, which is not on "
            "the PATH. Install it (Debian: apt install graphviz), or write an SVG without it: "
            "`outlast graph FILE --svg`."
        ) from error


def get_main_graph(agent: Any) -> str:
    """The whole graph, in Graphviz' language."""
    graph = graph_of(agent)
    head = (
        "\n    digraph G {\n        graph [splines=true];\n"
        '        node [fontname="Arial"];\n        edge [penwidth=1.5];\n    '
    )
    return f"{head}{_nodes(graph)}{_edges(graph)}}}"


def get_all_nodes(agent: Any, parent: Any = None, visited: set[str] | None = None) -> str:
    """The nodes of the graph: a start, an end and the agent itself only without a ``parent``.

    Args:
        agent: Where to begin.
        parent: Who has drawn ``agent`` already; None for the beginning of a graph.
        visited: Names of agents to leave out; names of those drawn are added.
    """
    return _nodes(graph_of(agent, is_root=parent is None, without=visited))


def get_all_edges(agent: Any, parent: Any = None, visited: set[str] | None = None) -> str:
    """The edges of the graph; arguments as those of `get_all_nodes`."""
    return _edges(graph_of(agent, is_root=parent is None, without=visited))


_SMALL, _BOX = "width=0.5, height=0.3", "width=1.5, height=0.8"
_LOOKS = {
    "start": f"shape=ellipse, style=filled, fillcolor=lightblue, {_SMALL}",
    "end": f"shape=ellipse, style=filled, fillcolor=lightblue, {_SMALL}",
    "root": f"shape=box, style=filled, fillcolor=lightyellow, {_BOX}",
    "agent": f'shape=box, style="filled,rounded", fillcolor=lightyellow, {_BOX}',
    "handoff": f'shape=box, style="filled,rounded", fillcolor=lightyellow, {_BOX}',
    "tool": f"shape=ellipse, style=filled, fillcolor=lightgreen, {_SMALL}",
    "mcp": "shape=box, style=filled, fillcolor=lightgrey, width=1, height=0.5",
}


def _nodes(graph: Graph) -> str:
    ids = _ids(graph)
    return "".join(
        f'"{ids[node.key]}" [label="{_escaped(node.label)}", {_LOOKS[node.kind]}];'
        for node in graph.nodes
    )


def _edges(graph: Graph) -> str:
    ids = _ids(graph)
    lines: list[str] = []
    for one, other in graph.edges:
        there, back = (f'"{ids[a.key]}" -> "{ids[b.key]}"' for a, b in ((one, other), (other, one)))
        if other.kind in ("tool", "mcp"):
            style = "dotted" if other.kind == "tool" else "dashed"
            lines += (f"\n        {way} [style={style}, penwidth=1.5];" for way in (there, back))
        else:
            begins_or_ends = one == START or other == END
            lines.append(f"{there};" if begins_or_ends else f"{_HANDOFF}{there};")
    return "".join(lines)


_HANDOFF = "\n" + " " * 12


def _ids(graph: Graph) -> dict[Key, str]:
    """A name for each node: its label, or a number where two nodes have one label."""
    ids: dict[Key, str] = {START.key: START.label, END.key: END.label}
    ids |= {node.key: _escaped(node.label) for node in graph.outside}
    taken = set(ids.values())
    nodes = _named(graph)
    labels: dict[str, int] = {}
    for node in nodes.values():
        label = _escaped(node.label)
        labels[label] = labels.get(label, 0) + 1
    number = 0
    for key, node in nodes.items():
        label = _escaped(node.label)
        if labels[label] == 1 and label not in taken:
            ids[key] = label
            continue
        kind = "agent" if node.kind == "root" else node.kind
        while (name := f"__agents_graph_{kind}_{number}__") in labels:
            number += 1
        ids[key] = name
        number += 1
    return ids


def _named(graph: Graph) -> dict[Key, Node]:
    """What needs a name, in the order of the walk; also the agent that is not drawn itself."""
    outside = {START.key, END.key, *(node.key for node in graph.outside)}
    nodes: dict[Key, Node] = {}
    if graph.edges and graph.edges[0][0].key not in outside:
        nodes[graph.edges[0][0].key] = graph.edges[0][0]
    for node in graph.nodes:
        if node.key not in outside:
            nodes.setdefault(node.key, node)
    return nodes


def _escaped(label: str) -> str:
    text = label.replace("\\", "\\\\").replace('"', '\\"')
    return re.sub(r"\r\n|\r|\n", r"\\n", text)
