"""The settings of the servers that the `mcp` library speaks to, and how often a request is made."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Protocol, cast

from outlast.core.errors import UserError
from outlast.definitions.logger import logger
from outlast.mcp.library import Callbacks
from outlast.mcp.policies import check_filter
from outlast.mcp.protocol import MCPServer

_OF_ALL = (
    "use_structured_content", "require_approval", "failure_error_function", "tool_meta_resolver",
    "custom_data_extractor", "tool_input_guardrails", "tool_output_guardrails", "on_uncertain",
    "max_result_bytes",
)  # fmt: skip
_OF_CALLBACKS = {
    "sampling_callback": "sampling", "elicitation_callback": "elicitation",
    "list_roots_callback": "roots", "logging_callback": "logging", "log_level": "log_level",
}  # fmt: skip


def check_params(params: Any, kind: type, needed: str) -> None:
    """Refuse what does not say how a server is reached, and warn of keys that nobody reads.

    Raises:
        UserError: It is no mapping, or the one key that is needed is not there as a text.
    """
    known = [*kind.__annotations__]
    if not isinstance(params, Mapping):
        raise UserError(
            f"The params of an MCP server are a {type(params).__name__}. Expected a dict with "
            f"{needed!r}, and if wanted {', '.join(map(repr, known[1:]))}."
        )
    given = cast("Mapping[str, Any]", params)
    if not isinstance(given.get(needed), str) or not given[needed]:
        raise UserError(
            f"The params of an MCP server have no {needed!r}, which has to be a text. They have: "
            f"{', '.join(map(repr, given)) or 'nothing'}."
        )
    if unknown := [key for key in given if key not in known]:
        logger.warning(
            "The params of an MCP server have %s, which nobody reads; known are %s.", unknown, known
        )


@dataclass
class SessionOptions:
    """The settings, as the constructors were given them."""

    cache_tools_list: bool = False
    client_session_timeout_seconds: float | None = 5
    tool_filter: Any = None
    max_retry_attempts: int = 0
    retry_backoff_seconds_base: float = 1.0
    retry_backoff_seconds_max: float | None = None
    message_handler: Any = None
    max_list_pages: int | None = None
    of_all_servers: dict[str, Any] = field(default_factory=dict[str, Any])
    callbacks: Callbacks = field(default_factory=Callbacks)

    @classmethod
    def of(cls, settings: dict[str, Any]) -> SessionOptions:
        """The settings from the keywords of a constructor."""
        own = {each.name for each in fields(cls)}
        known = own | {*_OF_ALL} | {*_OF_CALLBACKS}
        if unknown := sorted(settings.keys() - known):
            raise TypeError(f"unexpected keyword argument {unknown[0]!r}")
        return cls(
            **{name: settings[name] for name in settings.keys() & own},
            of_all_servers={name: settings[name] for name in settings.keys() & {*_OF_ALL}},
            callbacks=Callbacks(
                **{_OF_CALLBACKS[n]: settings[n] for n in settings.keys() & {*_OF_CALLBACKS}}
            ),
        )

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            TypeError: A setting is of another type than it has to be.
            ValueError: It has a value that it cannot have.
            UserError: The filter of the tools is none.
        """
        check_filter(self.tool_filter)
        _check_timeout(self.client_session_timeout_seconds)
        longest = self.retry_backoff_seconds_max
        if longest is not None:
            if not _is_number(longest):
                raise TypeError("retry_backoff_seconds_max must be a number of seconds or None.")
            if not _is_finite(longest) or longest < 0:
                raise ValueError(
                    "retry_backoff_seconds_max must be a non-negative finite number of seconds or None, got "
                    f"{longest!r}."
                )
        pages: Any = self.max_list_pages
        if pages is None:
            return
        text = f"max_list_pages must be a positive integer or None, got {pages!r}."
        if isinstance(pages, bool) or not isinstance(pages, int):
            raise TypeError(text)
        if pages < 1:
            raise ValueError(text)


def _is_number(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _check_timeout(seconds: Any) -> None:
    name = "client_session_timeout_seconds"
    if seconds is None:
        return
    if not _is_number(seconds):
        raise TypeError(f"{name} must be a number of seconds or None.")
    if not _is_finite(seconds) or seconds < 0:
        raise ValueError(f"{name} must be zero or a positive finite value.")
    if 0 < seconds < 1e-6:  # noqa: PLR2004 (a microsecond, as the text says)
        raise ValueError(f"{name} must be zero or at least one microsecond.")
    try:
        timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{name} must fit in a datetime.timedelta.") from None


def check_seconds(name: str, seconds: Any) -> None:
    """Refuse what is no positive time.

    Raises:
        TypeError: It is no number.
        ValueError: It is not positive, or has no end.
    """
    if seconds is None:
        return
    if not _is_number(seconds):
        raise TypeError(f"{name} must be a positive finite number of seconds or None.")
    if not _is_finite(seconds) or seconds <= 0:
        raise ValueError(f"{name} must be a positive finite number of seconds or None.")


class _Retried(Protocol):
    max_retry_attempts: int
    retry_backoff_seconds_base: float
    retry_backoff_seconds_max: float | None


class Retries:
    """How often one request has been made again, and how long to wait before the next time."""

    def __init__(self, server: _Retried | MCPServer) -> None:
        self._server: Any = server
        self._spent = 0
        self._waits = 0

    def spend(self) -> bool:
        """Whether another attempt may be made; it counts."""
        most = self._server.max_retry_attempts
        if most != -1 and self._spent >= most:
            return False
        self._spent += 1
        return True

    async def pause(self) -> None:
        """Wait as long as it is due before the next attempt."""
        seconds = self._server.retry_backoff_seconds_base * 2 ** min(self._waits, 64)
        longest = self._server.retry_backoff_seconds_max
        self._waits += 1
        await asyncio.sleep(seconds if longest is None else min(seconds, longest))

    async def again(self) -> bool:
        """Whether another attempt is due, after the wait before it."""
        if not self.spend():
            return False
        await self.pause()
        return True
