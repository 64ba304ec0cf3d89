"""`outlast graph`: agents as Mermaid, as a picture, and in Graphviz' language."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, strategies as st

from outlast import Agent, function_tool
from outlast.extras.graph_mermaid import mermaid
from outlast.extras.graph_svg import svg

DESK = '''
from agents import Agent, WebSearchTool, function_tool, handoff

@function_tool
def refund(order: str) -> str:
    """Refund an order."""
    return order

refunds = Agent(name="Refunds & <more>", tools=[refund, WebSearchTool()])
triage = Agent(name="Triage", handoffs=[handoff(refunds)])
refunds.handoffs = [triage]
'''


@pytest.fixture
def graph(tmp_path):
    (tmp_path / "desk.py").write_text(DESK)

    def run(*words):
        command = [sys.executable, "-m", "outlast", "graph", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_mermaid_is_text_on_standard_output(graph):
    done = graph("desk.py:triage")
    assert done.stdout.splitlines()[:9] == [
        "flowchart TD",
        '    n0(["start"]):::start',
        '    n2["Triage"]:::agent',
        '    n3("Refunds #38; #60;more#62;"):::agent',
        '    n4(["refund"]):::tool',
        '    n5(["web_search"]):::tool',
        "    n0 --> n2",
        "    n2 --> n3",
        "    n3 -.-> n4",
    ]
    assert "    n3 --> n2" in done.stdout


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["--svg"], "<svg "),
        (["--dot"], "digraph G {"),
        (["--mermaid"], "flowchart TD"),
    ],
)
def test_each_form_can_be_asked_for(graph, words, start):
    assert graph("desk.py:triage", *words).stdout.startswith(start)


@pytest.mark.parametrize(
    ("name", "start"), [("a.svg", "<svg "), ("a.mmd", "flowchart"), ("a.dot", "digraph")]
)
def test_a_file_has_the_form_of_its_name(graph, tmp_path, name, start):
    assert graph("desk.py:triage", "-o", name).returncode == 0
    assert (tmp_path / name).read_text().startswith(start)


@pytest.mark.parametrize("words", [["--svg", "--dot"], ["-o", "a.png"]])
def test_what_cannot_be_is_refused(graph, words):
    done = graph("desk.py:triage", *words)
    assert done.returncode == 2
    assert "Usage" in done.stderr + done.stdout


names = st.text(min_size=1, max_size=60)


@given(first=names, second=names, tool=st.from_regex(r"[a-z]{1,20}", fullmatch=True))
def test_no_name_breaks_a_picture_or_a_text(first, second, tool):
    used = function_tool(lambda: None, name_override=tool)
    last = Agent(name=second, tools=[used])
    agent = Agent(name=first, handoffs=[last, Agent(name="Other", handoffs=[last])])
    root = ET.fromstring(svg(agent))
    rects = [each for each in root.iter() if each.tag.endswith("rect")]
    assert len(rects) == 3
    for line in mermaid(agent).splitlines():
        assert line.count('"') in (0, 2)


def test_cards_do_not_lie_on_each_other():
    leaves = [Agent(name=f"Leaf {n}", tools=[]) for n in range(7)]
    middle = [Agent(name=f"Middle {n}", handoffs=leaves[n : n + 3]) for n in range(4)]
    root = ET.fromstring(svg(Agent(name="First", handoffs=middle)))
    boxes = [
        tuple(float(each.attrib[key]) for key in ("x", "y", "width", "height"))
        for each in root.iter()
        if each.tag.endswith("rect")
    ]
    assert len(boxes) == 11
    for i, (x, y, w, h) in enumerate(boxes):
        for u, v, a, b in boxes[i + 1 :]:
            assert x + w < u or u + a < x or y + h < v or v + b < y
