"""What can be kept of an error of the `openai` library, and the error again.

Such errors carry a request and an answer, with headers and bodies that hold prompts and keys. Only
the place, the status and the headers that say when to come back are kept.
"""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_HEADERS = ("retry-after", "retry-after-ms", "x-request-id", "x-should-retry")


def openai_class(name: str) -> type[Exception] | None:
    """The library's error of that name; None if it has none."""
    if not name or name.startswith("_"):
        return None
    # Who has such an error has the library; whoever reads of one in a log loads it for its class.
    library: Any = sys.modules.get("openai")
    if library is None:
        if name not in _NAMES:
            return None
        import openai as library
    kind: Any = getattr(library, name, None) if name.endswith("Error") else None
    is_one = isinstance(kind, type) and issubclass(kind, library.OpenAIError)
    return kind if is_one else None


_NAMES = {
    "APIConnectionError", "APIError", "APIResponseValidationError", "APIStatusError",
    "APITimeoutError", "AuthenticationError", "BadRequestError", "ConflictError",
    "ContentFilterFinishReasonError", "InternalServerError", "LengthFinishReasonError",
    "NotFoundError", "OAuthError", "OpenAIError", "PermissionDeniedError", "RateLimitError",
    "UnprocessableEntityError",
}  # fmt: skip


def openai_facts(error: BaseException) -> dict[str, Any]:
    """What of the request and the answer may be kept; empty for errors without them."""
    held: dict[str, Any] = getattr(error, "__dict__", {})
    facts: dict[str, Any] = {}
    request, response = held.get("request"), held.get("response")
    try:
        if request is not None:
            facts["method"], facts["url"] = str(request.method), _place(str(request.url))
        if response is not None:
            facts["status"] = int(response.status_code)
            told = {name: response.headers.get(name) for name in _HEADERS}
            facts["headers"] = {name: str(value) for name, value in told.items() if value}
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return {}  # Somebody else's objects under these names.
    return facts


def restore_openai(error: object, facts: dict[str, Any]) -> None:
    """Give ``error`` a request and an answer like those that it had, without their bodies."""
    from openai import APIError, DefaultHttpxClient, LengthFinishReasonError

    if isinstance(error, LengthFinishReasonError):
        error.__dict__.setdefault("completion", None)
    if not isinstance(error, APIError):
        return
    # httpx or its successor, as the library's version has it.
    http: Any = sys.modules[DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]
    request = http.Request(facts.get("method", "POST"), facts.get("url", "http://unknown.invalid"))
    fields: dict[str, Any] = error.__dict__
    fields["request"] = request
    for name in ("body", "code", "param", "type"):
        fields.setdefault(name, None)
    if "status" in facts:
        headers = facts.get("headers", {})
        fields["response"] = http.Response(facts["status"], request=request, headers=headers)
        fields.setdefault("status_code", facts["status"])
        fields.setdefault("request_id", headers.get("x-request-id"))


def _place(url: str) -> str:
    """A URL without credentials and without its query."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{parts.hostname or ''}{port}", parts.path, "", ""))
