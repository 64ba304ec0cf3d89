"""How many tokens were spent.

The details are `openai` objects, as users expect, but most runs never look at them. So they are kept
as numbers and become objects when read. From then on the object is what counts: it may be changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, overload

from holdfast.core.events import UsageFacts
from holdfast.core.growing import new_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

_INPUT = "_input_details"
_OUTPUT = "_output_details"
_NO_INPUT = (0, 0)


def token_count(told: object) -> int:
    """How many tokens a provider's ``told`` means; 0 for what is no count at all."""
    if isinstance(told, str):
        told = int(told) if told.isdecimal() and len(told) <= _DIGITS else 0
    if not isinstance(told, (int, float)) or not math.isfinite(told):
        return 0
    return min(max(0, int(told)), _MOST)


_DIGITS, _MOST = 15, 2**53 - 1  # What every reader of JSON can tell apart.


def _count(value: Any, name: str) -> int:
    if isinstance(value, dict):
        return token_count(cast("dict[str, Any]", value).get(name))
    return token_count(getattr(value, name, None))


class _InputDetails:
    """Cached and cache-write tokens: a pair of numbers, or the object that was made of them."""

    def __init__(self, *, required: bool) -> None:
        self._required = required

    @overload
    def __get__(self, instance: None, owner: type) -> None: ...
    @overload
    def __get__(self, instance: object, owner: type) -> InputTokensDetails: ...
    def __get__(self, instance: object | None, owner: type) -> InputTokensDetails | None:
        if instance is None:
            if self._required:  # A dataclass takes what it reads here as the field's default.
                raise AttributeError
            return None
        kept = instance.__dict__[_INPUT]
        if type(kept) is tuple:
            kept = instance.__dict__[_INPUT] = input_details(*kept)  # pyright: ignore[reportUnknownArgumentType]
        return kept

    def __set__(self, instance: object, value: Any) -> None:
        kept: Any = _NO_INPUT if value is None else _input_numbers(value)
        if value is not None and type(value).__name__ == "InputTokensDetails":
            value.cached_tokens, value.cache_write_tokens = kept
            kept = value
        instance.__dict__[_INPUT] = kept


class _OutputDetails:
    """Reasoning tokens: a number, or the object that was made of it."""

    def __init__(self, *, required: bool) -> None:
        self._required = required

    @overload
    def __get__(self, instance: None, owner: type) -> None: ...
    @overload
    def __get__(self, instance: object, owner: type) -> OutputTokensDetails: ...
    def __get__(self, instance: object | None, owner: type) -> OutputTokensDetails | None:
        if instance is None:
            if self._required:
                raise AttributeError
            return None
        kept = instance.__dict__[_OUTPUT]
        if type(kept) is int:
            kept = instance.__dict__[_OUTPUT] = output_details(kept)
        return kept

    def __set__(self, instance: object, value: Any) -> None:
        kept: Any = 0 if value is None else _output_number(value)
        if value is not None and type(value).__name__ == "OutputTokensDetails":
            value.reasoning_tokens = kept
            kept = value
        instance.__dict__[_OUTPUT] = kept


def _input_numbers(kept: Any) -> tuple[int, int]:
    if type(kept) is tuple:
        return kept  # pyright: ignore[reportUnknownVariableType]
    return _count(kept, "cached_tokens"), _count(kept, "cache_write_tokens")


def _output_number(kept: Any) -> int:
    return kept if type(kept) is int else _count(kept, "reasoning_tokens")


def input_details(cached: int = 0, cache_write: int = 0) -> InputTokensDetails:
    """The `openai` object that says how many input tokens the provider's cache held."""
    from openai.types.responses.response_usage import InputTokensDetails

    return InputTokensDetails.model_validate(
        {"cached_tokens": cached, "cache_write_tokens": cache_write}
    )


def output_details(reasoning: int = 0) -> OutputTokensDetails:
    """The `openai` object that says how many output tokens the model thought with."""
    from openai.types.responses.response_usage import OutputTokensDetails

    return OutputTokensDetails(reasoning_tokens=reasoning)


@dataclass
class RequestUsage:
    """What a single request to a model took."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: _InputDetails = _InputDetails(required=True)
    output_tokens_details: _OutputDetails = _OutputDetails(required=True)


@dataclass
class Usage:
    """What a run, or a part of it, took."""

    requests: int = 0
    input_tokens: int = 0
    input_tokens_details: _InputDetails = _InputDetails(required=False)
    output_tokens: int = 0
    output_tokens_details: _OutputDetails = _OutputDetails(required=False)
    total_tokens: int = 0
    request_usage_entries: list[RequestUsage] = field(default_factory=new_list)
    """One entry for each request that used tokens, for pricing that depends on a request's size."""

    def add(self, other: Usage) -> None:
        """Count `other` in. Its per-request entries are copied, so that it may change afterwards."""
        mine = self.__dict__
        theirs = other.__dict__
        self.requests += other.requests or 0
        self.input_tokens += other.input_tokens or 0
        self.output_tokens += other.output_tokens or 0
        self.total_tokens += other.total_tokens or 0
        cached, written = added = _input_numbers(theirs[_INPUT])
        if cached or written:
            before = _input_numbers(mine[_INPUT])
            mine[_INPUT] = (before[0] + cached, before[1] + written)
        reasoning = _output_number(theirs[_OUTPUT])
        if reasoning:
            mine[_OUTPUT] = _output_number(mine[_OUTPUT]) + reasoning
        if other.request_usage_entries:
            self.request_usage_entries += [_copy(each) for each in other.request_usage_entries]
        elif other.requests == 1 and (
            other.total_tokens > 0 or other.input_tokens > 0 or other.output_tokens > 0
        ):
            totals = (other.input_tokens, other.output_tokens, other.total_tokens)
            self.request_usage_entries.append(_entry(totals, added, reasoning))


