"""Keys: what they open, for how long, and how often."""

import time
from pathlib import Path

import pytest
from tests.server.conftest import desk_of, served

from outlast import UserError
from outlast.server import ApiKeys, App
from outlast.testing import ScriptedModel, assistant_message


def headers(key: str) -> dict[str, str]:
    return {"X-API-Key": key}


async def test_a_key_opens_what_it_is_for_until_it_is_revoked(tmp_path: Path):
    keys = ApiKeys(tmp_path / "keys.db")
    model = ScriptedModel([[assistant_message("Done.")]])
    reading = keys.create("reader", ["runs:read"])
    writing = keys.create("writer", ["runs:write", "runs:read", "agents:desk:run"], tenant="north")
    other = keys.create("other", ["runs:write", "agents:research:run"])
    late = keys.create("late", ["*"], expires_at=time.time() - 1)
    async with served(App(agents=[desk_of(model)], auth=ApiKeys(tmp_path / "keys.db"))) as client:
        body = {"input": "Hello", "run_id": "r-1"}
        codes = {
            name: (await client.post("/api/v1/runs", json=body, headers=headers(key))).status_code
            for name, key in [
                ("reading", reading), ("other", other), ("late", late), ("wrong", writing[:-1] + "?"),
                ("unknown", "olk_0_0"), ("writing", writing),
            ]
        }  # fmt: skip
        assert codes == {
            "reading": 403, "other": 403, "late": 401, "wrong": 401, "unknown": 401, "writing": 202,
        }  # fmt: skip
        run = (await client.get("/api/v1/runs/r-1", headers=headers(writing))).json()
        assert (run["user"], run["tenant"]) == ("writer", "north")
        keys.revoke(writing.split("_")[1])
        gone = await client.get("/api/v1/runs/r-1", headers=headers(writing))
    assert gone.status_code == 401
    assert writing.split("_", 2)[2].encode() not in (tmp_path / "keys.db").read_bytes()


async def test_a_key_that_is_used_too_often_is_told_when_to_come_again(tmp_path: Path):
    keys = ApiKeys(tmp_path / "keys.db")
    key = keys.create("ci", ["*"], per_minute=3)
    app, twin = (App(agents=[desk_of()], auth=ApiKeys(tmp_path / "keys.db")) for _ in range(2))
    async with served(app) as one, served(twin) as two:
        answers = [
            await client.get("/api/v1/agents", headers=headers(key))
            for client in (one, two, one, two)
        ]
    assert [answer.status_code for answer in answers][-1] == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_scope_that_there_is_not_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="runs:wrote"):
        ApiKeys(tmp_path / "keys.db").create("ci", ["runs:wrote"])
