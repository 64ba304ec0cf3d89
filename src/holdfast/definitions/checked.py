"""Settings that are plain dataclasses, yet check their values and speak pydantic.

pydantic is imported only when a value is not what it should be (it may be convertible, and if not,
pydantic has the better words) or when pydantic itself asks.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Self, cast

from holdfast.definitions.foreign import pydantic_schema


def checked(value: Any, kind: Any, owner: str, name: str, **bounds: Any) -> Any:
    """`value` as a `kind`, converted where that loses nothing.

    Raises:
        pydantic.ValidationError: It cannot be converted, or is out of bounds.
    """
    from pydantic import Field, create_model

    field: Any = (kind, Field(**bounds))
    return getattr(create_model(owner, **{name: field})(**{name: value}), name)


def reject_unknown(given: dict[str, Any], known: Any, where: str) -> None:
    """Check a dict of settings for misspelt names.

    Raises:
        TypeError: It has names that the settings do not have.
    """
    unknown = sorted(str(name) for name in given if name not in known)
    if unknown:
        place = f" in {where}" if where else ""
        raise TypeError(f"Unknown model settings{place}: {', '.join(unknown)}")


class _Serializer:
    """What pydantic asks an object for that it does not know; made when it asks."""

    def __get__(self, instance: object, owner: type) -> Any:
        from pydantic import TypeAdapter

        return TypeAdapter(owner).serializer


class PydanticFriendly:
    """A dataclass with `to_json_dict` that may stand in pydantic models and in JSON for them."""

    __pydantic_serializer__ = _Serializer()

    @classmethod
    def from_dict(cls, given: dict[str, Any], where: str = "") -> Self:
        """The settings in a dict.

        Raises:
            TypeError: The dict has names that the settings do not have.
        """
        reject_unknown(given, {each.name for each in dataclasses.fields(cls)}, where)  # pyright: ignore[reportArgumentType]
        return cls(**given)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        return pydantic_schema(cls, "dict", cls.from_dict, cls._written)

    def _written(self) -> dict[str, Any]:
        return cast("Any", self).to_json_dict()
