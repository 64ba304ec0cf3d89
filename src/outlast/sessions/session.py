"""What a session is: a conversation, kept somewhere, that runs read and add to.

Anything with these four methods is a session. An item is a dict in the shape that the Responses
API takes; a session keeps it as it is, also the fields that it does not know.
"""

from __future__ import annotations

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    Protocol,
    TypeAlias,
    TypedDict,
    TypeGuard,
    cast,
    runtime_checkable,
)

from outlast.core.errors import WrongType
from outlast.definitions.context import RunContextWrapper

if TYPE_CHECKING:
    from outlast.definitions.run_items import TResponseInputItem

    _Items = list[TResponseInputItem]
else:
    _Items = list[Any]  # The type of an item is `openai`'s, which is not imported here.

SessionInputCallback: TypeAlias = Callable[[_Items, _Items], _Items | Awaitable[_Items]]
"""Merges a session's history with the new input of a run; gets copies of both."""


@runtime_checkable
class SyncedSession(Protocol):
    """A session that can promise to be on disk, as a journal with durability "power" is."""

    def sync_writes(self) -> None:
        """From here on, what `add_items` was given is on disk when it returns."""
        ...


@runtime_checkable
class SelectiveSession(Protocol):
    """A session that keeps items in a form of its own, such as a provider's."""

    def storable_items(self, items: list[Any]) -> list[Any]:
        """What `add_items` will keep of ``items``, as it will keep it."""
        ...


_METHODS = ("get_items", "add_items", "pop_item", "clear_session")


@dataclass
class SessionSettings:
    """How a session is read.

    Attributes:
        limit: How many of the newest items are read; None for all of them.
    """

    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and not isinstance(self.limit, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's value
            raise WrongType(
                f"SessionSettings limit must be an int or None, got {type(self.limit).__name__}."
            )

    def resolve(self, override: SessionSettings | dict[str, Any] | None) -> SessionSettings:
        """These settings with those of ``override`` laid over that are not None."""
        override = session_settings_from(override)
        if override is None:
            return self
        changes = {name: value for name, value in override.to_dict().items() if value is not None}
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """All settings by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def session_settings_from(value: object) -> SessionSettings | None:
    """The settings that ``value`` stands for: settings, a dict of them, or None.

    Raises:
        TypeError: ``value`` is none of these, or the dict has a key that is no setting.
    """
    if value is None or isinstance(value, SessionSettings):
        return value
    if not isinstance(value, Mapping):
        raise WrongType(
            f"session must be a SessionSettings instance or a dict, got {type(value).__name__}"
        )
    given = cast("Mapping[str, Any]", value)
    known = {one.name for one in fields(SessionSettings)}
    if unknown := sorted(str(name) for name in given if name not in known):
        raise WrongType(
            f"Unknown session settings: {', '.join(unknown)}. Known are: {', '.join(sorted(known))}."
        )
    return SessionSettings(**given)


def check_items(items: Any) -> None:
    """Refuse to add to a session what is no list of items.

    Raises:
        TypeError: It is something else.
    """
    if issubclass(type(items), str | bytes | Mapping) or not hasattr(items, "__iter__"):
        raise WrongType(
            f"add_items takes a list of items, got {type(items).__name__}. Write "
            'add_items([{"role": "user", "content": "..."}]).'
        )


def item_text(item: Any, **options: Any) -> str:
    """An item as JSON; ``options`` are those of `json.dumps`.

    Raises:
        WrongType: It is no dict, or holds what JSON cannot say.
    """
    if not isinstance(item, dict):
        raise WrongType(f"A session keeps items that are dicts, got {type(item).__name__}.")
    try:
        return json.dumps(item, **options)
    except (TypeError, ValueError, RecursionError) as error:
        raise WrongType(
            f"An item was to be kept that JSON cannot say: {error}. Nothing was kept. Pass texts, numbers, "
            "lists and dicts."
        ) from error


class SessionLike(Protocol):
    """What a run needs of a session: the four methods."""

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest ``limit`` items, or all of them; the oldest comes first."""
        ...

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add ``items`` at the end, all or none."""
        ...

    async def pop_item(self) -> TResponseInputItem | None:
        """Take the newest item away and return it; None if there is none."""
        ...

    async def clear_session(self) -> None:
        """Forget all items of this session."""
        ...


@runtime_checkable
class Session(SessionLike, Protocol):
    """A conversation that runs read and add to. Implement it with or without `SessionABC`.

    It may have `session_settings`, a `SessionSettings`, which say how runs read it.
    """

    session_id: str


# Not derived from the protocol, whose metaclass is at odds with that of pydantic's models.
class SessionABC(ABC):
    """`Session` as a base class: without one of its methods, an object cannot be made."""

    session_id: str
    session_settings: SessionSettings | None = None

    @abstractmethod
    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest ``limit`` items, or all of them; the oldest comes first."""

    @abstractmethod
    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add ``items`` at the end, all or none."""

    @abstractmethod
    async def pop_item(self) -> TResponseInputItem | None:
        """Take the newest item away and return it; None if there is none."""

    @abstractmethod
    async def clear_session(self) -> None:
        """Forget all items of this session."""


OpenAIResponsesCompactionMode: TypeAlias = Literal["previous_response_id", "input", "auto"]
"""From what the provider makes the shorter form: from a response that it keeps, from the items that it
is sent, or from whichever there is."""


class OpenAIResponsesCompactionArgs(TypedDict, total=False):
    """What a session is told when a run asks it to shorten itself."""

    response_id: str
    compaction_mode: OpenAIResponsesCompactionMode
    store: bool
    force: bool


@runtime_checkable
class OpenAIResponsesCompactionAwareSession(Session, Protocol):
    """A session that can replace its older items by a shorter form."""

    async def run_compaction(self, args: OpenAIResponsesCompactionArgs | None = None) -> None:
        """Shorten the conversation if that is due, or in any case if ``args`` says so."""
        ...


def is_openai_responses_compaction_aware_session(
    session: Session | None,
) -> TypeGuard[OpenAIResponsesCompactionAwareSession]:
    """Whether ``session`` can shorten itself."""
    return callable(getattr(session, "run_compaction", None))


def session_id_of(session: object) -> str:
    """The id of a session; empty if it has none, or none before its first use."""
    try:
        return str(getattr(session, "session_id", "") or "")
    except ValueError:
        return ""


def accepts_wrapper(session: Session) -> bool:
    """Whether the run's context is passed to ``session``: all four methods have to take it.

    A session opts in by a parameter named ``wrapper``; ``**kwargs`` alone does not say so.
    """
    return all(takes_wrapper(getattr(session, name)) for name in _METHODS)


async def ask_session(
    session: Session,
    method: str,
    *args: Any,
    wrapper: RunContextWrapper | None = None,
    **more: Any,
) -> Any:
    """Call a method of ``session``, which may be sync, with the run's context if it takes that."""
    bound = getattr(session, method)
    given = {"wrapper": wrapper} if wrapper is not None and accepts_wrapper(session) else {}
    answer = bound(*args, **more, **given)
    return await answer if inspect.isawaitable(answer) else answer


def takes_wrapper(method: Callable[..., Any]) -> bool:
    """Whether a method has a parameter for the context of the run."""
    try:
        parameter = inspect.signature(method).parameters.get("wrapper")
    except (TypeError, ValueError):  # Something without a signature, such as a mock or a builtin.
        return False
    return parameter is not None and parameter.kind in (
        parameter.POSITIONAL_OR_KEYWORD,
        parameter.KEYWORD_ONLY,
    )
