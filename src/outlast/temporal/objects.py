"""What code beside a workflow has changed in objects of the workflow: contexts, hooks, and its own.

It is recorded with what the code came to, so that a workflow that is replayed, where that code is not
called again, has the same objects. Plain data travels: numbers, texts, lists, dicts, data classes,
models, and objects made of them. Clients, locks and functions stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any, cast, get_type_hints

import msgspec

from outlast.definitions.agent import Agent
from outlast.definitions.tool import FunctionTool

_encode = msgspec.json.Encoder().encode
_PLAIN = (type(None), bool, int, float, str)
_DEPTH = 8
_OURS = ("outlast", "agents", "temporalio")


class Skipped:
    """Stands for what does not travel."""


_SKIPPED = Skipped()


def roots(values: Iterable[Any]) -> list[Any]:
    """The objects that code may change: those given, and what functions hold."""
    found: list[Any] = []
    for value in values:
        found += _held(value)
    return found


def snapshot(objects: Iterable[Any]) -> list[bytes]:
    """What the objects hold now, each as JSON."""
    return [
        _encode(plain) if (plain := _plain(each, _DEPTH)) is not _SKIPPED else b""
        for each in objects
    ]


def changes(objects: list[Any], before: list[bytes]) -> dict[int, Any]:
    """What those objects hold that have changed, by their place."""
    return {
        place: msgspec.Raw(now)
        for place, (now, then) in enumerate(zip(snapshot(objects), before, strict=True))
        if now != then
    }


def apply_changes(objects: list[Any], changed: Mapping[int, Any]) -> None:
    """Have the objects hold what was recorded."""
    for place, value in changed.items():
        if place < len(objects):
            _restore(objects[place], value)


def _held(value: Any) -> list[Any]:
    if isinstance(value, MethodType):
        return [value.__self__, *_held(value.__func__)]
    if isinstance(value, FunctionTool):
        return [part for each in value.sources for part in _held(each)]
    if isinstance(value, FunctionType):
        cells = cast("tuple[CellType, ...]", value.__closure__ or ())
        return (
            [] if _is_ours(value) else [each for each in cells if _plain(each, 2) is not _SKIPPED]
        )
    if original := getattr(value, "original", None):
        return _held(original)
    return [value]


def _is_ours(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).partition(".")[0] in _OURS


def _plain(value: Any, depth: int) -> Any:
    """``value`` as plain data; `_SKIPPED` where it is none."""
    if isinstance(value, _PLAIN):
        return value
    if depth == 0 or isinstance(value, type | FunctionType | MethodType | ModuleType | Agent):
        return _SKIPPED
    if isinstance(value, CellType):
        return _plain(_content(value), depth)
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        found = {str(key): _plain(each, depth - 1) for key, each in items}
        return {key: each for key, each in found.items() if each is not _SKIPPED}
    if isinstance(value, list | tuple | set | frozenset):
        many = [_plain(each, depth - 1) for each in cast("Iterable[Any]", value)]
        return _SKIPPED if any(each is _SKIPPED for each in many) else many
    fields = _fields(value)
    if fields is None:
        return _SKIPPED
    found = {name: _plain(each, depth - 1) for name, each in fields.items()}
    return {name: each for name, each in found.items() if each is not _SKIPPED}


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # It is set later.
        return _SKIPPED


def _fields(value: Any) -> dict[str, Any] | None:
    """The attributes of an object of the program."""
    kind = cast("type[Any]", type(value))
    if kind.__module__ in ("builtins", "asyncio", "threading") or _is_ours(kind):
        return None
    return getattr(value, "__dict__", None)


def _restore(target: Any, data: Any) -> None:
    """Change ``target`` in place until it holds ``data``."""
    if isinstance(target, CellType):
        target.cell_contents = _restored(_content(target), data, None)
    elif isinstance(target, dict):
        _restore_dict(cast("dict[Any, Any]", target), data)
    elif isinstance(target, list):
        before = cast("list[Any]", target)
        before[:] = _restored_items(before, data)
    elif isinstance(target, set):
        cast("set[Any]", target).clear()
        cast("set[Any]", target).update(data)
    elif (fields := _fields(target)) is not None:
        hints = _hints(target)
        for name, value in data.items():
            if _plain(fields.get(name, _SKIPPED), _DEPTH) != value:
                object.__setattr__(
                    target, name, _restored(fields.get(name), value, hints.get(name))
                )


def _restore_dict(target: dict[Any, Any], data: Mapping[str, Any]) -> None:
    names = {str(key): key for key in target}
    for gone in names.keys() - data.keys():
        if _plain(target[names[gone]], _DEPTH) is not _SKIPPED:
            del target[names[gone]]
    for name, value in data.items():
        key = names.get(name, name)
        target[key] = _restored(target.get(key), value, None)


def _restored_items(before: list[Any], data: list[Any]) -> list[Any]:
    kept = [*before, *[None] * len(data)]
    return [_restored(old, new, None) for old, new in zip(kept, data, strict=False)]


def _restored(old: Any, data: Any, hint: Any) -> Any:
    """What takes the place of ``old``: the same object where it can hold ``data``."""
    kept: Any = old
    if _plain(old, _DEPTH) == data:
        return kept
    if isinstance(old, dict | list | set) or (isinstance(data, dict) and _fields(old) is not None):
        _restore(kept, data)
        return kept
    if hint is None or isinstance(data, _PLAIN):
        return cast("Any", data)
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(hint).validate_python(data)
    except Exception:  # noqa: BLE001  # a hint may be anything
        return cast("Any", data)


def _hints(target: Any) -> dict[str, Any]:
    try:
        return get_type_hints(cast("type[Any]", type(target)))
    except Exception:  # noqa: BLE001  # names that only a type checker knows
        return {}
