"""Checks of an answer: what it says, and how the agent got there.

A check is a function of an `Answer`. It returns whether the answer passes, a number from 0 to 1, or a
`Verdict` that says why; it may be async. What it raises is a failed check, and no failed evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from outlast.evals.answers import Answer, Check, Verdict


def exact(expected: object = None) -> Check:
    """The output is what is expected, by the case or here."""

    def check_exact(answer: Answer) -> Verdict:
        wanted = answer.case.expected if expected is None else expected
        is_same = wanted in (answer.output, answer.text)
        return Verdict(is_same, "" if is_same else f"{_short(answer.text)} is not {_short(wanted)}")

    return _named(check_exact, "exact")


def contains(*words: str, ignore_case: bool = True) -> Check:
    """The output has all these words in it; those that the case expects, where none are named."""

    def check_contains(answer: Answer) -> Verdict:
        wanted = words or _texts(answer.case.expected)
        text = answer.text.casefold() if ignore_case else answer.text
        lost = [w for w in wanted if (w.casefold() if ignore_case else w) not in text]
        return Verdict(not lost, f"{_short(answer.text)} lacks {lost}" if lost else "")

    return _named(check_contains, "contains")


def regex(pattern: str) -> Check:
    """The output has a part that fits a regular expression."""
    compiled = re.compile(pattern)

    def check_regex(answer: Answer) -> Verdict:
        fits = compiled.search(answer.text) is not None
        return Verdict(fits, "" if fits else f"{_short(answer.text)} does not fit {pattern!r}")

    return _named(check_regex, "regex")


def number(expected: float | None = None, *, tolerance: float = 0.0) -> Check:
    """The first number in the output is the expected one, or as near as ``tolerance``."""

    def check_number(answer: Answer) -> Verdict:
        wanted = float(answer.case.expected if expected is None else expected)
        found = re.search(r"-?\d+(?:[.,]\d+)?", answer.text)
        value = float(found[0].replace(",", ".")) if found else None
        is_near = value is not None and abs(value - wanted) <= tolerance
        return Verdict(is_near, "" if is_near else f"{value} is not {wanted} ± {tolerance}")

    return _named(check_number, "number")


def json_schema(schema: Any) -> Check:
    """The output is JSON of a form: a type that pydantic knows, such as a model or `dict[str, int]`."""

    def check_schema(answer: Answer) -> Verdict:
        from pydantic import TypeAdapter, ValidationError

        try:
            TypeAdapter(schema).validate_json(answer.text)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            return Verdict(passed=False, why=f"{where}: {error.errors()[0]['msg']}".lstrip(": "))
        return Verdict(passed=True)

    return _named(check_schema, "json_schema")


def called(tool: str, **arguments: object) -> Check:
    """The tool was called, with at least these arguments."""

    def check_called(answer: Answer) -> Verdict:
        fits = any(
            name == tool and arguments.items() <= given.items() for name, given in answer.calls
        )
        return Verdict(fits, "" if fits else f"the calls are {_calls(answer)}")

    return _named(check_called, f"called {tool}")


def not_called(tool: str) -> Check:
    """The tool was not called."""

    def check_not_called(answer: Answer) -> Verdict:
        is_absent = all(name != tool for name, _ in answer.calls)
        return Verdict(is_absent, "" if is_absent else f"{tool} was called")

    return _named(check_not_called, f"not_called {tool}")


def trajectory(*tools: str, order: bool = True, only: bool = True) -> Check:
    """These tools were called; those that the case has in ``calls``, where none are named.

    Args:
        tools: Their names.
        order: Whether in this order.
        only: Whether no others.
    """

    def check_trajectory(answer: Answer) -> Verdict:
        wanted = list(tools or answer.case.calls)
        made = [name for name, _ in answer.calls]
        fits = _follows(made, wanted, order=order, only=only)
        return Verdict(fits, "" if fits else f"called {made}, expected {wanted}")

    return _named(check_trajectory, "trajectory")


def path(*agents: str) -> Check:
    """These agents worked, in this order."""

    def check_path(answer: Answer) -> Verdict:
        fits = answer.agents == list(agents)
        return Verdict(fits, "" if fits else f"went {answer.agents}, expected {list(agents)}")

    return _named(check_path, "path")


def max_turns(limit: int) -> Check:
    """The run took so many turns at most."""
    return _bounded("max_turns", limit, lambda answer: len(answer.view.turns))


def max_tokens(limit: int) -> Check:
    """The run took so many tokens at most."""
    return _bounded("max_tokens", limit, lambda answer: answer.tokens)


def max_cost(limit: float) -> Check:
    """The run cost so many US dollars at most; one whose price is not known does not pass."""
    return _bounded("max_cost", limit, lambda answer: answer.cost)


def name_of(check: Check) -> str:
    """What a check is called in reports."""
    return str(getattr(check, "__name__", type(check).__name__))


def _bounded(name: str, limit: float, count: Callable[[Answer], float | None]) -> Check:
    def check_bound(answer: Answer) -> Verdict:
        found = count(answer)
        fits = found is not None and found <= limit
        return Verdict(fits, "" if fits else f"{found} is more than {limit}")

    return _named(check_bound, name)


def _named(check: Check, name: str) -> Check:
    check.__name__ = name
    return check


def _follows(made: Sequence[str], wanted: Sequence[str], *, order: bool, only: bool) -> bool:
    if only:
        return list(made) == list(wanted) if order else sorted(made) == sorted(wanted)
    if not order:
        return all(made.count(name) >= wanted.count(name) for name in wanted)
    rest = iter(made)
    return all(name in rest for name in wanted)


def _calls(answer: Answer) -> list[str]:
    return [
        f"{name}({', '.join(f'{k}={v!r}' for k, v in given.items())})"
        for name, given in answer.calls
    ]


def _texts(expected: Any) -> tuple[str, ...]:
    if expected is None:
        return ()
    return (expected,) if isinstance(expected, str) else tuple(map(str, expected))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"


_SHORT = 80
