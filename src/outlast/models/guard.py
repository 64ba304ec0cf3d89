"""What stands between an `openai` client and its HTTP client: bounds on what an endpoint may do.

The user's own HTTP client sends the request, with its proxies, certificates, hooks and
authentication. Around it: no redirect is followed, an answer's size is bounded after decompression,
and what asked for the model hears when data comes.

Compressed answers are decompressed here, in bounded steps: a library that does it chunk by chunk
makes a thousand times as much of one chunk before anybody can look.
"""

from __future__ import annotations

import copy
import functools
import re
import sys
import weakref
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from outlast.core.errors import (
    ModelRedirected,
    ModelReplyMalformed,
    ModelResponseTooLarge,
    UserError,
)
from outlast.definitions.limits import ModelLimits
from outlast.models.call_options import asked, limits_of
from outlast.models.client_per_loop import in_this_loop

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_STEP = 1 << 18  # How much is decompressed at once, in bytes.
_FRAMING = 4  # A stream says its text several times, and its names with every word.
_ID = re.compile(r"[\w.:-]{1,128}")
_RESOURCES = ("responses", "chat")
_UNUSED = (b"i", b"r")  # How lines with an id or a time to reconnect begin.
_MARKS = tuple(end + begin for end in (b"\n", b"\r") for begin in _UNUSED)

_ANSWER: ContextVar[str] = ContextVar("outlast_answer", default="")


def answered_by() -> str:
    """Who answered the last request of this task, for a message: host, status and request id."""
    return _ANSWER.get()


def place_of(url: Any) -> str:
    """The host of an HTTP client's URL, with its port if that is not the usual one."""
    return url.host if url.port is None else f"{url.host}:{url.port}"


def is_guardable(client: object) -> bool:
    """Whether ``client`` is a real `openai` client over a real HTTP client, with nothing replaced."""
    if not _is_openai_client(client):
        return False
    kept: dict[str, Any] = client.__dict__
    if _http_module(kept.get("_client")) is None:  # The library has no public name for it.
        return False
    # Who has put functions of his own into the client or its resources wants them to be called.
    kind = cast("type[Any]", type(client))
    replaced = (kept.get(name) for name in _RESOURCES)
    return all(each is None or _is_original(each) for each in replaced) and not any(
        callable(getattr(kind, name, None)) for name in kept
    )


def with_guard(client: AsyncOpenAI, own: ModelLimits | None, *, once: bool) -> AsyncOpenAI:
    """A copy of ``client`` behind a guard, without retries if it is asked ``once``.

    There is one per client, limits and ``once``, for as long as the client has the same settings.
    """
    settings = {name: value for name, value in client.__dict__.items() if name not in _RESOURCES}
    copies = _COPIES.setdefault(client, {})
    seen, guarded = copies.get((own, once), (settings, None))
    # The first request sets some attributes; what counts is whether one has another value.
    if guarded is None or any(settings.get(name) is not value for name, value in seen.items()):
        guarded = _guarded(client, own, once=once)
        copies[(own, once)] = (settings, guarded)
    return guarded


_Copies = dict[tuple[ModelLimits | None, bool], tuple[dict[str, Any], Any]]
_COPIES: weakref.WeakKeyDictionary[AsyncOpenAI, _Copies] = weakref.WeakKeyDictionary()


def _guarded(client: Any, own: ModelLimits | None, *, once: bool) -> Any:
    # Not `client.copy`: a subclass of the user's may have a constructor of another form.
    made = copy.copy(client)
    kind = cast("type[Any]", type(client))
    for name in [name for name in made.__dict__ if _is_derived(kind, name)]:
        del made.__dict__[name]  # Resources hold on to the client that made them.
    inner = made.__dict__["_client"]  # The library has no public name for it.
    made.__dict__["_client"] = _guard_class(_http_module(inner))(inner, own)
    if once:
        made.max_retries = 0
    return made


def _is_openai_client(client: object) -> bool:
    openai: Any = sys.modules.get("openai")
    return openai is not None and isinstance(client, openai.AsyncOpenAI)


def _is_derived(kind: type[Any], name: str) -> bool:
    return isinstance(getattr(kind, name, None), functools.cached_property)


def _is_original(resource: object) -> bool:
    if not type(resource).__module__.startswith("openai."):
        return False
    kept: dict[str, Any] = resource.__dict__
    inner = [part.__dict__ for name, part in kept.items() if name == "completions"]
    return not any(name in part for part in (kept, *inner) for name in _CALLS)


