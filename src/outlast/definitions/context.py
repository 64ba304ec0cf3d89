"""What user code is told about the run that calls it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypeVarTuple, overload

from typing_extensions import TypeVar

from outlast.core import doors
from outlast.core.errors import UserError, WrongValue
from outlast.core.growing import new_list
from outlast.core.usage import Usage, deserialize_usage, serialize_usage
from outlast.definitions.approvals import Approvals, Decision, field_of, qualified
from outlast.definitions.pydantic_support import pydantic_schema
from outlast.definitions.stream_events import ToolProgressStreamEvent

if TYPE_CHECKING:
    from openai.types.responses import ResponseFunctionToolCall

    from outlast.definitions.run_items import ToolApprovalItem, TResponseInputItem

TContext = TypeVar("TContext", default=Any)
_Result = TypeVar("_Result")
_Args = TypeVarTuple("_Args")
_MISSING: Any = object()


class EffectHandle(Protocol):
    """The engine's side of a running tool call."""

    @property
    def key(self) -> str:
        """The same text whenever this call is made again, after a crash or a retry."""
        ...

    @property
    def run_id(self) -> str:
        """The run that makes the call."""
        ...

    async def step(self, name: str, fn: Callable[[], Any], returns: object = None) -> Any:
        """The recorded result of the step `name`, or `fn`'s, recorded now."""
        ...

    def step_sync(self, name: str, fn: Callable[[], Any], returns: object = None) -> Any:
        """The same from a thread, which waits."""
        ...

    def show(self, event: ToolProgressStreamEvent) -> None:
        """Tell whoever watches the run."""
        ...

    def answer(self, question: str, choices: Sequence[str] = ()) -> str:
        """What a person has answered; leaves the tool where nobody has."""
        ...


class _UsageForm:
    """How pydantic sees a context's usage: the core, whose type it is, does not know pydantic."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> Any:
        return pydantic_schema(Usage, "dict", deserialize_usage, serialize_usage)


@dataclass(eq=False)
class RunContextWrapper(Generic[TContext]):
    """The object that was passed to the run as `context`, and the run's usage so far."""

    context: TContext
    usage: Annotated[Usage, _UsageForm()] = field(default_factory=Usage)
    turn_input: list[Any] = field(default_factory=new_list)
    """For hooks of an agent's start and end: what the agent got, as items."""
    _approvals: Approvals = field(default_factory=Approvals, repr=False)
    tool_input: Any | None = None
    """The structured input of an agent that runs as a tool."""

    def approve_tool(self, approval_item: ToolApprovalItem, always_approve: bool = False) -> None:
        """Let a waiting call go on, and all later calls of its tool if `always_approve`."""
        self._approvals.decide(approval_item, approved=True, always=always_approve, message=None)

    def reject_tool(
        self,
        approval_item: ToolApprovalItem,
        always_reject: bool = False,
        rejection_message: str | None = None,
    ) -> None:
        """Refuse a waiting call, and all later calls of its tool if `always_reject`.

        Args:
            approval_item: One of the run's interruptions.
            always_reject: Whether the answer is sticky.
            rejection_message: What the model is told instead of the default text.
        """
        self._approvals.decide(
            approval_item, approved=False, always=always_reject, message=rejection_message
        )

    def is_tool_approved(self, tool_name: str, call_id: str) -> bool | None:
        """Whether the call may run, as far as its tool's name tells; None while nobody has decided.

        A sticky decision belongs to one agent's tool, so none is found where agents share the name.
        """
        decision = self._decision(tool_name, call_id, None, None)
        return None if decision is None else decision.approved

    def get_approval_status(
        self,
        tool_name: str,
        call_id: str,
        *,
        tool_namespace: str | None = None,
        existing_pending: ToolApprovalItem | None = None,
        tool_lookup_key: object = None,
        current_invocation: ToolApprovalItem | None = None,
    ) -> bool | None:
        """Whether the call may run; None while nobody has decided.

        Sticky decisions count only with an item, which tells whose tool it is.

        Raises:
            ModelBehaviorError: The decision under this id was made about a different call.
        """
        item = existing_pending if current_invocation is None else current_invocation
        scope = _scope(tool_namespace, tool_lookup_key)
        if item is None:
            decision = self._approvals.named(qualified(tool_name, scope), call_id)
        else:
            decision = self._approvals.about(item, call_id)
        return None if decision is None else decision.approved

    def get_rejection_message(
        self,
        tool_name: str,
        call_id: str,
        *,
        tool_namespace: str | None = None,
        existing_pending: ToolApprovalItem | None = None,
        tool_lookup_key: object = None,
    ) -> str | None:
        """What the person who refused the call wants the model to be told, if anything."""
        scope = _scope(tool_namespace, tool_lookup_key)
        decision = self._decision(tool_name, call_id, scope, existing_pending)
        return None if decision is None or decision.approved else decision.message

    def _decision(
        self, name: str, call_id: str, scope: str | None, item: ToolApprovalItem | None
    ) -> Decision | None:
        if item is not None:
            return self._approvals.about(item, call_id)
        known = qualified(name, scope)
        return self._approvals.named(known, call_id) or self._approvals.sticky(known)


