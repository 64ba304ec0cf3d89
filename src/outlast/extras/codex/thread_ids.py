"""Which thread a call goes on with, and the place in the run's context that remembers it."""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Mapping, MutableMapping
from typing import Any

from pydantic import BaseModel

from outlast.core.errors import UserError
from outlast.extras.codex.records import is_mapping

CODEX_TOOL_NAME_PREFIX = "codex_"
DEFAULT_CODEX_TOOL_NAME = "codex"
DEFAULT_RUN_CONTEXT_THREAD_ID_KEY = "codex_thread_id"
_SWITCH = "use_run_context_thread_id=True"


def tool_name(name: Any) -> str:
    """The tool's name: `codex`, or `codex_` and more.

    Raises:
        UserError: It is another.
    """
    if name is None:
        return DEFAULT_CODEX_TOOL_NAME
    if not isinstance(name, str):
        raise UserError("Codex tool name must be a string.")
    if not (name := name.strip()):
        raise UserError("Codex tool name must be a non-empty string.")
    if name != DEFAULT_CODEX_TOOL_NAME and not name.startswith(CODEX_TOOL_NAME_PREFIX):
        raise UserError('Codex tool name must be "codex" or start with "codex_".')
    return name


def context_key(name: str, key: Any, *, is_used: bool) -> str:
    """Under which name the context of a run remembers the thread of the tool ``name``.

    Raises:
        UserError: ``key`` is no name, or there is none and the tool's name does not yield one.
    """
    if key is not None:
        if not isinstance(key, str):
            raise UserError("run_context_thread_id_key must be a string.")
        if not key.strip():
            raise UserError("run_context_thread_id_key must be a non-empty string.")
        return key.strip()
    suffix = name.removeprefix(DEFAULT_CODEX_TOOL_NAME).removeprefix("_")
    if is_used and name != DEFAULT_CODEX_TOOL_NAME:
        _check_suffix(suffix)
    if name == DEFAULT_CODEX_TOOL_NAME:
        return DEFAULT_RUN_CONTEXT_THREAD_ID_KEY
    return f"{DEFAULT_RUN_CONTEXT_THREAD_ID_KEY}_{re.sub(r'[^0-9A-Za-z_]+', '_', suffix)}"


def check_context(context: Any, key: str) -> None:
    """Refuse a context that could not remember a thread.

    Raises:
        UserError: It is none, or cannot be written to.
    """
    if context is None:
        raise UserError(
            f"{_SWITCH} requires a mutable run context object. Pass context={{}} (or an object) to "
            "Runner.run()."
        )
    if isinstance(context, MutableMapping):
        return
    if isinstance(context, BaseModel):
        if context.model_config.get("frozen"):
            _refuse_frozen("Frozen Pydantic models")
        return
    if dataclasses.is_dataclass(context) and _is_frozen(context):
        _refuse_frozen("Frozen dataclass contexts")
    has_place = hasattr(context, "__dict__") or _has_slot(context, key)
    if isinstance(context, Mapping) or (not has_place and _is_plain(context)):
        raise UserError(
            f"{_SWITCH} requires a mutable run context mapping or a writable object context."
        )
    if not has_place:
        raise UserError(
            f'{_SWITCH} requires the run context to support field "{key}". Use a mutable dict '
            "context, or add a writable field/slot to the context object."
        )


def remembered(context: Any, key: str) -> str | None:
    """The thread that the context remembers, if any.

    Raises:
        UserError: What it remembers is no text.
    """
    value: Any = context.get(key) if is_mapping(context) else getattr(context, key, None)
    if value is None:
        return None
    if not isinstance(value, str):
        raise UserError(f'Run context "{key}" must be a string when provided.')
    return value.strip() or None


def remember(context: Any, key: str, thread_id: str | None) -> None:
    """Let the context remember the thread.

    Raises:
        UserError: It cannot be written to.
    """
    if thread_id is None:
        return
    if isinstance(context, MutableMapping):
        context[key] = thread_id
        return
    try:
        if isinstance(context, BaseModel) and not _has_field(context, key):
            vars(context)[key] = thread_id
        else:
            setattr(context, key, thread_id)
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f'Unable to store Codex thread_id in run context field "{key}". Use a mutable dict '
            "context or set a writable attribute."
        ) from error


def _check_suffix(suffix: str) -> None:
    how = f"When {_SWITCH} and run_context_thread_id_key is omitted, codex tool names must"
    if not suffix:
        raise UserError(f'{how} include a non-empty suffix after "codex_".')
    if not re.fullmatch(r"[0-9A-Za-z_]+", suffix):
        raise UserError(
            f'{how} have only letters of ASCII, digits and _ behind "codex_". Set '
            "run_context_thread_id_key, or rename the tool."
        )


def _refuse_frozen(what: str) -> None:
    raise UserError(f"{_SWITCH} requires a mutable run context object. {what} are not supported.")


def _has_field(context: BaseModel, key: str) -> bool:
    return key in type(context).model_fields or context.model_config.get("extra") == "allow"


def _has_slot(context: Any, key: str) -> bool:
    return isinstance(getattr(context.__class__, key, None), types.MemberDescriptorType)


def _is_frozen(context: Any) -> bool:
    return context.__dataclass_params__.frozen


def _is_plain(context: Any) -> bool:
    """Whether it is something of Python's, that nobody could give a field."""
    return type(context).__module__ == "builtins"
