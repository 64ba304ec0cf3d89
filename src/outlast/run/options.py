"""What a run may be asked for by keyword, where it is passed on: `resume`, `recover_runs`."""

from __future__ import annotations

from typing import Any, Generic

from typing_extensions import TypedDict

from outlast.definitions.context import RunContextWrapper, TContext
from outlast.definitions.hooks import RunHooks
from outlast.engine.config import RunConfig
from outlast.engine.error_handlers import RunErrorHandlers
from outlast.sessions.session import SessionLike


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
