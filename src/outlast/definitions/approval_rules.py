"""Who decides about calls that wait, how many have to agree, and what holds if nobody does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from outlast.core.approval_events import RequestRules
from outlast.core.errors import AgentsException, IncompatibleRun, UserError, WrongType, WrongValue
from outlast.definitions.given import check_names, check_number


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRules:
    """How calls that wait for a person are decided about.

    Attributes:
        needed: So many different people have to agree. One no is enough to refuse, unless `deciders`
            are so many that the others can still agree.
        deciders: The only names (`by`) that count; empty for anybody.
        expires_after: After so long `on_expiry` holds; None: it waits for ever.
        on_expiry: ``"reject"`` or ``"approve"``. A question that a tool asks is refused either way.
        escalate_after: After so long `escalate_to` may decide too.
        escalate_to: Those names.
        tools: Only calls of these tools; empty for all.

    Raises:
        UserError: They contradict each other.
    """

    needed: int = 1
    deciders: Sequence[str] = ()
    expires_after: timedelta | None = None
    on_expiry: Literal["reject", "approve"] = "reject"
    escalate_after: timedelta | None = None
    escalate_to: Sequence[str] = ()
    tools: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_number("ApprovalRules(needed=...)", self.needed, least=1, whole=True)
        for name in ("deciders", "escalate_to", "tools"):
            check_names(f"ApprovalRules({name}=...)", getattr(self, name))
            if "" in getattr(self, name):
                raise WrongValue(
                    f"ApprovalRules({name}=...) has an empty name, which nobody bears."
                )
        if self.needed < 1 or (self.deciders and self.needed > len(set(self.deciders))):
            raise UserError(
                f"ApprovalRules(needed={self.needed!r}) must be 1 or more, and no more than the "
                f"{len(set(self.deciders))} deciders."
            )
        if self.on_expiry not in ("reject", "approve"):
            raise UserError(
                f"ApprovalRules(on_expiry=...) is 'reject' or 'approve', got {self.on_expiry!r:.40}."
            )
        if (self.escalate_after is None) != (not self.escalate_to):
            raise UserError("ApprovalRules: escalate_after and escalate_to go together.")
        if self.escalate_to and not self.deciders:
            raise UserError(
                "ApprovalRules(escalate_to=...) needs deciders: else anybody may decide."
            )
        for name in ("expires_after", "escalate_after"):
            value: Any = getattr(self, name)
            if value is not None and not isinstance(value, timedelta):
                raise WrongType(
                    f"ApprovalRules({name}=...) must be a timedelta, got {value!r:.40}."
                )
            if value is not None and value <= timedelta(0):
                raise UserError(f"ApprovalRules({name}=...) must be above 0, got {value!r}.")

    def at(self, now: float) -> RequestRules:
        """The rules for a call that waits since ``now``."""
        return RequestRules(
            needed=self.needed,
            deciders=tuple(self.deciders),
            expires_at=_later(now, self.expires_after),
            on_expiry=self.on_expiry,
            escalates_at=_later(now, self.escalate_after),
            escalates_to=tuple(self.escalate_to),
        )


def every_rule(given: ApprovalRules | Sequence[ApprovalRules]) -> Sequence[ApprovalRules]:
    """One or several, as several."""
    return (given,) if isinstance(given, ApprovalRules) else given


def rules_for(given: Any, tool: str, now: float) -> RequestRules | None:
    """The rules for a call of ``tool``: those of the first that name it, or that name none."""
    found = next((each for each in every_rule(given) if not each.tools or tool in each.tools), None)
    return found and found.at(now)


def rules_facts(rules: ApprovalRules) -> dict[str, Any]:
    """Rules as a log has them: what of them is not the default. Times are in seconds."""
    return {
        name: value.total_seconds() if isinstance(value, timedelta) else value
        for name, value in asdict(rules).items()
        if value != getattr(_PLAIN, name)
    }


def rules_of(facts: dict[str, Any]) -> ApprovalRules:
    """The rules that a log has.

    Raises:
        IncompatibleRun: This version knows no such rules.
    """
    times: dict[str, Any] = {
        name: timedelta(seconds=facts[name]) for name in _TIMES if name in facts
    }
    try:
        return ApprovalRules(**{**facts, **times})
    except (AgentsException, TypeError) as error:
        raise IncompatibleRun(
            "The run has approval rules that this version of Outlast does not know, so that nothing was "
            "done. Upgrade Outlast, or go on with rules that hold instead: RunConfig(approval_rules=...)."
        ) from error


_PLAIN = ApprovalRules()
_TIMES = ("expires_after", "escalate_after")


def _later(now: float, after: timedelta | None) -> float | None:
    return None if after is None else now + after.total_seconds()
