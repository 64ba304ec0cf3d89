"""Whether a call needs a person, as far as its tool says so beforehand, and who decides then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlast.core.events import Item
from outlast.definitions.approval_rules import ApprovalRules, every_rule, rules_of
from outlast.definitions.hosted_tools import HostedMCPTool
from outlast.effects.view import RunParts


def needs_person(tool: object, item: Item) -> Any:
    """`yes`, `no`, or `ask` where user code has to say."""
    if isinstance(tool, HostedMCPTool):
        is_code = tool.on_approval_request is not None and _is_bindable(item)
        return "no" if is_code else "yes"
    needs = getattr(tool, "needs_approval", False)
    return ("yes" if needs else "no") if isinstance(needs, bool) else "ask"


def rules_of_run(view: RunParts) -> Sequence[ApprovalRules]:
    """Who decides about a run's calls: as whoever performs it says, else as its log does.

    Raises:
        IncompatibleRun: The log has rules of a newer version.
    """
    stored = view.state.options.approval_rules
    return every_rule(view.config.approval_rules) or [rules_of(each) for each in stored]


def _is_bindable(request: Item) -> bool:
    """Whether a provider's request says all that code may decide on: server, tool and arguments."""
    names = (request.get("server_label"), request.get("name"))
    is_text = isinstance(request.get("arguments"), str)
    return is_text and all(isinstance(each, str) and each for each in names)
