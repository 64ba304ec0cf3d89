"""Ending a run: whether a finished turn is the last one, and with what output."""

from __future__ import annotations

import inspect
from typing import Any, cast

import msgspec

from outlast.core.effects import Conclude, Recover
from outlast.core.errors import MaxTurnsExceeded, ModelBehaviorError, ModelRefusalError, UserError
from outlast.core.events import Item, OutputProduced, TurnContinued
from outlast.core.items import last_message, refusal_of, text_of
from outlast.core.shown import shown
from outlast.definitions.agent import ToolsToFinalOutputResult
from outlast.definitions.guardrail import OutputGuardrail
from outlast.definitions.logger import logger
from outlast.definitions.output import AgentOutputSchemaBase
from outlast.definitions.tool import FunctionToolResult
from outlast.definitions.values import Lookup, unpack
from outlast.effects.config import RunConfig
from outlast.effects.error_handlers import ask_handler
from outlast.effects.hooks import hook_context, tell
from outlast.effects.kept import json_form, keep_output, kept_value, sees_output
from outlast.effects.outcome import Emit, Outcome
from outlast.effects.prepare import live_turn
from outlast.effects.projection import error_data, run_item
from outlast.effects.turn import AnyAgent, PreparedTurn, output_schema
from outlast.effects.view import RunParts, RunView
from outlast.models.fake_id import FAKE_RESPONSES_ID


async def conclude(effect: Conclude, view: RunView, emit: Emit) -> Outcome:
    """Ask the program whether the turn ends the run; if so, with what."""
    del emit
    reply = view.state.reply
    assert reply
    agent = view.agents.agent(effect.agent)
    if not reply.calls:
        message = last_message(reply.output)
        kinds = {item.get("type") for item in reply.output}
        if message is None and kinds - {"reasoning"}:
            return Outcome([TurnContinued(effect.id)])
        return await _by_message(view, effect.id, agent, message)
    turn = await live_turn(view)  # After a resume, nobody may have asked for it yet.
    verdict = await _by_tools(view, agent, turn)
    if not verdict.is_final_output:
        return Outcome([TurnContinued(effect.id)])
    output = verdict.final_output
    if output_schema(agent) is None and not isinstance(output, str):
        output = shown(output)
    return await _end(view, effect.id, agent, output, "tool")


async def recover(effect: Recover, view: RunView, emit: Emit) -> Outcome:
    """Ask an error handler for an output where the run would fail at its turn limit."""
    del emit
    agent = view.agents.agent(effect.agent)
    error = MaxTurnsExceeded(effect.error.message)
    return await _rescued(view, effect.id, agent, "max_turns", error)


def final_output(view: RunParts) -> Any:
    """The run's final output as the caller gets it; made again from the log after a crash.

    Where the program has not the type any more that the output was made for, it is the JSON value.
    """
    output = view.state.output
    if output is None:
        return None
    if view.live.has_output:
        return view.live.output
    if output.kind != "structured":
        return unpack(output.output, _sees(view, view.agents.named(view.state.agent)))
    value, fits = structured_value(view.agents.named(view.state.agent), str(output.output))
    if not fits:
        logger.warning(
            "The program changed: the output of run %s does not fit the output type of agent %s, or that "
            "has none. It is given as the JSON value that the log has.",
            view.run_id,
            view.state.agent,
        )
    view.live.output, view.live.has_output = value, True
    return value


def structured_value(agent: AnyAgent, text: str) -> tuple[Any, bool]:
    """A structured output as the agent's output type, or else as JSON; and whether it fits that."""
    try:
        schema = output_schema(agent)
        if schema is not None and not schema.is_plain_text():
            return schema.validate_json(text), True
    except (ModelBehaviorError, UserError):
        pass
    try:
        return msgspec.json.decode(text), False
    except msgspec.DecodeError:
        return text, False


def output_guardrails(agent: AnyAgent, config: RunConfig) -> list[OutputGuardrail]:
    """The output guardrails of the agent that ends the run, and of the run."""
    return [*agent.output_guardrails, *(config.output_guardrails or ())]


# --- By a message. -----------------------------------------------------------------------


async def _by_message(view: RunView, key: str, agent: AnyAgent, message: Item | None) -> Outcome:
    refusal = refusal_of(message) if message else None
    if refusal is not None:
        return await _rescued(view, key, agent, "model_refusal", ModelRefusalError(refusal))
    schema = output_schema(agent)
    text = text_of(message) if message else ""
    if schema is None or schema.is_plain_text():
        return await _end(view, key, agent, text, "text")
    if not text:
        error = ModelBehaviorError("Model returned no final output for the structured output type.")
        handled = await _handled(view, key, agent, "invalid_final_output", error)
        return handled or Outcome([TurnContinued(key)])
    try:
        value = schema.validate_json(text)
    except ModelBehaviorError as error:
        return await _rescued(view, key, agent, "invalid_final_output", error)
    done = await _end(view, key, agent, value, "structured")
    event = done.events[0]
    assert isinstance(event, OutputProduced)
    return Outcome([msgspec.structs.replace(event, output=text)])


