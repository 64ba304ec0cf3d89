"""How a run is to be run: everything that belongs to the run and not to one of its agents."""

from __future__ import annotations

import copy
import functools
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypedDict, TypeVar, cast

from outlast.calls.health import CircuitBreaker
from outlast.calls.prices import PriceTable
from outlast.core.errors import WrongType, WrongValue
from outlast.core.identity import NO_METADATA, RunMetadata, check_begin
from outlast.definitions.agent import Agent
from outlast.definitions.approval_rules import ApprovalRules, every_rule
from outlast.definitions.budget import Budget
from outlast.definitions.choices import check_choice
from outlast.definitions.compaction import Compaction
from outlast.definitions.context import RunContextWrapper, TContext
from outlast.definitions.given import check_flag, check_function, check_model, check_text
from outlast.definitions.guardrail import InputGuardrail, OutputGuardrail
from outlast.definitions.handoff import HandoffHistoryMapper, HandoffInputFilter
from outlast.definitions.hooks import RunHooks
from outlast.definitions.limits import ModelLimits
from outlast.definitions.members import check_guardrails
from outlast.definitions.model import Model, ModelProvider
from outlast.definitions.settings import ModelSettings, settings_from
from outlast.effects.error_handlers import RunErrorHandlers
from outlast.journal.journal import Journal
from outlast.models.provider import MultiProvider
from outlast.sessions.session import (
    SessionInputCallback,
    SessionLike,
    SessionSettings,
    session_settings_from,
)
from outlast.tracing.config import TracingConfig

if TYPE_CHECKING:
    from outlast.definitions.run_items import TResponseInputItem

DEFAULT_MAX_TURNS = 10

ReasoningItemIdPolicy: TypeAlias = Literal["preserve", "omit"]
ToolNotFoundBehavior: TypeAlias = Literal["raise_error", "return_error_to_model"]
ToolNameCollisionPolicy: TypeAlias = Literal["warn", "error"]
OnConflict: TypeAlias = Literal["error", "return"]
OnAbandon: TypeAlias = Literal["finish", "cancel", "leave"]
Durability: TypeAlias = Literal["power", "process", "memory"]

_T = TypeVar("_T")


@dataclass
class ModelInputData:
    """What a model is about to be sent."""

    input: list[TResponseInputItem]
    instructions: str | None


@dataclass
class CallModelData(Generic[TContext]):
    """What a `CallModelInputFilter` is told."""

    model_data: ModelInputData
    agent: Agent[TContext]
    context: TContext | None


CallModelInputFilter: TypeAlias = Callable[
    [CallModelData], Awaitable[ModelInputData] | ModelInputData
]


@dataclass
class ToolErrorFormatterArgs(Generic[TContext]):
    """A tool call that the model will be told went wrong."""

    kind: Literal["approval_rejected", "tool_not_found", "tool_exception"]
    tool_type: Literal["function", "computer", "shell", "apply_patch", "custom"]
    tool_name: str
    call_id: str
    default_message: str
    run_context: RunContextWrapper[TContext]
    error: Exception | None = None


ToolErrorFormatter: TypeAlias = Callable[
    [ToolErrorFormatterArgs], Awaitable[str | None] | str | None
]


@dataclass
class OutputGuardrailBlockedMessageArgs(Generic[TContext]):
    """A tool output that an output guardrail keeps out of the conversation."""

    default_message: str
    guardrail_name: str
    agent: Agent
    run_context: RunContextWrapper[TContext]


OutputGuardrailBlockedMessageFormatter: TypeAlias = Callable[
    [OutputGuardrailBlockedMessageArgs], str | None
]


