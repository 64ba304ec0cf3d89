"""What exactly a tool made from a callable will call, and what its parameters are typed as.

Functions and methods say everything themselves. An object with `__call__` may hide what it really
takes (partials, wrappers, generics); such objects are refused, because a wrong schema shows only
when a model has called the tool.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from collections.abc import Callable
from typing import Any, Generic, Literal, cast

import msgspec

from outlast.core.errors import UserError
from outlast.definitions.annotations import resolved_hints
from outlast.definitions.docstrings import (
    DocstringStyle,
    FuncDocumentation,
    generate_func_documentation,
)

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SELF: Any = typing.Self


class Handler(msgspec.Struct, frozen=True):
    """A callable, resolved once: later changes to its class do not reach the tool."""

    call: Callable[..., Any]
    """The function itself, or the object's `__call__`, bound."""
    original: Callable[..., Any]
    """What the user passed."""
    hints: dict[str, Any]
    """Resolved annotations of parameters and of the result."""
    signature: inspect.Signature
    owner: Literal["", "instance", "class"] = ""
    """What it has to be bound to before it can be called, if it is a method in a class's body."""

    @property
    def is_async(self) -> bool:
        """Whether calling it gives a coroutine."""
        return inspect.iscoroutinefunction(self.call)

    @property
    def is_object(self) -> bool:
        """Whether it is an object with a `__call__`, rather than a function."""
        return self.call is not self.original and not self.owner

    def bound_to(self, owner: Any) -> Handler:
        """The same with the object, or the class, whose method it is."""
        call = types.MethodType(self.call, owner)
        return Handler(call, self.original, self.hints, self.signature, self.owner)

    def name(self) -> str:
        """The name of the tool that is made from it.

        Raises:
            UserError: It is an object, and its class has a name that no tool can have.
        """
        if self.is_object:
            return checked_name(type(self.original).__name__, "as its class is")
        return getattr(self.original, "__name__", type(self.original).__name__)

    def documentation(self, style: DocstringStyle | None) -> FuncDocumentation:
        """What its docstring says; for an object, its class's first, then its `__call__`'s."""
        if not self.is_object:
            return generate_func_documentation(self.original, style)
        of_class = generate_func_documentation(type(self.original), style)
        of_call = generate_func_documentation(self.call, style)
        parameters = {**(of_class.param_descriptions or {}), **(of_call.param_descriptions or {})}
        return FuncDocumentation(
            of_class.name, of_class.description or of_call.description, parameters or None
        )


def is_tool_name(name: str) -> bool:
    """Whether models can call a tool by ``name``."""
    return _NAME.fullmatch(name) is not None


def checked_name(name: str, why: str = "as this one is") -> str:
    """``name``, if a model can call a tool by it.

    A dot is let through: a tool that has one can be compared with those of a namespace. An agent
    does not take it.

    Raises:
        UserError: It is not 1 to 64 letters, digits, _ and -.
    """
    if is_tool_name(name.replace(".", "_")):
        return name
    raise UserError(
        f"A tool cannot be called {name[:80]!r}, {why}: tool names are 1 to 64 letters, digits, _ "
        "and -. Pass name_override."
    )


def handler_of(func: Callable[..., Any]) -> Handler:
    """What a tool made from ``func`` calls.

    Raises:
        UserError: It cannot be called with arguments of a model, or its parameters cannot be told
            for sure.
    """
    if isinstance(func, staticmethod | classmethod):
        is_of_class = isinstance(func, classmethod)
        return _function(cast("Any", func).__func__, owner="class" if is_of_class else "")
    # Since Python 3.14 a partial counts as a routine, one whose annotations are not to be had.
    if not _is_partial(func) and inspect.isroutine(func):
        return _function(func)
    if isinstance(func, type):
        # A class is called with what its __init__ takes.
        return Handler(func, func, resolved_hints(func.__init__), inspect.signature(func))
    if not callable(func):
        raise UserError(f"A tool is made from a function, got {type(func).__name__}: {func!r}.")
    function, owner = _call_method(func)
    call = types.MethodType(function, func)
    _refuse_generator(function)
    try:
        hints = resolved_hints(function, vars(owner), sees_locals=False)
    except UserError as error:
        raise _refusal(func, "needs annotations resolvable from its module and class") from error
    if any(_mentions_self(hint) for hint in hints.values()):
        raise _refusal(func, "is annotated with Self")
    return Handler(call, func, hints, inspect.signature(call))


