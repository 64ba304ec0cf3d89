"""Stored text on a terminal: what models, tools and users wrote must not drive the screen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from rich.cells import cell_len

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that move the cursor, reorder the line, hide something or have no shape."""
_BLANK = frozenset(
    [
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        *(*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)),
    ]
)
"""Characters of other categories that show nothing, or nothing of their own."""


def plain(text: object) -> str:
    """``text`` on one line, with every control and invisible character spelled out."""
    text = str(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def lines(text: object) -> list[str]:
    """``text`` as lines, each of them `plain`."""
    return [plain(line.rstrip("\r")) for line in str(text).split("\n")]


def short(text: object, limit: int) -> str:
    """``text`` on one line of at most ``limit`` columns, cut with an ellipsis."""
    text = str(text)
    # A cell is at least a quarter of a character, so this much is enough to fill the line.
    joined = " ".join(plain(part) for part in text[: 4 * max(limit, 0) + 4096].split())
    return joined if cell_len(joined) <= limit else f"{_cut(joined, limit - 1).rstrip()}…"


def chunks(text: str, width: int) -> list[str]:
    """``text`` in pieces of at most ``width`` columns, none of it lost."""
    pieces: list[str] = []
    while text:
        piece = _cut(text, width) or text[0]
        pieces.append(piece)
        text = text[len(piece) :]
    return pieces or [""]


def _cut(text: str, width: int) -> str:
    """As much of the beginning as fits into so many columns."""
    if width <= 0:
        return ""
    piece = text[:width]  # A character takes a column or two; those that take none may follow.
    while cell_len(piece) > width:
        piece = piece[:-1]
    while len(piece) < len(text) and cell_len(text[len(piece)]) == 0:
        piece += text[len(piece)]
    return piece


def is_hidden(character: str) -> bool:
    """Whether a character has no shape of its own, or one that it gives to others."""
    return unicodedata.category(character) in _HIDDEN or ord(character) in _BLANK


def _visible(character: str) -> str:
    code = ord(character)
    if not is_hidden(character):
        return character
    width, letter = (2, "x") if code < 1 << 8 else (4, "u") if code < 1 << 16 else (8, "U")
    return f"\\{letter}{code:0{width}x}"


def short_ids(run_ids: Collection[str]) -> dict[str, str]:
    """For each id, one that is enough to find it by. Ids that somebody chose stay whole."""
    return {each: short_id(each, run_ids) for each in run_ids}


def short_id(run_id: str, known: Collection[str]) -> str:
    """As much of an id as is enough to find it by, among those that there are."""
    if not _RANDOM.fullmatch(run_id):
        return run_id
    lengths = range(SHORTEST, len(run_id))
    fitting = (run_id[:length] for length in lengths)
    unique = (start for start in fitting if sum(each.startswith(start) for each in known) == 1)
    return next(unique, run_id)


_RANDOM = re.compile(r"[0-9a-f]{32}")
SHORTEST = 8
"""Of a random id, no fewer characters than this are shown."""
