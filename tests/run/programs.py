"""A program in two versions, and a world that counts what it does.

A story is what happens in the first version: a shop's desk looks an order up and pays; a desk hands
off to billing; a desk has a clerk, an agent that is a tool. A change edits the parts of the program
before its agents are made, as a deploy does. Every version is made of new objects.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from outlast import (
    Agent,
    FunctionTool,
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
    RunConfig,
    RunHooks,
    Runner,
    function_tool,
    handoff,
)
from outlast.journal.memory import MemoryJournal
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call


class Order(BaseModel):
    """What a desk with an output type answers."""

    order: int


class Customer(BaseModel):
    """Another type, which an order does not fit."""

    customer: str


class Bill(Order):
    """The same type under another name."""


class Place(BaseModel):
    """Another type, which an order fits."""

    order: int
    shelf: str | None = None


class World:
    """What was done outside of any run, and where the first process dies."""

    def __init__(self) -> None:
        self.did: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.dies_at = ""
        self.reached = asyncio.Event()

    async def at(self, place: str) -> None:
        """Do something; the process dies before it is done where it is to die here."""
        if self.dies_at == place:
            self.reached.set()
            await asyncio.Event().wait()
        self.did[place] += 1


class Told(RunHooks[Any]):
    """Hooks that count what they are told."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: Any) -> None:
        self.world.told[tool.name] += 1

    async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
        await self.world.at("ending")
        self.world.told["end"] += 1


def scripted(world: World, *steps: list[Any]) -> ScriptedModel:
    """A model that plays steps in their order, whoever asks: a step is due when its past is answered."""

    async def reply(call: Any) -> Any:
        await world.at("model")
        items = [] if isinstance(call.input, str) else call.input
        answered = {item.get("call_id") for item in items if "output" in item}
        for step in steps:
            asked = [item.call_id for item in step if item.type == "function_call"]
            if not asked or not answered.issuperset(asked):
                return step
        raise AssertionError("nothing is left to say")

    return ScriptedModel([ModelStep.respond(reply)] * 20)


