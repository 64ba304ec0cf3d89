"""A model whose provider runs agents of its own inside one response, and calls our tools from them.

The provider keeps the response open while a tool runs: a reply ends at each call of a function, and the
next request puts its output into the open response. Only an open socket ties the two together. Where it
is gone, as in a run that goes on in another process, the conversation is sent again as a new response.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from outlast.core.errors import UserError
from outlast.models.background import completed
from outlast.models.defaults import get_default_openai_client
from outlast.models.errors import in_our_family, truncated
from outlast.models.responses import SUCCESS, OpenAIResponsesModel
from outlast.models.websocket import frame_of

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import Response

    from outlast.models.endpoint import Request

_BETA = "responses_multi_agent=v1"
_ROOT = "/root"


@dataclass(frozen=True)
class HostedMultiAgentConfig:
    """How the provider runs its agents.

    Attributes:
        max_concurrent_subagents: How many work at once; None leaves it to the provider.
    """

    max_concurrent_subagents: int | None = None

    def __post_init__(self) -> None:
        most = self.max_concurrent_subagents
        if most is not None and (isinstance(most, bool) or most < 1):
            raise ValueError(
                f"max_concurrent_subagents is {most!r}; expected a positive integer or None."
            )


@dataclass(frozen=True)
class HostedAgentMetadata:
    """Which of the provider's agents something comes from, such as ``/root/researcher``."""

    agent_name: str
    phase: str | None = None


def get_hosted_agent_metadata(value: object) -> HostedAgentMetadata | None:
    """Which of the provider's agents an item, its event, or the context of a tool comes from.

    None if it says nothing of one.
    """
    for name in ("tool_call", "raw_item", "item"):
        inner = _read(value, name)
        if inner is not None:
            value = inner
    name = _read(_read(value, "agent"), "agent_name")
    phase = _read(value, "phase")
    if not isinstance(name, str):
        return None
    return HostedAgentMetadata(name, phase if isinstance(phase, str) else None)


