"""A client of `outlast serve`: begin runs, follow them, decide, from another machine.

    async with Client("https://agents.example", key) as client:
        run = await client.start("Refund order A-1007", agent="desk", wait_s=30)

A stream goes on by itself where it was cut off. Beginning a run is safe to repeat: every call of `start`
has a key of its own, and a request that gets no answer is sent again with the same one.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import quote

from outlast.core.errors import AgentsException, WrongType, WrongValue
from outlast.definitions.given import check_number, check_text

if TYPE_CHECKING:
    import httpx2

Json = dict[str, Any]
_API = "/api/v1"
_PATIENCE_S = 30.0
_PAUSE_S = 0.2
_LONGEST_WAIT_S = 10**9


class ServerProblem(AgentsException):
    """A server has refused a request. Its text says what is true of this one.

    Attributes:
        status: The HTTP status.
        kind: What kind of problem, such as ``already-decided``.
        body: All that the server has said.
    """

    def __init__(self, status: int, kind: str, detail: str, body: Json) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.body = body


class ServerUnreachable(AgentsException):
    """No server has answered. Nothing is known of what became of the request."""


class Client:
    """A server, for whoever has a key.

    Args:
        url: Its address, such as ``http://127.0.0.1:8400``.
        key: The key, or the token that the server has printed.
        timeout_s: Seconds for a request; what waits for a run gets as many more as it waits.
        transport: Sends requests in another way, such as `httpx2.ASGITransport(app)`.

    Raises:
        WrongType: The address or the key is no text, or the time no number.
        WrongValue: The address is no ``http://`` or ``https://`` one.
    """

    def __init__(
        self, url: str, key: str = "", *, timeout_s: float = 30.0, transport: Any = None
    ) -> None:
        import httpx2

        check_address("Client", url)
        check_text("Client(key=...)", key, may_be_none=False)
        check_number("Client(timeout_s=...)", timeout_s, above=True)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout_s = timeout_s
        self._http = httpx2.AsyncClient(
            base_url=url.rstrip("/"), headers=headers, timeout=timeout_s, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    # --- Runs. ---------------------------------------------------------------------------

    async def start(
        self,
        input: str | list[Any],
        *,
        agent: str = "",
        wait_s: float = 0,
        key: str = "",
        **more: Any,  # as `Runner.run`
    ) -> Json:
        """A run that has begun: it is on the server's disk.

        Args:
            input: A text, or a list of input items.
            agent: The agent's name; may be left out where there is one.
            wait_s: Seconds to wait until it ends or waits for somebody.
            key: Names the request: the same key means the same run.
            more: What `POST /runs` takes besides: `run_id`, `session_id`, `context`, `metadata`, …

        Raises:
            WrongType: The input is neither a text nor a list, or another argument is none of its kind.
        """
        if not isinstance(input, str | list):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise WrongType(f"input must be a text or a list of items, got {type(input).__name__}.")
        check_text("agent, its name,", agent, may_be_none=False)
        check_text("key", key, may_be_none=False)
        _check_wait(wait_s)
        headers = {"Idempotency-Key": key or uuid.uuid4().hex, "Prefer": f"wait={wait_s:.0f}"}
        body = {"input": input, "agent": agent, **more}
        return await self._ask("POST", "/runs", json=body, headers=headers, wait_s=wait_s)

    async def get(self, run_id: str, *, wait_s: float = 0) -> Json:
        """A run as it is; with ``wait_s``, once it has ended or waits for somebody."""
        _check_wait(wait_s)
        return await self._ask("GET", _place(run_id), params={"wait": wait_s}, wait_s=wait_s)

    async def runs(self, *, limit: int | None = None, **which: Any) -> list[Json]:
        """Runs, the newest first.

        Args:
            limit: As many at most.
            which: What they have to be: `status`, `agent`, `session`, `user`, `tag`, `since`, `until`.
        """
        if limit is not None:
            check_number("limit", limit, whole=True)
        return await self._all("/runs", limit, which)

    async def items(self, run_id: str) -> list[Json]:
        """The conversation of a run."""
        return (await self._ask("GET", f"{_place(run_id)}/items"))["data"]

    async def log(self, run_id: str) -> list[Json]:
        """All events of a run so far."""
        found: list[Json] = []
        while True:
            after = found[-1]["seq"] if found else -1
            page = await self._ask(
                "GET", f"{_place(run_id)}/events", params={"after": after, "limit": 1000}
            )
            found += page["data"]
            if page["next_cursor"] is None:
                return found

    async def send(self, run_id: str, text: str) -> Json:
        """Let a run hear something more."""
        return await self._ask("POST", f"{_place(run_id)}/input", json={"text": text})

    async def cancel(self, run_id: str, *, mode: str = "immediate", why: str | None = None) -> Json:
        """End a run: at once, or ``after_turn``."""
        return await self._ask("POST", f"{_place(run_id)}/cancel", json={"mode": mode, "why": why})

    async def pause(self, run_id: str) -> Json:
        """Let what a run performs end, and begin nothing more."""
        return await self._ask("POST", f"{_place(run_id)}/pause", json={})

    async def resume(self, run_id: str, *, max_turns: int | None = None) -> Json:
        """Let a run go on."""
        return await self._ask("POST", f"{_place(run_id)}/resume", json={"max_turns": max_turns})

    async def post_command(self, run_id: str, command: Json) -> Json:
        """Give a command to a run: a record of `outlast.core.commands`, as JSON."""
        headers = {"Idempotency-Key": str(command["id"])}
        return await self._ask("POST", f"{_place(run_id)}/commands", json=command, headers=headers)

    # --- Calls that wait. ----------------------------------------------------------------

    async def approvals(self) -> list[Json]:
        """The calls of all runs that wait for a person."""
        return await self._all("/approvals", None, {})

    async def approve(self, run_id: str, call: str, **said: Any) -> Json:
        """Let a call go on; ``said`` is `why`, `always`, `arguments`, `fingerprint`."""
        return await self._decide(run_id, call, "approve", said)

    async def reject(self, run_id: str, call: str, **said: Any) -> Json:
        """Refuse a call; ``said`` is `why`, `message`, `always`, `fingerprint`."""
        return await self._decide(run_id, call, "reject", said)

    async def answer(self, run_id: str, call: str, answer: str, **said: Any) -> Json:
        """Answer the question of a tool."""
        return await self._decide(run_id, call, "answer", {"answer": answer, **said})

    async def _decide(self, run_id: str, call: str, decision: str, said: Json) -> Json:
        place = f"{_place(run_id)}/approvals/{quote(call)}"
        return await self._ask("POST", place, json={"decision": decision, **said})

    # --- Streams. ------------------------------------------------------------------------

    async def events(
        self, run_id: str, *, after: int = -1, deltas: bool = False, until: str = "end"
    ) -> AsyncIterator[Json]:
        """What happens in a run, until it has ended: each event once, whatever breaks on the way.

        Args:
            run_id: The run.
            after: The position of the last event that is known.
            deltas: Whether text that a model is writing comes too, as ``{"type": "delta", …}``.
            until: ``"pause"`` ends it also when the run waits.

        Raises:
            ServerUnreachable: Nobody has answered for half a minute.
        """
        reading = _Reading(str(after), {"deltas": deltas, "until": until})
        while not reading.is_over:
            async for each in self._stretch(run_id, reading):
                yield each
            await asyncio.sleep(0 if reading.is_over else _PAUSE_S)

    async def _stretch(self, run_id: str, reading: _Reading) -> AsyncIterator[Json]:
        """What comes until the stream ends, or breaks."""
        import httpx2

        try:
            async for name, place, data in self._frames(run_id, reading.last, reading.params):
                reading.last = place or reading.last
                reading.deadline = time.monotonic() + _PATIENCE_S
                reading.is_over = name == "end"
                if name not in ("end", "shutdown"):
                    yield {"type": name, **data}
        except httpx2.TransportError as error:
            if time.monotonic() > reading.deadline:
                raise _unreachable(error) from error

    async def _frames(
        self, run_id: str, last: str, params: Json
    ) -> AsyncIterator[tuple[str, str, Json]]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
        place, fields = f"{_API}{_place(run_id)}/events", dict[str, str]()
        async with self._http.stream(
            "GET", place, headers=headers, params=params, timeout=60.0
        ) as answer:
            if answer.is_error:
                await answer.aread()
                raise _problem(answer)
            async for line in _lines(answer.aiter_text()):
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                    continue
                if "data" in fields:
                    yield fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"])
                fields = {}

    # --- Requests. -----------------------------------------------------------------------

    async def _all(self, place: str, limit: int | None, which: Json) -> list[Json]:
        found: list[Json] = []
        params = {name: value for name, value in which.items() if value is not None}
        while limit is None or len(found) < limit:
            page = await self._ask("GET", place, params={"limit": min(200, limit or 200), **params})
            found += page["data"]
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]
        return found[:limit]

    async def _ask(self, method: str, place: str, *, wait_s: float = 0, **what: Any) -> Json:
        """An answer. What can be sent again without harm is, until somebody answers."""
        import httpx2

        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                timeout = self._timeout_s + wait_s
                answer = await self._http.request(method, f"{_API}{place}", timeout=timeout, **what)
            except httpx2.TransportError as error:
                if time.monotonic() > deadline or not _is_safe(method, what):
                    raise _unreachable(error) from error
                await asyncio.sleep(_PAUSE_S)
                continue
            if answer.is_error:
                raise _problem(answer)
            return cast("Json", answer.json())


@dataclass(slots=True)
class _Reading:
    """How far a stream is read."""

    last: str
    params: Json
    is_over: bool = False
    deadline: float = field(default_factory=lambda: time.monotonic() + _PATIENCE_S)


async def _lines(texts: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines of a stream of the server's, which end with a line feed: a text has other separators."""
    rest = ""
    async for text in texts:
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line


