"""Failures of a provider, in Outlast's own family of exceptions.

The text of an error in here names a host, a status, a code and a request id, and nothing that was
sent or answered: prompts, keys and bodies stay out of logs. The library's error is its cause, and
loses its own text, which quotes the body; the body itself stays in its attributes.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import socket
import ssl
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from outlast.core.errors import (
    AgentsException,
    ModelAnswerFailed,
    ModelAuthError,
    ModelBehaviorError,
    ModelDeadlineExceeded,
    ModelRateLimited,
    ModelReplyMalformed,
    ModelRequestError,
    ModelStreamTruncated,
    ModelUnavailable,
    UserError,
)
from outlast.definitions.model import ModelTracing
from outlast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest
from outlast.models.call_options import asked, limits_of
from outlast.models.guard import answered_by, place_of
from outlast.models.normalized import (
    chain_of,
    header,
    lost_connection,
    normalized_error,
    retry_after,
)

if TYPE_CHECKING:
    from openai import OpenAIError

_REDACTED = "Error details are redacted."
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,47}")
_ID = re.compile(r"[\w.:-]{1,128}")
_UNREADABLE = (ValueError, AttributeError, TypeError, LookupError, RecursionError, OverflowError)
_ITS_FAULT = {"server_error", "internal_server_error", "overloaded_error", "api_error"}
_TOO_OFTEN = {"rate_limit_exceeded", "rate_limit_error"}


def in_our_family() -> contextlib.AbstractContextManager[None]:
    """Let what goes wrong while a provider is asked or read be an error of ours.

    Build the request outside: a mistake in there is the program's and not the provider's.

    Raises:
        ModelRequestError: The request failed. It is also the `openai` library's own error.
        ModelReplyMalformed: What came cannot be read.
    """
    return _IN_OUR_FAMILY


class _InOurFamily(contextlib.AbstractContextManager[None]):
    # It is entered for every event of a stream, for which a generator would take too long.

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            _raise_ours(error)


_IN_OUR_FAMILY = _InOurFamily()


def _raise_ours(error: Exception) -> None:
    from openai import APIConnectionError, OpenAIError

    if isinstance(error, UnicodeEncodeError) and error.encoding == "ascii":
        raise _no_header(error) from None
    if isinstance(error, (AgentsException, UnicodeEncodeError)):
        return  # It is raised as it is. The latter is about what was to be sent.
    if isinstance(error, OpenAIError):
        if (header := _refused_header(error)) is not None:
            error.__cause__ = error.__context__ = None  # They quote it.
            raise unfit_header(is_key="Bearer " in header) from None
        raise request_error(error) from error
    if isinstance(error, _UNREADABLE):
        # Not as its cause: it may quote what could not be read.
        raise malformed(f"it led to a {type(error).__name__}") from None
    # The library passes on its HTTP client's own errors while it reads a stream. Which of
    # the two clients (httpx, httpx2) that is depends on the library's version.
    if type(error).__module__.startswith("httpx"):
        sent: Any = error.__dict__.get("_request")
        lost = APIConnectionError(request=sent)
        lost.__cause__ = error
        raise request_error(lost) from error
    if isinstance(error, RuntimeError) and "event loop" in str(error).lower():
        raise UserError(
            "The HTTP client of this OpenAI client is used in two event loops, and its transport "
            "can only be used in one. Make an OpenAI client for each loop, or leave out transport=."
        ) from error


def _refused_header(error: BaseException) -> str | None:
    """What the HTTP library says of a header that it did not send; None where it is about none."""
    for cause in chain_of(error):
        if type(cause).__name__ == "LocalProtocolError" and "header value" in str(cause):
            return str(cause)
    return None


def unfit_header(*, is_key: bool) -> UserError:
    """The error of a header that no request can have, in words that do not show it."""
    what = "The API key of this client" if is_key else "A header of this request"
    mend = (
        "Copy the key again, or strip it"
        if is_key
        else "Mend extra_headers or the client's headers"
    )
    return UserError(
        f"{what} begins or ends with a space or the end of a line, or has a control character, and HTTP "
        f"headers may not. {mend}: a file often ends it with a line break. Nothing "
        "was sent."
    )


def _no_header(error: UnicodeEncodeError) -> UserError:
    """What is wrong with a header that is not ASCII. Takes the header out of ``error``."""
    sign, is_key = error.object[error.start], error.object.startswith("Bearer ")
    error.args = (error.encoding, "", 0, 0, error.reason)
    error.object, error.start, error.end = "", 0, 0
    what = "The API key of this client" if is_key else "A header of this request"
    mend = "Copy the key again" if is_key else "Mend extra_headers or the client's headers"
    return UserError(
        f"{what} has the character U+{ord(sign):04X}, and HTTP headers may only have ASCII. "
        f"{mend}: a dash, an accent or a space that cannot be seen may be in it. Nothing was sent."
    )


def malformed(why: str) -> ModelReplyMalformed:
    """The error of an answer that cannot be read, because of ``why``."""
    return ModelReplyMalformed(
        f"The model's answer cannot be read: {why}{_by()}. Check that the base URL is that of an "
        "endpoint which speaks this API."
    )


def truncated(end: str) -> ModelStreamTruncated:
    """The error of a stream that ended before ``end``, the name of what ends it."""
    return ModelStreamTruncated(
        f"Model did not produce a final response! Its stream ended before {end}; the connection may "
        f"have been cut{_by()}. Run it again. If this endpoint never sends it, use "
        "RunConfig(model_limits=ModelLimits(lenient_eof=True))."
    )


def request_error(error: OpenAIError) -> ModelRequestError:
    """``error`` of the library as one of ours, to be raised from it. Takes its text from it."""
    kind = _kind(error)
    ours = _both(kind, type(error))
    made = ours.__new__(ours)
    made.__dict__.update(error.__dict__)
    made.run_data = None
    made.retry_after = retry_after(error)
    made.status = error.__dict__.get("status_code")
    if isinstance(made, ModelDeadlineExceeded):
        limit, seconds = _limit(error)
        ModelDeadlineExceeded.__init__(made, limit, seconds)
    else:
        made.args = (_told(error, kind),)
        made.message = made.args[0]
    error.args = made.args
    if hasattr(error, "message"):
        error.message = made.args[0]  # pyright: ignore[reportAttributeAccessIssue]  # LiteLLM shows it
    return made


def error_in(answer: object) -> ModelRequestError | None:
    """The error that stands in the place of an answer of status 200; None if there is none.

    Gateways do so when the provider behind them has failed.
    """
    facts: Any = getattr(answer, "error", None)
    if not isinstance(facts, dict):
        return None
    code = str(cast("dict[str, Any]", facts).get("code"))
    status = int(code) if code.isdecimal() and len(code) == 3 else None  # noqa: PLR2004 (a status)
    if status is None or status < 400:  # noqa: PLR2004 (where errors begin)
        return None
    kind = kind_of_status(status)
    error = kind(
        f"The model's endpoint answered with an error of status {status} in the place of an "
        f"answer{_by()}. {_what_to_do(kind, status)}"
    )
    error.status = status
    return error


def kind_of_status(status: int) -> type[ModelRequestError]:
    """What an answer of that status means, whichever library it came by."""
    match status:
        case 401 | 403:
            return ModelAuthError
        case 429:
            return ModelRateLimited
        case 408 | 409:
            return ModelUnavailable
        case _:
            return ModelUnavailable if status >= 500 else ModelRequestError  # noqa: PLR2004 (server errors)


def advice(request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
    """What a failure says about trying again, or the failure behind it; None if it says nothing."""
    facts = normalized_error(request.error)
    suggested: bool | None = None
    safety = None
    if getattr(request.error, "unsafe_to_replay", False):
        suggested, safety = False, "unsafe"
    elif (wish := header(request.error, "x-should-retry")) in ("true", "false"):
        suggested, safety = wish == "true", "safe" if wish == "true" else None
    elif lost_connection(request.error):
        # The provider may have it or not, which matters only where it keeps the conversation.
        suggested = facts.is_network_error = True
    elif facts.status_code in (408, 409, 429) or (facts.status_code or 0) >= 500:  # noqa: PLR2004 (server errors)
        suggested = True
        # A provider that answers so has not added to the conversation.
        is_stateful = request.previous_response_id or request.conversation_id
        safety = "safe" if is_stateful else None
    elif isinstance(request.error, _AGAIN) or facts.error_code in _ITS_FAULT | _TOO_OFTEN:
        suggested = True
    elif facts.retry_after is None:
        return None
    return ModelRetryAdvice(
        suggested=suggested,
        retry_after=facts.retry_after,
        replay_safety=safety,
        reason=facts.message,
        normalized=facts,
    )


_AGAIN = (
    ModelAnswerFailed,
    ModelDeadlineExceeded,
    ModelStreamTruncated,
    ModelUnavailable,
    ModelRateLimited,
)


def terminal_error(event: Any) -> ModelBehaviorError:
    """The error that a stream's failing last event stands for."""
    if event.type == "error":
        return _ended(event.type, {"code": event.code}, event.message)
    return response_error(event.response, event.type)