def _is_partial(func: object) -> bool:
    return isinstance(func, functools.partial)


def _function(func: Any, owner: Literal["", "class"] = "") -> Handler:
    _refuse_generator(func)
    signature = _signature(func)
    names = list(signature.parameters)
    if not owner and names[:1] in (["self"], ["cls"]):
        return _method(func, signature)
    if owner:
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    hints = resolved_hints(func)
    return Handler(func, func, hints, signature, owner)


def _method(func: Any, signature: inspect.Signature) -> Handler:
    """A function whose first parameter is the object that it belongs to."""
    first, *rest = signature.parameters.values()
    place = getattr(func, "__qualname__", "").rpartition(".")[0]
    if not place or place.endswith("<locals>"):
        raise UserError(
            f"Function {func.__name__} has a parameter {first.name!r} and is not in the body of a "
            "class, so the model would be asked for it. Drop or rename the parameter, or make the "
            "tool from a method that is bound: function_tool(shop.price)."
        )
    hints = resolved_hints(func)
    hints.pop(first.name, None)
    bound = signature.replace(parameters=rest)
    return Handler(func, func, hints, bound, "class" if first.name == "cls" else "instance")


def _signature(func: Any) -> inspect.Signature:
    try:
        return inspect.signature(func)
    except ValueError as error:
        raise UserError(
            f"{func!r} does not say what parameters it has, as many functions written in C. Wrap it "
            "in a function that has the parameters that the model should see."
        ) from error


def _refuse_generator(func: Any) -> None:
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        raise UserError(
            f"Function {func.__name__} yields, and a tool returns one value. Collect what it yields, "
            "and return that: a list, or a text."
        )


_PUBLISHED = ("__wrapped__", "__signature__", "__annotations__", "__annotate__")


def _call_method(func: Any) -> tuple[types.FunctionType, type]:
    """The plain method behind ``func(…)``, and the class that defines it."""
    kind: type[Any] = func.__class__
    if isinstance(func, functools.partial):
        raise _refusal(func, "is a functools.partial, whose remaining parameters are not inferred")
    if issubclass(kind, Generic):
        raise UserError(
            f"Unsupported generic callable {kind.__name__!r}: its type parameters cannot be told "
            "from the object. Use an explicit wrapper function."
        )
    own: dict[str, Any] = getattr(func, "__dict__", {})
    published = [name for name in _PUBLISHED if name in own]
    if published or "__signature__" in vars(kind):
        raise _refusal(func, f"declares another signature ({', '.join(published) or 'its class'})")
    owner = next(each for each in kind.__mro__ if "__call__" in vars(each))
    function = vars(owner)["__call__"]
    if not isinstance(function, types.FunctionType):
        raise _refusal(func, f"has a {type(function).__name__} for __call__, not a plain method")
    if "__wrapped__" in vars(function) or "__signature__" in vars(function):
        raise _refusal(func, "has a decorated __call__")
    return function, owner


def refuse_object(handler: Handler, reason: str) -> None:
    """Refuse the handler for ``reason``, if it is an object and no function."""
    if handler.is_object:
        raise _refusal(handler.original, reason)


def _refusal(func: Any, reason: str) -> UserError:
    return UserError(
        f"Unsupported callable object {type(func).__name__!r}: it {reason}. Use an explicit wrapper "
        "function with the parameters that the model should see."
    )


def _mentions_self(hint: Any) -> bool:
    return hint is _SELF or any(_mentions_self(each) for each in typing.get_args(hint))
