"""Names that a model can call: letters, digits and underscores."""

from __future__ import annotations

import re

from outlast.definitions.logger import logger


def function_name(name: str, *, spaces_are_fine: bool = False) -> str:
    """A name as a function's name: everything else becomes an underscore, and all is lower case.

    With ``spaces_are_fine``, a change of white space alone goes without a warning.
    """
    made = re.sub(r"\s", "_", name) if spaces_are_fine else name
    clean = re.sub(r"[^a-zA-Z0-9_]", "_", made)
    if clean != made:
        logger.warning(
            "Tool name %r contains invalid characters for function calling and is used as %r."
            " Letters, digits and underscores are safe.",
            name,
            clean.lower(),
        )
    return clean.lower()
