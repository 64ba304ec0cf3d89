"""Matrix: what user code answered is the same value before and after a crash, types too."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import enum
import typing
import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, Field

from outlast import (
    Agent,
    AgentOutputSchema,
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
    RunConfig,
    Runner,
    ToolCallOutputItem,
    ToolContext,
    ToolGuardrailFunctionOutput,
    ToolOutputGuardrail,
    ToolOutputText,
    ToolsToFinalOutputResult,
    UserError,
    function_tool,
)
from outlast.core.errors import StorageBusy
from outlast.core.events import StepRecorded
from outlast.definitions.values import NotKept, nowhere, pack, scope_of, unpack
from outlast.journal.codec import decode, encode, seal
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


class Receipt(BaseModel):
    order: int
    at: datetime
    parts: tuple[int, ...] = ()
    by_number: dict[int, str] = Field(default={}, alias="byNumber")


@dataclasses.dataclass
class Point:
    x: float
    tags: frozenset[str] = frozenset()


class Pair(typing.NamedTuple):
    left: int
    right: str


class Colour(enum.Enum):
    RED = (255, 0, 0)


class Level(enum.IntEnum):
    HIGH = 3


class Word(enum.StrEnum):
    YES = "yes"


VALUES: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "true": lambda: True,
    "text": lambda: "ok",
    "empty text": lambda: "",
    "emoji": lambda: "\U0001f600",
    "half a pair": lambda: "a\ud83d",
    "zero byte": lambda: "\x00",
    "whole": lambda: 7,
    "below 64 bits": lambda: -(2**63),
    "beyond 64 bits": lambda: 2**63,
    "huge": lambda: 10**4000,
    "float 1.0": lambda: 1.0,
    "minus zero": lambda: -0.0,
    "smallest": lambda: 5e-324,
    "nan": lambda: float("nan"),
    "infinity": lambda: float("-inf"),
    "complex": lambda: 1 + 2j,
    "list": lambda: [1, [2.5, None]],
    "empty list": list,
    "dict": lambda: {"a": {"b": []}},
    "number keys": lambda: {1: "one", 2: "two"},
    "none and true keys": lambda: {None: 1, True: 2},
    "tuple keys": lambda: {(1, 2): {"x": (3,)}},
    "half a pair as key": lambda: {"\udc00": 1},
    "a key of the form": lambda: {"$": "tuple", "is": [1]},
    "tuple": lambda: (1, (2, [3])),
    "set": lambda: {7, "x"},
    "frozenset": lambda: frozenset({(1, 2)}),
    "bytes": lambda: b"\x00\xff",
    "bytearray": lambda: bytearray(b"ab"),
    "datetime": lambda: datetime(2026, 3, 1, 12, 0, 0, 5),  # noqa: DTZ001  # a naive one
    "aware": lambda: datetime(2026, 3, 1, tzinfo=UTC),
    "offset": lambda: datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=2))),
    "date": lambda: date(2026, 3, 1),
    "time": lambda: time(1, 2, 3),
    "timedelta": lambda: timedelta(days=-1, microseconds=3),
    "decimal": lambda: Decimal("1.10"),
    "uuid": lambda: UUID(int=5),
    "model": lambda: Receipt(order=5, at=datetime(2026, 1, 1, tzinfo=UTC), byNumber={1: "x"}),
    "models": lambda: [Receipt(order=5, at=datetime(2026, 1, 1, tzinfo=UTC), parts=(1,))],
    "dataclass": lambda: Point(1.5, frozenset({"a"})),
    "dataclass in a dict": lambda: {3: Point(2.0)},
    "named tuple": lambda: Pair(1, "x"),
    "enum": lambda: Colour.RED,
    "int enum": lambda: Level.HIGH,
    "text enum": lambda: Word.YES,
    "part": lambda: ToolOutputText(text="hi"),
    "paths": lambda: [Path("/a\udc80"), PurePosixPath("b"), PureWindowsPath("c:/d")],
    "deque": lambda: collections.deque([1, (2,)], maxlen=2),
    "counter": lambda: collections.Counter({"a": 2, 3: 1}),
    "ordered dict": lambda: collections.OrderedDict([("b", 1), ((1, 2), "a")]),
    "range": lambda: range(1, 9, 3),
}


class Sub(str):
    __slots__ = ()


def circle() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


REFUSED: dict[str, Callable[[], Any]] = {
    "object": object,
    "function": lambda: circle,
    "default dict": lambda: collections.defaultdict(list, a=[1]),
    "text subclass": lambda: Sub("x"),
    "circle": circle,
    "named zone": lambda: datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Vienna")),
    "error": lambda: ValueError("x"),
}


def shape(value: Any) -> Any:
    """A value with all its types, to compare; not-a-number equals itself."""
    if isinstance(value, BaseModel):
        return type(value), shape(dict(value))
    if type(value) is dict:
        return dict, sorted(((shape(k), shape(v)) for k, v in value.items()), key=repr)
    if isinstance(value, set | frozenset):
        return type(value), sorted(map(shape, value), key=repr)
    if isinstance(value, list | tuple):
        return type(value), [shape(each) for each in value]
    return type(value), value if type(value) is int else repr(value)


class Seen:
    """What a program sees, time after time; its first look at a place ends in a full disk."""

    def __init__(self) -> None:
        self.looks: dict[str, list[Any]] = {}

    def look(self, place: str, value: Any) -> None:
        self.looks.setdefault(place, []).append(shape(value))
        if len(self.looks[place]) == 1:
            raise StorageBusy("The disk is busy.")


def program(make: Callable[[], Any], seen: Seen) -> Agent[Any]:
    calls: list[str] = []

    def once() -> Any:
        calls.append("step")
        assert len(calls) == 1
        return make()

    once.__wrapped__ = make  # pyright: ignore[reportFunctionMemberAccess]  # it sees what `make` does

    @function_tool
    async def work(ctx: ToolContext[Any]) -> Any:
        seen.look("step", await ctx.step("part", once))
        return make()

    async def found(_: Any) -> Any:
        return make()

    inner = Agent[Any](name="inner", model=ScriptedModel([[assistant_message("x")]] * 4))
    child = inner.as_tool("child", "c", custom_output_extractor=found)

    def behave(_: Any, results: list[Any]) -> ToolsToFinalOutputResult:
        for result in results:
            seen.look(result.tool.name, result.output)
        return ToolsToFinalOutputResult(True, make())

    def told(_: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(make(), tripwire_triggered=False)

    script = [
        [
            function_call("work", {}, call_id="w"),
            function_call("child", {"input": "x"}, call_id="c"),
        ]
    ]
    return Agent[Any](
        name="desk",
        model=ScriptedModel(script),
        tools=[work, child],
        tool_use_behavior=behave,
        output_type=AgentOutputSchema(list[Any], strict_json_schema=False),
        output_guardrails=[OutputGuardrail(told, "told")],
    )


@pytest.mark.parametrize("name", VALUES)
async def test_a_value_is_the_same_before_and_after_a_crash(name: str):
    make, seen = VALUES[name], Seen()
    agent, config = program(make, seen), RunConfig(journal=MemoryJournal())
    for _ in range(3):
        with pytest.raises(StorageBusy):
            await Runner.run(agent, "go", run_id="r", run_config=config)
    first = await Runner.run(agent, "go", run_id="r", run_config=config)
    again = await Runner.run(agent, "go", run_id="r", run_config=config)
    for result in (first, again):
        for place, value in {
            "final": result.final_output,
            "info": result.output_guardrail_results[0].output.output_info,
            "items": [i.output for i in result.new_items if i.type == "tool_call_output_item"],
        }.items():
            seen.looks.setdefault(place, []).append(shape(value))
    whole = shape(make())
    items = (list, [whole, whole])
    assert seen.looks.keys() == {"step", "work", "child", "final", "info", "items"}
    for place, looks in seen.looks.items():
        assert looks == [items if place == "items" else whole] * len(looks)
        assert len(looks) >= 2


@pytest.mark.parametrize("name", {**VALUES, **REFUSED})
async def test_a_result_says_the_same_when_it_is_read_again(name: str):
    make = {**VALUES, **REFUSED}[name]

    @function_tool
    def work() -> Any:
        return make()

    def told(*_: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(make(), tripwire_triggered=False)

    def told_of_tool(_: Any) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput(make())

    work.tool_output_guardrails = [ToolOutputGuardrail(told_of_tool, "tool")]
    script = [[function_call("work", {}, call_id="w")], [assistant_message("done")]]
    desk = Agent[Any](
        name="desk",
        model=ScriptedModel(script),
        tools=[work],
        input_guardrails=[InputGuardrail(told, "in", run_in_parallel=False)],
        output_guardrails=[OutputGuardrail(told, "out")],
    )
    config = RunConfig(journal=MemoryJournal())
    looks: list[Any] = []
    for _ in range(2):
        result = await Runner.run(desk, "x", run_id="r", run_config=config)
        outputs = [item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)]
        checks: Any = [
            *result.input_guardrail_results,
            *result.tool_output_guardrail_results,
            *result.output_guardrail_results,
        ]
        assert (len(outputs), len(checks)) == (1, 3)
        kept = outputs if name in VALUES else []  # Of others, only this process has the object.
        looks.append([shape(each) for each in [*kept, *(c.output.output_info for c in checks)]])
    assert looks[0] == looks[1]


@pytest.mark.parametrize("name", REFUSED)
async def test_a_step_that_cannot_be_kept_is_refused_at_once_and_not_repeated(name: str):
    calls: list[str] = []

    @function_tool(failure_error_function=lambda _, error: str(error))
    async def work(ctx: ToolContext[Any]) -> str:
        def part() -> Any:
            calls.append("x")
            return REFUSED[name]()

        with pytest.raises(UserError, match="cannot keep"):
            await ctx.step("part", part)
        with pytest.raises(UserError, match="not performed again"):
            await ctx.step("part", part)
        return "refused"

    agent = Agent[Any](name="a", tools=[work], tool_use_behavior="stop_on_first_tool")
    agent.model = ScriptedModel([[function_call("work", {}, call_id="w")]])
    result = await Runner.run(agent, "go", run_config=RunConfig(journal="memory"))
    assert (result.final_output, calls) == ("refused", ["x"])


@pytest.mark.parametrize("name", REFUSED)
async def test_a_final_output_that_cannot_be_kept_is_refused_at_once(name: str):
    @function_tool
    async def work() -> Any:
        return "done"

    agent = Agent[Any](name="a", tools=[work], output_type=int)
    agent.tool_use_behavior = lambda *_: ToolsToFinalOutputResult(True, REFUSED[name]())
    agent.model = ScriptedModel([[function_call("work", {}, call_id="w")]])
    journal = MemoryJournal()
    with pytest.raises(UserError, match="cannot keep"):
        await Runner.run(agent, "go", run_id="r", run_config=RunConfig(journal=journal))
    assert "done" in repr(await journal.read("r"))


def json_values() -> st.SearchStrategy[Any]:
    leaves = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary()
        | st.decimals(allow_nan=False) | st.datetimes() | st.timedeltas() | st.complex_numbers()
    )  # fmt: skip
    keys = st.none() | st.integers() | st.text(st.characters())
    return st.recursive(
        leaves,
        lambda deeper: st.lists(deeper) | st.dictionaries(keys, deeper) | st.tuples(deeper, deeper),
        max_leaves=8,
    )


@given(json_values())
def test_what_is_packed_comes_back_through_the_log(value: Any):
    event = StepRecorded("t1.c", "part", pack(value))
    row = seal(encode([event]), "r", 0, 1, 0)
    (stored,) = decode("r", [row])
    assert shape(unpack(stored.event.result)) == shape(value)  # pyright: ignore[reportAttributeAccessIssue]


def test_a_class_is_found_where_the_function_can_see_it_and_nowhere_else():
    value = Point(1.0)

    def local() -> Any:
        @dataclasses.dataclass
        class Hidden:
            n: int = 1

        return Hidden()

    with pytest.raises(NotKept):
        pack(value)
    with pytest.raises(NotKept):
        pack(local(), scope_of(local))
    packed = pack(value, scope_of(local))
    assert unpack(packed, scope_of(local)) == value
    assert unpack(packed, nowhere) == {"x": 1.0, "tags": frozenset()}


async def test_two_steps_of_one_name_at_once_are_one():
    calls: list[int] = []

    async def slow() -> list[int]:
        calls.append(len(calls))
        await asyncio.sleep(0)
        return calls

    @function_tool
    async def work(ctx: ToolContext[Any]) -> str:
        one, other = await asyncio.gather(ctx.step("part", slow), ctx.step("part", slow))
        assert one == other == [0]
        assert one is not other
        return "ok"

    agent = Agent[Any](name="a", tools=[work], tool_use_behavior="stop_on_first_tool")
    agent.model = ScriptedModel([[function_call("work", {}, call_id="w")]])
    result = await Runner.run(agent, "go", run_config=RunConfig(journal="memory"))
    assert (result.final_output, calls) == ("ok", [0])


async def test_a_plain_function_has_steps_too():
    seen, calls = Seen(), list[str]()

    def charge(amount: int) -> Point:
        calls.append(f"{amount}")
        return Point(float(amount))

    def failing() -> None:
        raise ValueError("no")

    @function_tool(failure_error_function=None)
    def work(ctx: ToolContext[Any]) -> str:
        point = ctx.step_sync("charge", charge, 5)
        with pytest.raises(ValueError, match="no"):
            ctx.step_sync("failing", failing)
        seen.look("step", point)
        return "ok"

    agent = Agent[Any](name="a", tools=[work], tool_use_behavior="stop_on_first_tool")
    agent.model = ScriptedModel([[function_call("work", {}, call_id="w")]])
    config = RunConfig(journal=MemoryJournal())
    with pytest.raises(StorageBusy):
        await Runner.run(agent, "go", run_id="r", run_config=config)
    result = await Runner.run(agent, "go", run_id="r", run_config=config)
    assert (result.final_output, calls) == ("ok", ["5"])
    assert seen.looks["step"] == [shape(Point(5.0))] * 2


async def test_a_step_for_threads_on_the_loop_is_refused_with_what_to_do():
    @function_tool(failure_error_function=lambda _, error: str(error))
    async def work(ctx: ToolContext[Any]) -> str:
        return ctx.step_sync("part", lambda: 1)

    agent = Agent[Any](name="a", tools=[work], tool_use_behavior="stop_on_first_tool")
    agent.model = ScriptedModel(
        [[function_call("work", {}, call_id="w")], [assistant_message("ok")]]
    )
    result = await Runner.run(agent, "go", run_config=RunConfig(journal="memory"))
    assert "await ctx.step" in result.new_items[1].output
