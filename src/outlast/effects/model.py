"""Calling the model: what it is given, and what follows where it does not answer."""

from __future__ import annotations

import asyncio
import copy
import inspect
import time
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from msgspec.structs import replace

from outlast.calls.attempt import Attempt
from outlast.calls.model_choice import ModelChoice, Question, choose
from outlast.calls.retry import (
    IN_PLACE_S,
    LOCKED,
    asks_once,
    earlier_failures,
    is_locked,
    is_outage,
    longest_wish,
    pause_before_next,
    with_failures,
)
from outlast.core.effects import CallModel
from outlast.core.errors import BudgetExceeded, ModelPaced, UserError, machine_error
from outlast.core.events import EffectAccepted, EffectFailed, Item
from outlast.core.items import copied, without_reasoning_id
from outlast.core.state import RunState
from outlast.definitions.agent import Agent
from outlast.definitions.clock import wall_s
from outlast.definitions.default_models import are_default_settings, default_settings_for
from outlast.definitions.model import Model, ModelTracing
from outlast.definitions.run_items import ModelResponse
from outlast.definitions.settings import ModelSettings
from outlast.effects.compaction import after_overflow, within_context
from outlast.effects.config import CallModelData, ModelInputData
from outlast.effects.failures import error_facts
from outlast.effects.history import paired, unrepeated, whole
from outlast.effects.hooks import tell
from outlast.effects.live import failure_event
from outlast.effects.outcome import Emit, HookCall, Outcome
from outlast.effects.paid_calls import paid_model_call, usage_added
from outlast.effects.prepare import live_turn
from outlast.effects.programmatic_calls import has_programs
from outlast.effects.reply import check_excess, replied
from outlast.effects.turn import PreparedTurn, turn_model
from outlast.effects.view import RunView
from outlast.models.call_options import Acceptance

_CACHE_KEY = "prompt_cache_key"
"""Under which OpenAI keeps the beginning of a conversation at hand for the next call."""


class _Asked(NamedTuple):
    """A call of the model that is made."""

    effect: CallModel
    view: RunView
    turn: PreparedTurn
    given: ModelInputData
    choice: ModelChoice
    attempt: Attempt
    emit: Emit


async def call_model(effect: CallModel, view: RunView, emit: Emit) -> Outcome:
    """Ask the model for the turn's reply."""
    turn, live = await live_turn(view), view.live
    await _unless_refused(view)
    given = live.asked.pop(effect.id, None)
    if given is None:
        view = await within_context(effect, view, turn, emit)
        given = await _begun(view, turn)
    choice = await choose(_question(view, turn, effect.id, given))
    if isinstance(choice, ModelPaced):
        live.asked[effect.id] = given
        live.began.pop(effect.id, None)  # Waiting for its slot takes none of the call's time.
        return Outcome([_slot(effect.id, choice)])
    attempt = _attempt(view, turn, given, choice)
    attempt.once = asks_once(attempt, choice.failures)
    attempt.acceptance = _acceptance_of(view, emit, effect.id)
    attempt.place = effect.id
    began = live.began.setdefault(effect.id, time.monotonic())
    attempt.spent_s = time.monotonic() - began
    asked = _Asked(effect, view, turn, given, choice, attempt, emit)
    try:
        ask = partial(choice.watched, attempt.response)
        response = await paid_model_call(effect, view, emit, attempt, ask)
    except Exception as error:
        is_unpaid = isinstance(error, BudgetExceeded)
        failed = None if is_unpaid else await _not_answered(error, asked)
        if failed is None:
            raise
        return Outcome([failed])
    live.began.pop(effect.id, None)
    return await _answered(with_failures(response, choice.sent), asked)


async def begin_call(effect: CallModel, view: RunView, emit: Emit) -> ModelInputData:
    """What the model is to be asked. Where `Live.asked` has it, `call_model` asks nobody again."""
    turn = await live_turn(view)
    return await _begun(await within_context(effect, view, turn, emit), turn)


async def _answered(response: ModelResponse, asked: _Asked) -> Outcome:
    effect, view, turn, live = asked.effect, asked.view, asked.turn, asked.view.live
    try:
        event = replied(view, effect, turn, response, asked.choice)
        check_excess(view.state, event.output, event.calls, asked.attempt.bounds)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with what the model said
        if asked.attempt.acceptance is not None:
            await asked.attempt.acceptance.over()
        cost = usage_added(effect.id, view, asked.choice.model, response.usage)
        return Outcome([cost, failure_event(effect, live, error)])
    live.responses[effect.id] = response
    live.sent = (effect.id, asked.given.input)
    if turn.agent.hooks is None and view.hooks is None:
        return Outcome([event])
    return Outcome([event], (HookCall("on_llm_end", effect.id, effect.agent),))


