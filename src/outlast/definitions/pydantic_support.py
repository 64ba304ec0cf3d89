"""Our types and libraries that are slow to import: how pydantic sees ours, how we name theirs.

pydantic is imported only when a value is not what it should be (it may be convertible, and if not,
pydantic has the better words) or when pydantic itself asks.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any, Literal, Self, cast

from outlast.core.errors import WrongType


def pydantic_schema(
    cls: type,
    wire: Literal["dict", "list"],
    read: Callable[[Any], Any],
    write: Callable[[Any], Any],
) -> Any:
    """The answer to `__get_pydantic_core_schema__` of a type with a JSON form of its own.

    Instances are taken as they are; ``read`` makes them of the JSON form, ``write`` the reverse.
    """
    from pydantic_core import core_schema

    plain = core_schema.dict_schema() if wire == "dict" else core_schema.list_schema()
    read_plain = core_schema.no_info_after_validator_function(read, plain)
    return core_schema.json_or_python_schema(
        json_schema=read_plain,
        python_schema=core_schema.union_schema(
            [core_schema.is_instance_schema(cls), read_plain], mode="left_to_right"
        ),
        serialization=core_schema.plain_serializer_function_ser_schema(write),
    )


class PydanticInstance:
    """A class whose instances users' models hold as they are, whatever their fields are typed as."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> Any:
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)


def imported_later(module: str, source: str, names: Collection[str]) -> Callable[[str], Any]:
    """A `__getattr__` for ``module``: it takes ``names`` from ``source``, imported only when asked."""

    def attribute(name: str) -> Any:
        # Since Python 3.15 dataclasses look up what a field is annotated with while the module is
        # still being loaded: a name that is only there for type checkers would be imported then.
        spec = sys.modules[module].__spec__
        if name not in names or getattr(spec, "_initializing", False):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(import_module(source), name)

    return attribute


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
        raise WrongType(f"Unknown model settings{place}: {', '.join(unknown)}")


class _Serializer:
    """What pydantic asks an object for that it does not know; made when it asks."""

    def __get__(self, instance: object, owner: type) -> Any:
        from pydantic import TypeAdapter

        return TypeAdapter(owner).serializer


class PydanticFriendly:
    """Settings: a dataclass with `to_json_dict` that may stand in pydantic models and their JSON."""

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
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> Any:
        return pydantic_schema(cls, "dict", cls.from_dict, cast("Any", cls).to_json_dict)
