"""Runs inside workflows: `Runner.run` in a class with `@workflow.defn`.

The loop and the log are in the workflow's memory, which Temporal's history restores. Models are called
by activities, user code is performed beside the workflow (`beside`), and what is a part of the workflow
by its nature stays there (`placement`).
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from temporalio import workflow

from outlast.core.effects import CallModel, Effect, Wait
from outlast.core.errors import UserError
from outlast.core.events import Event, TimerFired
from outlast.core.state import RunState
from outlast.definitions.model import Model, ModelProvider
from outlast.effects.config import ModelInputData, RunConfig, coerce_run_config
from outlast.effects.hooks import TELL, Calls
from outlast.effects.outcome import Emit, HookCall, Outcome
from outlast.effects.place import here
from outlast.effects.view import RunView
from outlast.engine.env import RunEnv
from outlast.engine.local import LocalEngine
from outlast.journal.memory import MemoryJournal
from outlast.models.provider import MultiProvider
from outlast.run.result import RunResult
from outlast.run.run_state import RunState as SavedState
from outlast.run.runner import AgentRunner
from outlast.run.stream import RunResultStreaming
from outlast.temporal.beside import Work, beside
from outlast.temporal.model_activity import NO_LIMITS, ActivityModels, ModelActivityParameters
from outlast.temporal.objects import roots
from outlast.temporal.placement import belongs_to_workflow, hooks_of, where


class _WorkflowHost:
    """Ids of a workflow's runs, traces and spans are the same in every replay; its loop has no threads."""

    def __init__(self) -> None:
        self._sources: WeakKeyDictionary[asyncio.AbstractEventLoop, Random] = WeakKeyDictionary()

    def random_bytes(self, count: int) -> bytes | None:
        if not workflow.in_workflow():
            return None
        loop = asyncio.get_running_loop()
        if loop not in self._sources:
            self._sources[loop] = Random(workflow.info().run_id)  # noqa: S311  # it has to repeat itself
        return self._sources[loop].randbytes(count)

    def is_here(self) -> bool:
        return workflow.in_workflow()

    def is_replaying(self) -> bool:
        return workflow.in_workflow() and workflow.unsafe.is_replaying()


WORKFLOWS = _WorkflowHost()


@dataclass(kw_only=True)
class Setup:
    """How runs inside the workflows of a worker are performed."""

    params: ModelActivityParameters = field(default_factory=ModelActivityParameters)
    provider: ModelProvider | None = None
    """What finds models outside of workflows, too."""
    user_code_timeout: timedelta = timedelta(hours=1)


class WorkflowEngine:
    """Performs the effects of a run that a workflow has begun."""

    def __init__(self, env: RunEnv, setup: Setup) -> None:
        self._env, self._setup = env, setup
        self._here = LocalEngine(env)

    def derive(self, effect: Effect, state: RunState) -> Sequence[Event] | None:
        return self._here.derive(effect, state)

    async def perform(self, effect: Effect, emit: Emit) -> Outcome:
        if isinstance(effect, Wait):
            left = max(0.0, effect.at - workflow.time())
            await workflow.sleep(left if effect.longest_s is None else min(left, effect.longest_s))
            return Outcome([TimerFired(effect.id)])
        view = self._env.view()
        if isinstance(effect, CallModel):
            return await self._call_model(effect, view, emit)
        if where(effect, view) == "beside":
            return await self._beside(effect, view)
        return await self._inside(effect, emit)

    async def tell(self, effect: Effect, hooks: Sequence[HookCall]) -> None:
        view = self._env.view()
        heard = [each for call in hooks for each in hooks_of(view, call.agent, call.hook)]
        if not heard or any(map(belongs_to_workflow, heard)):
            await self._here.tell(effect, hooks)
            return
        answer = await beside(self._work(effect, view, hooks=hooks), self._setup.user_code_timeout)
        self._env.log.add(answer.events)

    def failed(self, effect: Effect, error: Exception) -> Event:
        return self._here.failed(effect, error)

    async def _inside(self, effect: Effect, emit: Emit) -> Outcome:
        """Perform it as a part of the workflow; hooks that are none are called beside it."""
        view = self._env.view()
        heard = hooks_of(view, getattr(effect, "agent", "") or view.state.agent)

        async def told(calls: Calls) -> None:
            work = self._work(effect, view, calls=calls)
            answer = await beside(work, self._setup.user_code_timeout)
            if answer.error:
                raise UserError(answer.error)

        token = TELL.set(None if any(map(belongs_to_workflow, heard)) else told)
        try:
            return await self._here.perform(effect, emit)
        finally:
            TELL.reset(token)

    async def _beside(self, effect: Effect, view: RunView) -> Outcome:
        answer = await beside(self._work(effect, view), self._setup.user_code_timeout)
        return Outcome(answer.events)

    async def _call_model(self, effect: CallModel, view: RunView, emit: Emit) -> Outcome:
        if _has_live_model(effect, view):
            return await self._beside(effect, view)
        is_begun = effect.id in view.live.asked
        if not is_begun and where(effect, view) == "beside":
            work = self._work(effect, view, only_begins=True)
            answer = await beside(work, self._setup.user_code_timeout)
            if answer.input is None:
                return Outcome(answer.events)
            if answer.events:
                await emit(*answer.events)
            instructions, items = answer.input
            view.live.asked[effect.id] = ModelInputData(items, instructions)
        return await self._inside(effect, emit)

    def _work(self, effect: Effect, view: RunView, **more: Any) -> Work:
        # Nobody watches from here: a stream's queue is the workflow's.
        agent: Any = view.agents.find(getattr(effect, "agent", "") or view.state.agent)
        held = [
            view.context.context,
            *hooks_of(view, getattr(effect, "agent", "") or view.state.agent),
        ]
        if agent is not None:
            held += [agent.instructions, *agent.tools]
        quiet = msgspec.structs.replace(view, show=None)
        return Work(env=self._env, effect=effect, view=quiet, roots=roots(held), **more)


