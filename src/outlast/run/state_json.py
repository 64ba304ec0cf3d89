"""A stored run: the log, which is all that is read, and what other readers expect beside it.

The names beside `outlast` are those of the format that programs have learnt to look at: who runs,
what was said, what waits. They are a view, written from the log and not read back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any, cast

import msgspec

from outlast.core.errors import AgentsException, UserError
from outlast.core.events import Event, ModelReplied, RunStarted
from outlast.core.ids import EffectId
from outlast.core.items import call_id, invocation
from outlast.core.state import RunState as Folded, answered
from outlast.core.usage import Usage, deserialize_usage, serialize_usage
from outlast.definitions.approvals import Approvals, Decision, owner_of
from outlast.definitions.context import approvals_of
from outlast.effects.projection import given_input
from outlast.effects.registry import AnyAgent, Registry, definition, namesakes, reachable
from outlast.engine.env import RunEnv
from outlast.journal.journal import BlobStore
from outlast.run.state_view import named, normal_input, views_of
from outlast.views.items import contents
from outlast.views.status import failure_of, status

CURRENT_SCHEMA_VERSION = "1.21"
SUPPORTED_SCHEMA_VERSIONS = frozenset(f"1.{minor}" for minor in range(22))
_NEEDED: dict[str, type] = {"context": dict, "current_agent": dict}
_DAMAGED = "The run state is damaged or no run state: "
_STORE = "Store what `to_json` or `to_string` returned, as it is."
_FIRST_WITH_MARKER = 17
"""The first minor version that knows of outputs that were accepted and not saved."""


def check_document(data: object) -> None:
    """Refuse what is not a state that this version reads.

    Raises:
        UserError: It is not an object, or its version is missing or not supported.
    """
    if not isinstance(data, dict):
        raise UserError("Run state JSON must be an object")
    document = cast("dict[str, Any]", data)
    version = document.get("$schemaVersion")
    if version in (None, ""):
        raise UserError("Run state is missing schema version")
    if not isinstance(version, str):
        raise UserError("Run state schema version has an invalid type")
    if version not in SUPPORTED_SCHEMA_VERSIONS:
        raise UserError(
            "Run state schema version is not supported. Supported versions are: "
            f"{', '.join(sorted(SUPPORTED_SCHEMA_VERSIONS))}. New snapshots are written as version "
            f"{CURRENT_SCHEMA_VERSION}."
        )
    is_old = int(version.partition(".")[2]) < _FIRST_WITH_MARKER
    if is_old and document.get("terminal_unrecoverable"):
        raise UserError("Run state terminal marker is invalid: its version does not have one")
    lacking = [name for name in _NEEDED if not isinstance(document.get(name), _NEEDED[name])]
    if lacking:
        raise UserError(
            f"{_DAMAGED}{', '.join(map(repr, lacking))} is missing or of another type. {_STORE}"
        )
    context: Any = document["context"]
    if not isinstance(context.get("context_meta") or {}, dict):
        raise UserError(f"{_DAMAGED}context.context_meta is of another type. {_STORE}")
    if version == CURRENT_SCHEMA_VERSION and not isinstance(
        context.get("tool_invocations", {}), dict
    ):
        raise UserError("Run state context.tool_invocations must be a mapping")


def document_of(env: RunEnv, events: list[Event], context: dict[str, Any]) -> dict[str, Any]:
    """A run and its log as JSON types; ``context`` is as `context_to_json` keeps it."""
    state = env.log.state
    options = state.options
    is_chained = options.chains_responses or options.previous_response_id is not None
    document: dict[str, Any] = {
        "$schemaVersion": CURRENT_SCHEMA_VERSION,
        "current_turn": current_turn(state) if events else 0,
        "current_agent": named(env, env.agents.named(state.agent)),
        "original_input": normal_input(given_input(env)),
        "context": {
            "usage": serialize_usage(env.context.usage),
            "approvals": {},
            "tool_invocations": {},
            **context,
            "function_tool_approvals": _decisions(env),
        },
        "max_turns": state.max_turns,
        "no_active_agent_run": True,
        "conversation_id": options.conversation_id,
        "previous_response_id": (state.response_id or options.previous_response_id)
        if is_chained
        else None,
        "auto_previous_response_id": options.chains_responses,
        "generated_prompt_cache_key": None,
        "reasoning_item_id_policy": "omit" if options.omits_reasoning_ids else None,
        "current_turn_persisted_item_count": state.saved,
        "outlast": {
            "run_id": env.log.run_id,
            "events": msgspec.to_builtins(events),
            "decisions": _own_decisions(env),
            "namesakes": _marks(env.agents.first, env.agents),
        },
    }
    document |= views_of(env)
    if unsaved := unsaved_items(state):
        session = {"session_id": state.options.session_id, "items": unsaved}
        document["pending_session_write"] = msgspec.to_builtins(session)
    elif is_write_pending(state):
        document["pending_session_write"] = msgspec.to_builtins(_held_back(state))
    if is_closed(state):
        document["terminal_unrecoverable"] = True
    return document


def current_turn(state: Folded) -> int:
    """The turn that a run is in: one whose model has not answered counts from its beginning on."""
    is_asking = state.prepared is not None and state.reply is None
    return max(state.turn + is_asking, 1)


def read_events(document: dict[str, Any]) -> tuple[str, list[Event]]:
    """The id and the log of a stored run.

    Raises:
        UserError: The document holds no log.
    """
    kept: Any = document.get("outlast")
    if not isinstance(kept, dict):
        raise UserError("The run state has no Outlast log. Only states of Outlast can go on.")
    with read_part("outlast"):
        log = msgspec.convert(kept, _Log)
    for name in [log.run_id, *log.texts.values()]:
        with read_part("outlast"):
            name.encode()
    events: list[Event] = []
    for number, each in enumerate(log.events):
        with read_part(f"outlast.events[{number}]"):
            events.append(msgspec.convert(each, Event))
            _check_event(number, events[number])
    return log.run_id, events


def _check_event(number: int, event: Event) -> None:
    """Refuse an event that is not where, or not what, an event of a log is."""
    if isinstance(event, RunStarted) == bool(number):
        raise ValueError("a log begins with the start of the run, and has one")
    if isinstance(event, ModelReplied) and any(
        not 0 <= call.index < len(event.output) for call in event.calls
    ):
        raise ValueError("it has a call that the model's output does not have")


def read_usage(form: Any) -> Usage:
    """What a stored run says it has used.

    Raises:
        UserError: Something in it is no number.
    """
    with read_part("context.usage"):
        for name in ("requests", "input_tokens", "output_tokens", "total_tokens"):
            msgspec.convert(form.get(name), int | None)
        return deserialize_usage(form)


class _Log(msgspec.Struct):
    """The part of a stored run that is read back."""

    run_id: Annotated[str, msgspec.Meta(min_length=1)]
    events: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    texts: dict[str, str] = {}  # msgspec makes one for each


_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading raises where a value is not what it was when it was stored."""


