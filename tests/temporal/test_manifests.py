"""What stands in deploy/ for a cluster says what this version of Outlast understands."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlast.cli.commands.worker import worker
from outlast.temporal.attributes import TYPES
from outlast.temporal.place import ClusterPlace

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.temporal.yaml").read_text())
MANIFESTS = [
    each
    for name in ("temporal.yaml", "keda.yaml")
    for each in yaml.safe_load_all((DEPLOY / "k8s" / name).read_text())
]


def of_kind(kind: str) -> Any:
    (found,) = [each for each in MANIFESTS if each["kind"] == kind]
    return found


CONTAINER = of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0]
COMMANDS = {
    "compose": COMPOSE["services"]["worker"]["command"],
    "kubernetes": CONTAINER["command"][1:],
}


@pytest.mark.parametrize("where", COMMANDS)
def test_a_worker_s_command_has_only_options_that_there_are(where: str):
    words = COMMANDS[where]
    assert words[0] == "worker"
    known = {f"--{name}" for name in inspect.signature(worker).parameters}
    assert {word for word in words if word.startswith("--")} <= known


def test_journals_are_places_and_the_autoscaler_looks_at_the_worker_s_queue():
    place = ClusterPlace.parse(of_kind("ConfigMap")["data"]["OUTLAST_JOURNAL"])
    trigger = of_kind("ScaledObject")["spec"]["triggers"][0]
    assert trigger["type"] == "temporal"
    facts = {key: trigger["metadata"][key] for key in ("endpoint", "namespace", "taskQueue")}
    assert facts == {
        "endpoint": place.address, "namespace": place.namespace, "taskQueue": place.queue,
    }  # fmt: skip
    assert place.store in {each["mountPath"] for each in CONTAINER["volumeMounts"]}
    there = ClusterPlace.parse(COMPOSE["services"]["worker"]["environment"]["OUTLAST_JOURNAL"])
    assert there.address.split(":")[0] in COMPOSE["services"]
    assert f"store:{there.store}" in COMPOSE["services"]["worker"]["volumes"]


def test_probes_look_at_the_file_that_the_worker_touches():
    (file,) = [word for word in CONTAINER["command"] if word.startswith("/tmp")]
    probes = [CONTAINER[f"{kind}Probe"]["exec"]["command"] for kind in ("startup", "liveness")]
    health = COMPOSE["services"]["worker"]["healthcheck"]["test"]
    assert all(any(file in word for word in words) for words in (*probes, health))


def test_the_server_to_try_a_cluster_with_has_the_search_attributes_of_runs():
    words = COMPOSE["services"]["temporal"]["command"]
    found = dict(re.findall(r"--search-attribute=(\w+)=(\w+)", "\n".join(words)))
    assert found == TYPES
    guide = (DEPLOY.parent / "docs" / "howto" / "run-on-a-cluster.md").read_text()
    assert dict(re.findall(r"--name (\w+) --type (\w+)", guide)) == TYPES


def test_one_worker_at_a_time_is_disrupted():
    assert of_kind("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert of_kind("ScaledObject")["spec"]["minReplicaCount"] >= 2
