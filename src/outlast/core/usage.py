"""How many tokens were spent.

The details are `openai` objects, as users expect, but most runs never look at them. So they are kept
as numbers and become objects when read. From then on the object is what counts: it may be changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from outlast.core.events import UsageFacts
from outlast.core.growing import new_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

T = TypeVar("T")
_Counts = tuple[int, ...]

_INPUT, _OUTPUT = "_input_details", "_output_details"
_NAMES = {_INPUT: ("cached_tokens", "cache_write_tokens"), _OUTPUT: ("reasoning_tokens",)}
_NOTHING: dict[str, _Counts] = {_INPUT: (0, 0), _OUTPUT: (0,)}
_DIGITS, _MOST = 15, 2**53 - 1  # What every reader of JSON can tell apart.


def token_count(told: object) -> int:
    """How many tokens a provider's ``told`` means; 0 for what is no count at all."""
    if isinstance(told, str):
        told = int(told) if told.isdecimal() and len(told) <= _DIGITS else 0
    if not isinstance(told, (int, float)) or not math.isfinite(told):
        return 0
    return min(max(0, int(told)), _MOST)


def _counts(slot: str, kept: object) -> _Counts:
    """The numbers in what is kept in a slot: themselves, an object or a dict of them, or None."""
    if type(kept) is tuple:
        return cast("_Counts", kept)
    if isinstance(kept, dict):
        said = cast("dict[str, Any]", kept)
        return tuple(token_count(said.get(name)) for name in _NAMES[slot])
    return tuple(token_count(getattr(kept, name, None)) for name in _NAMES[slot])


class _Details(Generic[T]):
    """Counts of special tokens: a tuple of numbers, or the object that was made of it."""

    def __init__(self, slot: str, *, required: bool) -> None:
        self._slot = slot
        self._required = required

    @overload
    def __get__(self, instance: None, owner: type) -> None: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | None:
        if instance is None:
            if self._required:  # A dataclass takes what it reads here as the field's default.
                raise AttributeError
            return None
        kept: Any = instance.__dict__[self._slot]
        if type(kept) is tuple:
            kept = instance.__dict__[self._slot] = _made(self._slot, cast("_Counts", kept))
        return kept

    def __set__(self, instance: object, value: object) -> None:
        kept: Any = _NOTHING[self._slot] if value is None else _counts(self._slot, value)
        if type(value).__name__ in ("InputTokensDetails", "OutputTokensDetails"):
            for name, count in zip(_NAMES[self._slot], kept, strict=True):
                setattr(value, name, count)
            kept = value
        instance.__dict__[self._slot] = kept


def _made(slot: str, counts: _Counts) -> Any:
    named = dict(zip(_NAMES[slot], counts, strict=True))
    try:
        from openai.types.responses import response_usage as types
    except Exception:  # noqa: BLE001  # a workflow's sandbox lets nobody import it, and says so its own way
        return SimpleNamespace(**named)
    kind = types.InputTokensDetails if slot == _INPUT else types.OutputTokensDetails
    return kind.model_validate(named)


def input_details(cached: int = 0, cache_write: int = 0) -> InputTokensDetails:
    """The `openai` object that says how many input tokens the provider's cache held."""
    return _made(_INPUT, (cached, cache_write))


def output_details(reasoning: int = 0) -> OutputTokensDetails:
    """The `openai` object that says how many output tokens the model thought with."""
    return _made(_OUTPUT, (reasoning,))


@dataclass
class RequestUsage:
    """What a single request to a model took."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: _Details[InputTokensDetails] = _Details(_INPUT, required=True)
    output_tokens_details: _Details[OutputTokensDetails] = _Details(_OUTPUT, required=True)


@dataclass
class Usage:
    """What a run, or a part of it, took."""

    requests: int = 0
    input_tokens: int = 0
    input_tokens_details: _Details[InputTokensDetails] = _Details(_INPUT, required=False)
    output_tokens: int = 0
    output_tokens_details: _Details[OutputTokensDetails] = _Details(_OUTPUT, required=False)
    total_tokens: int = 0
    request_usage_entries: list[RequestUsage] = field(default_factory=new_list)
    """One entry for each request that used tokens, for pricing that depends on a request's size."""

    def add(self, other: Usage) -> None:
        """Count `other` in. Its per-request entries are copied, so that it may change afterwards."""
        self.requests += other.requests or 0
        self.input_tokens += other.input_tokens or 0
        self.output_tokens += other.output_tokens or 0
        self.total_tokens += other.total_tokens or 0
        mine, theirs = self.__dict__, other.__dict__
        for slot, nothing in _NOTHING.items():
            added = _counts(slot, theirs[slot])
            if added != nothing:
                before = _counts(slot, mine[slot])
                mine[slot] = tuple(x + y for x, y in zip(before, added, strict=True))
        if other.request_usage_entries:
            self.request_usage_entries += map(_copy, other.request_usage_entries)
        elif other.requests == 1 and (
            other.total_tokens > 0 or other.input_tokens > 0 or other.output_tokens > 0
        ):
            self.request_usage_entries.append(_copy(other))


