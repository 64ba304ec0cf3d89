"""The values that an error holds, as JSON, and those values again. What looks like a secret is left out.

JSON has no tuples, no bytes, no NaN and no infinity: marks stand for them, objects of one member
whose name begins with `$`. An object of the program's that looks like a mark is kept inside of one.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any, cast

import msgspec

from outlast.core.surrogates import without_surrogates

LONGEST = 2000
"""Characters of a message, and bytes of an attribute or of all arguments."""
_DEEPEST = 24
_WORDS = (
    "(?:(?:api|access|auth|client|csrf|encryption|id|master|private|public|refresh|secret|session"
    "|signing|user)?(?:key|token|secret)|(?:db|user)?passw(?:or)?d|passphrase|passcode|pwd|auth"
    "|authori[sz]ation|authentication|cred|credential|cookie|bearer|jwt)s?"
)
"""Words of names: `author`, `monkey` and `tokenizer` are none."""
_CAPITAL = rf"(?=[A-Z][a-z])(?i:{_WORDS})"
_WORD = (
    rf"(?-i:(?<![A-Za-z])(?i:{_WORDS})(?![A-Za-z])"  # api_key, API-KEY, key2
    rf"|(?<![A-Za-z])(?=[a-z])(?i:{_WORDS})(?=[A-Z])"  # tokenValue
    rf"|{_CAPITAL}(?![a-z]))"  # apiKey, AccessTokenOf
)
_NAME = re.compile(_WORD)
_COUNT = re.compile(
    r"^(?:max|min|num|total|input|output|prompt|completion|cached|reasoning)\w*tokens$",
    re.IGNORECASE,
)
_QUOTED = rf"""["'][\w-]*{_WORD}[\w-]*["']"""
_TEXT = rf"""(?:\b(?:authorization|(?:x-)?api[-_ ]?key|passw(?:or)?d|pwd|secret|cookie
            |[a-z]+[-_](?:key|token|secret))\b["']?\s*[:=]\s*["']?(?:(?:bearer|basic)\s+)?[^\s"',;&]{{4,}}
        |{_QUOTED}\s*[:=]\s*b?["'][^"']{{4,}}
        |\(b?{_QUOTED},\s*b?["'][^"']{{4,}}
        |\bbearer\s+[^\s"',;]{{6,}}
        |\b(?:sk|pk|rk)-[\w-]{{8,}}
        |\bgh[opsu]_\w{{16,}}|\bxox[abprs]-[\w-]{{10,}}|\bAKIA[A-Z0-9]{{16}}\b|\bAIza[\w-]{{20,}}
        |\beyJ[\w-]{{8,}}\.[\w-]{{8,}}(?:\.[\w-]*)?
        |(?<=://)[^\s/:@]*:[^\s/@]+(?=@))"""
_REDACTED = "[redacted]"
_NO_NUMBERS = ("nan", "inf", "-inf")


class NotKept(ValueError):
    """A value is no JSON, is too deep or too long, or holds what looks like a secret."""


@cache
def _secrets() -> re.Pattern[str]:
    # Made when first needed: it takes 7 ms, and most programs see no error.
    return re.compile(_TEXT, re.IGNORECASE | re.VERBOSE)


def is_secret_name(name: str) -> bool:
    """Whether what bears that name looks like a secret."""
    return _NAME.search(name) is not None and not _COUNT.match(name)


def kept_text(text: str) -> str:
    """``text``, not too long, without what looks like a secret in it."""
    return _secrets().sub(_REDACTED, without_surrogates(text))[:LONGEST]


def plain(value: object) -> Any:
    """``value`` as JSON. Of its dicts, what bears the name of a secret is left out.

    Raises:
        NotKept: It cannot be kept.
    """
    made = _Plain().of(value, 0)
    try:
        size = len(msgspec.json.encode(made))
    except Exception as error:  # Numbers or texts that JSON cannot say.
        raise NotKept from error
    if size > LONGEST:
        raise NotKept
    return made


def unplain(value: object) -> Any:
    """What `plain` was given. JSON that it did not make is returned as it is."""
    if isinstance(value, list):
        return [unplain(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    held = cast("dict[str, Any]", value)
    if len(held) == 1:
        ((name, about),) = held.items()
        if name == "$dict" and isinstance(about, dict):
            return _members(cast("dict[str, Any]", about))
        if name == "$tuple" and isinstance(about, list):
            return tuple(unplain(each) for each in cast("list[Any]", about))
        if name == "$float" and about in _NO_NUMBERS:
            return float(about)
        if name == "$bytes" and isinstance(about, str):
            return _bytes(about, held)
    return _members(held)


def _members(held: dict[str, Any]) -> dict[str, Any]:
    return {name: unplain(each) for name, each in held.items()}


def _bytes(digits: str, otherwise: object) -> object:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return otherwise


class _Plain:
    """One value's way into JSON. Cycles, and what is too much, end it."""

    def __init__(self) -> None:
        self._left = LONGEST

    def of(self, value: object, depth: int) -> Any:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise NotKept
        if value is None or type(value) in (bool, int):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"$float": str(value)}
        if type(value) in (str, bytes):
            return _open(cast("str | bytes", value))
        if type(value) in (list, tuple):
            if _is_secret_pair(value):
                raise NotKept
            made = [self.of(each, depth + 1) for each in cast("list[Any]", value)]
            return made if type(value) is list else {"$tuple": made}
        if type(value) is dict:
            return self._dict(cast("dict[Any, Any]", value), depth)
        raise NotKept

    def _dict(self, held: dict[Any, Any], depth: int) -> Any:
        if not all(type(name) is str for name in held):
            raise NotKept
        told = {name: each for name, each in held.items() if not is_secret_name(name)}
        made = {_open(name): self.of(each, depth + 1) for name, each in told.items()}
        looks_like_mark = len(made) == 1 and next(iter(made)).startswith("$")
        return {"$dict": made} if looks_like_mark else made


def _is_secret_pair(value: object) -> bool:
    """Whether this is a header or the like: what looks like a secret's name, and its text."""
    match value:
        case (str() | bytes() as name, str() | bytes()) if isinstance(value, tuple):
            return is_secret_name(name if isinstance(name, str) else name.decode("latin-1"))
        case _:
            return False


def _open(value: str | bytes) -> Any:
    """``value`` if it shows nothing that looks like a secret."""
    is_text = isinstance(value, str)
    if len(value) > LONGEST or _secrets().search(value if is_text else value.decode("latin-1")):
        raise NotKept
    return value if is_text else {"$bytes": value.hex()}
