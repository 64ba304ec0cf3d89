"""Calls of models and tools under the run's budgets; see `effects.spending`."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from outlast.calls.attempt import Attempt
from outlast.core.budgets import Amounts
from outlast.core.effects import CallModel, RunTool
from outlast.core.errors import BudgetExceeded
from outlast.core.events import ToolReturned, UsageAdded
from outlast.core.usage import Usage, facts_of
from outlast.definitions.clock import wall_s
from outlast.definitions.model import Model
from outlast.definitions.run_items import ModelResponse
from outlast.definitions.settings import ModelSettings
from outlast.effects.outcome import Emit, Outcome
from outlast.effects.purse import Purse
from outlast.effects.spending import Payer, Spending, cost_of, estimate, longest_answer, spending
from outlast.effects.unexecuted_calls import refused
from outlast.effects.view import RunView

Ask: TypeAlias = Callable[[], Awaitable[ModelResponse]]
"""Makes a call of a model."""

_LAST_TURN = (
    "This is the last answer that the budget allows. No tools can be used any more: answer now, with "
    "what you know."
)
_NO_CALLS_LEFT = "The tool was not run: the budget is used up. Answer with what you know."
_INSTRUCTIONS, _SETTINGS, _TOOLS, _HANDOFFS = 0, 2, 3, 5
"""Where they stand among what a model takes by position."""


def model_name(model: object) -> str:
    """The name that a model's price goes by."""
    name = getattr(model, "model", None)
    return name if isinstance(name, str) else type(model).__name__


def price_of(view: RunView, model: object, usage: Usage) -> int | None:
    """What a call cost by the prices that the run has, for its log; None where it has none.

    A run without prices of its own and without budgets asks no table: the public one is dated, and
    its look-up takes longer than all else of a turn.
    """
    purse = view.purse
    return purse and purse.prices.cost(model_name(model), facts_of(usage), wall_s())


def usage_added(effect_id: str, view: RunView, model: object, usage: Usage) -> UsageAdded:
    """What a call of a model took that is no reply of the run."""
    price = price_of(view, model, usage)
    return UsageAdded(effect_id, facts_of(usage), model_name(model), price)


async def paid_model_call(
    effect: CallModel, view: RunView, emit: Emit, attempt: Attempt, ask: Ask
) -> ModelResponse:
    """What ``ask`` brings, which makes one attempt of a model call.

    Raises:
        BudgetExceeded: The call does not fit into a budget. It was not begun.
    """
    payer = payer_of(effect, view, emit)
    if payer is None:
        return await ask()
    purse, name, settings = payer.purse, model_name(attempt.model), attempt.settings
    thought = estimate(purse, name, _texts(attempt), settings.max_tokens)
    async with spending(payer, thought.amounts, least=thought.least, kind=name) as spent:
        limit = longest_answer(purse, name, spent.grant, thought.sent)
        if spent.grant.last is not None or effect.id in view.state.last_turns:
            _without_tools(attempt)
        if limit is not None and limit < (settings.max_tokens or limit + 1):
            _replace(attempt, _SETTINGS, _bounded(attempt.args[_SETTINGS], limit))
        return await _counted(spent, purse, name, ask)


def payer_of(
    effect: CallModel | RunTool, view: RunView, emit: Emit, part: str = ""
) -> Payer | None:
    """Who pays for a call; None where nobody limits it."""
    if view.purse is None or not view.purse.budgets:
        return None
    return Payer(view.purse, view.run_id, view.state, effect.id, effect.agent, emit, part)


async def paid_request(
    payer: Payer | None, model: Model, texts: Sequence[object], ask: Ask
) -> ModelResponse:
    """What ``ask`` brings, which makes a call that is no turn of the run.

    Raises:
        BudgetExceeded: The call does not fit into a budget. It was not begun.
    """
    if payer is None:
        return await ask()
    purse, name = payer.purse, model_name(model)
    thought = estimate(purse, name, texts, None)
    async with spending(payer, thought.amounts, least=thought.amounts, kind=name) as spent:
        return await _counted(spent, purse, name, ask)


async def _counted(spent: Spending, purse: Purse, name: str, ask: Ask) -> ModelResponse:
    """The response, whose cost is noted. Of a call that is cancelled, all that was granted is."""
    try:
        response = await ask()
    except Exception:
        spent.actual = Amounts(requests=1)
        raise
    spent.actual = _actual(purse, name, response)
    return response


def _actual(purse: Purse, model: str, response: ModelResponse) -> Amounts:
    usage = facts_of(response.usage)
    total = max(usage.total_tokens, usage.input_tokens + usage.output_tokens)
    return Amounts(total, max(1, usage.requests), 0, cost_of(purse, model, usage))


def _texts(attempt: Attempt) -> list[Any]:
    instructions, items, _, tools, *_ = attempt.args
    schemas = [getattr(tool, "params_json_schema", "") for tool in tools]
    descriptions = [getattr(tool, "description", "") for tool in tools]
    return [instructions, items, schemas, descriptions]


def _without_tools(attempt: Attempt) -> None:
    instructions = attempt.args[_INSTRUCTIONS]
    said = f"{instructions}\n\n{_LAST_TURN}" if instructions else _LAST_TURN
    _replace(attempt, _INSTRUCTIONS, said)
    _replace(attempt, _TOOLS, [])
    _replace(attempt, _HANDOFFS, [])
    settings = copy.copy(attempt.args[_SETTINGS])
    settings.tool_choice = settings.parallel_tool_calls = None
    _replace(attempt, _SETTINGS, settings)


def _bounded(settings: ModelSettings, limit: int) -> ModelSettings:
    changed = copy.copy(settings)
    changed.max_tokens = limit
    return changed


def _replace(attempt: Attempt, place: int, value: Any) -> None:
    attempt.args = (*attempt.args[:place], value, *attempt.args[place + 1 :])
    if place == _SETTINGS:
        attempt.settings = value


async def paid_tool_call(
    effect: RunTool, view: RunView, emit: Emit, perform: Callable[..., Awaitable[Outcome]]
) -> Outcome:
    """What a tool's call comes to; the model is told where a graceful budget has no call left.

    Raises:
        BudgetExceeded: The call does not fit into a budget. It was not begun.
    """
    payer = payer_of(effect, view, emit)
    if payer is None:
        return await perform(effect, view, emit)
    wanted, has_begun = Amounts(tool_calls=1, ms=1), False
    try:
        async with spending(payer, wanted, least=wanted) as spent:
            has_begun = True
            tool = view.live.tools.get(effect.call.id)
            spent.counts_time = getattr(tool, "_agent_instance", None) is None
            return await perform(effect, view, emit)
    except BudgetExceeded as error:
        if has_begun or not error.is_graceful:
            raise
    item = refused(effect.call, _NO_CALLS_LEFT, view.call_item(effect.call.index))
    return Outcome([ToolReturned(effect.id, effect.call.id, item, "rejected", effect.call.name)])
