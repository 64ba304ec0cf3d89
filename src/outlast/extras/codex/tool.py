"""Codex as a tool of an agent: the model says what to do, Codex does it in the workspace."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel  # noqa: TC002 (`parameters` is looked at)

from outlast.core.errors import UserError
from outlast.core.usage import Usage as RunUsage, input_details
from outlast.definitions.calling import awaited
from outlast.definitions.context import RunContextWrapper, ToolContext
from outlast.definitions.function_tool import (
    FunctionTool,
    ToolErrorFunction,
    ToolInvoker,
    default_tool_error_function,
)
from outlast.definitions.logger import logger
from outlast.extras.codex.answer_schema import OutputSchemaDescriptor, answer_schema
from outlast.extras.codex.client import Codex
from outlast.extras.codex.command_spans import CommandSpans
from outlast.extras.codex.events import (
    ItemCompletedEvent,
    ItemStartedEvent,
    ItemUpdatedEvent,
    ThreadErrorEvent,
    ThreadEvent,
    ThreadStartedEvent,
    TurnCompletedEvent,
    TurnFailedEvent,
    Usage,
    coerce_thread_event,
)
from outlast.extras.codex.items import AgentMessageItem, CommandExecutionItem
from outlast.extras.codex.options import (
    CodexOptions,
    SandboxMode,
    ThreadOptions,
    TurnOptions,
    coerce_codex_options,
    coerce_thread_options,
    coerce_turn_options,
)
from outlast.extras.codex.parameters import (
    CodexToolCallArguments,
    CodexToolParameters,
    CodexToolRunContextParameters,
    arguments,
    codex_input,
)
from outlast.extras.codex.records import Record, is_mapping, refuse_unknown
from outlast.extras.codex.thread import Thread
from outlast.extras.codex.thread_ids import (
    check_context,
    context_key,
    remember,
    remembered,
    tool_name,
)

_DESCRIPTION = "Lets Codex, a coding agent, carry out a task in the current workspace."
_NO_ANSWER = "Codex task completed with inputs."


class _Unset:
    """Stands for what was not said, where None is a value."""


_UNSET = _Unset()


@dataclass(frozen=True)
class CodexToolStreamEvent(Record):
    """What `on_stream` is told of."""

    event: ThreadEvent
    thread: Thread
    tool_call: Any


@dataclass(frozen=True)
class CodexToolResult:
    """What a call came to. The model sees it as JSON."""

    thread_id: str | None
    response: str
    usage: Usage | None

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain data."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return json.dumps(self.as_dict())


OnStream: TypeAlias = Callable[[CodexToolStreamEvent], Awaitable[None] | None]
ToolIsEnabled: TypeAlias = bool | Callable[[RunContextWrapper, Any], Awaitable[bool] | bool]


@dataclass
class CodexToolOptions:
    """How the tool looks to the model, and how Codex is run for it."""

    name: str | None = None
    """`codex`, or `codex_` and more; `codex` if None."""
    description: str | None = None
    parameters: type[BaseModel] | None = None
    """A Pydantic model with `inputs`, and `thread_id` if the model may choose a thread."""
    output_schema: OutputSchemaDescriptor | Mapping[str, Any] | None = None
    codex: Codex | None = None
    codex_options: CodexOptions | Mapping[str, Any] | None = None
    default_thread_options: ThreadOptions | Mapping[str, Any] | None = None
    thread_id: str | None = None
    """The thread to go on with, where neither the call nor the context names one."""
    sandbox_mode: SandboxMode | None = None
    working_directory: str | None = None
    skip_git_repo_check: bool | None = None
    default_turn_options: TurnOptions | Mapping[str, Any] | None = None
    span_data_max_chars: int | None = 8192
    persist_session: bool = False
    """Whether all calls of the tool go on with one thread."""
    on_stream: OnStream | None = None
    """Hears of each event. An exception of it is logged, and the turn goes on."""
    is_enabled: ToolIsEnabled = True
    failure_error_function: ToolErrorFunction | None = default_tool_error_function
    use_run_context_thread_id: bool = False
    """Whether the run's context remembers the thread from call to call."""
    run_context_thread_id_key: str | None = None