@dataclass
class ToolExecutionConfig:
    """How function tools of a run are performed.

    Attributes:
        max_function_tool_concurrency: Calls performed at the same time; None for no bound.
        pre_approval_tool_input_guardrails: Check a call's arguments before a person is asked
            about it, and not only after.
    """

    max_function_tool_concurrency: int | None = None
    pre_approval_tool_input_guardrails: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.pre_approval_tool_input_guardrails, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise WrongValue(  # upstream's class
                "tool_execution.pre_approval_tool_input_guardrails must be a bool, got "
                f"{self.pre_approval_tool_input_guardrails!r}."
            )
        bound = self.max_function_tool_concurrency
        if bound is not None and not isinstance(bound, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise WrongType(
                f"tool_execution.max_function_tool_concurrency must be a whole number, got {bound!r:.40}."
            )
        if bound is not None and bound < 1:
            raise WrongValue(
                "tool_execution.max_function_tool_concurrency must be at least 1, got "
                f"{bound!r}. Leave it out for no bound."
            )


def _includes_sensitive_data() -> bool:
    said = os.environ.get("OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA", "true")
    return said.strip().lower() in ("1", "true", "yes", "on")


@dataclass
class RunConfig:
    """Settings of a whole run. Where an agent has the same setting, this one wins.

    A `dict` with these names is accepted wherever a `RunConfig` is, and likewise for
    ``model_settings``, ``session_settings`` and ``tool_execution`` in here.

    Attributes:
        model: The model of every agent in the run.
        model_provider: What finds models by name.
        model_settings: Laid over each agent's own; what is None in here changes nothing.
        handoff_input_filter: For handoffs that have no filter of their own.
        nest_handoff_history: Hand over the conversation as one summarising message.
        handoff_history_mapper: Writes that message.
        input_guardrails: Checked beside those of the first agent.
        output_guardrails: Checked beside those of the last agent.
        tracing_disabled: Open no trace and no span.
        tracing: An API key for this run's trace, and what it contains.
        trace_include_sensitive_data: Whether spans hold what models and tools got and said.
        workflow_name: The name of the trace.
        trace_id: Its id; None makes one.
        group_id: What ties several traces together, such as a conversation's id.
        trace_metadata: Anything else about the trace.
        session_input_callback: Merges a session's history with the new input.
        call_model_input_filter: Edits what a model is sent, just before it is sent.
        tool_error_formatter: Words what the model is told of a failed call.
        session_settings: Laid over the session's own.
        reasoning_item_id_policy: ``"omit"`` sends reasoning items back without their ids.
        sandbox: How sandbox agents get their sandbox.
        tool_execution: How function tools are performed.
        tool_not_found_behavior: What a call of an unknown tool does.
        tool_name_collision_policy: What two tools of one name do.
        output_guardrail_blocked_message: What stands for a tool output that an output guardrail
            refused. A function must not be async.
        journal: Where the run's log is kept: a journal, a path, ``"memory"`` or ``"off"``. None is the default
            journal of this process.
        durability: What the log survives: ``"power"`` cuts, ``"process"`` deaths, or nothing
            (``"memory"``). None leaves it to the journal.
        guardrails_hold_tools: Tools wait until the input guardrails have passed. False lets them
            run beside the guardrails.
        breaker: When a model that keeps failing is no longer asked, by any run that shares the
            journal: a call then fails at once with `CircuitOpen`. None asks it every time, but for
            the members of a `FallbackModel`, which has a breaker of its own.
        model_limits: What model calls may take. None is each model's own, else the defaults.
        metadata: Whose the run is: user, tenant, conversation, tags. Runs inside it inherit it.
        on_outage: What a provider that is down does once a model call's attempts are used up:
            ``"fail"`` the run, or ``"park"`` it: it then waits without a process, longer each time,
            and the call raises `RunParked`.
        budgets: What the run, with all runs inside it, may spend: a `Budget` or several. Runs inside it
            are under them too, whatever settings they have.
        approval_rules: Who decides about calls that wait, how many have to agree, and what holds if
            nobody does: an `ApprovalRules` or several, of which the first that fits a tool counts. Those
            of a run hold for the runs inside it too, before their own, whatever settings they have.
        prices: What models cost: a `PriceTable`, or the path of a JSON file. None is the table of
            `genai-prices`, if that is installed.
        on_change: What a run does that goes on under a program whose agents, instructions or tools are
            not those that it had: ``"go_on"`` says so in the log and asks the new program for what has
            not happened yet, ``"stop"`` raises `IncompatibleRun`, ``"fork"`` leaves the run as it is and
            goes on as a fork of it, ``"pin"`` keeps the instructions that the run had.
        on_conflict: What a ``run_id`` does whose run began with another input or agent: ``"error"``
            raises `RunConflict`; ``"return"`` goes on with that run, or returns what it came to.
        on_abandon: What becomes of a run whose caller goes away (a time-out, a cancelled task, a
            closed tab): ``"finish"`` lets it go on in this process, ``"cancel"`` ends it, ``"leave"``
            stops it until somebody resumes it. None is ``"leave"`` for `run` and `run_sync`, and
            ``"finish"`` for `run_streamed`.
        compaction: Keeps the conversation within what the model can read; None sends all of it.

    Raises:
        TypeError: A value is of the wrong type, or a dict has a key that is no setting.
        ValueError: A value is out of range.
    """

    model: str | Model | None = None
    model_provider: ModelProvider = field(default_factory=MultiProvider)
    model_settings: ModelSettings | None = None
    handoff_input_filter: HandoffInputFilter | None = None
    nest_handoff_history: bool = False
    handoff_history_mapper: HandoffHistoryMapper | None = None
    input_guardrails: list[InputGuardrail] | None = None
    output_guardrails: list[OutputGuardrail] | None = None
    tracing_disabled: bool = False
    tracing: TracingConfig | None = None
    trace_include_sensitive_data: bool = field(default_factory=_includes_sensitive_data)
    workflow_name: str = "Agent workflow"
    trace_id: str | None = None
    group_id: str | None = None
    trace_metadata: dict[str, Any] | None = None
    session_input_callback: SessionInputCallback | None = None
    call_model_input_filter: CallModelInputFilter | None = None
    tool_error_formatter: ToolErrorFormatter | None = None
    session_settings: SessionSettings | None = None
    reasoning_item_id_policy: ReasoningItemIdPolicy | None = None
    sandbox: Any | None = None
    tool_execution: ToolExecutionConfig | None = None
    tool_not_found_behavior: ToolNotFoundBehavior = "raise_error"
    tool_name_collision_policy: ToolNameCollisionPolicy = "warn"
    output_guardrail_blocked_message: str | OutputGuardrailBlockedMessageFormatter | None = None
    journal: Journal | str | Path | None = field(default=None, kw_only=True)
    durability: Durability | None = field(default=None, kw_only=True)
    guardrails_hold_tools: bool = field(default=True, kw_only=True)
    breaker: CircuitBreaker | None = field(default=None, kw_only=True)
    model_limits: ModelLimits | None = field(default=None, kw_only=True)
    metadata: RunMetadata | None = field(default=None, kw_only=True)
    on_outage: Literal["fail", "park"] = field(default="fail", kw_only=True)
    budgets: Budget | Sequence[Budget] = field(default=(), kw_only=True)
    approval_rules: ApprovalRules | Sequence[ApprovalRules] = field(default=(), kw_only=True)
    prices: PriceTable | str | Path | None = field(default=None, kw_only=True)
    on_change: Literal["go_on", "stop", "fork", "pin"] = field(default="go_on", kw_only=True)
    on_conflict: OnConflict = field(default="error", kw_only=True)
    on_abandon: OnAbandon | None = field(default=None, kw_only=True)
    compaction: Compaction | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.model_settings is not None:
            self.model_settings = settings_from(self.model_settings, "RunConfig model_settings")
        self.session_settings = session_settings_from(self.session_settings)
        self.tool_execution = _coerced(
            self.tool_execution, ToolExecutionConfig, "run_config.tool_execution"
        )
        self.model_limits = _coerced(self.model_limits, ModelLimits, "run_config.model_limits")
        self.breaker = _coerced(self.breaker, CircuitBreaker, "run_config.breaker")
        _check_choice(self, "tool_name_collision_policy", ToolNameCollisionPolicy)
        _check_choice(self, "tool_not_found_behavior", ToolNotFoundBehavior)
        _check_choice(self, "on_conflict", OnConflict)
        _check_choice(self, "on_outage", Literal["fail", "park"])
        _check_choice(self, "on_change", Literal["go_on", "stop", "fork", "pin"])
        if self.on_abandon is not None:
            _check_choice(self, "on_abandon", OnAbandon)
        self.compaction = _coerced(self.compaction, Compaction, "run_config.compaction")
        self.metadata = _as_metadata(self.metadata)
        check_begin(self.metadata or NO_METADATA)
        self.budgets = _all_of(self.budgets, Budget, "budgets")
        self.approval_rules = _all_of(self.approval_rules, ApprovalRules, "approval_rules")
        if self.durability is not None:
            _check_choice(self, "durability", Durability)
        if self.reasoning_item_id_policy is not None:
            _check_choice(self, "reasoning_item_id_policy", ReasoningItemIdPolicy)
        check_guardrails("RunConfig", "input", self.input_guardrails or ())
        check_guardrails("RunConfig", "output", self.output_guardrails or ())
        check_model("RunConfig model", self.model)
        for name in _FLAGS:
            check_flag(f"RunConfig {name}", getattr(self, name))
        for name in _FUNCTIONS:
            check_function(f"RunConfig {name}", getattr(self, name))
        for name in ("workflow_name", "trace_id", "group_id"):
            check_text(f"RunConfig {name}", getattr(self, name))
        _check_records(self)
        _check_blocked_message(self.output_guardrail_blocked_message)


def ruled(config: RunConfig, rules: Sequence[ApprovalRules]) -> RunConfig:
    """The settings of a run for which ``rules`` hold, and hold before its own."""
    own = every_rule(config.approval_rules)
    if not rules or all(each in own for each in rules):
        return config
    return replace(config, approval_rules=(*rules, *(each for each in own if each not in rules)))


def _check_records(config: RunConfig) -> None:
    """Refuse settings that would fail when they are first needed: a tool may have run by then."""
    if not callable(getattr(config.model_provider, "get_model", None)):
        raise WrongType(
            "RunConfig model_provider must be a ModelProvider, with a method get_model, got "
            f"{type(config.model_provider).__name__}. Pass a model's name or a Model as model=."
        )
    for name, value in (("tracing", config.tracing), ("trace_metadata", config.trace_metadata)):
        if value is not None and not isinstance(cast("Any", value), Mapping):
            raise WrongType(f"RunConfig {name} must be a dict or None, got {type(value).__name__}.")
    prices: Any = config.prices
    if prices is not None and not isinstance(prices, PriceTable | str | Path):
        raise WrongType(
            "RunConfig prices must be a PriceTable, the path of a JSON file, or None, got "
            f"{type(prices).__name__}."
        )
    check_journal(config.journal)


def check_journal(journal: object) -> None:
    """Refuse what no run can be kept in.

    Raises:
        WrongType: It is no journal, and names none.
    """
    if journal is None or isinstance(journal, str | Path):
        return
    if isinstance(journal, type) or not callable(getattr(journal, "acquire", None)):
        what = (
            f"the class {journal.__name__}" if isinstance(journal, type) else type(journal).__name__
        )
        raise WrongType(
            "RunConfig(journal=...) takes a path, 'memory', 'off' or a Journal such as SqliteJournal(...), "
            f"got {what}."
        )


def _all_of(given: object, kind: type[_T], name: str) -> tuple[_T, ...]:
    """One or several records of a kind, as several."""
    is_list = isinstance(given, list | tuple)
    every = () if given is None else cast("Sequence[Any]", given) if is_list else (given,)
    for each in every:
        if not isinstance(each, kind):
            raise WrongType(
                f"RunConfig {name} must be of type {kind.__name__}, or a list of such, got "
                f"{type(each).__name__}."
            )
    return tuple(every)


_FLAGS = (
    "guardrails_hold_tools", "nest_handoff_history", "tracing_disabled", "trace_include_sensitive_data",
)  # fmt: skip
_FUNCTIONS = (
    "handoff_input_filter", "handoff_history_mapper", "call_model_input_filter", "tool_error_formatter",
    "session_input_callback",
)  # fmt: skip


class RunOptions(TypedDict, Generic[TContext], total=False):
    """The keyword arguments of `Runner.run` and its siblings."""

    context: TContext | RunContextWrapper[TContext] | None
    max_turns: int | None
    hooks: RunHooks[TContext] | None
    run_config: RunConfig | dict[str, Any] | None
    previous_response_id: str | None
    auto_previous_response_id: bool
    conversation_id: str | None
    session: SessionLike | None
    error_handlers: RunErrorHandlers[TContext] | None
    run_id: str | None


def coerce_run_config(value: RunConfig | dict[str, Any] | None) -> RunConfig:
    """The settings that ``value`` stands for; the defaults for None.

    Raises:
        TypeError: ``value`` is neither, or has a key that is no setting.
    """
    if value is None:
        # Every plain run asks: what the defaults are was checked when they were first made.
        config = copy.copy(_defaults())
        config.model_provider = MultiProvider()
        config.trace_include_sensitive_data = _includes_sensitive_data()
        return config
    return _coerced(value, RunConfig, "run_config") or RunConfig()


@functools.cache
def _defaults() -> RunConfig:
    return RunConfig()


def brings_model_provider(value: RunConfig | dict[str, Any] | None) -> bool:
    """Whether the caller made the model provider, and so has to close it."""
    return isinstance(value, RunConfig) or (isinstance(value, dict) and "model_provider" in value)


def _coerced(value: object, kind: type[_T], name: str) -> _T | None:
    """``value`` as a `kind`; ``name`` is what errors call it."""
    if value is None or isinstance(value, kind):
        return value
    if not isinstance(value, dict):
        raise WrongType(
            f"{name} must be a {kind.__name__} instance or a dict, got {type(value).__name__}"
        )
    given = cast("dict[str, Any]", value)
    known = {one.name for one in fields(cast("Any", kind)) if one.init}
    if unknown := sorted(str(key) for key in given if key not in known):
        raise WrongType(
            f"Unknown {name} settings: {', '.join(unknown)}. Known are: {', '.join(sorted(known))}."
        )
    needed = (one.name for one in fields(cast("Any", kind)) if one.init and _has_no_default(one))
    if missing := sorted(set(needed) - given.keys()):
        raise WrongType(f"{name} lacks {', '.join(missing)}. Give all of them.")
    return kind(**given)


def _has_no_default(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _as_metadata(value: object) -> RunMetadata | None:
    """A run's metadata, which may be written as a dict."""
    if value is None or isinstance(value, RunMetadata):
        return value
    if not isinstance(value, dict):
        raise WrongType(
            f"run_config.metadata must be a RunMetadata or a dict, got {type(value).__name__}."
        )
    fields = cast("dict[str, Any]", value)
    if unknown := sorted(str(key) for key in fields if key not in RunMetadata.__struct_fields__):
        raise WrongType(
            f"Unknown run_config.metadata settings: {', '.join(unknown)}. Known are: "
            f"{', '.join(RunMetadata.__struct_fields__)}."
        )
    return RunMetadata(**fields)


def _check_choice(config: RunConfig, name: str, choices: object) -> None:
    check_choice(name, getattr(config, name), choices)


def _check_blocked_message(message: object) -> None:
    name = "output_guardrail_blocked_message"
    if message is None:
        return
    if isinstance(message, str):
        # A subclass could run code of its own wherever the text is used.
        if type(message) is not str:
            raise WrongType(f"{name} must be a built-in string, callable, or None")
        if not message:
            raise WrongValue(f"{name} must be non-empty")
    elif not callable(message):
        raise WrongType(
            f"{name} must be a string, callable, or None, got {type(message).__name__}."
        )
    elif any(map(inspect.iscoroutinefunction, (message, type(message).__call__))):
        raise WrongType(f"{name} formatter must be synchronous")
