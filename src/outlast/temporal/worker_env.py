"""Secrets of hosted tools that stay in a worker's environment: histories hold their names alone."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import Any, cast

from outlast.core.errors import UserError

_REFERENCE = re.compile(r"\{\{temporal-worker-env:([A-Za-z_][A-Za-z0-9_]*)\}\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class AllowAllWorkerEnvVars:
    """Lets workflows name every variable of a worker: `resolvable_worker_env_vars=AllowAllWorkerEnvVars()`."""


def temporal_worker_env_ref(name: str) -> str:
    """A text that stands for a variable of the environment of the worker that calls the model.

    Put it where a hosted tool wants a secret: `authorization` or a header of a `HostedMCPTool`, a domain
    secret of a `ShellTool`. Workers have to allow it by
    `OpenAIAgentsPlugin(resolvable_worker_env_vars=[name])`.

    Args:
        name: The variable.

    Raises:
        UserError: No variable can have this name.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name of a variable. Expected letters, digits and underscores, and no digit first."
        )
    return f"{{{{temporal-worker-env:{name}}}}}"


def resolved(data: Any, allowed: Collection[str] | AllowAllWorkerEnvVars) -> Any:
    """``data`` with the values of the variables that are named in its texts. One that is not set is empty.

    Raises:
        UserError: A variable is named that is not allowed.
    """
    if isinstance(data, str):
        return _REFERENCE.sub(lambda found: _value(found[1], allowed), data)
    if isinstance(data, dict):
        pairs = cast("dict[str, Any]", data).items()
        return {name: resolved(each, allowed) for name, each in pairs}
    if isinstance(data, list):
        return [resolved(each, allowed) for each in cast("list[Any]", data)]
    return data


def _value(name: str, allowed: Collection[str] | AllowAllWorkerEnvVars) -> str:
    if not isinstance(allowed, AllowAllWorkerEnvVars) and name not in allowed:
        raise UserError(
            f"A tool names the variable {name!r} of the worker, which may not be read. Allow it by "
            "OpenAIAgentsPlugin(resolvable_worker_env_vars=[...])."
        )
    return os.environ.get(name, "")
