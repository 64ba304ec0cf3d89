"""From a request to its answer: what is asked, the step that answers it, and how it is sent."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

from outlast.core.errors import UserError
from outlast.core.usage import Usage
from outlast.testing.provider.calls import (
    BadRequest,
    chat_call,
    has_tool_output,
    items_of,
    responses_call,
)
from outlast.testing.provider.exchange import DONE, Exchange, Piece
from outlast.testing.provider.fault_replies import NEVER_RECOVER, message
from outlast.testing.provider.faults import Fault, ProviderFault, known
from outlast.testing.provider.http import ClientLeft
from outlast.testing.provider.parsed import Wire, as_list, as_object
from outlast.testing.provider.replies import (
    Reply,
    chunks,
    completion,
    response,
    wire_item,
    wire_usage,
)
from outlast.testing.provider.script import Source
from outlast.testing.provider.stored import Store, Stored
from outlast.testing.provider.validity import as_counted, check_items, check_messages, check_size
from outlast.testing.steps import ModelCall, ModelStep, each_of

_MODEL = re.compile(r"fault:(?P<name>[^*]+)(?:\*(?P<times>\d+))?")
_HEADER = "x-outlast-fault"
_DEFAULT_ID = ModelStep().response_id
_GENERIC = "hello there, world"
"""What a fault's answer says where it says something good."""


@dataclass(frozen=True)
class _Asked:
    """A request, understood."""

    call: ModelCall
    body: dict[str, Any]
    history: list[Any]
    """What the conversation holds before the request's own input."""


