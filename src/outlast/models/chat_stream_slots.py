"""The items of one streamed reply while they grow: a reasoning, a message, calls.

A slot is fed with pieces and yields the events that the Responses API would have sent for them.
Its deltas, put together, are what its finished item says. What it yields has no number yet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from outlast.core.errors import ModelBehaviorError
from outlast.models.chat_buffer import PiecedCall
from outlast.models.chat_fields import Facts, merged
from outlast.models.chat_reply import call_of, message_of, reasoning_of, refusal_part, text_part
from outlast.models.fake_id import FAKE_RESPONSES_ID
from outlast.models.reasoning_replay import REASONING_FIELD, THINKING_BLOCKS
from outlast.models.streaming import event_of

Events = Iterator[Any]


@dataclass(eq=False)
class Slot(ABC):
    """One place in the output."""

    index: int
    about: Facts

    @abstractmethod
    def item(self) -> Any:
        """The item as it is now."""

    def added(self, item: object) -> Any:
        """The event that announces it as ``item``."""
        return event_of("response.output_item.added", item=item, output_index=self.index)

    def done(self) -> Any:
        """The event that ends it."""
        return event_of("response.output_item.done", item=self.item(), output_index=self.index)

    def event(self, kind: str, **facts: object) -> Any:
        """An event of something within it."""
        return event_of(kind, item_id=FAKE_RESPONSES_ID, output_index=self.index, **facts)


# --- Message. ----------------------------------------------------------------------------


@dataclass(eq=False)
class _Part:
    kind: str
    index: int
    pieces: list[str] = field(default_factory=list[str])
    annotations: list[Any] = field(default_factory=list[Any])
    logprobs: list[Any] = field(default_factory=list[Any])

    def whole(self) -> Any:
        text = "".join(self.pieces)
        if self.kind == "refusal":
            return refusal_part(text)
        return text_part(text, self.annotations, self.logprobs)


@dataclass(eq=False)
class MessageSlot(Slot):
    """The model's message: a text, a refusal, or one after the other."""

    status: str = "completed"
    parts: list[_Part] = field(default_factory=list[_Part])

    def opened(self) -> Events:
        yield self.added(message_of([], self.about, "in_progress"))

    def text(self, piece: str, delta_logprobs: list[Any], logprobs: list[Any]) -> Events:
        part = yield from self._part("output_text", piece)
        part.logprobs += logprobs
        kind = "response.output_text.delta"
        yield self.event(kind, delta=piece, logprobs=delta_logprobs, content_index=part.index)

    def refusal(self, piece: str) -> Events:
        part = yield from self._part("refusal", piece)
        yield self.event("response.refusal.delta", delta=piece, content_index=part.index)

    def cite(self, annotations: list[Any]) -> None:
        """Sources of the text so far. They point into it, so without a text they are lost."""
        for part in self.parts:
            if part.kind == "output_text":
                part.annotations += annotations

    def parts_done(self) -> Events:
        for part in self.parts:
            yield self._part_event("done", part)

    def item(self) -> Any:
        return message_of([part.whole() for part in self.parts], self.about, self.status)

    def _part(self, kind: str, piece: str) -> Generator[Any, None, _Part]:
        part = next((part for part in self.parts if part.kind == kind), None)
        if part is None:
            part = _Part(kind, len(self.parts))
            self.parts.append(part)
            yield self._part_event("added", part)
        part.pieces.append(piece)
        return part

    def _part_event(self, what: str, part: _Part) -> Any:
        kind = f"response.content_part.{what}"
        return self.event(kind, part=part.whole(), content_index=part.index)


# --- Reasoning. --------------------------------------------------------------------------


