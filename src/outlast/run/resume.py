"""Going on from a state: the run's own log where nobody has gone on since, a fork of it else."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from outlast.core.errors import RunNotFound, UserError
from outlast.core.events import Event, RunReopened
from outlast.core.evolve import fold
from outlast.core.ids import EffectId
from outlast.core.state import Options
from outlast.definitions.agent import Agent
from outlast.definitions.context import RunContextWrapper, approvals_of
from outlast.effects.projection import as_items, wire
from outlast.effects.registry import Registry
from outlast.effects.session import may_be_refused
from outlast.engine import local_runs
from outlast.engine.env import RunEnv
from outlast.engine.log import RunLog
from outlast.journal.journal import Journal
from outlast.run.run_state import RunState, StateParts
from outlast.run.state_json import is_closed, is_write_pending, unsaved_items
from outlast.sessions.session import session_id_of
from outlast.tracing import trace


async def continued(
    journal: Journal, request: local_runs.RunRequest, state: RunState, context: object
) -> RunEnv:
    """A run that goes on from ``state``, with what was decided and added since.

    A ``context`` replaces the one of the state; None keeps it.

    Raises:
        UserError: The run has nothing left to do, or its session is missing.
        RunNotFound: An agent answers one of its calls, whose run the journal does not hold.
    """
    parts = state.parts()
    for text in parts.texts.values():
        journal.blobs.put(text.encode())
    log, has_gone_on = await local_runs.continue_log(
        journal, parts.run_id, parts.events, _planned(parts)
    )
    async with local_runs.released_on_error(log):
        _check(log, request)
        await _require_inner(journal, log, parts.run_id)
        own = _context(parts.context, context)
        env = local_runs.environment(request, log, own, parts.live.copied())
        env.live.has_usage = own is parts.context
        if log.state.started:
            _reopen(env, replace(request, goes_on=fold(parts.events).paused is not None))
        else:
            _begin(env, request, parts)
        if not has_gone_on:  # Else somebody has gone on from here with the same decisions.
            local_runs.record_decisions(env)
            log.add(parts.added)
    return env


async def _require_inner(journal: Journal, log: RunLog, run_id: str) -> None:
    """Refuse to go on without the run inside a call: it would begin anew, and do twice what it has done.

    Raises:
        RunNotFound: The journal does not hold it.
    """
    state = log.state
    asking = {request.child for request in state.requested.values()}
    is_brought = state.started is not None and not log.durable.started and log.run_id == run_id
    for key, child in state.children.items():
        call_id = EffectId.parse(key).key
        if call_id not in state.open_calls or not (is_brought or child in asking):
            continue
        try:
            await journal.read(child)
        except RunNotFound:
            raise RunNotFound(
                f"Call {call_id!r} of run {run_id!r} is answered by an agent in a run of its own, "
                f"{child!r}, which this journal does not hold. A stored state has the log of its own run "
                "and none of the runs inside it, which would begin anew and repeat what they have done. "
                "Nothing was done. Go on with it in the journal that it waited in (RunConfig(journal=...))."
            ) from None


def _check(log: RunLog, request: local_runs.RunRequest) -> None:
    if is_closed(log.state):
        raise UserError(
            "This run state cannot be resumed: its final output was accepted, but could not be saved to "
            "the session. Read the output from the run, or start a new run."
        )
    _check_guarded(log, request)
    is_held_back = is_write_pending(log.state) and request.session is not None
    if not is_held_back and not unsaved_items(log.state):
        return
    wanted = log.state.options.session_id
    given = session_id_of(request.session) or None
    if request.session is None or (wanted and given != wanted):
        raise UserError(
            f"The run has a pending Session write for session {wanted!r}, but was given "
            f"{'none' if request.session is None else repr(given)}. Resume it with that session."
        )


def _check_guarded(log: RunLog, request: local_runs.RunRequest) -> None:
    """Refuse to guard an output whose turn the session holds already, since nothing guarded it then."""
    state = log.state.before_failure or log.state
    if request.session is None or state.reply is None or not state.requested or state.holds_back:
        return
    reply = state.reply.id
    is_saved = any(entry.source == reply for entry in state.entries.since(0)[: state.saved])
    agent = Registry(request.agent).find(state.agent)
    if is_saved and agent is not None and may_be_refused(agent, request.config):
        raise UserError(
            "The run cannot be resumed with output guardrails after current-turn items were saved to its "
            "session: what they refuse would stay there. Resume it as it was begun, or start a new run."
        )


def _context(own: RunContextWrapper, given: object) -> RunContextWrapper:
    if given is None:
        return own
    if not isinstance(given, RunContextWrapper):
        own.context = given
        return own
    wrapper = cast("RunContextWrapper", given)  # Of any context.
    for decision in approvals_of(own).decisions:
        approvals_of(wrapper).add(decision)
    return wrapper


def _reopen(env: RunEnv, request: local_runs.RunRequest) -> None:
    if env.log.state.ended:
        env.log.add([RunReopened()])
        env.live.has_output = env.log.state.output is not None and env.live.has_output
    local_runs.end_pause(env.log, request)
    local_runs.take_over(env, request)


def _planned(parts: StateParts) -> list[Event]:
    """What was decided and added since the state was taken, as the log will say it."""
    if not parts.events:
        return []
    view = local_runs.detached(parts.agent, parts.run_id, parts.events, parts.context)
    local_runs.record_decisions(view)
    return [*view.log.events[len(parts.events) :], *parts.added]


def _begin(env: RunEnv, request: local_runs.RunRequest, parts: StateParts) -> None:
    """The run of a state that a program made by hand."""
    given: Any = parts.live.input
    conversation, previous, chains = parts.kept_by_provider
    options: Options = msgspec.structs.replace(
        request.options,
        conversation_id=request.options.conversation_id or conversation,
        previous_response_id=request.options.previous_response_id or previous,
        chains_responses=request.options.chains_responses or chains,
        has_context=env.context.context is not None,
    )
    check_request(replace(request, options=options))
    wanted = replace(request, options=options, max_turns=parts.max_turns)
    items = [wire(item) for item in as_items(given)]
    local_runs.begin(env.log, wanted, items, is_text=isinstance(given, str))


def check_request(request: local_runs.RunRequest) -> None:
    """Refuse what cannot be run, or what a run cannot have together.

    Raises:
        UserError: There is no agent, or the provider keeps the conversation, and so would something
            else.
    """
    if not isinstance(request.agent, Agent):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
        if request.goes_on:
            raise UserError(
                "Runner.resume takes the agent that the run began with second, after the run's id, and got "
                f"{type(request.agent).__name__}. Write Runner.resume(run_id, agent)."
            )
        raise UserError(
            f"A run takes an Agent first and its input second, got {type(request.agent).__name__} "
            'where the agent belongs. Write Runner.run(agent, "...").'
        )
    options, config = request.options, request.config
    if not (options.conversation_id or options.previous_response_id or options.chains_responses):
        return
    if request.session is not None:
        raise UserError(
            "Session persistence cannot be combined with conversation_id, previous_response_id, or "
            "auto_previous_response_id: the provider keeps the conversation already."
        )
    if not (config.output_guardrails or request.agent.output_guardrails):
        return
    if not _keeps_nothing(request):
        raise UserError(
            "Output guardrails cannot be combined with server-managed conversation history "
            "(conversation_id, previous_response_id, auto_previous_response_id): the provider keeps what "
            "the guardrail would withhold."
        )


def _keeps_nothing(request: local_runs.RunRequest) -> bool:
    """Whether the agent's model speaks an API that knows no conversation of the provider."""
    from outlast.models.chat import OpenAIChatCompletionsModel

    config: Any = request.config
    model = config.model or request.agent.model
    if model is None or isinstance(model, str):
        quiet = trace("setup", disabled=True) if config.tracing_disabled else nullcontext()
        with quiet:
            model = config.model_provider.get_model(model)
    return isinstance(model, OpenAIChatCompletionsModel)