@contextmanager
def read_part(name: str) -> Generator[None]:
    """Read a part of a stored run; ``name`` is where it stands.

    Raises:
        UserError: It is not what was stored.
    """
    try:
        yield
    except AgentsException:
        raise
    except _UNREADABLE as error:
        said = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{_DAMAGED}{name} cannot be read ({said:.200}). {_STORE}") from error


def _marks(first: AnyAgent, known: Registry) -> dict[str, str]:
    """What tells agents of one name apart, by the names that the log knows them by."""
    return {known.name(each): definition(each) for group in namesakes(first) for each in group}


def read_namesakes(document: dict[str, Any], first: AnyAgent) -> dict[str, str]:
    """What told agents of one name apart when the state was stored, for `Registry`.

    Raises:
        UserError: The program does not tell them apart any more, or an older version cannot have.
    """
    marks: dict[str, str] = document["outlast"].get("namesakes", {})
    with read_part("outlast.namesakes"):
        marks = msgspec.convert(marks, dict[str, str])
    is_old = document["$schemaVersion"] in _WITHOUT_OWNERS
    for group in namesakes(first):
        hooked = [_hook_place(each) for each in group if each.hooks is not None]
        own = {mark for name, mark in marks.items() if name.partition("#")[0] == group[0].name}
        now = [definition(each) for each in group]
        if hooked and len(own) > 1 and len(set(now)) < len(now):
            raise UserError(
                f"The program cannot distinguish same-name agents {group[0].name!r} any more, as it could "
                "when the run state was stored. Give them names, instructions or tools of their own."
            )
        if is_old and len(set(hooked)) < len(hooked):
            raise UserError(
                f"The run state has legacy duplicate-agent identities with hooks: nobody knows which "
                f"agent {group[0].name!r} it means. Store it with this version, or rename the agents."
            )
    return marks


_WITHOUT_OWNERS = {f"1.{minor}" for minor in range(21)}
"""Versions that told agents of one name apart by what their hooks had counted."""


def _hook_place(agent: AnyAgent) -> tuple[Any, ...]:
    hooks: Any = agent.hooks
    return (agent.handoff_description, dataclasses.is_dataclass(hooks), type(hooks).__qualname__)


def past_calls(document: dict[str, Any]) -> dict[str, str]:
    """What answered calls of a hand-made state's input asked for, by their ids.

    A version that did not keep track of calls kept those that somebody had decided about.
    """
    given: Any = document.get("original_input")
    is_tracked = "tool_invocations" in document["context"] or document["outlast"].get("events")
    if is_tracked or not isinstance(given, list):
        return {}
    items: list[Any] = [each for each in cast("list[Any]", given) if isinstance(each, dict)]
    answers = {call_id(each) for each in items if str(each.get("type")).endswith("_output")}
    decided = {each["call_id"] for each in document["outlast"]["decisions"]}
    calls = (each for each in items if not str(each.get("type")).endswith("_output"))
    known = answers & decided
    return {call_id(each): invocation(each) for each in calls if call_id(each) in known}


