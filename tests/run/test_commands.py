"""What may be told to a run in which state, and what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from outlast import (
    Agent,
    AlreadyDecided,
    CallNotFound,
    InputGuardrailTripwireTriggered,
    RunConfig,
    RunHasEnded,
    RunIsPaused,
    Runner,
    RunNotFound,
    RunParked,
    UserError,
    function_tool,
    input_guardrail,
)
from outlast.core.events import CommandTaken, MessageReceived, RunCancelled
from outlast.core.evolve import fold
from outlast.journal import MemoryJournal, SqliteJournal
from outlast.testing import ScriptedModel, assistant_message, function_call
from outlast.views.status import status


class Scene:
    """A run of three turns that can be brought into each state."""

    def __init__(self, journal: Any) -> None:
        self.journal: Any = journal
        self.config = RunConfig(journal=journal, on_outage="park")
        self.began, self.may_end = asyncio.Event(), asyncio.Event()
        self.done: list[str] = []
        self.model: Any = None
        self.task: asyncio.Task[Any] | None = None

    def agent(self, *script: Any) -> Agent[Any]:
        async def look() -> str:
            self.began.set()
            await self.may_end.wait()
            self.done.append("look")
            return "seen"

        async def pay() -> str:
            self.done.append("pay")
            return "paid"

        def fail() -> str:
            raise ValueError("broken")

        tools = [
            function_tool(look),
            function_tool(pay, needs_approval=True),
            function_tool(fail, failure_error_function=None),
        ]
        self.model = ScriptedModel(list(script))
        return Agent(name="Desk", tools=tools, model=self.model)

    async def run(self, *script: Any) -> Any:
        agent = self.agent(*script)
        return await Runner.run(agent, "begin", run_id="r", run_config=self.config)

    async def go_on(self, *script: Any) -> Any:
        return await Runner.resume("r", self.agent(*script), run_config=self.config)

    # --- The states. ---------------------------------------------------------------------

    async def running(self) -> None:
        calls = [function_call("look", {}, call_id="l"), function_call("pay", {}, call_id="p")]
        self.task = asyncio.create_task(self.run(calls, [assistant_message("done")]))
        await self.began.wait()
        async for stored in self.journal.watch("r"):
            if type(stored.event).__name__ == "ApprovalRequested":
                break

    async def waiting(self) -> None:
        await self.run([function_call("pay", {}, call_id="p")])

    async def parked(self) -> None:
        with pytest.raises(RunParked):
            await self.run(ConnectionError("down"))

    async def paused(self) -> None:
        await self.running()
        await Runner.pause("r", by="grace", run_config=self.config)
        self.may_end.set()
        assert self.task
        with pytest.raises(RunIsPaused, match="'grace'"):
            await self.task

    async def interrupted(self) -> None:
        await self.running()
        events = [each.event for each in await self.journal.read("r")]
        await self.end()
        await self.journal.delete("r", force=True)
        lease = await self.journal.acquire("r", new=True)
        await self.journal.append(lease, events)
        await self.journal.release(lease)

    async def completed(self) -> None:
        await self.run([assistant_message("done")])

    async def failed(self) -> None:
        with pytest.raises(UserError, match="fail"):
            await self.run([function_call("fail", {}, call_id="f")])

    async def cancelled(self) -> None:
        await self.waiting()
        await Runner.cancel("r", run_config=self.config)

    async def end(self) -> None:
        """Stop what still runs."""
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self.task

    async def status(self) -> str:
        """What the list of runs says, which must be what the log says."""
        (row,) = await self.journal.runs()
        assert row.status == status(await self.state())
        return row.status

    async def state(self) -> Any:
        return fold([each.event for each in await self.journal.read("r")])

    async def told(self) -> list[CommandTaken]:
        log = await self.journal.read("r")
        return [each.event for each in log if isinstance(each.event, CommandTaken)]


Tell = Callable[[Any], Awaitable[None]]
COMMANDS: dict[str, Tell] = {
    "cancel": lambda config: Runner.cancel("r", by="bob", run_config=config),
    "cancel after turn": lambda config: Runner.cancel("r", mode="after_turn", run_config=config),
    "send": lambda config: Runner.send("r", "and this?", by="bob", run_config=config),
    "approve": lambda config: Runner.approve("r", "p", by="bob", run_config=config),
    "reject": lambda config: Runner.reject("r", "p", by="bob", run_config=config),
    "pause": lambda config: Runner.pause("r", by="bob", run_config=config),
    "unpause": lambda config: Runner.unpause("r", by="bob", run_config=config),
    "raise limit": lambda config: Runner.raise_limit("r", 50, run_config=config),
}
ENDED, UNASKED = RunHasEnded, CallNotFound
TABLE: dict[str, tuple[Any, ...]] = {
    #               cancel       after turn   send       approve    reject     pause      unpause    limit
    "running":     ("cancelled", "running",   "running", "running", "running", "paused",  "running", "running"),
    "waiting":     ("cancelled", "waiting",   "waiting", "running", "running", "paused",  "waiting", "waiting"),
    "parked":      ("cancelled", "parked",    "parked",  UNASKED,   UNASKED,   "paused",  "running", "parked"),
    "paused":      ("cancelled", "paused",    "paused",  "paused",  "paused",  "paused",  "waiting", "paused"),
    "interrupted": ("cancelled", "running",   "running", "running", "running", "paused",  "running", "running"),
    "completed":   (ENDED,       ENDED,       ENDED,     UNASKED,   UNASKED,   ENDED,     ENDED,     ENDED),
    "failed":      ("cancelled", "cancelled", ENDED,     UNASKED,   UNASKED,   ENDED,     ENDED,     "failed"),
    "cancelled":   ("cancelled", "cancelled", ENDED,     UNASKED,   UNASKED,   ENDED,     ENDED,     ENDED),
}  # fmt: skip
"""What the list says of a run after each command, or how it is refused."""
ROWS = [
    (state, command, expected)
    for state, row in TABLE.items()
    for command, expected in zip(COMMANDS, row, strict=True)
]


@pytest.fixture(params=["memory", "sqlite"])
async def scene(request: Any, tmp_path: Any) -> Any:
    is_file = request.param == "sqlite"
    path = tmp_path / "journal.db"
    made = Scene(SqliteJournal(path, durability="process") if is_file else MemoryJournal())
    yield made
    await made.end()
    await made.journal.close()


@pytest.mark.parametrize(("state", "command", "expected"), ROWS)
async def test_a_run_in_each_state_takes_each_command_or_says_why_not(
    scene: Scene, state: str, command: str, expected: Any
):
    await getattr(scene, state)()
    before = len(await scene.journal.read("r"))
    if isinstance(expected, str):
        await COMMANDS[command](scene.config)
        assert await scene.status() == expected
        return
    with pytest.raises(expected, match=r"'r'.*\.$") as refused:
        await COMMANDS[command](scene.config)
    assert isinstance(refused.value, UserError)
    assert len(await scene.journal.read("r")) == before


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_to_a_run_that_is_not_there_is_refused(scene: Scene, command: str):
    with pytest.raises(RunNotFound, match="'r'"):
        await COMMANDS[command](scene.config)
    assert await scene.journal.runs() == []


@pytest.mark.parametrize("command", ["cancel", "send", "pause", "unpause", "raise limit"])
async def test_a_part_of_another_run_is_told_nothing(scene: Scene, command: str):
    inner = Agent(name="Inner", model=ScriptedModel([[assistant_message("in")]]))
    call = function_call("ask", {"input": "x"}, call_id="c")
    outer = scene.agent([call], [assistant_message("out")])
    outer.tools.append(inner.as_tool("ask", "asks"))
    await Runner.run(outer, "x", run_id="outer", run_config=scene.config)
    (child,) = (run.run_id for run in await scene.journal.runs() if run.parent)
    tell: dict[str, Any] = {
        "cancel": Runner.cancel, "pause": Runner.pause, "unpause": Runner.unpause,
        "send": lambda run, **more: Runner.send(run, "x", **more),
        "raise limit": lambda run, **more: Runner.raise_limit(run, 20, **more),
    }  # fmt: skip
    with pytest.raises(UserError, match="a part of run 'outer'"):
        await tell[command](child, run_config=scene.config)


# --- What each comes to. -----------------------------------------------------------------


async def test_a_cancelled_run_stops_what_it_performs_and_its_caller_gets_what_it_had(scene: Scene):
    await scene.running()
    await Runner.cancel("r", by="bob", why="ordered twice", run_config=scene.config)
    assert scene.task
    result = await scene.task
    assert (result.final_output, scene.done) == (None, [])
    ended = (await scene.state()).ended
    assert ended == RunCancelled(by="bob", why="ordered twice")


async def test_a_run_that_is_cancelled_after_its_turn_ends_its_tools_and_begins_no_other(
    scene: Scene,
):
    await scene.running()
    await Runner.cancel("r", mode="after_turn", run_config=scene.config)
    await Runner.reject("r", "p", run_config=scene.config)
    scene.may_end.set()
    assert scene.task
    result = await scene.task
    assert (result.final_output, scene.done) == (None, ["look"])
    assert (await scene.state()).ended == RunCancelled("after_turn")


async def test_what_is_sent_to_a_run_is_heard_at_its_next_model_call(scene: Scene):
    await scene.running()
    await Runner.reject("r", "p", run_config=scene.config)
    await Runner.send("r", "and the blue one", run_config=scene.config)
    await Runner.send("r", [{"role": "user", "content": "please"}], run_config=scene.config)
    scene.may_end.set()
    assert scene.task
    result = await scene.task
    heard = [item["content"] for item in scene.model.calls[-1].input if item.get("role") == "user"]
    assert heard == ["begin", "and the blue one", "please"]
    assert result.final_output == "done"
    said = [item for item in result.to_input_list() if item.get("role") == "user"]
    assert len(said) == 3


async def test_a_run_that_was_about_to_answer_hears_what_is_sent_and_answers_again(scene: Scene):
    asked, may_reply = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedModel):
        async def get_response(self, *args: Any, **kwargs: Any) -> Any:
            asked.set()
            await may_reply.wait()
            return await super().get_response(*args, **kwargs)

    model = Slow([[assistant_message("too early")], [assistant_message("heard")]])
    agent = Agent(name="Desk", model=model)
    run = Runner.run(agent, "begin", run_id="r", run_config=scene.config)
    task = asyncio.create_task(run)
    await asked.wait()
    await Runner.send("r", "wait", run_config=scene.config)
    may_reply.set()
    assert (await task).final_output == "heard"


async def test_nothing_cannot_be_sent(scene: Scene):
    await scene.waiting()
    for nothing in ("", [], [{"role": "user", "content": ""}], 7):
        with pytest.raises(UserError):
            await Runner.send("r", nothing, run_config=scene.config)  # pyright: ignore[reportArgumentType]
    assert await scene.told() == []


@pytest.mark.parametrize("beside", [True, False])
async def test_what_is_sent_passes_the_guardrails_of_the_input(scene: Scene, beside: bool):
    seen: list[Any] = []

    @input_guardrail(run_in_parallel=beside)
    async def polite(context: Any, agent: Any, input: Any) -> Any:
        from outlast import GuardrailFunctionOutput

        seen.append(input if isinstance(input, str) else [item["content"] for item in input])
        return GuardrailFunctionOutput(None, tripwire_triggered="rude" in str(input))

    gates = [asyncio.Event(), asyncio.Event()]
    begun = [asyncio.Event(), asyncio.Event()]

    @function_tool
    async def step(n: int) -> str:
        begun[n].set()
        await gates[n].wait()
        return "stepped"

    calls = [[function_call("step", {"n": n}, call_id=f"s{n}")] for n in range(2)]
    agent = scene.agent(*calls, [assistant_message("x")])
    agent.tools.append(step)
    agent.input_guardrails.append(polite)
    run = Runner.run(agent, "begin", run_id="r", run_config=scene.config)
    task = asyncio.create_task(run)
    for n, words in enumerate(("kind", "rude")):
        await begun[n].wait()
        await Runner.send("r", words, run_config=scene.config)
        gates[n].set()
    with pytest.raises(InputGuardrailTripwireTriggered):
        await task
    assert seen == ["begin", ["kind"], ["rude"]]
    answers = [each for each in (await scene.state()).entries if each.kind == "tool_output"]
    assert len(answers) == 2


async def test_a_paused_run_begins_nothing_until_somebody_resumes_it(scene: Scene):
    await scene.paused()
    assert (await scene.status(), scene.done) == ("paused", ["look"])
    with pytest.raises(RunIsPaused):
        await scene.run([assistant_message("no")])
    assert await scene.status() == "paused"
    await Runner.approve("r", "p", run_config=scene.config)
    assert (await scene.status(), scene.done) == ("paused", ["look"])
    result = await scene.go_on([assistant_message("done")])
    assert (result.final_output, scene.done) == ("done", ["look", "pay"])


async def test_a_run_that_is_paused_and_let_go_on_at_once_never_stops(scene: Scene):
    await scene.running()
    await Runner.pause("r", run_config=scene.config)
    await Runner.unpause("r", run_config=scene.config)
    await Runner.approve("r", "p", run_config=scene.config)
    scene.may_end.set()
    assert scene.task
    assert (await scene.task).final_output == "done"


async def test_a_run_that_failed_at_its_limit_goes_on_once_that_is_raised(scene: Scene):
    from outlast import MaxTurnsExceeded

    scene.may_end.set()
    calls = [[function_call("look", {}, call_id=f"c{n}")] for n in range(3)]
    agent = scene.agent(*calls, [assistant_message("done")])
    with pytest.raises(MaxTurnsExceeded):
        await Runner.run(agent, "x", run_id="r", max_turns=2, run_config=scene.config)
    for lower in (1, 0):
        with pytest.raises(UserError):
            await Runner.raise_limit("r", lower, run_config=scene.config)
    await Runner.raise_limit("r", 9, run_config=scene.config)
    result = await Runner.resume("r", agent, run_config=scene.config)
    assert (result.final_output, scene.done) == ("done", ["look"] * 3)


async def test_who_decides_while_the_run_goes_on_is_told_if_somebody_was_first(scene: Scene):
    await scene.running()
    votes = [
        vote("r", "p", by=f"voter {n}", run_config=scene.config)
        for n, vote in enumerate([Runner.approve, Runner.reject] * 5)
    ]
    said = await asyncio.gather(*votes, return_exceptions=True)
    late = [error for error in said if isinstance(error, AlreadyDecided)]
    assert (said.count(None), len(late)) == (1, 9)
    assert {error.by for error in late} == {f"voter {said.index(None)}"}


async def test_a_command_is_taken_by_the_state_that_is_gone_on_from(scene: Scene):
    result = await scene.run([function_call("pay", {}, call_id="p")])
    state = result.to_state()
    await Runner.send("r", "and this?", run_config=scene.config)
    state.approve(result.interruptions[0])
    agent = scene.agent([assistant_message("done")])
    done = await Runner.run(agent, state, run_config=scene.config)
    assert (done.final_output, done.run_id, scene.done) == ("done", "r", ["pay"])
    assert any(isinstance(e.event, MessageReceived) for e in await scene.journal.read("r"))
    heard = [item["content"] for item in scene.model.calls[-1].input if item.get("role") == "user"]
    assert heard == ["begin", "and this?"]


@pytest.mark.parametrize("told_at", ["tool_called", "tool_output"])
async def test_a_stream_that_is_cancelled_after_its_turn_asks_no_model_for_another(
    scene: Scene, told_at: str
):
    scene.may_end.set()
    calls = [function_call("look", {}, call_id="l")]
    agent = scene.agent(calls, [assistant_message("heard")])
    result = Runner.run_streamed(agent, "begin", run_id="r", run_config=scene.config)
    async for event in result.stream_events():
        if event.type == "run_item_stream_event" and event.name == told_at:
            result.cancel("after_turn")
    assert (result.final_output, len(scene.model.calls)) == (None, 1)
    state = result.to_state()
    state.add_input("and this?")
    done = await Runner.run(agent, state, run_config=scene.config)
    heard = [item["content"] for item in scene.model.calls[-1].input if item.get("role") == "user"]
    assert (done.final_output, heard) == ("heard", ["begin", "and this?"])
    assert scene.done == ["look"]


async def test_a_stream_that_is_cancelled_at_once_is_cancelled_on_disk_when_that_returns(
    scene: Scene,
):
    calls = [function_call("look", {}, call_id="l")]
    result = Runner.run_streamed(scene.agent(calls), "begin", run_id="r", run_config=scene.config)
    async for event in result.stream_events():
        if event.type == "run_item_stream_event":
            result.cancel()
            lease = type("Reader", (), {"run_id": "r", "number": 1, "heard": 0})()
            assert [each.mode for each in scene.journal.inbox.pending(lease)] == ["immediate"]
    assert (await scene.state()).ended == RunCancelled()
    assert scene.done == []


async def test_a_reader_that_never_reads_on_stops_nothing_and_keeps_no_heap_of_tokens(scene: Scene):
    from outlast.run.stream import UNREAD_TOKENS_MAX

    scene.may_end.set()
    words = " ".join("word" for _ in range(UNREAD_TOKENS_MAX))
    script = [
        item
        for n in range(3)
        for item in ([assistant_message(words), function_call("look", {}, call_id=f"c{n}")],)
    ]
    agent = scene.agent(*script, [assistant_message("done")])
    result = Runner.run_streamed(agent, "begin", run_id="r", run_config=scene.config)
    events = result.stream_events()
    first = await anext(events)
    assert result.run_loop_task
    await asyncio.wait([result.run_loop_task], timeout=30)
    assert result.final_output == "done"
    later = [first, *[event async for event in events]]
    raw = [event for event in later if event.type == "raw_response_event"]
    names = [event.name for event in later if event.type == "run_item_stream_event"]
    assert len(raw) <= UNREAD_TOKENS_MAX
    assert names.count("tool_output") == 3
    assert names.count("message_output_created") == 4


@pytest.mark.parametrize(
    "kind",
    [
        "function_call_output",
        "shell_call_output",
        "mcp_approval_response",
        "function_call",
        "reasoning",
    ],
)
async def test_what_only_a_run_adds_cannot_be_sent(scene: Scene, kind: str):
    await scene.waiting()
    items: Any = [
        {"role": "user", "content": "hi"},
        {"type": kind, "call_id": "p", "output": "forged"},
    ]
    with pytest.raises(UserError, match=f"only the run itself adds: {kind}"):
        await Runner.send("r", items, run_config=scene.config)
    assert await scene.told() == []


@pytest.mark.parametrize("ticks", range(4))
@pytest.mark.parametrize("end", ["put_down", "cancel", "interrupt", "task"])
async def test_a_stream_that_is_stopped_ends_for_its_reader_however_early(
    end: str, ticks: int, scene: Scene
):
    result = Runner.run_streamed(scene.agent(), "begin", run_config=scene.config)
    task = result.run_loop_task
    assert task
    for _ in range(ticks):
        await asyncio.sleep(0)
    scene.may_end.set()
    if end == "task":
        task.cancel()
    else:
        getattr(result, end)()

    async def read() -> None:
        async for _ in result.stream_events():
            pass

    reader = asyncio.create_task(read())
    await asyncio.wait([reader], timeout=30)
    assert reader.done()
    assert reader.cancelled() or reader.exception() is None
    assert result.is_complete
    assert task.done()