def response_error(response: Any, kind: str | None = None) -> ModelBehaviorError:
    """The error that a response with a failing status stands for."""
    facts: dict[str, Any] = {"status": response.status}
    message = None
    if response.error is not None:
        facts["code"] = response.error.code
        message = response.error.message
    if response.incomplete_details is not None:
        facts["reason"] = response.incomplete_details.reason
    return _ended(kind or f"response.{response.status}", facts, message)


@contextlib.contextmanager
def told_to(span: Any, message: str, tracing: ModelTracing) -> Generator[None]:
    """Let ``span`` say that what runs in here has failed; in detail only where data may be traced."""
    try:
        yield
    except GeneratorExit:  # The consumer of a stream has seen enough; that is no failure.
        raise
    except BaseException as error:
        text = str(error) if tracing.include_data() else _REDACTED
        span.set_error({"message": message, "data": {"error": text}})
        raise


def _ended(kind: str, facts: dict[str, Any], message: str | None) -> ModelBehaviorError:
    parts = [f"{name}={value}" for name, value in facts.items() if _is_name(value)]
    if message and not asked().discreet:
        parts.append(f"message={message}")
    told = "; ".join(parts)
    end = f" {told}." if told else ""
    error = ModelBehaviorError(f"Responses stream ended with terminal event `{kind}`.{end}")
    error.code = facts.get("code") if _is_name(facts.get("code")) else None
    return error


