"""Websockets to a model's endpoint: connecting, the errors on the way, frames as events."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Mapping
from typing import Any, Literal, TypedDict, cast

from holdfast.core.errors import (
    ModelBehaviorError,
    ModelReplyMalformed,
    ModelRequestError,
    UserError,
)
from holdfast.definitions.retry import (
    ModelRetryAdvice,
    ModelRetryAdviceRequest,
    ModelRetryNormalizedError,
)
from holdfast.models.asking import limits_of
from holdfast.models.errors import in_our_family, kind_of_status, request_error
from holdfast.models.parsed import event_types, fitting
from holdfast.models.shape import checked_event

Phase = Literal["unsent", "sent", "started"]
"""How far a request had come when it failed: not sent, sent, answered in part."""

_CLOSE_S = 2.0
_TOO_BIG = 1009  # RFC 6455, 7.4.1

# How far a failed request had come, in the words that retry code of openai-agents looks for.
_SAFETY = "_openai_agents_ws_replay_safety"
_STARTED = "_openai_agents_ws_response_started"
_CLOSED = "_openai_agents_ws_close_invalidated"

_UNSENT_TEXTS = ("connect timed out", "request lock wait timed out")
_TRANSIENT = {"server_is_overloaded", "server_error", "service_unavailable_error"}

# The library logs frames at DEBUG, prompts and all; this logger stands outside of all configuration.
_quiet = logging.Logger("holdfast.websocket", level=logging.CRITICAL)  # noqa: LOG001 (on purpose)


class OpenAIResponsesWebSocketOptions(TypedDict, total=False):
    """Keepalive and size limits of a websocket."""

    ping_interval: float | None
    """Seconds between two pings; None sends none."""
    ping_timeout: float | None
    """Seconds until a ping has to be answered; None waits for ever."""
    max_size: int | None
    """The largest event in bytes; `ModelLimits.response_bytes` if it is not given. None for no limit."""


class ResponsesWebSocketError(ModelRequestError, RuntimeError):
    """The provider refused a request that came over a websocket.

    Args:
        payload: Its answer. The text of the error names the kind and code of it, nothing else.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        told: Any = payload.get("error")
        facts: Mapping[str, Any] = told if isinstance(told, Mapping) else payload  # pyright: ignore[reportUnknownVariableType]  # JSON of others
        self.payload = dict(payload)
        self.event_type = str(payload.get("type"))
        self.code: str | None = _text(facts.get("code"))
        self.error_type: str | None = _text(facts.get("type"))
        self.error_message: str | None = _text(facts.get("message"))
        self.request_id: str | None = _text(payload.get("request_id"))
        self.headers: Any = payload.get("headers")
        status: Any = payload.get("status", payload.get("status_code"))
        self.status_code: int | None = status if isinstance(status, int) else None
        said = {"type": self.error_type, "code": self.code, "status": self.status_code}
        known = ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)
        super().__init__(
            f"Responses websocket error: {known or 'no reason given'}. Its `payload` has the "
            "provider's answer."
        )


async def connect(
    url: str,
    headers: Mapping[str, str],
    options: OpenAIResponsesWebSocketOptions,
    *,
    timeout_s: float | None,
    tries: int,
) -> Any:
    """A connected websocket. It follows no redirects.

    Raises:
        UserError: The `websockets` library is not installed.
        ModelRequestError: There is no connection. Nothing was asked.
    """
    opening = _opening()
    bounds: dict[str, Any] = {"max_size": limits_of().response_bytes, **options}
    known = [each for each in (timeout_s, limits_of().connect) if each is not None]
    timeout_s = min(known, default=None)
    for left in range(tries - 1, -1, -1):
        try:
            return await opening(
                url,
                additional_headers=headers,
                user_agent_header=None,
                open_timeout=timeout_s,
                close_timeout=_CLOSE_S,
                logger=_quiet,
                **bounds,
            )
        except Exception as error:
            if not (left and _was_cut(error)):
                raise _connect_error(error, timeout_s) from error
    raise AssertionError  # `tries` is at least one.


def is_open(socket: Any) -> bool:
    """Whether ``socket`` can be sent to."""
    state: Any = getattr(socket, "state", None)
    return getattr(state, "name", "OPEN") == "OPEN" and socket.close_code is None


def event_of(frame: str | bytes) -> Any:
    """The event in ``frame``; None if it is of a kind that the `openai` library does not know.

    Raises:
        ResponsesWebSocketError: It says that the request was refused.
        ModelReplyMalformed: It is not an event.
    """
    try:
        data: Any = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise ModelReplyMalformed(
            f"The provider sent a websocket message of {len(frame)} characters that is not JSON."
        ) from error
    if not isinstance(data, dict):
        raise ModelReplyMalformed("The provider sent a websocket message that is no JSON object.")
    event = cast("dict[str, Any]", data)  # JSON has no other keys
    kind = event.get("type")
    if kind in ("error", "response.error") or (kind is None and event.get("error")):
        raise _refusal(event)
    if kind == "response.cancelled":  # The last event, and one that the library has no class for.
        raise ModelBehaviorError("Responses stream ended with terminal event `response.cancelled`.")
    if not isinstance(kind, str):
        raise ModelReplyMalformed("The provider sent a websocket message that is no event.")
    known = event_types().get(kind)
    with in_our_family():
        # Like the library with an answer over HTTP: nothing is refused, everything is typed.
        return None if known is None else checked_event(fitting(known, event))


# --- Errors. -----------------------------------------------------------------------------


def failure(text: str, phase: Phase, *, is_late: bool = False) -> ModelRequestError:
    """A lost connection or, if ``is_late``, one that was given up; also `openai`'s own error."""
    from openai import APIConnectionError, APITimeoutError

    nowhere: Any = None  # There is no HTTP request.
    theirs = APITimeoutError(request=nowhere) if is_late else APIConnectionError(request=nowhere)
    made = request_error(theirs)
    made.args = (text,)
    made.__dict__["message"] = text
    mark(made, phase)
    return made