async def _not_answered(error: Exception, asked: _Asked) -> EffectFailed | None:
    """The failure of the call; None where it is the error itself, which nothing follows."""
    effect, live = asked.effect, asked.view.live
    if machine_error(error) is not None:
        return None
    shorter = await after_overflow(error, effect, asked.view, asked.turn, asked.emit)
    if shorter is not None:
        return shorter
    failed = await _unanswered(error, effect.id, asked.choice, asked.attempt)
    if failed is None:
        return None
    if failed.retry_at is not None:
        live.asked[effect.id] = asked.given
    else:
        live.errors[effect.id] = error
    if failed.is_model_spent or asked.attempt.is_parked:
        live.began.pop(effect.id, None)
    return failed


def _slot(effect_id: str, wait: ModelPaced) -> EffectFailed:
    facts = error_facts(wait, effect_id)
    return EffectFailed(effect_id, facts, wait.retry_at, wait.model, wait_s=wait.wait_s)


async def _unanswered(
    error: Exception, effect_id: str, choice: ModelChoice, attempt: Attempt
) -> EffectFailed | None:
    """The failure of an attempt that another one follows, or that was the last of several models'."""
    pause = await pause_before_next(error, attempt, choice.failures)
    is_exhausted = choice.goes_to_next(error, pause, attempt)
    if pause is None and not is_exhausted:
        if not choice.label:
            return None
        choice.explain(error)
    pause = 0.0 if is_exhausted else pause
    failed = _failed(effect_id, error, pause, choice.label, is_exhausted)
    if pause is None and is_outage(error):
        return replace(failed, is_outage=True, wait_s=longest_wish(error))
    if attempt.is_parked and pause is not None and pause > IN_PLACE_S:
        return replace(failed, is_outage=True)
    return failed


def _failed(
    effect_id: str, error: Exception, pause: float | None, model: str, is_exhausted: bool
) -> EffectFailed:
    data = {"code": LOCKED} if is_locked(error) else {}
    at, facts = None if pause is None else wall_s() + pause, error_facts(error, effect_id, **data)
    return EffectFailed(effect_id, facts, at, model, is_exhausted, pause)


async def _unless_refused(view: RunView) -> None:
    """Ask no model where a guardrail that needs no time has said no: the run ends, and with it this."""
    checks = (view.live.checks.get(key) for key in view.state.open_checks)
    if any(check is not None and check.output.tripwire_triggered for check in checks):
        await asyncio.Event().wait()


async def _begun(view: RunView, turn: PreparedTurn) -> ModelInputData:
    """What the model is given, after the filter and the hooks have seen it."""
    items: list[Any] = model_input(view.state)
    given = ModelInputData(input=items, instructions=turn.instructions)
    if view.config.call_model_input_filter:
        given = await _filtered(view, turn.agent, given)
    agent_hooks = turn.agent.hooks
    if view.hooks is not None or agent_hooks is not None:
        seen: list[Any] = [copied(item) for item in given.input]
        args = (view.context, turn.agent, given.instructions, seen)
        await tell(
            view.hooks.on_llm_start(*args) if view.hooks is not None else None,
            agent_hooks.on_llm_start(*args) if agent_hooks is not None else None,
        )
    return given


# --- What the model is given. ------------------------------------------------------------


def model_input(state: RunState) -> list[Item]:
    """The conversation for the next call; only its new part where the provider keeps the rest."""
    options = state.options
    is_kept = options.conversation_id or options.previous_response_id or options.chains_responses
    if is_kept and state.turn:
        return [entry.item for entry in state.model_entries.since(state.answered_upto)]
    own = [entry.item for entry in state.model_entries.since(0)]
    items = [*state.head, *own]
    if state.has_shell_calls:
        # One that the provider runs may come without its output, and is refused when sent back.
        items = paired(items, [n < len(state.head) for n in range(len(items))])
    if state.model_entries is not state.entries:  # A handoff's filter may copy and tear apart.
        items = whole(items, len(state.head))
    if options.omits_reasoning_ids:
        items = list(map(without_reasoning_id, items))
    return items


async def _filtered(view: RunView, agent: Agent, given: ModelInputData) -> ModelInputData:
    assert view.config.call_model_input_filter
    data = CallModelData(
        model_data=ModelInputData(
            input=[copied(item) for item in given.input], instructions=given.instructions
        ),
        agent=agent,
        context=view.context.context,
    )
    try:
        answer: Any = view.config.call_model_input_filter(data)
        answer = await answer if inspect.isawaitable(answer) else answer
    except Exception as error:
        if view.watcher is not None:
            view.watcher.blame("Error in call_model_input_filter", error)
        raise
    if not isinstance(answer, ModelInputData) or not isinstance(answer.input, list):  # pyright: ignore[reportUnnecessaryIsInstance]  # user code answered
        raise UserError("call_model_input_filter must return a ModelInputData instance")
    return ModelInputData(input=unrepeated(answer.input), instructions=answer.instructions)


