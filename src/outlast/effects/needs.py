"""Whether a call needs a person, as far as its tool says so beforehand."""

from __future__ import annotations

from typing import Any

from outlast.core.events import Item
from outlast.definitions.hosted_tools import HostedMCPTool


def needs_person(tool: Any, item: Item) -> Any:
    """`yes`, `no`, or `ask` where user code has to say."""
    if isinstance(tool, HostedMCPTool):
        is_code = tool.on_approval_request is not None and _is_bindable(item)
        return "no" if is_code else "yes"
    needs = getattr(tool, "needs_approval", False)
    return ("yes" if needs else "no") if isinstance(needs, bool) else "ask"


def _is_bindable(request: Item) -> bool:
    """Whether a provider's request says all that code may decide on: server, tool and arguments."""
    names = (request.get("server_label"), request.get("name"))
    is_text = isinstance(request.get("arguments"), str)
    return is_text and all(isinstance(each, str) and each for each in names)
