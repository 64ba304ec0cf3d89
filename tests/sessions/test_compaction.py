"""A session that OpenAI shortens: what a run's model has not seen stays, and a failure changes nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, StorageFull, function_tool
from outlast.core.errors import AgentsException
from outlast.core.pairs import whole_from
from outlast.effects.config import CallModelData, ModelInputData
from outlast.journal.memory import MemoryJournal
from outlast.sessions.backends import AsyncSQLiteSession, EncryptedSession, SQLAlchemySession
from outlast.sessions.compaction import OpenAIResponsesCompactionSession
from outlast.sessions.session import SessionABC, SessionSettings
from outlast.sessions.sqlite import SQLiteSession
from outlast.testing import (
    CrashingJournal,
    ModelStep,
    ScriptedModel,
    assistant_message,
    function_call,
)

SUMMARY = {"type": "compaction", "id": "cmp_1", "encrypted_content": "in short"}


class Provider:
    """Answers `responses.compact`, and keeps what it was asked."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[dict[str, Any]] = []
        self.fails = fails
        self.during: Any = None
        self.responses = self

    async def compact(self, **asked: Any) -> Any:
        self.asked.append(asked)
        if self.during is not None:
            await self.during()
        if self.fails:
            raise ConnectionError("the provider is away")
        return SimpleNamespace(output=[SUMMARY], usage=None)


class ListSession(SessionABC):
    """A session with four methods and nothing else."""

    def __init__(self) -> None:
        self.session_id = "s"
        self.items: list[Any] = []

    async def get_items(self, limit: int | None = None) -> list[Any]:
        return self.items[:] if limit is None else self.items[-limit:] if limit > 0 else []

    async def add_items(self, items: list[Any]) -> None:
        self.items += items

    async def pop_item(self) -> Any:
        return self.items.pop() if self.items else None

    async def clear_session(self) -> None:
        self.items.clear()


def shortened(inner: Any, provider: Any, **settings: Any) -> OpenAIResponsesCompactionSession:
    settings = {"should_trigger_compaction": lambda _: True, "compaction_mode": "input"} | settings
    return OpenAIResponsesCompactionSession("s", inner, client=provider, **settings)


def replying(*texts: str) -> Agent[Any]:
    return Agent(name="clerk", model=ScriptedModel([step(text) for text in texts]))


def step(text: str) -> ModelStep:
    return ModelStep(output=[assistant_message(text)], response_id="resp_1")


def looking() -> Agent[Any]:
    call = ModelStep(output=[function_call("look", {}, call_id="c")], response_id="resp_0")
    return Agent(name="clerk", model=ScriptedModel([call, step("done")]), tools=[look])


@function_tool
def look() -> str:
    """Look."""
    return "seen"


BACKENDS: dict[str, Any] = {
    "sqlite": lambda path: SQLiteSession("s", path / "s.db"),
    "async sqlite": lambda path: AsyncSQLiteSession("s", path / "s.db"),
    "sqlalchemy": lambda path: SQLAlchemySession.from_url(
        "s", url=f"sqlite+aiosqlite:///{path / 's.db'}", create_tables=True
    ),
    "encrypted": lambda path: EncryptedSession("s", SQLiteSession("s", path / "s.db"), "secret"),
    "four methods": lambda path: ListSession(),
}


@pytest.fixture(params=BACKENDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    session = BACKENDS[request.param](tmp_path)
    yield session
    inner = getattr(session, "underlying_session", session)
    if isinstance(inner, SQLAlchemySession):
        await inner.engine.dispose()
    elif isinstance(inner, AsyncSQLiteSession):
        await inner.close()
    elif isinstance(inner, SQLiteSession):
        inner.close()


async def test_a_run_leaves_the_short_form_of_what_its_model_has_seen(backend: Any):
    provider = Provider()
    await backend.add_items([{"role": "user", "content": "before"}])
    await Runner.run(replying("hi"), "hello", session=shortened(backend, provider))
    assert await backend.get_items() == [SUMMARY]
    assert [item.get("content") for item in provider.asked[0]["input"][:2]] == ["before", "hello"]


async def test_what_a_filter_hid_from_the_model_stays(backend: Any):
    def hide(data: CallModelData[Any]) -> ModelInputData:
        return ModelInputData(data.model_data.input[1:], data.model_data.instructions)

    secret = {"role": "user", "content": "before"}
    await backend.add_items([secret])
    provider = Provider()
    config = RunConfig(call_model_input_filter=hide)
    await Runner.run(
        replying("hi"), "hello", session=shortened(backend, provider), run_config=config
    )
    stored = await backend.get_items()
    assert stored[0] == secret
    in_one_step = not isinstance(backend, ListSession)
    assert (stored[1:] == [SUMMARY]) is in_one_step
    assert len(provider.asked) == in_one_step


async def test_a_failure_of_the_provider_leaves_the_session_as_it_was(backend: Any):
    session = shortened(backend, Provider(fails=True))
    with pytest.raises((ConnectionError, AgentsException)):
        await Runner.run(replying("hi"), "hello", session=session)
    assert [item["role"] for item in await backend.get_items()] == ["user", "assistant"]


async def test_who_writes_meanwhile_loses_nothing(backend: Any):
    provider = Provider()
    late = {"role": "user", "content": "late"}

    async def write() -> None:
        await backend.add_items([late])

    provider.during = write
    await Runner.run(replying("hi"), "hello", session=shortened(backend, provider))
    stored = await backend.get_items()
    assert len(stored) == 3
    assert stored[-1] == late


async def test_a_turn_with_tools_is_shortened_at_the_end_of_the_next_one(backend: Any):
    provider = Provider()
    await Runner.run(looking(), "hello", session=shortened(backend, provider))
    assert len(provider.asked) == 1
    kinds = [item.get("type", "message") for item in provider.asked[0]["input"]]
    assert kinds == ["message", "function_call", "function_call_output", "message"]
    assert await backend.get_items() == [SUMMARY]


async def test_a_limit_keeps_what_it_hides_and_tears_no_pair(tmp_path: Any):
    inner = SQLiteSession("s", tmp_path / "s.db", session_settings=SessionSettings(limit=2))
    history: list[Any] = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "seen"},
    ]
    await inner.add_items(history)
    await Runner.run(replying("hi"), "hello", session=shortened(inner, Provider()))
    assert await inner.get_items(-1) == [*history, SUMMARY]
    inner.close()


