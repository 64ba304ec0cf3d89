"""What an app is given: each setting is looked at when it is written, not when it first matters."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from outlast.core.errors import UserError, WrongType, WrongValue
from outlast.definitions.given import check_flag, check_function, check_number, names_of
from outlast.effects.config import RunConfig, check_journal
from outlast.engine.elsewhere import engine_of
from outlast.server.registry import Agents
from outlast.server.schedules.schedule import Schedule
from outlast.server.shield import Limits

_ORIGIN = re.compile(r"(\*|null|[a-z][a-z0-9+.-]*://[^/?#\s]+)\Z", re.IGNORECASE)
_HOST = re.compile(r"(\*|\[[0-9a-f:.]+\]|[^/:\s]+)\Z", re.IGNORECASE)


def check_settings(given: Mapping[str, Any]) -> None:
    """Refuse settings of an app that are of a wrong type or out of range.

    Args:
        given: The arguments of `App`, by name.

    Raises:
        WrongType: One is of another type than it has to be.
        WrongValue: One is none of those that there are.
    """
    for name, check in _CHECKS.items():
        check(f"App({name}=...)", given[name])
    check_journal(given["journal"])
    if engine_of(given) is not None and given["journal"] is not None:
        raise UserError("An App takes an engine or a journal: an engine has its own.")


def hosts_of(given: Iterable[str]) -> set[str]:
    """The names of a server, as requests are compared with them.

    Raises:
        WrongValue: One has a scheme, a path or a port, so that no request would bear it.
    """
    found = names_of("App(hosts=...)", given)
    for each in found:
        if not _HOST.match(each):
            raise WrongValue(
                "App(hosts=...) takes names without a scheme and a port, such as 'agents.example', got "
                f"{each!r:.80}."
            )
    return {each.lower() for each in found}


def origins_of(given: Iterable[str]) -> tuple[str, ...]:
    """The origins that may ask.

    Raises:
        WrongValue: One is no origin, so that no browser would send it.
    """
    found = names_of("App(cors=...)", given)
    for each in found:
        if not _ORIGIN.match(each):
            raise WrongValue(
                "App(cors=...) takes origins without a path, such as 'https://shop.example', got "
                f"{each!r:.80}."
            )
    return found


def require_agents(
    agents: Agents, schedules: Sequence[Schedule], by_agent: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse settings for agents that an app does not have: nothing would ever come of them.

    Args:
        agents: Those that it has.
        schedules: What begins by the clock.
        by_agent: Settings by the name of an agent, each by its own name.

    Raises:
        UserError: An agent is unknown, or a schedule names none of several.
    """
    for each in schedules:
        if agents.find(each.agent) is None:
            said = f"names the agent {each.agent!r:.80}" if each.agent else "names no agent"
            raise UserError(f"Schedule {each.name!r} {said}. {_known(agents, each.agent)}")
    for setting, values in by_agent.items():
        for name in values:
            if name not in agents.by_name:
                raise UserError(
                    f"App({setting}=...) names the agent {name!r:.80}. {_known(agents, name)}"
                )


def _known(agents: Agents, name: str) -> str:
    known = sorted(agents.by_name)
    listed = ", ".join(map(repr, known)) or "none; give them to App(agents=[...])"
    near = difflib.get_close_matches(name[:80].lower(), [each.lower() for each in known], n=1)
    meant = [each for each in known if near and each.lower() == near[0]]
    return f"The app's agents are {listed}.{f' Did you mean {meant[0]!r}?' if meant else ''}"


def _check_agents(name: str, value: object) -> None:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        got = type(cast("object", value)).__name__
        raise WrongType(f"{name} must be a list of agents, such as [desk], got {got}.")
    if value == []:
        raise WrongValue(
            f"{name} is an empty list, and a server without agents serves nothing. Give it one, or leave "
            "agents out and call app.register(NAME, AGENT)."
        )


def _check_auth(name: str, value: object) -> None:
    if value != "local" and not callable(value):
        said = repr(value)[:40] if isinstance(value, str) else type(value).__name__
        raise WrongValue(
            f"{name} must be 'local', ApiKeys(), or a function of the request that returns its Caller or "
            f"None, got {said}."
        )
    if isinstance(value, type):
        raise WrongType(f"{name} got the class {value.__name__}. Write {value.__name__}().")


def _check_session(name: str, value: object) -> None:
    if value is not None and not callable(value):
        raise WrongType(
            f"{name} must be a function that makes the session of an id, got {type(value).__name__}. "
            "Write lambda id: SQLiteSession(id, FILE)."
        )


def _check_by_agent(check: Callable[[str, object], None]) -> Callable[[str, object], None]:
    def check_each(name: str, value: object) -> None:
        if value is not None and not isinstance(value, Mapping):
            raise WrongType(
                f"{name} must be a dict by the names of agents, got {type(value).__name__}."
            )
        for agent, each in cast("Mapping[Any, Any]", value or {}).items():
            check(f"{name}[{agent!r:.80}]", each)

    return check_each


def _check_queue(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise WrongType(f"{name} must be the name of a queue, got {value!r:.40}.")


def _is_a(kind: type[Any], said: str) -> Callable[[str, object], None]:
    def check_kind(name: str, value: object) -> None:
        if value is not None and not isinstance(value, kind):
            got = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
            raise WrongType(f"{name} must be {said}, got {got}.")

    return check_kind


def _all_are(fits: Callable[[Any], bool], said: str) -> Callable[[str, object], None]:
    def check_all(name: str, value: object) -> None:
        is_list = isinstance(value, list | tuple)
        wrong = (
            [each for each in cast("list[Any]", value) if not fits(each)] if is_list else [value]
        )
        if wrong:
            raise WrongType(f"{name} must be a list of {said}, got {type(wrong[0]).__name__}.")

    return check_all


def _check_schedules(name: str, value: object) -> None:
    _all_are(lambda each: isinstance(each, Schedule), "schedules, such as [Schedule(...)]")(
        name, value
    )
    names = [each.name for each in cast("Sequence[Schedule]", value)]
    if twice := [each for each in names if names.count(each) > 1]:
        raise WrongValue(f"{name} has two schedules called {twice[0]!r}. Rename one of them.")


def _at_least(least: float, *, whole: bool = False) -> Callable[[str, object], None]:
    return lambda name, value: check_number(name, value, least=least, whole=whole)


_CHECKS: dict[str, Callable[[str, object], None]] = {
    "agents": _check_agents,
    "auth": _check_auth,
    "context": check_function,
    "session": _check_session,
    "run_config": _is_a(RunConfig, "a RunConfig or None"),
    "schedules": _check_schedules,
    "concurrency": _at_least(1, whole=True),
    "max_concurrent": _check_by_agent(_at_least(1, whole=True)),
    "queues": _check_by_agent(_check_queue),
    "webhooks_reach_private": check_flag,
    "performs": check_flag,
    "grace_s": _at_least(0),
    "limits": _is_a(Limits, "Limits(...) or None"),
    "on_start": _all_are(callable, "functions"),
    "on_stop": _all_are(callable, "functions"),
}
