"""A stream of Chat Completions chunks as the events of the Responses API.

`Synthesis` takes the chunks one by one and yields the events of each; it does not care how the
provider cuts its answer into chunks. An item's place in the output is given away when the item is
announced, in the order in which the items begin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import Any

from holdfast.core.errors import ModelBehaviorError, ModelStreamTruncated, UserError
from holdfast.definitions.logger import logger
from holdfast.models.chat_buffer import BufferedToolCall, buffered, has_output
from holdfast.models.chat_reply import (
    WITHHELD,
    Facts,
    clean_call_id,
    delta_logprobs,
    field,
    listed,
    raw_usage,
    refuse_audio,
    refuse_custom,
    response_usage,
    said,
    text_field,
    text_logprobs,
    thinking_blocks,
    thought_signature,
    url_citations,
    written_arguments,
)
from holdfast.models.chat_stream_slots import CallSlot, Events, MessageSlot, ReasoningSlot, Slot
from holdfast.models.errors import malformed
from holdfast.models.streaming import event_of, mark_raw_usage
from holdfast.models.wire import ending

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is incomplete, in the words of the Responses API, by `finish_reason`."""


class ChatCmplStreamHandler:
    """What turns a stream of chunks into events."""

    @classmethod
    async def handle_stream(  # noqa: PLR0913 (upstream's signature)
        cls,
        response: Any,
        stream: AsyncIterator[Any],
        model: str | None = None,
        strict_feature_validation: bool = False,
        preserve_raw_usage: bool = False,
        raise_on_length_truncation: bool = False,
        require_finish_reason: bool = False,
    ) -> AsyncIterator[Any]:
        """The events of ``stream``, from `response.created` to `response.completed`.

        Args:
            response: An empty Response, which the first and the last event carry.
            stream: Chunks. It is ended with the events if it is a generator.
            model: The model that was asked; the chunks' own if None.
            strict_feature_validation: Refuse what would be left out: further choices, custom calls.
            preserve_raw_usage: Keep the usage in the provider's own words.
            raise_on_length_truncation: Refuse an answer that reached its limit before it began.
            require_finish_reason: Refuse an answer whose end has not come.

        Raises:
            ModelStreamTruncated: The end is required and has not come.
            ModelBehaviorError: The answer is malformed, or empty because of its limit.
            AgentsException: The answer is sound.
            UserError: Something would be left out, under strict validation.
        """
        synthesis = Synthesis(response, model, is_strict=strict_feature_validation)
        async with ending(stream):
            async for chunk in stream:
                for event in synthesis.take(chunk):
                    yield event
        if require_finish_reason:
            synthesis.check_end()
        if raise_on_length_truncation:
            synthesis.check_content()
        for event in synthesis.finish(keep_raw_usage=preserve_raw_usage):
            yield event

    @classmethod
    def buffer_tool_call_stream(cls, stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """``stream`` with its tool calls held back until they are complete.

        Raises:
            ModelBehaviorError: At its end, a call has no id or no name, or there is none though
                the provider says so.
        """
        return buffered(stream)

    @staticmethod
    def _delta_has_passthrough_output(delta: Any) -> bool:
        return has_output(delta)

    @staticmethod
    def _buffered_tool_call_delta(buffered_call: BufferedToolCall) -> Any:
        return buffered_call.delta()


class Synthesis:
    """The events that one answer's chunks stand for.

    Args:
        response: An empty Response.
        model: The model that was asked; the chunks' own if None.
        is_strict: Refuse what would be left out.
    """

    def __init__(self, response: Any, model: str | None, *, is_strict: bool) -> None:
        self._response = response
        self._model = model
        self._is_strict = is_strict
        self._about: Facts | None = None
        self._number = 0
        self._finish_reason: str | None = None
        self._usage: Any = None
        self._has_warned = False
        self._placed: list[Slot] = []
        self._reasoning: ReasoningSlot | None = None
        self._message: MessageSlot | None = None
        self._calls: list[CallSlot] = []
        self._placed_calls = 0
        self._by_index: dict[int, CallSlot] = {}
        self._ignored: set[int] = set()

    def take(self, chunk: Any) -> Events:
        """The events of the next chunk."""
        return self._numbered(self._take(chunk))

    def check_end(self) -> None:
        """Check that the answer has come to its end.

        Raises:
            ModelStreamTruncated: It has not.
        """
        if self._finish_reason is None:
            raise ModelStreamTruncated(
                "Chat Completions stream ended before receiving a finish_reason for choice 0; the "
                "connection may have been cut. Run it again. For an endpoint that never sends one, "
                "use OpenAIChatCompletionsModel(..., lenient_eof=True), or "
                "RunConfig(model_limits=ModelLimits(lenient_eof=True))."
            )

    def check_content(self) -> None:
        """Check that there is something in an answer whose end says so.

        Raises:
            ModelBehaviorError: It has not.
        """
        if self._finish_reason == "length" and not self._has_answer():
            raise out_of_length("stream")
        if self._finish_reason == "tool_calls" and not (self._has_answer() or self._ignored):
            raise without_calls("stream")

    def finish(self, *, keep_raw_usage: bool = False) -> Events:
        """The events that end the answer."""
        return self._numbered(self._finish(keep_raw_usage=keep_raw_usage))

    def _numbered(self, events: Events) -> Events:
        for event in events:
            event.sequence_number = self._number
            self._number += 1
            yield event

    # --- Chunks. -------------------------------------------------------------------------

    def _take(self, chunk: Any) -> Events:
        if self._about is None:
            self._about = self._origin(chunk)
            yield event_of("response.created", response=self._response)
        if (usage := field(chunk, "usage")) is not None:
            self._usage = usage
        choice = self._choice(listed(field(chunk, "choices"), "choices"))
        if choice is None:
            return
        self._finish_reason = field(choice, "finish_reason") or self._finish_reason
        if (delta := field(choice, "delta")) is not None:
            refuse_audio(field(delta, "audio"))
            yield from self._think(delta)
            yield from self._say(delta, field(field(choice, "logprobs"), "content"))
            for call in listed(field(delta, "tool_calls"), "tool_calls"):
                yield from self._call(call)

    def _origin(self, chunk: Any) -> Facts:
        facts = {"model": self._model or field(chunk, "model"), "response_id": field(chunk, "id")}
        return {name: value for name, value in facts.items() if value}

    def _choice(self, choices: list[Any]) -> Any | None:
        if None in choices:
            raise malformed("a choice is null")
        mine = [choice for choice in choices if not field(choice, "index")]
        if len(choices) > 1 or len(mine) < len(choices):
            if self._is_strict:
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

    def _think(self, delta: Any) -> Events:
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

    def _say(self, delta: Any, logprobs: Any) -> Events:
        if text := said(delta):
            message = yield from self._spoken()
            yield from message.text(text, delta_logprobs(logprobs), text_logprobs(logprobs))
        if self._message is not None:
            self._message.cite(url_citations(field(delta, "annotations")))
        if refusal := text_field(delta, "refusal"):
            message = yield from self._spoken()
            yield from message.refusal(refusal)

    def _call(self, piece: Any) -> Events:
        index = field(piece, "index") or 0
        if field(piece, "type") == "custom":
            refuse_custom(is_strict=self._is_strict)
            self._ignored.add(index)
        if index in self._ignored:
            return
        yield from self._pause_reasoning()
        function = field(piece, "function")
        call_id = clean_call_id(text_field(piece, "id"), self._model)
        name = text_field(function, "name")
        call = self._called(index, call_id, name)
        call.call_id = call.call_id or call_id
        call.signature = thought_signature(piece) or call.signature
        if name:
            call.rename(name)
        if arguments := written_arguments(function):
            yield from call.argue(arguments)
        if call.call_id and call.name and not call.is_announced:
            self._place_calls()
            yield from call.announced()

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

    def _called(self, index: int, call_id: str, name: str) -> CallSlot:
        known = self._by_index.get(index)
        if known is None or known.is_another(call_id, name):
            known = self._by_index[index] = CallSlot(-1, self._facts())
            self._calls.append(known)
        return known

    def _pause_reasoning(self) -> Events:
        if self._reasoning is not None:
            yield from self._reasoning.pause()

    def _place(self, *slots: Slot) -> None:
        for slot in slots:
            slot.index = len(self._placed)
            self._placed.append(slot)

    def _place_calls(self) -> None:
        """Give all calls their places, also those that cannot be announced yet: they came first."""
        self._place(*self._calls[self._placed_calls :])
        self._placed_calls = len(self._calls)

    def _facts(self) -> Facts:
        return dict(self._about or {})

    def _has_answer(self) -> bool:
        return self._message is not None or bool(self._calls)

    # --- The end. ------------------------------------------------------------------------

    def _finish(self, *, keep_raw_usage: bool) -> Events:
        if self._about is None:
            self._about = self._origin(None)
            yield event_of("response.created", response=self._response)
        if self._finish_reason == "content_filter" and not self._has_answer():
            message = yield from self._spoken()
            yield from message.refusal(WITHHELD)
        elif self._finish_reason in INCOMPLETE:
            self._mark_incomplete()
        if self._reasoning is not None:
            yield from self._reasoning.finish()
        if self._message is not None:
            yield from self._message.parts_done()
        self._place_calls()
        for call in self._calls:
            yield from call.finish()
        if self._message is not None:
            yield self._message.done(self._message.item())
        yield event_of("response.completed", response=self._completed(keep_raw_usage))

    def _mark_incomplete(self) -> None:
        """Let the last item say that it is cut off, and the log too."""
        assert self._finish_reason is not None
        self._place_calls()
        for slot in self._placed[-1:]:
            if isinstance(slot, MessageSlot | CallSlot):
                slot.status = "incomplete"
        warn_incomplete(self._finish_reason)

    def _completed(self, keep_raw_usage: bool) -> Any:
        response = self._response.model_copy()
        response.output = [_item(slot) for slot in self._placed]
        response.usage = response_usage(self._usage)
        if self._finish_reason in INCOMPLETE and self._has_answer():
            from openai.types.responses.response import IncompleteDetails

            reason: Any = INCOMPLETE[self._finish_reason]
            response.incomplete_details = IncompleteDetails(reason=reason)
        if keep_raw_usage and self._usage is not None:
            mark_raw_usage(response, raw_usage(self._usage))
        return response


def out_of_length(what: str) -> ModelBehaviorError:
    """The error for an answer whose limit was reached before it began."""
    return ModelBehaviorError(
        f"Chat Completions {what} terminated with finish_reason='length' but produced no assistant "
        "text, tool call, or refusal. Raise ModelSettings(max_tokens=...), or lower the reasoning "
        "effort."
    )


def without_calls(what: str) -> ModelBehaviorError:
    """The error for an answer that says that it calls tools, and does not."""
    return ModelBehaviorError(
        f"Chat Completions {what} terminated with finish_reason='tool_calls', but there is no tool "
        "call in it. Run it again."
    )


def warn_incomplete(finish_reason: str) -> None:
    """Say in the log that an answer is cut off."""
    logger.warning(
        "The model's answer is incomplete: it ended with finish_reason=%r. Its last item has the "
        "status 'incomplete'.",
        finish_reason,
    )


def _item(slot: Slot) -> Any:
    assert isinstance(slot, ReasoningSlot | MessageSlot | CallSlot)
    return slot.item()
