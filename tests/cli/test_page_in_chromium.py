"""The page of a run in Chromium: at three widths, light and dark, alone, smooth, and for everybody."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "views"))

from logs_by_hand import answer, begun, call_item, log_of, reply, said, user
from test_page import EVIL, crashed, hostile

from outlast.cli.page import run_page
from outlast.core.events import EffectStarted, ModelReplied, RunStarted, TurnPrepared
from outlast.views.steps import timeline

CHROMIUM = os.environ.get("OUTLAST_TEST_CHROMIUM") or shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium; name it in OUTLAST_TEST_CHROMIUM"),
]
WIDTHS = (360, 768, 1280)
SCHEMES = ("light", "dark")


def many_steps(number: int) -> Any:
    """A run of so many tool calls, ten a turn."""
    events: list[Any] = [RunStarted(agent="desk", input=[user("go")])]
    for turn in range(1, number // 10 + 1):
        calls = [call_item(f"c{turn}.{n}", "look", f'{{"n": {n}}}') for n in range(10)]
        events += [TurnPrepared(id=f"p{turn}", agent="desk"), *reply(turn, "desk", *calls)]
        for n in range(10):
            events += [begun(f"t{turn}.c{turn}.{n}", "look")]
        for n in range(10):
            events += [answer(f"t{turn}.c{turn}.{n}", f"c{turn}.{n}", f"result {n}", "look")]
    last = number // 10 + 1
    events += [TurnPrepared(id=f"p{last}", agent="desk"), EffectStarted(f"m{last}", "model")]
    return log_of([*events, ModelReplied(f"m{last}", "desk", [said("done")])])


@pytest.fixture(scope="module")
def browser() -> Generator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def shown(browser: Any, tmp_path: Path) -> Any:
    """Show a page; what it asks for and says besides is noted."""

    def show(html: str, width: int = 1280, scheme: str = "light") -> Any:
        file = tmp_path / "run.html"
        file.write_text(html, "utf-8")
        # The page has no script, and its policy allows none: tests reach in from outside.
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
        )
        page = context.new_page()
        page.asked, page.told = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("dialog", lambda dialog: (page.told.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: page.told.append(str(error)))
        page.goto(file.as_uri())
        return page

    return show


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_fits_and_serves_everybody(shown: Any, width: int, scheme: str):
    from axe_playwright_python.sync_playwright import Axe

    page = shown(run_page("order-17", timeline(crashed()), {}), width, scheme)
    assert page.locator(".rows").first.is_visible()
    assert page.get_by_role("heading", name="What was said").is_visible()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(part) for part in background[4:-1].split(",")[:3]]
    assert (sum(channels) > 3 * 128) == (scheme == "light")
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    assert [url for url in page.asked if not url.startswith("file:")] == []


@pytest.mark.parametrize("evil", [*EVIL, "".join(EVIL)])
def test_what_somebody_wrote_does_nothing(shown: Any, evil: str):
    page = shown(run_page(evil, timeline(hostile(evil)), {}))
    page.wait_for_timeout(50)
    assert page.title().startswith("running: ")
    assert page.told == []
    assert [url for url in page.asked if not url.startswith("file:")] == []
    assert page.locator("script, img, svg, iframe, base, form, link").count() == 0
    assert page.locator("main").is_visible()


_SCROLL = """async () => {
  const times = [];
  const height = document.scrollingElement.scrollHeight;
  for (let step = 0; step < 60; step++) {
    const began = performance.now();
    window.scrollTo(0, height * step / 60);
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b);
}"""


def test_five_thousand_steps_scroll_smoothly(shown: Any):
    def frames(count: int) -> list[float]:
        page = shown(run_page("long", timeline(many_steps(count)), {}))
        assert page.locator("details.step").count() >= count
        return page.evaluate(_SCROLL)

    short, long = frames(250), frames(5000)
    # What is out of sight costs nothing, so twenty times as many steps scroll like these.
    assert long[len(long) // 2] < 3 * short[len(short) // 2] + 17
