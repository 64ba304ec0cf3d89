"""Ending a run: whether a finished turn is the last one, and with what output."""

from __future__ import annotations

import inspect
from typing import Any, cast

import msgspec

from outlast.core.effects import Conclude, Recover
from outlast.core.errors import MaxTurnsExceeded, ModelBehaviorError, ModelRefusalError, UserError
from outlast.core.events import Item, ModelReplied, OutputProduced, ToolReturned, TurnContinued
from outlast.core.items import last_message, refusal_of, text_of
from outlast.definitions.agent import ToolsToFinalOutputResult
from outlast.definitions.guardrail import OutputGuardrail
from outlast.definitions.logger import logger
from outlast.definitions.output import AgentOutputSchemaBase
from outlast.definitions.tool import FunctionToolResult
from outlast.definitions.values import Lookup, unpack
from outlast.engine.config import RunConfig
from outlast.engine.drive import Done
from outlast.engine.env import RunEnv
from outlast.engine.error_handlers import ask_handler
from outlast.engine.hooks import hook_context, tell
from outlast.engine.kept import json_form, keep_output, kept_value, sees_output
from outlast.engine.perform.prepare import live_turn
from outlast.engine.projection import error_data, run_item
from outlast.engine.turn import AnyAgent, output_schema
from outlast.models.fake_id import FAKE_RESPONSES_ID


async def conclude(env: RunEnv, effect: Conclude) -> Done:
    """Ask the program whether the turn ends the run; if so, with what."""
    reply = env.log.state.reply
    assert reply
    agent = env.agents.agent(effect.agent)
    if not reply.calls:
        message = last_message(reply.output)
        kinds = {item.get("type") for item in reply.output}
        if message is None and kinds - {"reasoning"}:
            return Done([TurnContinued(effect.id)])
        return await _by_message(env, effect.id, agent, message)
    await live_turn(env)  # Where nothing but refusals came after a resume, nobody has asked yet.
    verdict = await _by_tools(env, agent)
    if not verdict.is_final_output:
        return Done([TurnContinued(effect.id)])
    output = verdict.final_output
    if output_schema(agent) is None and not isinstance(output, str):
        output = str(output)
    return await _end(env, effect.id, agent, output, "tool")


async def recover(env: RunEnv, effect: Recover) -> Done:
    """Ask an error handler for an output where the run would fail at its turn limit."""
    agent = env.agents.agent(effect.agent)
    error = MaxTurnsExceeded(effect.error.message)
    return await _rescued(env, effect.id, agent, "max_turns", error)


def final_output(env: RunEnv) -> Any:
    """The run's final output as the caller gets it; made again from the log after a crash.

    Where the program has not the type any more that the output was made for, it is the JSON value.
    """
    output = env.log.state.output
    if output is None:
        return None
    if env.live.has_output:
        return env.live.output
    if output.kind != "structured":
        return unpack(output.output, _sees(env, env.agents.named(env.log.state.agent)))
    value, fits = structured_value(env.agents.named(env.log.state.agent), str(output.output))
    if not fits:
        logger.warning(
            "The program changed: the output of run %s does not fit the output type of agent %s, or that "
            "has none. It is given as the JSON value that the log has.",
            env.log.run_id,
            env.log.state.agent,
        )
    env.live.output, env.live.has_output = value, True
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


def output_guardrails(agent: AnyAgent, config: RunConfig) -> list[OutputGuardrail[Any]]:
    """The output guardrails of the agent that ends the run, and of the run."""
    return [*agent.output_guardrails, *(config.output_guardrails or ())]


# --- By a message. -----------------------------------------------------------------------


async def _by_message(env: RunEnv, key: str, agent: AnyAgent, message: Item | None) -> Done:
    refusal = refusal_of(message) if message else None
    if refusal is not None:
        return await _rescued(env, key, agent, "model_refusal", ModelRefusalError(refusal))
    schema = output_schema(agent)
    text = text_of(message) if message else ""
    if schema is None or schema.is_plain_text():
        return await _end(env, key, agent, text, "text")
    if not text:
        error = ModelBehaviorError("Model returned no final output for the structured output type.")
        handled = await _handled(env, key, agent, "invalid_final_output", error)
        return handled or Done([TurnContinued(key)])
    try:
        value = schema.validate_json(text)
    except ModelBehaviorError as error:
        return await _rescued(env, key, agent, "invalid_final_output", error)
    done = await _end(env, key, agent, value, "structured")
    event = done.events[0]
    assert isinstance(event, OutputProduced)
    return Done([msgspec.structs.replace(event, output=text)])


