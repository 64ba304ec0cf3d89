"""What an error of any provider says about itself: status, code, when to come back.

Errors are known by the attributes and class names that providers' libraries share, so no library
is imported to look at one. What an error does not say may stand in the error behind it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from outlast.core.errors import ModelTimeoutError
from outlast.definitions.clock import wall_s
from outlast.definitions.retry import ModelRetryNormalizedError

_T = TypeVar("_T")
_ABORTS = {"AbortError", "CancelledError"}
_LOST = {"APIConnectionError", "TransportError"}  # of openai, and of httpx and its successor
_LATE = {"TimeoutError", "APITimeoutError"}


def normalized_error(error: Exception) -> ModelRetryNormalizedError:
    """What is known about ``error``, in the same words whoever raised it."""
    chain = list(chain_of(error))
    kinds = _kinds(error)
    return ModelRetryNormalizedError(
        status_code=_first(chain, _status),
        error_code=_first(chain, error_code),
        message=_text(error),
        request_id=_first(chain, _request_id),
        retry_after=_first(chain, retry_after),
        is_abort=_is_abort(chain),
        is_network_error=not kinds.isdisjoint(_LOST | _LATE),
        is_timeout=any(map(_is_late, chain)),
    )


def error_code(error: BaseException) -> str | None:
    """The provider's name of the failure."""
    # Statically: a property may warn, as that of websockets' closed connections does.
    code: Any = inspect.getattr_static(error, "code", None)
    if isinstance(code, str):
        return code
    body: Any = getattr(error, "body", None)
    if not isinstance(body, Mapping):
        return None
    inner: Any = body.get("error")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    code = (inner if isinstance(inner, Mapping) else body).get("code")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return code if isinstance(code, str) else None


def lost_connection(error: Exception) -> bool:
    """Whether ``error`` is a lost connection of the `openai` library, or is because of one."""
    return any("APIConnectionError" in _kinds(each) for each in chain_of(error))


def header(error: Exception, name: str) -> str | None:
    """A header of the answer that ``error`` stands for, or the error behind it."""
    return _first(list(chain_of(error)), lambda each: _header(each, name))


def retry_after(error: BaseException) -> float | None:
    """In how many seconds the provider wants to be asked again, by the headers of its answer."""
    wait = _number(_header(error, "retry-after-ms"))
    if wait is not None:
        return wait / 1000.0
    told = _header(error, "retry-after")
    wait = _number(told)
    if wait is not None or told is None:
        return wait
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - wall_s())
    except (ValueError, OverflowError):
        return None


def _header(error: BaseException, name: str) -> str | None:
    response: Any = getattr(error, "response", None)
    holders: Any = [
        getattr(holder, attribute, None)
        for holder in (response, error)
        for attribute in ("headers", "response_headers")
    ]
    pairs = (pair for held in holders if isinstance(held, Mapping) for pair in held.items())  # pyright: ignore[reportUnknownVariableType]
    return next((str(value) for key, value in pairs if str(key).lower() == name), None)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _number(told: str | None) -> float | None:
    try:
        number = float(told or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """``error`` and those behind it, each once."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _first(chain: list[BaseException], look: Callable[[BaseException], _T | None]) -> _T | None:
    return next((found for each in chain if (found := look(each)) is not None), None)


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _is_late(error: BaseException) -> bool:
    return isinstance(error, ModelTimeoutError) or not _kinds(error).isdisjoint(_LATE)


def _is_abort(chain: list[BaseException]) -> bool:
    for each in chain:
        if _is_late(each):
            return False  # `asyncio.timeout` makes its error of the cancellation that it asked for.
        if type(each).__name__ in _ABORTS:
            return True
    return False


def _status(error: BaseException) -> int | None:
    for name in ("status_code", "status"):
        if isinstance(status := getattr(error, name, None), int):
            return status
    return None


def _request_id(error: BaseException) -> str | None:
    told: Any = getattr(error, "request_id", None)
    return told if isinstance(told, str) else None


def _text(error: Exception) -> str | None:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # a provider's class
        return None