_CALLS = ("create", "parse", "stream", "retrieve", "with_raw_response", "with_streaming_response")


def _http_module(client: object) -> Any:
    """`httpx2` or `httpx`, whichever ``client`` is of; None for anything else."""
    for kind in type(client).__mro__:
        name = kind.__module__.partition(".")[0]
        if kind.__name__ == "AsyncClient" and name in ("httpx2", "httpx"):
            return sys.modules[name]
    return None


# --- Sending. ----------------------------------------------------------------------------


@functools.cache
def _guard_class(http: Any) -> Any:
    body_class = type("_Body", (_Body, http.AsyncByteStream), {})

    class Guard(http.AsyncClient):
        """An HTTP client that lets another one send."""

        def __init__(self, inner: Any, own: ModelLimits | None) -> None:
            # A transport is given so that none is made: nothing is ever sent from here.
            transport = http.MockTransport(_never)
            http.AsyncClient.__init__(
                self, timeout=inner.timeout, transport=transport, trust_env=False
            )
            self._inner = inner
            self._own = own

        def build_request(self, *args: Any, **options: Any) -> Any:
            return self._inner.build_request(*args, **options)

        async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            limits = limits_of(self._own)
            _prepare(request, self._inner, limits)
            options["follow_redirects"] = False
            sender = in_this_loop(self._inner, http.AsyncClient)
            response = await sender.send(request, stream=True, **options)
            try:
                _received(response, limits)
                if not response.is_closed:  # else a hook of the user's has read it
                    response.stream = body_class(response, limits)
                    response.headers.pop("content-encoding", None)
                if not stream:
                    await response.aread()
            except BaseException:
                await response.aclose()
                raise
            return response

    return Guard


def _never(request: Any) -> Any:
    raise NotImplementedError(request.method)


def _prepare(request: Any, inner: Any, limits: ModelLimits) -> None:
    host = place_of(request.url)
    _ANSWER.set(host)
    if not request.url.host:
        raise UserError(
            "The base URL of the OpenAI client names no host: it has to begin with https:// or "
            "http://. Check base_url or, in the environment, OPENAI_BASE_URL."
        )
    if inner.is_closed:
        raise UserError(
            f"The HTTP client for {host} is closed. Make the OpenAI client anew, or close it later."
        )
    request.headers["accept-encoding"] = "gzip, deflate"  # What can be bounded; see `_inflated`.
    timeout = request.extensions.get("timeout")
    if timeout is not None and limits.connect is not None:
        kept = timeout.get("connect")
        connect = limits.connect if kept is None else min(kept, limits.connect)
        request.extensions["timeout"] = {**timeout, "connect": connect}


def _received(response: Any, limits: ModelLimits) -> None:
    told = response.headers.get("x-request-id", "")
    request_id = f", request {told}" if _ID.fullmatch(told) else ""
    _ANSWER.set(f"{place_of(response.request.url)}, status {response.status_code}{request_id}")
    if response.has_redirect_location or 300 <= response.status_code < 400:  # noqa: PLR2004
        error = ModelRedirected(
            f"The model's endpoint answered with a redirect, which is not followed: it would send "
            f"the prompt to an address that nobody has chosen ({answered_by()}). Use the final "
            "address as base_url."
        )
        error.status = response.status_code
        raise error
    if response.is_success and "text/html" in response.headers.get("content-type", "").lower():
        raise ModelReplyMalformed(
            f"The model's endpoint answered with a web page ({answered_by()}). Check that the base URL "
            "has its whole path, such as /v1, and that no proxy or login page answers for it."
        )
    length = response.headers.get("content-length", "")
    if limits.response_bytes and length.isdecimal() and int(length[:20]) > limits.response_bytes:
        raise _too_large(limits.response_bytes)
    asked().opened()


def _too_large(limit: int) -> ModelResponseTooLarge:
    return ModelResponseTooLarge(
        f"The model's answer is larger than {limit:,} bytes ({answered_by()}). If such answers are "
        "expected, raise RunConfig(model_limits=ModelLimits(response_bytes=...))."
    )


# --- Receiving. --------------------------------------------------------------------------


