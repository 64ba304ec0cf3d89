"""A run's context object as JSON, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from outlast.core.errors import UserError
from outlast.core.shown import class_name
from outlast.definitions.logger import logger

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
        UserError: ``strict`` is set and the context is not a mapping; or the serializer fails.
    """
    kind = _kind(value)
    if value is None:
        form, via = None, "none"
    elif serializer is not None:
        form, via = _serialized(serializer, value), "context_serializer"
    elif kind == "mapping" and (plain := _form_of_mapping(value)) is not None:
        form, via = plain, "mapping"
    elif strict:
        raise UserError(
            "RunState serialization requires context to be a mapping when strict_context is True. "
            "Provide context_serializer to serialize custom contexts."
        )
    else:
        form, via = _form_of_object(value, kind)
    meta: dict[str, Any] = {
        "original_type": kind,
        "serialized_via": via,
        "requires_deserializer": kind not in ("none", "mapping"),
        "omitted": via == "omitted",
    }
    if via not in ("none", "mapping"):
        meta["class_path"] = _class_path(value)
    return {"context": form, "context_meta": meta}


def _serialized(serializer: ContextSerializer, value: Any) -> dict[str, Any]:
    try:
        form: Any = serializer(value)
    except Exception as error:
        raise UserError(
            f"Context serializer failed while serializing RunState context. It raised {class_name(error)}."
        ) from error
    if not isinstance(form, Mapping):
        raise UserError(
            f"Context serializer must return a mapping. It returned a {class_name(form)}."
        )
    return dict(cast("Mapping[str, Any]", form))


def _class_path(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}:{kind.__qualname__}"


def _form_of_mapping(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """The context as JSON types; None where its own code fails at it."""
    try:
        return msgspec.to_builtins(dict(value), enc_hook=str)
    except Exception:  # noqa: BLE001  # whatever a user's object raises, it is not kept
        return None


def _form_of_object(value: Any, kind: str) -> tuple[dict[str, Any], str]:
    try:
        if kind == "pydantic":
            form, via = value.model_dump(mode="json"), "model_dump"
        else:
            form, via = dataclasses.asdict(value), "asdict"
        form = msgspec.to_builtins(form)
    except Exception:  # noqa: BLE001  # whatever a user's object raises, it is not kept
        logger.warning(
            "RunState context of type %s is not serializable; storing empty context. Provide "
            "context_serializer to preserve it.",
            class_name(value),
        )
        return {}, "omitted"
    logger.warning(
        "RunState context was serialized from a %s. Provide context_deserializer or "
        "context_override to restore the original type.",
        "Pydantic model" if kind == "pydantic" else kind,
    )
    return form, via


def _kind(value: object) -> str:
    if value is None:
        return "none"
    try:
        if isinstance(value, Mapping):
            return "mapping"
        if hasattr(value, "model_dump"):
            return "pydantic"
        return "dataclass" if dataclasses.is_dataclass(value) else "custom"
    except Exception:  # noqa: BLE001  # what an object says of itself is user code
        return "custom"


def _deserialized(deserializer: ContextDeserializer, value: Any) -> Any:
    """The context object. Where reading it ends the process, that is all that is told of it."""
    try:
        return deserializer(value)
    except Exception as error:
        raise UserError(
            f"Context deserializer failed while rebuilding RunState context. It raised {class_name(error)}."
        ) from error
    except KeyboardInterrupt as error:
        end: BaseException = KeyboardInterrupt()
        error.__traceback__ = None  # Its frames hold what the context holds.
    except SystemExit as error:
        code, is_own = error.code, type(error) is SystemExit
        is_plain = is_own and (code is None or isinstance(code, int))
        end = SystemExit(*(() if is_plain and code is None else (code if is_plain else 1,)))
        error.__traceback__ = None
    raise end


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
        return _deserialized(deserializer, value)
    problem = _OMITTED if meta.get("omitted") else _RESTORE
    if meta.get("omitted") or meta.get("requires_deserializer"):
        if strict:
            raise UserError(problem)
        logger.warning(problem)
    return value
