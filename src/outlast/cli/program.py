"""`FILE[:AGENT]`: the agent that a Python file defines."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from outlast.definitions.agent import Agent


class ProgramError(Exception):
    """A program cannot be used as it was named. The message says how to go on."""


@dataclass(frozen=True, slots=True)
class Program:
    """An agent and where it came from."""

    agent: Agent[Any]
    place: str
    """`/absolute/file.py:variable`: what `load_program` finds the agent by again."""


def load_program(place: str) -> Program:
    """The agent at ``FILE[:AGENT]``. Runs the file, as `python FILE` would, but not as `__main__`.

    Raises:
        ProgramError: There is no such file, or no such agent in it.
    """
    file, _, name = place.partition(":") if not Path(place).is_file() else (place, "", "")
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise ProgramError(
            f"There is no file {str(path)!r}. Name a Python file that makes an Agent."
        )
    values = vars(_module(path)).items()
    found: dict[str, Agent[Any]] = {
        name: value for name, value in values if isinstance(value, Agent)
    }
    if not found:
        raise ProgramError(f"{path.name} has no Agent at its top level. Assign one to a variable.")
    variable = _choose(found, name, path.name)
    return Program(found[variable], f"{path}:{variable}")


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"outlast_program_{path.stem}", path)
    if not spec or not spec.loader:
        raise ProgramError(f"{path.name} is not a Python file. Name one that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses and type hints look their module up.
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # So that the file's own imports work.
    spec.loader.exec_module(module)
    return module


def _choose(found: dict[str, Agent[Any]], name: str, file: str) -> str:
    if name:
        by_name = {agent.name: variable for variable, agent in found.items()}
        variable = name if name in found else by_name.get(name)
        if variable is None:
            raise ProgramError(f"{file} has no Agent {name!r}; it has {', '.join(found)}.")
        return variable
    if len(found) == 1:
        return next(iter(found))
    if "agent" in found:
        return "agent"
    targets = {id(target) for agent in found.values() for target in agent.handoffs}
    first = [variable for variable, agent in found.items() if id(agent) not in targets]
    if len(first) == 1:
        return first[0]
    raise ProgramError(f"{file} has several agents. Say which: {file}:{' or '.join(found)}.")
