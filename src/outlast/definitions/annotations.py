"""What a function's parameters are annotated with, resolved as far as a tool needs it.

Under `from __future__ import annotations` an annotation is a text, and what it names may be imported
for type checkers only. The context's type and the result's are in no schema, so they need not be
there when the program runs; the type of an argument has to be.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ForwardRef, Union, cast

from outlast.core.errors import UserError
from outlast.definitions.context import AgentHookContext, RunContextWrapper, ToolContext

_CONTEXTS: dict[str, Any] = {
    kind.__name__: kind for kind in (RunContextWrapper, ToolContext, AgentHookContext)
}
_CONTEXT = re.compile(r"(?:[\w.]*\bAnnotated\[\s*)?(?:\w+\.)*(\w+)\b")
_UNRESOLVED = (NameError, AttributeError, TypeError, SyntaxError, ImportError)


def resolved_hints(
    function: Callable[..., Any],
    namespace: Mapping[str, Any] | None = None,
    *,
    sees_locals: bool = True,
) -> dict[str, Any]:
    """The types of ``function``'s parameters and result, by name.

    A result whose type is not there when the program runs is left out. So is what a context is
    a context of.

    Args:
        function: A plain function or method.
        namespace: Names that annotations may use beside the module's own.
        sees_locals: Whether they may use those of the function that ``function`` is defined in.

    Raises:
        UserError: The type of an argument cannot be resolved.
    """
    known = dict(namespace or {})
    try:
        return _plain(typing.get_type_hints(function, localns=known, include_extras=True))
    except _UNRESOLVED:
        known = {**(_enclosing(function) if sees_locals else {}), **known}
    hints: dict[str, Any] = {}
    for name, annotation in _raw(function).items():
        try:
            hints[name] = _one(function, annotation, known)
        except _UNRESOLVED as error:
            if (context := _context(annotation)) is not None:
                hints[name] = context
            elif name != "return":
                raise _unresolved(function, name, annotation, error) from None
    return _plain(hints)


def _raw(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations as they were written, as far as they cannot be evaluated."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return dict(annotationlib.get_annotations(function, format=annotationlib.Format.FORWARDREF))
    return dict(getattr(function, "__annotations__", {}))


def _one(function: Callable[..., Any], annotation: object, known: dict[str, Any]) -> Any:
    def holder() -> None: ...

    holder.__annotations__ = {"it": annotation}
    space = _globals(function)
    return typing.get_type_hints(holder, globalns=space, localns=known, include_extras=True)["it"]


def _globals(function: Callable[..., Any]) -> dict[str, Any]:
    # A wrapper shows the annotations of what it wraps, which name things of that module.
    return getattr(inspect.unwrap(function), "__globals__", {})


def _context(annotation: object) -> Any:
    """The class of a context of which only that it is one can be told; None if it is none."""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        match = _CONTEXT.match(annotation)
        return _CONTEXTS.get(match[1]) if match else None
    if typing.get_origin(annotation) is Annotated:
        return _context(typing.get_args(annotation)[0])
    origin = typing.get_origin(annotation) or annotation
    is_context = isinstance(origin, type) and issubclass(origin, RunContextWrapper)
    return cast("Any", origin) if is_context else None


def _enclosing(function: Callable[..., Any]) -> dict[str, Any]:
    """The local names where ``function`` is being defined, if it is inside another function."""
    outer, _, _ = getattr(function, "__qualname__", "").rpartition(".<locals>.")
    space = _globals(function)
    frame = inspect.currentframe() if outer else None
    while frame is not None:
        is_module = frame.f_globals is space
        if is_module and frame.f_code.co_qualname == outer:
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}


def _unresolved(
    function: Callable[..., Any], name: str, annotation: object, error: Exception
) -> UserError:
    text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
    text = text if isinstance(text, str) else repr(text)
    missing = getattr(error, "name", None) or text
    return UserError(
        f"Parameter {name!r} of function {getattr(function, '__name__', function)} is annotated "
        f"with {text!r}, which cannot be resolved when the program runs ({error}). The schema of a "
        f"tool is made from the types of its arguments: import {missing!r} outside of "
        "`if TYPE_CHECKING:`, and before the tool is defined."
    )


# --- TypedDict, as pydantic wants it. ------------------------------------------------------


def for_pydantic(kind: object) -> Any:
    """``kind`` as pydantic takes it."""
    return kind if sys.version_info >= (3, 12) else _with_known_dicts(kind)


def _plain(hints: dict[str, Any]) -> dict[str, Any]:
    return {name: for_pydantic(kind) for name, kind in hints.items()}


def _with_known_dicts(kind: Any) -> Any:
    """``kind`` with each `typing.TypedDict` in it as one of `typing_extensions`.

    Before Python 3.12, pydantic refuses the former: they do not say which keys are required.
    """
    if _is_typing_dict(kind):
        return _extended(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if not any(map(_has_typing_dict, arguments)):
        return kind
    if origin is Annotated:
        return functools.reduce(
            lambda made, note: Annotated[made, note],
            arguments[1:],
            _with_known_dicts(arguments[0]),
        )
    made = tuple(map(_with_known_dicts, arguments))
    if origin in (Union, types.UnionType):
        return Union[made]  # noqa: UP007  # there is no other way to spell it
    return origin[made]


def _has_typing_dict(kind: object) -> bool:
    return _is_typing_dict(kind) or any(map(_has_typing_dict, typing.get_args(kind)))


def _is_typing_dict(kind: object) -> bool:
    meta: Any = getattr(typing, "_TypedDictMeta", ())
    return isinstance(kind, meta) and type(kind).__module__ == "typing"


def _extended(kind: Any) -> Any:
    import typing_extensions

    fields = dict(_fields(kind))
    made: Any = typing_extensions.TypedDict(kind.__name__, fields)  # pyright: ignore[reportArgumentType]  # made from another
    made.__doc__, made.__module__ = kind.__doc__, kind.__module__
    return made


def _fields(kind: Any) -> Iterator[tuple[str, Any]]:
    import typing_extensions

    for name, each in typing_extensions.get_type_hints(kind, include_extras=True).items():
        bare = each
        while typing.get_origin(bare) in (typing.Required, typing.NotRequired):
            bare = typing.get_args(bare)[0]
        is_required = name in kind.__required_keys__
        mark = typing_extensions.Required if is_required else typing_extensions.NotRequired
        yield name, mark[_with_known_dicts(bare)]