class Answers:
    """Answers requests to the two APIs.

    Args:
        source: Where good answers come from.
        background_polls: How many polls it takes until a background response is complete.
        checks_history: Whether conversations are refused that OpenAI would refuse.
        context_tokens: How long a request may be; None for any length.
    """

    def __init__(
        self,
        source: Source,
        *,
        background_polls: int,
        checks_history: bool = True,
        context_tokens: int | None = None,
    ) -> None:
        self._source = source
        self._polls = background_polls
        self._checks_history = checks_history
        self._context_tokens = context_tokens
        self._store = Store()
        self._played: Counter[str] = Counter()

    async def create(self, x: Exchange) -> None:
        """Answer a POST to one of the two APIs, or a frame of a websocket."""
        async with _refusing(x):
            body = x.request.body if x.socket is None else _frame_body(x.request.body)
            asked = self._understood(x, body)
            chosen, by_name = self._fault(x, str(body.get("model", "")))
            if chosen is not None:
                await self._play(x, asked, chosen, recovers=by_name)
            elif body.get("generate") is False:  # A websocket is warmed up without an answer.
                await self._send(x, asked, self._reply(x, asked, []))
            else:
                await self._step(x, asked)

    async def elsewhere(self, x: Exchange) -> bool:
        """Play the fault that a header asks for, on any other path. Returns whether there is one."""
        name = x.request.headers.get(_HEADER)
        if name is None:
            return False
        async with _refusing(x):
            chosen = known(name)
            if chosen.kind != "wire":
                raise BadRequest(f"Fault {name!r} is none of the wire.", "unknown_fault")
            await chosen.play["responses"](x)
        return True

    async def stored(self, x: Exchange, response_id: str) -> None:
        """Answer what is asked of a stored response.

        A GET gets it as it is now, or the rest of its events; a DELETE forgets it; a POST cancels it.
        """
        kept = self._store.responses.get(response_id)
        if kept is None:
            await x.refuse(404, f"Response with id {response_id!r} not found.", "not_found")
        elif x.request.method == "DELETE":
            del self._store.responses[response_id]
            await x.respond(200, {"id": response_id, "object": "response", "deleted": True})
        elif x.request.method == "POST" and not kept.polls:
            await x.refuse(400, "Only background responses can be cancelled.", "not_background")
        elif x.request.method == "POST":
            await x.respond(200, kept.cancel())
        elif x.request.query.get("stream") == "true":
            after = int(x.request.query.get("starting_after", "-1"))
            await x.stream(each for each in kept.events if each["sequence_number"] > after)
        else:
            await x.respond(200, kept.poll())

    def _understood(self, x: Exchange, body: Any) -> _Asked:
        if not isinstance(body, dict):
            raise BadRequest("The body must be a JSON object.")
        told = as_object(body)
        try:
            call = chat_call(told) if x.api == "chat" else responses_call(told)
        except (AttributeError, TypeError, KeyError) as error:
            raise BadRequest(f"The request has not the form of the API: {error}.") from error
        history = self._store.history(call.previous_response_id, call.conversation_id)
        if self._checks_history:
            self._check(x, told, [*history, *items_of(call.input)])
        check_size(told, self._context_tokens)
        return _Asked(call, told, history)

    def _check(self, x: Exchange, body: Wire, items: list[Any]) -> None:
        if x.api == "chat":
            check_messages(as_list(body.get("messages")))
        else:
            check_items(items, self._store.partners)

    def _fault(self, x: Exchange, model: str) -> tuple[Fault | None, bool]:
        """The fault that a request asks for, and whether it does by its model's name."""
        if name := x.request.headers.get(_HEADER):
            return known(name), False
        found = _MODEL.fullmatch(model)
        if found is None:
            return None, False
        self._played[model] += 1
        over = found["times"] is not None and self._played[model] > int(found["times"])
        return (None if over else known(found["name"])), True

    # --- What is sent. -------------------------------------------------------------------

    async def _step(self, x: Exchange, asked: _Asked) -> None:
        step = await self._source(asked.call, asked.history)
        if isinstance(step.error, ProviderFault):
            await self._play(x, asked, known(step.error.name), recovers=False)
        elif step.error is not None:
            await _fail(x, step.error)
        else:
            if step.request_id is not None:
                x.headers["x-request-id"] = step.request_id
            await self._answer(x, asked, step)

    async def _answer(self, x: Exchange, asked: _Asked, step: ModelStep) -> None:
        events = step.stream_events
        if events is not None and x.api == "responses" and x.streamed:
            given = events(asked.call) if callable(events) else events
            await self._relay(x, asked, given)
            return
        output = list(step.output)
        if events is not None and not output:
            output = await _final_output(events(asked.call) if callable(events) else events)
        usage = step.raw_usage or wire_usage(step.usage)
        reply = self._reply(x, asked, [wire_item(item) for item in output], usage)
        if step.response_id not in (None, _DEFAULT_ID):
            reply.response_id = str(step.response_id)
        await self._send(x, asked, reply)

    def _reply(
        self, x: Exchange, asked: _Asked, items: list[Any], usage: dict[str, Any] | None = None
    ) -> Reply:
        if self._context_tokens is not None:
            usage = as_counted(usage, asked.body)
        kind = "chatcmpl" if x.api == "chat" else "resp"
        usage = usage or wire_usage(Usage(input_tokens=3, output_tokens=4, total_tokens=7))
        model = str(asked.body.get("model", "scripted-model"))
        return Reply(model, f"{kind}_{x.number:04}", items, usage, asked.body)

    async def _send(self, x: Exchange, asked: _Asked, reply: Reply) -> None:
        if x.api == "chat":
            if x.streamed:
                await x.stream([*chunks(reply), DONE])
            else:
                await x.respond(200, completion(reply))
            return
        stored = self._keep(asked, reply)
        if x.streamed:
            await x.stream(list(stored.events))
        else:
            await x.respond(200, stored.state())

    def _keep(self, asked: _Asked, reply: Reply) -> Stored:
        polls = self._polls if asked.body.get("background") else 0
        stored = Stored(reply, [*asked.history, *items_of(asked.call.input)], polls)
        if asked.body.get("store") is not False:
            self._store.keep(stored, asked.call.conversation_id)
        return stored

    async def _relay(self, x: Exchange, asked: _Asked, events: Any) -> None:
        """Send the events of a step as they are, and keep the response that they end with."""

        async def pieces() -> AsyncIterator[Piece]:
            async for event in each_of(events):
                wire = wire_item(event)
                if final := _final(wire):
                    reply = self._reply(x, asked, final.get("output") or [])
                    reply.response_id = final.get("id") or reply.response_id
                    self._keep(asked, reply)
                yield wire

        try:
            await x.stream(pieces())
        except ClientLeft:
            raise
        except Exception as error:
            # The step's own function failed in the middle: to a client that is a broken line.
            raise await x.connection.cut("reset") from error

    # --- What is spoiled. ----------------------------------------------------------------

    async def _play(self, x: Exchange, asked: _Asked, chosen: Fault, *, recovers: bool) -> None:
        play = chosen.play.get(x.api)
        spared = {"body": x.streamed, "stream": not x.streamed}.get(chosen.kind, False)
        if play is None or spared:
            need = {"body": " plain requests", "stream": " streamed requests"}.get(chosen.kind, "")
            raise BadRequest(
                f"Fault {chosen.name!r} is for{need} of {' and '.join(chosen.apis)} only.",
                "unknown_fault",
            )
        if chosen.kind == "wire":
            await play(x)
            return
        reply = self._reply(x, asked, [message(_GENERIC)])
        if chosen.kind == "reply":
            recovered = recovers and self._recovered(chosen, asked)
            reply.items = [message("recovered")] if recovered else play(reply, x.number)
            await self._send(x, asked, reply)
        elif chosen.kind == "body":
            good = completion(reply) if x.api == "chat" else response(reply)
            spoiled = play(good, x)
            raw = spoiled if isinstance(spoiled, bytes) else json.dumps(spoiled).encode()
            await x.respond(200, raw)
        elif x.api == "chat":
            await x.stream(play([*chunks(reply), DONE], x))
        else:
            await x.stream(play(list(self._keep(asked, reply).events), x))

    @staticmethod
    def _recovered(chosen: Fault, asked: _Asked) -> bool:
        conversation = [*asked.history, *items_of(asked.call.input)]
        return chosen.name not in NEVER_RECOVER and has_tool_output(conversation)


