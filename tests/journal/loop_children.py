"""A program that goes on with runs whose loops are gone; it says how each went.

A process of its own, since what such loops leave behind is for the end of a process to clear away.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Literal

from outlast import Agent, RunConfig, Runner, RunResult, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call

Durability = Literal["power", "process", "memory"]
FORGOTTEN: list[object] = []
"""What a program has that forgot to close it."""


class Program:
    """One run, whose tool hangs the first time that it is called."""

    def __init__(self, name: str, durability: Durability) -> None:
        self.name = name
        self.config = RunConfig(journal="runs.db", durability=durability)
        self.calls = 0
        self.began = asyncio.Event()

    async def run(self) -> RunResult:
        @function_tool(on_uncertain="retry")
        async def look() -> str:
            self.calls += 1
            if self.calls == 1:
                self.began.set()
                await asyncio.Event().wait()
            return "seen"

        call = [function_call("look", {}, call_id="c")]
        script = [call, [assistant_message("done")]][min(self.calls, 1) :]
        agent = Agent(name="desk", model=ScriptedModel([*script]), tools=[look])
        return await Runner.run(agent, "look", run_id=self.name, run_config=self.config)

    async def begin(self) -> None:
        FORGOTTEN.append(asyncio.ensure_future(self.run()))
        await self.began.wait()


def main() -> None:
    durabilities: tuple[Durability, ...] = ("power", "process", "memory")
    for durability in durabilities:
        for kind in ("closed", "thread"):
            program = Program(f"{kind} {durability}", durability)
            lose(kind, program)
            result: Any = asyncio.run(program.run())
            print(f"{program.name}: {result.final_output} after {program.calls} calls", flush=True)


def lose(kind: str, program: Program) -> None:
    loop = asyncio.new_event_loop()
    FORGOTTEN.append(loop)
    if kind == "closed":
        loop.run_until_complete(program.begin())
        loop.close()
    else:
        thread = threading.Thread(target=lambda: loop.run_until_complete(program.begin()))
        thread.start()
        thread.join()


main()