def _copy(usage: Usage | RequestUsage) -> RequestUsage:
    entry = RequestUsage.__new__(RequestUsage)  # Half the time of __init__, and `add` is hot.
    theirs, kept = usage.__dict__, entry.__dict__
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        kept[name] = theirs[name]
    kept[_INPUT] = _counts(_INPUT, theirs[_INPUT])
    kept[_OUTPUT] = _counts(_OUTPUT, theirs[_OUTPUT])
    return entry


def copy_usage(usage: Usage) -> Usage:
    """A copy that shares nothing with the original."""
    copied = Usage(usage.requests)
    entry = _copy(usage)
    copied.__dict__.update(entry.__dict__)
    copied.request_usage_entries = list(map(_copy, usage.request_usage_entries))
    return copied


# --- The two forms in logs. --------------------------------------------------------------


def facts_of(usage: Usage) -> UsageFacts:
    """A usage's totals as an event holds them."""
    kept = usage.__dict__
    return UsageFacts(
        usage.requests,
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        *_counts(_INPUT, kept[_INPUT]),
        *_counts(_OUTPUT, kept[_OUTPUT]),
    )


def usage_of(facts: UsageFacts) -> Usage:
    """The usage that an event holds."""
    usage = Usage(facts.requests, facts.input_tokens, None, facts.output_tokens)
    usage.total_tokens = facts.total_tokens
    usage.__dict__[_INPUT] = (facts.cached_tokens, facts.cache_write_tokens)
    usage.__dict__[_OUTPUT] = (facts.reasoning_tokens,)
    return usage


# --- JSON forms that other programs read. ------------------------------------------------


def _details_json(value: Usage | RequestUsage, slot: str) -> dict[str, int]:
    return dict(zip(_NAMES[slot], _counts(slot, value.__dict__[slot]), strict=True))


def _json(value: Usage | RequestUsage) -> dict[str, Any]:
    return {
        "input_tokens": value.input_tokens,
        "output_tokens": value.output_tokens,
        "total_tokens": value.total_tokens,
        "input_tokens_details": _details_json(value, _INPUT),
        "output_tokens_details": _details_json(value, _OUTPUT),
    }


def serialize_usage(usage: Usage) -> dict[str, Any]:
    """A usage as the JSON of a run state holds it: the details are lists of one."""
    return {
        **_json(usage),
        "requests": usage.requests,
        "input_tokens_details": [_details_json(usage, _INPUT)],
        "output_tokens_details": [_details_json(usage, _OUTPUT)],
        "request_usage_entries": list(map(_json, usage.request_usage_entries)),
    }


def _read(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that both kinds of usage have. Older forms wrap the details in a list of one."""
    read: dict[str, Any] = {
        name: data.get(name) or 0 for name in ("input_tokens", "output_tokens", "total_tokens")
    }
    for name in ("input_tokens_details", "output_tokens_details"):
        said: Any = data.get(name)
        read[name] = next(iter(cast("list[Any]", said)), None) if type(said) is list else said
    return read


def deserialize_usage(usage_data: Mapping[str, Any]) -> Usage:
    """The usage in a run state's JSON. What is missing counts as zero."""
    entries: list[dict[str, Any]] = usage_data.get("request_usage_entries") or []
    return Usage(
        requests=usage_data.get("requests") or 0,
        request_usage_entries=[RequestUsage(**_read(each)) for each in entries],
        **_read(usage_data),
    )


def model_usage_to_span_usage(usage: Usage) -> dict[str, Any]:
    """A model call's usage as its span exports it."""
    return {"requests": usage.requests, **_json(usage)}


def turn_usage_to_span_data(usage: Usage) -> dict[str, int]:
    """A turn's usage as its span exports it."""
    cached, written = _counts(_INPUT, usage.__dict__[_INPUT])
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_input_tokens": cached,
        "cache_write_input_tokens": written,
    }


def task_usage_to_span_data(usage: Usage) -> dict[str, int]:
    """A run's usage as its span exports it."""
    totals = {"requests": usage.requests, "total_tokens": usage.total_tokens}
    return turn_usage_to_span_data(usage) | totals


def total_usage_to_span_metadata(usage: Usage) -> dict[str, int]:
    """A run's usage as a trace's metadata holds it."""
    return task_usage_to_span_data(usage)
