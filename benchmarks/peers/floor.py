"""The floor: the smallest agent loop that one can write by hand, and bare SQLite under it."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import ARGS_JSON, INSTRUCTIONS, PROMPT, TEXT, Driver, Shape, make_functions, next_step

Sink = Callable[[list[Any]], Awaitable[None]]


@dataclass(slots=True)
class FloorAgent:
    tools: dict[str, Any]
    script: list[Any]
    delay: float
    instructions: str = INSTRUCTIONS


class FloorDriver(Driver):
    IMPORT = "import asyncio, json"

    def tools(self, count: int) -> list[Any]:
        return make_functions(count)

    def agent(self, tools: list[Any], script: list[Any], delay: float = 0.0) -> FloorAgent:
        return FloorAgent({tool.__name__: tool for tool in tools}, script, delay)

    def script(self, steps: Shape) -> list[Any]:
        final = [{"type": "message", "role": "assistant", "content": TEXT}]
        return [final if ids is None else [_call(call_id) for call_id in ids] for ids in steps]

    async def run(self, agent: FloorAgent, max_turns: int, sink: Sink | None = None) -> str:
        items: list[Any] = [{"role": "user", "content": PROMPT}]
        for _ in range(max_turns):
            output = await self._model(agent)
            calls = [item for item in output if item["type"] == "function_call"]
            results = [_call_tool(agent, call) for call in calls]
            done = [await results[0]] if len(results) == 1 else await asyncio.gather(*results)
            items += output + done
            if sink is not None:
                await sink(output + done)
            if not calls:
                return output[-1]["content"]
        raise RuntimeError("too many turns")

    async def _model(self, agent: FloorAgent) -> list[Any]:
        if agent.delay:
            await asyncio.sleep(agent.delay)
        return agent.script[next_step()]

    def stream_agent(self, events: int) -> int:
        return events

    async def run_stream(self, agent: int) -> int:
        async def model() -> Any:
            for _ in range(agent):
                yield {"type": "delta", "delta": "word "}

        count = 0
        async for _ in model():
            count += 1
        return count

    async def durable(self, tools: list[Any], script: list[Any], folder: str) -> Any:
        """Insert a row of 2 KB for each turn, committed at once."""
        self.db = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        level = "FULL" if self.variant == "power" else "NORMAL"
        self.db.execute("pragma journal_mode=wal")
        self.db.execute(f"pragma synchronous={level}")
        self.db.execute("create table log(run, seq, body, primary key(run, seq)) without rowid")
        agent = self.agent(tools, script)

        async def run(run_id: str, max_turns: int) -> str:
            rows = iter(range(max_turns + 1))

            async def sink(items: list[Any]) -> None:
                body = json.dumps({"items": items, "pad": "x" * 1800})
                self.db.execute("insert into log values(?, ?, ?)", (run_id, next(rows), body))

            return await self.run(agent, max_turns, sink)

        return run

    async def close(self) -> None:
        self.db.close()


def _call(call_id: str) -> dict[str, str]:
    return {"type": "function_call", "call_id": call_id, "name": "tool_0", "arguments": ARGS_JSON}


async def _call_tool(agent: FloorAgent, call: dict[str, str]) -> dict[str, str]:
    output = await agent.tools[call["name"]](**json.loads(call["arguments"]))
    return {"type": "function_call_output", "call_id": call["call_id"], "output": output}


DRIVER = FloorDriver
