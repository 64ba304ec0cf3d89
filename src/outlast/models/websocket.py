"""Websockets to a model's endpoint: requests as they carry them, connecting, errors, frames as events."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from outlast.core.errors import (
    ModelBehaviorError,
    ModelReplyMalformed,
    ModelRequestError,
    UserError,
)
from outlast.definitions.retry import (
    ModelRetryAdvice,
    ModelRetryAdviceRequest,
    ModelRetryNormalizedError,
)
from outlast.models.call_options import limits_of
from outlast.models.errors import in_our_family, kind_of_status, request_error, unfit_header
from outlast.models.fast_events import event_types, fitting
from outlast.models.validate import checked_event

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Phase = Literal["unsent", "sent", "started"]
"""How far a request had come when it failed: not sent, sent, answered in part."""

_CLOSE_S = 2.0
_TOO_BIG = 1009  # RFC 6455, 7.4.1

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_NOT_IN_FRAME = {"extra_headers", "extra_query", "extra_body", "timeout", "stream", "background"}

# How far a failed request had come, in the words that retry code of openai-agents looks for.
_SAFETY = "_openai_agents_ws_replay_safety"
_STARTED = "_openai_agents_ws_response_started"
_CLOSED = "_openai_agents_ws_close_invalidated"

_UNSENT_TEXTS = ("connect timed out", "request lock wait timed out")
_TRANSIENT = {"server_is_overloaded", "server_error", "service_unavailable_error"}

# The library logs frames at DEBUG, prompts and all; this logger stands outside of all configuration.
_quiet = logging.Logger("outlast.websocket", level=logging.CRITICAL)  # noqa: LOG001 (on purpose)


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


def failure(text: str, phase: Phase | None, *, is_late: bool = False) -> ModelRequestError:
    """A lost connection or, if ``is_late``, one that was given up; also `openai`'s own error."""
    from openai import APIConnectionError, APITimeoutError

    nowhere: Any = None  # There is no HTTP request.
    theirs = APITimeoutError(request=nowhere) if is_late else APIConnectionError(request=nowhere)
    made = request_error(theirs)
    made.args = (text,)
    made.__dict__["message"] = text
    if phase is not None:
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


def is_too_big(closed: object) -> bool:
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
    # Whoever has answered, and so, will answer so again.
    may_work = isinstance(error, OSError | EOFError) or _was_cut(error)
    return failure(
        f"The websocket to the model did not connect: {type(error).__name__}. Check the network "
        "and the base URL.",
        "unsent" if may_work else None,
    )


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


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


# --- The libraries, when they are needed. ------------------------------------------------


def _opening() -> Any:
    """What connects, and raises where the library would follow a redirect with key and prompt."""
    try:
        from websockets.asyncio.client import connect as library
    except ImportError as error:
        raise UserError(
            "The websocket transport needs the `websockets` package. Install it with "
            "`pip install '.[websocket]'` in a clone of Outlast, or use the HTTP transport."
        ) from error

    class Straight(library):
        def process_redirect(self, exc: Exception) -> Exception | str:
            return exc

    return Straight


# --- Requests. ---------------------------------------------------------------------------


class Timeouts(NamedTuple):
    """Seconds; None for no limit."""

    connect: float | None
    read: float | None
    """Between two events."""
    turn: float | None
    """Until the calls before this one are over."""


def url_of(client: AsyncOpenAI, extra_query: object = None) -> str:
    """Where ``client``'s websockets connect."""
    base = str(client.websocket_base_url or client.base_url)
    parts = urlsplit(base)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise UserError(
            "The websocket base URL has to begin with ws://, wss://, http:// or https:// and name a "
            f"host; its scheme is {parts.scheme!r}."
        )
    query: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    for more in (client.default_query, extra_query):
        _merge(query, more)
    path = f"{parts.path.rstrip('/')}/responses"
    return urlunsplit((scheme, parts.netloc, path, urlencode(query, doseq=True), ""))


async def address_of(client: AsyncOpenAI, kwargs: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The URL and the headers of a request's websocket."""
    # A key may be a function that makes a fresh one; only this way does the library call it.
    refresh: Any = getattr(client, "_refresh_api_key", None)
    if refresh is not None:
        await refresh()
    headers: dict[str, str] = {}
    for more in (client.auth_headers, client.default_headers, kwargs.get("extra_headers")):
        _merge_headers(headers, more)
    for value in headers.values():
        _check_header(value)
    return url_of(client, kwargs.get("extra_query")), headers


def _check_header(value: str) -> None:
    """Refuse here what HTTP refuses: the library would send some of it, and quote the rest."""
    with in_our_family():
        value.encode("ascii")
    if value != value.strip() or not value.replace("\t", " ").isprintable():
        raise unfit_header(is_key=value.startswith("Bearer "))


def frame_of(kwargs: Mapping[str, Any]) -> str:
    """The message that asks what `responses.create` asks when it is called with ``kwargs``."""
    frame: dict[str, Any] = {}
    _merge(frame, {key: value for key, value in kwargs.items() if key not in _NOT_IN_FRAME})
    _merge(frame, kwargs.get("extra_body"))
    return json.dumps({**frame, "type": "response.create", "stream": True}, default=_as_json)


def timeouts_of(client: AsyncOpenAI, kwargs: Mapping[str, Any]) -> Timeouts:
    """How long a request may take: its own timeout, else the client's."""
    from openai import NotGiven, Omit

    limit: Any = kwargs.get("timeout", client.timeout)
    if isinstance(limit, NotGiven | Omit):
        limit = client.timeout
    if limit is None or isinstance(limit, int | float):
        return Timeouts(limit, limit, limit)
    return Timeouts(limit.connect, limit.read, limit.pool)


def _merge(into: dict[str, Any], more: object) -> None:
    """Add ``more``; what it says is to be left out is taken away."""
    from openai import NotGiven, Omit

    for key, value in _pairs(more):
        if isinstance(value, Omit):
            into.pop(key, None)
        elif not isinstance(value, NotGiven):
            into[key] = value


def _merge_headers(into: dict[str, str], more: object) -> None:
    """The same, for names of which upper and lower case are one."""
    from openai import NotGiven

    for key, value in _pairs(more):
        if isinstance(value, NotGiven):
            continue
        for known in [known for known in into if known.lower() == key.lower()]:
            del into[known]
        if isinstance(value, str | bytes | int | float):
            into[key] = value.decode() if isinstance(value, bytes) else str(value)


def _pairs(more: object) -> Iterable[tuple[str, Any]]:
    return more.items() if isinstance(more, Mapping) else ()  # pyright: ignore[reportUnknownVariableType]  # whatever the user gave


def _as_json(value: object) -> Any:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True, by_alias=True)
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, Iterable):
        return list(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    raise UserError(
        f"A request holds a {type(value).__name__}, which JSON cannot hold. Look at the model "
        "settings' extra_args and extra_body."
    )
