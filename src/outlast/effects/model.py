"""Calling the model: what it is given, what its reply means."""

from __future__ import annotations

import asyncio
import copy
import inspect
import time
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from outlast.calls.attempt import Attempt
from outlast.calls.model_choice import ModelChoice, Question, choose
from outlast.calls.outage import IN_PLACE_S, is_outage, longest_wish
from outlast.calls.retry import (
    LOCKED,
    asks_once,
    earlier_failures,
    is_locked,
    pause_before_next,
    with_failures,
)
from outlast.core.effects import CallModel
from outlast.core.errors import (
    BudgetExceeded,
    ModelBehaviorError,
    ModelPaced,
    UserError,
    machine_error,
)
from outlast.core.events import Call, CallKind, EffectFailed, Item, ModelReplied
from outlast.core.items import call_id, copied, invocation, without_reasoning_id
from outlast.core.state import RunState
from outlast.core.surrogates import without_surrogates
from outlast.core.usage import facts_of
from outlast.definitions.agent import Agent
from outlast.definitions.approvals import qualified
from outlast.definitions.clock import wall_s
from outlast.definitions.default_models import are_default_settings, default_settings_for
from outlast.definitions.editor import ApplyPatchTool
from outlast.definitions.model import Model, ModelTracing
from outlast.definitions.run_items import ModelResponse
from outlast.definitions.settings import ModelSettings
from outlast.definitions.shell_tools import ShellTool
from outlast.effects.background_call import acceptance_of
from outlast.effects.cache_key import with_cache_key
from outlast.effects.compaction import after_overflow, within_context
from outlast.effects.config import CallModelData, ModelInputData
from outlast.effects.failures import error_facts
from outlast.effects.history import paired, unrepeated
from outlast.effects.hooks import tell
from outlast.effects.live import failure_event
from outlast.effects.needs import needs_person
from outlast.effects.offers import edition_of
from outlast.effects.outcome import Emit, HookCall, Outcome
from outlast.effects.paid_calls import model_name, paid_model_call, price_of, usage_added
from outlast.effects.prepare import live_turn
from outlast.effects.programmatic_calls import check_caller, has_programs, require_programs
from outlast.effects.projection import typed, wire
from outlast.effects.reply_limits import check_excess
from outlast.effects.turn import PreparedTurn, turn_model
from outlast.effects.view import RunView

LOCAL_CALLS: dict[str, CallKind] = {
    "computer_call": "computer",
    "custom_tool_call": "custom",
    "shell_call": "shell",
    "apply_patch_call": "apply_patch",
    "local_shell_call": "local_shell",
    "mcp_approval_request": "mcp_approval",
}
"""Calls that this process answers, besides functions, by the type of their item."""
_encode = msgspec.json.Encoder().encode
LANES = {"computer", "shell", "apply_patch", "local_shell"}


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
    attempt.acceptance = acceptance_of(view, emit, effect.id)
    attempt.place = effect.id
    began = live.began.setdefault(effect.id, time.monotonic())
    attempt.spent_s = time.monotonic() - began
    asked = _Asked(effect, view, turn, given, choice, attempt, emit)
    try:
        async with paid_model_call(effect, view, emit, attempt) as pay:
            response = await choice.watched(attempt.response)
            pay(response)
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
        event = _replied(view, effect, turn, response, asked.choice)
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
    settings = with_cache_key(view, choice.model, settings)
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


# --- What the reply means. ---------------------------------------------------------------


def _replied(
    view: RunView,
    effect: CallModel,
    turn: PreparedTurn,
    response: ModelResponse,
    choice: ModelChoice,
) -> ModelReplied:
    output: list[Item] = []
    calls: list[Call] = []
    seen: dict[str, str] = {}
    is_replay = False
    for place, raw in enumerate(response.output):
        item, given = _received(raw)
        response.output[place] = given
        is_patch = item.get("name") == "apply_patch" and _is_patch(turn, item)
        item = _as_patch_call(item) if is_patch else item
        call = _call(view, turn, item, len(output))
        if call:
            mark = invocation(item)
            if _is_known(view, seen, call, mark):
                _drop_reasoning(output)
                is_replay = True
                continue
            if tool := view.live.tools.get(call.id):
                check_caller(view.state, turn, output, item, tool)
            seen[call.id] = mark
            calls.append(call)
        if item.get("type") in ("program", "program_output"):
            require_programs(turn, f"The model answered with a {item['type']}")
        view.live.behind[id(item)] = (item, item if is_patch else given)
        output.append(item)
    return ModelReplied(
        effect.id,
        effect.agent,
        output,
        tuple(calls),
        facts_of(response.usage),
        _text_or_none(response.response_id),
        _text_or_none(response.request_id),
        is_replay,
        choice.label,
        turn.output_mark,
        choice.settings.store,
        model_name(choice.model),
        price_of(view, choice.model, response.usage),
    )