class OpenAIHostedMultiAgentModel(OpenAIResponsesModel):
    """A model of the Responses API with the provider's agents, over a WebSocket. Beta there.

    Args:
        model: Its name.
        openai_client: Yours to configure and to close; None takes the default one.
        config: A `HostedMultiAgentConfig`, or a mapping with its fields.
        model_is_explicit: False if the name is only a default.
    """

    def __init__(
        self,
        model: str,
        openai_client: AsyncOpenAI | None = None,
        *,
        config: HostedMultiAgentConfig | Mapping[str, Any] | None = None,
        model_is_explicit: bool = True,
    ) -> None:
        client = openai_client or get_default_openai_client() or _new_client()
        super().__init__(model, client, model_is_explicit=model_is_explicit)
        if not isinstance(config, HostedMultiAgentConfig):
            config = HostedMultiAgentConfig(**(config or {}))
        self.config = config
        self._open: list[_Open] = []

    async def close(self) -> None:
        """Close the sockets of responses that wait for a tool that nobody will answer."""
        while self._open:
            await self._open.pop().close()

    def _kwargs(self, request: Request, *, stream: bool = False) -> dict[str, Any]:
        del stream  # A socket always streams.
        _check(request)
        kwargs = super()._kwargs(request)
        most = self.config.max_concurrent_subagents
        more = {} if most is None else {"max_concurrent_subagents": most}
        return {**kwargs, "multi_agent": {"enabled": True, **more}}

    async def _response(self, request: Request) -> Response:
        response: Response | None = None
        async for event in self._answer(self._kwargs(request)):
            response = event.response if event.type == SUCCESS else response
        if response is None:
            raise truncated(SUCCESS)
        return response

    async def _sent(self, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
        given: list[Any] = kwargs["input"]
        there = next((each for each in self._open if each.outputs_in(given)), None)
        with in_our_family():
            if there is None:
                there = await _opened(self._client)
                await there.begin(_frame(kwargs))
            else:
                self._open.remove(there)
                await there.inject(there.outputs_in(given))
        is_kept = False
        try:
            async for event in there.events(_frame(kwargs)):
                yield event
            is_kept = bool(there.waits_for)
        finally:
            if is_kept:
                self._open.append(there)
            else:
                await there.close()


@dataclass
class _Open:
    """A response that the provider works on, and the socket over which it does."""

    manager: Any
    connection: Any
    response_id: str = ""
    waits_for: str = ""
    """The call whose output it waits for."""
    injected: list[Any] = field(default_factory=list[Any])
    """What was put into it, as long as the provider has not taken it."""
    calls: set[str] = field(default_factory=set[str])
    unpaid: Any = None
    """The usage of a response that ended before it took what was put into it."""

    def outputs_in(self, items: list[Any]) -> list[Any]:
        """The outputs that it waits for, as the API has them."""
        return [
            {"type": each["type"], "call_id": each["call_id"], "output": each["output"]}
            for each in items
            if each.get("type") == "function_call_output" and each["call_id"] == self.waits_for
        ]

    async def begin(self, frame: dict[str, Any]) -> None:
        await self.connection.send(frame)

    async def inject(self, outputs: list[Any]) -> None:
        self.injected, self.waits_for = outputs, ""
        frame = {"type": "response.inject", "response_id": self.response_id, "input": outputs}
        await self.connection.send(frame)

    async def events(self, frame: dict[str, Any]) -> AsyncGenerator[Any]:
        """What comes, up to a call of a function, or the end of the response."""
        while True:
            with in_our_family():
                event = await self.connection.recv()
            match event.type:
                case "response.created":
                    self.response_id = event.response.id
                case "response.inject.created":
                    self.injected = []
                case "response.inject.failed":
                    await self._go_on(frame)
                case "response.output_item.done":
                    yield _typed(event) if _is_ours(event.item) else event
                    if _read(event.item, "type") == "function_call":
                        self.waits_for = str(_read(event.item, "call_id"))
                        yield completed(_response(self.response_id, [event.item], None))
                        return
                case "response.completed" if self.injected:
                    self.unpaid = event.response.usage
                case "response.completed":
                    items = [each for each in event.response.output if _is_answer(each)]
                    usage = _sum(self.unpaid, event.response.usage)
                    yield completed(_response(event.response.id, items, usage))
                    return
                case _:
                    yield event

    async def _go_on(self, frame: dict[str, Any]) -> None:
        """Put into a new response what came too late for the one before."""
        outputs, self.injected = self.injected, []
        await self.begin({**frame, "previous_response_id": self.response_id, "input": outputs})

    async def close(self) -> None:
        await self.manager.__aexit__(None, None, None)


async def _opened(client: Any) -> _Open:
    manager = client.beta.responses.connect(extra_headers={"OpenAI-Beta": _BETA})
    return _Open(manager, await manager.enter())


def _new_client() -> AsyncOpenAI:
    from openai import AsyncOpenAI

    return AsyncOpenAI()


def _frame(kwargs: dict[str, Any]) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(frame_of(kwargs))
    frame.pop("stream", None)
    return frame


def _check(request: Request) -> None:
    if request.handoffs:
        raise UserError(
            "The agents of a hosted multi-agent model cannot be combined with SDK handoffs. "
            "Remove the agent's handoffs, or use another model."
        )
    settings = request.settings
    if {"multi_agent", "betas"} & {*(settings.extra_args or {}), *_body(settings.extra_body)}:
        raise UserError(
            "multi_agent and betas are set through OpenAIHostedMultiAgentModel(config=...). "
            "Remove them from ModelSettings."
        )
    if "max_tool_calls" in {*(settings.extra_args or {}), *_body(settings.extra_body)}:
        raise UserError("A hosted multi-agent model takes no max_tool_calls. Remove the setting.")
    if settings.reasoning is not None and settings.reasoning.summary is not None:
        raise UserError("A hosted multi-agent model takes no reasoning.summary. Remove it.")


def _body(body: object) -> Mapping[str, Any]:
    return body if isinstance(body, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]  a user's own


def _read(value: Any, name: str) -> Any:
    """A field of a mapping or of an object: events of a beta are both."""
    if not isinstance(value, Mapping):
        return getattr(value, name, None)
    fields: Mapping[str, Any] = value  # pyright: ignore[reportUnknownVariableType]  JSON of the provider
    return fields.get(name)


def _is_ours(item: Any) -> bool:
    """Whether a run has a use for an item: the rest is between the provider's agents."""
    return _read(item, "type") == "function_call" or _is_answer(item)


def _is_answer(item: Any) -> bool:
    agent = _read(_read(item, "agent"), "agent_name")
    return _read(item, "type") in ("message", "reasoning") and agent in (None, _ROOT)


def _plain(item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        return item.model_dump(exclude_unset=True)
    fields: Mapping[str, Any] = item  # pyright: ignore[reportUnknownVariableType]  as above
    return dict(fields)


def _typed(event: Any) -> Any:
    from openai.types.responses import ResponseOutputItemDoneEvent

    return ResponseOutputItemDoneEvent.model_validate(
        {
            "type": event.type,
            "sequence_number": event.sequence_number,
            "output_index": event.output_index,
            "item": _plain(event.item),
        }
    )


def _response(response_id: str, items: list[Any], usage: Any) -> Response:
    from openai.types.responses import Response

    return Response.model_validate(
        {
            "id": response_id,
            "object": "response",
            "created_at": 0,
            "model": "",
            "output": [_plain(each) for each in items],
            "parallel_tool_calls": False,
            "tool_choice": "auto",
            "tools": [],
            "usage": usage,
        }
    )


def _sum(*usages: Any) -> dict[str, Any] | None:
    """The tokens of several responses together; None where none says any."""
    known = [each for each in usages if each is not None]
    if not known:
        return None

    def total(*path: str) -> int:
        return sum(_at(each, path) for each in known)

    return {
        "input_tokens": total("input_tokens"),
        "input_tokens_details": {
            "cached_tokens": total("input_tokens_details", "cached_tokens"),
            "cache_write_tokens": total("input_tokens_details", "cache_write_tokens"),
        },
        "output_tokens": total("output_tokens"),
        "output_tokens_details": {
            "reasoning_tokens": total("output_tokens_details", "reasoning_tokens")
        },
        "total_tokens": total("total_tokens"),
    }


def _at(value: Any, path: tuple[str, ...]) -> int:
    for name in path:
        value = _read(value, name)
    return value or 0
