"""Tool calls of a streamed answer: put together from pieces, and held back until they are complete.

The latter is for endpoints that send calls in pieces which only make sense together, or whose
pieces a consumer should not see.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from outlast.core.errors import ModelBehaviorError
from outlast.models.chat_fields import Facts, field, listed, merged, text_field
from outlast.models.chat_reply import written_arguments
from outlast.models.event_stream import ending

_EXTRAS = ("provider_specific_fields", "extra_content")


@dataclasses.dataclass(eq=False)
class PiecedCall:
    """What has come of a function call."""

    call_id: str = ""
    name: str = ""
    arguments: list[str] = dataclasses.field(default_factory=list[str])
    extras: Facts = dataclasses.field(default_factory=dict[str, Any])
    """Fields of one provider only."""

    def is_named(self) -> bool:
        """Whether its id and its name are known."""
        return bool(self.call_id and self.name)

    def is_another(self, call_id: str, name: str, arguments: str) -> bool:
        """Whether a piece with these is of the next call, under an index that is used again.

        A new id alone does not say so: there are endpoints that make one up for every piece.
        Where there are no ids, a complete call does not go on with a name.
        """
        if call_id or self.call_id:
            return bool(self.call_id and call_id and name and call_id != self.call_id)
        return bool(self.name and self.arguments and name and arguments) and self.is_whole()

    def is_whole(self) -> bool:
        """Whether its arguments are complete; a call without any has them all."""
        return is_json("".join(self.arguments) or "{}")

    def add(self, call_id: str, name: str, arguments: str) -> None:
        """Take the next piece. Once there are arguments, the name is complete."""
        self.call_id = self.call_id or call_id
        if name.startswith(self.name):
            self.name = name or self.name
        elif not self.arguments:
            self.name += name
        if arguments:
            self.arguments.append(arguments)


def is_json(text: str) -> bool:
    """Whether ``text`` is a whole JSON value."""
    try:
        msgspec.json.decode(text, strict=False)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True


async def buffered(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The chunks of ``stream``, its tool calls all in one chunk at the end.

    Raises:
        ModelBehaviorError: At the end, a call has no id or no name, or there is none though the
            provider says so.
    """
    buffer = _Buffer()
    async with ending(stream):
        async for chunk in stream:
            yield buffer.rest_of(chunk)
    if (calls := buffer.calls_chunk()) is not None:
        yield calls


class _Buffer:
    def __init__(self) -> None:
        self._calls: list[tuple[int, PiecedCall]] = []
        self._by_index: dict[int, PiecedCall] = {}
        self._passed: set[int] = set()
        self._last: Any = None
        self._promised = False

    def rest_of(self, chunk: Any) -> Any:
        """``chunk`` without what is held back."""
        self._last = chunk
        choices = listed(field(chunk, "choices"), "choices")
        rest = [self._without_calls(choice) for choice in choices]
        is_whole = all(new is old for new, old in zip(rest, choices, strict=True))
        return chunk if is_whole else chunk.model_copy(update={"choices": rest})

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

        delta = ChoiceDelta(tool_calls=[_whole(index, call) for index, call in self._calls])
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

    def _held(self, piece: object) -> bool:
        index = field(piece, "index") or 0
        if field(piece, "type") == "custom" or index in self._passed:
            self._passed.add(index)
            return False
        function = field(piece, "function")
        call_id, name = text_field(piece, "id"), text_field(function, "name")
        call, arguments = self._by_index.get(index), written_arguments(function)
        if call is None or call.is_another(call_id, name, arguments):
            call = self._by_index[index] = PiecedCall()
            self._calls.append((index, call))
        call.add(call_id, name, arguments)
        given: Facts = {name: field(piece, name) for name in _EXTRAS}
        call.extras = merged(call.extras, {k: v for k, v in given.items() if isinstance(v, dict)})
        return True


def _whole(index: int, call: PiecedCall) -> Any:
    """A call as one piece."""
    from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

    for value, what in ((call.call_id, "tool call id"), (call.name, "function name")):
        if not value:
            raise ModelBehaviorError(
                f"The provider streamed tool call {index} without a {what}. Run it again."
            )
    function = {"name": call.name, "arguments": "".join(call.arguments)}
    facts = {"index": index, "id": call.call_id, "type": "function", "function": function}
    return ChoiceDeltaToolCall.model_validate({**facts, **call.extras})