def texts_of(events: list[Event], blobs: BlobStore) -> dict[str, str]:
    """What a log refers to by the hash of its content: instructions and the documents of tools."""
    names = sorted(contents(events))
    return {name: blobs.get(name).decode("utf-8", "replace") for name in names}


def read_decisions(document: dict[str, Any], first: AnyAgent, marks: dict[str, str]) -> Approvals:
    """What people had decided, for the agents that the program ``first`` begins."""
    named, registry = reachable(first), Registry(first, marks)
    agents: dict[str, AnyAgent] = {}
    kept: list[dict[str, Any]] = []
    for decision in document["outlast"]["decisions"]:
        name, mark = decision["agent_name"], decision.get("definition")
        agent = registry.find(name)
        agent = named[name][0] if agent is None and name in named else agent
        namesakes: list[AnyAgent] = []
        if agent is not None:
            agents[name], namesakes = agent, named[agent.name]
        # Where two namesakes are defined alike nobody knows, and a person is asked again.
        if len(namesakes) <= 1 or [n for n in namesakes if definition(n) == mark] == [agent]:
            kept.append({key: value for key, value in decision.items() if key != "definition"})
    return Approvals.from_json(kept, agents)


# --- What is not saved. ------------------------------------------------------------------


def unsaved_items(state: Folded) -> list[dict[str, Any]]:
    """What a failed run could not add to its session; empty when that is not why it failed."""
    failure = failure_of(state)
    if failure is None or EffectId.parse(failure.source).kind != "session":
        return []
    before = state.before_failure
    assert before
    if not before.is_input_saved:
        return list(before.new_input)
    entries = [*before.entries.since(before.saved), *answered(before)]
    return [entry.item for entry in entries]


def is_write_pending(state: Folded) -> bool:
    """Whether something is kept back from the session that is still to come into it."""
    return (state.before_failure or state).holds_back and status(state) != "completed"


def _held_back(state: Folded) -> dict[str, Any]:
    """What is kept back from the session, and which reply it belongs to."""
    state = state.before_failure or state
    items = [entry.item for entry in [*state.entries.since(state.saved), *answered(state)]]
    return {
        "session_id": state.options.session_id,
        "items": items,
        "before": None,
        "persisted_count": 0,
        "held": True,
        "response_id": state.reply.response_id if state.reply else None,
        "store": state.reply.store if state.reply else None,
        "reasoning_item_id_policy": "omit" if state.options.omits_reasoning_ids else None,
        "current_response": {"turn": state.turn, "start": 0},
    }


def is_closed(state: Folded) -> bool:
    """Whether an output was accepted, and the run failed to save it: nothing is left to do again."""
    before = state.before_failure
    if before is None or not unsaved_items(state) or before.output is None:
        return False
    return len(before.passed) >= len(before.output.guardrails) and before.turn > 0


# --- Decisions. --------------------------------------------------------------------------


def _own_decisions(env: RunEnv) -> list[dict[str, Any]]:
    """The decisions, each with the name that the log knows its agent by."""
    known = {owner_of(agent): (name, agent) for name, agent in env.agents.known().items()}
    decisions = approvals_of(env.context).to_json()
    for decision in decisions:
        if (found := known.get(decision["capability"]["owner"])) is not None:
            decision["agent_name"], decision["definition"] = found[0], definition(found[1])
    return decisions


def _decisions(env: RunEnv) -> list[dict[str, Any]]:
    """The decisions by agent and tool, to look at; the last one about a call, or about all, holds."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for each in approvals_of(env.context).decisions:
        key = (each.agent_name, each.capability.name)
        found[key] = _decided(found.get(key, {"approved": [], "rejected": []}), each)
    return [
        {"agent": {"name": agent}, "tool_key": tool, "decision": decision}
        for (agent, tool), decision in found.items()
    ]


def _decided(before: dict[str, Any], decision: Decision) -> dict[str, Any]:
    """What is decided about a tool, with one decision more."""
    side, other = ("approved", "rejected") if decision.approved else ("rejected", "approved")
    call_id, text = decision.call_id, decision.message
    messages = {
        key: said for key, said in before.get("rejection_messages", {}).items() if key != call_id
    }
    if text is not None and not decision.approved:
        messages[call_id] = text
    after = {key: value for key, value in before.items() if key != "rejection_messages"}
    if messages:
        after["rejection_messages"] = messages
    if decision.always:
        after |= {side: True, other: []}
        after.pop("sticky_rejection_message", None)
        is_told = text is not None and not decision.approved
        return after if not is_told else after | {"sticky_rejection_message": text}
    for name in (side, other):
        if isinstance(after[name], list):
            after[name] = [known for known in after[name] if known != call_id]
    if isinstance(after[side], list):
        after[side].append(call_id)
    return after
