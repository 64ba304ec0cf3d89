"""Tool outputs of several parts (text, images, files) as one short text, for the trimmer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from outlast.extras.prose import fields

_SOURCES = {
    "input_text": ("text",),
    "input_image": ("image_url", "file_id"),
    "input_file": ("file_data", "file_url", "file_id"),
}
"""The fields that a part of each kind has its content in: one of them at least."""

_OTHERS = {"input_text": (), "input_image": ("detail",), "input_file": ("filename",)}
_DETAILS = ("low", "high", "auto")


def is_canonical(part: Any) -> bool:
    """Whether ``part`` is as a tool's output is written: then it is known what may go."""
    content = dict(fields(part))
    kind = content.pop("type", None)
    if kind not in _SOURCES:
        return False
    known = {*_SOURCES[kind], *_OTHERS[kind]}
    if not content.keys() <= known or not all(isinstance(each, str) for each in content.values()):
        return False
    if content.get("detail", "auto") not in _DETAILS:
        return False
    return any(name in content for name in _SOURCES[kind])


def payload_chars(parts: Sequence[Mapping[str, str]]) -> int:
    """How many characters the parts hold, without their syntax."""
    return sum(len(value) for part in parts for name, value in part.items() if name != "type")


def shortened(name: str, parts: Sequence[Mapping[str, str]], limit: int, preview: int) -> str:
    """What a model sees in place of ``parts``, in at most ``limit`` characters.

    Text comes first, then the three dots that say that it was cut, then what else the head says.
    """
    whole = "\n".join(part["text"] for part in parts if part["type"] == "input_text")
    text = whole[:preview]
    dots = "..." if len(text) < len(whole) else ""
    body = f"\n{text}" if text else ""
    for head in _heads(name, parts, len(text) if whole else None):
        if len(head) + len(body) + len(dots) <= limit:
            return head + body + dots
    if body and limit > len(_BARE) + 1:
        return (_BARE + body)[:limit]
    return _BARE[:limit]


_BARE = "[Trimmed]"


def _heads(name: str, parts: Sequence[Mapping[str, str]], preview: int | None) -> Iterator[str]:
    """First lines, from the one that says most to the one that says least."""
    opaque = Counter(part["type"] for part in parts if part["type"] != "input_text")
    payload = f"payload {payload_chars(parts)}"
    shown = [] if preview is None else [f"preview {preview}"]
    dropped: list[str] = []
    if opaque:
        dropped = ["dropped " + ", ".join(f"{opaque[kind]} {kind}" for kind in sorted(opaque))]
    yield f"[Trimmed: {'; '.join([name, payload, *shown, *dropped])}]"
    if opaque:
        yield f"[Trimmed: {name}; {dropped[0]}]"
        yield f"[Trimmed; {dropped[0]}]"
        yield f"[Trimmed: {', '.join(sorted(opaque))}]"
        yield f"[Trimmed: dropped {opaque.total()} opaque]"
    yield f"[Trimmed: {payload}]"
    yield f"[Trimmed: {name}]"
    yield _BARE
