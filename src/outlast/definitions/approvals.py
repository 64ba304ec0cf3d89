"""What a person decided about the calls that wait for one.

A decision holds for one call (its id) or, when sticky, for one capability: the agent, the tool and its
namespace, or a hosted MCP server and its tool. A decision about one call also remembers what that call
asked for, so that another call that bears the same id is not covered by it.
"""

from __future__ import annotations

import json
import uuid
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, cast

from outlast.core.errors import ModelBehaviorError, UserError, WrongType
from outlast.definitions.pydantic_support import pydantic_schema


class Capability(NamedTuple):
    """What a sticky decision covers."""

    owner: str
    """The agent, by identity: two may share a name. See `owner_of`."""
    kind: str
    """`tool`, or `mcp` for a tool that a provider's server runs."""
    scope: str
    """A namespace, or the label of an MCP server."""
    name: str

    def answers_to(self, name: str) -> bool:
        """Whether somebody who knows only a tool's name means this."""
        return name == self.name if self.kind == "mcp" else name == qualified(self.name, self.scope)


@dataclass(frozen=True)
class Decision:
    """One answer of a person."""

    approved: bool
    capability: Capability
    call_id: str
    agent_name: str
    always: bool = False
    message: str | None = None
    fingerprint: str = ""
    question: str = ""
    """Which question of the call it answers: it says nothing about a later one."""


_owners: dict[int, tuple[weakref.ref[Any], str]] = {}


def owner_of(agent: Any) -> str:
    """A name for this very object, in this process, that no other object will ever bear."""
    if agent is None:
        return ""
    key = id(agent)
    known = _owners.get(key)
    if known is None or known[0]() is not agent:
        ref = weakref.ref(agent, lambda _ref: _owners.pop(key, None))
        known = _owners[key] = (ref, uuid.uuid4().hex)
    return known[1]


def qualified(name: str, namespace: str | None) -> str:
    """A tool's name with its namespace, if it has a real one."""
    return name if not namespace or namespace == name else f"{namespace}.{name}"


def field_of(raw: Any, name: str) -> Any:
    """A field of an item, be it a dict or an object."""
    if isinstance(raw, dict):
        return cast("dict[str, Any]", raw).get(name)
    return getattr(raw, name, None)


def _mcp_request(raw: Any) -> Any:
    """The request for a person's word that a provider sent about its own MCP tool, or None."""
    provider = field_of(raw, "provider_data")
    if field_of(provider, "type") == "mcp_approval_request":
        return provider
    return raw if field_of(raw, "type") == "mcp_approval_request" else None


def call_id_of(item: Any) -> str:
    """The id of the call that waits.

    Raises:
        ModelBehaviorError: The item names no call, so that no decision could be tied to it.
        UserError: It is a provider's request without an id.
    """
    request = _mcp_request(item.raw_item)
    if request is not None:
        found = field_of(request, "id")
        found = field_of(item.raw_item, "id") if found is None else found
        if not isinstance(found, str) or not found:
            raise UserError("Hosted MCP approval decisions require a non-empty request id.")
        return found
    found = field_of(item.raw_item, "call_id") or field_of(item.raw_item, "id")
    if not found:
        raise ModelBehaviorError(
            "Approval decisions require a non-empty call ID for recognized tool invocations. That of tool "
            f"{item.tool_name!r} has none; pass an item from `result.interruptions`."
        )
    return str(found)


def capability_of(item: Any) -> Capability:
    """What a sticky decision about this item would cover."""
    raw, owner = item.raw_item, owner_of(item.agent)
    name = item.tool_name or field_of(raw, "name") or field_of(raw, "type") or "unknown_tool"
    request = _mcp_request(raw)
    if request is None:
        return Capability(owner, "tool", item.tool_namespace or "", str(name))
    label = field_of(request, "server_label")
    name = field_of(request, "name") or field_of(raw, "name")
    return Capability(owner, "mcp", str(label or ""), str(name or ""))


def fingerprint(raw: Any) -> str:
    """What a call asks for, as one comparable text; white space in its arguments does not count."""
    raw = _mcp_request(raw) or raw
    bodies = (field_of(raw, each) for each in ("arguments", "input", "action", "operation"))
    body: Any = next((each for each in bodies if each is not None), "")
    if hasattr(body, "model_dump"):
        body = body.model_dump(exclude_unset=True)
    if isinstance(body, str):
        with suppress(ValueError):
            body = json.loads(body)
    name, scope = field_of(raw, "name"), field_of(raw, "namespace")
    server = field_of(raw, "server_label")
    facts = [field_of(raw, "type"), name, scope, server, body]
    return json.dumps(facts, sort_keys=True, default=str)


