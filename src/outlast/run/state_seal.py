"""Checksums in a stored run: what was stored is what is read, or it is an error.

The text of a state is JSON in somebody's database. A bit that flips in it may still be JSON, and
another fact. So each part that is read back has a checksum beside it, of its values and not of its
text: stores change spaces, the order of names and how whole numbers are written. Parts that are only
there to be looked at have none. A state of an older version has no checksums, and is read without.
"""

from __future__ import annotations

import re
from typing import Any, cast
from zlib import crc32

import msgspec

from outlast.core.errors import UserError

_ALWAYS = (
    "outlast",
    "context.context",
    "context.context_meta",
    "context.usage",
    "pending_input",
    "trace",
)
_NEW = ("original_input", "max_turns")
"""Read back where the run has not begun; otherwise the log says it."""
_WHOLE = re.compile(rb"(\d)\.0+(?=[,}\]])")


def seal(document: dict[str, Any]) -> None:
    """Add the checksums to a document that is complete."""
    document["outlast"]["checksums"] = {
        path: checksum
        for path in (*_ALWAYS, *(() if document["outlast"]["events"] else _NEW))
        if (checksum := _checksum(document, path)) is not None
    }


def require_sealed(document: dict[str, Any]) -> None:
    """Refuse a document that is not what was stored.

    Raises:
        UserError: A part of it has changed.
    """
    checksums = _at(document, "outlast.checksums")
    if not isinstance(checksums, dict):
        return
    for path, checksum in cast("dict[str, Any]", checksums).items():
        if _checksum(document, path) != checksum:
            raise UserError(
                f"The run state is damaged: {path!r} does not match its checksum, so it is not what was "
                "stored. Read the state from a copy. Where a program has changed it on purpose, it has "
                f"to remove {path!r} from 'outlast.checksums' too."
            )


def _checksum(document: dict[str, Any], path: str) -> str | None:
    """Of the values of a part; None where they cannot be written as JSON."""
    value = _at(document, path)
    if path == "outlast":
        value = {name: each for name, each in value.items() if name != "checksums"}
    try:
        text = msgspec.json.encode(value, order="sorted")
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    plain = _WHOLE.sub(rb"\1", text)
    return f"{crc32(plain):08x}"


def _at(document: dict[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
    return value
