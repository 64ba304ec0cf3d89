"""An agent as a tool of another: its run is a child of the run that calls it.

The child has a log of its own, under an id that is the parent's and the position of the call. So
a parent that crashed while the child ran finds the child again and lets it go on.

A callback may be told what the agent does. It runs beside the agent's run and in the order of
events, and may lag behind by a bounded number of them; whichever of the two fails for good stops
the other.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Callable
from typing import Any

from outlast.core.errors import UserError, machine_error
from outlast.definitions import debug
from outlast.definitions.agent import Agent, AgentToolStreamEvent
from outlast.definitions.agent_tool_input import (
    PLAIN_INPUT_SCHEMA,
    build_structured_input_schema_info,
    resolve_agent_tool_input,
)
from outlast.definitions.arguments import json_value, validated
from outlast.definitions.context import ToolContext, effect_of
from outlast.definitions.function_tool import FunctionTool, ToolInvoker
from outlast.definitions.logger import logger
from outlast.definitions.names import function_name
from outlast.definitions.run_items import ItemHelpers, MessageOutputItem, ToolCallOutputItem
from outlast.definitions.strict_schema import ensure_strict_json_schema
from outlast.definitions.tool_origin import ToolOrigin, ToolOriginType
from outlast.effects.config import coerce_run_config
from outlast.effects.kept import output_classes
from outlast.effects.registry import reachable
from outlast.effects.tool import Interrupted
from outlast.run.result import RunResultBase
from outlast.run.runner import Runner
from outlast.run.stream import RunResultStreaming

AnyAgent = Agent
_PASSED_ON = ("hooks", "previous_response_id", "conversation_id", "session")
_HANDLER_FAILED = "Error while handling an agent tool on_stream event"
_CLOSE_FAILED = "Error while closing an agent tool stream after failure"
_GRACE_S = 1.0
"""How long a cancelled call waits for its callback to clean up."""


def agent_as_tool(agent: AnyAgent, **options: Any) -> FunctionTool:
    """See `Agent.as_tool`."""
    _check(options)
    name = options["tool_name"] or function_name(agent.name)
    body = _AgentBody(agent, options)
    return FunctionTool(
        name=name,
        description=options["tool_description"] or "",
        params_json_schema=body.schema,
        on_invoke_tool=ToolInvoker(body),
        is_enabled=options["is_enabled"],
        needs_approval=options["needs_approval"],
        _failure_error_function=options["failure_error_function"],
        _use_default_failure_error_function=False,
        _tool_origin=ToolOrigin(
            ToolOriginType.AGENT_AS_TOOL, agent_name=agent.name, agent_tool_name=name
        ),
        _is_agent_tool=True,
        _agent_instance=agent,
        _agent_config=options["run_config"] and coerce_run_config(options["run_config"]),
    )


def _check(options: dict[str, Any]) -> None:
    backlog, handler = options["on_stream_max_pending_events"], options["on_stream"]
    if backlog is not None and backlog < 1:
        raise UserError(
            "on_stream_max_pending_events must be a positive integer, or None for no limit; got "
            f"{backlog!r}."
        )
    if handler is not None and not callable(handler):
        raise UserError(
            f"on_stream must be callable or None, got {type(handler).__name__}. Pass settings of the "
            "agent's run by keyword: run_config=..."
        )


class _AgentBody:
    """What an agent does when it is called as a tool: a run, whose output is the tool's."""

    def __init__(self, agent: AnyAgent, options: dict[str, Any]) -> None:
        self._agent = agent
        self._options = options
        self._adapter: Any = None
        self.schema: dict[str, Any] = PLAIN_INPUT_SCHEMA
        if options["parameters"] is not None:
            from pydantic import TypeAdapter

            self._adapter = TypeAdapter(options["parameters"])
            self.schema = ensure_strict_json_schema(self._adapter.json_schema())
        self._info = build_structured_input_schema_info(
            None if self._adapter is None else self.schema,
            include_json_schema=options["include_input_schema"],
        )

    @property
    def sources(self) -> tuple[Any, ...]:
        """What its values may be of: the outputs of the agents that may end the run."""
        ends = (each for found in reachable(self._agent).values() for each in found)
        classes = (each for agent in ends for each in output_classes(agent))
        return (self._options["custom_output_extractor"], *classes)

    async def __call__(self, tool: FunctionTool, context: ToolContext, text: str, /) -> Any:
        options = self._options
        params = _parsed(tool.name, text, self._adapter)
        given = await resolve_agent_tool_input(
            params=params, schema_info=self._info, input_builder=options["input_builder"]
        )
        handle: Any = effect_of(context)
        forked = copy.copy(context)
        if options["run_config"]:
            forked.run_config = coerce_run_config(options["run_config"])
        forked.tool_input = None if self._adapter is None else params
        run_id = await handle.begin_child(self._agent.name) if handle else None
        result = await _run(self._agent, given, forked, options, run_id)
        if isinstance(result, RunResultBase) and result.interruptions:
            return Interrupted(result.run_id, self._agent.name, result.waiting())
        if handle and isinstance(result, RunResultBase):
            handle.spent = result.spent()
        return await _output(result, options["custom_output_extractor"])


def _parsed(name: str, arguments: str, adapter: Any) -> Any:
    message = f"Invalid JSON input for tool {name}"
    data: Any = json_value(message, arguments)
    if adapter is not None:
        return adapter.dump_python(validated(message, data, adapter.validate_python), mode="json")
    if isinstance(data, str) and data:
        data = {"input": data}  # There is but one thing to say.
    return vars(validated(message, data, _plain_input().model_validate))


