"""What the doctor says of models that fail or are paced, and how it makes them well."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outlast.calls.health import Circuit, Health, Pace, Slot
from outlast.cli.app import app
from outlast.journal import open_journal

Cli = Callable[..., Any]
KEY = "https://models.example/v1 gpt-5"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return lambda *words: CliRunner().invoke(app, list(words))


def keep(health: Health, key: str = KEY) -> None:
    asyncio.run(open_journal().health.change(key, lambda _: (health, None)))


def said(result: Any) -> str:
    return " ".join(result.stdout.split())


def test_a_journal_without_failures_has_no_line_about_models(cli: Cli):
    keep(Health())
    assert "gpt-5" not in cli("doctor").stdout


def test_an_open_circuit_is_a_note_with_its_times(cli: Cli):
    keep(Health(Circuit(failures=7, since=time.time() - 60, until=time.time() + 60, opened=2)))
    result = cli("doctor")
    assert result.exit_code == 0
    assert "! model https://models.example/v1 gpt-5; circuit open, 7 failures since" in said(result)
    assert "not before 20" in said(result)


def test_a_probe_is_named(cli: Cli):
    until = time.time() + 60
    keep(Health(Circuit(failures=7, until=until, opened=2, probe="run-1/m3")))
    assert "circuit half-open" in said(cli("doctor"))
    assert "tried by run-1/m3 until 20" in said(cli("doctor"))


def test_a_circuit_whose_time_is_over_is_tried_at_the_next_call(cli: Cli):
    keep(Health(Circuit(failures=7, since=1e300, until=1.0, opened=2)))
    assert "tried at the next call" in said(cli("doctor"))


def test_the_rate_of_the_last_minute_stands_beside_its_limit(cli: Cli):
    now = int(time.time())
    slots = (Slot(now - 200, 9, 9), Slot(now - 10, 3, 1200), Slot(now + 50, 2, 0))
    keep(Health(pace=Pace(slots, 500, 30_000)))
    assert "3 of 500 calls and 1,200 of 30,000 tokens in the last minute, 2 waiting" in said(
        cli("doctor")
    )


def test_reset_closes_all_circuits_and_forgets_all_counts(cli: Cli):
    keep(Health(Circuit(failures=7, until=time.time() + 60, opened=2)))
    keep(Health(pace=Pace((Slot(int(time.time()), 3, 0),), 500)), "other")
    result = cli("doctor", "--reset")
    assert "Forgot the circuits and counts of 2 models." in said(result)
    assert "gpt-5" not in result.stdout
    assert open_journal().health.all() == {}


def test_reset_makes_no_journal(cli: Cli, outlast_home: Path):
    assert "of 0 models" in said(cli("doctor", "--reset"))
    assert not (outlast_home / "journal.db").exists()