class Parts:
    """The parts of a program before its agents are made; a change edits them."""

    def __init__(self, story: str, world: World, *, asks: bool) -> None:
        self.world, self.story, self.asks = world, story, asks
        self.answer = "done"
        self.tools: dict[str, list[FunctionTool]] = {}
        self.names = {"desk": "desk", "billing": "billing", "clerk": "clerk"}
        self.settings: dict[str, dict[str, Any]] = {"desk": {}, "billing": {}, "clerk": {}}
        self.handoff: dict[str, Any] | None = {}
        self.guards: list[InputGuardrail[Any]] = [self.guard("polite")]
        self.checks: list[OutputGuardrail[Any]] = [self.check("short")]
        self.clerk_is_agent = True
        self.hooks: RunHooks[Any] | None = None
        self.tools["desk"] = [self.tool("look"), self.tool("pay", needs_approval=asks)]
        self.tools["billing"] = [self.tool("refund", needs_approval=asks)]
        self.tools["clerk"] = [self.tool("stamp", needs_approval=asks)]

    def tool(self, does: str, *, name: str = "", **settings: Any) -> FunctionTool:
        """A tool that does something once."""

        async def body(order: int) -> str:
            await self.world.at(does)
            return f"{does} done"

        return function_tool(body, name_override=name or does, **settings)

    def guard(self, name: str, *, parallel: bool = False) -> InputGuardrail[Any]:
        """A guardrail that lets any input through."""

        async def look(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
            await self.world.at(name)
            return GuardrailFunctionOutput(name, tripwire_triggered=False)

        return InputGuardrail(look, name, parallel)

    def check(self, name: str) -> OutputGuardrail[Any]:
        """A guardrail that lets any output through."""

        async def look(context: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
            await self.world.at(name)
            return GuardrailFunctionOutput(type(output).__name__, tripwire_triggered=False)

        return OutputGuardrail(look, name)

    def drop(self, name: str, agent: str = "desk") -> FunctionTool:
        """Take a tool out of the program."""
        tool = next(each for each in self.tools[agent] if each.name == name)
        self.tools[agent].remove(tool)
        return tool

    def swap(self, name: str, other: FunctionTool, agent: str = "desk") -> None:
        """Put another tool in the place of one."""
        place = [each.name for each in self.tools[agent]].index(name)
        self.tools[agent][place] = other

    def build(self) -> Agent[Any]:
        """The agent that runs begin with."""
        tools: list[Any] = [*self.tools["desk"]]
        handoffs: list[Any] = []
        if self.story == "clerk":
            tools.append(self._clerk())
        if self.story == "billing" and self.handoff is not None:
            billing = self._agent("billing", _BILLING, tools=[*self.tools["billing"]])
            handoffs.append(handoff(billing, **self.handoff))
        return self._agent(
            "desk",
            _SCRIPTS[self.story],
            tools=tools,
            handoffs=handoffs,
            input_guardrails=self.guards,
        )

    def _clerk(self) -> FunctionTool:
        if not self.clerk_is_agent:
            return self.tool("file", name="clerk")
        inner = self._agent("clerk", _CLERK, tools=[*self.tools["clerk"]])
        return inner.as_tool("clerk", "Does what a clerk does.")

    def _agent(self, key: str, steps: list[list[Any]], **more: Any) -> Agent[Any]:
        is_last = key == ("billing" if self.story == "billing" else "desk")
        model = scripted(
            self.world, *steps, [assistant_message(self.answer if is_last else "filed")]
        )
        checks = self.checks if is_last else []
        more = {"model": model, "output_guardrails": checks, **more, **self.settings[key]}
        return Agent(name=self.names[key], **more)


PAYS = [
    [function_call("look", {"order": 1}, call_id="c1")],
    [function_call("pay", {"order": 1}, call_id="c2")],
]
_SCRIPTS: dict[str, list[list[Any]]] = {
    "shop": PAYS,
    "both": [[*PAYS[0], *PAYS[1]]],
    "billing": [PAYS[0], [function_call("transfer_to_billing", {}, call_id="h1")]],
    "clerk": [PAYS[0], [function_call("clerk", {"input": "file it"}, call_id="k1")]],
}
_BILLING = [[function_call("refund", {"order": 1}, call_id="b1")]]
_CLERK = [[function_call("stamp", {"order": 1}, call_id="s1")]]
LAST = {"shop": "pay", "both": "pay", "billing": "refund", "clerk": "stamp"}
"""The tool that each story ends with, which a person is asked about where one waits."""

Change = Callable[[Parts], None]


def unchanged(parts: Parts) -> None:
    """The first version."""


async def copied(journal: MemoryJournal) -> MemoryJournal:
    """What a process that dies now leaves behind."""
    fresh = MemoryJournal()
    for run in reversed(await journal.runs()):
        events = [each.event for each in await journal.read(run.run_id)]
        lease = await fresh.acquire(run.run_id, new=True)
        for event in events:
            for name in (getattr(event, "tools", None), getattr(event, "instructions", None)):
                if name:
                    fresh.blobs.put(journal.blobs.get(name), name)
        await fresh.append(lease, events)
        await fresh.release(lease)
    return fresh


class Case:
    """A run of the first version, which other versions come upon."""

    def __init__(self, story: str, first: Change, *, asks: bool = False) -> None:
        self.story, self.first, self.asks = story, first, asks
        self.world = World()
        self.journal = MemoryJournal()
        self.config = RunConfig(journal=self.journal)

    def parts(self, *changes: Change) -> Parts:
        """The parts of a version, made anew."""
        parts = Parts(self.story, self.world, asks=self.asks)
        for change in (self.first, *changes):
            change(parts)
        return parts

    async def begin(self, *, dies_at: str = "") -> Any:
        """The first version's run, up to where it waits, ends, or its process dies."""
        self.world.dies_at = dies_at
        parts = self.parts()
        run = asyncio.ensure_future(
            Runner.run(parts.build(), "x", run_id="r", hooks=parts.hooks, run_config=self.config)
        )
        if not dies_at:
            return await run
        reached = asyncio.ensure_future(self.world.reached.wait())
        await asyncio.wait({run, reached}, return_when=asyncio.FIRST_COMPLETED)
        assert not run.done(), f"the run never came to {dies_at}"
        self.journal = await copied(self.journal)
        self.config = RunConfig(journal=self.journal)
        run.cancel()
        await asyncio.wait({run})
        self.world.dies_at = ""
        return None

    async def go_on(self, *changes: Change) -> Any:
        """What the run comes to in a version."""
        parts = self.parts(*changes)
        return await Runner.resume("r", parts.build(), hooks=parts.hooks, run_config=self.config)

    async def approve(self, waiting: Any, *changes: Change) -> Any:
        """What the run comes to in a version after a person has said yes to what waits."""
        state = waiting.to_state()
        for item in waiting.interruptions:
            state.approve(item)
        parts = self.parts(*changes)
        return await Runner.run(parts.build(), state, hooks=parts.hooks, run_config=self.config)

    async def log(self) -> list[Any]:
        """What the journal has of the run, and of the runs inside it."""
        names = sorted(run.run_id for run in await self.journal.runs())
        return [(name, each.event) for name in names for each in await self.journal.read(name)]

    async def status(self) -> tuple[str, bool]:
        """The run's status, and whether somebody holds it."""
        run = next(run for run in await self.journal.runs() if run.run_id == "r")
        return run.status, run.owner_alive