def _entry(totals: tuple[int, int, int], inputs: tuple[int, int], reasoning: int) -> RequestUsage:
    entry = RequestUsage.__new__(RequestUsage)  # Half the time of __init__, and `add` is hot.
    kept = entry.__dict__
    kept["input_tokens"], kept["output_tokens"], kept["total_tokens"] = totals
    kept[_INPUT] = inputs
    kept[_OUTPUT] = reasoning
    return entry


def _copy(entry: RequestUsage) -> RequestUsage:
    kept = entry.__dict__
    totals = (entry.input_tokens, entry.output_tokens, entry.total_tokens)
    return _entry(totals, _input_numbers(kept[_INPUT]), _output_number(kept[_OUTPUT]))


def copy_usage(usage: Usage) -> Usage:
    """A copy that shares nothing with the original."""
    copied = Usage(usage.requests, usage.input_tokens, None, usage.output_tokens)
    copied.total_tokens = usage.total_tokens
    copied.__dict__[_INPUT] = _input_numbers(usage.__dict__[_INPUT])
    copied.__dict__[_OUTPUT] = _output_number(usage.__dict__[_OUTPUT])
    copied.request_usage_entries = [_copy(each) for each in usage.request_usage_entries]
    return copied


# --- The two forms in logs. --------------------------------------------------------------


def facts_of(usage: Usage) -> UsageFacts:
    """A usage's totals as an event holds them."""
    cached, written = _input_numbers(usage.__dict__[_INPUT])
    return UsageFacts(
        requests=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=_output_number(usage.__dict__[_OUTPUT]),
    )


def usage_of(facts: UsageFacts) -> Usage:
    """The usage that an event holds."""
    usage = Usage(requests=facts.requests, input_tokens=facts.input_tokens)
    usage.output_tokens = facts.output_tokens
    usage.total_tokens = facts.total_tokens
    usage.__dict__[_INPUT] = (facts.cached_tokens, facts.cache_write_tokens)
    usage.__dict__[_OUTPUT] = facts.reasoning_tokens
    return usage


# --- JSON forms that other programs read. ------------------------------------------------


def _input_json(value: Usage | RequestUsage) -> dict[str, int]:
    cached, written = _input_numbers(value.__dict__[_INPUT])
    return {"cache_write_tokens": written, "cached_tokens": cached}


def _output_json(value: Usage | RequestUsage) -> dict[str, int]:
    return {"reasoning_tokens": _output_number(value.__dict__[_OUTPUT])}


def serialize_usage(usage: Usage) -> dict[str, Any]:
    """A usage as the JSON of a run state holds it: the details are lists of one."""
    return {
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "input_tokens_details": [_input_json(usage)],
        "output_tokens": usage.output_tokens,
        "output_tokens_details": [_output_json(usage)],
        "total_tokens": usage.total_tokens,
        "request_usage_entries": [
            {
                "input_tokens": each.input_tokens,
                "output_tokens": each.output_tokens,
                "total_tokens": each.total_tokens,
                "input_tokens_details": _input_json(each),
                "output_tokens_details": _output_json(each),
            }
            for each in usage.request_usage_entries
        ],
    }


def _first(details: Any) -> Any:
    return next(iter(cast("list[Any]", details)), None) if type(details) is list else details


def deserialize_usage(usage_data: Mapping[str, Any]) -> Usage:
    """The usage in a run state's JSON. What is missing counts as zero."""
    entries: list[dict[str, Any]] = usage_data.get("request_usage_entries") or []
    return Usage(
        requests=usage_data.get("requests") or 0,
        input_tokens=usage_data.get("input_tokens") or 0,
        input_tokens_details=_first(usage_data.get("input_tokens_details")),
        output_tokens=usage_data.get("output_tokens") or 0,
        output_tokens_details=_first(usage_data.get("output_tokens_details")),
        total_tokens=usage_data.get("total_tokens") or 0,
        request_usage_entries=[
            RequestUsage(
                input_tokens=each.get("input_tokens") or 0,
                output_tokens=each.get("output_tokens") or 0,
                total_tokens=each.get("total_tokens") or 0,
                input_tokens_details=_first(each.get("input_tokens_details")),
                output_tokens_details=_first(each.get("output_tokens_details")),
            )
            for each in entries
        ],
    )


def model_usage_to_span_usage(usage: Usage) -> dict[str, Any]:
    """A model call's usage as its span exports it."""
    return {
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "input_tokens_details": _input_json(usage),
        "output_tokens_details": _output_json(usage),
    }


def turn_usage_to_span_data(usage: Usage) -> dict[str, int]:
    """A turn's usage as its span exports it."""
    cached, written = _input_numbers(usage.__dict__[_INPUT])
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
