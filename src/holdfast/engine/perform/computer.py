"""Using a computer as a model asks: its actions in order, then one screenshot."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from holdfast.core.effects import RunTool
from holdfast.core.errors import ModelBehaviorError, UserError
from holdfast.core.events import Item
from holdfast.definitions.computer import (
    ComputerTool,
    ComputerToolSafetyCheckData,
    resolve_computer,
)
from holdfast.definitions.logger import logger
from holdfast.engine.env import RunEnv
from holdfast.engine.projection import behind

_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "click": ("x", "y", "button"),
    "double_click": ("x", "y"),
    "move": ("x", "y"),
    "scroll": ("x", "y", "scroll_x", "scroll_y"),
    "type": ("text",),
    "keypress": ("keys",),
    "wait": (),
    "screenshot": (),
    "drag": ("path",),
}
_UNCHECKED = (
    "A computer call has safety checks and its tool has no on_safety_check: the actions proceed "
    "without acknowledging them. Configure ComputerTool.on_safety_check to decide."
)
_MOUSE = {"click", "double_click", "move", "scroll", "drag"}


async def use_computer(
    env: RunEnv, effect: RunTool, tool: ComputerTool[Any], item: Item
) -> tuple[Item, str, str]:
    """The output item, the screenshot as a data URL, and the screenshot.

    Raises:
        UserError: A safety check was not acknowledged; nothing was done.
        ModelBehaviorError: The computer has no such action.
    """
    acknowledged = await _acknowledged(env, effect, tool, item)
    computer: Any = await resolve_computer(tool=tool, run_context=env.context)
    image = ""
    for action in item.get("actions") or [item.get("action") or {"type": "screenshot"}]:
        image = await _act(computer, action)
    if not image:
        image = await _call(computer, "screenshot")
    url = f"data:image/png;base64,{image}" if image else ""
    out: Item = {
        "type": "computer_call_output",
        "call_id": effect.call.id,
        "output": {"type": "computer_screenshot", "image_url": url},
    }
    if acknowledged:
        out["acknowledged_safety_checks"] = acknowledged
    return out, url, image


async def _act(computer: Any, action: Item) -> str:
    """Do one action; a screenshot's image, else nothing."""
    kind = str(action.get("type"))
    names = _ARGUMENTS.get(kind)
    method = getattr(computer, kind, None)
    if names is None or method is None:
        raise ModelBehaviorError(f"The computer has no action {kind!r}.")
    values: list[Any] = [action.get(name) for name in names]
    if kind == "drag":
        path: list[dict[str, int]] = action.get("path") or []
        values = [[(point["x"], point["y"]) for point in path]]
    held = action.get("keys") if kind in _MOUSE else None
    more = {"keys": held} if held and "keys" in inspect.signature(method).parameters else {}
    found = await _call(computer, kind, *values, **more)
    return found if kind == "screenshot" else ""


async def _call(computer: Any, name: str, *args: Any, **more: Any) -> Any:
    method = getattr(computer, name)
    if inspect.iscoroutinefunction(method):
        return await method(*args, **more)
    answer = await asyncio.to_thread(method, *args, **more)
    return await answer if inspect.isawaitable(answer) else answer


async def _acknowledged(
    env: RunEnv, effect: RunTool, tool: ComputerTool[Any], item: Item
) -> list[Item]:
    checks: list[Item] = item.get("pending_safety_checks") or []
    if not checks:
        return []
    if tool.on_safety_check is None:
        logger.warning(_UNCHECKED)
        return []
    call = behind(env, item)
    acknowledged: list[Item] = []
    for n, check in enumerate(checks):
        data = ComputerToolSafetyCheckData(
            ctx_wrapper=env.context,
            agent=env.agents.agent(effect.agent),
            tool_call=call,
            safety_check=call.pending_safety_checks[n],
        )
        answer = tool.on_safety_check(data)
        if not (await answer if inspect.isawaitable(answer) else answer):
            raise UserError("Computer tool safety check was not acknowledged")
        acknowledged.append(check)
    return acknowledged
