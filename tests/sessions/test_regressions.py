"""Ways in which a session was once broken elsewhere, each of which must not break one here."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import InvalidToken
from tests.sessions.backends import LOCAL, opened

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailTripwireTriggered,
    RunConfig,
    Runner,
    SQLiteSession,
    function_tool,
)
from outlast.journal import MemoryJournal
from outlast.sessions.backends import AdvancedSQLiteSession, EncryptedSession, RedisSession
from outlast.sessions.conversations import OpenAIConversationsSession
from outlast.testing import ScriptedModel, assistant_message, function_call

USER: Any = {"role": "user", "content": "hello"}
REPLY: Any = {"role": "assistant", "content": "hi"}


def replying(*outputs: list[Any]) -> Agent[Any]:
    return Agent(name="clerk", model=ScriptedModel(outputs), tools=[look])


@function_tool
def look() -> str:
    """Look."""
    return "seen"


def count(file: Path, table: str) -> int:
    with sqlite3.connect(file) as db:
        (number,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    db.close()
    return number


async def test_a_deleted_branch_leaves_no_items_behind(tmp_path: Path):
    file = tmp_path / "a.db"
    session = AdvancedSQLiteSession(session_id="s", db_path=file, create_tables=True)
    await session.add_items([USER, REPLY, USER, REPLY])
    await session.create_branch_from_turn(2, "other")
    await session.add_items([USER, REPLY])
    assert count(file, "agent_messages") == 6
    await session.delete_branch("other", force=True)
    assert count(file, "agent_messages") == count(file, "message_structure") == 4
    session.close()


async def test_items_without_a_place_in_the_structure_are_not_reported_as_saved(tmp_path: Path):
    file = tmp_path / "a.db"
    session = AdvancedSQLiteSession(session_id="s", db_path=file, create_tables=True)
    await session.add_items([USER])
    with sqlite3.connect(file) as db:
        db.execute("DROP TABLE message_structure")
    db.close()
    with pytest.raises(sqlite3.OperationalError):
        await session.add_items([REPLY])
    assert count(file, "agent_messages") == 1
    session.close()


async def test_reasoning_with_nothing_in_it_does_not_lose_the_rest():
    class Client:
        def __init__(self) -> None:
            self.conversations = self
            self.items = self
            self.written: list[Any] = []

        async def create(self, conversation_id: str, items: Any) -> None:
            self.written += items

    client: Any = Client()
    session = OpenAIConversationsSession(conversation_id="c", openai_client=client)
    await session.add_items([USER, {"type": "reasoning", "summary": []}, REPLY])  # type: ignore[list-item]
    assert client.written == [USER, REPLY]


@pytest.mark.parametrize("name", ["sqlite", "async_sqlite", "sqlalchemy_sqlite"])
async def test_a_damaged_newest_row_takes_no_place_in_a_limit(name: str, tmp_path: Path):
    async with opened(name, tmp_path) as backend:
        session = backend.open()
        await session.add_items([USER, REPLY, USER])
        with sqlite3.connect(tmp_path / "sessions.db") as db:
            db.execute("UPDATE agent_messages SET message_data = '{torn' WHERE id = 3")
        db.close()
        assert await session.get_items(2) == [USER, REPLY]


async def test_a_wrong_key_reads_nothing_and_deletes_nothing():
    inner = SQLiteSession("s")
    await EncryptedSession("s", inner, "right").add_items([USER])
    await inner.add_items([{"role": "user", "content": "plain"}])
    wrong = EncryptedSession("s", inner, "wrong")
    assert await wrong.get_items() == []
    with pytest.raises(InvalidToken):
        await EncryptedSession("s", inner, "wrong").pop_item()
    assert await EncryptedSession("s", inner, "right").get_items() == [USER]
    inner.close()


@pytest.mark.parametrize("name", [name for name in LOCAL if "encrypted" not in name])
async def test_a_write_that_failed_frees_the_file(name: str, tmp_path: Path):
    async with opened(name, tmp_path) as backend:
        session, other = backend.open(), backend.open()
        with pytest.raises(TypeError):
            await session.add_items([{"role": "user", "content": object()}])
        await asyncio.wait_for(other.add_items([USER]), 60)
        assert await session.get_items() == [USER]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_many_sessions_in_many_threads_leave_no_file_open(tmp_path: Path):
    def use(number: int) -> None:
        session = SQLiteSession(f"s{number}", tmp_path / "many.db")
        asyncio.run(session.add_items([USER]))
        session.close()

    await asyncio.to_thread(use, 0)
    before = open_files()
    await asyncio.gather(*(asyncio.to_thread(use, number) for number in range(40)))
    assert open_files() <= before + 2
    assert count(tmp_path / "many.db", "agent_messages") == 41


async def test_a_session_that_fails_ends_a_stream_with_its_error():
    class Failing(SQLiteSession):
        async def add_items(self, items: Any) -> None:
            raise ConnectionError("the store is away")

    session = Failing("s")
    result = Runner.run_streamed(replying([assistant_message("hi")]), "hello", session=session)

    async def read() -> None:
        async for _ in result.stream_events():
            pass

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(read(), 60)
    session.close()


async def test_a_tripped_guardrail_leaves_the_whole_input_and_nothing_else():
    async def refuse(*_: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(None, True)

    session = SQLiteSession("s")
    agent = replying([function_call("look", {}, call_id="c")], [assistant_message("hi")])
    agent.input_guardrails = [InputGuardrail(refuse, run_in_parallel=True)]
    with pytest.raises(InputGuardrailTripwireTriggered):
        await Runner.run(agent, "hello", session=session)
    assert [item.get("content") for item in await session.get_items()] == ["hello"]
    session.close()


async def test_a_tool_that_was_cancelled_does_not_brick_the_session():
    started = asyncio.Event()

    @function_tool
    async def wait() -> str:
        """Wait."""
        started.set()
        await asyncio.Event().wait()
        return "never"

    session = SQLiteSession("s")
    model = ScriptedModel(
        [[function_call("wait", {}, call_id="c")], [assistant_message("still here")]]
    )
    agent = Agent(name="clerk", model=model, tools=[wait])
    result = Runner.run_streamed(agent, "hello", session=session)

    async def read() -> None:
        async for _ in result.stream_events():
            pass

    reading = asyncio.create_task(read())
    await started.wait()
    result.cancel("immediate")
    await reading
    again = await Runner.run(agent, "and now?", session=session)
    assert again.final_output == "still here"
    calls = [item for item in model.calls[-1].input if item.get("type") == "function_call"]
    outputs = [i for i in model.calls[-1].input if i.get("type") == "function_call_output"]
    assert len(calls) == len(outputs)
    session.close()


async def test_a_run_that_was_resumed_three_times_saves_each_item_once():
    @function_tool(needs_approval=True)
    def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    calls = [[function_call("pay", {"amount": n}, call_id=f"c{n}")] for n in range(3)]
    agent: Any = Agent(
        name="clerk", model=ScriptedModel([*calls, [assistant_message("done")]]), tools=[pay]
    )
    session = SQLiteSession("s")
    config = RunConfig(journal=MemoryJournal())
    result: Any = await Runner.run(agent, "go", session=session, run_config=config)
    while result.interruptions:
        state = result.to_state()
        state.approve(result.interruptions[0])
        result = await Runner.run(agent, state, session=session, run_config=config)
    kinds = [item.get("type") or item.get("role") for item in await session.get_items()]
    pair = ["function_call", "function_call_output"]
    assert kinds == ["user", *pair * 3, "message"]
    session.close()


async def test_a_history_saved_turn_by_turn_has_nothing_twice():
    session = SQLiteSession("s")
    steps = [[function_call("look", {}, call_id=f"c{n}")] for n in range(4)]
    await Runner.run(replying(*steps, [assistant_message("x")]), "go", session=session)
    texts = [json.dumps(item, sort_keys=True) for item in await session.get_items()]
    assert len(texts) == len(set(texts)) == 10
    session.close()


@pytest.mark.services
@pytest.mark.skipif("OUTLAST_TEST_REDIS_URL" not in os.environ, reason="no Redis")
async def test_a_key_of_somebody_else_is_not_cleared():
    session = RedisSession.from_url("theirs", url=os.environ["OUTLAST_TEST_REDIS_URL"])
    await session._client.set("agents:session:theirs:messages", "not a list")
    with pytest.raises(Exception, match="WRONGTYPE"):
        await session.clear_session()
    assert await session._client.get("agents:session:theirs:messages") is not None
    await session._client.delete("agents:session:theirs:messages")
    await session.close()