# --- By the tools. -----------------------------------------------------------------------


async def _by_tools(view: RunView, agent: AnyAgent, turn: PreparedTurn) -> ToolsToFinalOutputResult:
    results = _results(view, turn)
    behavior: Any = agent.tool_use_behavior
    if not results or behavior == "run_llm_again":
        return ToolsToFinalOutputResult(is_final_output=False)
    if not callable(behavior):
        # A call that failed has no result to end with: the model is told, and goes on.
        failed = view.state.failed_calls
        results = [result for result in results if _call_of(result) not in failed]
        if not results:
            return ToolsToFinalOutputResult(is_final_output=False)
    if behavior == "stop_on_first_tool":
        return ToolsToFinalOutputResult(is_final_output=True, final_output=results[0].output)
    if isinstance(behavior, dict):
        names = set(cast("dict[str, Any]", behavior).get("stop_at_tool_names", ()))
        last = next((r for r in results if names & {r.tool.name, r.tool.qualified_name}), None)
        return ToolsToFinalOutputResult(last is not None, last.output if last else None)
    if not callable(behavior):
        raise UserError(f"Invalid tool_use_behavior: {behavior!r}")
    answer: Any = behavior(view.context, results)
    answer = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(answer, ToolsToFinalOutputResult):
        raise UserError(
            "tool_use_behavior callable must return ToolsToFinalOutputResult, but returned a "
            f"{type(answer).__name__}."
        )
    return answer


def _call_of(result: FunctionToolResult) -> str:
    raw: Any = result.run_item.raw_item
    return str(raw["call_id"] if isinstance(raw, dict) else raw.call_id)  # pyright: ignore[reportUnknownArgumentType]


def _results(view: RunView, turn: PreparedTurn) -> list[FunctionToolResult]:
    """The results of the turn's function tools in call order; from the log after a crash."""
    state = view.state
    assert state.reply
    results: list[FunctionToolResult] = []
    outputs = {e.item.get("call_id"): e for e in state.entries if e.kind == "tool_output"}
    for call in state.reply.calls:
        entry = outputs.get(call.id)
        if call.kind != "function" or entry is None:
            continue
        result = view.live.results.get(call.id)
        if result is None and (tool := turn.functions.get(call.qualified_name)):
            value = kept_value(entry, tool)
            result = FunctionToolResult(tool=tool, output=value, run_item=None)
        if result is not None:
            result.run_item = run_item(view, entry)
            results.append(result)
    return results


# --- The end. ----------------------------------------------------------------------------


async def _end(  # an output and all that is known of it
    view: RunView, key: str, agent: AnyAgent, output: Any, kind: Any, message: Item | None = None
) -> Outcome:
    hooks, own = view.hooks, agent.hooks
    if hooks is not None or own is not None:
        context = hook_context(view)
        await tell(
            hooks.on_agent_end(context, agent, output) if hooks is not None else None,
            own.on_end(context, agent, output) if own is not None else None,
        )
    see = _sees(view, agent)
    packed = keep_output(output, see, f"agent {agent.name!r}")
    view.live.output = output if kind == "structured" else unpack(packed, see)
    view.live.has_output = True
    names = tuple(guardrail.get_name() for guardrail in output_guardrails(agent, view.config))
    return Outcome([OutputProduced(key, packed, kind, message, names)])


def _sees(view: RunParts, agent: AnyAgent) -> Lookup:
    """The classes that the final output may be of."""
    handlers: Any = view.error_handlers or {}
    return sees_output(agent, *handlers.values())


async def _rescued(view: RunView, key: str, agent: AnyAgent, kind: Any, error: Any) -> Outcome:
    """The end that an error handler gives the run; where it declines, ``error`` is raised."""
    handled = await _handled(view, key, agent, kind, error)
    if handled is None:
        raise error
    return handled


async def _handled(
    view: RunView, key: str, agent: AnyAgent, kind: Any, error: Any
) -> Outcome | None:
    """The end that an error handler gives the run, or None where it declines."""
    result = await ask_handler(view.error_handlers, kind, error, view.context, error_data(view))
    if result is None:
        return None
    output = result.final_output
    schema = output_schema(agent)
    if schema is not None and not schema.is_plain_text():
        output, text = _fitting(schema, output, kind)
    else:
        text = shown(output)
    message = _message(text) if result.include_in_history else None
    return await _end(view, key, agent, output, "handler", message)


def _fitting(schema: AgentOutputSchemaBase, output: object, kind: str) -> tuple[Any, str]:
    """A handler's value as the agent's output type, and its text; no-object types are wrapped."""
    mismatch: ModelBehaviorError | None = None
    for text in (_encoded(output), _encoded({"response": output})):
        try:
            return schema.validate_json(text), text
        except ModelBehaviorError as error:
            mismatch = error
    raise UserError(
        f"The {kind!r} error handler's final_output does not fit output type {schema.name()}."
    ) from mismatch


def _encoded(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=json_form).decode()


def _message(text: str) -> Item:
    part: Item = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "id": FAKE_RESPONSES_ID,
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
