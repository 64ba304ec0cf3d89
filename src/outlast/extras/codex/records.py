"""What all records of Codex have in common: fields can be read as attributes and as keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard, TypeVar

from outlast.core.errors import AgentsException, UserError

Options = TypeVar("Options")


class CodexError(AgentsException, RuntimeError):
    """Codex could not be run, ended with an error, or said something that is no event."""


def is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether ``value`` is a mapping of names."""
    return isinstance(value, Mapping)


class Record:
    """Reads a dataclass's fields by name, as those of the JSON that it came from."""

    def __getitem__(self, key: str) -> Any:
        if key not in self.keys():
            raise KeyError(key)
        return getattr(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        """The field ``key``, or ``default`` if there is none."""
        return getattr(self, key) if key in self.keys() else default

    def __contains__(self, key: object) -> bool:
        return key in list(self.keys())

    def keys(self) -> Iterable[str]:
        """The names of the fields."""
        return [each.name for each in dataclasses.fields(self)]  # pyright: ignore[reportArgumentType] # a mixin of dataclasses

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain data, with all that is below them."""
        return dataclasses.asdict(self)  # pyright: ignore[reportArgumentType] # a mixin of dataclasses


def options_of(kind: type[Options], value: Any) -> Options | None:
    """``value`` as the options that ``kind`` describes; None for None.

    Raises:
        UserError: It is neither such options nor a mapping of their fields.
    """
    if value is None or isinstance(value, kind):
        return value
    if not is_mapping(value):
        raise UserError(f"{kind.__name__} must be a {kind.__name__} or a mapping.")
    refuse_unknown(f"{kind.__name__} field(s)", kind, value)
    return kind(**value)


def refuse_unknown(what: str, kind: type[Any], fields: Mapping[str, Any]) -> None:
    """Refuse names that are no fields of ``kind``.

    Raises:
        UserError: There are some.
    """
    if unknown := sorted(fields.keys() - {each.name for each in dataclasses.fields(kind)}):
        raise UserError(f"Unknown {what}: {unknown}")