def _has_live_model(effect: CallModel, view: RunView) -> bool:
    """Whether the model is an object of the workflow, or found by a provider of its own."""
    agent: Any = view.agents.find(effect.agent)
    chosen = view.config.model if view.config.model is not None else agent and agent.model
    is_name = chosen is None or isinstance(chosen, str)
    return not is_name or not isinstance(view.config.model_provider, ActivityModels)


_journals: WeakKeyDictionary[asyncio.AbstractEventLoop, MemoryJournal] = WeakKeyDictionary()
"""The runs of each workflow, which has a loop of its own."""
_counts: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()


class WorkflowRunner(AgentRunner):
    """Does the work of `Runner` in workflows, and leaves it to another runner elsewhere."""

    def __init__(self, setup: Setup, elsewhere: AgentRunner) -> None:
        super().__init__(lambda env: WorkflowEngine(env, setup))
        self._setup, self._elsewhere = setup, elsewhere

    async def run(self, starting_agent: Any, input: Any, **options: Any) -> RunResult:  # noqa: A002  # upstream's name
        if not workflow.in_workflow():
            return await self._elsewhere.run(starting_agent, input, **self._outside(options))
        return await super().run(starting_agent, input, **self._inside(input, options))

    def run_streamed(self, starting_agent: Any, input: Any, **options: Any) -> RunResultStreaming:  # noqa: A002  # upstream's name
        if not workflow.in_workflow():
            outside = self._outside(options)
            return self._elsewhere.run_streamed(starting_agent, input, **outside)
        return super().run_streamed(starting_agent, input, **self._inside(input, options))

    def run_sync(self, starting_agent: Any, input: Any, **options: Any) -> RunResult:  # noqa: A002  # upstream's name
        if not workflow.in_workflow():
            return self._elsewhere.run_sync(starting_agent, input, **self._outside(options))
        return super().run_sync(starting_agent, input, **options)

    def _outside(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options of a run that user code beside a workflow begins: models are the plug-in's."""
        if here() is None or self._setup.provider is None:
            return options
        config = _own(options)
        if _is_default(config.model_provider):
            config.model_provider = self._setup.provider
        return {**options, "run_config": config}

    def _inside(self, input: Any, options: dict[str, Any]) -> dict[str, Any]:  # noqa: A002  # as above
        loop = asyncio.get_running_loop()
        config = _own(options)
        config.journal = _journals.setdefault(loop, MemoryJournal())
        if _is_default(config.model_provider):
            config.model_provider = ActivityModels(self._setup.params)
        config.model_limits = config.model_limits or NO_LIMITS
        told = {**options, "run_config": config}
        if here() is None and not isinstance(input, SavedState) and not options.get("run_id"):
            number = _counts[loop] = _counts.get(loop, 0) + 1
            told["run_id"] = f"{workflow.info().run_id}-{number}"
        return told


def _own(options: dict[str, Any]) -> RunConfig:
    """A copy of the settings, with all that somebody has put beside them."""
    return copy.copy(coerce_run_config(options.get("run_config")))


def _is_default(provider: Any) -> bool:
    return type(provider) is MultiProvider and not isinstance(provider, Model)
