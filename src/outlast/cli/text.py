"""Stored text on a terminal: what models, tools and users wrote must not drive the screen."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that move the cursor, reorder the line, hide something or have no shape."""


def plain(text: object) -> str:
    """``text`` on one line, with every control and invisible character spelled out."""
    return "".join(_visible(character) for character in str(text))


def lines(text: object) -> list[str]:
    """``text`` as lines, each of them `plain`."""
    return [plain(line.rstrip("\r")) for line in str(text).split("\n")]


def short(text: object, limit: int) -> str:
    """``text`` on one line of at most ``limit`` characters, cut with an ellipsis."""
    joined = " ".join(plain(part) for part in str(text).split())
    return joined if len(joined) <= limit else joined[: max(limit - 1, 0)].rstrip() + "…"


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    width, letter = (2, "x") if code < 1 << 8 else (4, "u") if code < 1 << 16 else (8, "U")
    return f"\\{letter}{code:0{width}x}"
