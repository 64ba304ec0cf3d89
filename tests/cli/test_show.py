"""A run on the screen: the tree of its steps, the crash line, and nothing that a log can inject."""

import io
import re

from logs_by_hand import answer, begun, call_item, ending, log_of, opening, reply, user
from rich.console import Console

from outlast.cli.show import run_summary, run_tree
from outlast.core.events import (
    ChildStarted,
    ErrorFacts,
    RunAcquired,
    RunFailed,
    RunStarted,
    TurnPrepared,
)
from outlast.views.steps import timeline


def shown(view, children=None, width=80):
    console = Console(width=width, record=True, color_system=None, file=io.StringIO())
    console.print(run_tree("run-1", view, children or {}, width))
    console.print(run_summary(view))
    return console.export_text()


def crashed():
    second = [RunAcquired(owner="pid 7"), begun("t1.b", "pay", 2), answer("t1.b", "b", "paid")]
    return timeline(log_of(opening(), [*second, *ending()]))


def test_a_crash_is_a_line_between_the_steps():
    lines = shown(crashed()).splitlines()
    assert lines[0] == "run run-1 completed"
    place = next(n for n, line in enumerate(lines) if "crash" in line)
    assert "pid 7 went on 1.0 s later" in lines[place]
    assert "2 steps reused, 1 in doubt retried with the same key" in lines[place + 1]
    assert "? pay" in lines[place - 1]
    assert "in doubt" in lines[place - 1]
    assert re.search(r"✓ pay .*attempt 2, same key", lines[place + 3])
    assert sum(line.endswith("reused") for line in lines) == 2


def test_every_line_fits_the_screen():
    assert max(map(len, shown(crashed()).splitlines())) <= 80


def test_a_run_inside_a_run_stands_below_its_step():
    child = timeline(log_of([RunStarted(agent="helper", input=[user("?")]), *reply(1, "helper")]))
    parent = [
        RunStarted(agent="desk", input=[user("hi")]),
        TurnPrepared(id="p1", agent="desk"),
        *reply(1, "desk", call_item("x", "ask")),
        begun("t1.x", "ask"),
        ChildStarted(id="t1.x", run_id="run-1/x", agent="helper"),
    ]
    lines = shown(timeline(log_of(parent)), {"run-1/x": child}).splitlines()
    assert "helper" in lines[4]
    assert lines[4].index("helper") > lines[3].index("ask")


def test_what_the_log_holds_cannot_drive_the_screen():
    evil = "\x1b[2J\x1b]0;x\x07\u202e[bold red]name[/]"
    log = [
        RunStarted(agent=evil, input=[user(evil)]),
        TurnPrepared(id="p1", agent=evil),
        *reply(1, evil, call_item("a", evil, f'{{"x": "{evil}"}}')),
        begun("t1.a", evil),
        answer("t1.a", "a", evil, evil),
        RunFailed(ErrorFacts("ValueError", evil)),
    ]
    text = shown(timeline(log_of(log)), width=100)
    assert not set(text) & set("\x1b\x07\u202e")
    assert "[bold red]" in text


def test_a_failed_run_says_with_what():
    error = ErrorFacts("ValueError", "no such order")
    log = [RunStarted(agent="desk", input=[user("hi")]), RunFailed(error)]
    assert "ValueError: no such order" in shown(timeline(log_of(log)))