@dataclass(eq=False)
class ReasoningSlot(Slot):
    """What the model thought, in up to three forms: a summary, plain text, Claude's blocks."""

    is_plain: bool = False
    """Whether the plain text is all there is, so that it can be sent back in its own field."""
    summary: list[list[str]] = field(default_factory=list[list[str]])
    is_summing: bool = False
    plain: list[str] = field(default_factory=list[str])
    blocks: list[Facts] = field(default_factory=list[Facts])

    def opened(self) -> Events:
        yield self.added(self._made([], [""] if self.is_plain else None))

    def summed(self, piece: str) -> Events:
        self.is_plain = False
        if not self.is_summing:
            self.is_summing = True
            self.summary.append([])
            yield self._summary_event("part.added", part={"text": "", "type": "summary_text"})
        self.summary[-1].append(piece)
        yield self._summary_event("text.delta", delta=piece)

    def pause(self) -> Events:
        """Something else has come: the summary's part ends, and more of it is another part."""
        if self.is_summing:
            self.is_summing = False
            part = {"text": "".join(self.summary[-1]), "type": "summary_text"}
            yield self._summary_event("part.done", part=part)

    def thought(self, piece: str) -> Events:
        self.plain.append(piece)
        yield self.event("response.reasoning_text.delta", delta=piece, content_index=0)

    def block(self, given: Facts) -> None:
        """A block of Claude's, or a piece of one; a signature ends it."""
        self.is_plain = False
        if given["type"] != "thinking":
            self.blocks.append(dict(given))
            return
        text, signature = _string(given, "thinking"), _string(given, "signature")
        last: Facts = self.blocks[-1] if self.blocks else {}
        is_more = last.get("type") == "thinking" and "signature" not in last
        begun = self.blocks.pop() if is_more else {"thinking": ""}
        block = {**begun, **given, "thinking": begun["thinking"] + text}
        if not signature:
            block.pop("signature", None)
        self.blocks.append(block)

    def finish(self) -> Events:
        yield from self.pause()
        content = self._content()
        if content and (self.plain or not self.summary):
            yield self.event("response.reasoning_text.done", text=content[0], content_index=0)
        yield self.done()

    def item(self) -> Any:
        summary = ["".join(pieces) for pieces in self.summary]
        signatures = [block["signature"] for block in self._thoughts() if "signature" in block]
        # Only the last one has a place here; each block has its own in `provider_data`.
        return self._made(summary, self._content() or None, (signatures or [None])[-1])

    def _content(self) -> list[str]:
        thinking = "".join(block["thinking"] for block in self._thoughts())
        return [text for text in ("".join(self.plain), thinking) if text]

    def _thoughts(self) -> list[Facts]:
        return [block for block in self.blocks if block["type"] == "thinking"]

    def _made(
        self, summary: list[str], content: list[str] | None, signature: str | None = None
    ) -> Any:
        marked = {REASONING_FIELD: "reasoning"} if self.is_plain else {}
        blocks = {THINKING_BLOCKS: list(self.blocks)} if self.blocks else {}
        return reasoning_of({**self.about, **marked, **blocks}, summary, content, signature)

    def _summary_event(self, what: str, **facts: object) -> Any:
        index = len(self.summary) - 1
        return self.event(f"response.reasoning_summary_{what}", summary_index=index, **facts)


def _string(block: Facts, name: str) -> str:
    value = block.get(name, "")
    if not isinstance(value, str):
        raise ModelBehaviorError(
            f"Expected streamed thinking block field {name!r} to be a string, "
            f"got {type(value).__name__}. Report it to the provider."
        )
    return value


# --- Call. -------------------------------------------------------------------------------


@dataclass(eq=False)
class CallSlot(Slot):
    """A function call. It is announced when its id and its name are known."""

    call: PiecedCall = field(default_factory=PiecedCall)
    facts: Facts = field(default_factory=dict[str, Any])
    """What the provider wants back with it."""
    status: str | None = None
    is_announced: bool = False

    def more(self, call_id: str, name: str, arguments: str) -> Events:
        """Another piece of the call."""
        self.call.add(call_id, name, arguments)
        if arguments and self.is_announced:
            yield self._delta(arguments)

    def learn(self, facts: Facts) -> None:
        """Take what another piece has of that which the provider wants back."""
        self.facts = merged(self.facts, facts)

    def announced(self) -> Events:
        """The call is announced, and what has come of its arguments follows."""
        self.is_announced = True
        yield self.added(self._made(""))
        if arguments := "".join(self.call.arguments):
            yield self._delta(arguments)

    def finish(self) -> Events:
        if not self.is_announced:
            yield from self.announced()
        yield self.done()

    def item(self) -> Any:
        made = self._made("".join(self.call.arguments))
        if self.status is not None:
            made.status = self.status
        return made

    def _made(self, arguments: str) -> Any:
        return call_of(self.call.call_id, self.call.name, arguments, {**self.about, **self.facts})

    def _delta(self, piece: str) -> Any:
        return self.event("response.function_call_arguments.delta", delta=piece)
