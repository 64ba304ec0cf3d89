"""Our types and libraries that are slow to import: how pydantic sees ours, how we name theirs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any, Literal


def pydantic_schema(
    cls: type,
    wire: Literal["dict", "list"],
    read: Callable[[Any], Any],
    write: Callable[[Any], Any],
) -> Any:
    """The answer to `__get_pydantic_core_schema__` of a type that has a JSON form of its own.

    Args:
        cls: The type. Its instances are taken as they are.
        wire: What its JSON form is.
        read: Makes an instance of the JSON form.
        write: The JSON form of an instance.
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
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)


def imported_later(module: str, source: str, names: Collection[str]) -> Callable[[str], Any]:
    """A `__getattr__` for ``module``: it takes ``names`` from ``source``, imported only when asked."""

    def attribute(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(import_module(source), name)

    return attribute
