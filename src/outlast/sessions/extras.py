"""The libraries that session backends need: loaded when a session is made, named when missing."""

from __future__ import annotations

import importlib
from typing import Any


def library(module: str, session: str, extra: str) -> Any:
    """The module of a library that ``session`` needs.

    Raises:
        ImportError: It is not installed; says with which extra it comes.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{session} requires the {extra!r} extra, and {module.partition('.')[0]!r} cannot be "
            f"imported. Install it: in a clone of Outlast, pip install '.[{extra}]'."
        ) from error
