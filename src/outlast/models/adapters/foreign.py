"""What stands in for an `openai` client where another library does the asking.

Our models need of a client only ``chat.completions.create`` or ``responses.create``. So an adapter is
one function that translates their arguments, and all the rest is shared with the other models.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlsplit

from outlast.core.errors import AgentsException, ModelAuthError, ModelRequestError
from outlast.models.errors import HOST, kind_of_status
from outlast.models.normalized import retry_after

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_AT_HOME = {
    "litellm": (
        "LITELLM_LOCAL_MODEL_COST_MAP",
        "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS",
        "LITELLM_LOCAL_BLOG_POSTS",
    )
}
"""Variables that keep a library from downloading lists of its own; set where the user has not."""
_QUIET: dict[str, dict[str, Any]] = {"litellm": {"telemetry": False, "suppress_debug_info": True}}
"""What is set in a library that nobody else has loaded: it tells nobody, and prints nothing."""

Create = Callable[..., Awaitable[Any]]
"""Takes the arguments of a request, and gives an answer or a stream of pieces of one."""
Read = Callable[[Any], Any]


def standing_in(
    create: Create,
    base_url: str | None,
    *,
    read: Read | None = None,
    check_end: Callable[[Any], None] | None = None,
) -> AsyncOpenAI:
    """A client for our models, with the part of one that they use.

    Args:
        create: Makes every request.
        base_url: The endpoint, as far as it is known.
        read: Translates each answer and each piece of a stream.
        check_end: Looks at a stream that has ended, and raises if that was too early.
    """
    endpoint = _Endpoint(create, read, check_end, base_url)
    chat = SimpleNamespace(completions=endpoint)
    return cast("AsyncOpenAI", SimpleNamespace(base_url=base_url, responses=endpoint, chat=chat))


class _Endpoint(NamedTuple):
    """Makes the requests, and lets the library's errors be ours."""

    ask: Create
    read: Read | None
    check_end: Callable[[Any], None] | None
    base_url: str | None

    async def create(self, **kwargs: object) -> Any:
        from openai import omit

        given = {name: value for name, value in kwargs.items() if value is not omit}
        with errors_as_ours(self.base_url):
            answer = await self.ask(**given)
        if given.get("stream"):
            return _Stream(answer, self)
        return answer if self.read is None else self.read(answer)


class _Stream:
    """A library's stream, whose errors are ours."""

    def __init__(self, source: Any, endpoint: _Endpoint) -> None:
        self._source, self._pieces = source, aiter(source)
        self._endpoint = endpoint

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        read, check_end = self._endpoint.read, self._endpoint.check_end
        try:
            with errors_as_ours(self._endpoint.base_url):
                piece = await anext(self._pieces)
                return piece if read is None else read(piece)
        except StopAsyncIteration:
            if check_end is not None:
                check_end(self._source)
            raise

    async def aclose(self) -> None:
        close: Create | None = getattr(self._source, "aclose", None)
        if close is not None:
            await close()


def library(name: str, extra: str, model: str) -> Any:
    """The module of another library, loaded when it is used.

    Raises:
        ImportError: It is not installed.
    """
    is_new = name not in sys.modules
    for variable in _AT_HOME.get(name, ()):
        os.environ.setdefault(variable, "True")
    try:
        made = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{model} needs {extra}, which is not installed. In a clone of Outlast: "
            f"pip install '.[{extra.lower()}]'."
        ) from error
    if is_new:
        vars(made).update(_QUIET.get(name, {}))
    return made


def chat_arguments(model: str, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a chat request as other libraries take them."""
    # They look at these also where there are none.
    arguments: dict[str, Any] = {
        "tools": None,
        "parallel_tool_calls": None,
        "stream": False,
        **given,
    }
    if any(family in model.lower() for family in _PARTICULAR):
        arguments["messages"] = results_at_calls(arguments["messages"])
    return {
        name: value
        for name, value in arguments.items()
        if value is not None or name not in ("extra_body", "extra_query")
    }


_OTHERS = ("builtins", "httpx", "httpx2")


@contextlib.contextmanager
def errors_as_ours(base_url: str | None = None) -> Generator[None]:
    """Let what others than `openai` raise be a `ModelRequestError`.

    Errors of `openai`, which LiteLLM's are, of HTTP and of Python pass: the models know them. The
    request that LiteLLM's carry is made up; the host of ``base_url``, if there is one, is not.

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
        if of == "litellm":
            error.__dict__ |= {"request": None, HOST: urlsplit(base_url or "").netloc}
        if isinstance(error, ImportError | AgentsException | OpenAIError) or of in _OTHERS:
            raise error from error.__cause__
        raise _request_error(error) from error


def _request_error(error: Exception) -> ModelRequestError:
    status: Any = getattr(error, "status_code", None)
    status = status if isinstance(status, int) else None
    told = type(error).__name__ if status is None else f"{type(error).__name__} (status {status})"
    kind = ModelRequestError if status is None else kind_of_status(status)
    if type(error).__name__ == "MissingApiKeyError":  # any-llm's, before anybody was asked.
        kind = ModelAuthError
    made = kind(
        f"The request to the model failed: {told}. Check the model's name, its key and its base URL."
    )
    made.status = status
    made.retry_after = retry_after(error)
    error.args = made.args  # Its own text may quote the provider's answer.
    return made


# --- Messages. ---------------------------------------------------------------------------

_PARTICULAR = ("claude", "anthropic", "gemini")
"""Families that refuse a call whose result does not follow at once."""


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
