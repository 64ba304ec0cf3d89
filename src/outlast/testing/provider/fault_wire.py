"""Faults below the answer's meaning: status, headers, redirects, connections that break or stall.

Name -> what a client sees, and the function that plays it on an `Exchange`.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from outlast.testing.provider.exchange import Exchange, error_body
from outlast.testing.provider.http import End, head

Play = Callable[[Exchange], Awaitable[None]]
_BOMB_BYTES = 300_000_000
_HUGE_ERROR_BYTES = 40_000_000
_PROMISED = 999
"""The length that a cut body was to have."""


def _status(
    status: int, about: str, code: str | None = None, headers: dict[str, str] | None = None
) -> tuple[str, Play]:
    async def play(x: Exchange) -> None:
        await x.refuse(status, f"Refused by the provider, {x.canary}", code, headers)

    return f"{status}: {about}", play


def _retry_after(
    about: str, wait: str | Callable[[], str], header: str = "Retry-After"
) -> tuple[str, Play]:
    async def play(x: Exchange) -> None:
        told = wait if isinstance(wait, str) else wait()
        await x.refuse(429, f"Slow down, {x.canary}", "rate_limit_exceeded", {header: told})

    return f"429: {about}", play


def _body(
    status: int, body: Any, about: str, headers: dict[str, str] | None = None
) -> tuple[str, Play]:
    """An answer of fixed content; ``{canary}`` in it is replaced."""
    text = body if isinstance(body, str) else json.dumps(body)

    async def play(x: Exchange) -> None:
        await x.respond(status, x.told(text).encode(), headers)

    return about, play


def _redirect(status: int, about: str, target: str = "{elsewhere}") -> tuple[str, Play]:
    async def play(x: Exchange) -> None:
        place = target.format(elsewhere=x.elsewhere_url, here=x.base_url)
        path = x.request.path.removeprefix("/v1")
        await x.respond(status, b"", {"Location": place + path})

    return f"{status}: {about}", play


def _raw(about: str, sent: bytes = b"", then: End | None = "close") -> tuple[str, Play]:
    """Bytes that are sent as they are, and how it ends."""

    async def play(x: Exchange) -> None:
        await x.connection.write(sent)
        if then is not None:
            raise await x.connection.cut(then)

    return about, play


def _cut(
    about: str, then: End, sent: bytes = b'{"id": "cut_1", "obj', promised: int = _PROMISED
) -> tuple[str, Play]:
    """A good head, a body of another length than it says, and then nothing good."""

    async def play(x: Exchange) -> None:
        told = {"Content-Type": x.content_type, "Content-Length": str(promised)}
        await x.connection.write(head(200, told) + sent)
        raise await x.connection.cut(then)

    return about, play


async def _drip(x: Exchange) -> None:
    raw = b'{"id": "drip_1", "object": "response", "output": [], "choices": []}'
    told = {"Content-Type": x.content_type, "Content-Length": str(len(raw))}
    await x.connection.write(head(200, told))
    await x.connection.drip(raw, x.drip_s)


async def _drip_head(x: Exchange) -> None:
    await x.connection.drip(head(200, {"Content-Length": "2"}) + b"{}", x.drip_s)


async def _bomb(x: Exchange) -> None:
    raw = await asyncio.to_thread(_packed)  # It takes a second, once.
    await x.respond(200, raw, {"Content-Encoding": "gzip", "Content-Type": x.content_type})


@functools.cache
def _packed() -> bytes:
    return gzip.compress(b" " * _BOMB_BYTES, 6)


async def _huge_error(x: Exchange) -> None:
    await x.respond(500, error_body("E" * _HUGE_ERROR_BYTES + x.canary, "server_error"))


_HTML = "<html><head><title>Bad gateway</title></head><body>{canary}</body></html>"
_LOGIN = "<html><body><form action='/login'>{canary}</form></body></html>"
_PAGE = {"Content-Type": "text/html"}
_PLAIN = {"Content-Type": "text/plain"}
_ANY_JSON = head(200, {"Content-Type": "application/json"})[:-2]
_FLOOD = {f"X-Flood-{number}": "f" * 100 for number in range(2_000)}

WIRE: dict[str, tuple[str, Play]] = {
    "http_400": _status(400, "a request it does not understand", "invalid_request_error"),
    "http_400_context": _status(400, "the context is too long", "context_length_exceeded"),
    "http_400_policy": _status(400, "the content filter refuses the prompt", "content_filter"),
    "http_401": _status(401, "a wrong key", "invalid_api_key"),
    "http_402": _status(402, "no credit left", "insufficient_credits"),
    "http_403": _status(403, "no right to this model", "model_not_allowed"),
    "http_404": _status(404, "no such model", "model_not_found"),
    "http_408": _status(408, "the request took too long", "timeout"),
    "http_409": _status(409, "a conflict", "conflict"),
    "http_413": _status(413, "the request is too large", "request_too_large"),
    "http_422": _status(422, "a field has a wrong value", "unprocessable"),
    "http_429": _status(429, "too many requests, no word when to come back"),
    "http_429_quota": _status(429, "the quota is used up; waiting is no use", "insufficient_quota"),
    "http_429_retry_after": _retry_after("come back in 1 s", "1"),
    "http_429_retry_after_ms": _retry_after("come back in 50 ms", "50", "retry-after-ms"),
    "http_429_retry_after_date": _retry_after("come back at a date 2 s from now",
                                              lambda: formatdate(time.time() + 2, usegmt=True)),
    "http_429_retry_after_huge": _retry_after("in a day", "86400"),
    "http_429_retry_after_bad": _retry_after("Retry-After: soon", "soon"),
    "http_429_retry_after_negative": _retry_after("in -5 s", "-5"),
    "http_429_retry_after_nan": _retry_after("in nan s", "nan"),
    "http_500": _status(500, "an error of the server", "server_error"),
    "http_501": _status(501, "not implemented", "not_implemented"),
    "http_502": _status(502, "a bad gateway", "bad_gateway"),
    "http_503": _status(503, "no capacity", "unavailable"),
    "http_503_retry_after": _status(503, "come back in 1 s", headers={"Retry-After": "1"}),
    "http_504": _status(504, "a gateway gave up", "timeout"),
    "http_529": _status(529, "overloaded, a status of its own", "overloaded_error"),
    "http_500_no_retry": _status(500, "and `x-should-retry: false`",
                                 headers={"x-should-retry": "false"}),
    "http_500_html": _body(502, _HTML, "502 with a page of HTML", _PAGE),
    "http_500_text": _body(500, "upstream failed {canary}", "500 with plain text", _PLAIN),
    "http_500_empty": _body(500, "", "500 without a body"),
    "http_500_huge": ("500 with an error text of 40 MB", _huge_error),
    "http_401_html": _body(401, _LOGIN, "401 with a page of HTML", _PAGE),
    "error_string": _body(400, {"error": "{canary}"}, "400, and the error is a text"),
    "error_null": _body(400, {"error": None}, "400, and the error is null"),
    "error_list": _body(400, [{"error": "{canary}"}], "400, and the body is a list"),
    "error_wrong_types": _body(400, {"error": {"message": ["{canary}"], "code": 7, "type": None}},
                               "400 with wrong types"),
    "error_cut": _body(500, '{"error": {"message": "{canary}', "500 with cut JSON"),
    "error_200": _body(200, error_body("{canary}", "server_error"), "200, and the body is an error"),
    "empty_200": _body(200, "", "200 without a body"),
    "http_204": _body(204, "", "204: no content"),
    "html_200": _body(200, _LOGIN, "200 with a page of HTML", _PAGE),
    "text_200": _body(200, "OK {canary}", "200 with plain text", _PLAIN),
    "redirect": _redirect(307, "to another server, which records whether it is followed"),
    "redirect_301": _redirect(301, "to another server"),
    "redirect_302": _redirect(302, "to another server"),
    "redirect_303": _redirect(303, "to another server"),
    "redirect_308": _redirect(308, "to another server"),
    "redirect_here": _redirect(307, "to itself, for ever", "{here}"),
    "redirect_metadata": _redirect(307, "to an address inside a cloud",
                                   "http://169.254.169.254/latest"),
    "rst_before": _raw("the connection is reset before any byte", then="reset"),
    "fin_before": _raw("the connection is closed before any byte"),
    "rst_headers": _raw("reset in the middle of the headers", _ANY_JSON, then="reset"),
    "fin_headers": _raw("closed in the middle of the headers", _ANY_JSON),
    "rst_body": _cut("reset before the body's first byte", "reset", b""),
    "fin_body": _cut("closed before the body's first byte", "close", b""),
    "rst_mid": _cut("reset in the middle of the body", "reset"),
    "fin_mid": _cut("closed in the middle of the body", "close"),
    "hang_headers": _raw("nothing is ever answered", then="hang"),
    "hang_mid_headers": _raw("the headers never end", _ANY_JSON, then="hang"),
    "hang_before_body": _cut("the headers come, and no body", "hang", b""),
    "hang_body": _cut("the body stops in the middle", "hang"),
    "hang_end": _cut("all but the body's last byte comes", "hang", b" " * (_PROMISED - 1)),
    "drip": ("the body comes a byte a second", _drip),
    "drip_headers": ("the headers come a byte a second", _drip_head),
    "gzip_bomb": ("300 KB that unpack to 300 MB", _bomb),
    "bad_gzip": _body(200, "not gzip at all", "a body that says it is gzip, and is not",
                      {"Content-Encoding": "gzip"}),
    "unknown_encoding": _body(200, "\x00\x01\x02", "a body in an encoding that nobody knows",
                              {"Content-Encoding": "x-unknown"}),
    "bad_status_line": _raw("an answer that is not HTTP", b"SSH-2.0-OpenSSH_9.6\r\n"),
    "bad_header": _raw("a header without a colon", b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n{}"),
    "bad_chunk": _raw("a chunk whose size is no number",
                      _ANY_JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    "huge_header": _raw("a header of 2 MB",
                        b"HTTP/1.1 200 OK\r\nX-Huge: " + b"h" * 2_000_000 + b"\r\n\r\n{}"),
    "many_headers": _raw("2,000 headers", head(200, {**_FLOOD, "Content-Length": "2"}) + b"{}",
                         then=None),
    "short_length": _cut("more bytes than Content-Length says", "close",
                         b'{"id": "short_1", "object": "response"}', 9),
}  # fmt: skip
