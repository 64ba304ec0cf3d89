"""Errors as facts in the log, and the same errors again from those facts, in whatever process.

What is kept of an error is JSON: the name of its class, the names of the nearest classes that every
process has (of Python, of the `openai` library, of Outlast), its arguments, and those of its
attributes that are JSON. A class of somebody else's is kept as a mark, a hash of where it stands: it
is found again among the classes that this process has loaded. Nothing that stands in a log is
imported or called.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator
from typing import Any, cast

import msgspec

from outlast.core import errors
from outlast.core.errors import AgentsException, RunFailedBefore
from outlast.core.events import ErrorFacts
from outlast.effects.error_values import NotKept, is_secret_name, kept_text, plain, unplain
from outlast.models.error_facts import openai_class, openai_facts, restore_openai

_DEPTH = 3
"""How many errors behind an error are kept."""
_SHARED = {"run_data", "guardrail_result", "guardrail", "output", "body", "request", "response"}
"""Attributes that are live objects, or what a provider said."""
_BEHIND: dict[type[BaseException], tuple[str, ...]] = {
    OSError: ("filename", "filename2"),
    ImportError: ("name", "path"),
    NameError: ("name",),
    AttributeError: ("name",),
}
"""What these hold beside their arguments."""


def error_facts(error: BaseException, effect_id: str, **data: object) -> ErrorFacts:
    """What the log keeps of ``error``. Never raises: what the error cannot say is left out."""
    told = {**data, **_told(error, _DEPTH)}
    return ErrorFacts(type(error).__name__, _text(error), effect_id, told)


def error_of(facts: ErrorFacts) -> Exception:
    """The error that ``facts`` were made of, or the nearest to it that this process knows."""
    try:
        error = _made(facts)
    except Exception:  # noqa: BLE001  # a class that is not what it was
        error = RunFailedBefore(facts.kind, facts.message)
    cause: Any = facts.data.get("cause")
    if cause is not None:
        error.__cause__ = error_of(msgspec.convert(cause, ErrorFacts))
    for note in facts.data.get("notes", ()):
        error.add_note(str(note))
    return error


# --- Into the log. -----------------------------------------------------------------------


def _text(error: BaseException) -> str:
    try:
        return kept_text(str(error))
    except Exception:  # noqa: BLE001  # a user's exception class
        return "The error has no text: its __str__ failed."


def _told(error: BaseException, depth: int) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for part in _PARTS:
        try:
            told = part(error, depth)
            msgspec.json.encode(told)
        except Exception:  # noqa: BLE001, S112  # whatever an error's own code does
            continue
        data.update(told)
    return data


def _told_class(error: BaseException, _: int) -> dict[str, Any]:
    return {"class": _class_facts(type(error))}


def _told_args(error: BaseException, _: int) -> dict[str, Any]:
    args = plain(list(error.args))
    return {} if args == [_text(error)] else {"args": args}


def _told_group(error: BaseException, depth: int) -> dict[str, Any]:
    if not issubclass(type(error), BaseExceptionGroup):
        return {}
    group = cast("BaseExceptionGroup[BaseException]", error)
    errors = [_nested(each, depth) for each in group.exceptions] if depth else []
    return {"args": [kept_text(group.message)], "errors": errors}


def _told_attributes(error: BaseException, _: int) -> dict[str, Any]:
    attributes = dict(_attributes(error))
    return {"attributes": attributes} if attributes else {}


def _told_openai(error: BaseException, _: int) -> dict[str, Any]:
    facts = openai_facts(error)
    return {"openai": facts} if facts else {}


def _told_guardrail(error: BaseException, _: int) -> dict[str, Any]:
    name = _guardrail_name(error)
    return {"guardrail": name, "answer": _answer(error)} if name else {}


def _told_notes(error: BaseException, _: int) -> dict[str, Any]:
    notes = [kept_text(str(note)) for note in getattr(error, "__notes__", ())]
    return {"notes": notes} if notes else {}


def _told_cause(error: BaseException, depth: int) -> dict[str, Any]:
    cause = error.__cause__
    return {"cause": _nested(cause, depth)} if cause is not None and depth else {}


_PARTS: tuple[Callable[[BaseException, int], dict[str, Any]], ...] = (
    _told_class, _told_args, _told_group, _told_attributes, _told_openai, _told_guardrail,
    _told_notes, _told_cause,
)  # fmt: skip


def _nested(error: BaseException, depth: int) -> dict[str, Any]:
    facts = ErrorFacts(type(error).__name__, _text(error), data=_told(error, depth - 1))
    return msgspec.to_builtins(facts)


def _class_facts(kind: type[BaseException]) -> dict[str, str]:
    """By which names another process finds the class, or the nearest to it."""
    facts: dict[str, str] = {}
    for family, known in (("ours", _ours), ("openai", openai_class), ("builtin", _builtin)):
        nearest = next((each for each in kind.__mro__ if known(each.__name__) is each), Exception)
        if nearest not in (Exception, BaseException, AgentsException):
            facts[family] = nearest.__name__
    if issubclass(kind, AgentsException) and "ours" not in facts:
        facts["ours"] = AgentsException.__name__
    if not _is_everywhere(kind):
        facts["mark"] = _mark(kind)
    return facts


def _is_everywhere(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("builtins", "outlast", "openai")


def _mark(kind: type) -> str:
    place = f"{kind.__module__}:{kind.__qualname__}"
    return hashlib.sha256(place.encode("utf-8", "replace")).hexdigest()[:24]


def _attributes(error: BaseException) -> Iterator[tuple[str, Any]]:
    is_ours = type(error).__module__.startswith("outlast.")
    held = dict(getattr(error, "__dict__", {}))
    for kind, names in _BEHIND.items():
        if isinstance(error, kind):
            held.update((name, getattr(error, name)) for name in names)
    for name, value in held.items():
        if name in _SHARED or is_secret_name(name) or (name.startswith("_") and not is_ours):
            continue
        if not name.startswith("__") and value is not None:
            yield from _kept(name, value)


def _kept(name: str, value: object) -> Iterator[tuple[str, Any]]:
    try:
        yield name, plain(value)
    except NotKept:
        return


def _guardrail_name(error: BaseException) -> str:
    result: Any = getattr(error, "guardrail_result", None)
    guardrail: Any = getattr(result, "guardrail", None) or getattr(error, "guardrail", None)
    return str(guardrail.get_name()) if hasattr(guardrail, "get_name") else ""


def _answer(error: BaseException) -> dict[str, Any]:
    """What a guardrail said when it refused."""
    result: Any = getattr(error, "guardrail_result", None)
    output: Any = getattr(error, "output", None) if result is None else result.output
    info: Any = getattr(output, "output_info", None)
    answer = dict(_kept("info", info)) or {"info": kept_text(str(info))}
    if (behavior := getattr(output, "behavior", None)) is not None:
        answer.update(_kept("behavior", behavior))
    return answer


# --- Out of the log. ---------------------------------------------------------------------


def _made(facts: ErrorFacts) -> Exception:
    data = facts.data
    names: dict[str, str] = data.get("class", {})
    kind = _class_of(facts)
    args: list[Any] = [unplain(arg) for arg in data.get("args", (facts.message,))]
    if issubclass(kind, ExceptionGroup):
        args.append([error_of(msgspec.convert(each, ErrorFacts)) for each in data["errors"]])
    base: Any = next(each for each in kind.__mro__ if each.__module__ == "builtins")
    error: Any = base.__new__(kind, *args)
    base.__init__(error, *args)
    if isinstance(error, AgentsException):
        error.run_data = None
    held: dict[str, Any] = data.get("attributes", {})
    attributes = {name: unplain(value) for name, value in held.items()}
    for known, fields in _BEHIND.items():
        for name in fields if isinstance(error, known) else ():
            if name in attributes:
                setattr(error, name, attributes.pop(name))
    error.__dict__.update(attributes)
    if isinstance(error, RunFailedBefore):
        error.__dict__.setdefault("kind", facts.kind)
    if isinstance(error, errors.PlainError):
        error.__dict__.setdefault("message", facts.message)
    if (about := data.get("openai")) is not None or names.get("openai"):
        restore_openai(error, about or {})
    return cast("Exception", error)


def _class_of(facts: ErrorFacts) -> type[Exception]:
    names: dict[str, str] = facts.data.get("class", {})
    if not names:  # A failure that the core has decided.
        return _ours(facts.kind) or _builtin(facts.kind) or RunFailedBefore
    if (mark := names.get("mark")) is not None:
        found = [kind for kind in _loaded(Exception) if kind.__name__ == facts.kind]
        found = [kind for kind in found if not _is_everywhere(kind) and _mark(kind) == mark]
        if len(found) == 1:
            return found[0]
    known = (
        _ours(names.get("ours", "")),
        openai_class(names.get("openai", "")),
        _builtin(names.get("builtin", "")),
    )
    bases = tuple(kind for kind in known if kind is not None)
    if mark is not None:
        return _both(facts.kind, (RunFailedBefore, *bases))
    if len(bases) == 1 and bases[0].__name__ == facts.kind:
        return bases[0]
    return _both(facts.kind, bases or (RunFailedBefore,))


@functools.cache
def _both(name: str, bases: tuple[type[Exception], ...]) -> type[Exception]:
    fewest = [
        kind
        for kind in bases
        if not any(kind is not one and issubclass(one, kind) for one in bases)
    ]
    if len(fewest) == 1 and fewest[0].__name__ == name:
        return fewest[0]
    return type(name, tuple(fewest), {"__module__": __name__})


def _ours(name: str) -> type[Exception] | None:
    kind: Any = vars(errors).get(name)
    if not isinstance(kind, type) or name.startswith("_"):
        return None
    return kind if issubclass(kind, AgentsException) else None


def _builtin(name: str) -> type[Exception] | None:
    kind: Any = vars(builtins).get(name)
    return kind if isinstance(kind, type) and issubclass(kind, Exception) else None


def _loaded(kind: type[Exception]) -> Iterator[type[Exception]]:
    """Every class of errors that this process has."""
    seen: set[type] = set()
    waiting = [kind]
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting += type.__subclasses__(each)
            yield each


def note_once(error: BaseException, note: str) -> None:
    """Add a note to an error that has not got it, unless its class has done something else with notes."""
    with contextlib.suppress(Exception):  # An attribute of a user's error.
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
