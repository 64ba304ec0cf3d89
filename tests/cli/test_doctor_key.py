"""What the doctor says of a key: its form and, if asked, whether the provider takes it. It shows none."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from outlast.cli.app import app

REAL = "sk-proj-" + "a1B2" * 10


@pytest.fixture
def doctor(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("OUTLAST_OFFLINE", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def doctor(*words, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(app, ["doctor", "--json", *words])
        checks = {each["name"]: each for each in json.loads(done.stdout)}
        return done, checks

    return doctor


FORMS = [
    (REAL, "good"), ("sk-" + "x" * 40, "good"), ("", "note"), ("banana", "bad"), ("sk-...", "bad"),
    ("sk-", "bad"), (f'"{REAL}"', "bad"), (f"{REAL}\n", "bad"), (f" {REAL}", "bad"),
    (f"{REAL}é", "bad"), ("<your key>", "bad"), ("Bearer " + REAL, "bad"), ("pk-" + "x" * 40, "bad"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "verdict"), FORMS)
def test_the_form_of_a_key_is_looked_at_and_no_part_of_it_shown(doctor, key, verdict):
    done, checks = doctor(OPENAI_API_KEY=key)
    assert checks["model"]["verdict"] == verdict
    assert done.exit_code == (1 if verdict == "bad" else 0)
    assert "provider" not in checks
    assert "a1B2" not in done.output
    assert "xxx" not in done.output


@pytest.mark.parametrize(
    ("place", "verdict"), [("http://localhost:1/v1", "good"), ("localhost:1", "bad")]
)
def test_a_key_for_another_endpoint_may_look_like_anything(doctor, place, verdict):
    _, checks = doctor(OPENAI_API_KEY="banana", OPENAI_BASE_URL=place)
    assert checks["model"]["verdict"] == verdict


@pytest.mark.parametrize(
    ("status", "verdict", "text"),
    [
        (200, "good", "takes the key"),
        (401, "bad", "refuses the key"),
        (404, "note", "no list of models"),
        (429, "note", "fewer requests"),
        (500, "bad", "status 500"),
        (307, "bad", "status 307"),
    ],
)
def test_the_provider_is_asked_once_whether_it_takes_the_key(doctor, status, verdict, text):
    asked = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            body = b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}/v1"
        done, checks = doctor("--live", OPENAI_API_KEY=REAL, OPENAI_BASE_URL=place)
        server.shutdown()
    assert (checks["provider"]["verdict"], text in checks["provider"]["found"]) == (verdict, True)
    assert done.exit_code == (1 if verdict == "bad" else 0)
    assert asked == [("/v1/models", f"Bearer {REAL}")]
    assert REAL not in done.output


def test_nobody_is_asked_without_a_key_or_with_a_wrong_one_or_offline(doctor):
    for environment in ({}, {"OPENAI_API_KEY": "banana"}, {"OUTLAST_OFFLINE": "1"}):
        _, checks = doctor("--live", **environment)
        assert checks["provider"]["verdict"] == "note"
        assert "not asked" in checks["provider"]["found"]


def test_a_provider_that_cannot_be_reached_is_bad(doctor):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        done, checks = doctor("--live", OPENAI_API_KEY="x", OPENAI_BASE_URL=place)
    assert (done.exit_code, checks["provider"]["verdict"]) == (1, "bad")
    assert "cannot be reached" in checks["provider"]["found"]
