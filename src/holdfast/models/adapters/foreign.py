"""What stands in for an `openai` client where another library does the asking.

Our models need of a client only ``chat.completions.create`` or ``responses.create``. So an adapter is
one function that translates their arguments, and all the rest is shared with the other models.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, cast

from holdfast.core.errors import (
    AgentsException,
    ModelAuthError,
    ModelRateLimited,
    ModelRequestError,
    ModelUnavailable,
)
from holdfast.models.normalized import retry_after

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Create = Callable[..., Awaitable[Any]]
"""Takes the arguments of a request, and gives an answer or a stream of pieces of one."""
Read = Callable[[Any], Any]


def _as_it_is(piece: Any) -> Any:
    return piece


def _unchecked(stream: Any) -> None:
    del stream


def standing_in(
    create: Create,
    base_url: str | None,
    *,
    read: Read = _as_it_is,
    check_end: Callable[[Any], None] = _unchecked,
) -> AsyncOpenAI:
    """A client for our models.

    Args:
        create: Makes every request.
        base_url: The endpoint, as far as it is known.
        read: Translates each answer and each piece of a stream.
        check_end: Looks at a stream that has ended, and raises if that was too early.
    """
    return cast("AsyncOpenAI", _Client(_Endpoint(create, read, check_end), base_url))


class _Endpoint:
    """Makes the requests, and lets the library's errors be ours."""

    def __init__(self, create: Create, read: Read, check_end: Callable[[Any], None]) -> None:
        self._create = create
        self._read = read
        self._check_end = check_end

    async def create(self, **kwargs: Any) -> Any:
        from openai import omit

        given = {name: value for name, value in kwargs.items() if value is not omit}
        with errors_as_ours():
            answer = await self._create(**given)
        if given.get("stream"):
            return _Stream(answer, self._read, self._check_end)
        return self._read(answer)


class _Client:
    """The part of a client that our models use."""

    def __init__(self, endpoint: _Endpoint, base_url: str | None) -> None:
        self.base_url = base_url
        self.responses = self.completions = endpoint

    @property
    def chat(self) -> _Client:
        return self


class _Stream:
    """A library's stream, whose errors are ours."""

    def __init__(self, pieces: Any, read: Read, check_end: Callable[[Any], None]) -> None:
        self._source, self._pieces = pieces, aiter(pieces)
        self._read = read
        self._check_end = check_end

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            with errors_as_ours():
                return self._read(await anext(self._pieces))
        except StopAsyncIteration:
            self._check_end(self._source)
            raise

    async def aclose(self) -> None:
        close: Create | None = getattr(self._source, "aclose", None)
        if close is not None:
            await close()


_OTHERS = ("builtins", "httpx", "httpx2")


@contextlib.contextmanager
def errors_as_ours() -> Generator[None]:
    """Let what others than `openai` raise be a `ModelRequestError`.

    Errors of `openai`, which LiteLLM's are, of HTTP and of Python pass: the models know them.

    Raises:
        ModelRequestError: The request failed, or could not be made.
    """
    from openai import OpenAIError

    try:
        yield
    except Exception as raised:  # noqa: BLE001 (it is decided here whose it is)
        # any-llm wraps the error of the library that it asked with.
        error: Exception = getattr(raised, "original_exception", None) or raised
        of = type(error).__module__.partition(".")[0]
        if isinstance(error, ImportError | AgentsException | OpenAIError) or of in _OTHERS:
            raise error from error.__cause__
        raise _request_error(error) from error


def _request_error(error: Exception) -> ModelRequestError:
    status: Any = getattr(error, "status_code", None)
    status = status if isinstance(status, int) else None
    told = type(error).__name__ if status is None else f"{type(error).__name__} (status {status})"
    made = _kind(status)(
        f"The request to the model failed: {told}. Check the model's name, its key and its base URL."
    )
    made.status = status
    made.retry_after = retry_after(error)
    error.args = made.args  # Its own text may quote the provider's answer.
    return made


def _kind(status: int | None) -> type[ModelRequestError]:
    match status:
        case 401 | 403:
            return ModelAuthError
        case 429:
            return ModelRateLimited
        case 408 | 409:
            return ModelUnavailable
        case int() if status >= 500:  # noqa: PLR2004 (server errors)
            return ModelUnavailable
        case _:
            return ModelRequestError


# --- Messages. ---------------------------------------------------------------------------

_PARTICULAR = ("claude", "anthropic", "gemini")


def wants_results_at_calls(model: str) -> bool:
    """Whether ``model`` is of a family that refuses a call whose result does not follow at once."""
    return any(name in model.lower() for name in _PARTICULAR)


def results_at_calls(messages: Iterable[Any]) -> list[Any]:
    """The messages with each call in one of its own, and its result right after it.

    Text and thinking stay with the first call of their message. A call without a result, and a
    result without a call, stay where they are.
    """
    given = list(messages)
    called = {call["id"] for message in given for call in message.get("tool_calls") or ()}
    results: dict[str, Any] = {}
    for message in given:
        if message["role"] == "tool" and message["tool_call_id"] in called:
            results.setdefault(message["tool_call_id"], message)
    kept = {id(message) for message in results.values()}
    ordered: list[Any] = []
    for message in given:
        if message.get("tool_calls"):
            ordered += _apart(message, results)
        elif id(message) not in kept:
            ordered.append(message)
    return ordered


def _apart(message: Any, results: dict[str, Any]) -> list[Any]:
    said, parts = message, list[Any]()
    for call in message["tool_calls"]:
        parts.append({**said, "tool_calls": [call]})
        said = {"role": message["role"]}
        result = results.pop(call["id"], None)
        parts += [] if result is None else [result]
    return parts