def codex_tool(  # noqa: PLR0913 (upstream's signature)
    options: CodexToolOptions | Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: type[BaseModel] | None = None,
    output_schema: OutputSchemaDescriptor | Mapping[str, Any] | None = None,
    codex: Codex | None = None,
    codex_options: CodexOptions | Mapping[str, Any] | None = None,
    default_thread_options: ThreadOptions | Mapping[str, Any] | None = None,
    thread_id: str | None = None,
    sandbox_mode: SandboxMode | None = None,
    working_directory: str | None = None,
    skip_git_repo_check: bool | None = None,
    default_turn_options: TurnOptions | Mapping[str, Any] | None = None,
    span_data_max_chars: int | _Unset | None = _UNSET,
    persist_session: bool | None = None,
    on_stream: OnStream | None = None,
    is_enabled: ToolIsEnabled | None = None,
    failure_error_function: ToolErrorFunction | _Unset | None = _UNSET,
    use_run_context_thread_id: bool | None = None,
    run_context_thread_id_key: str | None = None,
) -> FunctionTool:
    """Make Codex a tool. Each setting can also be one of ``options``; what is named here wins.

    Raises:
        UserError: A setting is not known or not valid.
    """
    named = dict(locals())
    named.pop("options")
    settings = _settings(options, named)
    body = _CodexCalls(settings)
    failure = settings.failure_error_function
    is_default = failure is default_tool_error_function
    return FunctionTool(
        name=body.name,
        description=settings.description or _DESCRIPTION,
        params_json_schema=body.parameters.model_json_schema(),
        on_invoke_tool=ToolInvoker(body),
        is_enabled=settings.is_enabled,
        _failure_error_function=None if is_default else failure,
        _use_default_failure_error_function=is_default,
    )


class _CodexCalls:
    """The body of one Codex tool: `tool(context, arguments)`."""

    exclusive_kind = "Codex"
    """An agent has one tool of a name of this kind: its threads are kept by that name."""

    def __init__(self, settings: CodexToolOptions) -> None:
        self._settings = settings
        self.name = tool_name(settings.name)
        uses_context = settings.use_run_context_thread_id
        self._key = context_key(self.name, settings.run_context_thread_id_key, is_used=uses_context)
        default = CodexToolRunContextParameters if uses_context else CodexToolParameters
        self.parameters = settings.parameters or default
        self._codex_options = coerce_codex_options(settings.codex_options)
        self._thread_options = _thread_options(settings)
        self._turn_options = _turn_options(settings)
        self._codex = settings.codex
        self._kept: Thread | None = None

    async def __call__(self, tool: FunctionTool, context: ToolContext, text: str, /) -> Any:
        """Run a turn of Codex, and remember its thread, also of one that fails or is cancelled."""
        del tool
        call = arguments(self.parameters, text)
        settings = self._settings
        if settings.use_run_context_thread_id:
            check_context(context.context, self._key)
        wanted = self._wanted(call, context)
        thread = self._thread(wanted)
        turn = _Turn(context, thread, wanted, settings)
        try:
            result = await turn.run(call, self._turn_options)
        except BaseException:
            if settings.use_run_context_thread_id:
                self._remember_anyway(context.context, turn.thread_id)
            raise
        if settings.use_run_context_thread_id:
            remember(context.context, self._key, turn.thread_id)
        return result

    def _remember_anyway(self, context: Any, thread_id: str | None) -> None:
        try:
            remember(context, self._key, thread_id)
        except UserError:
            logger.warning("The run's context does not take the id of a Codex thread that failed.")

    def _wanted(self, call: CodexToolCallArguments, context: ToolContext) -> str | None:
        if call["thread_id"]:
            return call["thread_id"]
        if self._settings.use_run_context_thread_id:
            known = remembered(context.context, self._key)
            return known or self._settings.thread_id
        return self._settings.thread_id

    def _thread(self, thread_id: str | None) -> Thread:
        if self._settings.persist_session and self._kept is not None:
            return self._kept
        if self._codex is None:
            self._codex = Codex(_with_key(self._codex_options))
        thread = (
            self._codex.resume_thread(thread_id, self._thread_options)
            if thread_id
            else self._codex.start_thread(self._thread_options)
        )
        if self._settings.persist_session:
            self._kept = thread
        return thread


