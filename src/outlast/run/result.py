"""What a run came to, as its caller sees it."""

from __future__ import annotations

import copy
import dataclasses
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast

from outlast.core.errors import AgentsException, RunErrorDetails, UserError, WrongType
from outlast.core.events import UsageFacts
from outlast.core.growing import new_list
from outlast.core.items import without_reasoning_id
from outlast.definitions.agent import Agent
from outlast.definitions.context import RunContextWrapper, ToolContext
from outlast.definitions.guardrail import InputGuardrailResult, OutputGuardrailResult
from outlast.definitions.pydantic_support import PydanticInstance
from outlast.definitions.run_items import (
    ModelResponse,
    RunItem,
    ToolApprovalItem,
    ToolCallOutputItem,
)
from outlast.definitions.tool_guardrail import ToolInputGuardrailResult, ToolOutputGuardrailResult
from outlast.effects.conclude import final_output
from outlast.effects.guardrail import check_results
from outlast.effects.projection import (
    given_input,
    interruptions,
    left_out,
    new_items,
    raw_responses,
    waiting,
)
from outlast.engine.env import RunEnv
from outlast.run.copies import own_fields, portable_fields
from outlast.run.run_state import RunState
from outlast.views.status import status

if TYPE_CHECKING:
    from outlast.definitions.openai_types import TResponseInputItem
    from outlast.views.costs import UsageReport

T = TypeVar("T")
ToInputListMode = Literal["preserve_all", "normalized"]


@dataclass(frozen=True)
class AgentToolInvocation:
    """The call that a nested run answers."""

    tool_name: str
    tool_call_id: str
    tool_arguments: str


_MADE_WHEN_READ: dict[str, Callable[[RunEnv], Any]] = {
    "input": given_input,
    "new_items": lambda env: new_items(env, env.log.events),
    "raw_responses": raw_responses,
}
"""Fields that most callers never look at, and what makes them."""
_OF_PROCESS = {"_env", "_released", "_feed", "_first_state", "run_loop_task", "trace"}
"""Fields that mean nothing outside of the process that the run is in."""


