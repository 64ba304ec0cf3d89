"""What stands in deploy/: manifests by their schemas, an image's rules, functions by their events."""

import http.client
import json
import runpy
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from outlast import Agent
from outlast.server.simple import simple_handler
from outlast.testing import ScriptedModel, assistant_message

DEPLOY = Path(__file__).parents[2] / "deploy"
VERSION = "1.37"
MANIFESTS = [
    (path.name, document)
    for path in sorted((DEPLOY / "k8s").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]
OF_KUBERNETES = [(name, each) for name, each in MANIFESTS if "keda" not in each["apiVersion"]]
PODS = [each for _, each in OF_KUBERNETES if each["kind"] in {"StatefulSet", "Deployment"}]


@pytest.mark.parametrize(
    ("name", "document"),
    OF_KUBERNETES,
    ids=lambda each: each if isinstance(each, str) else each["kind"],
)
def test_a_manifest_is_what_its_schema_says(name, document):
    kubernetes_validate.validate(document, VERSION, strict=True)


def test_pods_may_do_no_more_than_they_need_and_have_time_to_leave():
    assert len(PODS) == 2
    for workload in PODS:
        pod = workload["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] > 20 + 5
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            rules = container["securityContext"]
            assert rules["readOnlyRootFilesystem"]
            assert not rules["allowPrivilegeEscalation"]
            assert container["resources"]["limits"]["memory"]


def test_what_refers_to_something_names_what_is_there():
    named = {(name, each["kind"], each["metadata"]["name"]) for name, each in MANIFESTS}
    workers = {each["metadata"]["name"] for each in PODS}
    for name, each in MANIFESTS:
        target = each.get("spec", {}).get("scaleTargetRef")
        assert target is None or target["name"] in workers
        for source in _sources(each):
            assert (name, *source) in named


def _sources(manifest):
    pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
    for container in pod.get("containers", ()):
        for source in container.get("envFrom", ()):
            for word, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if word in source:
                    yield kind, source[word]["name"]


def test_no_file_has_a_secret():
    secrets = [each for _, each in MANIFESTS if each["kind"] == "Secret"]
    assert secrets
    assert all(not value for each in secrets for value in each["stringData"].values())


def test_the_agents_of_the_image_are_an_app(monkeypatch):
    monkeypatch.setenv("DESK_HOSTS", "agents.example agents")
    found = runpy.run_path(str(DEPLOY / "agent.py"))
    assert found["app"].list_agents() == ["desk"]
    assert found["app"].hosts == {"agents.example", "agents"}


FUNCTION = """
import json, runpy, sys
sys.path.insert(0, {deploy!r})
import agent
agent.desk.model = "offline"
agent.app.auth = lambda request: __import__("outlast.server").server.Caller("u")
handler = runpy.run_path({deploy!r} + "/aws_lambda.py")["handler"]
def event(method, path, body=None):
    return {{
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {{"host": "localhost", "content-type": "application/json", "prefer": "wait=20"}},
        "requestContext": {{"http": {{"method": method, "path": path, "sourceIp": "127.0.0.1"}}}},
        "body": None if body is None else json.dumps(body), "isBase64Encoded": False,
    }}
began = handler(event("POST", "/api/v1/runs", {{"input": "Hello", "run_id": "r1"}}), None)
read = handler(event("GET", "/api/v1/runs/r1"), None)
print(json.dumps([began["statusCode"], json.loads(read["body"])["status"]]))
"""


@pytest.mark.slow
def test_a_lambda_function_answers_and_another_call_reads_what_it_has_done(tmp_path):
    program = FUNCTION.format(deploy=str(DEPLOY))
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == [200, "completed"]


@pytest.fixture
def function():
    model = ScriptedModel([[assistant_message("Hello.")], [assistant_message("Again.")]])
    handler = simple_handler(Agent(name="Desk", model=model))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address
    server.shutdown()
    thread.join()
    server.server_close()


def posted(address, body):
    connection = http.client.HTTPConnection(*address, timeout=30)
    connection.request("POST", "/", body)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def test_a_handler_of_the_standard_library_answers_and_the_same_id_is_the_same_run(function):
    body = json.dumps({"message": "Hi", "run_id": "r1"})
    first, second = posted(function, body), posted(function, body)
    assert first == second
    assert first[0] == 200
    assert first[1] == {"response": "Hello.", "run_id": "r1", "waits_for": []}


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"message": "Hi", "run_id": 7}'])
def test_a_handler_of_the_standard_library_refuses_what_is_no_message(function, body):
    assert posted(function, body)[0] == 400


def test_the_image_is_built_of_a_wheel_that_a_clone_makes():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    installed = [line for line in lines if "pip install" in line]
    assert installed == [
        'RUN /venv/bin/pip install --no-cache-dir "$(echo /wheels/outlast-*.whl)[${EXTRAS}]"'
    ]