class _Turn:
    """One turn of Codex for one call of the tool."""

    def __init__(
        self,
        context: ToolContext,
        thread: Thread,
        wanted: str | None,
        settings: CodexToolOptions,
    ) -> None:
        self._context = context
        self._thread = thread
        self._on_stream = settings.on_stream
        self._spans = CommandSpans(context.run_config, settings.span_data_max_chars)
        self._wanted = wanted
        self._started: str | None = None
        self._answer = ""
        self._usage: Usage | None = None

    @property
    def thread_id(self) -> str | None:
        """The thread's id, as far as it is known."""
        return self._started or self._thread.id or self._wanted

    async def run(self, call: CodexToolCallArguments, options: TurnOptions) -> CodexToolResult:
        """What the turn came to.

        Raises:
            UserError: The turn failed.
        """
        streamed = await self._thread.run_streamed(codex_input(call), options)
        try:
            async with aclosing(streamed.events) as events:
                async for raw in events:
                    event = coerce_thread_event(raw)
                    await self._tell(event)
                    self._take(event)
        finally:
            self._spans.close()
        if self._usage is not None:
            self._context.usage.add(_run_usage(self._usage))
        return CodexToolResult(self.thread_id, self._answer or _NO_ANSWER, self._usage)

    async def _tell(self, event: ThreadEvent) -> None:
        if self._on_stream is None:
            return
        news = CodexToolStreamEvent(event, self._thread, self._context.tool_call)
        try:
            await awaited(self._on_stream(news))
        except Exception:  # noqa: BLE001 (a user's callback)
            logger.exception("Error while handling Codex on_stream event")

    def _take(self, event: ThreadEvent) -> None:
        match event:
            case ThreadStartedEvent(thread_id):
                self._started = thread_id
            case ItemStartedEvent(CommandExecutionItem() as item):
                self._spans.began(item)
            case ItemUpdatedEvent(CommandExecutionItem() as item):
                self._spans.changed(item)
            case ItemCompletedEvent(CommandExecutionItem() as item):
                self._spans.ended(item)
            case ItemCompletedEvent(AgentMessageItem(_, text)):
                self._answer = text
            case TurnCompletedEvent(usage):
                self._usage = usage
            case TurnFailedEvent(error):
                raise UserError(f"Codex turn failed{': ' if error.message else ''}{error.message}")
            case ThreadErrorEvent(message):
                raise UserError(f"Codex stream error: {message}")
            case _:
                pass


def _settings(options: Any, named: Mapping[str, Any]) -> CodexToolOptions:
    if is_mapping(options):
        refuse_unknown("Codex tool option(s)", CodexToolOptions, options)
        options = CodexToolOptions(**options)
    elif options is not None and not isinstance(options, CodexToolOptions):
        raise UserError("Codex tool options must be a CodexToolOptions or a mapping.")
    may_be_none = ("span_data_max_chars", "failure_error_function")
    said = {
        name: value
        for name, value in named.items()
        if (not isinstance(value, _Unset) if name in may_be_none else value is not None)
    }
    return dataclasses.replace(options or CodexToolOptions(), **said)


def _thread_options(settings: CodexToolOptions) -> ThreadOptions | None:
    base = coerce_thread_options(settings.default_thread_options)
    names = ("sandbox_mode", "working_directory", "skip_git_repo_check")
    single = {n: value for n in names if (value := getattr(settings, n)) is not None}
    return dataclasses.replace(base or ThreadOptions(), **single) if single else base


def _turn_options(settings: CodexToolOptions) -> TurnOptions:
    options = coerce_turn_options(settings.default_turn_options) or TurnOptions()
    schema = answer_schema(settings.output_schema)
    return options if schema is None else dataclasses.replace(options, output_schema=schema)


def _with_key(options: CodexOptions | None) -> CodexOptions:
    """The options with a key of the environment: Codex' own, or else OpenAI's."""
    options = options or CodexOptions()
    if options.api_key:
        return options
    places = (options.env or {}, os.environ) if options.env is not None else (os.environ,)
    names = ("CODEX_API_KEY", "OPENAI_API_KEY")
    keys = (place.get(name) for place in places for name in names)
    return dataclasses.replace(options, api_key=next(filter(None, keys), None))


def _run_usage(usage: Usage) -> RunUsage:
    return RunUsage(
        requests=1,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        input_tokens_details=input_details(usage.cached_input_tokens),
    )
