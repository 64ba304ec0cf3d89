"""Items that the `openai` client sends as they are, and does not look at one by one first.

It compares each item of a list with each kind of item that there is, for parts that are no JSON yet:
half a millisecond an item, on every request. Ours are JSON. It takes a tuple for a value that needs no
look. Whoever has put something between us and the client, to watch what is sent, gets the list.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any, cast

_OWN = "openai.resources.responses.responses"
_LEAVES = (str, int, float, bool, type(None))


def untouched(responses: object, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``responses.create``, with items that the client has not to look at."""
    given: object = kwargs.get("input")
    if type(given) is not list or not _is_own(responses) or not _is_json(cast("object", given)):
        return kwargs
    return {**kwargs, "input": tuple(cast("list[object]", given))}


def _is_own(responses: object) -> bool:
    """Whether nothing stands in the place of the library's own function."""
    create = getattr(type(responses), "create", None)
    is_function = isinstance(create, FunctionType) and create.__module__ == _OWN
    return is_function and "create" not in vars(responses)


def _is_json(value: object) -> bool:
    if type(value) in _LEAVES:
        return True
    if type(value) is dict:
        return all(map(_is_json, cast("dict[str, object]", value).values()))
    return type(value) is list and all(map(_is_json, cast("list[object]", value)))
