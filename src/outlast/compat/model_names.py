"""Names of openai-agents' modules about models that code of others imports, beside ours."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from outlast.models.chat_buffer import PiecedCall, merged
from outlast.models.chat_stream import Synthesis
from outlast.models.chat_stream_slots import Slot
from outlast.models.endpoint import asking_once

StreamingState = Synthesis
_StreamOutputLayout = Slot
_BufferedToolCall = PiecedCall
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


def provider_managed_retries_disabled(disabled: bool) -> AbstractContextManager[None]:
    """Let the calls made in here fail at the first failure, if ``disabled``."""
    return asking_once() if disabled else nullcontext()
