"""What every test gets: a journal folder of its own, and no way to a real account."""

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from outlast.journal.opening import close_journals

# Set where everything that tests need is installed: there, a skip hides something.
SKIPS_FAIL = bool(os.environ.get("OUTLAST_REQUIRE"))


def pytest_configure() -> None:
    """Let processes that tests start hear Ctrl-C, also where a shell began the suite in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if SKIPS_FAIL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, although OUTLAST_REQUIRE is set: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def outlast_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Point `OUTLAST_HOME` at a folder that only this test knows, and begin anew there."""
    home = tmp_path / "outlast"
    monkeypatch.setenv("OUTLAST_HOME", str(home))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OUTLAST_JOURNAL"):
        monkeypatch.delenv(name, raising=False)
    yield home
    close_journals()
