"""A run's id is one run's: what a second call may say under it, and which ids there are."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from openai.types.responses import EasyInputMessage

from outlast import (
    Agent,
    RunConfig,
    RunConflict,
    RunMetadata,
    Runner,
    SQLiteSession,
    ToolContext,
    UserError,
    function_tool,
)
from outlast.core.identity import canonical, check_run_id, input_difference
from outlast.journal import Journal, SqliteJournal
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


def clerk(*replies: Any, name: str = "Clerk", tools: Any = ()) -> Agent[Any]:
    script = [[each] for each in (replies or (assistant_message("done"),))]
    return Agent(name=name, model=ScriptedModel(script), tools=list(tools))


@function_tool(needs_approval=True)
def pay() -> str:
    """Pay."""
    return "paid"


class Stop(Exception):
    """What ends a run in the middle, as far as its caller knows."""


# --- The same id, another run. -----------------------------------------------------------


async def completed(config: RunConfig) -> None:
    await Runner.run(clerk(), "refund order 1", run_id="r", run_config=config)


async def waiting(config: RunConfig) -> None:
    agent = clerk(function_call("pay", {}, call_id="c"), tools=[pay])
    assert (await Runner.run(agent, "refund order 1", run_id="r", run_config=config)).interruptions


async def failed(config: RunConfig) -> None:
    agent = clerk(function_call("nothing", {}, call_id="c"))
    with pytest.raises(Exception, match="not found"):
        await Runner.run(agent, "refund order 1", run_id="r", run_config=config)


async def interrupted(config: RunConfig) -> None:
    began = asyncio.Event()

    @function_tool
    async def hang() -> str:
        began.set()
        await asyncio.Event().wait()
        return ""

    agent = clerk(function_call("hang", {}, call_id="c"), tools=[hang])
    run = asyncio.create_task(Runner.run(agent, "refund order 1", run_id="r", run_config=config))
    await began.wait()
    run.cancel()
    await asyncio.wait([run])


async def _ran(agent: Agent[Any], text: str, config: RunConfig) -> None:
    await Runner.run(agent, text, run_id="r", run_config=config)


async def _watched(agent: Agent[Any], text: str, config: RunConfig) -> None:
    streamed = Runner.run_streamed(agent, text, run_id="r", run_config=config)
    async for _ in streamed.stream_events():
        pass


_ENTRIES = {"run": _ran, "run_streamed": _watched}
STAGES = [completed, waiting, failed, interrupted]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("entry", ["run", "run_streamed"])
async def test_an_id_with_another_input_is_refused_and_the_run_stays_as_it_was(
    stage: Any, entry: str
):
    config = RunConfig(journal=MemoryJournal())
    await stage(config)
    before = len(await config.journal.read("r"))
    with pytest.raises(RunConflict) as caught:
        await _ENTRIES[entry](clerk(), "refund order 2", config)
    assert "order" not in str(caught.value), "no prompt in a message"
    assert caught.value.run_id == "r"
    assert len(await config.journal.read("r")) == before
    assert [run.owner_alive for run in await config.journal.runs()] == [False]


@pytest.mark.parametrize("stage", STAGES)
async def test_an_id_with_another_agent_is_refused_by_both_names(stage: Any):
    config = RunConfig(journal=MemoryJournal())
    await stage(config)
    with pytest.raises(RunConflict, match=r"'Clerk'.*'Judge'"):
        await Runner.run(clerk(name="Judge"), "refund order 1", run_id="r", run_config=config)


async def test_the_old_way_returns_what_the_run_came_to():
    journal = MemoryJournal()
    await completed(RunConfig(journal=journal))
    config = RunConfig(journal=journal, on_conflict="return")
    result = await Runner.run(clerk(), "other", run_id="r", run_config=config)
    assert result.final_output == "done"


async def test_an_empty_input_names_the_run_by_its_id_alone():
    config = RunConfig(journal=MemoryJournal())
    await completed(config)
    again = await Runner.run(clerk(), "", run_id="r", run_config=config)
    assert (again.final_output, again.input) == ("done", "refund order 1")
    assert (await Runner.resume("r", clerk(), run_config=config)).final_output == "done"


async def test_a_wrong_input_is_told_while_the_run_goes_on_too():
    config, began = RunConfig(journal=MemoryJournal()), asyncio.Event()

    @function_tool
    async def hang() -> str:
        began.set()
        await asyncio.Event().wait()
        return ""

    agent = clerk(function_call("hang", {}, call_id="c"), tools=[hang])
    run = asyncio.create_task(Runner.run(agent, "one", run_id="r", run_config=config))
    await began.wait()
    with pytest.raises(RunConflict):
        await Runner.run(clerk(), "two", run_id="r", run_config=config)
    run.cancel()
    await asyncio.wait([run])


SAME: list[tuple[Any, Any]] = [
    ("hi", [{"role": "user", "content": "hi"}]),
    ("hi", [{"content": "hi", "role": "user", "type": "message"}]),
    ("hi", [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]),
    ("hi", [EasyInputMessage(role="user", content="hi")]),
    ("half \ud83d", "half \ufffd"),
    ([{"role": "user", "content": "hi", "status": None}], "hi"),
    (
        [{"type": "function_call_output", "call_id": "c", "output": "x"}],
        [{"output": "x", "call_id": "c", "type": "function_call_output"}],
    ),
]
OTHER: list[tuple[Any, Any]] = [
    ("hi", "hi "),
    ("hi", "Hi"),
    ("hi", [{"role": "developer", "content": "hi"}]),
    ("hi", [{"role": "user", "content": "hi"}, {"role": "user", "content": "hi"}]),
    ("hi", [{"role": "user", "content": [{"type": "input_text", "text": "hi"}] * 2}]),
    ([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
     [{"role": "user", "content": "b"}, {"role": "user", "content": "a"}]),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), SAME)
async def test_inputs_that_mean_the_same_are_one_run(first: Any, second: Any):
    config = RunConfig(journal=MemoryJournal())
    await Runner.run(clerk(), first, run_id="r", run_config=config)
    again = await Runner.run(clerk(), second, run_id="r", run_config=config)
    assert again.final_output == "done"


@pytest.mark.parametrize(("first", "second"), OTHER)
async def test_inputs_that_differ_are_two_runs(first: Any, second: Any):
    config = RunConfig(journal=MemoryJournal())
    await Runner.run(clerk(), first, run_id="r", run_config=config)
    with pytest.raises(RunConflict):
        await Runner.run(clerk(), second, run_id="r", run_config=config)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
ITEMS = st.lists(
    st.dictionaries(st.sampled_from(["role", "content", "type", "x"]), VALUES), max_size=3
)


@settings(max_examples=200, deadline=None)
@given(ITEMS)
def test_an_input_equals_itself_in_any_order_of_names_and_through_json(items: list[dict[str, Any]]):
    turned = [dict(reversed(item.items())) for item in json.loads(json.dumps(items))]
    assert input_difference(items, turned) is None


@settings(max_examples=200, deadline=None)
@given(ITEMS, ITEMS)
def test_inputs_are_the_same_just_where_each_of_their_items_is(one: Any, other: Any):
    is_same = list(map(canonical, one)) == list(map(canonical, other))
    assert (input_difference(one, other) is None) is is_same


# --- Ids. --------------------------------------------------------------------------------

WRONG_IDS = [
    "", " ", "\t", "\u00a0", 7, b"r", True, "a\x00b", "a\nb", "a\x1b[31m", "a\x7f", "a\x85", "\ud83d", "x\udc00",
    "a\u2028b", "a\u202eb", "x" * 513, "r/t1.call", "r/m3.x", "a/b/t12.c/t1.d",
]  # fmt: skip


async def _resumed(run_id: Any, config: RunConfig) -> Any:
    return await Runner.resume(run_id, clerk(), run_config=config)


async def _streamed(run_id: Any, config: RunConfig) -> Any:
    return Runner.run_streamed(clerk(), "hi", run_id=run_id, run_config=config)


async def _run(run_id: Any, config: RunConfig) -> Any:
    return await Runner.run(clerk(), "hi", run_id=run_id, run_config=config)


async def _run_sync(run_id: Any, config: RunConfig) -> Any:
    def call() -> Any:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return Runner.run_sync(clerk(), "hi", run_id=run_id, run_config=config)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    return await asyncio.to_thread(call)


@pytest.mark.parametrize("entry", [_run, _streamed, _run_sync, _resumed])
@pytest.mark.parametrize("run_id", WRONG_IDS, ids=ascii)
async def test_an_id_that_is_none_is_refused_where_it_is_given(entry: Any, run_id: Any):
    journal = MemoryJournal()
    with pytest.raises(UserError):
        await entry(run_id, RunConfig(journal=journal))
    assert await journal.runs() == []


@pytest.mark.parametrize(
    "run_id", ["1", "order-17", "tenant/order 17", "Grüße 你好 👍🏽", "x" * 512, "a/b.c", "t1.c"]
)
async def test_other_texts_are_ids(run_id: str):
    result = await _run(run_id, RunConfig(journal=MemoryJournal()))
    assert result.run_id == run_id


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20))
def test_every_text_is_refused_or_can_be_stored(run_id: str):
    try:
        check_run_id(run_id)
    except UserError as error:
        str(error).encode()
    else:
        assert run_id.encode().decode() == run_id
        assert run_id.isprintable() or not run_id.isascii()


# --- Whose a run is. ---------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    if request.param == "memory":
        yield MemoryJournal()
        return
    found = SqliteJournal(tmp_path / "journal.db", durability="process")
    yield found
    found.shut()


async def test_runs_are_found_by_whose_they_are_and_inherit_it(journal: Journal):
    helper = clerk(assistant_message("helped"), name="Helper")

    @function_tool
    async def ask() -> str:
        return str((await Runner.run(helper, "inner")).final_output)

    agent = clerk(function_call("ask", {}, call_id="c"), assistant_message("done"), tools=[ask])
    about = RunMetadata(user="ada", tenant="north", session_id="s1", tags=["vip", "mail"])  # pyright: ignore[reportArgumentType]  # any list
    await Runner.run(agent, "hi", run_id="a", run_config=RunConfig(journal=journal, metadata=about))
    other = RunConfig(journal=journal, metadata={"user": "bob", "tenant": "north"})  # pyright: ignore[reportArgumentType]  # a dict will do
    await Runner.run(clerk(), "hi", run_id="b", run_config=other)
    await Runner.run(clerk(), "hi", run_id="c", run_config=RunConfig(journal=journal))

    async def found(**asked: Any) -> set[str]:
        return {
            run.run_id.split("/")[0] + "/" * bool(run.parent) for run in await journal.runs(**asked)
        }

    assert await found(user="ada") == {"a", "a/"}
    assert await found(tenant="north") == {"a", "a/", "b"}
    assert await found(tenant="north", user="bob") == {"b"}
    assert await found(session_id="s1", tag="vip") == {"a", "a/"}
    assert await found(tag="nothing") == set()
    assert await found() == {"a", "a/", "b", "c"}
    assert {run.metadata for run in await journal.runs(user="ada")} == {about}


@pytest.mark.parametrize(
    "wrong", [{"users": "ada"}, {"tags": "vip"}, {"tags": [1]}, {"user": 7}, "ada", ["vip"]]
)
def test_metadata_of_another_shape_is_refused_where_it_is_written(wrong: Any):
    with pytest.raises(TypeError, match=r"metadata|RunMetadata"):
        RunConfig(metadata=wrong)


# --- In its own session. -----------------------------------------------------------------


async def left_in_session(config: RunConfig, session: Any) -> None:
    began = asyncio.Event()

    @function_tool
    async def hang() -> str:
        began.set()
        await asyncio.Event().wait()
        return ""

    agent = clerk(function_call("hang", {}, call_id="c"), tools=[hang])
    run = Runner.run(agent, "hi", run_id="r", run_config=config, session=session)
    task = asyncio.create_task(run)
    await began.wait()
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("other", [None, "bob"])
@pytest.mark.parametrize("entry", ["run", "resume"])
async def test_a_run_does_not_go_on_in_another_session_or_in_none(other: str | None, entry: str):
    config, own = RunConfig(journal=MemoryJournal()), SQLiteSession("ada")
    await left_in_session(config, own)

    @function_tool
    async def hang() -> str:
        return "free"

    agent = clerk(assistant_message("done"), tools=[hang])
    wrong = SQLiteSession(other) if other else None

    async def go_on(session: Any) -> Any:
        if entry == "run":
            return await Runner.run(agent, "hi", run_id="r", run_config=config, session=session)
        return await Runner.resume("r", agent, run_config=config, session=session)

    before = len(await config.journal.read("r"))
    with pytest.raises(RunConflict, match=f"'ada'.*{repr(other) if other else 'none'}"):
        await go_on(wrong)
    assert len(await config.journal.read("r")) == before
    assert (await go_on(own)).final_output == "done"
    assert (await go_on(None)).final_output == "done", "what is done can be read without it"
    kinds = [item.get("type", "message") for item in await own.get_items()]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


# --- Keys. -------------------------------------------------------------------------------


async def test_no_two_calls_share_a_key_and_the_same_call_keeps_its_own():
    keys: list[str] = []

    @function_tool
    async def look(ctx: ToolContext[Any], number: int) -> str:
        keys.append(ctx.idempotency_key)
        return ""

    calls = [function_call("look", {"number": n}, call_id=f"call_{n}") for n in range(2)]
    for _ in range(2):
        agent = clerk(*calls, assistant_message("done"), tools=[look])
        await Runner.run(agent, "hi", run_id="r", run_config=RunConfig(journal=MemoryJournal()))
    assert len(set(keys)) == len(keys) == 4
