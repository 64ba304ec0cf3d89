"""Tool calls of a streamed answer, held back until they are complete.

For endpoints that send calls in pieces which only make sense together, or whose pieces a consumer
should not see.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

from holdfast.core.errors import ModelBehaviorError
from holdfast.models.chat_reply import Facts, field, listed, text_field, written_arguments
from holdfast.models.wire import ending

_EXTRAS = ("provider_specific_fields", "extra_content")
_SHOWN = ("content", "refusal", "reasoning_content", "reasoning", "thinking_blocks", "audio")


@dataclass
class BufferedToolCall:
    """What has come of a call."""

    index: int
    call_id: str | None = None
    name: str | None = None
    arguments: str = ""
    provider_specific_fields: Facts | None = None
    extra_content: Facts | None = None

    def is_another(self, piece: Any) -> bool:
        """Whether ``piece`` is of the next call, under an index that is used again."""
        call_id = text_field(piece, "id")
        named = text_field(field(piece, "function"), "name")
        return bool(self.call_id and named and call_id and call_id != self.call_id)

    def add(self, piece: Any) -> None:
        """Take the next piece."""
        function = field(piece, "function")
        self.call_id = self.call_id or text_field(piece, "id") or None
        name = text_field(function, "name")
        if name and (not self.name or name.startswith(self.name)):
            self.name = name
        elif name and not self.arguments:
            self.name = f"{self.name}{name}"
        self.arguments += written_arguments(function)
        for extra in _EXTRAS:
            if isinstance(given := field(piece, extra), dict):
                setattr(self, extra, merged(getattr(self, extra) or {}, cast("Facts", given)))

    def delta(self) -> Any:
        """The whole call as one piece.

        Raises:
            ModelBehaviorError: It has no id or no name.
        """
        from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

        for value, what in ((self.call_id, "tool call id"), (self.name, "function name")):
            if not value:
                raise ModelBehaviorError(
                    f"The provider streamed tool call {self.index} without a {what}. Run it again."
                )
        made = ChoiceDeltaToolCall.model_validate(
            {
                "index": self.index,
                "id": self.call_id,
                "type": "function",
                "function": {"name": self.name, "arguments": self.arguments},
            }
        )
        for extra in _EXTRAS:
            if (value := getattr(self, extra)) is not None:
                setattr(made, extra, value)
        return made


async def buffered(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The chunks of ``stream``, its tool calls all in one chunk at the end.

    Raises:
        ModelBehaviorError: At the end, a call has no id or no name, or there is none though the
            provider says so.
    """
    buffer = _Buffer()
    async with ending(stream):
        async for chunk in stream:
            if (rest := buffer.rest_of(chunk)) is not None:
                yield rest
    if (calls := buffer.calls_chunk()) is not None:
        yield calls


def has_output(delta: Any) -> bool:
    """Whether there is anything in ``delta`` besides tool calls."""
    shown = any(field(delta, name) for name in _SHOWN)
    return shown or bool(field(delta, "annotations"))


def merged(before: Facts, more: Facts) -> Facts:
    """``before`` with ``more``, level by level; nothing that is there gives way to nothing."""
    whole = dict(before)
    for name, value in more.items():
        known: Any = whole.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            whole[name] = merged(cast("Facts", known), cast("Facts", value))
        elif name not in whole or value != {}:
            whole[name] = value
    return whole


class _Buffer:
    def __init__(self) -> None:
        self._calls: list[BufferedToolCall] = []
        self._by_index: dict[int, BufferedToolCall] = {}
        self._passed: set[int] = set()
        self._last: Any = None
        self._promised = False

    def rest_of(self, chunk: Any) -> Any | None:
        """``chunk`` without what is held back; None if nothing is left of it."""
        self._last = chunk
        choices = listed(field(chunk, "choices"), "choices")
        rest = [self._without_calls(choice) for choice in choices]
        if all(new is old for new, old in zip(rest, choices, strict=True)):
            return chunk
        kept = [choice for choice in rest if _says_something(choice)]
        if not kept and field(chunk, "usage") is None:
            return None
        return chunk.model_copy(update={"choices": kept})

    def calls_chunk(self) -> Any | None:
        """The calls that were held back; None if there are none."""
        if not self._calls:
            if self._promised and not self._passed:
                raise ModelBehaviorError(
                    "The stream ended with finish_reason='tool_calls', but there was no tool call "
                    "in it. Run it again."
                )
            return None
        from openai.types.chat.chat_completion_chunk import Choice, ChoiceDelta

        delta = ChoiceDelta(tool_calls=[call.delta() for call in self._calls])
        choice = Choice(index=0, delta=delta, finish_reason=None)
        return self._last.model_copy(update={"choices": [choice], "usage": None})

    def _without_calls(self, choice: Any) -> Any:
        # Other choices are not ours to judge; who reads the stream leaves them out or refuses them.
        if field(choice, "index"):
            return choice
        self._promised = self._promised or field(choice, "finish_reason") == "tool_calls"
        delta = field(choice, "delta")
        pieces = listed(field(delta, "tool_calls"), "tool_calls")
        passed = [piece for piece in pieces if not self._held(piece)]
        if len(passed) == len(pieces):
            return choice
        return choice.model_copy(
            update={"delta": delta.model_copy(update={"tool_calls": passed or None})}
        )

    def _held(self, piece: Any) -> bool:
        index = field(piece, "index") or 0
        if field(piece, "type") == "custom" or index in self._passed:
            self._passed.add(index)
            return False
        call = self._by_index.get(index)
        if call is None or call.is_another(piece):
            call = self._by_index[index] = BufferedToolCall(index)
            self._calls.append(call)
        call.add(piece)
        return True


def _says_something(choice: Any) -> bool:
    delta = field(choice, "delta")
    has_rest = has_output(delta) or bool(field(delta, "tool_calls"))
    return has_rest or field(choice, "finish_reason") is not None or bool(field(choice, "index"))