def _text_or_none(value: Any) -> str | None:
    """An id as the log keeps it: some endpoints number their responses."""
    return value if value is None or isinstance(value, str) else str(value)


def _received(raw: Any) -> tuple[Item, Any]:
    """An item of a reply as it is kept and sent back, and as an object."""
    item = wire(raw)
    try:
        _encode(item)  # Twenty times as fast as looking at every text of it.
    except UnicodeEncodeError:
        sound = without_surrogates(item)
        return sound, typed(sound)
    return item, raw


def _drop_reasoning(output: list[Item]) -> None:
    """Leave out what led to a call that is there already: that reasoning has its call."""
    while output and output[-1].get("type") == "reasoning":
        output.pop()


def _is_patch(turn: PreparedTurn, item: Item) -> bool:
    """Whether an ordinary call means the patch tool: models fall back to that form."""
    if item.get("type") not in ("function_call", "custom_tool_call"):
        return False
    is_function = "apply_patch" in turn.functions or "apply_patch" in turn.transfers
    return not is_function and isinstance(turn.others.get("apply_patch"), ApplyPatchTool)


def _as_patch_call(item: Item) -> Item:
    try:
        operation = msgspec.json.decode(item.get("arguments") or item.get("input") or "")
    except msgspec.DecodeError as error:
        raise ModelBehaviorError(f"Invalid apply_patch arguments JSON: {error}") from error
    kept = {key: item[key] for key in ("id", "call_id", "caller", "status") if key in item}
    return {"type": "apply_patch_call", **kept, "operation": operation}


def _is_known(view: RunView, seen: dict[str, str], call: Call, mark: str) -> bool:
    """Whether the run has this very call already.

    Raises:
        ModelBehaviorError: It has another call under the same id, or the call has no id.
    """
    if not call.id:
        raise ModelBehaviorError(
            f"The model called {call.name!r} without a non-empty string call ID."
        )
    if (here := seen.get(call.id)) is not None and here != mark:
        raise ModelBehaviorError(
            f"Model reused a tool call ID for a different invocation in one response: {call.id!r}, of "
            f"{call.name!r}. Each invocation needs a unique call ID."
        )
    known = view.state.seen_calls.get(call.id) or view.live.past_calls.get(call.id)
    if known is not None and known != mark:
        raise ModelBehaviorError(
            f"Model reused a completed tool call ID for a different invocation: {call.id!r}, of "
            f"{call.name!r}. Each invocation needs a unique call ID."
        )
    return here is not None or known is not None


def _call(view: RunView, turn: PreparedTurn, item: Item, index: int) -> Call | None:
    kind = item.get("type")
    if kind == "function_call":
        return _function_call(view, turn, item, index)
    if kind not in LOCAL_CALLS:
        return None
    local = LOCAL_CALLS[kind]
    name = str(item.get("name") or local)
    lane = local if local in LANES else ""
    call = Call(
        call_id(item),
        name,
        local,
        index,
        lane=lane,
        namespace=item.get("namespace"),
        server=str(item.get("server_label") or ""),
    )
    tool = turn.tool(call)
    if isinstance(tool, ShellTool) and not tool.is_local:
        return None  # The provider runs it.
    if tool is not None:
        view.live.tools[call.id] = tool
    return msgspec.structs.replace(call, approval=needs_person(tool, item))


def _function_call(view: RunView, turn: PreparedTurn, item: Item, index: int) -> Call:
    name, key = str(item.get("name")), str(item.get("call_id") or "")
    if name in turn.transfers:
        return Call(key, name, "handoff", index)
    namespace = item.get("namespace")
    tool = turn.functions.get(qualified(name, namespace))
    if tool is None:
        return Call(key, name, "unknown", index, namespace=namespace)
    view.live.tools[key] = tool
    needs, edition = needs_person(tool, item), edition_of(tool)
    return Call(key, name, "function", index, needs, tool.on_uncertain, namespace, edition=edition)