@dataclass
class RunResultBase(PydanticInstance):
    """What plain and streamed results share. Lists are the caller's to change."""

    input: str | list[TResponseInputItem]
    new_items: list[RunItem]
    raw_responses: list[ModelResponse]
    final_output: Any
    input_guardrail_results: list[InputGuardrailResult]
    output_guardrail_results: list[OutputGuardrailResult]
    tool_input_guardrail_results: list[ToolInputGuardrailResult]
    tool_output_guardrail_results: list[ToolOutputGuardrailResult]
    context_wrapper: RunContextWrapper
    interruptions: list[ToolApprovalItem] = field(default_factory=new_list, kw_only=True)
    _env: RunEnv | None = field(default=None, repr=False, kw_only=True)
    _last_agent: Any = field(default=None, repr=False, kw_only=True)
    _released: weakref.ref[Any] | None = field(default=None, repr=False, kw_only=True)

    if not TYPE_CHECKING:  # To a checker, any name would do.

        def __getattr__(self, name: str) -> Any:
            make, env = _MADE_WHEN_READ.get(name), self.__dict__.get("_env")
            if make is None or env is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            made = self.__dict__[name] = make(env)
            return made

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002  # IPython's
        printer.text(str(self))

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A result whose items, output and lists are its own. The agents and the run are the same."""
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        fields = self._read()
        own = {name: value for name, value in fields.items() if name not in _OF_PROCESS}
        twin.__dict__.update(fields | own_fields(own, self._env, memo))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle keeps: everything but the run and the program, of which it keeps names."""
        fields = {name: value for name, value in self._read().items() if name not in _OF_PROCESS}
        return portable_fields(fields, self._env)

    def _read(self) -> dict[str, Any]:
        for name in _MADE_WHEN_READ:
            getattr(self, name)
        return self.__dict__

    @property
    def run_id(self) -> str:
        """The id under which the journal keeps the run; empty before it has begun."""
        return self._env.log.run_id if self._env else ""

    @property
    def last_agent(self) -> Agent:
        """The agent that ran last.

        Raises:
            AgentsException: The result was released and nobody else keeps the agent.
        """
        agent = self._released() if self._released else self._last_agent
        if agent is None:
            raise AgentsException(
                "Last agent reference is no longer available: the result was released and the agent "
                "was deleted. Keep a reference to the agent."
            )
        return agent

    @property
    def last_response_id(self) -> str | None:
        """The provider's id of the last answer, if there is one."""
        return self.raw_responses[-1].response_id if self.raw_responses else None

    @property
    def agent_tool_invocation(self) -> AgentToolInvocation | None:
        """The call that this run answers, where its agent ran as a tool."""
        context = self.context_wrapper
        if not isinstance(context, ToolContext):
            return None
        return AgentToolInvocation(context.tool_name, context.tool_call_id, context.tool_arguments)

    def final_output_as(self, cls: type[T], raise_if_incorrect_type: bool = False) -> T:
        """The final output, seen as ``cls`` by type checkers.

        Raises:
            TypeError: ``raise_if_incorrect_type`` is set and it is something else.
        """
        if raise_if_incorrect_type and not isinstance(self.final_output, cls):
            raise WrongType(f"Final output is not of type {cls.__name__}")
        return cast("T", self.final_output)

    def to_input_list(self, *, mode: ToInputListMode = "preserve_all") -> list[TResponseInputItem]:
        """The conversation as input for another run: the input, then the new items.

        What a handoff's filter took away from the next agent is left out; `new_items` has it.

        Args:
            mode: ``normalized`` gives what the model itself would see next, after handoff filters.
        """
        if mode not in ("preserve_all", "normalized"):
            raise UserError(f"Unsupported to_input_list mode: {mode}")
        given: list[Any] = (
            [{"content": self.input, "role": "user"}]
            if isinstance(self.input, str)
            else copy.deepcopy(list(self.input))
        )
        if mode == "normalized" and self._env:
            items: Sequence[Any] = [e.item for e in self._env.log.state.model_entries]
            return [*given, *copy.deepcopy(items)]
        told = left_out(self._env) if self._env else set[int]()
        kept = [
            item
            for item in self.new_items
            if not isinstance(item, ToolApprovalItem) and id(item) not in told
        ]
        added: list[Any] = [item.to_input_item() for item in kept]
        if self._env and self._env.log.state.options.omits_reasoning_ids:
            added = list(map(without_reasoning_id, added))
        return [*given, *added]

    def release_agents(self, *, release_new_items: bool = True) -> None:
        """Hold agents by weak reference from now on, so that they can be freed."""
        items, _, _ = (
            self.new_items,
            self.raw_responses,
            self.input,
        )  # They cannot be made after this.
        if release_new_items:
            for item in items:
                item.release_agent()
        if self._last_agent is not None:
            self._released = weakref.ref(self._last_agent)
            self._last_agent = None
        self._env = None

    def waiting(self) -> dict[str, ToolApprovalItem]:
        """The calls that wait for a person, by the key that the run's log knows them by."""
        return waiting(self._env) if self._env else {}

    def spent(self) -> UsageFacts:
        """What this run's own log counts: its model calls and those of its agents used as tools."""
        return self._env.log.state.usage if self._env else UsageFacts()

    def usage_report(self, *, prices: object = None) -> UsageReport:
        """What the run, with all runs inside it, has used and cost, by run, agent, model and tool.

        Args:
            prices: A `PriceTable`, or the path of one; None: those of the run's settings.
        """
        from outlast.run.costs import report_now

        assert self._env
        env, table = self._env, prices
        if table is None:
            table = env.config.prices
        return report_now(env.log.journal, env.log.run_id, table)

    def to_state(self) -> RunState:
        """The run as something to approve calls on, to store, and to give back to `Runner.run`.

        It has what the run has recorded so far: the call of a tool that has begun is in it, and is
        performed again, or not, as the tool's `on_uncertain` says.

        Raises:
            UserError: The result was released, or has been pickled.
        """
        if self._env is None:
            raise UserError(
                "This result has no run behind it, because its agents were released or because it comes "
                "from a pickle, and a state is made from the run. Call to_state() before that."
            )
        return RunState.of(self._env)


