"""`outlast provider`: started as a process, used by another one, and ended."""

import json
import os
import signal
import subprocess
import sys

import openai
import pytest
from typer.testing import CliRunner

from outlast.cli.app import app
from outlast.testing import ScriptedModel
from outlast.testing.provider import ScriptFileError, fault, load_script

SCRIPT = [
    {"tool_calls": [{"name": "refund", "arguments": {"order_id": "A-1007"}, "call_id": "call-1"}]},
    {"reasoning": "Hm.", "text": "It is refunded.", "usage": {"input_tokens": 7, "output_tokens": 3}},
    {"error": {"status": 429, "message": "Slow down.", "headers": {"Retry-After": 5}}},
    {"fault": "rst_mid"},
    {"refusal": "No."},
]  # fmt: skip


def clean_environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "OUTLAST_"))}
    return {**kept, **more}


class Running:
    """`outlast provider` as a process."""

    def __init__(self, *words):
        command = [sys.executable, "-m", "outlast", "provider", *map(str, words)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )

    def __enter__(self):
        self.base_url = self.process.stdout.readline().strip()
        return self

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def script(tmp_path):
    file = tmp_path / "script.json"
    file.write_text(json.dumps({"steps": SCRIPT}))
    return file


def test_a_script_file_gives_the_steps_of_both_models(script):
    steps = load_script(script)
    assert ScriptedModel(steps).remaining_steps == len(SCRIPT)
    call, said, limited, broken, _ = steps
    assert call.output[0].arguments == '{"order_id":"A-1007"}'
    assert [item.type for item in said.output] == ["reasoning", "message"]
    assert said.usage.total_tokens == 10
    assert (limited.status_code, limited.headers) == (429, {"Retry-After": "5"})
    assert broken.name == fault("rst_mid").name


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ({"step": []}, r"expected a list of steps"),
        ([7], r"step 1: expected an object, found 7"),
        ([{"text": "a"}, {"txt": "b"}], r"step 2: unknown keys \['txt'\]; expected some of"),
        ([{"usage": {}}], r"step 1: expected at least one of text, tool_calls"),
        ([{"text": 7}], r"step 1: text must be a text, not 7"),
        ([{"tool_calls": [{"arguments": {}}]}], r"step 1: 'name' is missing"),
        ([{"fault": "rst_midd"}], r"step 1: There is no fault 'rst_midd'.*rst_mid"),
        ([{"error": {"status": 200}}], r"step 1: error.status must be a number of 400"),
        ([{"output": [{"type": "hologram"}]}], r"step 1: output: 'hologram' is no item"),
    ],
)
def test_a_bad_script_is_refused_with_file_step_and_what_was_expected(tmp_path, steps, said):
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(steps))
    with pytest.raises(ScriptFileError, match=said) as caught:
        load_script(file)
    assert str(file) in str(caught.value)


def test_a_file_that_is_no_json_or_is_not_there_is_refused(tmp_path):
    (tmp_path / "bad.json").write_text("steps: [")
    with pytest.raises(ScriptFileError, match="expected JSON"):
        load_script(tmp_path / "bad.json")
    with pytest.raises(ScriptFileError, match="No such file"):
        load_script(tmp_path / "none.json")


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["provider", *map(str, words)])


def test_the_command_shows_what_is_wrong_with_a_script(cli, tmp_path):
    (tmp_path / "bad.json").write_text('[{"text": "a"}, {"txt": "b"}]')
    result = cli("--script", "bad.json")
    assert result.exit_code == 2
    assert "bad.json, step 2: unknown keys" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "gpt-x"], "Use offline or demo"),
        (["--model", "demo", "--script", "x.json"], "were both given"),
        (["--log", "none/x.log"], "cannot be written"),
        (["--port", "1"], "Port 1 cannot be used"),
    ],
)
def test_the_command_shows_what_it_cannot_use(cli, words, said):
    if "--port" in words and os.geteuid() == 0:
        words = ["--port", str(taken_port())]
        said = "cannot be used"
    result = cli(*words)
    assert result.exit_code == 2
    assert said in result.stderr


_held = []


def taken_port():
    import socket

    held = socket.create_server(("127.0.0.1", 0))
    _held.append(held)
    return held.getsockname()[1]


@pytest.fixture(autouse=True)
def _release():
    yield
    while _held:
        _held.pop().close()


def test_the_command_lists_the_faults(cli):
    result = cli("--faults")
    assert result.exit_code == 0
    assert "rst_mid" in result.stdout


@pytest.mark.slow
def test_a_process_serves_a_script_and_logs_what_it_was_asked(script, tmp_path):
    log = tmp_path / "asked.jsonl"
    with Running("--script", script, "--log", log) as running:
        with openai.OpenAI(base_url=running.base_url, api_key="sk-own", max_retries=0) as client:
            call = client.responses.create(model="m", input="It broke.").output[0]
            chat = client.chat.completions.create(model="m", messages=[])
            with pytest.raises(openai.RateLimitError):
                client.responses.create(model="m", input="?")
            with pytest.raises(openai.APIConnectionError):
                client.responses.create(model="m", input="?")
        code, said = running.stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert (call.name, chat.choices[0].message.content) == ("refund", "It is refunded.")
    assert [line["path"] for line in lines[:2]] == ["/v1/responses", "/v1/chat/completions"]
    assert lines[0]["body"]["input"] == "It broke."
    assert "sk-own" not in log.read_text()
    assert code == 0
    assert "Stopped after 4 requests." in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_process_ends_cleanly_while_a_client_waits(tmp_path):
    script = tmp_path / "hang.json"
    script.write_text('[{"fault": "hang_headers"}]')
    with Running("--script", script) as running:
        client = openai.OpenAI(base_url=running.base_url, api_key="x", max_retries=0, timeout=1)
        with client, pytest.raises(openai.APITimeoutError):
            client.responses.create(model="m", input="?")
        code, said = running.stop(signal.SIGTERM)
    assert (code, "Traceback" in said) == (0, False)


@pytest.mark.slow
def test_the_demo_plays_over_http_is_killed_and_refunds_once(tmp_path):
    log = tmp_path / "asked.jsonl"
    with Running("--model", "demo", "--log", log) as running:
        env = clean_environment(OPENAI_BASE_URL=running.base_url, OPENAI_API_KEY="x")
        command = [sys.executable, "-m", "outlast.demo", "--live"]
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=90, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SIGKILL" in done.stdout
    assert running.base_url in done.stdout
    assert done.stdout.count("EUR 49.90") >= 2
    assert "1 in doubt retried with the same key" in done.stdout
    assert [line for line in done.stdout.splitlines() if "2 x" in line and "once" in line]
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    # What was answered before the kill is not asked again.
    assert len(asked) == 4
    assert {each["path"] for each in asked} == {"/v1/responses"}
