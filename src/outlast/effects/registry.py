"""Names to live agents: the only way from what a log says back to what a program defines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from outlast.core.errors import HandoffNotFound
from outlast.definitions.agent import Agent
from outlast.definitions.handoff import Handoff, handoff_target
from outlast.definitions.tool import FunctionTool

AnyAgent = Agent
_NO_MARKS: dict[str, str] = {}


class Registry:
    """The agents that a run can reach from its first one.

    An agent is known by its name. Where two reachable agents have one name, the later one in
    breadth-first order is known as ``name#2``, and so on: the order depends on the program only.
    """

    __slots__ = ("_by_name", "_is_walked", "_marks", "_names", "_stand_ins", "first")

    def __init__(self, first: AnyAgent, marks: Mapping[str, str] = _NO_MARKS) -> None:
        """``marks`` are the `definition` of agents by the names that a log knows them by already.

        An agent that alone is so defined has that name, in whatever order the program has them now.
        """
        self.first = first
        self._marks = marks
        self._by_name: dict[str, AnyAgent] = {first.name: first}
        self._names: dict[int, str] = {id(first): first.name}
        self._stand_ins: dict[str, AnyAgent] = {}
        self._is_walked = False

    def name(self, agent: AnyAgent) -> str:
        """The name that the log knows ``agent`` by."""
        known = self._names.get(id(agent))
        if known is None:
            self._walk()
            known = self._names.get(id(agent)) or self._add(agent)
        return known

    def agent(self, name: str) -> AnyAgent:
        """The agent that the log calls ``name``, for whoever goes on with the run.

        Raises:
            HandoffNotFound: The program has no such agent. Pass an agent that leads to it.
        """
        found = self._by_name.get(name)
        found = self.find(name) if found is None else found
        if found is None:
            error = HandoffNotFound(
                f"The program changed: the run is at agent {name!r}, but the agents that "
                f"{self.first.name!r} leads to are {sorted(self._by_name)}. Go on with it in a "
                "program that has that agent. The run was left as it was."
            )
            error.missing = name
            raise error
        return found

    def named(self, name: str) -> AnyAgent:
        """The agent that the log calls ``name``, for whoever reads what the run came to.

        Where the program has none any more, an agent that has this name and nothing else stands
        for it, always the same one.
        """
        found = self._by_name.get(name)
        found = self.find(name) if found is None else found
        if found is None:
            found = self._stand_ins.get(name)
        if found is None:
            found = self._stand_ins[name] = Agent(name=name)
            self._names[id(found)] = name
        return found

    def find(self, name: str) -> AnyAgent | None:
        """The agent that the log calls ``name``, or None."""
        return self.known().get(name)

    def known(self) -> dict[str, AnyAgent]:
        """All agents by the names that the log knows them by."""
        self._walk()
        return self._by_name

    def _walk(self) -> None:
        if self._is_walked:
            return
        self._is_walked = True
        agents = list(_walked(self.first, _targets))
        for name, agent in _known_again(agents[1:], self._marks).items():
            self._by_name.setdefault(name, agent)
            self._names.setdefault(id(agent), name)
        for agent in agents:
            if id(agent) not in self._names:
                self._add(agent)

    def _add(self, agent: AnyAgent) -> str:
        name, count = agent.name, 2
        while name in self._by_name:
            name, count = f"{agent.name}#{count}", count + 1
        self._by_name[name] = agent
        self._names[id(agent)] = name
        return name


def reachable(first: AnyAgent) -> dict[str, list[AnyAgent]]:
    """All agents of a program by name: handed off to, or used as a tool, directly or further on.

    Of those with one name, the one that is nearer comes first.
    """
    found: dict[str, list[AnyAgent]] = {}
    for agent in _walked(first, _neighbours):
        found.setdefault(agent.name, []).append(agent)
    return found


def definition(agent: AnyAgent) -> str:
    """What tells ``agent`` from others of its name, as far as it outlives a process: a hash."""
    text, model, targets = agent.instructions, agent.model, agent.handoffs
    facts = (
        agent.handoff_description,
        text if isinstance(text, str) else getattr(text, "__qualname__", ""),
        model if isinstance(model, str) else type(model).__qualname__,
        type(agent.hooks).__qualname__,
        sorted(tool.name for tool in agent.tools),
        sorted(each.tool_name if isinstance(each, Handoff) else each.name for each in targets),
    )
    return sha256(repr(facts).encode()).hexdigest()


def namesakes(first: AnyAgent) -> list[list[AnyAgent]]:
    """The agents behind the first one that share their name with another one, by name."""
    groups: dict[str, list[AnyAgent]] = {}
    for agent in list(_walked(first, _targets))[1:]:
        groups.setdefault(agent.name, []).append(agent)
    return [group for group in groups.values() if len(group) > 1]


def _known_again(agents: list[AnyAgent], marks: Mapping[str, str]) -> dict[str, AnyAgent]:
    """The agents that a log knows already, by its names: those that alone are defined as they were."""
    found: dict[str, AnyAgent] = {}
    for name, mark in marks.items():
        alike = [each for each in agents if each.name == name.partition("#")[0]]
        alike = [each for each in alike if definition(each) == mark]
        if len(alike) == 1:
            found[name] = alike[0]
    return found


def _walked(first: AnyAgent, steps: Callable[[AnyAgent], list[AnyAgent]]) -> Iterator[AnyAgent]:
    """All agents that ``steps`` lead to, each once, breadth first."""
    queue, seen = deque([first]), {id(first)}
    while queue:
        yield (agent := queue.popleft())
        fresh = {id(each): each for each in steps(agent) if id(each) not in seen}
        seen.update(fresh)
        queue.extend(fresh.values())


def _targets(agent: AnyAgent) -> list[AnyAgent]:
    ends = (each if isinstance(each, Agent) else handoff_target(each) for each in agent.handoffs)
    return [end for end in ends if end is not None]


def _neighbours(agent: AnyAgent) -> list[AnyAgent]:
    behind: list[Any] = [tool.agent for tool in agent.tools if isinstance(tool, FunctionTool)]
    return [*_targets(agent), *(each for each in behind if isinstance(each, Agent))]
