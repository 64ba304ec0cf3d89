"""An app whose runs a cluster performs: the same API, and no run is performed by the app."""

import asyncio
from pathlib import Path

import pytest
from tests.server.conftest import desk_of, events_of, served
from tests.temporal.cluster_kit import cluster

from outlast.server import App
from outlast.temporal import Program, worker_of
from outlast.testing import ScriptedModel, assistant_message, function_call

pytestmark = pytest.mark.services


async def test_a_run_over_http_is_performed_by_a_cluster_and_decided_about(
    address: str, tmp_path: Path
):
    call = function_call("refund", {"order": "A-1007"}, call_id="c1")
    model = ScriptedModel([[call], [assistant_message("Refunded.")]])
    async with cluster(tmp_path, address) as there:
        program = Program(agent=desk_of(model))
        worker = worker_of(there.client, there._store, program, queue=there.queue)
        working = asyncio.create_task(worker.run())
        try:
            async with served(App([desk_of("offline")], engine=there.engine)) as client:
                body = {"input": "Refund order A-1007", "run_id": "r"}
                headers = {"Prefer": "wait=60"}
                run = (await client.post("/api/v1/runs", json=body, headers=headers)).json()
                assert run["waits_for"] == ["approval"], run
                answer = {"decision": "approve", "why": "photo checked"}
                decided = await client.post("/api/v1/runs/r/approvals/c1", json=answer)
                assert decided.status_code == 200, decided.text
                done = (await client.get("/api/v1/runs/r?wait=60")).json()
                assert (done["status"], done["output"]) == ("completed", "Refunded.")
                kinds = [kind for _, kind, _ in await events_of(client, "r")]
                assert (kinds[0], kinds[-2:]) == ("run.started", ["run.completed", "end"])
                again = await client.post("/api/v1/runs", json=body)
                assert again.headers["idempotency-replayed"] == "true"
        finally:
            await worker.shutdown()
            await working
