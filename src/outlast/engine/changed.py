"""In what a program differs from the one that performed a run before, as far as the run's log says.

A log has what each turn was prepared with, by the hash of its content: the prompt, and the tools with their
schemas. What the program says now is compared with the last turn of each agent. What user code makes anew
for each turn is not asked for here, and so not compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import unified_diff
from typing import Any

import msgspec

from outlast.core.events import TurnPrepared
from outlast.definitions.agent import Agent
from outlast.effects.config import RunConfig
from outlast.effects.turn import fixed_turn
from outlast.engine.env import RunEnv
from outlast.views.recording import last_turns

_Document = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """One part of a program that is not what it was."""

    agent: str
    part: str
    """`instructions`, `tool NAME`, or empty for the agent itself."""
    kind: str
    """`+` it is new, `-` it is gone, `~` it has changed."""
    diff: str = ""
    """How, line by line. May hold a prompt."""
    before: str = ""
    """The instructions as they were."""

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.agent}: {self.part}" if self.part else f"{self.kind} {self.agent}"
        )


async def changes_of(env: RunEnv) -> list[Change]:
    """In what the program differs from the one that prepared the run's turns; nothing for a new run."""
    found: list[Change] = []
    if env.log.state.ended:
        return found
    for name, turn in last_turns(env.log.events).items():
        agent = env.agents.find(name)
        if agent is None:
            found.append(Change(name, "", "-"))
        else:
            found += await _of_agent(env, agent, turn)
    return found


async def _of_agent(env: RunEnv, agent: Agent[Any], before: TurnPrepared) -> list[Change]:
    # The run's own model and settings are no part of the agent.
    config: RunConfig = replace(env.config, model=None, model_settings=None)
    now = fixed_turn(agent, config)
    found: list[Change] = []
    if agent.instructions is None or isinstance(agent.instructions, str):
        text = await _text(env, before.instructions)
        if text != (agent.instructions or ""):
            diff = _diff(text, agent.instructions or "")
            found.append(Change(before.agent, "instructions", "~", diff, text))
    if now is None:
        return found
    parts = now.blobs  # They have names from here on.
    if now.tools_hash == before.tools:
        return found
    then = _by_name(await _text(env, before.tools))
    own = _by_name(parts[now.tools_hash].decode() if now.tools_hash else "")
    return [*found, *_of_tools(before.agent, then, own)]


def _of_tools(agent: str, then: _Document, now: _Document) -> list[Change]:
    found = [Change(agent, f"tool {name}", "-") for name in then if name not in now]
    found += [Change(agent, f"tool {name}", "+") for name in now if name not in then]
    for name in then:
        if name in now and then[name] != now[name]:
            diff = _diff(_lines(then[name]), _lines(now[name]))
            found.append(Change(agent, f"tool {name}", "~", diff))
    return found


async def _text(env: RunEnv, name: str | None) -> str:
    return (await env.log.read_blob(name)).decode() if name else ""


def _by_name(document: str) -> _Document:
    tools: list[dict[str, Any]] = msgspec.json.decode(document) if document else []
    return {str(tool["name"]): tool for tool in tools}


def _lines(tool: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(tool), indent=1).decode()


def _diff(before: str, after: str) -> str:
    lines = unified_diff(before.splitlines(), after.splitlines(), "before", "now", lineterm="", n=1)
    return "\n".join([*lines][2:])
