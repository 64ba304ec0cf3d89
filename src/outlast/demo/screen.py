"""The demo's screen: start the desk, see it die, start it again, show what the log says."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.table import Table
from rich.text import Text

from outlast.cli.logs import read_run
from outlast.cli.problem import near
from outlast.cli.screen import console
from outlast.cli.show import run_summary, run_tree
from outlast.cli.text import plain, short
from outlast.demo.orders import Shop, euros
from outlast.demo.worker import KILL, LIVE
from outlast.views.timeline import Timeline

if TYPE_CHECKING:
    from rich.console import Console

MESSAGE = "Order A-1007 arrived broken, please refund it. And when does A-1012 arrive?"


class Stage(NamedTuple):
    """Where the demo plays."""

    run_id: str
    shop: Shop
    message: str
    environment: dict[str, str]


def play(message: str = "", home: Path | None = None, *, is_live: bool = False) -> int:
    """Play the demo.

    Args:
        message: What the customer writes.
        home: The directory for the journal and the shop; `OUTLAST_HOME` or `.outlast` by default.
        is_live: Whether the real model plays the desk; else rules do, whatever keys are set.

    Returns:
        0 if the run was completed and each refund was posted once.
    """
    screen = console()
    stage = _stage(message or MESSAGE, home, is_live=is_live)
    _introduce(screen, stage)
    began = time.monotonic()
    code = _perform(screen, stage, is_first=True)
    was_killed = code == -signal.SIGKILL
    if was_killed:
        code = _perform(screen, stage, is_first=False)
    took = time.monotonic() - began
    if code:
        screen.print(Text(f"The desk ended with exit status {code}; see above.", style="red"))
        return 1
    if not was_killed:
        screen.print(Text("\nNo refund was due, so nothing was killed.", style="dim"))
    view = _show_log(screen, stage, took)
    return _show_ledger(screen, stage, view)


def _stage(message: str, home: Path | None, *, is_live: bool) -> Stage:
    home = (home or Path(os.environ.get("OUTLAST_HOME", ".outlast"))).absolute()
    run_id = f"desk-{secrets.token_hex(3)}"
    shop = Shop(home / "demo" / f"{run_id}.db")
    shop.create()
    environment = {**os.environ, "OUTLAST_HOME": str(home)}
    environment.pop(LIVE, None)
    if is_live:
        environment[LIVE] = "1"
    if environment.get("OUTLAST_JOURNAL", "") in ("off", "memory"):
        del environment["OUTLAST_JOURNAL"]  # Nothing would be left to go on from.
    return Stage(run_id, shop, message, environment)


def _introduce(screen: Console, stage: Stage) -> None:
    screen.rule(Text("Outlast: a support desk, killed in the middle of a refund", style="bold"))
    place = os.environ.get("OPENAI_BASE_URL")
    real = (
        f"Model: the one at {place}." if place else "Model: the real one (OPENAI_API_KEY is set)."
    )
    offline = "Model: a stand-in of rules, offline. With --live, the real one."
    screen.print(Text(real if LIVE in stage.environment else offline, style="dim"))
    screen.print(Text("Shop:  a SQLite file of its own, with orders and a ledger.", style="dim"))
    said = textwrap.wrap(short(stage.message, 240), screen.width - 16)
    line = Text("\n  customer     ", style="bold")
    screen.print(line.append(f"\n{'':15}".join(said), style="italic"))


def _perform(screen: Console, stage: Stage, *, is_first: bool) -> int:
    """One process of the desk, which shows itself what it does. Returns its exit status."""
    command = [sys.executable, "-m", "outlast.demo.worker"]
    command += [stage.run_id, str(stage.shop.path), stage.message]
    environment = stage.environment | ({KILL: "1"} if is_first else {})
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 (this program)
        code = process.wait()
    if code == -signal.SIGKILL:
        _explain_kill(screen, process.pid)
    return code


def _explain_kill(screen: Console, pid: int) -> None:
    text = Text(f"\n  ✗ process {pid} is dead: SIGKILL.", style="bold red")
    text.append(
        " The demo's refund tool does this on\n    purpose: the ledger has the refund, "
        "and the log has no result for it yet.",
        style="not bold red",
    )
    screen.print(text)


def _show_log(screen: Console, stage: Stage, took: float) -> Timeline:
    screen.print()
    screen.rule(Text("what the log says", style="bold"))
    before = dict(os.environ)
    os.environ.update(stage.environment)
    view, children = asyncio.run(read_run(stage.run_id))
    os.environ.clear()
    os.environ.update(before)
    screen.print(run_tree(stage.run_id, view, children, screen.width))
    screen.print(run_summary(view))
    screen.print(Text(f"From the first process's start to the end: {took:.1f} s.", style="dim"))
    return view


def _show_ledger(screen: Console, stage: Stage, view: Timeline) -> int:
    refunds = stage.shop.refunds()
    screen.print()
    screen.rule(Text("the ledger", style="bold"))
    if refunds:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("order", "amount", "key", "asked", "posted"):
            table.add_column(name, justify="right" if name in ("amount", "asked") else "left")
        for refund in refunds:
            asked = f"{refund.requests} x"
            key = short(refund.key, 36)
            table.add_row(refund.order_id, euros(refund.cents), key, asked, "once")
        screen.print(table)
    else:
        screen.print(Text("It is empty: no refund was asked for.", style="dim"))
    is_right = view.status == "completed" and len({row.order_id for row in refunds}) == len(refunds)
    again = f"{_home_of(stage)}{_command()} show {stage.run_id}"
    screen.print(Text(f"\nThe tree again: {plain(again)}", style="dim"), soft_wrap=True)
    return 0 if is_right else 1


def _command() -> str:
    """How one types `outlast` right here."""
    here = Path(sys.executable).parent / "outlast"
    on_path = shutil.which("outlast")
    if on_path and Path(on_path).resolve() == here.resolve():
        return "outlast"
    if here.exists():
        return shlex.quote(near(str(here)))
    return f"{shlex.quote(sys.executable)} -m outlast"


def _home_of(stage: Stage) -> str:
    """What has to stand before the command where it would look in another journal."""
    home = stage.environment["OUTLAST_HOME"]
    usual = os.environ.get("OUTLAST_HOME", ".outlast")
    return "" if Path(usual).absolute() == Path(home) else f"OUTLAST_HOME={shlex.quote(home)} "
