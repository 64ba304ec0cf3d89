"""What a tool's author attaches to an output for the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outlast.core.effects import RunTool
from outlast.core.errors import AgentsException, UserError, machine_error
from outlast.core.events import Event
from outlast.core.shown import shown
from outlast.definitions.tool import extracted_custom_data
from outlast.effects.live import failure_event
from outlast.effects.view import RunView


async def attached(
    effect: RunTool, view: RunView, tool: Any, seen: Callable[[], Any]
) -> tuple[dict[str, Any] | None, list[Event]]:
    """The data, and the failure of getting it: the tool has run, so its result stays all the same."""
    extractor: Any = getattr(tool, "custom_data_extractor", None)
    if extractor is None:
        return None, []
    try:
        return await extracted_custom_data(extractor, seen()), []
    except Exception as error:
        if machine_error(error) is not None:
            raise
        failure = error
        if not isinstance(error, AgentsException):
            failure = UserError(f"Error running tool {tool.name}: {shown(error)}")
            failure.__cause__ = error
        return None, [failure_event(effect, view.live, failure)]
