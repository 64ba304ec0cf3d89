"""A case, what became of it, and what a check says of that."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from outlast.core.errors import WrongType
from outlast.definitions.given import check_names, check_text
from outlast.views.timeline import Step, Timeline


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says."""

    passed: bool
    why: str = ""
    score: float | None = None
    """From 0 to 1; None for 1 where it passed and 0 where not."""

    @property
    def points(self) -> float:
        """The score."""
        return float(self.passed) if self.score is None else self.score


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing that an agent is asked."""

    input: Any
    """A text, or a list of input items."""
    id: str = ""
    """Unique in its suite; empty for its place in the list."""
    expected: Any = None
    """What checks compare with; None where nothing is expected."""
    context: Any = None
    """What tools are given. Not stored in files."""
    checks: Sequence[Check] = ()
    """Beside those of the suite."""
    tags: tuple[str, ...] = ()
    label: bool | None = None
    """Whether a person finds the answer right: judges are held against it."""
    source: str = ""
    """The run that it was made from."""
    calls: tuple[str, ...] = ()
    """The tools that it is expected to call, in that order, for `trajectory`."""
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Refuse what would fail in the middle of an evaluation.

        Raises:
            WrongType: What is asked, or a check, is of another type than it has to be.
        """
        if not isinstance(self.input, str | list):
            kind = type(self.input).__name__
            raise WrongType(f"Case(input=...) must be a text or a list of items, got {kind}.")
        check_text("Case(id=...)", self.id)
        check_checks("Case(checks=...)", self.checks)
        check_names("Case(tags=...)", self.tags)
        check_names("Case(calls=...)", self.calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one case."""

    case: Case
    run_id: str
    output: Any
    """The final output; None where the run failed."""
    error: str
    """What the run failed of; empty where it did not."""
    view: Timeline
    """What the run did: its steps, tokens, time."""
    notes: dict[str, Any] = field(default_factory=dict[str, Any])
    cost: float | None = None
    """In US dollars, runs inside it included; None where the price of a model is not known."""

    @property
    def text(self) -> str:
        """The output as a text."""
        if isinstance(self.output, str):
            return self.output
        dump: Any = getattr(self.output, "model_dump", None)
        return json.dumps(dump(mode="json") if dump else self.output, default=str)

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """The tools that were called, in order, with their arguments."""
        return [(step.name, _arguments(step)) for step in self.view.steps if _is_call(step)]

    @property
    def agents(self) -> list[str]:
        """The agents that worked, in order."""
        found: list[str] = []
        for turn in self.view.turns:
            if not found or found[-1] != turn.agent:
                found.append(turn.agent)
        return found

    @property
    def tokens(self) -> int:
        """All that models read and wrote."""
        return self.view.usage.total_tokens


Said: TypeAlias = "Verdict | bool | float"
Check: TypeAlias = Callable[[Answer], "Said | Awaitable[Said]"]


def check_checks(name: str, value: object) -> None:
    """Refuse what is no list of checks: one alone, or a maker of checks that was not called.

    Raises:
        WrongType: It is something else.
    """
    if not isinstance(value, list | tuple):
        kind = getattr(value, "__name__", type(value).__name__)
        raise WrongType(f"{name} must be a list, got {kind}. Put it into [ ].")
    for each in cast("Sequence[Any]", value):
        if not callable(each):
            raise WrongType(f"{name} must be a list of functions, got {each!r:.40} in it.")
        if _makes_checks(each):
            raise WrongType(f"{name} has {each.__name__} itself in it. Call it: {each.__name__}().")


def _makes_checks(function: Any) -> bool:
    """Whether a function of ours returns a check, and is none: those are made inside another one."""
    is_ours = str(getattr(function, "__module__", "")).startswith(_OURS)
    return is_ours and "<locals>" not in str(getattr(function, "__qualname__", "<locals>"))


_OURS = f"{__package__}."


def _is_call(step: Step) -> bool:
    return step.kind == "tool" and step.is_recorded and not step.stage


def _arguments(step: Step) -> dict[str, Any]:
    try:
        found: Any = json.loads((step.call or {}).get("arguments") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]
