"""The spans of a run: what happens in it, told to those who trace it.

    trace → task (the run) → agent (one activation) → turn → model call, tool call, handoff

A run whose process has no listener opens none of them; asking is one attribute test per effect.
Agents and turns begin in `before`, which the loop calls in its own task, so that tasks started
later inherit them as what is current. Calls, handoffs and guardrails are spans around one effect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from itertools import count
from typing import Any

from outlast import tracing
from outlast.core import effects, events
from outlast.core.errors import ModelBehaviorError, ToolTimeoutError, UserError
from outlast.core.usage import task_usage_to_span_data
from outlast.definitions.function_tool import DEFAULT_TOOL_ERROR_MESSAGE
from outlast.definitions.tool_output import FailureText
from outlast.effects.config import RunConfig
from outlast.effects.outcome import Outcome
from outlast.effects.view import call_item_at
from outlast.engine.env import RunEnv, Told
from outlast.engine.past_spans import Past, PastSpans, about_agent, date, note_told, traced_name
from outlast.tracing.config import TracingConfig, include_task_and_turn_spans
from outlast.tracing.scope import Scope
from outlast.tracing.traces import TraceState
from outlast.views.spans import REDACTED, TOOL_REDACTED, RunIds
from outlast.views.status import failure_of
from outlast.views.words import body_of

_TOOLS = {"function", "computer", "custom", "shell", "apply_patch", "local_shell"}
_AnySpan = tracing.Span
_Perform = Callable[[Any], Awaitable[Outcome]]


@contextmanager
def spans_of(env: RunEnv, past: Past | None) -> Generator[Spans]:
    """The spans of a run, to be held open around it. Those of its ``past`` are told first."""
    outer = tracing.get_current_span()
    ids = _ids_of(env)
    workflow, scope = _trace_of(env, ids)
    with scope:
        env.live.trace = TraceState.from_trace(tracing.get_current_trace())
        spans = env.spans = Spans(env, ids, outer, scope.trace)
        try:
            spans.begin(workflow, past)
            yield spans
        except Exception as error:
            spans.fail(error)
            raise
        finally:
            env.spans = None
            spans.end()


class Spans:
    """What is open of one run's spans."""

    def __init__(
        self, env: RunEnv, ids: RunIds, outer: _AnySpan | None, trace: tracing.Trace | None
    ) -> None:
        self.trace = trace
        """The trace that was started for the run; None where it belongs to another one."""
        self._env = env
        self._ids = ids
        self._activation = sum(isinstance(event, events.HandedOff) for event in env.log.events)
        """How many handoffs the run has had: which span of an agent is open."""
        self._is_over = False
        """Whether the run had ended before, and is only asked what it came to."""
        self._sitting = 0
        """How often the run was put down before."""
        self._begun: set[int] = set()
        """The turns that another process has begun since."""
        self._outer = outer
        """What was current before the run."""
        self._task: _AnySpan | None = None
        self._agent: _AnySpan | None = None
        self._turn: _AnySpan | None = None
        self._ended: dict[str, _AnySpan] = {}
        """Of effects that hooks are still to hear of, the span below which they do."""
        self._number = 0
        """The turn that `_turn` is about."""
        self._has_left = False
        """Whether the agent has handed off; its span ends when the next one begins."""
        self._at_start = self._at_turn = task_usage_to_span_data(env.context.usage)

    # --- The run. ------------------------------------------------------------------------

    def begin(self, workflow: str, past: Past | None) -> None:
        """Open the run's own span, and tell of what was done before."""
        config = self._env.config
        if past:
            self._is_over = past.is_over
            self._sitting, self._begun = past.sitting.number, past.sitting.turns
        has_task = config.tracing_disabled or include_task_and_turn_spans(config.tracing)
        key = self._ids.task(self._sitting) if has_task else ""
        told: PastSpans | None = None
        if past and not past.is_told and not config.tracing_disabled:
            told = PastSpans(self._env, past, workflow, key)
            told.tell_earlier()
        if has_task:
            # Also where the run is not traced: what was current around it does not go on in it.
            self._task = tracing.task_span(workflow, key)
            if past and (past.is_over or told):
                date(self._task, past.sitting.started_at, past.sitting.ended_at)
            self._task.start(mark_as_current=True)
        note_told(self._ids, self._env.log.lease.epoch)
        if told:
            self._go_on(told.tell_begun(self._task), self._env.log.state.turn)

    def _go_on(self, spans: dict[str, _AnySpan], turn: int) -> None:
        """Let what another process began and did not end be what is open."""
        self._agent = spans.get(self._ids.agent(self._activation, self._sitting))
        for number in (turn, turn + 1):
            if (open_turn := spans.get(self._ids.turn(number, self._sitting))) is not None:
                self._turn, self._number = open_turn, number

    def fail(self, error: Exception) -> None:
        """Let the agent's span say that the run fails with ``error``."""
        # What a model did wrong stands on the span of its call.
        if not isinstance(error, ModelBehaviorError):
            self._blame_agent("Error in agent run", error=self._text(error, REDACTED))

    def end(self) -> None:
        """Close what is open."""
        error = failure_of(self._env.log.state)
        if error is not None and not self._is_over:
            self._fail_as(error)
        self._end_agent()
        if self._task is not None:
            self._task.span_data.usage = self._spent(self._at_start)
            self._task.finish(reset_current=True)

    def _spent(self, since: dict[str, int]) -> dict[str, int] | None:
        now = task_usage_to_span_data(self._env.context.usage)
        spent = {key: count - since[key] for key, count in now.items()}
        return spent if spent["requests"] else None

    def _fail_as(self, facts: events.ErrorFacts) -> None:
        """Let the agent's span say what the log says that the run fails with."""
        limit = facts.data.get("max_turns")
        if limit is not None:
            self._begin_agent()
            self._blame_agent("Max turns exceeded", max_turns=limit)
        elif name := facts.data.get("guardrail"):
            is_watched_input = facts.kind.startswith("Input") and self._env.show is not None
            stage = {"type": "input_guardrail"} if is_watched_input else {}
            self._blame_agent("Guardrail tripwire triggered", guardrail=name, **stage)
        elif error := self._env.live.errors.get(facts.source):
            self.fail(error)
        elif facts.kind != ModelBehaviorError.__name__:
            self._blame_agent("Error in agent run", error=self._text(facts.message, REDACTED))

    def _blame_agent(self, message: str, **data: object) -> None:
        if self._agent is not None and self._agent.error is None:
            _mark(self._agent, message, **data)

    def _text(self, told: object, redacted: str) -> str:
        if not self._env.config.trace_include_sensitive_data:
            return redacted
        try:
            return str(told)
        except Exception:  # noqa: BLE001  # a user's exception class
            return "Error details are unavailable."

    # --- Agents and turns. ---------------------------------------------------------------

    def before(self, effect: effects.Effect) -> None:
        """Open and close what ``effect`` begins or ends. Called in the loop's own task."""
        match effect:
            case effects.LoadSession():
                pass
            case effects.SaveSession() | effects.ShortenSession():
                self._end_turn()
            case effects.Recover():
                self._end_turn()
                self._fail_as(effect.error)
            case effects.CheckGuardrail(stage="output"):
                self._end_turn()
                self._begin_agent()
            case effects.Prepare() | effects.CallModel():
                self._begin_agent()
                self._begin_turn(self._env.log.state.turn + 1)
            case effects.RunTool() | effects.HandOff() | effects.AskApproval():
                self._begin_agent()
                if self._env.log.state.turn in self._begun:
                    self._begin_turn(self._env.log.state.turn)
            case _:
                self._begin_agent()

    def _begin_agent(self) -> None:
        if self._agent is not None and not self._has_left:
            return
        self._end_agent()
        self._has_left = False
        agent = self._env.agents.agent(self._env.log.state.agent)
        key = self._ids.agent(self._activation, self._sitting)
        self._agent = tracing.agent_span(agent.name, *about_agent(agent), key)
        self._agent.start(mark_as_current=True)

    def _end_agent(self) -> None:
        self._end_turn()
        if self._agent is None:
            return
        turn = self._env.turn
        if turn is not None and turn.agent.name == self._agent.span_data.name:
            # What was enabled is known by now.
            self._agent.span_data.tools = [traced_name(tool) for tool in turn.tools]
            self._agent.span_data.handoffs = [target.agent_name for target in turn.handoffs]
        self._agent.finish(reset_current=True)
        self._agent = None

    def _begin_turn(self, number: int) -> None:
        if self._number == number:
            return
        self._end_turn()
        self._number = number
        self._at_turn = task_usage_to_span_data(self._env.context.usage)
        if include_task_and_turn_spans(self._env.config.tracing):
            agent = self._env.agents.agent(self._env.log.state.agent)
            self._turn = tracing.turn_span(
                number, agent.name, self._ids.turn(number, self._sitting)
            )
            self._turn.start(mark_as_current=True)

    def _end_turn(self) -> None:
        if self._turn is None:
            return
        if spent := self._spent(self._at_turn):
            del spent["requests"], spent["total_tokens"]
            self._turn.span_data.usage = spent
        self._turn.finish(reset_current=True)
        self._turn = None

    # --- Effects. ------------------------------------------------------------------------

    async def perform(self, effect: effects.Effect, perform: _Perform) -> Outcome:
        """What ``perform`` makes of ``effect``, with a span around it where there is one for it."""
        token = Scope.set_span_ids(self._names_of(effect))
        try:
            return await self._performed(effect, perform)
        finally:
            Scope.reset_span_ids(token)

    def _names_of(self, effect: effects.Effect) -> Callable[[], str]:
        """What names the spans that an effect opens: by their number, in this attempt."""
        begun = self._env.log.state.in_flight.get(effect.id)
        attempt, numbers = begun.attempt if begun else 1, count()
        return lambda: self._ids.effect(effect.id, attempt, next(numbers))

    async def _performed(self, effect: effects.Effect, perform: _Perform) -> Outcome:
        match effect:
            case effects.RunTool(verdict="run") if effect.call.kind in _TOOLS:
                return await self._call(effect, perform)
            case effects.HandOff():
                return await self._hand_off(effect, perform)
            case effects.CheckGuardrail():
                with tracing.guardrail_span(effect.name) as span:
                    done = await perform(effect)
                    span.span_data.triggered = any(
                        isinstance(event, events.GuardrailChecked) and event.tripped
                        for event in done.events
                    )
                return done
            case effects.LoadSession():
                with _current(self._outer):
                    return await perform(effect)
            case effects.Conclude():
                with _invalid_json(self._turn):
                    return await perform(effect)
            case effects.AskApproval():
                done = await perform(effect)
                if any(isinstance(event, events.ApprovalRequested) for event in done.events):
                    with self._span_of(effect.call):
                        pass  # It waits. When it runs, it is a span of its own.
                return done
            case _:
                done = await perform(effect)
                self._tell_unknown(done)
                return done

    async def tell(self, effect: effects.Effect, tell: Told) -> None:
        """Let ``tell`` tell the hooks of what ``effect`` came to, below its span."""
        span = self._ended.pop(effect.id, None)
        if span is None:
            await tell()
        else:
            with _current(span):
                await tell()

    def _tell_unknown(self, done: Outcome) -> None:
        replies = [event for event in done.events if isinstance(event, events.ModelReplied)]
        for call in (call for reply in replies for call in reply.calls):
            if call.kind == "unknown":
                _mark(self._turn or self._agent, "Tool not found", tool_name=call.name)

    def blame(self, message: str, error: Exception) -> None:
        """Let the turn say what its user code did wrong."""
        _mark(self._turn or self._agent, message, error=self._text(error, REDACTED))

    async def _hand_off(self, effect: effects.HandOff, perform: _Perform) -> Outcome:
        env = self._env
        source = env.agents.agent(effect.agent)
        with tracing.handoff_span(from_agent=source.name) as span:
            self._tell_rivals(span)
            with _invalid_json(span):
                done = await perform(effect)
            for event in done.events:
                if isinstance(event, events.HandedOff):
                    span.span_data.to_agent = env.agents.agent(event.to).name
                    self._has_left = True
                    self._activation += 1
        if done.hooks:
            self._ended[effect.id] = span
        return done

    def _tell_rivals(self, span: _AnySpan) -> None:
        """A reply may hand off once; the span says so where it asked for more."""
        reply, turn = self._env.log.state.reply, self._env.turn
        assert reply
        names = [call.name for call in reply.calls if call.kind == "handoff"]
        if len(names) > 1:
            transfers = turn.transfers if turn is not None else {}
            asked = [transfers[n].agent_name if n in transfers else n for n in names]
            _mark(span, "Multiple handoffs requested", requested_agents=asked)

    async def _call(self, effect: effects.RunTool, perform: _Perform) -> Outcome:
        with self._span_of(effect.call) as span:
            try:
                done = await perform(effect)
            except Exception as error:
                text = self._text(_root(error), TOOL_REDACTED)
                _mark(span, "Error running tool", tool_name=effect.name, error=text)
                raise
            items = [event.item for event in done.events if isinstance(event, events.ToolReturned)]
            if items and self._env.config.trace_include_sensitive_data:
                known = self._env.live.behind.get(id(items[0]))
                span.span_data.output = known[1] if known else items[0].get("output")
        if done.hooks:
            self._ended[effect.id] = span
        return done

    def excused(self, name: str, failure: FailureText) -> None:
        """Let the span of the tool that runs say that it failed, and the model was told so."""
        if isinstance(failure.error, ToolTimeoutError):
            return
        # What the model may not know of the error is not in the trace either.
        is_hidden = failure.is_default or failure == DEFAULT_TOOL_ERROR_MESSAGE
        text = TOOL_REDACTED if is_hidden else self._text(failure.error, TOOL_REDACTED)
        message = "Error running tool (non-fatal)"
        _mark(tracing.get_current_span(), message, tool_name=name, error=text)

    def _span_of(self, call: events.Call) -> _AnySpan:
        env = self._env
        tool = env.turn.tool(call) if env.turn is not None else None
        name = getattr(tool, "trace_name", None) or call.qualified_name
        has_data = env.config.trace_include_sensitive_data
        item = call_item_at(env.state, call.index)
        span = tracing.function_span(name, body_of(item) if has_data else None)
        span.span_data.call_id = call.id
        return span


