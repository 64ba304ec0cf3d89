"""Running agents: the public entry points.

There is one path. `run` is a run that nobody watches, `run_streamed` one that somebody does, a
resume one whose log is not empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any, Unpack, cast

from outlast.core.errors import UserError, WrongPlace
from outlast.core.identity import check_run_id
from outlast.core.items import copied
from outlast.definitions.agent import Agent
from outlast.definitions.context import RunContextWrapper, TContext
from outlast.definitions.hooks import RunHooks
from outlast.effects.config import RunConfig, coerce_run_config
from outlast.effects.error_handlers import RunErrorHandlers
from outlast.effects.place import here
from outlast.engine.drive import Engine
from outlast.engine.elsewhere import RunsElsewhere, engine_of
from outlast.engine.env import RunEnv
from outlast.engine.local import LocalEngine
from outlast.run.abandon import finished_anyway, in_background
from outlast.run.call import Call
from outlast.run.control import cancel, pause, raise_limit, send, top_up, unpause
from outlast.run.costs import costs_of
from outlast.run.decisions import answer, approve, reject
from outlast.run.options import RunOptions
from outlast.run.pending import decisions, pending, watch_pending
from outlast.run.request import journal_of
from outlast.run.result import RunResult, empty, fill
from outlast.run.run_state import RunState
from outlast.run.stream import RunResultStreaming
from outlast.run.thread_loop import is_in_loop, run_in_loop
from outlast.run.tracebacks import shorten, shortened
from outlast.sessions.session import SessionLike

if TYPE_CHECKING:
    from outlast.definitions.openai_types import TResponseInputItem

AnyAgent = Agent


class AgentRunner:
    """What `Runner` hands its work to; replace it with `set_default_agent_runner`.

    Args:
        engine: Makes what performs the effects of a run; by default they are performed here.
    """

    def __init__(self, engine: Callable[[RunEnv], Engine] = LocalEngine) -> None:
        self._engine = engine

    async def run(self, starting_agent: AnyAgent, input: Any, **options: Any) -> RunResult:
        """See `Runner.run`."""
        call = Call(starting_agent, input, options, self._engine)
        if call.on_abandon == "finish" and not call.is_recovery:
            env = await finished_anyway(call.perform(), call.departed)
        else:
            env = await call.perform()
        result = RunResult(**empty(env.context), max_turns=env.log.state.max_turns)
        fill(result, env)
        return result

    def run_sync(self, starting_agent: AnyAgent, input: Any, **options: Any) -> RunResult:
        """See `Runner.run_sync`."""
        if is_in_loop():
            raise WrongPlace(
                "AgentRunner.run_sync() cannot be called when an event loop is already running. "
                "In a coroutine or a notebook, write `await Runner.run(...)`."
            )
        return run_in_loop(self.run(starting_agent, input, **options))

    def run_streamed(
        self,
        starting_agent: AnyAgent,
        input: Any,
        **options: Any,
    ) -> RunResultStreaming:
        """See `Runner.run_streamed`."""
        call = Call(starting_agent, input, options, self._engine)
        if not is_in_loop():
            raise WrongPlace(
                "Runner.run_streamed needs a running event loop. Call it in a coroutine, as one that "
                "asyncio.run(main()) runs; without a loop there is Runner.run_sync."
            )
        result = RunResultStreaming(
            **empty(call.context),
            current_agent=starting_agent,
            max_turns=call.request.max_turns,
            _first_state=lambda: _before(call),
        )
        result.input = "" if isinstance(call.input, RunState) else copied(call.input)
        call.on_abandon = result.on_abandon = call.request.config.on_abandon or "finish"
        task = in_background(_watched(call, result))
        task.add_done_callback(lambda done: _ended(done, result))
        result.run_loop_task = task
        return result


def _before(call: Call) -> RunState:
    """The state of a run that has not begun."""
    given = call.input
    if isinstance(given, RunState):
        return copy(cast("RunState[Any, Any]", given))
    request, options = call.request, call.request.options
    state = RunState(
        call.context,
        given,
        request.agent,
        request.max_turns,
        conversation_id=options.conversation_id,
        previous_response_id=options.previous_response_id,
        auto_previous_response_id=options.chains_responses,
    )
    return copy(state)


async def _watched(call: Call, result: RunResultStreaming) -> None:
    error: BaseException | None = None
    try:
        if result.is_stopped:
            await call.close()
        else:
            await call.perform(result)
    except asyncio.CancelledError as cancelled:
        error = None if result.is_stopped else cancelled
        raise
    except BaseException as failure:
        error = failure
        raise
    finally:
        result.finish(error)


def _ended(task: asyncio.Task[None], result: RunResultStreaming) -> None:
    if not task.cancelled():
        task.exception()  # Whoever reads the stream gets the error; nobody has to ask the task as well.
    elif not result.is_complete:
        # It was cancelled before its first step, so `_watched` has not told the reader.
        result.finish(asyncio.CancelledError())


_default = AgentRunner()


def set_default_agent_runner(runner: AgentRunner | None) -> None:
    """Let ``runner`` do the work of `Runner`; None restores Outlast's own."""
    global _default  # noqa: PLW0603  # upstream's process-wide setting
    _default = AgentRunner() if runner is None else runner


