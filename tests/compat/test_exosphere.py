"""Agents under the name of exospherehost: one run, however often it is tried."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import outlast
from outlast.compat import install, uninstall
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


@pytest.fixture(autouse=True)
def agents() -> Iterator[Any]:
    install()
    from exospherehost.openai import agents

    yield agents
    uninstall()


def failing(times: int, then: list[Any]) -> ScriptedModel:
    return ScriptedModel([*[ConnectionError("no route")] * times, then])


QUICK = {"max_retries": 3, "strategy": "FIXED", "backoff_factor": 1}


def config(**options: Any) -> outlast.RunConfig:
    return outlast.RunConfig(journal=MemoryJournal(), **options)


def test_the_agent_is_the_one_of_openai_agents(agents: Any):
    assert agents.Agent is importlib.import_module("agents").Agent is outlast.Agent
    assert importlib.import_module("exospherehost.openai._runner").run is agents.run
    assert agents.function_tool is importlib.import_module("agents").function_tool


async def test_a_run_is_tried_until_it_succeeds(agents: Any):
    model = failing(2, [assistant_message("at last")])
    result = await agents.run(
        agents.Agent(name="A", model=model), "hi", retry_policy=QUICK, run_config=config()
    )
    assert result.output == result.final_output == "at last"
    assert len(model.calls) == 3


async def test_what_was_done_before_a_failure_is_not_done_again(agents: Any):
    done = []

    @agents.function_tool
    def charge() -> str:
        done.append("charged")
        return "charged"

    steps = [
        [function_call("charge", {}, call_id="1")],
        ConnectionError("no route"),
        [assistant_message("done")],
    ]
    agent = agents.Agent(name="A", tools=[charge], model=ScriptedModel(steps))
    result = await agents.run(agent, "hi", retry_policy=QUICK, run_config=config())
    assert (result.output, done) == ("done", ["charged"])


async def test_after_the_last_retry_its_error_is_raised(agents: Any):
    model = failing(4, [assistant_message("never")])
    with pytest.raises(ConnectionError, match="no route"):
        await agents.run(
            agents.Agent(name="A", model=model), "hi", retry_policy=QUICK, run_config=config()
        )
    assert len(model.calls) == 4


async def test_without_a_policy_nothing_is_tried_again(agents: Any):
    model = failing(1, [assistant_message("never")])
    with pytest.raises(ConnectionError):
        await agents.run(agents.Agent(name="A", model=model), "hi", run_config=config())
    assert len(model.calls) == 1


async def test_a_tripped_guardrail_is_not_tried_again(agents: Any):
    @agents.input_guardrail
    def refuse(text):
        return False

    agent = agents.Agent(name="A", model=ScriptedModel([]), input_guardrails=[refuse])
    with pytest.raises(outlast.InputGuardrailTripwireTriggered):
        await agents.run(agent, "hi", retry_policy=QUICK, run_config=config())


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        ({"max_retries": 3, "strategy": "EXPONENTIAL"}, [1, 2, 4]),
        ({"max_retries": 2, "strategy": "LINEAR", "backoff_factor": 500}, [0.5, 1]),
        ({"max_retries": 2, "strategy": "FIXED"}, [1, 1]),
        ({"max_retries": 4, "exponent": 3, "max_delay": 5_000}, [1, 3, 5, 5]),
        ({"max_retries": 0}, []),
        (None, []),
    ],
)
def test_the_waits_of_a_policy(policy: Any, waits: list[float]):
    from outlast.compat import exosphere

    assert exosphere._waits(policy) == waits


@pytest.mark.parametrize(("jitter", "least"), [("FULL_JITTER", 0), ("EQUAL_JITTER", 0.5)])
@pytest.mark.parametrize("base", ["EXPONENTIAL", "LINEAR", "FIXED"])
def test_a_jitter_stays_in_its_bounds(base: str, jitter: str, least: float):
    from outlast.compat import exosphere

    policy = {"max_retries": 3, "strategy": f"{base}_{jitter}"}
    whole = exosphere._waits({"max_retries": 3, "strategy": base})
    for _ in range(200):
        for wait, longest in zip(exosphere._waits(policy), whole, strict=True):
            assert least * longest <= wait <= longest


@pytest.mark.parametrize("policy", [{"strategy": "SOMETIMES"}, {"retries": 3}])
async def test_a_policy_that_means_nothing_is_refused(agents: Any, policy: Any):
    with pytest.raises(outlast.UserError, match=r"retry_policy has no|There is no strategy"):
        await agents.run(agents.Agent(name="A"), "hi", retry_policy=policy)


async def test_a_node_is_called_by_itself():
    from exospherehost import BaseNode

    class Double(BaseNode):
        class Inputs(BaseModel):
            n: int

        class Outputs(BaseModel):
            n: int

        async def execute(self, inputs):
            return self.Outputs(n=2 * inputs.n)

    node = Double()
    assert (await node.execute(node.Inputs(n=4))).n == 8
    with pytest.raises(outlast.UserError, match="no graphs"):
        importlib.import_module("exospherehost").StateManager  # noqa: B018 (asking is the test)


def test_the_real_package_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    uninstall()
    (tmp_path / "exospherehost").mkdir()
    (tmp_path / "exospherehost" / "__init__.py").write_text("StateManager = 'theirs'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    install()
    assert importlib.import_module("exospherehost").StateManager == "theirs"
    agents = importlib.import_module("exospherehost.openai.agents")
    assert agents.Agent is outlast.Agent
    for name in [name for name in sys.modules if name.partition(".")[0] == "exospherehost"]:
        monkeypatch.delitem(sys.modules, name)
