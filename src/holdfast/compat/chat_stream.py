"""Names of openai-agents' stream handler that code of others imports, beside ours."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.models.chat_buffer import BufferedToolCall, merged
from holdfast.models.chat_stream import ChatCmplStreamHandler, Synthesis
from holdfast.models.chat_stream_slots import Slot

__all__ = ["ChatCmplStreamHandler", "Part", "SequenceNumber", "StreamingState"]

StreamingState = Synthesis
_StreamOutputLayout = Slot
_BufferedToolCall = BufferedToolCall
_merge_buffered_metadata = merged


@dataclass
class Part:
    """A part of a message."""

    text: str
    type: str


class SequenceNumber:
    """The number of the next event of a stream."""

    def __init__(self) -> None:
        self._next = 0

    def get_and_increment(self) -> int:
        """The number, which is then taken."""
        self._next += 1
        return self._next - 1
