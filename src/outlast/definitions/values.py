"""What user code answered, as JSON that gives the very same value back, types too.

Plain JSON stands as it is. What JSON cannot say is an object with the key ``$``, which names its kind:

    (1, 2)          {"$": "tuple", "is": [1, 2]}
    {1: "one"}      {"$": "dict", "is": [[1, "one"]]}
    Receipt(id=5)   {"$": "of", "name": "Receipt", "is": {"id": 5}}

The name of a class is looked for only where the function that answered can see it: in what it says it
returns, in its closure and in its module. So a log names nothing that the program does not offer, and
nothing is imported for it. What would come back as something else is refused.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from base64 import b64decode, b64encode
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, cast
from uuid import UUID

_KIND, _BODY, _NAME = "$", "is", "name"
_BITS = 63  # The codec of the log reads whole numbers beyond as floats.
_DEEPEST = 100

Lookup = Callable[[str], Any]
"""A class by its name, where a function can see it; None where it cannot."""


class NotKept(TypeError):
    """A value that the log cannot give back as it is."""


def nowhere(name: str) -> Any:
    """Sees no class."""
    del name


def scope_of(*functions: object) -> Lookup:
    """The classes that functions can see; a class among them is seen itself."""

    def find(name: str) -> Any:
        return next((found for each in functions if (found := _seen(each, name))), None)

    return find


def _seen(function: object, name: str) -> Any:
    is_type = isinstance(function, type) or typing.get_args(function)
    if not is_type:
        function = _innermost(function)
    for each in _classes(function if is_type else _returned(function)):
        if each.__name__ == name:
            return each
    names: dict[str, Any] = getattr(function, "__globals__", {})
    code: Any = getattr(function, "__code__", None)
    cells: Any = getattr(function, "__closure__", None) or ()
    for free, cell in zip(code.co_freevars if code else (), cells, strict=False):
        if free == name:
            return _held(cell)
    found = names.get(name)
    return found if isinstance(found, type) else None


def _innermost(wrapped: object) -> Any:
    """The function behind partials, methods and wrappers."""
    function: Any = wrapped
    for _ in range(_DEEPEST):
        behind: Any = getattr(function, "__func__", None) or getattr(function, "__wrapped__", None)
        if isinstance(function, functools.partial):
            behind = function.func
        if behind is None:
            break
        function = behind
    return cast("Any", function)


def _held(cell: Any) -> Any:
    try:
        found = cell.cell_contents
    except ValueError:  # Not bound yet.
        return None
    return found if isinstance(found, type) else None


def _returned(function: object) -> Any:
    if not getattr(function, "__annotations__", None):
        return None
    try:
        return typing.get_type_hints(function).get("return")
    except Exception:  # noqa: BLE001  # names that only a type checker knows
        return None


def _classes(note: object) -> Iterable[type]:
    """All classes that an annotation speaks of."""
    if isinstance(note, type) and typing.get_origin(note) is None:
        yield note
    for each in typing.get_args(note):
        yield from _classes(each)


# --- To JSON. ----------------------------------------------------------------------------


def pack(value: object, see: Lookup = nowhere) -> Any:
    """``value`` as JSON from which `unpack` makes the same.

    Raises:
        NotKept: It would come back as something else.
    """
    try:
        return _pack(value, see, 0)
    except NotKept:
        raise
    except Exception as error:  # comparing and making objects is user code
        raise NotKept(f"looking at it raised {type(error).__name__}") from error


def _pack(value: Any, see: Lookup, depth: int) -> Any:
    kind = cast("Any", type(value))
    if depth > _DEEPEST:
        raise NotKept("it is nested too deep, or holds itself")
    if value is None or kind is bool:
        return value
    plain = _PLAIN.get(kind)
    if plain is not None:
        return plain(value)
    if kind is list:
        return [_pack(each, see, depth + 1) for each in value]
    if kind is dict:
        return _pack_dict(value, see, depth + 1)
    if kind in _HOLDERS:
        return _as(kind.__name__, _pack(_HOLDERS[kind][0](value), see, depth + 1))
    return _pack_object(value, see, depth + 1)


def _text(value: str) -> Any:
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return _as("str", b64encode(value.encode("utf-8", "surrogatepass")).decode())
    return value


def _whole(value: int) -> Any:
    return value if value.bit_length() <= _BITS else _as("int", hex(value))


def _number(value: float) -> Any:
    return value if value - value == 0 else _as("float", repr(value))


def _pack_dict(value: dict[Any, Any], see: Lookup, depth: int) -> Any:
    is_plain = _KIND not in value and all(type(key) is str for key in value)
    if is_plain and all(type(_text(key)) is str for key in value):
        return {key: _pack(each, see, depth) for key, each in value.items()}
    pairs = [[_pack(key, see, depth), _pack(each, see, depth)] for key, each in value.items()]
    return _as("dict", pairs)


def _pack_object(held: Any, see: Lookup, depth: int) -> Any:
    value, kind = held, cast("Any", type(held))
    name: str = kind.__name__
    if _is_part(kind):
        return _as("part", value.model_dump(exclude_none=True))
    if see(name) is not kind:
        raise NotKept(
            f"a {name} in it cannot be brought back: the function does not name that class"
        )
    if isinstance(value, Enum):
        bodies = iter([_pack(value.value, see, depth)])
    elif isinstance(value, tuple):
        bodies = iter([[_pack(each, see, depth) for each in cast("tuple[Any, ...]", value)]])
    elif dataclasses.is_dataclass(kind) or hasattr(kind, "__pydantic_validator__"):
        bodies = _dumped(value, kind, see, depth)
    else:
        raise NotKept(f"a {name} in it is no model, dataclass, enum or named tuple")
    for body in bodies:
        packed = {_KIND: "of", _NAME: name, _BODY: body}
        twin = unpack(packed, see)
        if type(twin) is kind and (twin == held or repr(twin) == repr(held)):
            return packed
    raise NotKept(f"a {name} in it would come back as another one")


def _dumped(value: object, kind: object, see: Lookup, depth: int) -> Iterator[Any]:
    """The fields of a model or dataclass, in the forms from which it may be validated again."""
    for mode in ("python", "json"):
        for by_alias in (True, False):
            try:
                body = _adapter(kind).dump_python(
                    value, mode=mode, by_alias=by_alias, round_trip=True, warnings="error"
                )
                yield _pack(body, see, depth)
            except Exception:  # noqa: BLE001, S112  # serializers are user code; another form may do
                continue


def _as(kind: str, body: object) -> dict[str, Any]:
    return {_KIND: kind, _BODY: body}


# --- And back. ---------------------------------------------------------------------------


def unpack(packed: object, see: Lookup = nowhere) -> Any:
    """The value that `pack` packed; a class that nobody sees any more leaves its JSON form."""
    if isinstance(packed, list):
        return [unpack(each, see) for each in cast("list[Any]", packed)]
    if not isinstance(packed, dict):
        return packed
    fields = cast("dict[str, Any]", packed)
    if _KIND not in fields:
        return {key: unpack(each, see) for key, each in fields.items()}
    kind, body = fields[_KIND], fields[_BODY]
    if kind in _READ:
        return _READ[kind](body)
    if kind == "of":
        return _object(see(fields[_NAME]), body, see)
    if kind == "dict":
        return {unpack(key, see): unpack(each, see) for key, each in body}
    return _HELD[kind](unpack(body, see))


def _object(found: Any, body: Any, see: Lookup) -> Any:
    value, kind = unpack(body, see), found
    if not isinstance(found, type):
        return value
    if issubclass(kind, Enum):
        return kind(value)
    if issubclass(kind, tuple):
        return cast("Any", kind)(*value)
    try:
        return _adapter(found).validate_python(value)
    except ValueError:  # The class has changed since.
        return value


@functools.lru_cache(maxsize=256)
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _is_part(kind: object) -> bool:
    return kind.__module__ == "outlast.definitions.tool_models"


def _part(body: object) -> Any:
    from outlast.definitions.tool_models import part_of

    return part_of(body)


def _aware(moment: Any) -> list[Any]:
    zone = moment.tzinfo
    if zone is not None and type(zone) is not timezone:
        raise NotKept(f"a {type(moment).__name__} in it has a time zone with a name; use an offset")
    return [moment.isoformat(), moment.fold]


def _bytes(value: bytes | bytearray) -> str:
    return b64encode(value).decode()


def _pack_complex(value: complex) -> list[Any]:
    return [repr(value.real), repr(value.imag)]


def _pairs(value: dict[Any, Any]) -> list[Any]:
    return [[key, each] for key, each in value.items()]


_HOLDERS: dict[Any, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    tuple: (list, tuple),
    set: (list, set),
    frozenset: (list, frozenset),
    deque: (lambda held: [held.maxlen, list(held)], lambda both: deque(both[1], both[0])),
    Counter: (dict, Counter),
    OrderedDict: (_pairs, OrderedDict),
    range: (lambda held: [held.start, held.stop, held.step], lambda three: range(*three)),
    **{
        kind: (str, kind)
        for kind in (PurePosixPath, PureWindowsPath, type(Path()))  # By exact type, as all others.
    },
}
"""By exact type, what holds other values or a text: what it is made of, and how it is made again."""
_HELD: dict[str, Any] = {kind.__name__: make for kind, (_, make) in _HOLDERS.items()}
_LEAVES: dict[Any, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    bytes: (_bytes, b64decode),
    bytearray: (_bytes, lambda text: bytearray(b64decode(text))),
    datetime: (_aware, lambda both: datetime.fromisoformat(both[0]).replace(fold=both[1])),
    time: (_aware, lambda both: time.fromisoformat(both[0]).replace(fold=both[1])),
    date: (date.isoformat, date.fromisoformat),
    timedelta: (lambda span: [span.days, span.seconds, span.microseconds], lambda f: timedelta(*f)),
    Decimal: (str, Decimal),
    UUID: (str, UUID),
    complex: (_pack_complex, lambda both: complex(float(both[0]), float(both[1]))),
}


def _leaf(kind: Any, form: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: _as(kind.__name__, form(value))


_PLAIN: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    int: _whole,
    float: _number,
    **{kind: _leaf(kind, form) for kind, (form, _) in _LEAVES.items()},
}
"""By exact type, the JSON of values that hold no others."""
_READ: dict[str, Callable[[Any], Any]] = {
    "int": lambda text: int(text, 16),
    "float": float,
    "str": lambda text: b64decode(text).decode("utf-8", "surrogatepass"),
    "part": _part,
    **{kind.__name__: read for kind, (_, read) in _LEAVES.items()},
}
