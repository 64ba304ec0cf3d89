"""What those see who run the server: metrics, a probe, and files to deploy it with."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.server.conftest import desk_of, served

from outlast.server import App
from outlast.server.probe import is_ready
from outlast.testing import ScriptedModel, assistant_message

ROOT = Path(__file__).parents[2]


async def test_metrics_count_requests_and_runs_without_what_was_sent():
    app = App(agents=[desk_of(ScriptedModel([[assistant_message("Done.")]]))])
    async with served(app) as client:
        wait = {"Prefer": "wait=30"}
        run = (await client.post("/api/v1/runs", json={"input": "secret"}, headers=wait)).json()
        await client.get("/secret/path")
        lines: list[str] = []
        while not any("outlast_runs_ended_total" in line for line in lines):
            lines = [
                line for line in (await client.get("/metrics")).text.splitlines() if line[0] != "#"
            ]
    counts = dict(line.rsplit(" ", 1) for line in lines)
    assert counts['outlast_runs_ended_total{agent="Desk",status="completed"}'] == "1.0"
    started = '{code="200",method="POST",route="/api/v1/runs"}'
    assert counts[f"outlast_http_requests_total{started}"] == "1.0"
    assert 'outlast_http_requests_total{code="404",method="GET",route="other"}' in counts
    assert not [line for line in lines if "secret" in line or run["run_id"] in line]


async def test_the_probe_says_whether_a_server_is_ready():
    import asyncio

    app = App(agents=[desk_of()])
    async with served(app) as client:
        url = str(client.base_url).rstrip("/")
        assert await asyncio.to_thread(is_ready, url)
        app.leave()
        assert not await asyncio.to_thread(is_ready, url)
    words = [sys.executable, "-m", "outlast.server.probe", url]
    assert (await asyncio.to_thread(subprocess.run, words, check=False)).returncode == 1


def documents() -> list[Any]:
    return list(yaml.safe_load_all((ROOT / "deploy/k8s/single.yaml").read_text()))


def test_the_container_is_stopped_by_a_signal_and_is_nobody():
    lines = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    assert "STOPSIGNAL SIGTERM" in lines
    assert "USER 10001:10001" in lines
    assert [line for line in lines if line.startswith(('ENTRYPOINT ["', "HEALTHCHECK"))]


@pytest.mark.parametrize("kind", ["compose", "k8s"])
def test_one_server_has_the_volume_and_nothing_else_to_write_to(kind: str):
    if kind == "compose":
        service = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["agent"]
        facts = (service["deploy"]["replicas"], service["read_only"], service["cap_drop"])
    else:
        spec = documents()[1]["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        context = container["securityContext"]
        facts = (
            spec["replicas"],
            context["readOnlyRootFilesystem"],
            context["capabilities"]["drop"],
        )
    assert facts == (1, True, ["ALL"])


def test_no_secret_is_in_a_file():
    names = ("Dockerfile", "compose.yaml", "k8s/single.yaml")
    text = "".join((ROOT / "deploy" / name).read_text() for name in names)
    assert "sk-" not in text