# --- By the tools. -----------------------------------------------------------------------


async def _by_tools(env: RunEnv, agent: AnyAgent) -> ToolsToFinalOutputResult:
    results = _results(env)
    behavior: Any = agent.tool_use_behavior
    if not results or behavior == "run_llm_again":
        return ToolsToFinalOutputResult(is_final_output=False)
    if not callable(behavior):
        # A call that failed has no result to end with: the model is told, and goes on.
        failed = _failed_calls(env)
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
    answer: Any = behavior(env.context, results)
    answer = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(answer, ToolsToFinalOutputResult):
        raise UserError(
            "tool_use_behavior callable must return ToolsToFinalOutputResult, but returned a "
            f"{type(answer).__name__}."
        )
    return answer


def _failed_calls(env: RunEnv) -> set[str]:
    """The ids of this turn's calls that failed."""
    failed: set[str] = set()
    for event in reversed(env.log.events):
        if isinstance(event, ModelReplied):
            break
        if isinstance(event, ToolReturned) and event.outcome == "error":
            failed.add(event.call_id)
    return failed


def _call_of(result: FunctionToolResult) -> str:
    raw: Any = result.run_item.raw_item
    return str(raw["call_id"] if isinstance(raw, dict) else raw.call_id)  # pyright: ignore[reportUnknownArgumentType]


def _results(env: RunEnv) -> list[FunctionToolResult]:
    """The results of the turn's function tools in call order; from the log after a crash."""
    state = env.log.state
    assert state.reply
    results: list[FunctionToolResult] = []
    outputs = {e.item.get("call_id"): e for e in state.entries if e.kind == "tool_output"}
    for call in state.reply.calls:
        entry = outputs.get(call.id)
        if call.kind != "function" or entry is None:
            continue
        result = env.live.results.get(call.id)
        if result is None and env.turn and (tool := env.turn.functions.get(call.qualified_name)):
            value = kept_value(entry, tool)
            result = FunctionToolResult(tool=tool, output=value, run_item=None)
        if result is not None:
            result.run_item = run_item(env, entry)
            results.append(result)
    return results


# --- The end. ----------------------------------------------------------------------------


async def _end(  # an output and all that is known of it
    env: RunEnv, key: str, agent: AnyAgent, output: Any, kind: Any, message: Item | None = None
) -> Done:
    hooks, own = env.hooks, agent.hooks
    if hooks is not None or own is not None:
        context = hook_context(env)
        await tell(
            hooks.on_agent_end(context, agent, output) if hooks is not None else None,
            own.on_end(context, agent, output) if own is not None else None,
        )
    see = _sees(env, agent)
    packed = keep_output(output, see, f"agent {agent.name!r}")
    env.live.output = output if kind == "structured" else unpack(packed, see)
    env.live.has_output = True
    names = tuple(guardrail.get_name() for guardrail in output_guardrails(agent, env.config))
    return Done([OutputProduced(key, packed, kind, message, names)])


def _sees(env: RunEnv, agent: AnyAgent) -> Lookup:
    """The classes that the final output may be of."""
    handlers: Any = env.error_handlers or {}
    return sees_output(agent, *handlers.values())


async def _rescued(env: RunEnv, key: str, agent: AnyAgent, kind: Any, error: Any) -> Done:
    """The end that an error handler gives the run; where it declines, ``error`` is raised."""
    handled = await _handled(env, key, agent, kind, error)
    if handled is None:
        raise error
    return handled


async def _handled(env: RunEnv, key: str, agent: AnyAgent, kind: Any, error: Any) -> Done | None:
    """The end that an error handler gives the run, or None where it declines."""
    result = await ask_handler(env.error_handlers, kind, error, env.context, error_data(env))
    if result is None:
        return None
    output = result.final_output
    schema = output_schema(agent)
    if schema is not None and not schema.is_plain_text():
        output, text = _fitting(schema, output, kind)
    else:
        text = output if isinstance(output, str) else _encoded(output)
    message = _message(text) if result.include_in_history else None
    return await _end(env, key, agent, output, "handler", message)


def _fitting(schema: AgentOutputSchemaBase, output: Any, kind: str) -> tuple[Any, str]:
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


def _encoded(value: Any) -> str:
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
