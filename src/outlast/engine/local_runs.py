"""Runs of the local engine: begin, take over, go on from a copy, look at without owning."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

import msgspec

from outlast.core import forks
from outlast.core.deciding import expired, unnamed, wants_names
from outlast.core.errors import AlreadyDecided, RunNotFound, UserError
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    BudgetRaised,
    CancelRequested,
    CommandTaken,
    Event,
    Item,
    LimitRaised,
    MessageReceived,
    RunAbandoned,
    RunAcquired,
    RunCopied,
    RunForked,
    RunPaused,
    RunReopened,
    RunStarted,
    RunUnparked,
    RunUnpaused,
)
from outlast.core.failing import can_go_on, is_due, raises_limit
from outlast.core.identity import NO_METADATA, RunMetadata
from outlast.core.state import Options, RunState, approval_key, tool_name
from outlast.definitions.approval_rules import every_rule, rules_facts
from outlast.definitions.budget import budget_facts
from outlast.definitions.clock import wall_s
from outlast.definitions.computer import dispose_resolved_computers
from outlast.definitions.context import RunContextWrapper, approvals_of
from outlast.definitions.hooks import RunHooks
from outlast.definitions.host import random_bytes
from outlast.effects.config import RunConfig
from outlast.effects.error_handlers import RunErrorHandlers
from outlast.effects.guardrail import guardrail_names
from outlast.effects.place import Place
from outlast.effects.projection import approval_item
from outlast.effects.purse import Purse, own_budgets, purse_of
from outlast.effects.registry import AnyAgent, Registry
from outlast.effects.ruled_tools import warn_of_rules
from outlast.effects.scope import RunScope
from outlast.engine.env import Live, RunEnv
from outlast.engine.fit import asks_at_end
from outlast.engine.ledger import Ledger
from outlast.engine.log import RunLog, require_known
from outlast.engine.relatives import note_copy, note_copy_of
from outlast.journal.journal import Journal, Lease
from outlast.journal.memory import MemoryJournal
from outlast.sessions.session import (
    Session,
    is_openai_responses_compaction_aware_session,
    session_id_of,
)
from outlast.views.status import ENDED, failure_of, status
from outlast.views.waiting import requested_item


class RunRequest(msgspec.Struct, kw_only=True):
    """Everything that a caller says about a run."""

    agent: AnyAgent
    config: RunConfig
    context: Any = None
    max_turns: int | None = 10
    hooks: RunHooks | None = None
    error_handlers: RunErrorHandlers | None = None
    session: Session | None = None
    run_id: str | None = None
    parent: str = ""
    parent_effect: str = ""
    is_derived: bool = False
    """Whether the id follows from the place in the parent, and with it what the run is asked."""
    metadata: RunMetadata | None = None
    """Its parent's, where the run has none of its own."""
    options: Options = Options()
    goes_on: bool = False
    """Whether a run that has failed is to go on, and not only to say again what it failed of."""
    purse: Purse | None = None
    """That of the run that this one is inside of: its budgets hold here too."""
    limit: Literal["keep", "raise", "set"] = "keep"
    """What `max_turns` means for a run that exists: nothing, a limit if it is higher, the limit."""


def new_run_id() -> str:
    """An id that no other run has, and that sorts by nothing."""
    return random_bytes(16).hex()


def environment(
    request: RunRequest, log: RunLog, context: RunContextWrapper, live: Live | None = None
) -> RunEnv:
    """The live side of a run."""
    live = live or Live()
    log.ledger = Ledger(context, live).count
    return RunEnv(
        log=log,
        agents=Registry(request.agent, live.namesakes),
        context=context,
        config=request.config,
        hooks=request.hooks,
        session=request.session,
        error_handlers=request.error_handlers,
        live=live,
        scope=RunScope(log.run_id),
        purse=purse_of(request.config, request.purse, log),
    )


async def open_log(journal: Journal, run_id: str | None) -> RunLog:
    """The log of a run, owned by this process; an empty one where no such run exists.

    Raises:
        AlreadyRunning: A living process performs it.
        JournalCorrupt: The log is damaged.
        IncompatibleRun: A newer version of Outlast wrote a part of it, and it has not ended.
    """
    if run_id is None:
        return RunLog(journal, await journal.acquire(new_run_id(), new=True))
    try:
        lease = await journal.acquire(run_id)
    except RunNotFound:
        return RunLog(journal, await journal.acquire(run_id, new=True))
    try:
        stored = await journal.read(run_id)
        log = RunLog(journal, lease, [each.event for each in stored])
        require_known(log)
    except BaseException:
        await journal.release(lease)
        raise
    return log


