"""Errors as facts in the log, and the same errors again from those facts, in whatever process.

What is kept of an error is JSON: the name of its class, the names of the nearest classes that every
process has (of Python, of the `openai` library, of Outlast), its arguments, and those of its
attributes that are JSON. A class of somebody else's is kept as a mark, a hash of where it stands: it
is found again among the classes that this process has loaded. Nothing that stands in a log is
imported or called.
"""

from __future__ import annotations

import builtins
import functools
import hashlib
import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from outlast.core import errors
from outlast.core.errors import AgentsException, RunFailedBefore
from outlast.core.events import ErrorFacts
from outlast.models.error_facts import openai_class, openai_facts, restore_openai

_LONGEST = 2000
"""Characters of a message, and bytes of an attribute or of all arguments."""
_DEPTH = 3
"""How many errors behind an error are kept."""
_SECRET = re.compile(r"key|token|secret|passw|auth|cred|cookie", re.IGNORECASE)
_SHARED = {"run_data", "guardrail_result", "guardrail", "output", "body", "request", "response"}
"""Attributes that are live objects, or what a provider said."""
_BEHIND: dict[type[BaseException], tuple[str, ...]] = {
    OSError: ("filename", "filename2"),
    ImportError: ("name", "path"),
    NameError: ("name",),
    AttributeError: ("name",),
}
"""What these hold beside their arguments."""


def error_facts(error: BaseException, effect_id: str, **data: Any) -> ErrorFacts:
    """What the log keeps of ``error``, also where the error itself cannot say what it is."""
    return ErrorFacts(
        type(error).__name__, _text(error), effect_id, {**data, **_told(error, _DEPTH)}
    )


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
        return str(error)[:_LONGEST]
    except Exception:  # noqa: BLE001  # a user's exception class
        return "The error has no text: its __str__ failed."


def _told(error: BaseException, depth: int) -> dict[str, Any]:
    data: dict[str, Any] = {"class": _class_facts(type(error))}
    text = _text(error)
    args = [_plain(arg) for arg in error.args]
    if args != [text] and all(map(_is_json, args)) and _is_short(args):
        data["args"] = args
    if issubclass(type(error), BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        data["args"] = [group.message]
        data["errors"] = [_nested(each, depth) for each in group.exceptions] if depth else []
    if attributes := dict(_attributes(error)):
        data["attributes"] = attributes
    if openai := openai_facts(error):
        data["openai"] = openai
    if name := _guardrail_name(error):
        data["guardrail"] = name
        data["answer"] = _answer(error)
    if notes := [str(note)[:_LONGEST] for note in getattr(error, "__notes__", ())]:
        data["notes"] = notes
    if error.__cause__ is not None and depth:
        data["cause"] = _nested(error.__cause__, depth)
    return data


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
        if name in _SHARED or _SECRET.search(name) or (name.startswith("_") and not is_ours):
            continue
        if name.startswith("__") or value is None or not _is_json(value) or not _is_short(value):
            continue
        yield name, value


def _plain(value: object) -> object:
    """``value``, or what stands for it: errors of decoding and of syntax have such arguments."""
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    return {"$tuple": list(cast("Any", value))} if isinstance(value, tuple) else value


def _is_json(value: object) -> bool:
    if value is None or type(value) in (str, int, float, bool):
        return True
    if type(value) in (list, tuple):
        return all(map(_is_json, cast("list[Any]", value)))
    if type(value) is dict:
        pairs = cast("dict[Any, Any]", value).items()
        return all(type(key) is str and _is_json(each) for key, each in pairs)
    return False


def _is_short(value: object) -> bool:
    try:
        return len(msgspec.json.encode(value)) <= _LONGEST
    except (TypeError, ValueError, RecursionError):  # Numbers or texts that JSON cannot say.
        return False


def _guardrail_name(error: BaseException) -> str:
    result: Any = getattr(error, "guardrail_result", None)
    guardrail: Any = getattr(result, "guardrail", None) or getattr(error, "guardrail", None)
    return str(guardrail.get_name()) if hasattr(guardrail, "get_name") else ""


def _answer(error: BaseException) -> dict[str, Any]:
    """What a guardrail said when it refused."""
    result: Any = getattr(error, "guardrail_result", None)
    output: Any = getattr(error, "output", None) if result is None else result.output
    info: Any = getattr(output, "output_info", None)
    answer: dict[str, Any] = {"info": info if _is_json(info) and _is_short(info) else str(info)}
    if (behavior := getattr(output, "behavior", None)) is not None and _is_json(behavior):
        answer["behavior"] = behavior
    return answer


# --- Out of the log. ---------------------------------------------------------------------


def _made(facts: ErrorFacts) -> Exception:
    data = facts.data
    names: dict[str, str] = data.get("class", {})
    kind = _class_of(facts)
    args: list[Any] = [_unplain(arg) for arg in data.get("args", (facts.message,))]
    if issubclass(kind, ExceptionGroup):
        args.append([error_of(msgspec.convert(each, ErrorFacts)) for each in data["errors"]])
    base: Any = next(each for each in kind.__mro__ if each.__module__ == "builtins")
    error: Any = base.__new__(kind, *args)
    base.__init__(error, *args)
    if isinstance(error, AgentsException):
        error.run_data = None
    attributes: dict[str, Any] = {**data.get("attributes", {})}
    for known, fields in _BEHIND.items():
        for name in fields if isinstance(error, known) else ():
            if name in attributes:
                setattr(error, name, attributes.pop(name))
    error.__dict__.update(attributes)
    if isinstance(error, RunFailedBefore):
        error.__dict__.setdefault("kind", facts.kind)
    if isinstance(error, errors._Message):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the family's own
        error.__dict__.setdefault("message", facts.message)
    if (about := data.get("openai")) is not None or names.get("openai"):
        restore_openai(error, about or {})
    return cast("Exception", error)


def _unplain(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    held = cast("dict[str, Any]", value)
    if "$bytes" in held:
        return bytes.fromhex(held["$bytes"])
    return tuple(held["$tuple"]) if "$tuple" in held else held


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