async def test_what_compaction_costs_is_in_the_usage_of_the_run():
    class Priced(Provider):
        async def compact(self, **asked: Any) -> Any:
            usage = SimpleNamespace(input_tokens=70, output_tokens=5, total_tokens=75)
            return SimpleNamespace(output=[SUMMARY], usage=usage)

    result = await Runner.run(replying("hi"), "hello", session=shortened(ListSession(), Priced()))
    assert result.context_wrapper.usage.input_tokens >= 70
    assert result.context_wrapper.usage.requests == 2


async def test_all_of_it_is_replaced_where_somebody_asks_for_it(backend: Any):
    await backend.add_items([{"role": "user", "content": str(n)} for n in range(3)])
    await shortened(backend, Provider()).run_compaction({"force": True})
    assert await backend.get_items() == [SUMMARY]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_anywhere_in_a_run_it_is_shortened_or_whole(tmp_path: Any, moment: Any):
    whole = ["user", "function_call", "function_call_output", "message"]
    for point in range(1, 40):
        inner, journal = SQLiteSession("s", tmp_path / f"{point}.db"), MemoryJournal()
        dead = Dead(journal, point, moment)
        agent = looking()
        try:
            await run_in(dead, agent, shortened(inner, Provider()))
        except StorageFull:
            dead.is_dead = True
            await run_in(journal, looking_on(agent), shortened(inner, Provider()))
        kinds = [item.get("type", item.get("role")) for item in await inner.get_items()]
        assert kinds in (whole, ["compaction"]), point
        inner.close()
        if not dead.is_dead:
            return
    pytest.fail("The run has no end.")


async def run_in(journal: Any, agent: Any, session: Any) -> None:
    config = RunConfig(journal=journal)
    await Runner.run(agent, "go", session=session, run_id="r", run_config=config)


def looking_on(agent: Agent[Any]) -> Agent[Any]:
    """The program in another process: its model answers what was not answered."""

    class Model(ScriptedModel):
        async def get_response(self, *args: Any, **options: Any) -> Any:
            has_looked = any(item.get("type") == "function_call_output" for item in args[1])
            output = (
                assistant_message("done") if has_looked else function_call("look", {}, call_id="c")
            )
            self.enqueue(ModelStep(output=[output], response_id="resp"))
            return await super().get_response(*args, **options)

    return agent.clone(model=Model())


class Dead(CrashingJournal):
    """A journal whose process dies at an append: nothing is written from then on."""

    def __init__(self, inner: Any, at: int, moment: Any) -> None:
        super().__init__(inner, at=at, moment=moment, crash=self._die)
        self.is_dead = False

    def append(self, lease: Any, events: Any, *, barrier: bool = True) -> Any:
        if self.is_dead:
            raise StorageFull("The process is dead.")
        return super().append(lease, events, barrier=barrier)

    def _die(self) -> None:
        self.is_dead = True
        raise StorageFull("The process dies.")


ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "hello"},
    {"type": "reasoning", "id": "r", "summary": []},
    {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
    {"type": "function_call", "call_id": "b", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "a", "output": "1"},
    {"type": "function_call_output", "call_id": "b", "output": "2"},
    {"role": "assistant", "content": "hi"},
]


@pytest.mark.parametrize(("start", "cut"), [(0, 0), (1, 1), (2, 6), (3, 6), (4, 6), (5, 6), (6, 6)])
def test_a_conversation_is_cut_where_nothing_is_torn(start: int, cut: int):
    assert whole_from(ITEMS, start) == cut


@pytest.mark.parametrize("is_reviewed", [False, True])
async def test_a_run_that_waited_shortens_only_what_somebody_has_looked_at_since(is_reviewed: bool):
    is_time = False
    inner, provider = SQLiteSession("s"), Provider()
    session = shortened(inner, provider, should_trigger_compaction=lambda _: is_time)
    agent = looking()
    agent.tools = [function_tool(lambda: "seen", name_override="look", needs_approval=True)]
    state = (await Runner.run(agent, "hello", session=session)).to_state()
    state.approve(state.get_interruptions()[0])
    if is_reviewed:
        await session.run_compaction()
    is_time = True
    await Runner.run(agent, state, session=session)
    assert (await inner.get_items() == [SUMMARY]) is is_reviewed
