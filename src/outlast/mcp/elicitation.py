"""Calls that wait for a person, put to the person behind an MCP client.

Until 2025 a server asked in the middle of a call; since then it answers that it needs input, and the
client calls again with it. A client that can ask nobody says so in many ways.
"""

from __future__ import annotations

import re
from typing import Any

from outlast.core.errors import AlreadyDecided, CallNotFound
from outlast.effects.config import RunConfig
from outlast.mcp.library import is_v2, module
from outlast.run.decisions import approve, reject

SHOWN = 4_000
BY = "mcp client"
RUN_ID = re.compile(r"mcp-[0-9a-f]{16,32}")
_SCHEMA = {
    "type": "object",
    "properties": {
        "approve": {"type": "boolean", "description": "Whether the call may be made."},
        "reason": {"type": "string", "description": "Why."},
    },
    "required": ["approve"],
}


def question(item: Any) -> str:
    """A call that waits, as a question."""
    arguments = str(item.arguments or "")
    shown = arguments if len(arguments) <= SHOWN else f"{arguments[:SHOWN]}…"
    changed = f" Its {item.change} changed since it was approved." if item.change else ""
    return f"May {item.agent.name!r} call {item.qualified_name!r} with {shown!r}?{changed}"


def waits_by_answer(ctx: Any) -> bool:
    """Whether a client is to call again with what a person has said."""
    if not is_v2():
        return False
    version = getattr(ctx.request_context, "protocol_version", None)
    capabilities = ctx.client_capabilities
    return (
        str(version or "") >= "2026-07-28"
        and getattr(capabilities, "elicitation", None) is not None
    )


def input_required(run_id: str, waiting: list[Any]) -> Any:
    """The answer that the client is to ask a person."""
    types: Any = module("types")
    requests = {
        item.question_id: types.ElicitRequest(
            params=types.ElicitRequestFormParams(message=question(item), requested_schema=_SCHEMA)
        )
        for item in waiting
    }
    return types.InputRequiredResult(input_requests=requests, request_state=run_id)


def resumed_run(ctx: Any) -> str:
    """The run that a client goes on with, whose question it was asked; empty for a new one."""
    state = getattr(ctx, "request_state", None) if is_v2() else None
    return state if isinstance(state, str) and RUN_ID.fullmatch(state) else ""


async def take_answers(run_id: str, ctx: Any, config: RunConfig | None) -> set[str]:
    """Record what a client says that a person has said; returns the questions that were dismissed."""
    dismissed = set[str]()
    answers: dict[str, Any] = (getattr(ctx, "input_responses", None) if is_v2() else None) or {}
    for call_id, answer in answers.items():
        if answer.action == "cancel":
            dismissed.add(call_id)
            continue
        content: dict[str, Any] = answer.content or {}
        is_fine = answer.action == "accept" and content.get("approve") is True
        await decide(run_id, call_id, (is_fine, str(content.get("reason") or "")), config)
    return dismissed


async def decide(
    run_id: str, call_id: str, answer: tuple[bool, str], config: RunConfig | None
) -> None:
    """Record a decision. What somebody else has decided meanwhile holds."""
    is_fine, why = answer
    try:
        if is_fine:
            await approve(run_id, call_id, by=BY, why=why, run_config=config)
        else:
            await reject(run_id, call_id, by=BY, message=why or None, run_config=config)
    except (AlreadyDecided, CallNotFound):
        return


async def asked_directly(ctx: Any, text: str) -> tuple[bool, str] | None:
    """What the person behind the client says; None if there is nobody whom it could ask."""
    from pydantic import BaseModel, Field

    class Decision(BaseModel):
        """What a person says about a call."""

        approve: bool = Field(description="Whether the call may be made.")
        reason: str = Field(default="", description="Why.")

    try:
        result = await ctx.elicit(text, Decision)
    except Exception:  # noqa: BLE001  # a client that cannot ask anybody says so in many ways
        return None
    if result.action == "accept":
        return result.data.approve, result.data.reason
    return (False, "") if result.action == "decline" else None
