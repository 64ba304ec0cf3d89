"""Fields of what providers send: looked at before they are used, and put together from pieces."""

from __future__ import annotations

from typing import Any, cast

from outlast.models.errors import malformed

Facts = dict[str, Any]


def field(of: Any, name: str) -> Any:
    """A field of an object or a mapping; None if there is none."""
    if isinstance(of, dict):
        return cast("Facts", of).get(name)
    # A model of pydantic's takes long to say that it has no such attribute. Pieces of a stream are
    # asked for many that they do not have.
    extra: Facts | None = getattr(of, "__pydantic_extra__", None)
    if extra is None:
        return getattr(of, name, None)
    kept: Facts = of.__dict__
    return kept[name] if name in kept else extra.get(name)


def text_field(of: Any, name: str) -> str:
    """A text among the fields; empty if it is missing or anything else."""
    value = field(of, name)
    return value if isinstance(value, str) else ""


def listed(value: Any, name: str) -> list[Any]:
    """A list among the fields; empty if it is missing, and an error if it is anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed(f"{name} is a {type(value).__name__}")
    return cast("list[Any]", value)


def merged(before: Facts, more: Facts) -> Facts:
    """``before`` with ``more``, level by level; nothing that is there gives way to nothing."""
    whole = dict(before)
    for name, value in more.items():
        known: Any = whole.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            whole[name] = merged(cast("Facts", known), cast("Facts", value))
        elif name not in whole or value != {}:
            whole[name] = value
    return whole
