"""Whether a call needs a person."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from outlast.core.deciding import wants_names
from outlast.core.effects import AskApproval, RunTool
from outlast.core.errors import UserError
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalWaived,
    Event,
    ToolReturned,
)
from outlast.core.ids import EffectId
from outlast.core.items import invocation
from outlast.definitions.approval_rules import rules_for
from outlast.definitions.clock import wall_s
from outlast.definitions.context import approvals_of
from outlast.definitions.tool import FunctionTool
from outlast.effects.needs import rules_of_run
from outlast.effects.offers import change_since, edition_of
from outlast.effects.outcome import Emit, Outcome
from outlast.effects.prepare import live_turn, missing_tool, tells_of_missing_tools
from outlast.effects.projection import approval_item
from outlast.effects.tool import Handle, call_context, returned, wrapped
from outlast.effects.tool_guardrails import Checks
from outlast.effects.turn import PreparedTurn
from outlast.effects.view import RunView


async def ask_approval(effect: AskApproval, view: RunView, emit: Emit) -> Outcome:
    """Ask the tool's author whether this call needs a person, unless one has decided already."""
    call = effect.call
    turn = await live_turn(view)
    tool: Any = turn.tool(call)
    if tool is None and tells_of_missing_tools(view):
        return Outcome([ApprovalWaived(effect.id, call.id)])
    if tool is None:
        raise missing_tool(view, turn.agent, call)
    if call.approval == "ask" and not await _needs_person(view, effect, tool):
        return Outcome([ApprovalWaived(effect.id, call.id)])
    key = str(EffectId.parse(effect.id)._replace(kind="tool"))
    run = RunTool(id=key, name=call.name, agent=effect.agent, call=call)
    checked = await _checked_before(view, emit, run, turn)
    if checked and isinstance(checked[-1], ToolReturned):
        return Outcome([ApprovalWaived(effect.id, call.id), *checked])
    return Outcome([*checked, *await _asked(view, run, tool)])


async def _checked_before(
    view: RunView, emit: Emit, run: RunTool, turn: PreparedTurn
) -> list[Event]:
    """What the tool's guardrails say before a person is asked, where the run wants to know.

    It ends with the call's answer where one of them refuses the call.
    """
    execution, tool = view.config.tool_execution, turn.tool(run.call)
    if execution is None or not execution.pre_approval_tool_input_guardrails:
        return []
    if not isinstance(tool, FunctionTool) or not tool.tool_input_guardrails:
        return []
    checks, context = (
        Checks(view, run),
        call_context(view, turn, run.call, tool, Handle(view, emit, run.id)),
    )
    refusal = await checks.ask_about_input(context, tool)
    if refusal is None:
        checks.keep()
        return checks.events
    return [*(await returned(view, run, tool, context, refusal, checks)).events]


async def _asked(view: RunView, run: RunTool, tool: object) -> list[Event]:
    """The request for a person's word, and that word where it is known already."""
    call = run.call
    item = view.call_item(call.index)
    rules = rules_for(rules_of_run(view), call.name, wall_s())
    request = ApprovalRequested(
        run.id,
        call.id,
        run.agent,
        call.name,
        invocation(item),
        edition=edition_of(tool),
        change=change_since(view, call),
        rules=rules,
    )
    waiting = approval_item(view, call.id, request, item)
    said: dict[str, Any]
    if wants_names(rules):
        return [request]  # Neither the program nor its context says who decides.
    if (asked := getattr(tool, "on_approval", None)) is not None:
        answer: Any = asked(view.context, waiting)
        answer = await answer if inspect.isawaitable(answer) else answer
        said = {"approved": bool(answer["approve"]), "message": answer.get("reason")}
    else:
        known = approvals_of(view.context).about(waiting, call.id)
        if known is None or (known.always and request.change):
            return [request]
        said = {"approved": known.approved, "always": known.always, "message": known.message}
    return [request, ApprovalDecided(call.id, agent=run.agent, name=call.scoped_name, **said)]


async def _needs_person(view: RunView, effect: AskApproval, tool: Any) -> bool:
    item = view.call_item(effect.call.index)
    if not isinstance(tool, FunctionTool):
        subject = item.get("operation") or item.get("action") or item.get("input")
        return _yes_or_no(await tool.needs_approval(view.context, subject, effect.call.id), tool)
    arguments = tool.approval_arguments(item.get("arguments") or "")
    if arguments is None:
        return True  # Nobody but a person may decide on what cannot be shown as it will run.
    asked: Any = tool.needs_approval
    if not callable(asked):
        raise UserError(
            f"needs_approval of tool {tool.name!r} must be a bool or a callable, got {asked!r}."
        )
    answer: Any = await wrapped(tool.name, _told(asked, view.context, arguments, effect.call.id))
    return _yes_or_no(answer, tool)


async def _told(asked: Callable[..., Any], *about: object) -> Any:
    """What an author's function says."""
    answer = asked(*about)
    return await answer if inspect.isawaitable(answer) else answer


def _yes_or_no(answer: Any, tool: Any) -> bool:
    """An author's word as a bool. What may be a forgotten `return` does not let a call go on.

    Raises:
        UserError: It says neither.
    """
    if isinstance(answer, bool) or answer:
        return bool(answer)
    raise UserError(
        f"needs_approval of tool {tool.name!r} must return True or False, got "
        f"{'None' if answer is None else type(answer).__name__}. Nothing was performed. Return False "
        "for a call that needs no person."
    )
