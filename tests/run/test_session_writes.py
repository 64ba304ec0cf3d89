"""A session of four methods holds each item of a run once, whenever the run's process died."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, function_tool
from outlast.core.events import SessionSaved
from outlast.core.identity import canonical
from outlast.journal.journal import Lease
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


class Plain:
    """A session with nothing but its four methods. Others write to it after a write of ours."""

    session_id = "ada"

    def __init__(self, others: list[Any]) -> None:
        self.items: list[Any] = [
            {"role": "user", "content": "go"},
            {"role": "user", "content": "b"},
        ]
        self.others = others

    async def get_items(self, limit: int | None = None) -> list[Any]:
        return self.items[-limit:] if limit else list(self.items)

    async def add_items(self, items: list[Any]) -> None:
        self.items += items

    async def pop_item(self) -> Any:
        return self.items.pop()

    async def clear_session(self) -> None:
        self.items.clear()


class Power(BaseException):
    """The process is gone."""


class Dying(MemoryJournal):
    """Dies before it can say of the n-th write to the session that it was made."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def append(self, lease: Lease, events: Any, *, barrier: bool = True) -> Any:
        saves = sum(isinstance(event, SessionSaved) for event in events)
        if saves and self.left >= 0:
            self.left -= saves
            if self.left < 0:
                raise Power
        return super().append(lease, events, barrier=barrier)


@function_tool
async def look() -> str:
    return "seen"


def desk(replies: int) -> Agent[Any]:
    script = [
        [function_call("look", {}, call_id="c1")],
        [function_call("look", {"again": 1}, call_id="c2")],
        [assistant_message("done")],
    ]
    return Agent(name="Desk", tools=[look], model=ScriptedModel(script[replies:]))


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize(
    "others",
    [[], [{"role": "user", "content": "theirs"}, {"role": "user", "content": "theirs too"}]],
)
async def test_a_write_in_doubt_is_not_made_again_though_others_have_written(
    at: int, limit: int | None, others: list[Any]
):
    journal, session = Dying(at), Plain(others)
    before = list(session.items)
    config = RunConfig(journal=journal, session_settings={"limit": limit} if limit else None)  # pyright: ignore[reportArgumentType]  # a dict will do
    with pytest.raises(Power):
        await Runner.run(desk(0), "go", run_id="r", session=session, run_config=config)
    session.items += others
    events = [each.event for each in await journal.read("r")]
    replies = sum(type(event).__name__ == "ModelReplied" for event in events)
    result = await Runner.run(desk(replies), "go", run_id="r", session=session, run_config=config)
    assert result.final_output == "done"
    ours = [each.item for each in _entries(await journal.read("r"))]
    wanted = [*before, *others, {"role": "user", "content": "go"}, *ours]
    assert sorted(map(canonical, session.items)) == sorted(map(canonical, wanted))


def _entries(log: Any) -> Any:
    from outlast.core.evolve import fold

    return fold([each.event for each in log]).entries.since(0)
