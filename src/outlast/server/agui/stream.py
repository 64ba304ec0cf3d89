"""A run as the events of AG-UI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from ag_ui import core as agui
from ag_ui.encoder import EventEncoder

from outlast.core.events import ModelReplied
from outlast.core.items import Item
from outlast.core.state import RunState
from outlast.core.stored import Stored
from outlast.server.callers import Caller
from outlast.server.feed import Feed, Sign
from outlast.server.live import Draft
from outlast.server.service import AT_REST, Service
from outlast.server.shown import moment, output_of
from outlast.server.sse import BEAT
from outlast.views.news import News, news
from outlast.views.status import failure_of, status
from outlast.views.waiting import waiting_calls

_DECISION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "message": {"type": "string", "description": "What the model is told of a rejection."},
        "arguments": {"type": "object", "description": "What the call is made with instead."},
        "answer": {"type": "string", "description": "The answer to a tool's question."},
    },
}
_ENCODER = EventEncoder()


class RunEvents:
    """The stream of a run for one page.

    Args:
        service: Where the run is.
        run_id: The run.
        caller: Who reads.
        sent: What the page has sent: the thread, and its own name for this part of the run.
        after: Only what is behind this position is told.
    """

    def __init__(
        self,
        service: Service,
        run_id: str,
        caller: Caller,
        *,
        sent: agui.RunAgentInput,
        after: int = -1,
    ) -> None:
        self._service = service
        self._run_id = run_id
        self._caller = caller
        self._sent = sent
        self._after = after
        self._feed = Feed(service, run_id, until_rest=False)
        self._step = ""
        self._draft: Draft | None = None
        self._written = ""
        self._replied = ""
        """The last reply that stands in the log: what is still in flight of it is old."""

    async def frames(self) -> AsyncIterator[bytes]:
        """What is sent, until the run has ended or waits for somebody."""
        thread_id, run_id = self._sent.thread_id, self._sent.run_id
        yield _frame(
            agui.RunStartedEvent(
                thread_id=thread_id, run_id=run_id, protocol_version=agui.PROTOCOL_VERSION
            )
        )
        async for found in self._feed.read():
            if found is Sign.BEAT:
                yield BEAT
            for event in self._events(found):
                yield _frame(event)
            if found is Sign.LEAVING:  # The page asks again, and goes on elsewhere.
                return
            if isinstance(found, Stored) and await self._rests(found):
                break
        for event in self._last():
            yield _frame(event)

    async def _rests(self, stored: Stored) -> bool:
        """Whether nothing more happens by itself."""
        if stored.seq < self._after or status(self._feed.state) not in AT_REST:
            return False
        log = await self._service.log(self._run_id, self._caller)
        return log[-1].seq == stored.seq

    def _events(self, found: Stored | Draft | Sign) -> Iterator[agui.BaseEvent]:
        if isinstance(found, Draft) and found.effect != self._replied:
            yield from self._text(found)
        if not isinstance(found, Stored):
            return
        said = news(found.event, self._feed.state)
        if said.reply is not None:
            self._replied = said.reply.id
        if found.seq > self._after:
            yield from self._steps()
            yield from self._told(said)

    def _steps(self) -> Iterator[agui.BaseEvent]:
        """A step for each agent that has its turn."""
        state = self._feed.state
        agent = state.agent or (state.started.agent if state.started else "")
        if agent == self._step:
            return
        if self._step:
            yield agui.StepFinishedEvent(step_name=self._step)
        self._step = agent
        yield agui.StepStartedEvent(step_name=agent)

    def _told(self, said: News) -> Iterator[agui.BaseEvent]:
        if said.reply is not None:
            yield from self._reply(said.reply)
        if said.answer is not None:
            yield agui.ToolCallResultEvent(
                message_id=f"{self._run_id}:{said.answer.call_id}",
                tool_call_id=said.answer.call_id,
                content=_output(said.answer.item),
                role="tool",
            )

    # --- Text: as it is written, then as it stands in the log. ----------------------------

    def _message_id(self, draft: Draft) -> str:
        place = f"{self._run_id}:{draft.effect}"
        return place if draft.attempt <= 1 else f"{place}.{draft.attempt}"

    def _text(self, draft: Draft) -> Iterator[agui.BaseEvent]:
        """What of a text in flight the page has not seen."""
        last = self._draft
        if last is not None and last[:2] != draft[:2]:
            yield from self._end_of_text()
        if not draft.text:
            return
        message_id = self._message_id(draft)
        if self._draft is None:
            self._draft = draft
            yield agui.TextMessageStartEvent(message_id=message_id, role="assistant")
        if len(draft.text) > len(self._written):
            news, self._written = draft.text[len(self._written) :], draft.text
            yield agui.TextMessageContentEvent(message_id=message_id, delta=news)

    def _end_of_text(self) -> Iterator[agui.BaseEvent]:
        if self._draft is not None:
            yield agui.TextMessageEndEvent(message_id=self._message_id(self._draft))
        self._draft, self._written = None, ""

    def _reply(self, event: ModelReplied) -> Iterator[agui.BaseEvent]:
        for place, item in enumerate(event.output):
            if item.get("type") == "reasoning" and (said := _joined(item.get("summary"))):
                yield from _reasoning(f"{self._run_id}:{event.id}.r{place}", said)
        text = "".join(
            _joined(item.get("content")) for item in event.output if item.get("role") == "assistant"
        )
        whole = Draft(event.id, self._draft.attempt if self._draft else 1, text)
        if not text.startswith(self._written):  # The page was told of another reply.
            whole = whole._replace(attempt=whole.attempt + 1)
        yield from self._text(whole)
        parent = self._message_id(whole) if text else None
        yield from self._end_of_text()
        for item in event.output:
            if item.get("type") == "function_call":
                yield from _call(item, parent)

    # --- The end. ------------------------------------------------------------------------

    def _last(self) -> Iterator[agui.BaseEvent]:
        yield from self._end_of_text()
        if self._step:
            yield agui.StepFinishedEvent(step_name=self._step)
        state = self._feed.state
        failure = failure_of(state)
        if failure is not None:
            yield agui.RunErrorEvent(message=failure.message, code=failure.kind)
            return
        used = state.usage
        yield agui.RunFinishedEvent(
            thread_id=self._sent.thread_id,
            run_id=self._sent.run_id,
            result=output_of(state),
            outcome=_outcome(state),
            usage=[
                agui.TokenUsage(input_tokens=used.input_tokens, output_tokens=used.output_tokens)
            ],
        )


def error_frames(sent: agui.RunAgentInput, message: str, code: str) -> Iterator[bytes]:
    """The stream about an input that cannot be gone on with."""
    ids: dict[str, Any] = {"thread_id": sent.thread_id, "run_id": sent.run_id}
    yield _frame(agui.RunStartedEvent(**ids, protocol_version=agui.PROTOCOL_VERSION))
    yield _frame(agui.RunErrorEvent(message=message, code=code))


def _outcome(state: RunState) -> Any:
    if status(state) == "cancelled":
        return agui.RunFinishedCancelledOutcome()
    waiting = waiting_calls(state)
    if not waiting:
        return agui.RunFinishedSuccessOutcome()
    interrupts = [
        agui.Interrupt(
            id=call.key,
            reason="tool_call",
            message=call.request.question or f"May {call.agent} call {call.tool}?",
            tool_call_id=call.own_id,
            response_schema=_DECISION,
            expires_at=moment(call.request.rules.expires_at) if call.request.rules else None,
        )
        for call in waiting
    ]
    return agui.RunFinishedInterruptOutcome(interrupts=interrupts)


def _call(item: Item, parent: str | None) -> Iterator[agui.BaseEvent]:
    call_id = str(item["call_id"])
    yield agui.ToolCallStartEvent(
        tool_call_id=call_id, tool_call_name=str(item["name"]), parent_message_id=parent
    )
    if item["arguments"]:
        yield agui.ToolCallArgsEvent(tool_call_id=call_id, delta=str(item["arguments"]))
    yield agui.ToolCallEndEvent(tool_call_id=call_id)


def _reasoning(message_id: str, text: str) -> Iterator[agui.BaseEvent]:
    yield agui.ReasoningStartEvent(message_id=message_id)
    yield agui.ReasoningMessageStartEvent(message_id=message_id, role="reasoning")
    yield agui.ReasoningMessageContentEvent(message_id=message_id, delta=text)
    yield agui.ReasoningMessageEndEvent(message_id=message_id)
    yield agui.ReasoningEndEvent(message_id=message_id)


def _joined(parts: Any) -> str:
    if isinstance(parts, str):
        return parts
    return "".join(str(part.get("text", "")) for part in parts or ())


def _output(item: Mapping[str, Any]) -> str:
    output = item.get("output", "")
    return output if isinstance(output, str) else json.dumps(output)


def _frame(event: agui.BaseEvent) -> bytes:
    return _ENCODER.encode(event).encode()