class _Body:
    """The body of an answer, decompressed and bounded."""

    def __init__(self, response: Any, limits: ModelLimits) -> None:
        self._inner = response.stream
        self._encoding = response.headers.get("content-encoding", "").strip().lower()
        is_events = "text/event-stream" in response.headers.get("content-type", "").lower()
        self._meter = (_Events if is_events else _Bytes)(limits.response_bytes)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Closed by hand where the reader leaves: the collector would do it in a loop that is gone.
        async with aclosing(aiter(self._inner)) as chunks:
            if self._encoding in ("", "identity"):
                async for piece in chunks:
                    yield self._meter.passed(piece)
                return
            inflater = _Inflater(self._encoding)
            async for chunk in chunks:
                for piece in inflater.inflated(chunk):
                    yield self._meter.passed(piece)
            inflater.check_end()

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Bytes:
    """Counts a body as a whole."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._size = 0
        self._data = asked().data

    def passed(self, piece: bytes) -> bytes:
        self._size += len(piece)
        if self._limit is not None and self._size > self._limit:
            raise _too_large(self._limit)
        self._data()
        return piece


class _Events:
    """Counts the events of a stream, each and all, and tells those that have data.

    Ids and times to reconnect are left out: nobody uses them here, and the library takes an event
    that consists of them for one that has data.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._all = 0
        self._event = 0
        self._line = 0  # The length of the line in progress.
        self._has_data = False
        self._is_left_out = False
        self._data = asked().data

    def passed(self, piece: bytes) -> bytes:
        at_start, was_left_out = not self._line, self._is_left_out
        self._count(piece)
        begins = at_start and piece.startswith(_UNUSED)
        if was_left_out or begins or any(mark in piece for mark in _MARKS):
            return self._without_unused(piece, at_start=at_start)
        return piece

    def _without_unused(self, piece: bytes, *, at_start: bool) -> bytes:
        kept = bytearray()
        for line in piece.splitlines(keepends=True):
            if at_start:
                self._is_left_out = line.startswith(_UNUSED)
            if not self._is_left_out:
                kept += line
            at_start = line.endswith((b"\n", b"\r"))
            self._is_left_out = self._is_left_out and not at_start
        return bytes(kept)

    def _count(self, piece: bytes) -> None:
        self._all += len(piece)
        first, *rest = piece.replace(b"\r", b"\n").split(b"\n")
        self._part(first)
        for part in rest:
            if not self._line:  # An empty line ends the event.
                self._end()
            self._line = 0
            self._part(part)
        if self._limit is not None and (
            self._event > self._limit or self._all > _FRAMING * self._limit
        ):
            raise _too_large(self._limit)

    def _part(self, part: bytes) -> None:
        if part and not self._line and part.startswith(b"d"):
            self._has_data = True
        self._line += len(part)
        self._event += len(part)

    def _end(self) -> None:
        self._event = 0
        if self._has_data:
            self._has_data = False
            self._data()


class _Inflater:
    """Decompresses gzip and deflate, a bounded piece at a time."""

    def __init__(self, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise ModelReplyMalformed(
                f"The model's answer is compressed in a way that was not asked for "
                f"({answered_by()}). Configure the endpoint to answer in gzip or uncompressed."
            )
        self._is_gzip = encoding != "deflate"
        self._decoder: Any = None

    def inflated(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if self._decoder is None:
                self._decoder = self._begun(chunk)
            elif self._decoder.eof:
                if not (self._is_gzip and chunk.startswith(b"\x1f\x8b")):
                    return  # Padding. Only gzip has several members in a row.
                self._decoder = self._begun(chunk)
            yield self._step(chunk)
            chunk = self._decoder.unconsumed_tail or self._decoder.unused_data

    def check_end(self) -> None:
        if self._decoder is not None and not self._decoder.eof:
            raise ModelReplyMalformed(
                f"The model's answer ends in the middle of its compressed data ({answered_by()})."
            )

    def _step(self, chunk: bytes) -> bytes:
        try:
            return self._decoder.decompress(chunk, _STEP)
        except zlib.error as error:
            raise ModelReplyMalformed(
                f"The model's answer cannot be decompressed ({answered_by()})."
            ) from error

    def _begun(self, chunk: bytes) -> Any:
        if self._is_gzip:
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        # Some servers mean the raw format by `deflate`; the other begins with these four bits.
        return zlib.decompressobj(zlib.MAX_WBITS if chunk[0] & 15 == 8 else -zlib.MAX_WBITS)  # noqa: PLR2004
