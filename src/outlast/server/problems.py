"""What went wrong, as RFC 9457 says it: a type to look at, a title, and what is true of this request.

The text names ids and limits, never what a model, a user or a provider said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from outlast.core import errors
from outlast.definitions.logger import logger

MEDIA = "application/problem+json"


class Problem(HTTPException):
    """A request that is answered with a problem."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.kind = kind
        self.more = more


_UNPROCESSABLE, _UNAVAILABLE, _OURS = 422, 503, 500
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_BUSY = {"Retry-After": "1"}
_KINDS: tuple[tuple[type[Exception], int, str], ...] = (
    (errors.RunNotFound, 404, "run-not-found"),
    (errors.CallNotFound, 404, "call-not-found"),
    (errors.AlreadyDecided, 409, "already-decided"),
    (errors.RunHasEnded, 409, "run-ended"),
    (errors.RunConflict, 409, "run-exists"),
    (errors.AlreadyRunning, 409, "run-busy"),
    (errors.BudgetExceeded, 402, "budget-exhausted"),
    (errors.StorageFull, 503, "storage-full"),
    (errors.JournalError, 503, "journal-unavailable"),
    (errors.UserError, 422, "invalid"),
)
"""What errors of ours are to a client; the first that fits."""
TITLES = {
    "malformed-json": "The body is not JSON",
    "no-credentials": "Who are you?",
    "scope-missing": "The key may not do this",
    "run-not-found": "There is no such run",
    "agent-not-found": "There is no such agent",
    "session-not-found": "There is no such session",
    "schedule-not-found": "There is no such schedule",
    "schedule-exists": "There is one of that name already",
    "webhook-not-found": "There is no such webhook",
    "call-not-found": "No such call waits",
    "already-decided": "The call was decided already",
    "approval-changed": "The call is another one than you have seen",
    "run-ended": "The run has ended",
    "run-exists": "The id is another run's",
    "run-busy": "The run is being performed",
    "budget-exhausted": "Nothing is left to spend",
    "storage-full": "The disk is full",
    "journal-unavailable": "The journal cannot be used now",
    "invalid": "The request cannot be understood",
    "unknown-host": "This server does not go by that name",
    "too-large": "The body is too large",
    "headers-too-large": "The headers are too large",
    "too-long": "The address is too long",
    "timeout": "The body took too long",
    "draining": "The server is about to leave",
    "not-found": "There is nothing here",
    "method-not-allowed": "That cannot be done here",
    "rate-limited": "Too many requests",
    "unsupported": "The request asks for what is not served",
    "run-failed": "The run has failed",
    "internal": "Something went wrong here",
}
"""All types of problems, and what each is about."""


def problem_of(error: Exception) -> Problem | None:
    """The problem that an error of ours is to a client; None for what is a mistake of the server."""
    if isinstance(error, Problem):
        return error
    for kind, status, name in _KINDS:
        if isinstance(error, kind):
            more = {
                key: getattr(error, key) for key in ("run_id", "call_id") if getattr(error, key, "")
            }
            return Problem(
                status, name, str(error), headers=_BUSY if status == _UNAVAILABLE else None, **more
            )
    return None


def answer(problem: Problem, *, instance: str, request_id: str) -> Response:
    """A problem as an answer."""
    body = {**body_of(problem), "instance": instance, "request_id": request_id}
    return JSONResponse(body, problem.status_code, problem.headers, MEDIA)


def body_of(problem: Problem) -> dict[str, Any]:
    """What a problem says."""
    return {
        "type": f"/problems/{problem.kind}",
        "title": TITLES[problem.kind],
        "status": problem.status_code,
        "detail": problem.detail,
        **problem.more,
    }


async def on_error(request: Request, error: Exception) -> Response:
    """The answer to a request that has failed of an error."""
    problem = problem_of(error)
    if problem is None and isinstance(error, RequestValidationError):
        problem = _invalid(error)
    if problem is None and isinstance(error, HTTPException):
        problem = _plain(error)
    if problem is None:
        logger.error("A request failed of %s.", type(error).__name__, exc_info=error)
        problem = Problem(500, "internal", "The request id names this in the server's log.")
    path = request.url.path
    if "/v1/" in path and "/api/v1/" not in path:
        return _as_openai(problem)
    return answer(problem, instance=path, request_id=request_id_of(request))


def _as_openai(problem: Problem) -> Response:
    """A problem as clients of OpenAI's know errors: by the status, they raise what they call it."""
    status = 400 if problem.status_code == _UNPROCESSABLE else problem.status_code
    kind = _OPENAI_TYPES.get(status, "invalid_request_error" if status < _OURS else "server_error")
    code = {"agent-not-found": "model_not_found", "no-credentials": "invalid_api_key"}
    error = {
        "message": problem.detail,
        "type": kind,
        "param": problem.more.get("param"),
        "code": problem.more.get("code") or code.get(problem.kind, problem.kind.replace("-", "_")),
    }
    return JSONResponse({"error": error}, status, problem.headers)


def request_id_of(request: Request) -> str:
    """The id of a request, as logs have it."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def _invalid(error: RequestValidationError) -> Problem:
    found = [each for each in error.errors() if each["type"] == "json_invalid"]
    if found:
        return Problem(400, "malformed-json", "The body is not JSON. Send an object as JSON.")
    if any(
        each["loc"] == ("body",) and isinstance(each["input"], str | bytes)
        for each in error.errors()
    ):
        return Problem(422, "invalid", _NO_OBJECT, errors=[{"at": "/", "says": _NO_OBJECT}])
    faults = [
        {"at": "/" + "/".join(map(str, each["loc"][1:])), "says": str(each["msg"])}
        for each in error.errors()
    ]
    said = "; ".join(f"{fault['at']}: {fault['says']}" for fault in faults[:5])
    return Problem(422, "invalid", f"The request is not as expected. {said}.", errors=faults)


_NO_OBJECT = "The body is not a JSON object. Send one with Content-Type: application/json."


def _plain(error: HTTPException) -> Problem:
    kinds = {404: "not-found", 405: "method-not-allowed", 400: "malformed-json", 413: "too-large"}
    kind = kinds.get(error.status_code, "internal")
    return Problem(error.status_code, kind, f"{TITLES[kind]}.", headers=error.headers)
