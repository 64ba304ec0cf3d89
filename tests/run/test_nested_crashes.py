"""Runs inside runs, and a crash at every point: nothing is doubled, and every key stays."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
    RunConfig,
    RunHooks,
    Runner,
    StorageFull,
    ToolContext,
    function_tool,
    recover_runs,
)
from outlast.core.events import Event
from outlast.core.usage import Usage
from outlast.definitions.model import Model
from outlast.definitions.run_items import ModelResponse
from outlast.journal import MemoryJournal
from outlast.journal.journal import Lease
from outlast.models.streaming import reply_events
from outlast.testing import assistant_message, function_call
from outlast.testing.crashing import CrashingJournal


class Dead(CrashingJournal):
    """A journal whose process dies at an append: nothing is written from then on."""

    def __init__(self, inner: Any, at: int, moment: Any) -> None:
        super().__init__(inner, at=at, moment=moment, crash=self._die)
        self.is_dead = False

    def append(
        self, lease: Lease, events: Sequence[Event], *, barrier: bool = True
    ) -> Awaitable[None]:
        if self.is_dead:
            raise StorageFull("The process is dead.")
        return super().append(lease, events, barrier=barrier)

    def _die(self) -> None:
        self.is_dead = True
        raise StorageFull("The process dies.")


class Rules(Model):
    """Makes its calls one reply after the other, whoever asks, and then says what they came to."""

    def __init__(self, *names: str) -> None:
        self.names = names

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        items = args[1] if len(args) > 1 else options["input"]
        outputs = [item["output"] for item in items if item.get("type") == "function_call_output"]
        if len(outputs) < len(self.names):
            name = self.names[len(outputs)]
            output: Any = function_call(
                name, {"input": "x"} if name == "work" else {}, call_id=f"{name}{len(outputs)}"
            )
        else:
            output = assistant_message("+".join(map(str, outputs)) or "fine")
        return ModelResponse([output], Usage(requests=1), None)

    async def stream_response(self, *args: Any, **options: Any) -> Any:
        for event in reply_events(await self.get_response(*args, **options), model="rules"):
            yield event


class Life:
    """What one life of the program does; the keys of all lives are kept together."""

    def __init__(self, keys: list[tuple[str, str]]) -> None:
        self.keys = keys

    def pay(self, name: str = "pay") -> Any:
        async def pay(ctx: ToolContext[Any]) -> str:
            self.keys.append((name, ctx.idempotency_key))
            return name

        return function_tool(pay, name_override=name)

    def helper(self, name: str = "helper", *tools: Any) -> Agent[Any]:
        tools = tools or (self.pay(),)
        return Agent(name=name, tools=[*tools], model=Rules(*(tool.name for tool in tools)))

    async def ask(self, text: str, *, helper: Agent[Any] | None = None, **options: Any) -> str:
        result = await Runner.run(helper or self.helper(), text, **options)
        return str(result.final_output)

    def boss(self, body: Callable[..., Any], **options: Any) -> Agent[Any]:
        tool = function_tool(body, name_override="work")
        return Agent(name="boss", tools=[tool], model=Rules("work"), **options)


def single(life: Life) -> tuple[Agent[Any], Any]:
    async def work() -> str:
        return await life.ask("a")

    return life.boss(work), None


def gathered(life: Life) -> tuple[Agent[Any], Any]:
    async def work() -> str:
        return ",".join(await asyncio.gather(*(life.ask(text) for text in ("a", "b", "a"))))

    return life.boss(work), None


def one_by_one(life: Life) -> tuple[Agent[Any], Any]:
    async def work() -> str:
        return await life.ask("a") + await life.ask("a")

    return life.boss(work), None


def three_deep(life: Life) -> tuple[Agent[Any], Any]:
    async def inner() -> str:
        return ",".join(await asyncio.gather(life.ask("x"), life.ask("x")))

    async def middle() -> str:
        tool = function_tool(inner, name_override="inner")
        return await life.ask("m", helper=life.helper("middle", tool, life.pay("second")))

    return life.boss(middle), None


def blocking(life: Life) -> tuple[Agent[Any], Any]:
    def work() -> str:
        return str(Runner.run_sync(life.helper(), "a").final_output)

    return life.boss(work), None


class Asking(RunHooks[Any]):
    """Hooks that ask the very helper that the tool asks, for the very same."""

    def __init__(self, life: Life, *names: str) -> None:
        self.life, self.names = life, names

    async def _told(self, name: str, context: Any) -> None:
        if name in self.names and not isinstance(context, ToolContext):
            await self.life.ask("a")

    async def on_agent_start(self, context: Any, agent: Any) -> None:
        del agent
        await self._told("on_agent_start", context)

    async def on_llm_start(self, context: Any, *_: Any) -> None:
        await self._told("on_llm_start", context)

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        del agent, tool, context
        if "on_tool_start" in self.names:
            await self.life.ask("a")


def in_a_start_hook(life: Life) -> tuple[Agent[Any], Any]:
    return single(life)[0], Asking(life, "on_tool_start")


def in_all_start_hooks(life: Life) -> tuple[Agent[Any], Any]:
    return single(life)[0], Asking(life, "on_agent_start", "on_llm_start", "on_tool_start")


def in_guardrails(life: Life) -> tuple[Agent[Any], Any]:
    async def asks(*_: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(await life.ask("is it fine?"), tripwire_triggered=False)

    async def work() -> str:
        return await life.ask("a")

    before = [
        InputGuardrail(asks, name="first", run_in_parallel=False),
        InputGuardrail(asks, name="beside"),
    ]
    return life.boss(work, input_guardrails=before, output_guardrails=[OutputGuardrail(asks)]), None


def in_instructions(life: Life) -> tuple[Agent[Any], Any]:
    async def say(context: Any, agent: Any) -> str:
        del context, agent
        return await life.ask("what to say?")

    async def work() -> str:
        return await life.ask("a")

    return life.boss(work, instructions=say), None


def streamed(life: Life) -> tuple[Agent[Any], Any]:
    async def work() -> str:
        result = Runner.run_streamed(life.helper(), "a")
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    return life.boss(work), None


def in_an_output_extractor(life: Life) -> tuple[Agent[Any], Any]:
    async def extracted(_: Any) -> str:
        return await life.ask("shorten it")

    asked = life.helper("asked")
    asked.model = Rules("pay")
    tool = asked.as_tool("work", "Asks.", custom_output_extractor=extracted)
    tool.params_json_schema = {"type": "object", "properties": {"input": {"type": "string"}}}
    return Agent(name="boss", tools=[tool], model=Rules("work")), None


def with_an_id_of_its_own(life: Life) -> tuple[Agent[Any], Any]:
    async def work() -> str:
        return await life.ask("a", run_id="order-17")

    return life.boss(work), None


SCENARIOS = [
    single, gathered, one_by_one, three_deep, blocking, in_a_start_hook, in_all_start_hooks,
    in_guardrails, in_instructions, with_an_id_of_its_own, streamed, in_an_output_extractor,
]  # fmt: skip
QUICK = {single, gathered, in_a_start_hook, with_an_id_of_its_own}


async def test_a_run_in_a_hook_that_hears_of_an_end_is_a_part_of_its_run():
    journal, keys = MemoryJournal(), []

    class Ends(RunHooks[Any]):
        async def on_tool_end(self, *_: Any) -> None:
            await Life(keys).ask("a")

        async def on_llm_end(self, *_: Any) -> None:
            await Life(keys).ask("a")

    agent, _ = single(Life(keys))
    config = RunConfig(journal=journal)
    await Runner.run(agent, "go", run_id="r", run_config=config, hooks=Ends())
    runs = await journal.runs()
    assert {run.parent for run in runs if run.run_id != "r"} == {"r"}
    assert len(runs) == 1 + 1 + 1 + 2  # The boss, its tool's, its tool's end's, its replies' ends'.
    assert len(set(keys)) == len(keys) == len(runs) - 1


async def live(play: Any, journal: Any, keys: list[tuple[str, str]]) -> Any:
    agent, hooks = play(Life(keys))
    options = {"run_config": RunConfig(journal=journal), "hooks": hooks}
    return await Runner.run(agent, "go", run_id="r", **options)


async def ids(journal: Any) -> set[str]:
    return {run.run_id for run in await journal.runs()}


async def crash_and_go_on(play: Any, at: int, moment: str) -> tuple[Any, Any, Counter[Any]] | None:
    """Die at an append; recover; None where the run makes fewer appends."""
    inner, keys = MemoryJournal(), []
    journal = Dead(inner, at, moment)
    try:
        await live(play, journal, keys)
    except StorageFull:
        pass
    else:
        return None
    agent, hooks = play(Life(keys))
    config = {"run_config": RunConfig(journal=inner), "hooks": hooks}
    # Whoever recovers knows the helper too, and must not go on with its runs by themselves.
    report = await recover_runs(agent, Life(keys).helper(), on_error="raise", **config)
    assert set(report) <= {"r"}
    result = report.get("r") or await live(play, inner, keys)
    return result, inner, Counter(keys)


@pytest.mark.parametrize(
    "play",
    [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in SCENARIOS],
)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_anywhere_doubles_no_run_inside_a_run(play: Any, moment: str):
    journal, keys = MemoryJournal(), []
    expected = (await live(play, journal, keys)).final_output
    runs = await ids(journal)
    at = 0
    while (outcome := await crash_and_go_on(play, at + 1, moment)) is not None:
        at += 1
        result, inner, paid = outcome
        assert result.final_output == expected, at
        assert await ids(inner) == runs, at
        assert len(paid) == len(set(keys)), (at, paid)
        # What was performed and not recorded is in doubt: it is repeated, under its key.
        assert sum(paid.values()) <= len(keys) + len(runs), at
        nested = [run for run in await inner.runs() if run.run_id != "r"]
        assert all(run.parent and run.status == "completed" for run in nested), at
    assert at > 3
