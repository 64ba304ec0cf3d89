"""Going on from a state: the run's own log where nobody has gone on since, a fork of it else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from outlast.core.errors import UserError
from outlast.core.events import Event, RunReopened
from outlast.core.state import Options
from outlast.definitions.context import RunContextWrapper
from outlast.engine import local_runs
from outlast.engine.env import RunEnv
from outlast.engine.log import RunLog
from outlast.engine.projection import as_items, wire
from outlast.journal.journal import Journal
from outlast.run.run_state import RunState
from outlast.run.state_json import is_closed, unsaved_items
from outlast.sessions.session import session_id_of


async def continued(
    journal: Journal, request: local_runs.RunRequest, state: RunState[Any], context: Any
) -> RunEnv:
    """A run that goes on from ``state``, with what was decided and added since.

    A ``context`` replaces the one of the state; None keeps it.

    Raises:
        UserError: The run has nothing left to do, or its session is missing.
    """
    for text in state._texts.values():  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        journal.blobs.put(text.encode())
    run_id, events = state._run_id, state._events  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the pair is one thing
    log, has_gone_on = await local_runs.continue_log(journal, run_id, events, _planned(state))
    async with local_runs.released_on_error(log):
        _check(log, request)
        env = local_runs.environment(request, log, _context(state, context), state._live.copied())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        env.live.has_usage = env.context is state._context  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if log.state.started:
            _reopen(env, request)
        else:
            _begin(env, request, state)
        if not has_gone_on:  # Else somebody has gone on from here with the same decisions.
            local_runs.record_decisions(env)
            log.add(state._added)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return env


def _check(log: RunLog, request: local_runs.RunRequest) -> None:
    if is_closed(log.state):
        raise UserError(
            "This run state cannot be resumed: its final output was accepted, but could not be saved to "
            "the session. Read the output from the run, or start a new run."
        )
    if not unsaved_items(log.state):
        return
    wanted = log.state.options.session_id
    given = session_id_of(request.session) or None
    if request.session is None or (wanted and given != wanted):
        raise UserError(
            f"The run has a pending Session write for session {wanted!r}, but was given "
            f"{'none' if request.session is None else repr(given)}. Resume it with that session."
        )


def _context(state: RunState[Any], given: Any) -> RunContextWrapper[Any]:
    own = state._context  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if given is None:
        return own
    if not isinstance(given, RunContextWrapper):
        own.context = given
        return own
    for decision in own._approvals.decisions:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # shared by design
        given._approvals.add(decision)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return given  # pyright: ignore[reportUnknownVariableType]  # a wrapper of any context


def _reopen(env: RunEnv, request: local_runs.RunRequest) -> None:
    if env.log.state.ended:
        env.log.add([RunReopened()])
        env.live.has_output = env.log.state.output is not None and env.live.has_output
    local_runs.take_over(env, request)


def _planned(state: RunState[Any]) -> list[Event]:
    """What was decided and added since the state was taken, as the log will say it."""
    events, added = state._events, state._added  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if not events:
        return []
    view = local_runs.detached(state._agent, state._run_id, events, state._context)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    local_runs.record_decisions(view)
    return [*view.log.events[len(events) :], *added]


def _begin(env: RunEnv, request: local_runs.RunRequest, state: RunState[Any]) -> None:
    """The run of a state that a program made by hand."""
    given: Any = state._live.input  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    conversation, previous, chains = state._kept_by_provider  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    options: Options = msgspec.structs.replace(
        request.options,
        conversation_id=request.options.conversation_id or conversation,
        previous_response_id=request.options.previous_response_id or previous,
        chains_responses=request.options.chains_responses or chains,
    )
    check_request(replace(request, options=options))
    wanted = replace(request, options=options, max_turns=state._max_turns)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    items = [wire(item) for item in as_items(given)]
    local_runs.begin(env.log, wanted, items, is_text=isinstance(given, str))


def check_request(request: local_runs.RunRequest) -> None:
    """Refuse what cannot be run, or what a run cannot have together.

    Raises:
        UserError: There is no agent, or the provider keeps the conversation, and so would something
            else.
    """
    if not hasattr(request.agent, "name"):
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
    if config.output_guardrails or request.agent.output_guardrails:
        raise UserError(
            "Output guardrails cannot be combined with server-managed conversation history "
            "(conversation_id, previous_response_id, auto_previous_response_id): the provider keeps "
            "what the guardrail would withhold."
        )
