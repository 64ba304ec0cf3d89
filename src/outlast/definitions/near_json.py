"""Texts that are nearly the JSON that was asked for, and can mean one thing only.

What is repaired: a fence or a block of thinking around the JSON, JSON inside a JSON text, a half of
a surrogate pair. Nothing is guessed: prose around bare JSON, two blocks, a missing bracket, single
quotes and trailing commas stay errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from outlast.core.surrogates import without_surrogates

_THOUGHT = re.compile(r"\s*<(think|thinking|reasoning)>.*?</\1>\s*", re.DOTALL)
_FENCE = re.compile(
    r"^[ \t]*```[ \t]*(?:json|JSON)?[ \t]*(.*?)```[ \t]*$", re.DOTALL | re.MULTILINE
)
_MARKS = ("\ufeff", "\u200b")


def repairs(text: str) -> Iterator[str]:
    """What ``text`` may have been meant to be, the likeliest first; each is whole JSON."""
    bare = _bare(text)
    value = _decoded(bare)
    if isinstance(value, str) and value != bare:
        bare, value = value, _decoded(value)
    if value is not None and bare != text:
        yield bare
    sound = without_surrogates(value)
    if sound is not value:
        yield json.dumps(sound)


def _bare(text: str) -> str:
    """``text`` without what stands around its JSON."""
    for mark in _MARKS:
        text = text.removeprefix(mark)
    begun = _THOUGHT.match(text)
    if begun is not None:
        text = text[begun.end() :]
    fences = _FENCE.findall(text)
    return (fences[0] if len(fences) == 1 else text).strip()


def _decoded(text: str) -> object | None:
    """The value of a JSON text; None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
