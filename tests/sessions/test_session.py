"""What a session is, its settings, and how it is called."""

from typing import Any

import pytest
from pydantic import BaseModel

from outlast.definitions.context import RunContextWrapper
from outlast.sessions.session import (
    Session,
    SessionABC,
    SessionSettings,
    accepts_wrapper,
    ask_session,
    is_openai_responses_compaction_aware_session,
    session_settings_from,
)


class Plain:
    """A session that only has the methods, and is not even async."""

    session_id = "s"
    session_settings = None

    def __init__(self) -> None:
        self.items: list[Any] = []

    def get_items(self, limit: int | None = None) -> list[Any]:
        return self.items[-limit:] if limit else self.items

    def add_items(self, items: list[Any]) -> None:
        self.items += items

    def pop_item(self) -> Any:
        return self.items.pop() if self.items else None

    def clear_session(self) -> None:
        self.items.clear()


class Tenants(SessionABC):
    """A session that keeps the conversations of several tenants apart."""

    session_id = "s"

    def __init__(self) -> None:
        self.items: dict[str, list[Any]] = {}

    async def get_items(self, limit: int | None = None, *, wrapper: Any = None) -> list[Any]:
        return self.items.get(wrapper.context, [])

    async def add_items(self, items: list[Any], wrapper: Any = None) -> None:
        self.items.setdefault(wrapper.context, []).extend(items)

    async def pop_item(self, *, wrapper: Any = None) -> Any:
        return self.items[wrapper.context].pop()

    async def clear_session(self, *, wrapper: Any = None) -> None:
        self.items.pop(wrapper.context, None)


class HalfTenants(Tenants):
    async def pop_item(self, **kwargs: Any) -> Any:
        return None


def test_settings_are_laid_over_where_they_say_something():
    base = SessionSettings(limit=3)
    assert base.resolve(None) is base
    assert base.resolve({"limit": None}).limit == 3
    assert base.resolve({"limit": 0}).limit == 0
    assert base.resolve(SessionSettings(limit=5)).to_dict() == {"limit": 5}
    assert base.limit == 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"limitt": 1}, "Unknown session settings: limitt"),
        (3, "must be a SessionSettings instance or a dict, got int"),
        ({"limit": "three"}, "limit must be an int or None, got str"),
    ],
)
def test_wrong_settings_are_an_error(value: object, message: str):
    with pytest.raises(TypeError, match=message):
        session_settings_from(value)


def test_whatever_has_the_methods_is_a_session():
    assert isinstance(Plain(), Session)
    assert isinstance(Tenants(), Session)
    assert not isinstance(object(), Session)


def test_a_session_knows_compaction_by_having_the_method():
    class Compacting(Plain):
        async def run_compaction(self, args: Any = None) -> None:
            """Nothing."""

    assert is_openai_responses_compaction_aware_session(Compacting())  # type: ignore[arg-type]
    assert not is_openai_responses_compaction_aware_session(Plain())  # type: ignore[arg-type]
    assert not is_openai_responses_compaction_aware_session(None)


async def test_a_session_may_be_sync():
    session: Any = Plain()
    await ask_session(session, "add_items", [1, 2], wrapper=RunContextWrapper("t"))
    assert await ask_session(session, "get_items", 1) == [2]


async def test_a_session_that_takes_the_context_gets_it():
    session: Any = Tenants()
    one, two = RunContextWrapper("one"), RunContextWrapper("two")
    await ask_session(session, "add_items", [1], wrapper=one)
    assert await ask_session(session, "get_items", wrapper=two) == []
    assert await ask_session(session, "get_items", wrapper=one) == [1]


def test_the_context_is_for_sessions_that_take_it_in_all_methods():
    assert accepts_wrapper(Tenants())
    assert not accepts_wrapper(HalfTenants())
    assert not accepts_wrapper(Plain())  # type: ignore[arg-type]


def test_the_base_class_wants_all_methods_and_the_protocol_none():
    class Half(SessionABC):
        async def pop_item(self) -> Any:
            return None

    class Short(Session):
        session_id = "s"

        async def get_items(self, limit: int | None = None) -> list[Any]:
            return []

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]
    assert Short().session_id == "s"  # type: ignore[abstract]
    assert isinstance(Tenants(), Session)
    assert not isinstance(Plain(), SessionABC)


async def test_a_model_of_pydantic_s_can_be_a_session():
    class Kept(BaseModel, SessionABC):
        session_id: str
        items: list[Any] = []

        async def get_items(self, limit: int | None = None) -> list[Any]:
            return self.items

        async def add_items(self, items: list[Any]) -> None:
            self.items += items

        async def pop_item(self) -> Any:
            return self.items.pop()

        async def clear_session(self) -> None:
            self.items.clear()

    kept = Kept(session_id="s")
    await ask_session(kept, "add_items", [1], wrapper=RunContextWrapper(None))
    assert kept.items == [1]
    assert isinstance(kept, Session)
