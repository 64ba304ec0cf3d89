"""Spellings of widely copied guides, which openai-agents refuses and Outlast understands.

They are there after `outlast.compat.install()`, from the first import of `agents` on; without it, no
class of ours knows of them. Each is translated to the real thing where it is written, so nothing
behind the definitions ever sees one. `table.py` lists them.

What openai-agents refuses in its own tests stays refused: `Agent(temperature=None)` is a `TypeError`.
"""

from __future__ import annotations

import importlib

from outlast.compat.guides.patching import Patches

_AREAS = ("agents", "guardrails", "handoffs", "filters", "tools", "runs", "late", "tracing")
_PATCHES = Patches()


def apply() -> None:
    """Teach our classes the spellings. Harmless when repeated."""
    if _PATCHES.are_applied:
        return
    for area in _AREAS:
        importlib.import_module(f"outlast.compat.guides.{area}").teach(_PATCHES)


def undo() -> None:
    """Let our classes forget them."""
    _PATCHES.undo()