def mark(error: Exception, phase: Phase) -> None:
    """Let ``error`` say how far the request had come."""
    setattr(error, _SAFETY, "safe" if phase == "unsent" else "unsafe")
    setattr(error, _STARTED, phase == "started")


def closed_meanwhile() -> ModelRequestError:
    """The error of a call whose model was closed while it connected."""
    error = failure("The model was closed while its websocket connected.", "unsent")
    setattr(error, _CLOSED, True)
    return error


def is_too_big(closed: Any) -> bool:
    """Whether a connection was closed because of the size of a message that came in."""
    sent: Any = getattr(closed, "sent", None)
    return getattr(sent, "code", None) == _TOO_BIG


def socket_advice(request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
    """What a failed websocket says about trying again; None where it is none, or says nothing."""
    error, reason = request.error, str(request.error)
    if getattr(error, _CLOSED, False):
        aborted = ModelRetryNormalizedError(message=reason, is_abort=True)
        return ModelRetryAdvice(suggested=False, reason=reason, normalized=aborted)
    phase = _phase(error)
    began = phase == "started"
    is_stateful = request.previous_response_id is not None or request.conversation_id is not None
    if began or (phase == "sent" and is_stateful):
        return ModelRetryAdvice(
            suggested=False, replay_safety="unsafe", reason=reason, response_started=began
        )
    is_refusal = isinstance(error, ResponsesWebSocketError)
    if phase is None and not (is_refusal and (error.code or error.error_type) in _TRANSIENT):
        return None
    safety = "safe" if phase == "unsent" else None
    return ModelRetryAdvice(suggested=True, replay_safety=safety, reason=reason)


def _phase(error: Exception) -> Phase | None:
    if getattr(error, _STARTED, False):
        return "started"
    marked: Any = getattr(error, _SAFETY, None)
    if marked is not None:
        return "unsent" if marked == "safe" else "sent"
    is_late = isinstance(error, TimeoutError)
    if _was_cut(error) or (is_late and any(text in str(error) for text in _UNSENT_TEXTS)):
        return "unsent"
    closed = (_is_of_sockets(each, "ConnectionClosed") for each in (error, error.__cause__))
    return "sent" if is_late or any(closed) else None


def _was_cut(error: Exception) -> bool:
    """Whether a handshake failed because nobody answered, not because of the answer."""
    is_handshake = _is_of_sockets(error, "InvalidMessage")
    lost = error.__cause__ if is_handshake else error
    return isinstance(lost, ConnectionError | EOFError)


def _is_of_sockets(error: BaseException | None, name: str) -> bool:
    """Whether ``error`` is of that kind of the library, which may not be installed."""
    return type(error).__module__.startswith("websockets") and name in type(error).__name__


def _connect_error(error: Exception, timeout_s: float | None) -> Exception:
    from websockets.exceptions import InvalidStatus, InvalidURI

    if isinstance(error, InvalidStatus):
        return _refused(error.response)
    if isinstance(error, InvalidURI):
        return UserError("The websocket base URL is not a websocket address. Check its form.")
    if isinstance(error, TimeoutError):
        text = f"Responses websocket connect timed out after {timeout_s} seconds."
        return failure(text, "unsent", is_late=True)
    made = failure(
        f"The websocket to the model did not connect: {type(error).__name__}. Check the network and the "
        "base URL.",
        "unsent",
    )
    if not isinstance(error, OSError | EOFError) and not _was_cut(error):
        # Whoever answered so will answer so again.
        delattr(made, _SAFETY)
        delattr(made, _STARTED)
    return made


def _refused(response: Any) -> ModelRequestError:
    """A handshake that was answered with an HTTP status, as the same error that HTTP would raise."""
    import openai

    status: int = response.status_code
    kinds = {400: "BadRequest", 401: "Authentication", 403: "PermissionDenied", 404: "NotFound"}
    kinds |= {409: "Conflict", 422: "UnprocessableEntity", 429: "RateLimit"}
    name = kinds.get(status, "InternalServer" if status >= 500 else "APIStatus")  # noqa: PLR2004 (server errors)
    kind: Any = getattr(openai, f"{name}Error")
    # Its constructor wants an answer of the HTTP client, of which there is none.
    error = kind.__new__(kind)
    error.__dict__.update(
        status_code=status,
        response=response,
        request_id=response.headers.get("x-request-id"),
        request=None,
        body=None,
        code=None,
        param=None,
        type=None,
    )
    return request_error(error)


def _refusal(payload: Mapping[str, Any]) -> ResponsesWebSocketError:
    """The error of a refused request, also in the class that HTTP has for its status."""
    plain = ResponsesWebSocketError(payload)
    kind = kind_of_status(plain.status_code or 0)
    return plain if kind is ModelRequestError else _both(kind)(payload)


@functools.cache
def _both(kind: type[ModelRequestError]) -> type[ResponsesWebSocketError]:
    return type(kind.__name__, (ResponsesWebSocketError, kind), {"__module__": __name__})


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


# --- The libraries, when they are needed. ------------------------------------------------


def _opening() -> Any:
    """What connects, and raises where the library would follow a redirect with key and prompt."""
    try:
        from websockets.asyncio.client import connect as library
    except ImportError as error:
        raise UserError(
            "The websocket transport needs the `websockets` package. Install it with "
            "`pip install 'holdfast[websocket]'`, or use the HTTP transport."
        ) from error

    class Straight(library):
        def process_redirect(self, exc: Exception) -> Exception | str:
            return exc

    return Straight
