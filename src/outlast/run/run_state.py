"""A run between two of its acts: to decide on calls, to store, to go on from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, cast

import msgspec
from typing_extensions import TypeVar

from outlast.core.errors import UserError, WrongType
from outlast.core.events import Event, InputAdded, RunStarted
from outlast.core.ids import effect_id
from outlast.core.items import copied
from outlast.core.usage import copy_usage
from outlast.definitions.agent import Agent
from outlast.definitions.context import RunContextWrapper, approvals_of, keep_approvals
from outlast.definitions.run_items import ToolApprovalItem
from outlast.effects.guardrail import guardrail_names
from outlast.effects.projection import as_items, interruptions, wire
from outlast.engine.env import Live, RunEnv
from outlast.engine.local_runs import detached, new_run_id
from outlast.journal.journal import BlobStore
from outlast.run.copies import own_fields
from outlast.run.state_context import (
    ContextDeserializer,
    ContextSerializer,
    context_from_json,
    context_to_json,
)
from outlast.run.state_json import (
    CURRENT_SCHEMA_VERSION,
    SUPPORTED_SCHEMA_VERSIONS,
    check_document,
    document_of,
    past_calls,
    read_decisions,
    read_events,
    read_namesakes,
    read_part,
    read_usage,
    texts_of,
)
from outlast.run.state_seal import require_sealed, seal
from outlast.run.state_view import tools_used
from outlast.tracing.traces import TraceState
from outlast.views.items import staged_inputs
from outlast.views.status import status

if TYPE_CHECKING:
    from openai.types.responses import ResponseInputItemParam

TContext = TypeVar("TContext", default=Any)
TAgent = TypeVar("TAgent", default=Any)
__all__ = ["CURRENT_SCHEMA_VERSION", "SUPPORTED_SCHEMA_VERSIONS", "ContextOverride", "RunState"]

ContextOverride = Mapping[str, Any] | RunContextWrapper


class StateParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a `RunState` consists of."""

    agent: Any
    context: RunContextWrapper
    run_id: str
    events: list[Event]
    """The run's log; empty where the run has not begun."""
    added: list[InputAdded]
    """Input that was staged since."""
    texts: dict[str, str]
    """What the log refers to by the hash of its content."""
    live: Live
    max_turns: int | None
    kept_by_provider: tuple[str | None, str | None, bool]
    """The conversation, the response before, and whether each call continues the one before it."""