def _frame_body(frame: Any) -> Wire:
    """The request in a websocket's frame."""
    told = as_object(frame)
    if told.get("type") != "response.create":
        raise BadRequest("Expected a frame of the type response.create.")
    body = as_object(told.get("response")) or told
    return {**{k: v for k, v in body.items() if k != "type"}, "stream": True}


@contextlib.asynccontextmanager
async def _refusing(x: Exchange) -> AsyncGenerator[None]:
    """Answer a request that cannot be served with what is wrong with it."""
    try:
        yield
    except BadRequest as error:
        await x.refuse(400, str(error), error.code)
    except UserError as error:
        await x.refuse(400, str(error), "unknown_fault")


async def _fail(x: Exchange, error: Exception) -> None:
    """Fail as a step's exception says: with its status, by a reset, or by silence."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    status: Any = getattr(error, "status_code", None)
    if isinstance(status, int):
        answer: Any = getattr(error, "response", None)
        headers = dict(getattr(error, "headers", None) or getattr(answer, "headers", None) or {})
        kept = {k: v for k, v in headers.items() if re.search("retry|^x-request-id$", k.lower())}
        inner = as_object(getattr(error, "body", None))
        if inner:
            await x.respond(status, inner if "error" in inner else {"error": inner}, kept)
        else:
            await x.refuse(status, str(error), getattr(error, "code", None), kept)
    elif kinds & {"TimeoutError", "APITimeoutError"}:
        raise await x.connection.cut("hang")
    elif kinds & {"ConnectionError", "APIConnectionError"}:
        raise await x.connection.cut("reset")
    else:
        await x.refuse(500, str(error), type(error).__name__)


async def _final_output(events: Any) -> list[Any]:
    finals = [_final(wire_item(event)) async for event in each_of(events)]
    return as_list(next((final.get("output") for final in reversed(finals) if final), None))


def _final(event: Wire) -> Wire:
    """The response that ends a stream; an empty one while it goes on."""
    return as_object(event.get("response")) if event.get("type") == "response.completed" else {}
