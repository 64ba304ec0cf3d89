"""A run's context object as JSON, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from holdfast.core.errors import UserError
from holdfast.definitions.logger import logger

ContextSerializer = Callable[[Any], Mapping[str, Any]]
ContextDeserializer = Callable[[Mapping[str, Any]], Any]

_RESTORE = (
    "RunState context requires explicit restoration; provide context_deserializer or "
    "context_override to restore it."
)
_OMITTED = (
    "RunState context was omitted during serialization; provide context_override to supply it."
)


def context_to_json(
    value: Any, serializer: ContextSerializer | None, *, strict: bool
) -> dict[str, Any]:
    """The context and how it was kept, as the members of a stored state's context.

    Raises:
        UserError: ``strict`` is set and the context is not a mapping.
    """
    if value is None:
        return _kept(None, "none", "none")
    if serializer is not None:
        return _kept(dict(serializer(value)), _kind(value), "context_serializer", value)
    if isinstance(value, Mapping):
        plain: Any = dict(cast("Mapping[str, Any]", value))
        return _kept(msgspec.to_builtins(plain, enc_hook=str), "mapping", "mapping")
    if strict:
        raise UserError(
            "RunState serialization requires context to be a mapping when strict_context is True. "
            "Provide context_serializer to serialize custom contexts."
        )
    try:
        return _of_object(value)
    except Exception:  # noqa: BLE001  # whatever a user's object raises, it is not kept
        logger.warning(
            "RunState context of type %s is not serializable; storing empty context. Provide "
            "context_serializer to preserve it.",
            type(value).__name__,
        )
    return _kept({}, _kind(value), "omitted", value, is_omitted=True)


def _of_object(value: Any) -> dict[str, Any]:
    kind = _kind(value)
    if kind == "custom":
        raise TypeError(kind)
    is_model = kind == "pydantic"
    form = value.model_dump(mode="json") if is_model else dataclasses.asdict(value)
    kept = _kept(msgspec.to_builtins(form), kind, "model_dump" if is_model else "asdict", value)
    logger.warning(
        "RunState context was serialized from a %s. Provide context_deserializer or "
        "context_override to restore the original type.",
        "Pydantic model" if is_model else kind,
    )
    return kept


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "mapping"
    if hasattr(value, "model_dump"):
        return "pydantic"
    return "dataclass" if dataclasses.is_dataclass(value) else "custom"


def _kept(
    kept: Any, kind: str, via: str, value: Any = None, *, is_omitted: bool = False
) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "original_type": kind,
        "serialized_via": via,
        "requires_deserializer": value is not None and kind != "mapping",
        "omitted": is_omitted,
    }
    if value is not None:
        meta["class_path"] = f"{type(value).__module__}:{type(value).__qualname__}"
    return {"context": kept, "context_meta": meta}


def context_from_json(
    saved: dict[str, Any], deserializer: ContextDeserializer | None, *, strict: bool
) -> Any:
    """The context object of a stored state, as far as it can be made again.

    Raises:
        UserError: ``strict`` is set and the object cannot be made again.
    """
    value: Any = saved.get("context")
    meta: dict[str, Any] = saved.get("context_meta") or {}
    if deserializer is not None and value is not None:
        return deserializer(value)
    problem = _OMITTED if meta.get("omitted") else _RESTORE
    if meta.get("omitted") or meta.get("requires_deserializer"):
        if strict:
            raise UserError(problem)
        logger.warning(problem)
    return value
