"""Put process-wide defaults back to what a fresh process has (for test suites)."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

# Module, setter, fresh value. What an installation does not have is passed over.
_FRESH: tuple[tuple[str, str, Any], ...] = (
    ("holdfast.models.defaults", "reset_defaults", ...),
    ("holdfast.run.runner", "set_default_agent_runner", None),
)


def reset_defaults() -> None:
    """Forget the default OpenAI key, client, API, transport and agent runner of this process."""
    for module_name, setter_name, value in _FRESH:
        if find_spec(module_name.rpartition(".")[0]) is None or find_spec(module_name) is None:
            continue
        setter = getattr(importlib.import_module(module_name), setter_name, None)
        if setter is not None:
            setter() if value is ... else setter(value)