@asynccontextmanager
async def released_on_error(log: RunLog) -> AsyncGenerator[None]:
    """A block that gives the run back where it fails: nobody would know any more who has it."""
    try:
        yield
    except BaseException:
        await log.release()
        raise


def scope_of(env: RunEnv) -> RunScope:
    """The run's scope, to be entered while it goes on: whoever leaves it gives the run back.

    The run is given back last, when nothing of it is open here any more.
    """
    env.scope.own("lease", env.log.release)
    env.scope.own("computers", partial(dispose_resolved_computers, run_context=env.context))
    env.scope.enter(env.agents.named(env.log.state.agent))
    return env.scope


def begin(log: RunLog, request: RunRequest, items: list[Item], *, is_text: bool) -> None:
    """Record the start of a run."""
    config = request.config
    execution = config.tool_execution
    options = request.options
    is_default = (
        request.session is None
        and config.guardrails_hold_tools
        and execution is None
        and config.tool_not_found_behavior == "raise_error"
        and not request.error_handlers
        and config.reasoning_item_id_policy is None
        and config.on_outage == "fail"
    )
    if not is_default:
        options = msgspec.structs.replace(
            options,
            session=request.session is not None,
            session_id=session_id_of(request.session),
            shortens_session=is_openai_responses_compaction_aware_session(request.session),
            hold_side_effects=config.guardrails_hold_tools,
            forgive_unknown_tools=config.tool_not_found_behavior == "return_error_to_model",
            max_parallel_calls=execution.max_function_tool_concurrency if execution else None,
            recover_max_turns="max_turns" in (request.error_handlers or {}),
            parks=config.on_outage == "park",
            omits_reasoning_ids=config.reasoning_item_id_policy == "omit",
        )
    if rules := every_rule(config.approval_rules):
        facts = [rules_facts(each) for each in rules]
        options = msgspec.structs.replace(options, approval_rules=facts)
        if not request.parent:  # The agent of an inner run has only its own tools.
            warn_of_rules(request.agent, config)
    if own := own_budgets(config, request.purse):
        options = msgspec.structs.replace(options, budgets=[budget_facts(each) for each in own])
    log.add(
        [
            RunStarted(
                agent=request.agent.name,
                input=items,
                is_text=is_text,
                max_turns=request.max_turns,
                guardrails=guardrail_names(request.agent, config),
                options=msgspec.to_builtins(options),
                parent=request.parent,
                parent_effect=request.parent_effect,
                metadata=_metadata(request),
                salt=random_bytes(6).hex(),
            )
        ]
    )


def _metadata(request: RunRequest) -> RunMetadata:
    """Whose the run is; its conversation is that of its session, unless somebody has named another."""
    said = request.config.metadata or request.metadata or NO_METADATA
    session_id = session_id_of(request.session)
    if said.session_id is not None or not session_id:
        return said
    return msgspec.structs.replace(said, session_id=session_id)


def reopen(log: RunLog, request: RunRequest) -> None:
    """Let a run that has failed go on, where the caller wants that and the failure can pass.

    Whoever makes the first call again wants to hear the same error again, unless the limit of turns
    was what the run failed of, and is higher now, or a budget was, which is looked at again.
    """
    state, error = log.state, failure_of(log.state)
    if error is None or not can_go_on(error):
        return
    is_raised = _is_limit_new(state, request)
    # Somebody may have raised the limit meanwhile.
    has_turns = state.max_turns is None or state.turn < state.max_turns
    if error.kind == "MaxTurnsExceeded":
        has_handler = "max_turns" in (request.error_handlers or {})
        if not is_raised and not (request.goes_on and (has_handler or has_turns)):
            return
    elif error.kind != "BudgetExceeded" and not request.goes_on:
        return
    limit = request.max_turns if is_raised else None
    log.add([RunReopened(limit, is_raised, repeats_tools=True)])


def unpark(log: RunLog, request: RunRequest) -> None:
    """Let a run that waits for a provider go on, if it is due or the caller does not want to wait."""
    parked, now = log.state.parked.values(), wall_s()
    if parked and (request.goes_on or any(is_due(each, now) for each in parked)):
        log.add([RunUnparked()])


def end_pause(log: RunLog, request: RunRequest) -> None:
    """Let a paused run go on, if that is what the caller wants."""
    if log.state.paused and not log.state.ended and request.goes_on:
        log.add([RunUnpaused()])


