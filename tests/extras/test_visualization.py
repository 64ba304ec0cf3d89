"""Agents in Graphviz' language."""

import re
import sys
from typing import Any

import pytest

from outlast import Agent, UserError, function_tool, handoff
from outlast.extras.visualization import draw_graph, get_all_edges, get_all_nodes, get_main_graph


@function_tool
def look() -> None: ...


class Server:
    def __init__(self, name: str) -> None:
        self.name = name

    async def list_tools(self) -> list[Any]:
        return []


def ids(source: str, label: str) -> list[str]:
    return re.findall(rf'"([^"]+)" \[label="{re.escape(label)}"', source)


def test_agents_tools_and_servers_have_their_shapes_and_edges():
    helper = Agent(name="Helper", mcp_servers=[Server("Files")])
    source = get_main_graph(Agent(name="Triage", tools=[look], handoffs=[handoff(helper)]))
    assert re.sub(r"\s+", " ", source) == (
        ' digraph G { graph [splines=true]; node [fontname="Arial"]; edge [penwidth=1.5]; '
        '"__start__" [label="__start__", shape=ellipse, style=filled, fillcolor=lightblue, width=0.5, height=0.3];'
        '"__end__" [label="__end__", shape=ellipse, style=filled, fillcolor=lightblue, width=0.5, height=0.3];'
        '"Triage" [label="Triage", shape=box, style=filled, fillcolor=lightyellow, width=1.5, height=0.8];'
        '"look" [label="look", shape=ellipse, style=filled, fillcolor=lightgreen, width=0.5, height=0.3];'
        '"Helper" [label="Helper", shape=box, style="filled,rounded", fillcolor=lightyellow, width=1.5, height=0.8];'
        '"Files" [label="Files", shape=box, style=filled, fillcolor=lightgrey, width=1, height=0.5];'
        '"__start__" -> "Triage"; "Triage" -> "look" [style=dotted, penwidth=1.5]; '
        '"look" -> "Triage" [style=dotted, penwidth=1.5]; "Triage" -> "Helper"; '
        '"Helper" -> "Files" [style=dashed, penwidth=1.5]; "Files" -> "Helper" [style=dashed, penwidth=1.5];'
        '"Helper" -> "__end__";}'
    )  # fmt: skip


def test_agents_that_hand_over_in_a_circle_are_drawn_once():
    one, other = Agent(name="One"), Agent(name="Other")
    one.handoffs, other.handoffs = [other], [one]
    source = get_main_graph(one)
    assert ids(source, "One") == ["One"]
    assert ids(source, "Other") == ["Other"]
    assert '"Other" -> "One";' in source


def test_what_shares_a_label_has_ids_of_its_own():
    child = Agent(name="same", tools=[look])
    named_alike = function_tool(look.__wrapped__, name_override="same")
    parent = Agent(name="same", tools=[named_alike], mcp_servers=[Server("same")], handoffs=[child])
    found = ids(get_main_graph(parent), "same")
    assert len(set(found)) == len(found) == 4
    assert all(each.startswith("__agents_graph_") for each in found)


def test_quotes_backslashes_and_line_ends_in_names_are_escaped():
    source = get_main_graph(Agent(name='say "hi" \\ \r\n now'))
    assert r'[label="say \"hi\" \\ \n now"' in source


def test_agents_that_were_drawn_before_are_left_out_and_stay_reachable():
    child = Agent(name="child", tools=[look])
    parent = Agent(name="parent", handoffs=[child])
    names = {"child"}
    assert "child" not in get_all_nodes(parent, visited=names)
    assert '"parent" -> "child";' in get_all_edges(parent, visited={"child"})
    assert names == {"parent", "child"}


def test_a_graph_object_holds_the_same_text():
    pytest.importorskip("graphviz")
    agent = Agent(name="A")
    assert draw_graph(agent).source.strip() == get_main_graph(agent).strip()


def test_a_picture_needs_the_program_dot_and_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="program dot, which is not on the PATH"):
        draw_graph(Agent(name="A"), filename=str(tmp_path / "a"))


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(UserError, match=r"pip install '.\[viz\]'"):
        draw_graph(Agent(name="A"))
