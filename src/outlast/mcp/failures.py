"""From whatever the library raises to an error that says what happened, and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cache
from typing import Any

from outlast.core.errors import AgentsException, UserError
from outlast.mcp.errors import (
    MCPConnectionError,
    MCPRequestError,
    MCPTimeoutError,
    MCPTooLargeError,
)
from outlast.mcp.http import SERVER_ERROR, Failures, status_text
from outlast.mcp.library import (
    CONNECTION_CLOSED,
    Unfit,
    error_code,
    http_library,
    protocol_error,
    timeout_code,
)
from outlast.mcp.lines import TOO_LARGE, UNREADABLE
from outlast.mcp.names import printable, public_name, public_url

SHOWN = 500
NOT_FOUND = 404


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group of errors, and a single one as it is."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
            yield from leaves(each)  # pyright: ignore[reportUnknownArgumentType]
    else:
        yield error


def is_lost(error: BaseException) -> bool:
    """Whether nobody is at the other end of the connection any more."""
    return any(_is_closed(each) for each in leaves(error))


def _is_closed(error: BaseException) -> bool:
    kind = type(error).__name__
    return (
        kind
        in ("ClosedResourceError", "BrokenResourceError", "EndOfStream", "ConnectionResetError")
        or error_code(error) == CONNECTION_CLOSED
    )


class HTTPRefusal(Exception):
    """The connection has ended because a request was refused with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status_text(status))
        self.status = status


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error is about; None if it is about none."""
    for each in leaves(error):
        if isinstance(each, HTTPRefusal):
            return each.status
        if type(each).__name__ == "HTTPStatusError":
            return each.response.status_code  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType,reportAttributeAccessIssue]
    return None


def _kinds(error: BaseException) -> set[str]:
    return {base.__name__ for each in leaves(error) for base in type(each).__mro__}


def is_transport_failure(error: BaseException) -> bool:
    """Whether the connection failed under a request, so that a fresh one may do better."""
    status = status_of(error)
    if status is not None:
        return status >= SERVER_ERROR
    found = list(leaves(error))
    return all(
        isinstance(each, asyncio.CancelledError)
        or _is_closed(each)
        or bool(_kinds(each) & {"TransportError", "TimeoutException", "TimeoutError"})
        or error_code(each) == timeout_code()
        for each in found
    )


def _transport_reason(error: BaseException, *, is_connecting: bool) -> str | None:
    """Why HTTP did not get through; None if that was not why."""
    own = http_library().__name__
    kinds = {
        base.__name__
        for each in leaves(error)
        if type(each).__module__.partition(".")[0] == own or is_connecting
        for base in type(each).__mro__
    }
    if "TimeoutException" in kinds:
        return "Connection timeout."
    if kinds & {"ConnectError", "NetworkError", "RemoteProtocolError"}:
        return "Could not reach the server." if is_connecting else "Connection lost."
    return "Request failed." if kinds & {"RequestError", "StreamError"} else None


def connect_failure(
    name: str, error: BaseException, seen: Failures, last_words: str
) -> BaseException:
    """Why there is no connection."""
    if isinstance(error, AgentsException):
        return error
    start = f"Failed to connect to MCP server {public_name(name)!r}: "
    status = status_of(error) or seen.status
    if status is not None:
        return MCPConnectionError(f"{start}{status_text(status)}.{_advice(status)}")
    if (reason := _transport_reason(error, is_connecting=True)) is not None:
        return MCPConnectionError(start + reason + last_words)
    if isinstance(error, asyncio.CancelledError):
        return error
    return MCPConnectionError(f"{start}{_told(error)}{last_words}")


def transport_failure(name: str, error: BaseException) -> BaseException:
    """Why there is no transport: what it raised itself, unless that could tell a secret."""
    if all(_is_public(each) for each in leaves(error)):
        return error
    return connect_failure(name, error, Failures(), "")


def _is_public(error: BaseException) -> bool:
    """Whether an error leads to no request that has more in it than where it goes."""
    request: Any = getattr(error, "_request", None)
    if request is None:
        return True
    url = str(request.url)
    is_alone = error.__cause__ is None and error.__context__ is None
    return is_alone and not request.headers.get("authorization") and public_url(url) == url


def _advice(status: int) -> str:
    if status in (401, 403):
        return " Send what it wants to see: params={'headers': ...} or 'auth'."
    return " Is that the path that it answers at?" if status == NOT_FOUND else ""


def _weight(error: BaseException) -> int:
    """How much an error says, of several at once. What merely follows from another one says least."""
    if isinstance(error, asyncio.CancelledError):
        return 3
    return 0 if error_code(error) is not None else 2 if _is_closed(error) else 1


def _told(error: BaseException) -> str:
    """What a server or the library says about why."""
    for each in sorted(leaves(error), key=_weight):
        code = error_code(each)
        if code == CONNECTION_CLOSED:
            return "it closed the connection."
        if code == timeout_code():
            return "it did not answer in time."
        if code == UNREADABLE:
            return f"it sent {each}."
        if code is not None:
            return f"it says {quoted(str(each))} (code {code})."
        if type(each).__name__ == "ValidationError":
            return "what it sent is no MCP."
        if not isinstance(each, asyncio.CancelledError):
            return f"{type(each).__name__}."
    return "it was cancelled."


def quoted(text: str) -> str:
    """Somebody else's text, short and printable."""
    return repr(printable(text if len(text) <= SHOWN else f"{text[:SHOWN]}…"))


