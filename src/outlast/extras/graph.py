"""Which agents hand over to which, and what each may use: nodes and edges, for whoever draws them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from outlast.definitions.handoff import Handoff, handoff_target

Kind = Literal["start", "end", "root", "agent", "handoff", "tool", "mcp"]
Key = tuple[str, object]
"""What a node stands for: an agent by its identity, a tool and a server by its name."""


@dataclass(frozen=True, slots=True)
class Node:
    """One thing to draw."""

    kind: Kind
    key: Key
    label: str


@dataclass(slots=True)
class Graph:
    """What can be reached from an agent, in the order in which it is met, depth first.

    Attributes:
        nodes: A tool that two agents have is met twice.
        edges: From, to.
        outside: Agents that edges lead to and that were not to be drawn.
    """

    nodes: list[Node] = field(default_factory=list[Node])
    edges: list[tuple[Node, Node]] = field(default_factory=list[tuple[Node, Node]])
    outside: list[Node] = field(default_factory=list[Node])


START = Node("start", ("start", None), "__start__")
END = Node("end", ("end", None), "__end__")


def graph_of(agent: Any, *, is_root: bool = True, without: set[str] | None = None) -> Graph:
    """The graph from ``agent`` on. Each agent is met once, so circles end.

    Args:
        agent: Where to begin.
        is_root: Whether to draw the agent itself, with a start and an end.
        without: Names of agents to leave out. Names of the agents that are met are added.
    """
    graph = Graph()
    names = set[str]() if without is None else without
    if agent.name in names:
        return graph
    walk = _Walk(graph, names)
    node = Node("root" if is_root else "agent", _key(agent), agent.name)
    if is_root:
        graph.nodes += [START, END, node]
        graph.edges.append((START, node))
    walk.visit(agent, node)
    return graph


class _Walk:
    """One pass over the agents."""

    def __init__(self, graph: Graph, names: set[str]) -> None:
        self._graph = graph
        self._names = names
        self._without = frozenset(names)
        self._met: dict[Key, Node] = {}

    def visit(self, agent: Any, node: Node) -> None:
        self._met[node.key] = node
        self._names.add(agent.name)
        self._use(node, "tool", agent.tools)
        self._use(node, "mcp", agent.mcp_servers)
        for target in agent.handoffs:
            self._hand_over(node, target)
        if not agent.handoffs:
            self._graph.edges.append((node, END))

    def _use(self, node: Node, kind: Literal["tool", "mcp"], things: list[Any]) -> None:
        for thing in things:
            used = Node(kind, (kind, thing.name), thing.name)
            self._graph.nodes.append(used)
            self._graph.edges.append((node, used))

    def _hand_over(self, node: Node, target: Any) -> None:
        agent = _live(target)
        if agent is None:
            self._add(node, Node("handoff", ("handoff", id(target)), target.agent_name))
            return
        to = self._met.get(_key(agent)) or Node("agent", _key(agent), agent.name)
        if to.key in self._met:
            self._graph.edges.append((node, to))
        elif agent.name in self._without:
            self._graph.edges.append((node, to))
            self._graph.outside.append(to)
        else:
            self._add(node, to)
            self.visit(agent, to)

    def _add(self, node: Node, to: Node) -> None:
        self._graph.nodes.append(to)
        self._graph.edges.append((node, to))


def _key(agent: Any) -> Key:
    return ("agent", id(agent))


def _live(target: Any) -> Any | None:
    """The agent that a handoff leads to; None if only its name is left."""
    handoff: Any = target  # isinstance would make its types unknown
    agent = handoff_target(handoff) if isinstance(target, Handoff) else target
    return agent if isinstance(getattr(agent, "name", None), str) else None
