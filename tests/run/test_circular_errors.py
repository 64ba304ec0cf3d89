"""An error that is its own cause, a few steps on, ends a run like any other."""

from typing import Any, cast

import openai
import pytest

from outlast import Agent, RunConfig, Runner, function_tool
from outlast.core.errors import machine_error
from outlast.effects.failures import error_facts
from outlast.journal import MemoryJournal
from outlast.models.errors import in_our_family
from outlast.run.tracebacks import shorten
from outlast.testing import ScriptedModel, assistant_message, function_call

KINDS: dict[str, Any] = {
    "plain": lambda: ValueError("no"),
    "connection": lambda: openai.APIConnectionError(request=cast("Any", None)),
    "library": lambda: openai.OpenAIError("no"),
    "transport": lambda: type("ReadError", (Exception,), {"__module__": "httpx"})("no"),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_link = pytest.mark.parametrize("link", ["__cause__", "__context__"])


def config() -> RunConfig:
    return RunConfig(journal=MemoryJournal())


def circular(kind: str, link: str) -> Exception:
    """Two errors, each the other's cause."""
    first, second = KINDS[kind](), RuntimeError("that was because of")
    setattr(first, link, second)
    setattr(second, link, first)
    return first


@each_kind
@each_link
@pytest.mark.timeout(20)
async def test_a_model_fails_with_it(kind: str, link: str):
    with pytest.raises(Exception, match=r"\w") as raised, in_our_family():
        raise circular(kind, link)
    assert machine_error(raised.value) is None
    model = ScriptedModel([circular(kind, link)])
    with pytest.raises(Exception, match=r"\w"):
        await Runner.run(Agent(name="a", model=model), "go", run_config=config())


@each_kind
@each_link
@pytest.mark.timeout(20)
async def test_a_tool_fails_with_it(kind: str, link: str):
    @function_tool
    def broken() -> str:
        raise circular(kind, link)

    model = ScriptedModel([[function_call("broken", {}, call_id="b")], [assistant_message("well")]])
    agent = Agent(name="a", model=model, tools=[broken])
    result = await Runner.run(agent, "go", run_config=config())
    assert result.final_output == "well"


@each_kind
@each_link
@pytest.mark.timeout(20)
def test_it_is_written_down_and_shortened(kind: str, link: str):
    error = circular(kind, link)
    assert error_facts(error, "e").kind == type(error).__name__
    shorten(error)
