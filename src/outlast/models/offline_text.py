"""What a text mentions: words, ids, amounts, dates, names. Plain patterns, no model, no state."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any


def word_set(text: str) -> frozenset[str]:
    """The words of a text that is a list of them."""
    return frozenset(text.split())


STOP = word_set(
    "a about all also am an and any are as at be been but by can could did do does for from get had "
    "has have hello hey hi how i if in into is it its just let like me my need no not now of on or "
    "our out please say she he so some tell thank thanks that the their them then there they this "
    "to too up us want was we were what when where which who why will with would yes you your "
    "agent tool function handoff transfer handle request handles requests"
)
_NOTS = word_set("not never without no dont")
_CLAUSE = re.compile(
    r"(?<=[.!?;:])\s+|\n+|,\s*|\s+(?:and then|and also|and|then|but|plus)\s+", re.IGNORECASE
)
_UNIT = r"st|nd|rd|th|am|pm|kg|g|km|m|cm|mm|x|h|min|s"
_AMOUNT = r"\d+(?:,\d{3})*(?:[.,]\d+)?"
_CURRENCY = r"USD|EUR|GBP|CHF|dollars?|euros?|pounds?"
# In this order: what an earlier pattern has taken, a later one does not see.
_PATTERNS = (
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("url", re.compile(r"https?://[^\s\"'<>]+")),
    ("date", re.compile(r"\b\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?Z?)?\b")),
    (
        "money",
        re.compile(rf"[$€£]\s?{_AMOUNT}|\b{_AMOUNT}\s?(?:(?:{_CURRENCY})\b|[$€£])", re.IGNORECASE),
    ),
    ("id", re.compile(r"\b\d+(?:-\d+)+\b")),
    (
        "number",
        re.compile(rf"\b\d+(?:\.\d+)?(?=(?:{_UNIT})\b)|(?<![\w#-])-?\d+(?:\.\d+)?(?![\w-])"),
    ),
    ("id", re.compile(r"#\s?\w+(?:-\w+)*|\b(?=[\w-]*[A-Za-z])(?=[\w-]*\d)\w+(?:-\w+)*\b")),
)
_QUOTE = re.compile(r"\"([^\"]+)\"|\u201c([^\u201d]+)\u201d|(?<!\w)'([^']+)'(?!\w)|`([^`]+)`")
# A capital at the start of a sentence is no sign of a name.
_NAME = re.compile(r"(?<!^)(?<![.!?:] )\b[A-Z][\w'-]+(?: +[A-Z][\w'-]+)*")


@dataclass(frozen=True, slots=True)
class Mention:
    """Something in a text that a parameter could take."""

    kind: str
    text: str
    start: int
    label: str
    """The stem of the word before it: ``order`` in "order 1001"."""

    @property
    def number(self) -> float | int | None:
        """Its amount, or None when it has none."""
        digits = re.search(rf"-?{_AMOUNT}", self.text)
        if digits is None:
            return None
        plain = re.sub(r",(?=\d{3})", "", digits[0]).replace(",", ".")
        return float(plain) if "." in plain else int(plain)


def words(text: str) -> list[str]:
    """The words of a text or of an identifier, in lower case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return [word.lower() for word in re.findall(r"[^\W_]+", spaced)]


def stem(word: str) -> str:
    """A word without its commonest English endings."""
    for ending in ("ings", "ing", "ies", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:  # noqa: PLR2004 (a stem's least length)
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def stems(text: str) -> list[str]:
    """The stems of a text's words that say something."""
    return [stem(word) for word in words(text) if word not in STOP]


def alike(one: str, other: str) -> bool:
    """Whether two stems are forms of one word: ``cancel`` and ``cancellation``."""
    short, long = sorted((one, other), key=len)
    return one == other or (
        len(short) >= 4 and len(long) - len(short) <= 6 and long.startswith(short)  # noqa: PLR2004
    )


def meet(some: Iterable[str], others: Collection[str]) -> bool:
    """Whether a stem of ``some`` is a form of one of ``others``."""
    return any(alike(one, other) for one in some for other in others)


def clauses(text: str) -> list[str]:
    """The parts of a text that each ask or tell one thing."""
    return [part.strip() for part in _CLAUSE.split(text) if part.strip()]


def is_negated(text: str, word: str) -> bool:
    """Whether each time that ``word`` is used, a "not" or "never" stands just before it."""
    found = words(re.sub("n['\u2019]t", " not", text))
    places = [i for i, other in enumerate(found) if alike(stem(other), word)]
    return bool(places) and all(_NOTS & set(found[max(0, i - 3) : i]) for i in places)


def mentions(text: str) -> list[Mention]:
    """Everything in ``text`` that a parameter could take, in order of appearance."""
    found = [
        Mention("quote", next(filter(None, match.groups())), match.start(), "")
        for match in _QUOTE.finditer(text)
    ]
    rest = text
    for kind, pattern in (*_PATTERNS, ("name", _NAME)):
        for match in pattern.finditer(rest):
            value = match[0].lstrip("# ") if kind == "id" else match[0].rstrip(".,;")
            before = words(text[: match.start()])
            if value.lower() not in STOP:
                label = stem(before[-1]) if before else ""
                found.append(Mention(kind, value, match.start(), label))
        rest = pattern.sub(lambda match: " " * len(match[0]), rest)
    return sorted(found, key=lambda mention: mention.start)


def after(text: str, prepositions: str) -> list[str]:
    """The phrases that follow one of ``prepositions`` (alternatives of a pattern)."""
    phrase = r"((?:the\s+)?[^\W\d_][\w'-]*(?:\s+[\w'-]+){0,2}?)"
    end = (
        r"(?=\s*[,.;:?!]|\s+(?:and|or|on|at|in|to|from|for|please|today|tomorrow|now|then)\b|\s*$)"
    )
    found = re.findall(rf"\b(?:{prepositions})\s+{phrase}{end}", text, re.IGNORECASE)
    return [entry for entry in found if words(entry)[0] not in STOP - {"the"}]


def plain(value: object) -> str:
    """A JSON value as a person would say it."""
    if isinstance(value, dict):
        pairs: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]  parsed JSON
        return ", ".join(f"{' '.join(words(key))} {plain(entry)}" for key, entry in pairs.items())
    if isinstance(value, list):
        entries: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  parsed JSON
        return "; ".join(plain(entry) for entry in entries) or "nothing"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)