def _is_name(value: object) -> bool:
    # A code is a short name by contract. Whatever else stands there is not repeated.
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def _by() -> str:
    return f" ({answered_by()})" if answered_by() else ""


@functools.cache
def _both(ours: type[ModelRequestError], theirs: type[OpenAIError]) -> type[ModelRequestError]:
    return type(ours.__name__, (ours, theirs), {"__module__": __name__})


def _kind(error: OpenAIError) -> type[ModelRequestError]:
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APITimeoutError):
        return ModelDeadlineExceeded
    if isinstance(error, APIConnectionError):
        return ModelUnavailable
    if isinstance(error, APIStatusError):
        return kind_of_status(error.status_code)
    # The provider said so in the middle of a stream.
    names = {getattr(error, "code", None), getattr(error, "type", None)}
    if names & _TOO_OFTEN:
        return ModelRateLimited
    return ModelUnavailable if names & _ITS_FAULT else ModelRequestError


def _limit(error: Any) -> tuple[str, float]:
    """Which limit a timeout of the HTTP client was, and how long."""
    request: Any = error.__dict__.get("request")
    timeouts: dict[str, Any] = request.extensions.get("timeout", {}) if request is not None else {}
    what = type(error.__cause__).__name__.removesuffix("Timeout").lower()
    seconds = timeouts.get(what) or timeouts.get("read") or 0.0
    is_ours = what == "connect" and seconds == limits_of().connect
    return "connect" if is_ours else "client", float(seconds)


def _told(error: Any, kind: type[ModelRequestError]) -> str:
    facts = error.__dict__
    status, code, request_id = facts.get("status_code"), facts.get("code"), facts.get("request_id")
    request = facts.get("request")
    parts = [place_of(request.url)] if request is not None else [_host_in(facts)]
    parts = [part for part in parts if part]
    parts += [f"status {status}"] if status is not None else []
    parts += [f"code {code}"] if _is_name(code) else []
    parts += [_lost(error)] if status is None and isinstance(error.__cause__, Exception) else []
    parts += [f"request {request_id}"] if _ID.fullmatch(str(request_id or "")) else []
    told = f" ({', '.join(parts)})" if parts else ""
    wait = retry_after(error)
    asks = f"It asks to wait {wait:g} seconds. " if wait else ""
    name = type(error).__name__
    return f"The request to the model failed: {name}{told}. {asks}{_what_to_do(kind, status)}"


HOST = "_outlast_host"
"""Name of the attribute of another library's error that has the host which was asked."""


def _host_in(facts: dict[str, Any]) -> str:
    return str(facts.get(HOST) or "")


def _lost(error: Exception) -> str:
    """How a connection was lost, in words that say nothing of what was sent or answered."""
    for each in chain_of(error):
        if isinstance(each, socket.gaierror):
            return "the host's name cannot be resolved"
        if isinstance(each, ssl.SSLError):
            return f"TLS failed: {each.reason or type(each).__name__}"
        if isinstance(each, OSError) and each.errno:
            return os.strerror(each.errno)
    return type(error.__cause__).__name__


def _what_to_do(kind: type[ModelRequestError], status: int | None) -> str:
    if kind is ModelAuthError:
        return "Check the API key and what it may use."
    if kind is ModelRateLimited:
        return "Wait and run it again, or let runs wait: ModelLimits(on_long_retry_after='park')."
    if kind is ModelUnavailable:
        return "Check the network and the base URL; ModelSettings(retry=...) says how often to try."
    if status == 404:  # noqa: PLR2004 (not found)
        return "Check the model's name and the base URL."
    return "The cause of this exception has the provider's answer as its `body`."
