"""The records that events are made of, which are no events themselves."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Item = dict[str, Any]
"""One entry of the conversation, in the wire shape of the Responses API."""

CallKind = Literal[
    "function", "handoff", "unknown", "computer", "custom", "shell", "apply_patch", "local_shell",
    "mcp_approval", "hosted",
]  # fmt: skip
Policy = Literal["retry", "once", "ask"]


# gc=False here and in events.py, state.py and effects.py: these hold JSON and each other, never in a circle, and
# with many runs in flight the collector's visits to them took a tenth of all time.


class Fact(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", gc=False):
    """The base of every event."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The base of every record inside an event."""


class Call(Part, frozen=True):
    """One call that a model asked for, with what its name meant to the agent at that moment."""

    id: str
    name: str
    kind: CallKind
    index: int
    """Where the call stands in the reply's output."""
    approval: Literal["no", "yes", "ask"] = "no"
    """Whether it needs a person; `ask` means that user code has to say."""
    policy: Policy = "retry"
    namespace: str | None = None
    server: str = ""
    """The provider's server whose tool is called."""
    lane: str = ""
    """Calls of the same non-empty lane are performed one after another."""
    edition: str = ""
    """Of a tool of somebody else's server, a hash of what it said about the tool when it was offered."""

    @property
    def scoped_name(self) -> str:
        """What a decision for all calls of the tool is about: two servers may have one name."""
        own = _escaped(self.qualified_name) + (f"@{self.edition}" if self.edition else "")
        return f"{_escaped(self.server)}/{own}" if self.server else own

    @property
    def qualified_name(self) -> str:
        """The name behind its namespace; a namespace that only repeats the name is none."""
        has_one = self.namespace and self.namespace != self.name
        return f"{self.namespace}.{self.name}" if has_one else self.name


def _escaped(name: str) -> str:
    """A name that holds no slash: what stands before one is always a server."""
    is_plain = "/" not in name and "%" not in name
    return name if is_plain else name.replace("%", "%25").replace("/", "%2F")


class UsageFacts(Part, frozen=True):
    """Tokens that one or more requests took, as the provider counted them."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


class GuardrailNames(Part, frozen=True):
    """The guardrails that a run's input has to pass."""

    blocking: tuple[str, ...] = ()
    """They end before anything else starts."""
    parallel: tuple[str, ...] = ()
    """They run beside the first turn."""


class Entry(Part, frozen=True):
    """One item that a run added to its conversation, and whose it is."""

    item: Item
    kind: str
    """What the item is: message, reasoning, tool_call, tool_output, handoff_call, handoff_output, …"""
    agent: str
    source: str
    """The effect (or input) that the item came from."""
    to: str = ""
    """A handoff output's new agent."""
    is_filtered: bool = False
    """Whether a handoff's filter took it away from what comes after."""
    is_told: bool = False
    """Whether the run's input tells this already, in a summary that a handoff made of it."""
    data: dict[str, Any] | None = None
    """What a tool's author attached to its output for the caller."""
    value: dict[str, Any] | None = None
    """What a tool returned, where that is not its output; see `ToolReturned.value`."""


class History(Part, frozen=True):
    """A conversation as a handoff's filter left it."""

    head: list[Item]
    """Replaces the run's input."""
    entries: tuple[Entry, ...]
    """Replaces what the run has added so far, for the caller."""
    model_entries: tuple[Entry, ...] | None = None
    """The same for the model, where it differs."""


class ErrorFacts(Part, frozen=True):
    """An error, without its text's secrets: what class, which message, and where it belongs."""

    kind: str
    """The name of the exception's class."""
    message: str
    source: str = ""
    """The effect that raised it."""
    data: dict[str, Any] = {}