def _is_safe(method: str, what: Json) -> bool:
    return method == "GET" or "Idempotency-Key" in what.get("headers", ())


def check_address(what: str, url: object) -> None:
    """Refuse what is no address of a server.

    Args:
        what: What the address was given to.
        url: The address.

    Raises:
        WrongType: It is no text.
        WrongValue: It does not begin with ``http://`` or ``https://``, and a host behind that.
    """
    check_text(f"{what}: the address of the server", url, may_be_none=False)
    text = str(url)
    if not _ADDRESS.match(text):
        host = text.rpartition("//")[2].rpartition("@")[2] or "127.0.0.1:8400"
        raise WrongValue(f"{what} takes a URL: http://{host:.80}")


_ADDRESS = re.compile(r"https?://[^/?#\s]+\S*\Z", re.IGNORECASE)


def _check_wait(wait_s: object) -> None:
    check_number("wait_s", wait_s, most=_LONGEST_WAIT_S)


def _place(run_id: str) -> str:
    check_text("run_id", run_id, may_be_none=False)
    return f"/runs/{quote(run_id, safe='')}"


def _unreachable(error: Exception) -> ServerUnreachable:
    return ServerUnreachable(
        f"No server has answered ({type(error).__name__}). Look at its address, and whether it is there."
    )


def _problem(answer: httpx2.Response) -> ServerProblem:
    try:
        body: Json = answer.json()
    except ValueError:
        body = {}
    kind = str(body.get("type", "")).rpartition("/")[2]
    detail = str(body.get("detail") or f"The server has answered {answer.status_code}.")
    return ServerProblem(answer.status_code, kind, detail, body)