def call_failure(
    name: str, doing: str, error: BaseException, seen: Failures, last_words: str
) -> BaseException:
    """What became of a request; ``error`` itself where there is nothing better to say."""
    if isinstance(error, AgentsException):
        return error
    if seen.errors:
        return seen.errors[0]
    if isinstance(error, asyncio.CancelledError):
        return error
    start = f"Failed to {doing} MCP server {public_name(name)!r}: "
    if error_code(error) == TOO_LARGE:
        return MCPTooLargeError(
            f"{start}it sent {error} in one answer. Ask it for less, or allow more: max_result_bytes=..."
        )
    status, code = status_of(error), error_code(error)
    if status is None and code is not None and code != timeout_code():
        status = seen.status
    if status is not None:
        return _as_both(MCPRequestError, f"{start}{status_text(status)}.{_advice(status)}", error)
    if (reason := _transport_reason(error, is_connecting=False)) is not None:
        return MCPConnectionError(start + reason + last_words)
    return _answer_failure(start, error, code, last_words)


def _answer_failure(
    start: str, error: BaseException, code: int | None, last_words: str
) -> BaseException:
    """What is wrong with an answer, or why there is none."""
    if is_lost(error):
        text = f"{start}Connection lost: the server closed it.{last_words}"
        return _as_both(MCPConnectionError, text, error)
    if code == timeout_code() or type(error) is TimeoutError:
        text = (
            f"{start}Timed out: it did not answer in time. Allow more with "
            "client_session_timeout_seconds, or ask for less."
        )
        return _as_both(MCPTimeoutError, text, error)
    if code == UNREADABLE:
        unread = MCPRequestError(f"{start}it sent {error}. Mend that server, or leave it out.")
        unread.to_model = "Its answer cannot be read; it may have done something or not."
        return unread
    if code is not None:
        text = quoted(str(error))
        refusal = _as_both(MCPRequestError, f"{start}it says {text} (code {code}).", error)
        refusal.to_model = f"Its server says {text}."
        return refusal
    if type(error).__name__ == "ValidationError":
        return MCPRequestError(f"{start}what it sent is no answer to that.")
    if isinstance(error, Unfit):
        return MCPRequestError(f"{start}its answer does not fit the tool's own output schema.")
    return error


def is_forgotten(error: BaseException, seen: Failures) -> bool:
    """Whether a server has refused a request because it does not know the session any more."""
    return error_code(error) is not None and seen.status == NOT_FOUND


def _as_both(ours: type[UserError], text: str, error: BaseException) -> Any:
    """An error of ours that is one of the library's too, where it comes from one."""
    if not isinstance(error, protocol_error()):
        return ours(text)
    made = _both(ours)(text)
    origin: Any = error
    made.error = origin.error
    return made


@cache
def _both(ours: type[UserError]) -> Any:
    """A class of ours that programs find too which catch the library's errors."""

    def __init__(self: Any, text: str) -> None:  # noqa: N807 (a method of the class below)
        Exception.__init__(self, text)
        self.run_data = None

    def __str__(self: Any) -> str:  # noqa: N807 (a method of the class below)
        return self.args[0]

    methods = {
        "__init__": __init__,
        "__str__": __str__,
        "__module__": ours.__module__,
        "message": property(__str__),
    }
    return type(ours.__name__, (ours, protocol_error()), methods)
