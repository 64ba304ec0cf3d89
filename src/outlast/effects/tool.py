"""Answering a call: run a function tool, or say why it is not run."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

from outlast.core.effects import RunTool
from outlast.core.errors import (
    AgentsException,
    ModelBehaviorError,
    ToolOutputGuardrailTripwireTriggered,
    ToolTimeoutError,
    UserError,
)
from outlast.core.events import (
    ApprovalRequested,
    Call,
    ChildCompleted,
    ChildStarted,
    ErrorFacts,
    Event,
    Item,
    ToolReturned,
    UsageAdded,
    UsageFacts,
)
from outlast.core.items import invocation
from outlast.core.shown import class_name, shown
from outlast.core.state import approval_key, idempotency_key
from outlast.core.surrogates import without_surrogates
from outlast.definitions.approval_rules import rules_for
from outlast.definitions.arguments import told_fault
from outlast.definitions.attempts import one_attempt
from outlast.definitions.clock import wall_s
from outlast.definitions.context import ToolContext, fault_of, unfit_of
from outlast.definitions.enabled import gathered
from outlast.definitions.function_tool import DEFAULT_TOOL_ERROR_MESSAGE, checked
from outlast.definitions.logger import logger
from outlast.definitions.run_items import ToolApprovalItem
from outlast.definitions.stream_events import ToolProgressStreamEvent
from outlast.definitions.tool import (
    FunctionTool,
    FunctionToolCustomDataContext,
    FunctionToolResult,
    invoke_function_tool,
    maybe_invoke_function_tool_failure_error_function,
)
from outlast.definitions.tool_output import FailureText, tool_output_item
from outlast.definitions.values import unpack
from outlast.effects.custom_data import attached
from outlast.effects.failures import error_facts
from outlast.effects.hooks import tell
from outlast.effects.kept import keep_value, sees
from outlast.effects.needs import rules_of_run
from outlast.effects.offers import asked_again
from outlast.effects.outcome import Emit, HookCall, Outcome
from outlast.effects.prepare import live_turn, missing_tool, tells_of_missing_tools
from outlast.effects.projection import behind, live_question, wire
from outlast.effects.steps import Steps
from outlast.effects.tool_guardrails import Blocked, Checks
from outlast.effects.turn import PreparedTurn
from outlast.effects.unexecuted_calls import excuse, not_found, told
from outlast.effects.view import RunView

_T = TypeVar("_T")


class Interrupted(NamedTuple):
    """What an agent used as a tool returns while its own run waits for a person."""

    run_id: str
    agent: str
    waiting: dict[str, ToolApprovalItem]
    """The calls that wait, by the key of their request in that run."""


class Asked(BaseException):
    """Leaves a tool that waits for a person's answer; it is called again with it. Not to be caught."""

    def __init__(self, name: str, question: str, choices: tuple[str, ...]) -> None:
        super().__init__(f"The tool waits for an answer to {question!r}.")
        self.name, self.question, self.choices = name, question, choices


