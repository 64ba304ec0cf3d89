"""A rule about a tool that nobody has protects nothing, and the program is told."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import Agent, ApprovalRules, RunConfig, Runner, function_tool, handoff
from outlast.effects import ruled_tools
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ruled_tools, "_SAID", set[tuple[str, ...]]())


@function_tool(needs_approval=True)
def cancel(order: str) -> str:
    raise NotImplementedError


@function_tool(is_enabled=False)
def refund(order: str) -> str:
    raise NotImplementedError


class _Server:
    """A server of tools that has not listed them yet."""

    name = "shop"

    async def list_tools(self, *_: object) -> list[Any]:
        raise NotImplementedError


def _desk(**more: Any) -> Agent[Any]:
    model = ScriptedModel([[assistant_message("done")]] * 3)
    return Agent(name="Desk", model=model, **more)


CLERK = Agent(name="Clerk", tools=[cancel, refund])
AGENTS = {
    "own": lambda: _desk(tools=[cancel, refund]),
    "of an agent to hand off to": lambda: _desk(handoffs=[handoff(CLERK)]),
    "of an agent used as a tool": lambda: _desk(tools=[CLERK.as_tool("clerk", "Ask it.")]),
}


async def _warned(agent: Agent[Any], caplog: pytest.LogCaptureFixture, *names: str) -> str:
    rules = ApprovalRules(tools=names, needed=2)
    config = RunConfig(journal=MemoryJournal(), tracing_disabled=True, approval_rules=rules)
    await Runner.run(agent, "hi", run_config=config)
    await Runner.run(agent, "hi", run_config=config)
    return "\n".join(caplog.messages)


@pytest.mark.parametrize("kind", AGENTS)
async def test_a_misspelt_tool_in_the_rules_is_said_once(
    kind: str, caplog: pytest.LogCaptureFixture
):
    said = await _warned(AGENTS[kind](), caplog, "cancl", "refund")
    assert said.count("'cancl'") == 1
    assert "'refund'" not in said
    assert "cancel" in said


@pytest.mark.parametrize("kind", AGENTS)
async def test_nothing_is_said_of_tools_that_somebody_has(
    kind: str, caplog: pytest.LogCaptureFixture
):
    assert await _warned(AGENTS[kind](), caplog, "cancel", "refund") == ""


def test_nothing_is_said_before_a_server_has_listed_its_tools(caplog: pytest.LogCaptureFixture):
    rules = ApprovalRules(tools=["cancl"])
    ruled_tools.warn_of_rules(_desk(mcp_servers=[_Server()]), RunConfig(approval_rules=rules))
    assert caplog.messages == []