class RunState(Generic[TContext, TAgent]):
    """A run that waits, or was stopped, and can go on: `Runner.run(agent, state)`.

    Two states of one run share nothing that can change. Going on from a state of a run that has
    gone on since makes a fork of the run: the past is never rewritten. Only where going on fails,
    or is cancelled, does the state follow the run: the next attempt begins where that one ended.
    """

    def __init__(  # noqa: PLR0913  # upstream's signature
        self,
        context: RunContextWrapper,
        original_input: str | list[Any],
        starting_agent: Any,
        max_turns: int | None = 10,
        *,
        conversation_id: str | None = None,
        previous_response_id: str | None = None,
        auto_previous_response_id: bool = False,
    ) -> None:
        self._run_id = new_run_id()
        self._events: list[Event] = []
        """The run's log; empty where the run has not begun."""
        self._agent = starting_agent
        self._context = context
        self._live = Live(input=copied(original_input))
        self._texts: dict[str, str] = {}
        """What the log refers to by the hash of its content, for a journal that does not have it."""
        self._blobs: BlobStore | None = None
        """Where that is kept."""
        self._added: list[InputAdded] = []
        self._env: RunEnv | None = None
        self._max_turns = max_turns
        self._kept_by_provider = (conversation_id, previous_response_id, auto_previous_response_id)

    @classmethod
    def of(cls, env: RunEnv) -> RunState:
        """The state of a run as it is now."""
        state = cls(_copied(env.context), "", env.agents.first, env.log.state.max_turns)
        state._stand_at(env)
        return state

    def __copy__(self) -> Self:
        """Another state at the same place: what is decided on one is not decided on the other."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._context, twin._live, twin._env = _copied(self._context), self._live.copied(), None
        twin._events, twin._added = list(self._events), list(self._added)
        twin._texts = dict(self._texts)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same, with a copy of the caller's context too, where that can be copied."""
        twin = memo[id(self)] = copy.copy(self)
        own = own_fields(self._context.__dict__, None, memo)
        twin_context: RunContextWrapper = vars(twin)["_context"]
        twin_context.context = own["context"]
        return twin

    def follow(self, env: RunEnv) -> None:
        """Go on from where ``env`` stands: the run that went on from this state failed there."""
        self._stand_at(env)
        self._context, self._added, self._env = env.context, [], None
        env.live.settle()

    def _stand_at(self, env: RunEnv) -> None:
        self._run_id, self._events = env.log.run_id, list(env.log.events)
        self._live, self._blobs = env.live, env.log.journal.blobs

    def parts(self) -> StateParts:
        """What the state consists of, for whoever goes on with the run."""
        return StateParts(
            agent=self._agent,
            context=self._context,
            run_id=self._run_id,
            events=self._events,
            added=self._added,
            texts=self._texts,
            live=self._live,
            max_turns=self._max_turns,
            kept_by_provider=self._kept_by_provider,
        )

    @property
    def _trace_state(self) -> TraceState | None:
        """The trace that the run goes on with."""
        return self._live.trace

    # --- Deciding. -----------------------------------------------------------------------

    def get_interruptions(self) -> list[ToolApprovalItem]:
        """The calls that wait for a person."""
        return interruptions(self._view())

    def get_tool_use_tracker_snapshot(self) -> dict[str, list[str]]:
        """The names of what each agent has called so far, in order, each as often as it was called."""
        return tools_used(self._view())

    def approve(self, approval_item: ToolApprovalItem, always_approve: bool = False) -> None:
        """Let a waiting call go on, and all later calls of its tool if ``always_approve``."""
        self._context.approve_tool(approval_item, always_approve)

    def reject(
        self,
        approval_item: ToolApprovalItem,
        always_reject: bool = False,
        *,
        rejection_message: str | None = None,
    ) -> None:
        """Refuse a waiting call; the model is told ``rejection_message`` or a default text."""
        self._context.reject_tool(approval_item, always_reject, rejection_message)

    # --- Adding input. -------------------------------------------------------------------

    @property
    def pending_input(self) -> list[ResponseInputItemParam]:
        """Input that the run gets right before its next model call."""
        waiting = [*self._view().log.state.inbox, *self._added]
        staged: list[Any] = [copied(item) for added in waiting for item in added.items]
        return staged

    def add_input(self, input: str | list[ResponseInputItemParam]) -> None:
        """Stage input for the run's next model call.

        Raises:
            UserError: The run has ended, or may end without another model call.
        """
        view = self._view()
        _require_next_call(view)
        items = [wire(item) for item in as_items(input)]
        number = staged_inputs(self._events) + len(self._added)
        names = guardrail_names(self._agent, view.config)
        self._added.append(InputAdded(effect_id("input", number + 1), items, names))

    def clear_pending_input(self) -> None:
        """Forget staged input."""
        self._added.clear()

    # --- Storing. ------------------------------------------------------------------------

    def to_json(
        self,
        *,
        context_serializer: ContextSerializer | None = None,
        strict_context: bool = False,
        include_tracing_api_key: bool = False,
    ) -> dict[str, Any]:
        """The state in JSON types. The context object is kept only where it is a mapping.

        Raises:
            UserError: ``strict_context`` is set and the context cannot be kept.
        """
        view, trace = self._view(), self._live.trace
        value: Any = self._context.context
        context = context_to_json(value, context_serializer, strict=strict_context)
        document = document_of(view, self._events, context)
        if self._blobs is not None:
            self._texts |= texts_of(self._events, self._blobs)
        document["outlast"]["texts"] = dict(self._texts)
        document["trace"] = trace and trace.to_json(include_tracing_api_key=include_tracing_api_key)
        if not self._events:
            document["max_turns"] = self._max_turns
        document["pending_input"] = self.pending_input
        seal(document)
        return document

    def to_string(
        self,
        *,
        context_serializer: ContextSerializer | None = None,
        strict_context: bool = False,
        include_tracing_api_key: bool = False,
    ) -> str:
        """`to_json` as text."""
        data = self.to_json(
            context_serializer=context_serializer,
            strict_context=strict_context,
            include_tracing_api_key=include_tracing_api_key,
        )
        return msgspec.json.encode(data).decode()

    @classmethod
    async def from_string(
        cls,
        initial_agent: Agent,
        state_string: str,
        *,
        context_override: ContextOverride | None = None,
        context_deserializer: ContextDeserializer | None = None,
        strict_context: bool = False,
    ) -> RunState:
        """The state that `to_string` stored.

        Raises:
            UserError: It is not JSON, or not such a state.
        """
        try:
            data = msgspec.json.decode(state_string)
        except (TypeError, ValueError, RecursionError) as error:
            raise UserError("Failed to parse run state JSON") from error
        return await cls.from_json(
            initial_agent,
            data,
            context_override=context_override,
            context_deserializer=context_deserializer,
            strict_context=strict_context,
        )

    @classmethod
    async def from_json(
        cls,
        initial_agent: Agent,
        state_json: dict[str, Any],
        *,
        context_override: ContextOverride | None = None,
        context_deserializer: ContextDeserializer | None = None,
        strict_context: bool = False,
    ) -> RunState:
        """The state that `to_json` stored, for the program that ``initial_agent`` begins.

        Raises:
            UserError: Its version is missing or not supported, or it is not Outlast's, or damaged; or the
                program does not have the agent whose turn it is.
        """
        if not hasattr(initial_agent, "handoffs"):
            raise WrongType(
                "RunState.from_json takes the agent that began the run first, and the state second, got "
                f"{type(initial_agent).__name__} where the agent belongs."
            )
        check_document(state_json)
        require_sealed(state_json)
        saved: dict[str, Any] = state_json["context"]
        value: Any = context_override
        if value is None:
            value = context_from_json(saved, context_deserializer, strict=strict_context)
        run_id, events = read_events(state_json)
        marks = read_namesakes(state_json, initial_agent)
        context = cast("RunContextWrapper", value)
        if not isinstance(value, RunContextWrapper):
            context = RunContextWrapper(value)
        if context is not context_override:
            context.usage = read_usage(saved.get("usage"))
        with read_part("outlast.decisions"):
            keep_approvals(context, read_decisions(state_json, initial_agent, marks))
        state: RunState = cls(context, "", initial_agent, state_json.get("max_turns"))
        state._run_id, state._events = run_id, events
        with read_part("what it says"):
            state._restore(state_json, marks)
            state._require_agent()
        return state

    def _require_agent(self) -> None:
        view = self._view()
        name = view.log.state.agent
        if not view.log.state.ended and name and view.agents.find(name) is None:
            raise UserError(
                f"Run state agent not found in agent map: the run stands at {name!r}, and agent "
                f"{self._agent.name!r} neither is it nor hands off to it. Give the agent that began the run."
            )

    def _restore(self, stored: dict[str, Any], marks: dict[str, str]) -> None:
        given = None if self._events else stored["original_input"]
        trace, past = TraceState.from_json(stored.get("trace")), past_calls(stored)
        self._live = Live(input=given, trace=trace, namesakes=marks, past_calls=past)
        self._texts = dict(stored["outlast"].get("texts", {}))
        # What the log does not tell: the input that was staged since.
        pending: list[Any] = stored.get("pending_input") or []
        told = sum(len(added.items) for added in self._view().log.state.inbox)
        if pending[told:]:
            self.add_input(pending[told:])

    def _view(self) -> RunEnv:
        if self._env is None:
            events = self._events or [RunStarted(agent=self._agent.name, input=[])]
            self._env = detached(self._agent, self._run_id, events, self._context, self._live)
        self._env.context = self._context
        return self._env


def _copied(context: RunContextWrapper) -> RunContextWrapper:
    fresh: RunContextWrapper = RunContextWrapper(context.context, copy_usage(context.usage))
    fresh.turn_input, fresh.tool_input = list(context.turn_input), context.tool_input
    for decision in approvals_of(context).decisions:
        approvals_of(fresh).add(decision)
    return fresh


def _require_next_call(view: RunEnv) -> None:
    state = view.log.state
    if status(state) == "completed":
        raise UserError(
            "Cannot add input to a terminal RunState: the run has its output. Start a new run with "
            "result.to_input_list() and the new input."
        )
    calls = state.reply.calls if state.reply and state.open_calls else ()
    if not calls or any(call.kind == "handoff" for call in calls):
        return
    behavior: Any = view.agents.agent(state.agent).tool_use_behavior
    if behavior == "run_llm_again":
        return
    if isinstance(behavior, dict):
        names: Any = cast("dict[str, Any]", behavior).get("stop_at_tool_names", [])
        if not any(call.name in names or call.qualified_name in names for call in calls):
            return
    raise UserError(
        "Cannot add input to an interrupted RunState whose tool result may end the run before another "
        "model call. Add it after the waiting calls are decided and answered."
    )
