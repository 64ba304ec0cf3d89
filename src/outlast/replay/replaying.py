"""Performing a recorded run again with the program as it is now."""

from __future__ import annotations

from dataclasses import dataclass, replace as with_fields
from typing import Any

from msgspec.structs import replace

from outlast.core.errors import RunNotFound, UserError
from outlast.core.events import Event
from outlast.core.ids import EffectId
from outlast.core.stored import Stored
from outlast.definitions.agent import Agent
from outlast.effects.config import RunConfig, coerce_run_config
from outlast.effects.guardrail import guardrail_names
from outlast.engine.drive import drive
from outlast.engine.env import RunEnv
from outlast.engine.local_runs import RunRequest, environment, new_run_id, scope_of
from outlast.engine.log import RunLog
from outlast.journal.memory import MemoryJournal
from outlast.replay.engine import NotRecorded, ReplayEngine
from outlast.run.request import journal_of, wrapped
from outlast.views.divergence import Divergence, divergences
from outlast.views.recording import Recording, recording_of
from outlast.views.steps import timeline


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of performing a recorded run again."""

    run_id: str
    status: str
    """What the replay came to, as `outlast runs` says it; `diverged` where it could not go on."""
    output: str
    divergences: tuple[Divergence, ...]
    events: tuple[Event, ...]
    """The log of the replay."""
    recorded: tuple[Event, ...]
    inner: tuple[Replay, ...] = ()
    """The runs of agents that are tools of this run, performed again in the same way."""

    @property
    def is_same(self) -> bool:
        """Whether it went as recorded, event by event, and the runs inside it too."""
        return not self.divergences

    @property
    def first(self) -> Divergence | None:
        """The first place where it went another way; None if it did not."""
        return self.divergences[0] if self.divergences else None


async def replay(
    run_id: str,
    agent: Agent,
    *,
    journal: object = None,
    context: object = None,
    run_config: RunConfig | dict[str, Any] | None = None,
) -> Replay:
    """Perform a recorded run again: the program as it is now, with what models and tools answered then.

    No model is asked, no tool performed, no hook told, and the network is blocked. Nothing is written.

    Args:
        run_id: The run.
        agent: The agent that it began with, as the program has it now.
        journal: Where the run is kept, as in `RunConfig`.
        context: What instructions, guardrails and the like are given; logs do not hold it.
        run_config: Settings as the run had them: guardrails, filters, how calls are treated.

    Returns:
        Where and in what it went another way, the first place first.

    Raises:
        RunNotFound: There is no such run.
        UserError: It has not begun.
    """
    config = coerce_run_config(run_config)
    source = journal_of(config if journal is None else with_fields(config, journal=journal))
    stored = await source.read(run_id)
    try:
        recording = recording_of(run_id, [each.event for each in stored])
    except ValueError as error:
        raise UserError(f"Run {run_id!r} cannot be replayed. {error}") from error
    env = await _environment(recording, agent, config, context)
    engine = ReplayEngine(env, recording)
    stopped: NotRecorded | None = None
    async with scope_of(env):
        try:
            await drive(env.log, engine)
        except NotRecorded as error:
            stopped = error
    read = env.log.journal.blobs.get
    found = [*divergences(recording.events, env.log.events, (source.blobs.get, read))]
    found += [_misfit(key, name) for key, name in engine.misfits.items()]
    if stopped is not None:
        found = _until_stopped(found, stopped)
    inside = await _inside(engine, with_fields(config, journal=source), context)
    found = _in_order(found, inside, recording)
    view = timeline(Stored(seq, 0.0, 1, event) for seq, event in enumerate(env.log.events))
    return Replay(
        run_id,
        "diverged" if stopped is not None else view.status,
        view.output,
        tuple(found),
        tuple(env.log.events),
        tuple(recording.events),
        tuple(done for _, done in inside),
    )


async def _inside(
    engine: ReplayEngine, config: RunConfig, context: object
) -> list[tuple[str, Replay]]:
    """The replays of the runs inside one, by the effect that began them."""
    found: list[tuple[str, Replay]] = []
    for run_id, (key, tool) in engine.inner.items():
        own = tool.agent_config or config
        try:
            done = await replay(
                run_id,
                tool.agent,
                journal=config.journal,
                context=context,
                run_config=own,
            )
        except RunNotFound:  # It was begun, and nothing of it was written.
            continue
        found.append((key, done))
    return found


def _in_order(
    found: list[Divergence],
    inside: list[tuple[str, Replay]],
    recording: Recording,
) -> list[Divergence]:
    """The divergences of a run and of those inside it, in the order of the recording."""
    places, last = recording.places, len(recording.events)
    merged = list(found)
    for key, done in inside:
        place = places.get(key, last)
        later = (n for n, each in enumerate(merged) if places.get(each.place, -1) > place)
        at = next(later, len(merged))
        named = [with_fields(each, run=each.run or done.run_id) for each in done.divergences]
        merged[at:at] = named
    return merged


async def _environment(
    recording: Recording, agent: Agent, config: RunConfig, context: object
) -> RunEnv:
    """A run in memory that begins as the recorded one did."""
    memory = MemoryJournal()
    lease = await memory.acquire(new_run_id(), new=True)
    log = RunLog(memory, lease)
    request = RunRequest(agent=agent, config=config)
    started = recording.started
    log.add(
        [
            replace(
                started,
                agent=agent.name,
                guardrails=guardrail_names(agent, config),
                max_turns=recording.max_turns,
                parent="",
                parent_effect="",
            )
        ]
    )
    return environment(request, log, wrapped(context))


def _until_stopped(found: list[Divergence], stopped: NotRecorded) -> list[Divergence]:
    """What differs up to where the replay could not go on; what is missing behind that says nothing."""
    effect = stopped.effect
    turn = EffectId.parse(effect.id).turn
    known = [each for each in found if each.what != "missing"]
    return [*known, Divergence(effect.id, turn, "new", f"{effect.kind} {effect.name}".strip())]


def _misfit(key: str, name: str) -> Divergence:
    text = f"the recorded arguments of {name!r} do not fit the tool as it is now"
    return Divergence(key, EffectId.parse(key).turn, "arguments", "tool.returned", text=text)
