"""Whether a call comes from somebody who may call its tool: the model, or a program that it wrote."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from outlast.core.errors import ModelBehaviorError
from outlast.core.events import Item
from outlast.core.state import RunState
from outlast.effects.turn import PreparedTurn


def check_caller(
    state: RunState, turn: PreparedTurn, reply: Iterable[Item], item: Item, tool: Any
) -> None:
    """Refuse a call ``item`` whose caller its ``tool`` does not allow.

    The program that calls may be in the run so far, or in the ``reply`` before the call.

    Raises:
        ModelBehaviorError: The caller is not allowed, or is a program that nobody knows.
    """
    caller: Any = item.get("caller")
    allowed: Any = getattr(tool, "allowed_callers", None)
    if caller is None and allowed is None:
        return
    who = "direct"
    if caller is not None and caller.get("type") == "program":
        who = "programmatic"
        require_programs(turn, f"A program called tool {tool.name}")
        if not _is_active(state, reply, str(caller.get("caller_id"))):
            raise ModelBehaviorError(
                f"A program called tool {tool.name}, but its parent program item is not in the "
                "conversation, or has ended."
            )
    if hasattr(tool, "allowed_callers") and who not in (allowed or ("direct",)):
        raise ModelBehaviorError(f"Tool {tool.name} does not allow caller {who}.")


def has_programs(turn: PreparedTurn) -> bool:
    """Whether the model can have called tools while it answered, by a program of its own."""
    return "programmatic_tool_calling" in turn.others


def require_programs(turn: PreparedTurn, event: str) -> None:
    """Refuse a program, or a call of one, that the agent did not ask for.

    Raises:
        ModelBehaviorError: The agent has no tool that lets the model write programs.
    """
    if not has_programs(turn):
        raise ModelBehaviorError(
            f"{event}, but agent {turn.agent.name} has no programmatic_tool_calling tool."
        )


def _is_active(state: RunState, reply: Iterable[Item], program: str) -> bool:
    """Whether the conversation has the program and not its end.

    Where the provider keeps the conversation, a call of the program stands for it.
    """
    options, active = state.options, False
    is_kept = options.conversation_id or options.previous_response_id or options.chains_responses
    for each in chain(state.head, (entry.item for entry in state.model_entries), reply):
        caller: Any = each.get("caller")
        if each.get("call_id") != program:
            active = active or bool(is_kept and caller and caller.get("caller_id") == program)
        elif each.get("type") == "program":
            active = True
        elif each.get("type") == "program_output":
            active = each.get("status") == "incomplete"
    return active
