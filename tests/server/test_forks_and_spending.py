"""Another way for a run, what two differ in, and what runs cost and may cost: over HTTP."""

from __future__ import annotations

from pathlib import Path

from tests.server.conftest import desk_of, served

from outlast import Agent, Budget, RunConfig, function_tool
from outlast.server import App, Caller


async def test_a_run_is_forked_and_compared_and_another_tenant_sees_neither(tmp_path: Path):
    who = Caller("ana", "north")
    app = App([desk_of()], journal=str(tmp_path / "journal.db"), auth=lambda _: who)
    async with served(app) as client:
        body = {"input": "Refund order A-1007", "run_id": "r"}
        run = (await client.post("/api/v1/runs", json=body, headers={"Prefer": "wait=30"})).json()
        (call,) = run["approvals"]
        answer = {"decision": "approve"}
        await client.post(f"/api/v1/runs/r/approvals/{call['key']}", json=answer)
        assert (await client.get("/api/v1/runs/r?wait=30")).json()["status"] == "completed"
        change = {"at": f"t1.{call['key']}", "result": "order not found", "run_id": "f"}
        made = await client.post("/api/v1/runs/r/fork", json=change)
        assert (made.status_code, made.headers["location"]) == (201, "/api/v1/runs/f")
        other = (await client.get("/api/v1/runs/f?wait=30")).json()
        assert (other["status"], other["tenant"]) == ("completed", "north")
        assert "order not found" in other["output"]
        found = (await client.get("/api/v1/runs/r/diff?with=f")).json()
        assert (found["is_same"], found["runs"]) == (False, ["r", "f"])
        wrong = await client.post("/api/v1/runs/r/fork", json={"at": "m99"})
        assert wrong.status_code == 422
        who = Caller("eve", "south")
        assert (await client.get("/api/v1/runs/r/diff?with=f")).status_code == 404
        assert (await client.post("/api/v1/runs/r/fork", json=change)).status_code == 404
        assert (await client.get("/api/v1/usage")).json()["data"] == []


async def test_usage_is_summed_and_a_run_that_has_spent_all_goes_on_with_more(tmp_path: Path):
    @function_tool
    def status_of(order: str) -> str:
        """Say how far an order is.

        Args:
            order: The order's number, for example A-1007.
        """
        return f"order {order} is on its way"

    poor = Agent(name="Poor", model="offline", tools=[status_of])
    config = RunConfig(budgets=Budget(requests=1))
    app = App([desk_of(), poor], journal=str(tmp_path / "journal.db"), run_config=config)
    async with served(app) as client:
        wait = {"Prefer": "wait=30"}
        for said in ("Hello", "Hi"):
            await client.post("/api/v1/runs", json={"agent": "desk", "input": said}, headers=wait)
        asked = {"agent": "poor", "input": "How far is order A-1007?", "run_id": "r"}
        run = (await client.post("/api/v1/runs", json=asked, headers=wait)).json()
        assert (run["status"], run["error"]["kind"]) == ("failed", "BudgetExceeded")
        none = await client.post("/api/v1/runs/r/top-up", json={})
        assert none.status_code == 422
        more = await client.post("/api/v1/runs/r/top-up", json={"requests": 5, "why": "it is fine"})
        assert more.status_code == 200, more.text
        run = (await client.get("/api/v1/runs/r?wait=30")).json()
        assert "on its way" in run["output"]
        rows = (await client.get("/api/v1/usage?group_by=agent")).json()["data"]
        assert {row["agent"]: row["requests"] for row in rows} == {"Desk": 2, "Poor": 2}
        assert len((await client.get("/api/v1/usage?group_by=day")).json()["data"]) == 1