def _mark(span: _AnySpan | None, message: str, **data: object) -> None:
    if span is not None:
        span.set_error({"message": message, "data": data})


def _ids_of(env: RunEnv) -> RunIds:
    started = env.log.state.started
    return RunIds(env.log.run_id, started.salt if started else "")


def _trace_of(env: RunEnv, ids: RunIds) -> tuple[str, tracing.TraceCtxManager]:
    """The workflow's name and its trace: for a run that goes on, as it was where nothing is said."""
    config, before = env.config, env.live.trace
    name, how = config.workflow_name, config.tracing
    trace_id, group_id, metadata = config.trace_id, config.group_id, config.trace_metadata
    if before is not None:
        name = before.workflow_name or name if name == RunConfig.workflow_name else name
        trace_id = trace_id or before.trace_id
        group_id = group_id or before.group_id
        metadata = before.metadata if metadata is None else metadata
        if how is None and before.tracing_api_key:
            how = TracingConfig(api_key=before.tracing_api_key)
    elif trace_id is None and tracing.has_own_ids():
        trace_id = ids.trace()
        # Where this process has begun the trace before, nobody is told of that again.
        before = TraceState(trace_id, name, group_id, metadata, (how or {}).get("api_key"))
    return name, tracing.TraceCtxManager(
        workflow_name=name,
        trace_id=trace_id,
        group_id=group_id,
        metadata=metadata,
        tracing=how,
        disabled=config.tracing_disabled,
        trace_state=before,
        reattach_resumed_trace=before is not None,
    )


def _root(error: Exception) -> BaseException:
    """What a tool raised, without the sentence that the engine puts around it."""
    is_wrapped = isinstance(error, UserError) and str(error).startswith("Error running tool")
    return error.__cause__ if is_wrapped and error.__cause__ else error


@contextmanager
def _invalid_json(span: _AnySpan | None) -> Generator[None]:
    """Let ``span`` say so where what a model wrote is not what was asked for."""
    try:
        yield
    except ModelBehaviorError:
        _mark(span, "Invalid JSON provided")
        raise


@contextmanager
def _current(span: _AnySpan | None) -> Generator[None]:
    token = Scope.set_current_span(span)
    try:
        yield
    finally:
        Scope.reset_current_span(token)
