"""Events about what waits for a person; the rules of `core.events` hold here too."""

from __future__ import annotations

from typing import Literal

from outlast.core.records import Fact, Item, Part


class RequestRules(Part, frozen=True):
    """Who decides about a call, and until when."""

    needed: int = 1
    """So many have to agree."""
    deciders: tuple[str, ...] = ()
    """The only ones who may decide; empty for anybody."""
    expires_at: float | None = None
    """When the default holds, in seconds since 1970."""
    on_expiry: Literal["reject", "approve"] = "reject"
    escalates_at: float | None = None
    """When others may decide too."""
    escalates_to: tuple[str, ...] = ()


class ApprovalRequested(Fact, frozen=True, tag="approval.requested"):
    """A call waits for a person."""

    id: str
    """The tool effect that waits."""
    call_id: str
    agent: str
    name: str
    fingerprint: str = ""
    """Of the call's name and arguments: a decision holds for exactly this invocation."""
    reason: Literal["policy", "in_doubt", "child", "question"] = "policy"
    child: str = ""
    """The child run that waits, for an agent used as a tool."""
    item: Item = {}  # noqa: RUF012
    """The call itself, where it is not one of this run's own."""
    number: int = 0
    """How often this effect has asked before."""
    is_in_doubt: bool = False
    """Whether the call of a child run began already, and nobody knows how it ended."""
    edition: str = ""  # A hash of what somebody else's server says about the tool.
    change: str = ""  # What of that is another since a person approved it.
    ask: str = ""
    """Of a question that the tool asks, its name among those of the call."""
    question: str = ""
    choices: tuple[str, ...] = ()
    """What may be answered; empty for anything."""
    rules: RequestRules | None = None
    """Who decides, and until when; None: anybody, and for ever."""
    description: str = ""
    """What the server says about the tool now, where that is what has changed."""
    inner_number: int = 0
    """Of the call of a child run, which of its questions this is; 0 in logs that do not say it."""


class ApprovalWaived(Fact, frozen=True, tag="approval.waived"):
    """User code said that a call does not need a person."""

    id: str
    call_id: str


class ApprovalDecided(Fact, frozen=True, tag="approval.decided"):
    """A person decided about a call, or about all calls of its tool."""

    call_id: str
    approved: bool
    always: bool = False
    message: str | None = None
    agent: str = ""
    name: str = ""
    child: str = ""
    by: str = ""
    """Who decided, if they say so."""
    why: str = ""
    """For whoever reads the log; the model is told `message`."""
    at: float | None = None
    """When, in seconds since 1970."""
    arguments: str | None = None
    """What the call is to be made with, as JSON, where that is not what the model has asked for."""
    answer: str | None = None
    """What the tool is told, which has asked a question."""


class ApprovalVoted(Fact, frozen=True, tag="approval.voted"):
    """One of several people, who have to agree, has said yes or no; their last word counts."""

    call_id: str
    approved: bool
    child: str = ""
    by: str = ""
    why: str = ""
    at: float | None = None
    always: bool = False
    message: str | None = None
    arguments: str | None = None
    """What the call is to be made with; None: what the model has asked for."""
    answer: str | None = None