class Approvals:
    """The decisions of one run, shared by all its contexts."""

    __slots__ = ("_answers", "_calls", "_sticky", "decisions")

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        """In the order in which they were made."""
        self._calls: dict[tuple[Capability, str], Decision] = {}
        self._answers: dict[tuple[Capability, str], Decision] = {}
        """By the questions that they answer, as runs inside a run may have calls of one id."""
        self._sticky: dict[Capability, Decision] = {}

    def decide(self, item: Any, *, approved: bool, always: bool, message: str | None) -> None:
        """Remember an answer. The last answer about a call wins.

        Raises:
            UserError: The item lacks what the decision would be tied to.
            ModelBehaviorError: The item's call id was decided about for a different call.
        """
        if not hasattr(item, "raw_item"):
            raise WrongType(
                f"A decision is about one of the run's interruptions, got {type(item).__name__}. Pass "
                "one of result.interruptions, or of state.get_interruptions()."
            )
        call_id, capability = call_id_of(item), capability_of(item)
        if capability.kind == "mcp" and always and not (capability.scope and capability.name):
            raise UserError(
                "Persistent hosted MCP approval decisions require a non-empty server_label and tool name."
            )
        if capability.kind == "mcp" and not (capability.scope and capability.name):
            raise ModelBehaviorError(
                "Approval decisions require a canonical invocation identity. The provider's request names "
                "no server, or no tool of it."
            )
        name = getattr(item.agent, "name", "")
        mark = fingerprint(item.raw_item)
        about = str(getattr(item, "question_id", ""))
        decision = Decision(approved, capability, call_id, name, always, message, mark, about)
        before = self._calls.get((capability, call_id))
        if before is not None and _call_of(before.question) == _call_of(about):
            _check_same(before, mark)
        self.add(decision)

    def add(self, decision: Decision) -> None:
        """Remember a decision that was made elsewhere."""
        self.decisions.append(decision)
        self._calls[decision.capability, decision.call_id] = decision
        if decision.question:
            self._answers[decision.capability, decision.question] = decision
        if decision.always:
            self._sticky[decision.capability] = decision

    def about(self, item: Any, call_id: str) -> Decision | None:
        """The decision that covers a call like `item`: the call's own, else the sticky one."""
        capability = capability_of(item)
        asked = str(getattr(item, "question_id", ""))
        own = self._answers.get((capability, asked)) or self._calls.get((capability, call_id))
        if own is None or own.question not in ("", asked, _short(item, call_id)):
            return self._sticky.get(capability)
        if field_of(item.raw_item, "call_id") == call_id:
            _check_same(own, fingerprint(item.raw_item))
        return own

    def named(self, name: str, call_id: str) -> Decision | None:
        """The decision about one call of which only the tool's name is known, if there is just one."""
        own = [
            each
            for (capability, known), each in self._calls.items()
            if known == call_id
            and capability.answers_to(name)
            and not (each.always and capability.kind == "tool")
        ]
        return own[0] if len(own) == 1 else None

    def sticky(self, name: str) -> Decision | None:
        """The sticky decision about all tools of a name, if only one tool of that name is known.

        A decision about a provider's MCP tool needs to know the server, so it is not found.
        """
        known = {
            capability
            for capability, _ in self._calls
            if capability.kind == "tool" and capability.answers_to(name)
        }
        return self._sticky.get(known.pop()) if len(known) == 1 else None

    def __len__(self) -> int:
        return len({capability for capability, _ in self._calls})

    def to_json(self) -> list[dict[str, Any]]:
        """All decisions, without the agents."""
        return [
            {**asdict(each), "capability": each.capability._asdict()} for each in self.decisions
        ]

    @classmethod
    def from_json(
        cls, decisions: Iterable[Any], agents: Mapping[str, Any] | None = None
    ) -> Approvals:
        """The decisions that `to_json` made.

        Args:
            decisions: As `to_json` returned them.
            agents: The agents that the decisions are about, by name. Without them a decision holds
                for the very object that it was made about, and so only in the same process.
        """
        approvals = cls()
        for given in decisions:
            if not isinstance(given, dict) or "capability" not in given:
                continue  # Of another SDK, which did not say whose tool it was about.
            facts = dict(cast("dict[str, Any]", given))
            capability = Capability(**facts["capability"])
            if agents is not None:
                owner = owner_of(agents.get(facts["agent_name"])) or uuid.uuid4().hex
                capability = capability._replace(owner=owner)
            facts["capability"] = capability
            approvals.add(Decision(**facts))
        return approvals

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        return pydantic_schema(cls, "list", cls.from_json, cls.to_json)


def _call_of(question: str) -> str:
    return question.rpartition("@")[0]


def _short(item: Any, call_id: str) -> str:
    """A question as decisions named it that were stored before the calls of nested runs had whole names."""
    return f"{call_id}@{getattr(item, 'question_number', 1)}"


def _check_same(decided: Decision, mark: str) -> None:
    if decided.fingerprint and decided.fingerprint != mark:
        raise ModelBehaviorError(
            "Model reused a tool call ID for a different invocation. Use a unique call ID for each"
            " tool invocation."
        )
