"""An agent as a tool of another: its run is a child of the run that calls it.

The child has a log of its own, under an id that is the parent's and the position of the call. So
a parent that crashed while the child ran finds the child again and lets it go on.
"""

from __future__ import annotations

import inspect
from typing import Any, cast

import msgspec

from holdfast.core.errors import ModelBehaviorError, UserError
from holdfast.definitions.agent import Agent
from holdfast.definitions.agent_tool_input import (
    PLAIN_INPUT_SCHEMA,
    build_structured_input_schema_info,
    resolve_agent_tool_input,
)
from holdfast.definitions.context import ToolContext
from holdfast.definitions.function_tool import FunctionTool, ToolInvoker
from holdfast.definitions.names import function_name
from holdfast.definitions.run_items import ItemHelpers, MessageOutputItem, ToolCallOutputItem
from holdfast.definitions.tool_origin import ToolOrigin, ToolOriginType
from holdfast.engine.perform.tool import Interrupted
from holdfast.run.agent_tool_stream import StreamTeller
from holdfast.run.result import RunResultBase
from holdfast.run.runner import Runner

AnyAgent = Agent[Any]


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
            self.schema = self._adapter.json_schema()
        self._info = build_structured_input_schema_info(
            None if self._adapter is None else self.schema,
            include_json_schema=options["include_input_schema"],
        )

    async def __call__(self, tool: FunctionTool, context: ToolContext[Any], text: str, /) -> Any:
        options = self._options
        params = _parsed(tool.name, text, self._adapter)
        given = await resolve_agent_tool_input(
            params=params, schema_info=self._info, input_builder=options["input_builder"]
        )
        handle: Any = context._effect  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the same call
        forked = ToolContext.from_agent_context(
            context,
            context.tool_call_id,
            context.tool_call,
            _effect=handle,
            tool_name=context.tool_name,
            tool_arguments=context.tool_arguments,
            run_config=options["run_config"] or context.run_config,
        )
        forked.tool_input = None if self._adapter is None else params
        result = await _perform(self._agent, given, forked, options)
        if isinstance(result, RunResultBase) and result.interruptions:
            return Interrupted(result.run_id, self._agent.name, result.waiting())
        if handle and isinstance(result, RunResultBase):
            handle.spent = result.spent()
        return await _output(result, options["custom_output_extractor"])


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


def _parsed(name: str, arguments: str, adapter: Any) -> Any:
    try:
        data: Any = msgspec.json.decode(arguments) if arguments else {}
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ModelBehaviorError(f"Invalid JSON input for tool {name}") from error
    if adapter is None:
        if not isinstance(data, dict) or not isinstance(data.get("input"), str):  # pyright: ignore[reportUnknownMemberType]
            raise ModelBehaviorError(f"Invalid JSON input for tool {name}")
        return cast("dict[str, Any]", data)
    from pydantic import ValidationError

    try:
        return adapter.dump_python(adapter.validate_python(data), mode="json")
    except ValidationError as error:
        raise ModelBehaviorError(f"Invalid JSON input for tool {name}") from error


async def _perform(
    agent: AnyAgent, given: Any, context: ToolContext[Any], options: dict[str, Any]
) -> Any:
    handle: Any = context._effect  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # shared by design
    named = {"run_id": await handle.begin_child(agent.name)} if handle else {}
    max_turns = options["max_turns"]
    run: dict[str, Any] = {
        "context": context,
        "run_config": context.run_config,
        "max_turns": 10 if max_turns is None else max_turns,
        "hooks": options["hooks"],
        "previous_response_id": options["previous_response_id"],
        "conversation_id": options["conversation_id"],
        "session": options["session"],
        **named,
    }
    if options["on_stream"] is None:
        return await Runner.run(starting_agent=agent, input=given, **run)
    streamed = Runner.run_streamed(starting_agent=agent, input=given, **run)
    teller = StreamTeller(streamed, agent, context.tool_call, options["on_stream"])
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