def _plain_input() -> Any:
    from outlast.definitions.tool_models import AgentAsToolInput

    return AgentAsToolInput


async def _run(
    agent: AnyAgent, given: Any, context: ToolContext, options: dict[str, Any], run_id: Any
) -> Any:
    max_turns = options["max_turns"]
    run: dict[str, Any] = {
        "context": context,
        "run_config": context.run_config,
        "max_turns": 10 if max_turns is None else max_turns,
        **{name: options[name] for name in _PASSED_ON},
        **({"run_id": run_id} if run_id is not None else {}),
    }
    if options["on_stream"] is None:
        return await Runner.run(starting_agent=agent, input=given, **run)
    streamed = Runner.run_streamed(starting_agent=agent, input=given, **run)
    teller = _StreamTeller(streamed, agent, context.tool_call, options["on_stream"])
    await teller.run(options["on_stream_max_pending_events"])
    return streamed


async def _output(result: Any, extractor: Any) -> Any:
    if extractor is not None:
        answer = extractor(result)
        return await answer if inspect.isawaitable(answer) else answer
    output = result.final_output
    if output not in (None, "") or result.output_guardrail_results:
        return output
    for item in reversed(result.new_items):
        if isinstance(item, MessageOutputItem) and (text := ItemHelpers.text_message_output(item)):
            return text
        if isinstance(item, ToolCallOutputItem) and isinstance(item.output, str) and item.output:
            return item.output
    return output


# --- Telling a callback. -----------------------------------------------------------------


class _Overflow(UserError):
    """The callback is too slow."""


class _StreamTeller:
    """One nested run and the callback that is told of it."""

    def __init__(
        self, streamed: Any, agent: AnyAgent, tool_call: Any, handler: Callable[..., Any]
    ) -> None:
        self._streamed = streamed
        self._first = agent
        self._tool_call = tool_call
        self._handler = handler
        self._queue: asyncio.Queue[AgentToolStreamEvent | None] = asyncio.Queue()

    async def run(self, limit: int | None) -> None:
        """Tell the callback everything, and return when both have ended.

        Raises:
            UserError: More than ``limit`` events waited for it. The nested run was stopped.
            BaseException: What the nested run, or a callback that was cancelled, failed with.
        """
        teller = asyncio.ensure_future(self._tell())
        reader = asyncio.ensure_future(self._read(limit))
        try:
            await asyncio.wait({teller, reader}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done() and not isinstance(_failure(reader), _Overflow):
                # Also after an error: what came before it is still told.
                self._queue.put_nowait(None)
                await asyncio.wait({teller})
        except asyncio.CancelledError:
            await self._stop(teller, reader, is_given_up=False)
            raise
        is_fine = teller.done() and not teller.cancelled() and _failure(teller) is None
        if not (is_fine and reader.done()) or _failure(reader):
            await self._stop(teller, reader, is_given_up=True)
        is_late = isinstance(_failure(reader), _Overflow)
        for task in (reader, teller) if is_late else (teller, reader):
            await task

    async def _read(self, limit: int | None) -> None:
        agent, events = self._first, self._streamed.stream_events()
        try:
            async for event in events:
                agent = getattr(event, "new_agent", agent)
                if limit is not None and self._queue.qsize() >= limit:
                    await self._catch_up(limit)
                told: Any = {"event": event, "agent": agent, "tool_call": self._tool_call}
                self._queue.put_nowait(told)
        except _Overflow:
            if isinstance(self._streamed, RunResultStreaming):
                self._streamed.cancel()  # Else closing would wait for its end.
            try:
                await events.aclose()
            except BaseException:  # noqa: BLE001  # the failure that led here is the one to tell
                logger.error(_CLOSE_FAILED)
            raise

    async def _catch_up(self, limit: int) -> None:
        await asyncio.sleep(0)  # A callback that keeps up gets its turn.
        if self._queue.qsize() >= limit:
            raise _Overflow(
                f"The on_stream callback of agent {self._first.name!r} is too slow: more than "
                f"on_stream_max_pending_events={limit} events wait for it. Make it quicker, or raise "
                "the limit."
            )

    async def _tell(self) -> None:
        while (event := await self._queue.get()) is not None:
            try:
                answer = self._handler(event)
                if inspect.isawaitable(answer):
                    await answer
            except Exception as error:  # a user's callback
                if machine_error(error) is not None:
                    raise
                is_hidden = debug.DONT_LOG_MODEL_DATA or debug.DONT_LOG_TOOL_DATA
                about = {"openai_agents_diagnostic_context": {"agent_name": self._first.name}}
                details: Any = {} if is_hidden else {"exc_info": error, "extra": about}
                logger.error("%s", _HANDLER_FAILED, **details)

    async def _stop(
        self, teller: asyncio.Future[None], reader: asyncio.Future[None], *, is_given_up: bool
    ) -> None:
        """Stop the nested run and the callback, and wait until both have."""
        was_reading = not reader.done()
        tasks: list[Any] = [teller, reader]
        for task in tasks:
            task.cancel()
        run: Any = getattr(self._streamed, "run_loop_task", None)
        if run is not None:
            # A nested run that was only interrupted goes on with the run that it belongs to.
            interrupt = getattr(self._streamed, "interrupt", self._streamed.cancel)
            (self._streamed.cancel if is_given_up else interrupt)()
            tasks.append(run)
        await asyncio.wait(tasks, timeout=None if is_given_up else _GRACE_S)
        if was_reading and _failure(reader):
            logger.error(_CLOSE_FAILED)


def _failure(task: asyncio.Future[None]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None