def _is_limit_new(state: RunState, request: RunRequest) -> bool:
    """Whether the caller wants another limit of turns than the run has."""
    if request.limit == "set":
        return request.max_turns != state.max_turns
    return request.limit == "raise" and raises_limit(state, request.max_turns)


def take_over(env: RunEnv, request: RunRequest) -> None:
    """Record that this process performs the run from here on."""
    log = env.log
    if not log.state.started or log.state.ended:
        return
    before, turn = log.state.options, log.state.prepared
    said: dict[str, Any] = {
        "hold_side_effects": request.config.guardrails_hold_tools,
        "forgive_unknown_tools": request.config.tool_not_found_behavior == "return_error_to_model",
        "recover_max_turns": "max_turns" in (request.error_handlers or {}),
        "parks": request.config.on_outage == "park",
        "shortens_session": is_openai_responses_compaction_aware_session(request.session),
    }
    if (policy := request.config.reasoning_item_id_policy) is not None:
        said["omits_reasoning_ids"] = policy == "omit"
    if request.config.budgets:
        own = own_budgets(request.config, request.purse)
        said["budgets"] = [budget_facts(each) for each in own]
    if rules := every_rule(request.config.approval_rules):
        said["approval_rules"] = [rules_facts(each) for each in rules]
        if not request.parent:
            warn_of_rules(request.agent, request.config)
    changed = {key: value for key, value in said.items() if getattr(before, key) != value}
    agent = env.agents.find(turn.agent) if turn and turn.ending == "text" else None
    ending = "asked" if agent is not None and asks_at_end(env, agent) else ""
    has_limit = _is_limit_new(log.state, request)
    limit = request.max_turns if has_limit else None
    log.add([RunAcquired(f"pid {os.getpid()}", changed, ending, limit, has_limit)])
    log.add(expired(log.state, wall_s()))


async def continue_log(
    journal: Journal, run_id: str, events: Sequence[Event], planned: Sequence[Event]
) -> tuple[RunLog, bool]:
    """The run's own log where it has not gone on since, or just as ``planned``; else a fork of it.

    So after a crash whoever goes on again from what was stored, with the same decisions, goes on with
    the same run, and repeats nothing. Who does so once the run is complete wants another one, as in
    openai-agents. A journal that does not know the run learns it under its own id.

    Returns:
        The log, and whether it holds what was planned already.

    Raises:
        AlreadyDecided: The run has another decision about a call, which holds.
    """
    log = await open_log(journal, run_id)
    async with released_on_error(log):
        if not log.events:
            log.add(events)
        since = log.events[len(events) :]
        _require_first(log, since, planned)
        is_complete = status(log.state) == "completed"
        if not log.state.ended and _only_tells(since, planned):
            return log, False
        if not is_complete and (not since or _begins(since, planned)):
            return log, bool(since)
        copy = new_run_id()
        await note_copy(log, copy, events)
    await log.release()
    fork = RunLog(journal, await journal.acquire(copy, new=True))
    fork.add([*events, RunForked(run_id, len(events)), *forks.begun(events, since)])
    return fork, False


def _require_first(log: RunLog, since: Sequence[Event], planned: Sequence[Event]) -> None:
    """Refuse what a state decides where its run acts on another decision: a fork would split the two.

    What another copy of the state has decided is no such decision once the run waits again or has
    ended: as in openai-agents, one may go on with each copy.

    Raises:
        AlreadyDecided: The run has another decision.
    """
    goes_on = status(log.state) not in {*ENDED, "waiting", "abandoned"}
    others = forks.overruled(since, planned)
    before = next((each for each in others if goes_on or each.at is not None), None)
    if before is None:
        return
    call_id = approval_key(before)
    who = f"by {before.by!r}" if before.by else "by somebody who gave no name"
    word = "approved" if before.approved else "rejected"
    error = AlreadyDecided(
        f"Call {call_id!r} of run {log.run_id!r} was {word} already, {who}, after this state was taken. "
        "That holds; nothing was changed. Runner.resume goes on with the run, as does a state with the "
        "same decision."
    )
    error.run_id, error.call_id, error.approved = log.run_id, call_id, before.approved
    error.by, error.why, error.at = before.by, before.why, before.at
    raise error


