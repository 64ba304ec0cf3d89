"""Every error that a run may fail of, and what can be told of one from outside.

Run as a program it asks a journal's failed runs again, in a process of its own, and says what they raise.
"""

from __future__ import annotations

import asyncio
import builtins
import inspect
import json
import sys
from collections.abc import Callable
from typing import Any

import httpx2
import openai

from outlast import Agent, RunConfig, Runner
from outlast.core import errors
from outlast.testing import ScriptedModel

REQUEST = httpx2.Request("POST", "https://user:secret@api.example/v1/responses?key=secret")


class Declined(ValueError):
    """A user's own error, with an `__init__` of its own and data."""

    def __init__(self, order: str, *, code: int) -> None:
        super().__init__(f"order {order} was declined")
        self.order, self.code, self.api_key = order, code, "sk-secret"


class NoRoute(ConnectionError):
    """A user's own kind of an error that Python's C code makes."""

    def __init__(self, host: str) -> None:
        super().__init__(113, f"no route to {host}")
        self.host = host


def _ours() -> dict[str, Callable[[], Exception]]:
    made: dict[str, Callable[[], Exception]] = {
        "ModelRefusalError": lambda: errors.ModelRefusalError("no"),
        "ModelTimeoutError": lambda: errors.ModelTimeoutError(0.5),
        "ModelDeadlineExceeded": lambda: errors.ModelDeadlineExceeded("idle", 2.0),
        "CircuitOpen": lambda: errors.CircuitOpen("gpt", 17.5, 3.0),
        "ModelPaced": lambda: errors.ModelPaced("gpt", 17.5, 3.0),
        "ToolTimeoutError": lambda: errors.ToolTimeoutError("pay", 1.5),
        "BudgetExceeded": lambda: errors.BudgetExceeded("ada", "tokens", 10, 8, 5),
        "RunFailedBefore": lambda: errors.RunFailedBefore("Lost", "it was lost"),
    }
    for name, kind in vars(errors).items():
        is_one = inspect.isclass(kind) and issubclass(kind, errors.AgentsException)
        if is_one and not name.startswith("_") and not _is_other(kind):
            made.setdefault(name, lambda kind=kind: kind("it went wrong"))
    return made


def _is_other(kind: type[Exception]) -> bool:
    # The machine's own errors end no run: its log is free for whoever goes on. What guardrails raise
    # has tests of its own, for they hold live objects.
    tripped = kind.__name__.endswith("TripwireTriggered")
    return tripped or issubclass(kind, errors.MachineError)


def _builtin() -> dict[str, Callable[[], Exception]]:
    special: dict[str, Callable[[], Exception]] = {
        "UnicodeDecodeError": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        "UnicodeEncodeError": lambda: UnicodeEncodeError("ascii", "ä", 0, 1, "bad"),
        "UnicodeTranslateError": lambda: UnicodeTranslateError("ä", 0, 1, "bad"),
        "SyntaxError": lambda: SyntaxError("bad", ("file.py", 1, 2, "text")),
        "KeyError": lambda: KeyError("order"),
        "FileNotFoundError": lambda: FileNotFoundError(2, "No such file", "orders.csv"),
        "ImportError": lambda: ImportError("no", name="orders", path="/orders.py"),
        "ExceptionGroup": lambda: ExceptionGroup("two", [ValueError(1), KeyError("b")]),
    }
    made = dict(special)
    for name, kind in vars(builtins).items():
        is_one = inspect.isclass(kind) and issubclass(kind, Exception)
        is_other = is_one and issubclass(kind, Warning | StopIteration | StopAsyncIteration)
        if is_one and not is_other and name not in ("EnvironmentError", "IOError"):
            made.setdefault(name, lambda kind=kind: kind("it went wrong"))
    return made


def _openai() -> dict[str, Callable[[], Exception]]:
    made: dict[str, Callable[[], Exception]] = {
        "openai.APIConnectionError": lambda: openai.APIConnectionError(request=REQUEST),
        "openai.APITimeoutError": lambda: openai.APITimeoutError(REQUEST),
        "openai.OpenAIError": lambda: openai.OpenAIError("it went wrong"),
    }
    statuses = {
        "AuthenticationError": 401, "BadRequestError": 400, "ConflictError": 409,
        "InternalServerError": 503, "NotFoundError": 404, "PermissionDeniedError": 403,
        "RateLimitError": 429, "UnprocessableEntityError": 422,
    }  # fmt: skip
    for name, status in statuses.items():
        kind = getattr(openai, name)
        made[f"openai.{name}"] = lambda kind=kind, status=status: kind(
            "it went wrong", response=_response(status), body={"error": {"message": "secret"}}
        )
    return made


def _response(status: int) -> httpx2.Response:
    headers = {"retry-after": "7", "x-request-id": "req_1", "set-cookie": "secret"}
    return httpx2.Response(status, request=REQUEST, headers=headers)


def _noted() -> Exception:
    error = ValueError("it went wrong")
    error.add_note("It was raining.")
    error.__cause__ = KeyError("umbrella")
    return error


USERS: dict[str, Callable[[], Exception]] = {
    "Declined": lambda: Declined("17", code=4),
    "NoRoute": lambda: NoRoute("api.example"),
    "noted": _noted,
}
ALL = {**_ours(), **_builtin(), **_openai(), **USERS}


def facts(error: BaseException) -> dict[str, Any]:
    """What a program can tell of an error."""
    response = getattr(error, "response", None)
    fields = {name: value for name, value in vars(error).items() if _is_plain(value)}
    named = {name: getattr(error, name, None) for name in ("filename", "name", "path", "errno")}
    cause = error.__cause__
    return {
        "class": [kind.__name__ for kind in type(error).__mro__],
        "args": repr(error.args),
        "text": str(error),
        "fields": {name: value for name, value in fields.items() if name != "api_key"},
        "named": {name: value for name, value in named.items() if _is_plain(value)},
        "response": response and [response.status_code, response.headers.get("retry-after")],
        "run_data": getattr(error, "run_data", None) is not None,
        "notes": getattr(error, "__notes__", None),
        "cause": cause and facts(cause),
    }


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


async def raised(name: str, file: str) -> Exception:
    """What the run of that error raises: the error itself, or what the log says of it."""
    agent = Agent(name="desk", model=ScriptedModel([ALL[name]()]))
    try:
        await Runner.run(agent, "hi", run_id=name, run_config=RunConfig(journal=file))
    except Exception as error:  # noqa: BLE001  # that is the point
        return error
    raise AssertionError(name)


async def _all(file: str) -> dict[str, Any]:
    return {name: facts(await raised(name, file)) for name in ALL}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_all(sys.argv[1]))))