class Handle:
    """What a running tool may ask of its run: a key for the outside world, recorded steps."""

    __slots__ = ("_asked", "_emit", "_steps", "_view", "effect_id", "key", "run_id", "spent")

    def __init__(self, view: RunView, emit: Emit, effect_id: str) -> None:
        self._view = view
        self._emit = emit
        self._asked: dict[str, int] = {}
        """How often each question was asked."""
        self._steps = Steps(view.state.steps.get(effect_id, {}), emit, effect_id)
        self.effect_id = effect_id
        self.run_id = view.run_id
        self.key = idempotency_key(view.state, self.run_id, effect_id)
        self.spent: UsageFacts | None = None
        """What the child run took, once it has ended."""

    async def step(self, name: str, fn: Callable[[], Any], returns: object = None) -> Any:
        """The result of ``fn``, which is called at most until one result is recorded."""
        return await self._steps.perform(name, fn, returns)

    def step_sync(self, name: str, fn: Callable[[], Any], returns: object = None) -> Any:
        """The same, for a tool's thread."""
        return self._steps.perform_in_thread(name, fn, returns)

    def show(self, event: ToolProgressStreamEvent) -> None:
        """Tell whoever watches the run how far the tool has come."""
        if self._view.show is not None:
            self._view.show(event)

    def answer(self, question: str, choices: Sequence[str] = ()) -> str:
        """What a person has answered.

        Raises:
            Asked: Nobody has, yet.
        """
        number = self._asked[question] = self._asked.get(question, 0) + 1
        name = f"{number}:{question}"
        known = self._view.state.told_answers.get(self.effect_id, {}).get(name)
        if known is None:
            raise Asked(name, question, tuple(choices))
        return known

    @property
    def has_run(self) -> bool:
        """Whether the tool has returned already, and what looked at its value failed."""
        return self._steps.whole is not None

    def value(self, tool: FunctionTool) -> Any:
        """What it has returned then."""
        return unpack(self._steps.whole.result, sees(tool)) if self._steps.whole else None

    async def keep(self, tool: FunctionTool, value: object) -> None:
        """Let the tool not run again for a failure of what looked at its value.

        What a tool raised is no value, and a run inside a call has a log of its own.
        """
        if not self.has_run and self.spent is None and not isinstance(value, FailureText):
            await self._steps.keep_whole(value, sees(tool))

    def close(self) -> None:
        """Begin no step any more: the tool works on, perhaps, and nobody waits for it."""
        self._steps.close()

    @property
    def child_id(self) -> str:
        """The id of the run that performs this call, for an agent used as a tool."""
        return f"{self.run_id}/{self.effect_id}"

    def ending(self) -> list[Event]:
        """What the end of the child run adds to the log; nothing where there was none."""
        if self.spent is None:
            return []
        self._view.live.counted.add(self.effect_id)
        return [
            ChildCompleted(self.effect_id, self.child_id),
            UsageAdded(self.effect_id, self.spent),
        ]

    async def begin_child(self, agent: str) -> str:
        """Note that a run of ``agent`` performs this call; the same call finds the same run again.

        A fork of a run finds a copy: what it decides is not the concern of the run it came from.
        """
        if self._view.state.children.get(self.effect_id) != self.child_id:
            await self._emit(ChildStarted(self.effect_id, self.child_id, agent))
        return self.child_id


async def _without_tool(view: RunView, turn: PreparedTurn, effect: RunTool) -> Outcome:
    if tells_of_missing_tools(view):
        return await not_found(view, effect)
    raise missing_tool(view, turn.agent, effect.call)


async def run_function(effect: RunTool, view: RunView, emit: Emit) -> Outcome:
    """Run a function tool: guardrails, hooks, the function, guardrails."""
    call = effect.call
    handle = Handle(view, emit, effect.id)
    turn = await live_turn(view)
    tool = turn.functions.get(call.qualified_name)
    if tool is None:
        return await _without_tool(view, turn, effect)
    if (question := await asked_again(view, effect, tool)) is not None:
        return Outcome([question])
    context = call_context(view, turn, call, tool, handle)
    if tool.is_enabled is not True:
        await gathered(_require_enabled(view, turn, tool))
    checks = Checks(view, effect)
    goes_on = _goes_on(effect, view) or handle.has_run
    refusal = None if goes_on else await checks.ask_about_input(context, tool)
    if refusal is not None:
        return await returned(view, effect, tool, context, refusal, checks)
    if not goes_on and (view.hooks is not None or turn.agent.hooks is not None):
        await wrapped(tool.name, _tell_start(view.hooks, turn.agent.hooks, context, turn, tool))
    try:
        value = await _waited_for(handle, _value(handle, tool, context))
    except Asked as asked:
        return Outcome([*checks.events, _question(effect, view, asked)])
    if isinstance(value, FailureText):
        value = await _worded(view, effect, tool, value)
    if isinstance(value, Interrupted):
        return Outcome([*checks.events, *_waiting(view, effect, value)])
    async with _looked_at(handle, tool, value):
        seen = await checks.ask_about_output(context, tool, value)
        checks.events += handle.ending()
        done = await returned(view, effect, tool, context, seen, checks)
    return _told_of_end(done, effect, view, (context, tool, seen))


def _told_of_end(
    done: Outcome, effect: RunTool, view: RunView, end: tuple[Any, Any, Any]
) -> Outcome:
    """The outcome of a call, of which hooks are to hear if there are any."""
    is_silent = view.hooks is None and end[0].agent.hooks is None
    if is_silent or effect.id in view.live.errors:
        return done
    context, tool, value = end
    value = str(value) if isinstance(value, FailureText) else value
    view.live.tool_ends[effect.id] = (context, tool, value)
    return Outcome(done.events, (HookCall("on_tool_end", effect.id, effect.agent),))


