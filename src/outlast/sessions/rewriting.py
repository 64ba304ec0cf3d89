"""Replacing items of a session in one step, so that nobody ever sees, or keeps, half of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

Change: TypeAlias = Callable[[list[Any]], list[Any] | None]
"""Says what a session is to hold in place of what it holds; None to leave it. Called once or more: it
changes nothing itself. Items that stay are the very objects that it was given."""


@runtime_checkable
class RewritableSession(Protocol):
    """A session whose items can be replaced in one step, whoever else writes to it."""

    async def rewrite_items(self, change: Change) -> bool:
        """Replace all items by what ``change`` says; False if it says to leave them."""
        ...


class Plan(NamedTuple):
    """How to come from the items that are stored to those that are wanted, with the least writing."""

    dropped: list[int]
    """Places of stored items that go."""
    added: list[Any]
    """What comes behind those that stay."""


def plan(stored: Sequence[Any], wanted: Sequence[Any]) -> Plan:
    """What to drop and what to add, where new items can only come at the end."""
    places = {id(item): place for place, item in enumerate(stored)}
    kept: list[int] = []
    for item in wanted:
        place = places.get(id(item))
        if place is None or (kept and place <= kept[-1]):
            break
        kept.append(place)
    staying = set(kept)
    dropped = [place for place in range(len(stored)) if place not in staying]
    return Plan(dropped, list(wanted[len(kept) :]))


def rewrites_in_one_step(session: object) -> bool:
    """Whether `rewrite_items` may take the place of `clear_session` and `add_items`.

    Somebody who has put own code in the place of one of these wants it to be used.
    """
    if not isinstance(session, RewritableSession):
        return False
    kind = type(session)
    home = next((each for each in kind.__mro__ if "rewrite_items" in vars(each)), None)
    return home is not None and not any(
        name in vars(session) or getattr(kind, name) is not getattr(home, name)
        for name in ("add_items", "clear_session")
    )
