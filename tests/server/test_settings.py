"""What is written wrongly in a program that serves agents is refused where it is written."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from tests.server.conftest import desk_of

from outlast import Agent, SQLiteSession
from outlast.client import Client, ServerJournal
from outlast.core.errors import UserError
from outlast.server import ApiKeys, App, Schedule
from outlast.server.database import Database
from outlast.server.schedules.store import SCHEDULES, Schedules
from outlast.server.shield import Limits

DAILY: dict[str, Any] = {"name": "digest", "input": "Sum up.", "cron": "0 9 * * *"}


AGENTS: dict[str, Any] = {"agents": [desk_of(), Agent(name="Planner", model="offline")]}
KEY: dict[str, Any] = {"name": "ci", "scopes": ["runs:read"]}
ADDRESS: dict[str, Any] = {"url": "http://agents.example"}


@pytest.mark.parametrize(
    ("setting", "wrong", "says"),
    [
        ("agents", desk_of(), "must be a list of agents"),
        ("agents", [], "app.register"),
        ("agents", "Planner", "must be a list of agents"),
        ("agents", ["Planner"], "serves agents, got str"),
        ("agents", None, "must be a list of agents"),
        ("auth", "open", "'local', ApiKeys()"),
        ("auth", None, "'local', ApiKeys()"),
        ("auth", ApiKeys, "ApiKeys()"),
        ("cors", "https://shop.example", "list of texts"),
        ("cors", ["shop.example"], "https://shop.example"),
        ("cors", ["https://shop.example/"], "without a path"),
        ("expose", "a2a", "list of texts"),
        ("expose", ["opnai"], "'openai', 'a2a', 'ag-ui'"),
        ("context", {"user": 1}, "a function"),
        ("session", SQLiteSession("s"), "lambda id"),
        ("journal", 5, "takes a path"),
        ("engine", "temporal", "TemporalEngine"),
        ("run_config", {"model": "offline"}, "a RunConfig"),
        ("hosts", "agents.example", "list of texts"),
        ("hosts", [5], "list of texts"),
        ("hosts", ["https://agents.example"], "without a scheme"),
        ("hosts", ["agents.example:443"], "without a scheme and a port"),
        ("schedules", Schedule(**DAILY), "list of schedules"),
        ("schedules", ["daily"], "list of schedules"),
        ("schedules", [Schedule(**DAILY), Schedule(**DAILY)], "two schedules called 'digest'"),
        ("schedules", [Schedule(**DAILY, agent="Desc")], "Did you mean 'Desk'"),
        ("schedules", [Schedule(**DAILY)], "names no agent"),
        ("concurrency", 0, "1 or more"),
        ("concurrency", "50", "whole number"),
        ("max_concurrent", 2, "dict by the names"),
        ("max_concurrent", {"Planner": "2"}, "whole number"),
        ("max_concurrent", {"planner": 2}, "Did you mean 'Planner'"),
        ("queues", ["cpu"], "dict by the names"),
        ("queues", {"Planner": 1}, "name of a queue"),
        ("queues", {"Plan": "cpu"}, "agents are 'Desk', 'Planner'"),
        ("webhooks_reach_private", "no", "True or False"),
        ("performs", "no", "True or False"),
        ("grace_s", "20", "a number"),
        ("grace_s", -1, "0 or more"),
        ("limits", 1000, "Limits(...)"),
        ("on_start", print, "list of functions"),
        ("on_start", ["begin"], "list of functions"),
        ("on_stop", None, "list of functions"),
    ],
)
def test_an_app_refuses_a_setting_that_is_none_and_says_what_it_takes(
    setting: str, wrong: Any, says: str
):
    with pytest.raises(UserError) as caught:
        App(**{**AGENTS, setting: wrong})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("field", "wrong", "says"),
    [
        ("name", 5, "a text"),
        ("input", 5, "text or a list"),
        ("agent", desk_of(), "a text"),
        ("cron", None, "a text"),
        ("timezone", 1, "a text"),
        ("overlap", "skp", "'skip', 'queue', 'cancel', 'allow'"),
        ("overlap", None, "'skip', 'queue', 'cancel', 'allow'"),
        ("catch_up", "lst", "'none', 'last', 'all'"),
        ("catch_up_max", "3", "whole number"),
        ("jitter_s", "3", "a number"),
        ("paused", "no", "True or False"),
        ("session_id", 5, "a text"),
        ("context", "x", "a dict"),
        ("max_turns", "10", "whole number"),
        ("max_turns", 0, "1 or more"),
        ("priority", "high", "whole number"),
    ],
)
def test_a_schedule_refuses_a_field_that_is_none_and_says_what_it_takes(
    field: str, wrong: Any, says: str
):
    with pytest.raises(UserError) as caught:
        Schedule(**{**DAILY, field: wrong})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "when", [{"every_s": "60"}, {"every_s": 1e300}, {"at": 5}, {"at": "0001-01-01T00:00:00+12:00"}]
)
def test_a_schedule_refuses_a_time_that_is_none(when: Any):
    with pytest.raises(UserError):
        Schedule(name="digest", input="Sum up.", **when)


async def test_settings_for_agents_that_come_later_are_looked_at_when_the_app_begins(
    tmp_path: Path,
):
    journal = str(tmp_path / "journal.db")
    app = App(journal=journal, schedules=[Schedule(**DAILY, agent="Desk")])
    with pytest.raises(UserError, match="'Desk'"):
        await app.start()
    app.register("desk", desk_of())
    await app.start()
    await app.stop()


def test_hosts_are_compared_as_requests_spell_them():
    assert App([desk_of()], hosts=(each for each in ("Agents.Example", "*"))).hosts == {
        "agents.example",
        "*",
    }


def test_a_kept_schedule_that_is_none_rests_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    database = Database(tmp_path / "server.db", SCHEDULES)
    schedules = Schedules(database)
    schedules.put("", Schedule(**DAILY), "me", 0.0)
    database.write(
        "INSERT INTO schedule VALUES ('', 'old', ?, 'me', 0, 0, 0)",
        (msgspec.json.encode({**DAILY, "name": "old", "overlap": "skp"}).decode(),),
    )
    assert [[each.schedule.name for each in schedules.list()] for _ in range(2)] == [["digest"]] * 2
    assert [each.getMessage().count("'old' rests") for each in caplog.records] == [1]


@pytest.mark.parametrize("field", ["body_bytes", "header_bytes", "url_bytes", "body_s"])
@pytest.mark.parametrize("wrong", ["1", 0, None])
def test_a_limit_is_a_number_above_nothing(field: str, wrong: Any):
    with pytest.raises(UserError, match=field):
        Limits(**{field: wrong})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"url": "127.0.0.1:8461"}, "http://127.0.0.1:8461"),
        ({"url": "me:secret@agents.example"}, "http://agents.example"),
        ({"url": "ftp://agents.example"}, "http://agents.example"),
        ({"url": ""}, "http://127.0.0.1:8400"),
        ({"url": None}, "a text"),
        ({"key": None}, "a text"),
        ({"timeout_s": "30"}, "a number"),
        ({"timeout_s": 0}, "above 0"),
    ],
)
def test_a_client_refuses_what_is_no_address_of_a_server(given: Any, says: str):
    with pytest.raises(UserError) as caught:
        Client(**{**ADDRESS, **given})
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_journal_of_a_server_refuses_what_is_no_address():
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:8400"):
        ServerJournal("127.0.0.1:8400")


@pytest.mark.parametrize(
    ("method", "given", "says"),
    [
        ("start", {"input": 5}, "text or a list"),
        ("start", {"input": "hi", "wait_s": "20"}, "wait_s must be a number"),
        ("start", {"input": "hi", "agent": desk_of()}, "its name"),
        ("start", {"input": "hi", "key": 5}, "a text"),
        ("get", {"run_id": "r", "wait_s": None}, "wait_s must be a number"),
        ("get", {"run_id": 5}, "a text"),
        ("runs", {"limit": "5"}, "whole number"),
        ("runs", {"limit": -1}, "0 or more"),
    ],
)
async def test_a_client_refuses_an_argument_before_it_asks(method: str, given: Any, says: str):
    async with Client("http://127.0.0.1:9") as client:
        with pytest.raises(UserError, match=says):
            await getattr(client, method)(**given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": None}, "name must be a text"),
        ({"scopes": "runs:read"}, "list of texts"),
        ({"scopes": ["runs:red"]}, "runs:read"),
        ({"tenant": 5}, "tenant must be a text"),
        ({"expires_at": "tomorrow"}, "expires_at must be a number"),
        ({"per_minute": "60"}, "whole number"),
        ({"per_minute": 0}, "1 or more"),
    ],
)
def test_a_key_refuses_what_is_none_of_its_fields(tmp_path: Path, given: Any, says: str):
    keys = ApiKeys(tmp_path / "keys.db")
    with pytest.raises(UserError, match=says):
        keys.create(**{**KEY, **given})
    assert keys.list() == []


def test_keys_are_kept_in_a_file_that_is_named():
    with pytest.raises(UserError, match="path of a file"):
        ApiKeys(cast("Any", 5))