@asynccontextmanager
async def _looked_at(handle: Handle, tool: FunctionTool, value: object) -> AsyncGenerator[None]:
    """A block that may fail without the tool having to run again."""
    try:
        yield
    except ToolOutputGuardrailTripwireTriggered:  # Final.
        raise
    except Exception:
        await handle.keep(tool, value)
        raise


async def _value(handle: Handle, tool: FunctionTool, context: ToolContext) -> Any:
    """What the tool returns, or what it has returned before."""
    if handle.has_run:
        return checked(tool, context, handle.value(tool))
    try:
        return await _invoke(tool, context)
    except Exception:
        for value in unfit_of(context):
            await handle.keep(tool, value)
        raise


def _goes_on(effect: RunTool, view: RunView) -> bool:
    """Whether a person was asked inside the call: what comes before it has been."""
    requests = view.state.requested.values() if effect.id in view.state.children else ()
    is_asked = any(each.child and each.id == effect.id for each in requests)
    return is_asked or effect.id in view.state.told_answers


def _question(effect: RunTool, view: RunView, asked: Asked) -> Event:
    call = effect.call
    return ApprovalRequested(
        effect.id,
        call.id,
        effect.agent,
        call.name,
        invocation(view.call_item(call.index)),
        reason="question",
        number=view.state.attempts.get(effect.id, 1),
        ask=asked.name,
        question=asked.question,
        choices=asked.choices,
        rules=rules_for(rules_of_run(view), call.name, wall_s()),
    )


async def _waited_for(handle: Handle, result: Coroutine[Any, Any, Any]) -> Any:
    """What the tool returned. Where nobody waits for it any more it begins no step."""
    try:
        value = await result
    except BaseException:
        handle.close()
        raise
    if isinstance(value, FailureText) and isinstance(value.error, ToolTimeoutError):
        handle.close()
    return value


def call_context(
    view: RunView, turn: PreparedTurn, call: Call, tool: FunctionTool, handle: Any = None
) -> ToolContext:
    """What a function tool and its guardrails are told of a call."""
    item = view.call_item(call.index)
    return ToolContext.from_agent_context(
        view.context,
        call.id,
        behind(view, item),
        turn.agent,
        tool_name=tool.name,
        tool_arguments=_arguments(view, call, item),
        tool_namespace=call.namespace,
        run_config=view.config,
        _effect=handle,
    )


def _arguments(view: RunView, call: Call, item: Item) -> str:
    """What a call is made with: as the person has changed it who let it go on, else as it was asked."""
    decision = view.state.decided.get(call.id)
    changed = decision.arguments if decision and decision.approved else None
    return changed if changed is not None else item.get("arguments") or ""


def _waiting(view: RunView, effect: RunTool, child: Interrupted) -> list[Event]:
    """The requests of a child run, as its parent's own: a person answers them there."""
    events: list[Event] = []
    for key, item in child.waiting.items():
        request = ApprovalRequested(
            effect.id,
            key,
            child.agent,
            str(item.tool_name),
            reason="child",
            child=child.run_id,
            item=wire(item.raw_item),
            question=item.question or "",
            choices=item.choices,
            rules=item.rules,
            is_in_doubt=item.is_in_doubt,
            change=item.change,
            inner_number=item.question_number,
        )
        item.call_key = approval_key(request)  # From here on it is decided in this run.
        view.live.waiting[live_question(request)] = item
        events.append(request)
    return events


async def returned(  # one value of a tool and all that it came from
    view: RunView,
    effect: RunTool,
    tool: FunctionTool,
    context: ToolContext,
    value: object,
    checks: Checks,
) -> Outcome:
    """The end of a call that has a value, be it a result or a text in its place."""
    is_blocked = isinstance(value, Blocked)
    failure = failure_facts(value, effect.id)
    item, kept, value = _forms(view, effect.call, tool, value)
    data, faults = None, list[Event]()
    if not is_blocked:
        seen = partial(FunctionToolCustomDataContext, context, tool, value)
        data, faults = await attached(effect, view, tool, lambda: seen(copy.deepcopy(item)))
    if value is not item.get("output"):
        view.live.behind[id(item)] = (item, value)
    view.live.results[effect.call.id] = FunctionToolResult(tool=tool, output=value, run_item=None)
    outcome = "blocked" if is_blocked else "error" if failure else "ok"
    fault = fault_of(context)
    error = failure or (ErrorFacts("ToolError", fault, effect.id) if fault else None)
    event = ToolReturned(effect.id, effect.call.id, item, outcome, effect.name, data, kept, error)
    checks.keep()
    return Outcome([*checks.events, event, *faults])