@dataclass
class RunResult(RunResultBase):
    """What a finished or waiting run came to."""

    _last_agent: Any = field(default=None, repr=False)
    max_turns: int | None = field(default=10, kw_only=True)

    def __str__(self) -> str:
        agent = f'- Last agent: Agent(name="{self.last_agent.name}", ...)'
        return described(self, "RunResult", agent)


def described(result: RunResultBase, title: str, *about: str) -> str:
    """A result in a few lines, those ``about`` it first."""
    value = result.final_output
    output = _shown(value)
    indented = "\n".join(f"    {line}" for line in output.splitlines()) or "    "
    counts = (
        (len(result.new_items), "new item(s)"),
        (len(result.raw_responses), "raw response(s)"),
        (len(result.input_guardrail_results), "input guardrail result(s)"),
        (len(result.output_guardrail_results), "output guardrail result(s)"),
    )
    lines = [
        f"{title}:",
        *about,
        f"- Final output ({type(value).__name__}):",
        indented,
        *(f"- {count} {what}" for count, what in counts),
        f"(See `{title}` for more details)",
    ]
    return "\n".join(lines)


def _shown(value: object) -> str:
    from pydantic import BaseModel
    from pydantic_core import PydanticSerializationError

    if not isinstance(value, BaseModel):
        return str(value)
    try:
        return value.model_dump_json(indent=2)
    except PydanticSerializationError:  # It holds what JSON does not know.
        return str(value)


def fill(result: RunResultBase, env: RunEnv) -> None:
    """Bring ``result`` up to what the run has come to."""
    state = env.log.state
    for name in _MADE_WHEN_READ:
        result.__dict__.pop(name, None)
    result.final_output = final_output(env) if status(state) == "completed" else None
    result.input_guardrail_results = check_results(env, "input")
    result.output_guardrail_results = check_results(env, "output")
    result.tool_input_guardrail_results = check_results(env, "tool_input")
    result.tool_output_guardrail_results = check_results(env, "tool_output")
    result.context_wrapper = env.context
    result.interruptions = interruptions(env)
    result.__dict__.update(_env=env, _last_agent=env.agents.named(state.agent))


def details(env: RunEnv) -> RunErrorDetails:
    """What a run had done when it failed."""
    return RunErrorDetails(
        input=given_input(env),
        new_items=[_settled(item) for item in new_items(env, env.log.events)],
        raw_responses=raw_responses(env),
        last_agent=env.agents.named(env.log.state.agent),
        context_wrapper=env.context,
        input_guardrail_results=check_results(env, "input"),
        output_guardrail_results=check_results(env, "output"),
        tool_input_guardrail_results=check_results(env, "tool_input"),
        tool_output_guardrail_results=check_results(env, "tool_output"),
    )


def _settled(item: RunItem) -> RunItem:
    """An item whose output no longer changes when its tool's value does."""
    if not isinstance(item, ToolCallOutputItem):
        return item
    output = _copied(item.output, {})
    return item if output is item.output else dataclasses.replace(item, output=output)


def _copied(value: Any, known: dict[int, Any]) -> Any:
    """A copy of the containers in ``value``, circles included; what they hold stays as it is."""
    kind = cast("Any", type(value))
    if kind not in _CONTAINERS:
        return value
    if id(value) in known:
        return known[id(value)]
    if kind is tuple:
        made = tuple(_copied(each, known) for each in value)
        return known.setdefault(id(value), made)
    fresh: Any = kind()
    known[id(value)] = fresh
    if kind is dict:
        fresh.update({key: _copied(each, known) for key, each in value.items()})
    else:
        fresh.extend(_copied(each, known) for each in value)
    return fresh


_CONTAINERS: tuple[Any, ...] = (dict, list, tuple)


def empty(context: RunContextWrapper) -> dict[str, Any]:
    """The fields of a result before anything has happened."""
    return {
        "input": "",
        "new_items": [],
        "raw_responses": [],
        "final_output": None,
        "input_guardrail_results": [],
        "output_guardrail_results": [],
        "tool_input_guardrail_results": [],
        "tool_output_guardrail_results": [],
        "context_wrapper": context,
    }