def _scope(namespace: str | None, lookup_key: object) -> str | None:
    if namespace is None and isinstance(lookup_key, tuple) and lookup_key[0] == "namespaced":
        return str(lookup_key[1])  # pyright: ignore[reportUnknownArgumentType]
    return namespace


@dataclass(eq=False)
class AgentHookContext(RunContextWrapper[TContext]):
    """What a hook is told about an agent's start and end; `turn_input` is what the agent got."""


@dataclass(eq=False, init=False)
class ToolContext(RunContextWrapper[TContext]):
    """What a tool is told about the call that it answers."""

    tool_name: str
    tool_call_id: str
    tool_arguments: str
    tool_call: ResponseFunctionToolCall | None
    tool_namespace: str | None
    agent: Any | None
    run_config: Any | None

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        context: TContext,
        usage: Usage = _MISSING,
        tool_name: str = _MISSING,
        tool_call_id: str = _MISSING,
        tool_arguments: str = _MISSING,
        tool_call: ResponseFunctionToolCall | None = None,
        *,
        tool_namespace: str | None = None,
        agent: Any | None = None,
        run_config: Any | None = None,
        turn_input: list[TResponseInputItem] | None = None,
        tool_input: Any | None = None,
        _approvals: Approvals | None = None,
        _effect: EffectHandle | None = None,
    ) -> None:
        self.context = context
        self.usage = Usage() if usage is _MISSING else usage
        self.turn_input = [] if turn_input is None else turn_input
        self._approvals = Approvals() if _approvals is None else _approvals
        self.tool_input = tool_input
        self.tool_name = tool_name
        self.tool_call_id = tool_call_id
        self.tool_arguments = tool_arguments
        for name in ("tool_name", "tool_call_id", "tool_arguments"):
            if self.__dict__[name] is _MISSING:
                raise WrongValue(f"{name} must be passed to ToolContext")
        self.tool_call = tool_call
        self.tool_namespace = tool_namespace or _namespace(tool_call)
        self.agent = agent
        self.run_config = _run_config(run_config)
        self._effect = _effect
        self._fault = ""
        self._unfit: list[Any] = []

    @classmethod
    def from_agent_context(  # noqa: PLR0913 (upstream's signature)
        cls,
        context: RunContextWrapper[TContext],
        tool_call_id: str,
        tool_call: ResponseFunctionToolCall | None = None,
        agent: Any | None = None,
        *,
        tool_name: str | None = None,
        tool_arguments: str | None = None,
        tool_namespace: str | None = None,
        run_config: Any | None = None,
        _effect: EffectHandle | None = None,
    ) -> ToolContext[TContext]:
        """The context of one call, sharing usage, approvals and the user's object with the run's.

        Raises:
            ValueError: Neither `tool_call` nor the keywords say which tool is called with what.
        """
        name = tool_name if tool_call is None else tool_name or tool_call.name
        arguments = tool_arguments
        if arguments is None and tool_call is not None:
            arguments = tool_call.arguments
        if isinstance(context, ToolContext):
            agent = context.agent if agent is None else agent
            run_config = context.run_config if run_config is None else run_config
        return cls(
            context.context,
            context.usage,
            _MISSING if name is None else name,
            tool_call_id,
            _MISSING if arguments is None else arguments,
            tool_call,
            tool_namespace=tool_namespace,
            agent=agent,
            run_config=run_config,
            turn_input=context.turn_input,
            tool_input=context.tool_input,
            _approvals=approvals_of(context),
            _effect=_effect,
        )

    @property
    def qualified_tool_name(self) -> str:
        """The tool's name, behind its namespace if it has one."""
        return qualified(self.tool_name, self.tool_namespace)

    @property
    def run_id(self) -> str:
        """The run that makes this call; empty outside a run."""
        return "" if self._effect is None else self._effect.run_id

    @property
    def idempotency_key(self) -> str:
        """The same text whenever this call is made again: after a crash, a retry, a resume.

        Give it to services that drop repeated requests. Empty outside a run.
        """
        return "" if self._effect is None else self._effect.key

    @overload
    async def step(
        self, name: str, fn: Callable[[*_Args], Any], *args: *_Args, returns: type[_Result]
    ) -> _Result: ...
    @overload
    async def step(
        self,
        name: str,
        fn: Callable[[*_Args], Awaitable[_Result]],
        *args: *_Args,
        returns: None = None,
    ) -> _Result: ...
    @overload
    async def step(
        self, name: str, fn: Callable[[*_Args], _Result], *args: *_Args, returns: None = None
    ) -> _Result: ...
    @overload
    async def step(
        self, name: str, fn: Callable[[*_Args], Any], *args: *_Args, returns: object
    ) -> Any: ...
    async def step(
        self,
        name: str,
        fn: Callable[..., Any | Awaitable[Any]],
        *args: object,
        returns: object = None,
    ) -> Any:
        """The result of `fn(*args)`, recorded under `name`: made once, whatever crashes afterwards.

        What you get is read back from the record, also the first time. Two steps of one name at once
        are one: the second waits for the first's result.

        Args:
            name: Unique among the steps of this call.
            fn: Sync or async. It returns JSON, tuples, sets, bytes, dates, decimals, or models,
                dataclasses, enums and named tuples whose class it says it returns, or can see.
            args: What it is called with.
            returns: What it returns, where its annotation does not say so.

        Raises:
            UserError: The log cannot keep what it returned. It is not called again.
        """
        call = partial(fn, *args)
        if self._effect is not None:
            return await self._effect.step(name, call, *(() if returns is None else (returns,)))
        result = call()
        return await result if inspect.isawaitable(result) else result

    @overload
    def step_sync(
        self, name: str, fn: Callable[[*_Args], Any], *args: *_Args, returns: type[_Result]
    ) -> _Result: ...
    @overload
    def step_sync(
        self, name: str, fn: Callable[[*_Args], _Result], *args: *_Args, returns: None = None
    ) -> _Result: ...
    @overload
    def step_sync(
        self, name: str, fn: Callable[[*_Args], Any], *args: *_Args, returns: object
    ) -> Any: ...
    def step_sync(
        self, name: str, fn: Callable[..., Any], *args: object, returns: object = None
    ) -> Any:
        """`step` for tools that are plain functions: calls `fn` in the tool's own thread."""
        call = partial(fn, *args)
        return call() if self._effect is None else self._effect.step_sync(name, call, returns)

    def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell whoever watches the run how far the tool has come; for use in the run's own loop.

        It becomes a `ToolProgressStreamEvent`. Nothing of it is recorded.
        """
        if self._effect is not None:
            self._effect.show(
                ToolProgressStreamEvent(self.tool_name, self.tool_call_id, progress, total, message)
            )

    async def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        """What a person answers. The tool is left until then, and called again with the answer.

        A run that waits holds no process, so everything before this line is done again: put what must
        not be done twice into a `step`, and catch no `BaseException` around it.

        Args:
            question: For the person. The same question asked again is another one.
            choices: What may be answered; empty for anything.

        Raises:
            UserError: There is nothing to ask, or the tool was not called by a run.
        """
        return self.ask_sync(question, choices)

    def ask_sync(self, question: str, choices: Sequence[str] = ()) -> str:
        """`ask` for tools that are plain functions."""
        is_wrong = not isinstance(choices, list | tuple) or not all(  # A set has no order.
            isinstance(each, str)  # pyright: ignore[reportUnnecessaryIsInstance]  # user code
            for each in choices
        )
        if not isinstance(question, str) or not question or is_wrong:  # pyright: ignore[reportUnnecessaryIsInstance]  # user code
            raise UserError(
                f"ask takes a question, and a list of texts to choose from; got {question!r:.60} and "
                f"{choices!r:.60}."
            )
        if self._effect is None:
            raise UserError(
                f"There is nobody to ask {question!r:.60}: the tool was not called by a run."
            )
        return self._effect.answer(question, choices)


def plain_context(context: RunContextWrapper[TContext]) -> RunContextWrapper[TContext]:
    """A context without the call in it, for tools that asked for no more."""
    return RunContextWrapper(
        context.context,
        context.usage,
        context.turn_input,
        approvals_of(context),
        context.tool_input,
    )


def _namespace(tool_call: object) -> str | None:
    found = field_of(tool_call, "namespace")
    return found if isinstance(found, str) and found else None


def _run_config(value: object) -> Any:
    if not isinstance(value, dict):
        return value
    return doors.behind("coerce_run_config")(value)


def approvals_of(context: RunContextWrapper) -> Approvals:
    """What people have decided about the calls of a run, as its context keeps it."""
    return context._approvals  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # this module's own


def keep_approvals(context: RunContextWrapper, approvals: Approvals) -> None:
    """Have ``context`` keep these decisions, and no others."""
    context._approvals = approvals  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # this module's own


_LONGEST_FAULT = 2_000


def note_fault(context: RunContextWrapper, text: str) -> None:
    """Note that what a call answers is an error, for whoever reads the log: its model reads an answer."""
    if isinstance(context, ToolContext):
        context._fault = text[:_LONGEST_FAULT] or "no words"  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # this module's own


def fault_of(context: ToolContext) -> str:
    """The error that a call has answered; empty if it answered none."""
    return context._fault  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # this module's own


def note_unfit(context: RunContextWrapper, value: object) -> None:
    """Note what a call has returned that is not what its tool declares: the tool has run."""
    if isinstance(context, ToolContext):
        context._unfit.append(value)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # this module's own


def unfit_of(context: ToolContext) -> list[Any]:
    """What a call has returned that is not what its tool declares, if it did."""
    return context._unfit  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # this module's own


def effect_of(context: RunContextWrapper) -> EffectHandle | None:
    """The effect that performs the call of a tool, for the context of a call; None for others."""
    if not isinstance(context, ToolContext):
        return None
    return context._effect  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # this module's own
