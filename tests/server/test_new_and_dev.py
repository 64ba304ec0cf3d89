"""From nothing to a chat in the browser, without a key."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import outlast
from outlast import Runner
from outlast.cli.app import app
from outlast.cli.commands.new import TEMPLATES, new
from outlast.cli.program import load_program
from outlast.cli.serving import usual_file

CHROMIUM = os.environ.get("OUTLAST_TEST_CHROMIUM") or shutil.which("chromium")
PATIENCE_S = 60
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")},
    "PYTHONPATH": str(Path(outlast.__file__).parents[1]),
}
OUTLAST = [sys.executable, "-m", "outlast"]


def made(folder: Path, template: str) -> Path:
    assert new(str(folder / "desk"), template) == 0
    return folder / "desk"


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_made_runs_without_a_key(
    tmp_path: Path, template: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OUTLAST_OFFLINE", "1")
    agent = load_program(str(made(tmp_path, template) / "agent.py")).agent
    context = {"user": "ada"}  # As an App makes one.
    # A loop of its own, which is closed: `run_sync` keeps one for the thread.
    result = asyncio.run(Runner.run(agent, "Where is order A-1007?", context=context))
    assert result.final_output


@contextmanager
def developed(folder: Path) -> Generator[subprocess.Popen[str]]:
    environment = {**ENVIRONMENT, "OUTLAST_HOME": str(folder / ".outlast")}
    words = [*OUTLAST, "dev", "--no-open", "--port", "0"]
    with subprocess.Popen(
        words, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


def link_of(process: subprocess.Popen[str]) -> str:
    """The address of the chat, once it is served, perhaps not for the first time."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://127[^ ]+", line):
            return found[0].strip()
    raise AssertionError("It has ended.")


@pytest.mark.slow
def test_dev_says_what_is_wrong_with_a_saved_file_and_serves_the_next_one(tmp_path: Path):
    folder = made(tmp_path, "hello")
    agent = folder / "agent.py"
    right = agent.read_text()
    with developed(folder) as process:
        port = link_of(process).partition("/?")[0]
        assert process.stdout is not None
        for wrong in ("oops(\n", "no_such_name\n"):
            agent.write_text(wrong)
            assert any("until the next save" in line for line in process.stdout)
        agent.unlink()
        assert any("until the next save" in line for line in process.stdout)
        agent.write_text(right)
        assert link_of(process).startswith(port)


def test_the_lines_of_a_readme_work_as_they_are_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = made(tmp_path, "approvals")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    lines = re.findall(r"^    (\S.*?)(?:  .*)?$", (folder / "README.md").read_text(), re.MULTILINE)
    assert lines[0] == "export OUTLAST_OFFLINE=1"
    monkeypatch.setenv("OUTLAST_OFFLINE", "1")
    typed = [shlex.split(line)[1:] for line in lines if line.startswith("outlast ")]
    assert {words[0] for words in typed} >= {"run", "chat", "dev", "serve"}
    for words in (each for each in typed if each[0] in ("run", "chat", "runs")):
        done = CliRunner().invoke(app, words, input="")
        assert done.exit_code == 0, done.output
    assert usual_file("serve") == "agent.py"


def test_a_folder_with_a_blank_in_its_name_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert "cd 'my desk' && outlast dev" in CliRunner().invoke(app, ["new", "my desk"]).output


@pytest.fixture(scope="module")
def browser() -> Generator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium; name it in OUTLAST_TEST_CHROMIUM")
def test_a_chat_in_the_browser_asks_for_approval_and_outlives_a_change(
    browser: Any, tmp_path: Path
):
    folder = made(tmp_path, "approvals")
    with developed(folder) as process:
        page = browser.new_page()
        told: list[str] = []
        page.on("pageerror", lambda error: told.append(str(error)))
        page.set_default_timeout(PATIENCE_S * 1000)
        page.goto(link_of(process))
        assert "token" not in page.url
        page.get_by_label("Message").fill("Refund order A-1007")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Approve").wait_for()
        agent = folder / "agent.py"
        agent.write_text(agent.read_text() + "\n")
        page.goto(link_of(process) + page.evaluate("location.hash"))
        page.get_by_role("button", name="Approve").click()
        page.locator(".agent", has_text="is refunded").wait_for()
        page.reload()
        page.locator(".agent", has_text="is refunded").wait_for()
        assert told == []
        page.close()


# Sends a message while the page waits for the conversation's runs, and holds them until it was sent.
HURRY = """
const real = window.fetch;
window.fetch = async (place, options) => {
  if (place.includes("/runs?session=")) {
    document.getElementById("text").value = "Refund order A-1007";
    document.getElementById("form").requestSubmit();
    await new Promise((then) => setTimeout(then, 2000));
    setTimeout(() => { document.body.dataset.listed = "yes"; }, 1000);
  }
  return real(place, options);
};
"""


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium; name it in OUTLAST_TEST_CHROMIUM")
def test_a_message_sent_while_the_page_loads_is_asked_about_once(browser: Any, tmp_path: Path):
    with developed(made(tmp_path, "approvals")) as process:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.add_init_script(HURRY)
        page.goto(link_of(process))
        page.locator(".ask").first.wait_for()
        page.locator("body[data-listed]").wait_for()
        assert page.locator(".ask").count() == page.locator(".you").count() == 1
        page.close()