def _only_tells(since: Sequence[Event], planned: Sequence[Event]) -> bool:
    """Whether people have told the run something since, nothing else, and not what ``planned`` denies."""
    if not all(isinstance(event, _TOLD) for event in since):
        return False
    decided = {approval_key(e): _bare(e) for e in since if isinstance(e, ApprovalDecided)}
    ours = {approval_key(e): _bare(e) for e in planned if isinstance(e, ApprovalDecided)}
    return bool(since) and all(decided[key] == ours[key] for key in decided.keys() & ours.keys())


def _begins(since: Sequence[Event], planned: Sequence[Event]) -> bool:
    """Whether what was added to a log begins with ``planned``, but for who performs the run."""
    said = [_bare(event) for event in since if not isinstance(event, _BESIDE)]
    return bool(planned) and said[: len(planned)] == [_bare(event) for event in planned]


_BESIDE = (
    RunAcquired | RunReopened | RunAbandoned | CommandTaken | RunPaused | RunUnpaused | RunCopied
)
"""Events that say nothing about what the run does."""
_TOLD = (
    RunAcquired | RunAbandoned | RunCopied | CommandTaken | RunPaused | RunUnpaused
    | MessageReceived | LimitRaised | BudgetRaised | CancelRequested | ApprovalDecided
    | ApprovalVoted
)  # fmt: skip


def _bare(event: Event) -> Event:
    """A decision is the same, whoever made it."""
    if not isinstance(event, ApprovalDecided):
        return event
    return msgspec.structs.replace(event, by="", why="", at=None)


async def copy_for_fork(journal: Journal, run_id: str | None, place: Place) -> None:
    """Give a fork of a run a child of its own, as it was when it asked for a person.

    The call of an agent used as a tool is performed by a run, which the fork has from the run that it
    comes from, where it may have gone on since. What the fork decides is not that run's concern.

    Args:
        journal: Where both are kept.
        run_id: The run that is about to be opened.
        place: Where in a run it is opened.
    """
    source = place.state.children.get(place.effect_id)
    if source is None or run_id is None or run_id == source or run_id != place.call_id:
        return
    asked = {each.call_id for each in place.state.requested.values() if each.child == source}
    copy = await open_log(journal, run_id)
    try:
        events = [] if copy.events else await _events_of(journal, source)
        open_keys, end = set(asked), len(events)
        for n, event in enumerate(events):
            if isinstance(event, ApprovalRequested):
                open_keys.discard(approval_key(event))
            elif not open_keys and isinstance(event, RunAcquired):
                end = n
                break
        if events:
            own, since = events[:end], events[end:]
            await note_copy_of(journal, source, run_id, own)
            copy.add([*own, RunForked(source, end), *forks.begun(own, since)])
            await copy.commit()
    finally:
        await copy.release()


async def _events_of(journal: Journal, run_id: str) -> list[Event]:
    """The log of a run; empty where it was kept elsewhere, so that a copy of it begins anew."""
    try:
        return [each.event for each in await journal.read(run_id)]
    except RunNotFound:
        return []


def record_decisions(env: RunEnv) -> None:
    """Bring what people decided in the run's context into its log.

    Raises:
        UserError: Rules say who decides about a call, and the context does not say who did.
    """
    state = env.log.state
    approvals = approvals_of(env.context)
    if not approvals.decisions or not state.requested:
        return
    decided: list[ApprovalDecided] = []
    for key, request in state.requested.items():
        call = requested_item(state, request)
        if key in state.decided or call is None:
            continue
        item = approval_item(env, key, request, call)
        decision = approvals.about(item, item.call_id or "")
        if decision is not None and wants_names(request.rules):
            if decision.call_id == item.call_id:
                raise UserError(unnamed(request.rules, item.question_id))
            continue  # It was said of another call, and holds for later ones where no rules are.
        if decision is not None:
            decided.append(
                ApprovalDecided(
                    call_id=request.call_id,
                    approved=decision.approved,
                    always=decision.always,
                    message=decision.message,
                    agent=request.agent,
                    name=tool_name(state, request, item.qualified_name),
                    child=request.child,
                )
            )
    env.log.add(decided)


def detached(
    agent: AnyAgent,
    run_id: str,
    events: Sequence[Event],
    context: RunContextWrapper,
    live: Live | None = None,
) -> RunEnv:
    """A run to look at, not to go on with: nothing is owned and nothing is written."""
    log = RunLog(MemoryJournal(), Lease(run_id, 0, len(events)), events)
    request = RunRequest(agent=agent, config=RunConfig())
    return environment(request, log, context, live)