def _forms(
    view: RunView, call: Call, tool: FunctionTool, value: object
) -> tuple[Item, dict[str, Any] | None, Any]:
    """A value as the model, the log and the program see it.

    The tool has run. So a value whose own code fails when it is looked at is no failure, after which the
    tool might be run again: its text is the result then.
    """
    try:
        return _checked_forms(view, call, tool, value)
    except AgentsException:
        raise
    except Exception as error:  # noqa: BLE001  # forms of values are user code
        logger.warning(
            "Tool %s returned a %s that cannot be looked at (%s). The model is told its text.",
            tool.name,
            class_name(value),
            class_name(error),
        )
        return _checked_forms(view, call, tool, shown(value))


def _checked_forms(
    view: RunView, call: Call, tool: FunctionTool, value: object
) -> tuple[Item, dict[str, Any] | None, Any]:
    item = tool_output_item(
        call.id,
        value,
        caller=view.call_item(call.index).get("caller"),
        output_json_schema=tool.output_json_schema,
        output_type_adapter=tool.output_adapter,
    )
    value = str(value) if isinstance(value, FailureText) else value
    item = without_surrogates(item)
    return item, *keep_value(tool, call.qualified_name, value, item)


def failure_facts(value: object, effect_id: str) -> ErrorFacts | None:
    """What a tool raised, where the model is told a text in place of its result."""
    return error_facts(value.error, effect_id) if isinstance(value, FailureText) else None


async def _tell_start(
    hooks: Any, agent_hooks: Any, context: Any, turn: PreparedTurn, tool: FunctionTool
) -> None:
    await tell(
        hooks.on_tool_start(context, turn.agent, tool) if hooks is not None else None,
        agent_hooks.on_tool_start(context, turn.agent, tool) if agent_hooks is not None else None,
    )


async def wrapped(name: str, call: Awaitable[_T]) -> _T:
    """Let an error of a hook, or of what says who needs a person, say of which tool it was."""
    try:
        return await call
    except AgentsException:
        raise
    except Exception as error:
        raise UserError(f"Error running tool {name}: {shown(error)}") from error


async def _invoke(tool: FunctionTool, context: ToolContext) -> Any:
    try:
        async with one_attempt(context.idempotency_key):
            return await invoke_function_tool(tool, context, context.tool_arguments)
    except AgentsException:
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task and task.cancelling():
            raise
        # The tool's own doing, not the run's: a failure like any other.
        text = await maybe_invoke_function_tool_failure_error_function(
            function_tool=tool, context=context, error=error
        )
        if text is None:
            raise UserError(f"Error running tool {tool.name}: it was cancelled") from error
        return FailureText(text, error, is_default=tool.wants_default_failures)
    except Exception as error:
        raise UserError(f"Error running tool {tool.name}: {shown(error)}") from error


async def _worded(
    view: RunView, effect: RunTool, tool: FunctionTool, failure: FailureText
) -> FailureText:
    """A failure in the words of the run, where the tool's author has left them open.

    What is no error of the tool's own code, a time limit or a cancellation, keeps its text.
    """
    if view.watcher is not None:
        view.watcher.excused(tool.name, failure)
    error = failure.error
    if isinstance(error, ToolTimeoutError) or not isinstance(error, Exception):
        return failure
    if str(failure) != DEFAULT_TOOL_ERROR_MESSAGE and not failure.is_default:
        return failure
    text = told_fault(str(failure), error)
    if not failure.is_default:
        return FailureText(text, error, is_default=False)
    return excuse(await told(view, "tool_exception", effect, text, error), error)


async def _require_enabled(view: RunView, turn: PreparedTurn, tool: FunctionTool) -> None:
    flag = tool.is_enabled
    if isinstance(flag, bool):
        is_on = flag
    else:
        answer: Any = flag(view.context, turn.agent)
        is_on = bool(await answer if inspect.isawaitable(answer) else answer)
    if not is_on:
        raise ModelBehaviorError(
            f"Tool {tool.name} is currently disabled for agent {turn.agent.name}."
        )
