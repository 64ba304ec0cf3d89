"""What a caller says about a run, checked and in one form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from outlast.core.errors import UserError, WrongType
from outlast.core.events import Item
from outlast.core.identity import check_run_id
from outlast.core.state import Options
from outlast.definitions.agent import Agent
from outlast.definitions.context import RunContextWrapper, effect_of
from outlast.definitions.given import check_flag, check_function, check_text
from outlast.definitions.hooks import AgentHooksBase, RunHooksBase
from outlast.effects.config import RunConfig, check_journal, ruled
from outlast.effects.history import unrepeated
from outlast.effects.place import Place
from outlast.effects.projection import wire
from outlast.engine.elsewhere import engine_of
from outlast.engine.local_runs import RunRequest
from outlast.engine.log import follower
from outlast.journal.journal import Journal
from outlast.journal.opening import open_journal
from outlast.run.resume import check_request

AnyAgent = Agent


def request_of(agent: AnyAgent, config: RunConfig, options: dict[str, Any]) -> RunRequest:
    """The request that a runner's keywords make.

    Raises:
        UserError: The id is none, or some of it cannot go together.
    """
    engine_of(options)
    request = RunRequest(
        agent=agent,
        config=config,
        max_turns=_checked_limit(options.get("max_turns", 10)),
        hooks=_checked_hooks(options.get("hooks")),
        error_handlers=_checked_handlers(options.get("error_handlers")),
        session=_checked_session(options.get("session")),
        run_id=options.get("run_id"),
        options=_kept_by_provider(options),
        goes_on=bool(options.get("goes_on")),
    )
    if "max_turns" in options:
        request.limit = "set" if request.goes_on else "raise"
    if request.run_id is not None and not _is_child(request, options.get("context")):
        check_run_id(request.run_id)
    check_request(request)
    return request


def _is_child(request: RunRequest, context: Any) -> bool:
    """Whether the run performs the very call of a tool that its context is of."""
    handle: Any = effect_of(context)
    if handle is None or request.run_id != handle.child_id:
        return False
    request.parent, request.parent_effect = handle.run_id, handle.effect_id
    request.is_derived = True
    return True


def fit(request: RunRequest, place: Place | None, context: RunContextWrapper) -> None:
    """Put a run that begins at ``place`` under what holds for the run that it is inside of.

    Raises:
        UserError: It is inside of none, and begins elsewhere with what cannot travel there.
    """
    if place is None:
        if follower(request.config.journal):
            require_portable(request, context)
        return
    outer = place.state.started
    if outer is not None:
        request.metadata, request.purse = outer.metadata, place.purse
        request.config = ruled(request.config, place.approval_rules)
        request.goes_on |= place.is_repeated


async def nest(request: RunRequest, place: Place, items: list[Item]) -> None:
    """Make a run that user code begins inside an effect a part of it; its id may be its own."""
    if request.parent:
        return  # It performs the call of an agent that is a tool, and has that identity.
    request.is_derived = request.run_id is None
    if request.run_id is None:
        request.run_id = place.child_id(request.agent.name, items)
    request.parent, request.parent_effect = place.run_id, place.effect_id
    await place.note_child(request.run_id, request.agent.name)


def as_items(value: object) -> list[Item]:
    """A run's input as items that share nothing with the caller's."""
    if isinstance(value, str):
        return [{"content": value, "role": "user"}]
    if isinstance(value, list):
        items = cast("list[Any]", value)
        for index, item in enumerate(items):
            _check_item(index, item)
        return unrepeated([wire(item) for item in items])
    raise UserError(
        f"A run's input must be a text, a list of items or a RunState, got {type(value).__name__}."
    )


def _check_item(index: int, item: object) -> None:
    if not isinstance(item, Mapping) and not hasattr(item, "model_dump"):
        raise UserError(
            f"Item {index} of the input is of type {type(item).__name__}, and an item is a dict such "
            'as {"role": "user", "content": "..."}.'
        )


def require_portable(request: RunRequest, context: RunContextWrapper) -> None:
    """Refuse to begin a run elsewhere with what cannot travel there.

    Raises:
        UserError: A context or hooks were given. Of a session its id travels, of error handlers which
            there are.
    """
    given = {"context": context.context is not None, "hooks": request.hooks is not None}
    if names := [name for name, is_given in given.items() if is_given]:
        raise UserError(
            f"{' and '.join(names)} cannot travel to the worker that performs the run. Give them to the "
            "worker's Program, which makes a context for each run; what differs from run to run goes into "
            "RunConfig(metadata=...)."
        )


def wrapped(context: object) -> RunContextWrapper:
    """The context as tools and hooks get it."""
    if isinstance(context, RunContextWrapper):
        return cast("RunContextWrapper", context)
    return RunContextWrapper(context)


def journal_of(config: RunConfig, place: Place | None = None) -> Journal:
    """The journal that a run with these settings, begun at ``place``, is kept in."""
    where = config.journal
    check_journal(where)
    if where is not None and not isinstance(where, str | Path):
        return where
    if where is None and place is not None:
        return place.journal
    return open_journal(where, config.durability or "power")


def _kept_by_provider(options: dict[str, Any]) -> Options:
    conversation = options.get("conversation_id")
    previous = options.get("previous_response_id")
    chains = options.get("auto_previous_response_id") or False
    check_text("conversation_id", conversation)
    check_text("previous_response_id", previous)
    check_flag("auto_previous_response_id", chains)
    program = options.get("program", "")
    has_context = wrapped(options.get("context")).context is not None
    given = (conversation is not None, previous is not None, chains, program, has_context)
    if not any(given):
        return _PLAIN
    return Options(
        conversation_id=conversation,
        previous_response_id=previous,
        chains_responses=chains,
        has_context=has_context,
        program=program,
    )


_PLAIN = Options()


def _checked_hooks(hooks: object) -> Any:
    if hooks is None or isinstance(hooks, RunHooksBase):
        return hooks  # pyright: ignore[reportUnknownVariableType]  # a subclass of any context
    if isinstance(hooks, AgentHooksBase):
        raise WrongType(
            f"Run hooks must be instances of RunHooks. Received agent hooks of type "
            f"{type(hooks).__name__}; give those to an agent: Agent(hooks=...)."  # pyright: ignore[reportUnknownArgumentType]
        )
    raise WrongType(f"Run hooks must be instances of RunHooks. Received {_named(hooks)}")


def _checked_handlers(handlers: object) -> Any:
    if handlers is None:
        return None
    if not isinstance(handlers, Mapping):
        raise WrongType(
            'error_handlers must be a dict such as {"max_turns": function}. Received '
            f"{_named(handlers)}"
        )
    for kind, handler in cast("Mapping[str, Any]", handlers).items():
        check_function(f"error_handlers[{kind!r}]", handler)
    return cast("Any", handlers)


def _checked_limit(limit: object) -> int | None:
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool)):
        raise WrongType(
            f"max_turns must be a number of turns, or None for no limit, got {limit!r:.40}."
        )
    return limit


def _checked_session(session: object) -> Any:
    if session is None or (hasattr(session, "get_items") and not isinstance(session, type)):
        return session
    raise WrongType(
        f"session must be a Session such as SQLiteSession({_SESSION_ID!r}). Received {_named(session)}"
    )


_SESSION_ID = "an id"


def _named(value: object) -> str:
    """What somebody passed, and what to do where it is a class."""
    if isinstance(value, type):
        return f"the class {value.__name__}. Make an object of it: {value.__name__}(...)."
    return f"an object of type {type(value).__name__}."
