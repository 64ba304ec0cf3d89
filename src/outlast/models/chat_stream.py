"""A stream of Chat Completions chunks as the events of the Responses API.

`Synthesis` takes the chunks one by one and yields the events of each; it does not care how the
provider cuts its answer into chunks. An item's place in the output is given away when the item is
announced, in the order in which the items begin.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from dataclasses import KW_ONLY, dataclass
from typing import Any

from outlast.core.errors import ModelStreamTruncated, UserError
from outlast.definitions.logger import logger
from outlast.models import opaque
from outlast.models.chat_buffer import buffered
from outlast.models.chat_fields import Facts, field, listed, text_field
from outlast.models.chat_reply import (
    WITHHELD,
    call_facts,
    clean_call_id,
    delta_logprobs,
    origin_of,
    raw_usage,
    refuse_audio,
    refuse_custom,
    said,
    text_logprobs,
    thinking_blocks,
    url_citations,
    usage_of_completion,
    written_arguments,
)
from outlast.models.chat_stream_slots import CallSlot, Events, MessageSlot, ReasoningSlot
from outlast.models.errors import malformed
from outlast.models.event_stream import ending
from outlast.models.finish import INCOMPLETE, check_end, end_of, warn_incomplete
from outlast.models.streaming import event_of, mark_raw_usage, usage_on_wire

_Slot = ReasoningSlot | MessageSlot | CallSlot


class ChatCmplStreamHandler:
    """What turns a stream of chunks into events."""

    @classmethod
    def handle_stream(  # noqa: PLR0913 (upstream's signature)
        cls,
        response: object,
        stream: AsyncIterator[Any],
        model: str | None = None,
        strict_feature_validation: bool = False,
        preserve_raw_usage: bool = False,
        raise_on_length_truncation: bool = False,
        require_finish_reason: bool = False,
    ) -> AsyncIterator[Any]:
        """The events of ``stream``, from `response.created` to `response.completed`.

        `Synthesis` says what the options mean. ``raise_on_length_truncation`` also refuses an
        answer that says that it calls tools, and does not.
        """
        synthesis = Synthesis(
            response,
            model,
            is_strict=strict_feature_validation,
            keeps_raw_usage=preserve_raw_usage,
            needs_content=raise_on_length_truncation,
            needs_end=require_finish_reason,
        )
        return synthesis.events(stream)

    buffer_tool_call_stream = staticmethod(buffered)


@dataclass(eq=False)
class Synthesis:
    """The events that one answer's chunks stand for."""

    response: Any
    """An empty Response."""
    model: str | None
    """The model that was asked; the chunks' own if None."""
    _: KW_ONLY
    is_strict: bool = False
    """Whether what would be left out is refused."""
    keeps_raw_usage: bool = False
    """Whether the response has the usage in the provider's own words."""
    needs_content: bool = False
    """Whether an answer is refused that has an end and nothing before it."""
    needs_end: bool = False
    """Whether an answer is refused whose end has not come."""
    saw_end: Callable[[], bool] = bool
    """Says whether the endpoint has marked the stream's end, which is as good as a reason for it."""
    usage: Any = None
    """What the provider has said of it so far."""
    _about: Facts | None = None
    _number: int = 0
    _finish_reason: str | None = None
    """In the provider's own word."""
    _has_text: bool = False
    """Whether there was a text, if only an empty one."""
    _has_warned: bool = False
    _opaque: Facts = dataclasses.field(default_factory=dict[str, Any])
    """What the provider wants back with the message."""
    _placed: list[_Slot] = dataclasses.field(default_factory=list[_Slot])
    _reasoning: ReasoningSlot | None = None
    _message: MessageSlot | None = None
    _calls: list[CallSlot] = dataclasses.field(default_factory=list[CallSlot])
    _by_index: dict[int, CallSlot] = dataclasses.field(default_factory=dict[int, CallSlot])
    _ignored: set[int] = dataclasses.field(default_factory=set[int])

    async def events(self, chunks: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """The events of ``chunks``, which end with them if they are a generator.

        Raises:
            ModelStreamTruncated: The end is needed and has not come.
            ModelBehaviorError: The answer is malformed, or has not the content that is needed.
            AgentsException: The answer is sound.
            UserError: Something would be left out, if strict.
        """
        async with ending(chunks):
            async for chunk in chunks:
                for event in self._take(chunk):
                    yield self._numbered(event)
        self._check_end()
        for event in self._finish():
            yield self._numbered(event)

    def _numbered(self, event: Any) -> Any:
        event.sequence_number = self._number
        self._number += 1
        return event

    # --- Chunks. -------------------------------------------------------------------------

    def _take(self, chunk: object) -> Events:
        yield from self._begin(chunk)
        if (usage := field(chunk, "usage")) is not None:
            self.usage = usage
        choice = self._choice(listed(field(chunk, "choices"), "choices"))
        if choice is None:
            return
        told = field(choice, "finish_reason")
        self._finish_reason = told if end_of(told) else self._finish_reason
        if (delta := field(choice, "delta")) is not None:
            refuse_audio(field(delta, "audio"))
            yield from self._think(delta)
            yield from self._say(delta, field(field(choice, "logprobs"), "content"))
            self._opaque = opaque.joined(self._opaque, opaque.of_message(delta))
            for call in listed(field(delta, "tool_calls"), "tool_calls"):
                yield from self._call(call)

    def _begin(self, chunk: object) -> Events:
        if self._about is None:
            self._about = origin_of(chunk, self.model)
            yield event_of("response.created", response=self.response)

    def _choice(self, choices: list[Any]) -> Any | None:
        if None in choices:
            raise malformed("a choice is null")
        mine = [choice for choice in choices if not field(choice, "index")]
        if len(choices) > 1 or len(mine) < len(choices):
            if self.is_strict:
                raise UserError(
                    "The provider sent multiple choices or nonzero choice indexes, and only choice "
                    "0 can be used. Leave `n` out of extra_args."
                )
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "The provider sent multiple choices or nonzero choice indexes; all but choice "
                    "0 are ignored."
                )
        return mine[0] if mine else None

    def _think(self, delta: object) -> Events:
        if summary := text_field(delta, "reasoning_content"):
            slot = yield from self._reasoned(is_plain=False)
            yield from slot.summed(summary)
        if plain := text_field(delta, "reasoning"):
            slot = yield from self._reasoned(is_plain=True)
            yield from slot.thought(plain)
        for block in thinking_blocks(field(delta, "thinking_blocks")):
            given = {"type": "thinking", **block}
            if isinstance(given["type"], str):
                slot = yield from self._reasoned(is_plain=False)
                slot.block(given)

    def _say(self, delta: object, logprobs: object) -> Events:
        self._has_text = self._has_text or field(delta, "content") is not None
        if text := said(delta):
            message = yield from self._spoken()
            yield from message.text(text, delta_logprobs(logprobs), text_logprobs(logprobs))
        if self._message is not None:
            self._message.cite(url_citations(field(delta, "annotations")))
        if refusal := text_field(delta, "refusal"):
            message = yield from self._spoken()
            yield from message.refusal(refusal)

    def _call(self, piece: object) -> Events:
        index = field(piece, "index") or 0
        if field(piece, "type") == "custom":
            refuse_custom(is_strict=self.is_strict)
            self._ignored.add(index)
        if index in self._ignored:
            return
        yield from self._pause_reasoning()
        function = field(piece, "function")
        call_id = clean_call_id(text_field(piece, "id"), self.model)
        name, arguments = text_field(function, "name"), written_arguments(function)
        slot = self._by_index.get(index)
        if slot is None or slot.call.is_another(call_id, name, arguments):
            slot = self._by_index[index] = CallSlot(-1, self._facts())
            self._calls.append(slot)
        slot.learn(call_facts(piece, text_field(piece, "id")))
        yield from slot.more(call_id, name, arguments)
        if not slot.is_announced and slot.call.is_named():
            self._place_calls()
            yield from slot.announced()

    # --- Slots. --------------------------------------------------------------------------

    def _reasoned(self, *, is_plain: bool) -> Generator[Any, None, ReasoningSlot]:
        if self._reasoning is None:
            self._reasoning = ReasoningSlot(-1, self._facts(), is_plain)
            self._place(self._reasoning)
            yield from self._reasoning.opened()
        return self._reasoning

    def _spoken(self) -> Generator[Any, None, MessageSlot]:
        yield from self._pause_reasoning()
        if self._message is None:
            self._message = MessageSlot(-1, self._facts())
            self._place(self._message)
            yield from self._message.opened()
        return self._message

    def _pause_reasoning(self) -> Events:
        if self._reasoning is not None:
            yield from self._reasoning.pause()

    def _place(self, slot: _Slot) -> None:
        slot.index = len(self._placed)
        self._placed.append(slot)

    def _place_calls(self) -> None:
        """Give all calls their places, also those that cannot be announced yet: they came first."""
        for call in self._calls:
            if call.index < 0:
                self._place(call)

    def _facts(self) -> Facts:
        return dict(self._about or {})

    def _has_answer(self) -> bool:
        return self._message is not None or bool(self._calls)

    # --- The end. ------------------------------------------------------------------------

    def _check_end(self) -> None:
        is_whole = (
            self.saw_end() and self._has_answer() and all(c.call.is_whole() for c in self._calls)
        )
        if self.needs_end and self._finish_reason is None and not is_whole:
            raise ModelStreamTruncated(
                "Chat Completions stream ended before receiving a finish_reason for choice 0; the "
                "connection may have been cut. Run it again. For an endpoint that never sends one, "
                "use OpenAIChatCompletionsModel(..., lenient_eof=True), or "
                "RunConfig(model_limits=ModelLimits(lenient_eof=True))."
            )
        if self.needs_content:
            has_answer = self._has_answer()
            check_end(
                "stream",
                self._finish_reason,
                has_answer=has_answer,
                has_calls=bool(self._ignored),
                is_null=not self._has_text and not self._placed,
            )

    def _finish(self) -> Events:
        yield from self._begin(None)
        end = end_of(self._finish_reason)
        if end == "content_filter" and not self._has_answer():
            message = yield from self._spoken()
            yield from message.refusal(WITHHELD)
        elif end in INCOMPLETE:
            self._mark_incomplete(end)
        if bearer := self._message or next(iter(self._calls), None) or self._reasoning:
            bearer.about |= {opaque.OF_MESSAGE: self._opaque} if self._opaque else {}
        if self._reasoning is not None:
            yield from self._reasoning.finish()
        if self._message is not None:
            yield from self._message.parts_done()
        self._place_calls()
        for call in self._calls:
            yield from call.finish()
        if self._message is not None:
            yield self._message.done()
        yield event_of("response.completed", response=self._completed())

    def _mark_incomplete(self, reason: str) -> None:
        """Let the last item say that it is cut off, and the log too."""
        self._place_calls()
        for slot in self._placed[-1:]:
            if not isinstance(slot, ReasoningSlot):
                slot.status = "incomplete"
        warn_incomplete(reason)

    def _completed(self) -> Any:
        response = self.response.model_copy()
        response.output = [slot.item() for slot in self._placed]
        if self.usage is not None:
            response.usage = usage_on_wire(usage_of_completion(self.usage))
        end = end_of(self._finish_reason)
        if end in INCOMPLETE and self._has_answer():
            from openai.types.responses.response import IncompleteDetails

            reason: Any = INCOMPLETE[end]
            response.incomplete_details = IncompleteDetails(reason=reason)
        if self.keeps_raw_usage and self.usage is not None:
            mark_raw_usage(response, raw_usage(self.usage))
        return response
