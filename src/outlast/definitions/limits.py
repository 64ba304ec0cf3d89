"""How long a model's endpoint may take, how much it may send, and how often it is asked again."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from typing import Any, Literal

from outlast.core.errors import WrongValue
from outlast.definitions.given import check_flag

_COUNTS = {"response_bytes", "tool_calls", "same_calls"}
_CHOICES = {"on_long_retry_after", "lenient_eof"}


@dataclass(frozen=True, kw_only=True)
class ModelLimits:
    """What a model's endpoint may take of a run's time and memory. None is no limit.

    All are on by default, for every endpoint. Seconds, unless the name says otherwise. Comments of
    an event stream (keep-alives) are no data: an endpoint that sends nothing else is silent.

    Attributes:
        connect: Until there is a connection, TLS included.
        first_byte: Until the answer's first byte, where the answer is streamed. Without streaming
            it comes only once the model has finished, so `total` is the limit.
        idle: Between two data events in the middle of a text or of a call's arguments, and between
            two pieces of a body that is not streamed.
        thinking: Between two data events elsewhere: a model that reasons, or whose provider runs
            a tool, sends nothing meanwhile.
        total: A model call as a whole: its attempts, and the waits between them.
            `ModelSettings.timeout` is the limit of one attempt.
        response_bytes: A body, or one event of a stream, decompressed. A stream as a whole, with
            its framing, may have four times that.
        tool_calls: Calls in one reply. Above it none of them is run.
        same_calls: How often in a row a model may call the same function with the same arguments
            and be answered the same. No limit unless you set one: programs that poll do just that,
            and `max_turns` ends a model that is stuck.
        max_retry_after: How long a `Retry-After` is waited for.
        on_long_retry_after: What a longer one does: ``"fail"`` the call, or ``"park"`` the run,
            which then waits without a process (`RunParked`). Up to 5 seconds are waited for in place.
        lenient_eof: Take a stream that ends without its last event for complete. For providers
            that are known to leave it out; a cut connection then counts as success.

    Raises:
        ValueError: A limit is not a positive number, or a choice is none.
    """

    connect: float | None = 10.0
    first_byte: float | None = 60.0
    idle: float | None = 60.0
    thinking: float | None = 300.0
    total: float | None = 600.0
    response_bytes: int | None = 32 * 1024 * 1024
    tool_calls: int | None = 128
    same_calls: int | None = None
    max_retry_after: float | None = 60.0
    on_long_retry_after: Literal["fail", "park"] = "fail"
    lenient_eof: bool = False

    def __post_init__(self) -> None:
        for each in fields(self):
            value: Any = self.__dict__[each.name]
            if each.name not in _CHOICES and value is not None:
                _check(each.name, value, whole=each.name in _COUNTS)
        check_flag("model_limits.lenient_eof", self.lenient_eof)
        if self.on_long_retry_after not in ("fail", "park"):
            raise WrongValue(
                f"model_limits.on_long_retry_after must be either 'fail' or 'park', got "
                f"{self.on_long_retry_after!r}."
            )


@dataclass(frozen=True)
class ModelEndpoint:
    """What an engine has to know of a model to do in its place what its client would do."""

    retries: int
    """How often a failed request is made again, where nobody says otherwise."""
    limits: ModelLimits | None = None
    """The model's own; the run's come first."""
    reports_data: bool = True
    """Whether its transport says when the first byte and when data comes."""


def _check(name: str, value: Any, *, whole: bool) -> None:
    is_number = type(value) is int or (type(value) is float and not whole)
    if not (is_number and 0 < value <= sys.float_info.max):
        kind = "whole number" if whole else "finite number of seconds"
        raise WrongValue(
            f"model_limits.{name} must be a positive {kind}, or None for no limit, got {value!r:.40}."
        )


DEFAULT_LIMITS = ModelLimits()