def get_default_agent_runner() -> AgentRunner:
    """What does the work of `Runner`."""
    return _default


class Runner:
    """Runs agents. Every run has a log, and goes on from it after a crash."""

    @classmethod
    async def run(  # noqa: PLR0913  # upstream's signature
        cls,
        starting_agent: Agent[TContext],
        input: str | list[TResponseInputItem] | RunState[TContext, Any],
        *,
        context: TContext | RunContextWrapper[TContext] | None = None,
        max_turns: int | None = 10,
        hooks: RunHooks[TContext] | None = None,
        run_config: RunConfig | dict[str, Any] | None = None,
        error_handlers: RunErrorHandlers[TContext] | None = None,
        previous_response_id: str | None = None,
        auto_previous_response_id: bool = False,
        conversation_id: str | None = None,
        session: SessionLike | None = None,
        run_id: str | None = None,
        engine: RunsElsewhere | None = None,
    ) -> RunResult:
        """What the agent, and those it hands off to, came to.

        Args:
            starting_agent: The agent that begins.
            input: A text, a list of input items, or a `RunState` to go on from.
            context: Handed to tools, guardrails and hooks as it is; models do not see it.
            max_turns: Model calls at most; None for no limit.
            hooks: Told what happens in the whole run.
            run_config: Settings of the whole run.
            error_handlers: What to output instead of failing, by kind of error.
            previous_response_id: A response of the provider to continue.
            auto_previous_response_id: Whether each call continues the response before it.
            conversation_id: A conversation that the provider keeps.
            session: A conversation that is kept between runs.
            run_id: A name of your own. The same name continues the same run, or returns what it
                came to; a run is never done twice.
            engine: Who performs the run, if not this process: such as
                `outlast.temporal.TemporalEngine`. Its log is kept there, too.

        Raises:
            MaxTurnsExceeded: The limit was reached. Raise it, or handle `max_turns`.
            InputGuardrailTripwireTriggered: A guardrail refused the input.
            OutputGuardrailTripwireTriggered: A guardrail refused the output.
            ModelBehaviorError: The model did what it must not, such as calling an unknown tool.
            AlreadyRunning: Another living process performs the run of that name.
            UserError: The program is at fault; the message says where.
        """
        try:
            return await get_default_agent_runner().run(
                starting_agent,
                input,
                context=context,
                max_turns=max_turns,
                hooks=hooks,
                run_config=run_config,
                error_handlers=error_handlers,
                previous_response_id=previous_response_id,
                auto_previous_response_id=auto_previous_response_id,
                conversation_id=conversation_id,
                session=session,
                **_named(run_id, engine),
            )
        except Exception as error:
            shorten(error)
            raise

    @classmethod
    def run_sync(  # noqa: PLR0913  # upstream's signature
        cls,
        starting_agent: Agent[TContext],
        input: str | list[TResponseInputItem] | RunState[TContext, Any],
        *,
        context: TContext | RunContextWrapper[TContext] | None = None,
        max_turns: int | None = 10,
        hooks: RunHooks[TContext] | None = None,
        run_config: RunConfig | dict[str, Any] | None = None,
        error_handlers: RunErrorHandlers[TContext] | None = None,
        previous_response_id: str | None = None,
        auto_previous_response_id: bool = False,
        conversation_id: str | None = None,
        session: SessionLike | None = None,
        run_id: str | None = None,
        engine: RunsElsewhere | None = None,
    ) -> RunResult:
        """What `run` returns, for programs without an event loop.

        Raises:
            RuntimeError: An event loop runs in this thread. Await `run` there.
        """
        try:
            return get_default_agent_runner().run_sync(
                starting_agent,
                input,
                context=context,
                max_turns=max_turns,
                hooks=hooks,
                run_config=run_config,
                error_handlers=error_handlers,
                previous_response_id=previous_response_id,
                auto_previous_response_id=auto_previous_response_id,
                conversation_id=conversation_id,
                session=session,
                **_named(run_id, engine),
            )
        except Exception as error:
            shorten(error)
            raise

    @classmethod
    def run_streamed(  # noqa: PLR0913  # upstream's signature
        cls,
        starting_agent: Agent[TContext],
        input: str | list[TResponseInputItem] | RunState[TContext, Any],
        context: TContext | RunContextWrapper[TContext] | None = None,
        max_turns: int | None = 10,
        hooks: RunHooks[TContext] | None = None,
        run_config: RunConfig | dict[str, Any] | None = None,
        previous_response_id: str | None = None,
        auto_previous_response_id: bool = False,
        conversation_id: str | None = None,
        session: SessionLike | None = None,
        *,
        error_handlers: RunErrorHandlers[TContext] | None = None,
        run_id: str | None = None,
        engine: RunsElsewhere | None = None,
    ) -> RunResultStreaming:
        """A run that goes on in the background, to be watched with `stream_events`.

        Takes what `run` takes. Must be called while an event loop runs.
        """
        try:
            return get_default_agent_runner().run_streamed(
                starting_agent,
                input,
                context=context,
                max_turns=max_turns,
                hooks=hooks,
                run_config=run_config,
                error_handlers=error_handlers,
                previous_response_id=previous_response_id,
                auto_previous_response_id=auto_previous_response_id,
                conversation_id=conversation_id,
                session=session,
                **_named(run_id, engine),
            )
        except Exception as error:
            shorten(error)
            raise

    @classmethod
    async def resume(
        cls,
        run_id: str,
        starting_agent: Agent[TContext],
        **options: Unpack[RunOptions[TContext]],
    ) -> RunResult:
        """What a run came to that was interrupted, paused, or failed of what can pass; it goes on.

        Nothing that its log has is performed again. A tool that failed the run by raising is in
        doubt: its `on_uncertain` says what happens. Of a run that has ended otherwise you get what
        it came to, or the error that ended it.

        Args:
            run_id: The run.
            starting_agent: The agent that the run began with.
            options: What `run` takes by keyword. `max_turns` is a new limit for the whole run, else
                it keeps the one that it has; limits and time-outs of models count anew. Contexts,
                hooks, error handlers and sessions are not remembered.

        Raises:
            RunNotFound: The journal has no such run.
            AlreadyRunning: Another living process performs it.
            MaxTurnsExceeded: It has made as many turns as it may. Give a higher `max_turns`.
            UserError: The arguments are in the wrong order.
        """
        if not isinstance(run_id, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise UserError(
                f"Runner.resume takes the id of a run first, and got {type(run_id).__name__}. "
                "Write Runner.resume(run_id, agent)."
            )
        told: dict[str, Any] = {**options, "run_id": run_id, "goes_on": True}
        return await shortened(_resumed)(starting_agent, run_id, told)

    approve = staticmethod(shortened(approve))
    reject = staticmethod(shortened(reject))
    cancel = staticmethod(shortened(cancel))
    send = staticmethod(shortened(send))
    pause = staticmethod(shortened(pause))
    unpause = staticmethod(shortened(unpause))
    raise_limit = staticmethod(shortened(raise_limit))
    top_up = staticmethod(shortened(top_up))
    answer = staticmethod(shortened(answer))
    pending = staticmethod(shortened(pending))
    watch_pending = staticmethod(watch_pending)
    decisions = staticmethod(shortened(decisions))
    usage_report = staticmethod(shortened(costs_of))


async def _resumed(agent: AnyAgent, run_id: str, options: dict[str, Any]) -> RunResult:
    check_run_id(run_id)
    elsewhere = engine_of(options)
    config = coerce_run_config(options.get("run_config"))
    await (elsewhere.journal if elsewhere else journal_of(config, here())).read(run_id)
    return await get_default_agent_runner().run(agent, "", **options)


def _named(run_id: str | None, engine: RunsElsewhere | None) -> dict[str, Any]:
    # Runners of other people do not know the keywords.
    named = {"run_id": run_id, "engine": engine}
    return {name: value for name, value in named.items() if value is not None}
