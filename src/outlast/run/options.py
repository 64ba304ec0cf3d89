"""What a run may be asked for by keyword, where it is passed on: `resume`, `recover_runs`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeAlias, TypeVar

from typing_extensions import TypedDict

from outlast.definitions.context import RunContextWrapper, TContext
from outlast.definitions.hooks import RunHooks
from outlast.effects.config import RunConfig
from outlast.effects.error_handlers import RunErrorHandlers
from outlast.engine.elsewhere import RunsElsewhere
from outlast.journal.journal import RunSummary
from outlast.sessions.session import SessionLike

_T = TypeVar("_T")


class RunOptions(TypedDict, Generic[TContext], total=False):
    """The keywords of `Runner.run`, by the same names; `Runner.run` says what they mean."""

    context: TContext | RunContextWrapper[TContext] | None
    max_turns: int | None
    hooks: RunHooks[TContext] | None
    run_config: RunConfig | dict[str, Any] | None
    error_handlers: RunErrorHandlers[TContext] | None
    previous_response_id: str | None
    auto_previous_response_id: bool
    conversation_id: str | None
    session: SessionLike | None
    engine: RunsElsewhere | None


Own: TypeAlias = Callable[[RunSummary], _T | Awaitable[_T]]
"""What makes one run's own value from what the list of runs says of it."""


class RecoveryOptions(TypedDict, Generic[TContext], total=False):
    """The keywords of `Runner.run` for many runs: each may have a context and a session of its own."""

    context: TContext | RunContextWrapper[TContext] | Own[Any] | None
    max_turns: int | None
    hooks: RunHooks[TContext] | None
    run_config: RunConfig | dict[str, Any] | None
    error_handlers: RunErrorHandlers[TContext] | None
    previous_response_id: str | None
    auto_previous_response_id: bool
    conversation_id: str | None
    session: SessionLike | Own[Any] | None
