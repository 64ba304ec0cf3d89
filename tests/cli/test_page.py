"""A run as a page: whole, alone, and nothing but text in it, whatever the log holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from any_log import ANY_LOG, stored
from hypothesis import given, settings, strategies as st
from logs_by_hand import answer, begun, call_item, ending, log_of, opening, reply, said, user
from typer.testing import CliRunner

from outlast.cli.app import app
from outlast.cli.page import run_page
from outlast.core.events import (
    ChildStarted,
    EffectStarted,
    ModelReplied,
    RunAcquired,
    RunStarted,
    TurnPrepared,
)
from outlast.core.identity import RunMetadata
from outlast.views.steps import timeline

PROGRAM = """
from outlast import Agent
desk = Agent(name="Desk", model="offline")
"""
CHROMIUM = os.environ.get("OUTLAST_TEST_CHROMIUM") or shutil.which("chromium")
EVIL = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\"><svg/onload=document.title='owned'>",
    "</pre></details><iframe src=javascript:alert(1)>",
    "'-alert(1)-'",
    "<style>main{display:none}</style>",
    "&lt;b&gt;\u202e\x1b[2J\x00",
    "<!--",
    "</title></style><base href=//evil.example>",
]
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "span", "div", "dl",
    "dt", "dd", "p", "strong", "details", "summary", "pre", "ol", "li",
}  # fmt: skip
VOID = {"meta"}


class Page(HTMLParser):
    """Reads a page: its elements, its text, and whether each that opens also closes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data


def hostile(text):
    return log_of(
        [
            RunStarted(
                agent=text, input=[user(text)], metadata=RunMetadata(user=text, tags=(text,))
            ),
            TurnPrepared(id="p1", agent=text),
            *reply(1, text, call_item("a", text, f'{{"x": "{text}"}}')),
            begun("t1.a", text),
            answer("t1.a", "a", text, text),
            TurnPrepared(id="p2", agent=text),
            EffectStarted("m2", "model"),
            ModelReplied("m2", text, [said(text)], model=text),
        ],
        [RunAcquired(owner=text)],
    )


def crashed():
    second = [RunAcquired(owner="pid 7"), begun("t1.b", "pay", 2), answer("t1.b", "b", "paid")]
    return log_of(opening(), [*second, *ending()])


def test_a_page_shows_the_steps_the_crash_and_what_was_said():
    page = Page(run_page("order-17", timeline(crashed()), {}))
    for part in (
        "order-17", "completed", "desk", "look", "pay", "in doubt", "attempt 2", "reused",
        "A process died.", "pid 7 went on", "2 steps reused, 1 in doubt retried with the same key",
        "pay 7", "Paid.", "the same as before",
    ):  # fmt: skip
        assert part in page.text


def test_a_run_inside_a_run_stands_in_the_step_that_it_is():
    child = timeline(log_of([RunStarted(agent="helper", input=[user("?")]), *reply(1, "helper")]))
    parent = [
        RunStarted(agent="desk", input=[user("hi")]),
        TurnPrepared(id="p1", agent="desk"),
        *reply(1, "desk", call_item("x", "ask")),
        begun("t1.x", "ask"),
        ChildStarted(id="t1.x", run_id="run-1/x", agent="helper"),
    ]
    text = Page(run_page("run-1", timeline(log_of(parent)), {"run-1/x": child})).text
    assert text.index("The run inside: run-1/x") < text.index("helper")


def test_a_page_has_what_models_were_given_once_for_each_change():
    events = [RunStarted(agent="desk", input=[user("hi")])]
    for turn in (1, 2, 3):
        prompt = "p1" if turn < 3 else "p2"
        prepared = TurnPrepared(id=f"p{turn}", agent="desk", instructions=prompt, tools="t")
        events += [prepared, *reply(turn, "desk", call_item(f"c{turn}", "look"))]
        events += [begun(f"t{turn}.c{turn}", "look"), answer(f"t{turn}.c{turn}", f"c{turn}", "x")]
    texts = {"p1": "Be kind.", "p2": "<b>Be rude.</b>", "t": '[{"name": "look"}]'}
    html = run_page("r", timeline(log_of(events)), {}, texts)
    page = Page(html)
    assert page.open == []
    assert page.text.count("Be kind.") == 1
    assert "from turn 1: desk" in page.text
    assert "from turn 3: desk" in page.text
    assert "from turn 2" not in page.text
    assert "<b>" not in html
    assert "What models were given" not in Page(run_page("r", timeline(log_of(events)), {})).text


@pytest.mark.parametrize("evil", EVIL)
def test_what_a_log_holds_is_text_and_asks_for_nothing(evil):
    html = run_page(evil, timeline(hostile(evil)), {})
    page = Page(html)
    assert page.open == []
    assert page.tags <= ALLOWED
    assert page.names <= {
        "lang", "charset", "http-equiv", "content", "name", "class", "style", "aria-hidden",
    }  # fmt: skip
    assert not re.search(r"https?:|//|@import|url\(", html.split("<main>")[0].split("<style>")[1])
    assert not set(html) & set("\x00\x1b\u202e")


@settings(max_examples=60, deadline=None)
@given(ANY_LOG, st.text(max_size=20))
def test_any_log_is_a_whole_page(events, run_id):
    page = Page(run_page(run_id, timeline(stored(events)), {}))
    assert page.open == []
    assert page.tags <= ALLOWED


def test_bars_stand_within_their_lanes_and_waits_take_no_room():
    log = crashed()
    late = [log[0], *(each._replace(at=each.at + 1e6 * (each.epoch - 1)) for each in log[1:])]
    html = run_page("r", timeline(late), {})
    bars = [(float(a), float(b)) for a, b in re.findall(r"left:([\d.]+)%;width:([\d.]+)%", html)]
    assert len(bars) == 5
    assert all(0 <= left <= 100 and left + width <= 100.001 for left, width in bars)
    assert max(width for _, width in bars) > 5


# --- In a browser. -----------------------------------------------------------------------


def opened(tmp_path, html, *options):
    file = tmp_path / "run.html"
    file.write_text(html, "utf-8")
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/data",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", *options, file.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium; name it in OUTLAST_TEST_CHROMIUM")
def test_a_browser_runs_nothing_of_what_a_log_holds(tmp_path):
    done = opened(tmp_path, run_page("r", timeline(hostile("".join(EVIL))), {}), "--dump-dom")
    assert "<title>running: r</title>" in done.stdout
    assert "CONSOLE" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium; name it in OUTLAST_TEST_CHROMIUM")
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_a_browser_draws_the_page_at_every_width(tmp_path, width):
    picture = tmp_path / f"{width}.png"
    opened(
        tmp_path,
        run_page("order-17", timeline(crashed()), {}),
        f"--window-size={width},900",
        f"--screenshot={picture}",
    )
    assert picture.stat().st_size > 10_000


def test_show_writes_the_page_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    run = CliRunner().invoke(app, ["run", "program.py:desk", "hi", "--id", "order-17"])
    assert run.exit_code == 0, run.output
    done = CliRunner().invoke(app, ["show", "order-17", "--html", "run.html"])
    assert done.exit_code == 0
    assert "run.html" in done.output
    file = tmp_path / "run.html"
    assert file.stat().st_mode & 0o077 == 0
    assert "order-17" in Page(file.read_text("utf-8")).text
    refused = CliRunner().invoke(app, ["show", "order-17", "--html", "no/such/folder.html"])
    assert refused.exit_code == 2
    assert "cannot be written" in refused.output
