"""A conversation with Codex: turn after turn, each a process, tied together by the thread's id."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict

from outlast.extras.codex.events import (
    ItemCompletedEvent,
    ThreadErrorEvent,
    ThreadEvent,
    ThreadStartedEvent,
    TurnCompletedEvent,
    TurnFailedEvent,
    Usage,
    coerce_thread_event,
)
from outlast.extras.codex.items import ThreadItem, is_agent_message_item
from outlast.extras.codex.options import CodexOptions, ThreadOptions, TurnOptions
from outlast.extras.codex.process import CodexExec, CodexExecArgs
from outlast.extras.codex.records import CodexError
from outlast.extras.codex.schema_file import create_output_schema_file


class TextInput(TypedDict):
    """Text for Codex."""

    type: Literal["text"]
    text: str


class LocalImageInput(TypedDict):
    """A picture on this machine, for Codex."""

    type: Literal["local_image"]
    path: str


UserInput: TypeAlias = TextInput | LocalImageInput
Input: TypeAlias = str | list[UserInput]


@dataclass(frozen=True)
class Turn:
    """What a turn came to."""

    items: list[ThreadItem]
    final_response: str
    usage: Usage | None


RunResult = Turn


@dataclass(frozen=True)
class StreamedTurn:
    """A turn that begins when its events are read, and ends when they are closed."""

    events: AsyncGenerator[ThreadEvent, None]


RunStreamedResult = StreamedTurn


class Thread:
    """A conversation with Codex."""

    def __init__(
        self,
        *,
        exec_client: CodexExec,
        options: CodexOptions,
        thread_options: ThreadOptions,
        thread_id: str | None = None,
    ) -> None:
        self._exec = exec_client
        self._options = options
        self._thread_options = thread_options
        self._id = thread_id

    @property
    def id(self) -> str | None:
        """By what it can be gone on with; None until its first turn has begun."""
        return self._id

    async def run_streamed(
        self,
        input: Input,  # noqa: A002 (upstream's name)
        turn_options: TurnOptions | None = None,
    ) -> StreamedTurn:
        """A turn, whose events come as they happen."""
        return StreamedTurn(self._events(input, turn_options or TurnOptions()))

    async def run(
        self,
        input: Input,  # noqa: A002 (upstream's name)
        turn_options: TurnOptions | None = None,
    ) -> Turn:
        """What a whole turn came to.

        Raises:
            CodexError: The turn failed, or Codex did.
        """
        items: list[ThreadItem] = []
        usage: Usage | None = None
        async with aclosing(self._events(input, turn_options or TurnOptions())) as events:
            async for event in events:
                _refuse_failure(event)
                if isinstance(event, ItemCompletedEvent):
                    items.append(event.item)
                elif isinstance(event, TurnCompletedEvent):
                    usage = event.usage
        answers = [item.text for item in items if is_agent_message_item(item)]
        return Turn(items, answers[-1] if answers else "", usage)

    async def _events(self, given: Input, turn: TurnOptions) -> AsyncGenerator[ThreadEvent, None]:
        schema = create_output_schema_file(turn.output_schema)
        try:
            args = self._arguments(given, turn, schema.schema_path)
            async with aclosing(self._exec.run(args)) as lines:
                async for line in lines:
                    yield self._noted(_parsed(line))
        finally:
            schema.cleanup()

    def _noted(self, event: ThreadEvent) -> ThreadEvent:
        if isinstance(event, ThreadStartedEvent):
            self._id = event.thread_id
        return event

    def _arguments(self, given: Input, turn: TurnOptions, schema: str | None) -> CodexExecArgs:
        prompt, images = split_input(given)
        thread, folders = self._thread_options, self._thread_options.additional_directories
        return CodexExecArgs(
            input=prompt,
            base_url=self._options.base_url,
            api_key=self._options.api_key,
            thread_id=self._id,
            images=images,
            model=thread.model,
            sandbox_mode=thread.sandbox_mode,
            working_directory=thread.working_directory,
            additional_directories=None if folders is None else list(folders),
            skip_git_repo_check=thread.skip_git_repo_check,
            output_schema_file=schema,
            model_reasoning_effort=thread.model_reasoning_effort,
            signal=turn.signal,
            idle_timeout_seconds=turn.idle_timeout_seconds,
            network_access_enabled=thread.network_access_enabled,
            web_search_mode=thread.web_search_mode,
            web_search_enabled=thread.web_search_enabled,
            approval_policy=thread.approval_policy,
        )


def split_input(given: Input) -> tuple[str, list[str]]:
    """The prompt, and the paths of the pictures that go with it."""
    if isinstance(given, str):
        return given, []
    texts = [part["text"] for part in given if part["type"] == "text"]
    return "\n\n".join(texts), [part["path"] for part in given if part["type"] == "local_image"]


def _refuse_failure(event: ThreadEvent) -> None:
    if isinstance(event, TurnFailedEvent):
        raise CodexError(event.error.message)
    if isinstance(event, ThreadErrorEvent):
        raise CodexError(f"Codex stream error: {event.message}")


def _parsed(line: str) -> ThreadEvent:
    try:
        return coerce_thread_event(json.loads(line))
    except (ValueError, TypeError, KeyError) as error:
        raise CodexError(f"Failed to parse event: {line}") from error