def _question(view: RunView, turn: PreparedTurn, effect_id: str, given: ModelInputData) -> Question:
    agent, config = turn.agent, view.config

    def settings_of(model: str | Model) -> ModelSettings:
        """The turn's settings; those of the model itself where the agent has only defaults."""
        if not isinstance(model, str) or not are_default_settings(
            agent.model_settings, agent.model
        ):
            return turn.settings
        settings = default_settings_for(model)
        return settings.resolve(config.model_settings) if config.model_settings else settings

    return Question(
        model=turn_model(agent, config),
        breaker=config.breaker,
        settings=turn.settings,
        settings_of=settings_of,
        provider=config.model_provider,
        state=view.state,
        by=f"{view.run_id}/{effect_id}",
        failures=earlier_failures(view.state, effect_id),
        input=given.input,
        instructions=given.instructions,
        health=view.health,
    )


def _attempt(
    view: RunView, turn: PreparedTurn, given: ModelInputData, choice: ModelChoice
) -> Attempt:
    settings, state = choice.settings, view.state
    if turn.agent.reset_tool_choice and state.agent in state.tool_users:
        settings = _without_choice(settings)
    settings = _with_cache_key(view, choice.model, settings)
    options = state.options
    previous = options.previous_response_id
    if options.chains_responses or previous:
        previous = state.response_id or previous
    request: tuple[Any, ...] = (
        given.instructions,
        given.input,
        settings,
        turn.tools,
        turn.schema,
        turn.handoffs,
        _tracing(view),
    )
    more: dict[str, Any] = {
        "previous_response_id": previous,
        "conversation_id": options.conversation_id,
        "prompt": turn.prompt,
    }
    return Attempt(
        model=choice.model,
        settings=settings,
        args=request,
        more=more,
        show=view.show,
        limits=view.config.model_limits,
        has_programs=has_programs(turn),
        earlier_call=state.seen_calls.get,
        last_reply=lambda: _last_reply(state),
    )


def _with_cache_key(view: RunView, model: Model, settings: ModelSettings) -> ModelSettings:
    """``settings`` with the key of the run's conversation, where the model takes one and has none.

    All calls of one conversation, session, group or run have one key, whichever comes first, in
    every process and after every crash. The key tells nothing of the ids.
    """
    # The name by which models of openai-agents say so; most have no such method.
    takes_one = getattr(model, "_supports_default_prompt_cache_key", None)
    if takes_one is None or not takes_one():
        return settings
    body = settings.extra_body
    if _CACHE_KEY in (settings.extra_args or {}) or (isinstance(body, dict) and _CACHE_KEY in body):
        return settings
    changed = copy.copy(settings)
    changed.extra_args = {**(settings.extra_args or {}), _CACHE_KEY: _conversation_key(view)}
    return changed


def _conversation_key(view: RunView) -> str:
    groups = {
        "conversation": view.state.options.conversation_id,
        "session": view.session.session_id if view.session is not None else None,
        "group": view.config.group_id,
        "run": view.run_id,
    }
    kind, value = next((kind, value) for kind, value in groups.items() if value)
    return f"agents-sdk:{kind}:{sha256(value.encode()).hexdigest()[:32]}"


def _acceptance_of(view: RunView, emit: Emit, effect_id: str) -> Acceptance:
    """What the log says of a call that the provider accepted, before anybody waits for the answer."""
    known = view.state.accepted.get(effect_id)

    async def record(response_id: str, model: str) -> None:
        await emit(EffectAccepted(effect_id, response_id, model))

    return Acceptance(known.response_id if known else "", known.model if known else "", record)


def _last_reply(state: RunState) -> list[Item]:
    last = state.replies.since(len(state.replies) - 1) if len(state.replies) else ()
    return last[0].output if last else []


def _without_choice(settings: Any) -> Any:
    if settings.tool_choice is None:
        return settings
    changed = copy.copy(settings)
    changed.tool_choice = None
    return changed


def _tracing(view: RunView) -> ModelTracing:
    if view.config.tracing_disabled:
        return ModelTracing.DISABLED
    if view.config.trace_include_sensitive_data:
        return ModelTracing.ENABLED
    return ModelTracing.ENABLED_WITHOUT_DATA
