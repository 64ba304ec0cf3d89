"""N turns on a Temporal server, by Outlast. Prints one line of JSON:  ours.py N TOOL_BYTES FOLDER"""

import asyncio
import json
import os
import resource
import sys
import time
from typing import Any

from outlast import Agent, Model, ModelResponse, RunConfig, Runner, Usage, function_tool
from outlast.temporal import DirectoryStore, Program, TemporalEngine, connect, worker_of
from outlast.testing import assistant_message, function_call

TURNS, TOOL_BYTES, FOLDER = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


class Scripted(Model):
    """Calls `search` until it has as many results as turns are wanted."""

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        n = sum(item.get("type") == "function_call_output" for item in args[1])
        call = function_call("search", {"i": n}, call_id=f"c{n}")
        item: Any = call if n < TURNS else assistant_message(f"done {n}")
        return ModelResponse([item], Usage(requests=1), None)

    def stream_response(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


@function_tool
def search(i: int) -> str:
    """A plain function, as it stands in any program."""
    return f"r{i} " * (TOOL_BYTES // len(f"r{i} "))


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main() -> None:
    agent = Agent(name="a", instructions="x" * 3000, model=Scripted(), tools=[search])
    store, queue = DirectoryStore(FOLDER), f"ours{os.getpid()}"
    client = await connect(store)
    config = RunConfig(tracing_disabled=True)
    program = Program(agent=agent, run_config=config)
    async with worker_of(client, store, program, queue=queue):
        engine = TemporalEngine(client, store, queue=queue)
        began, used = time.time(), cpu()
        result = await Runner.run(
            agent, "hello " * 50, engine=engine, run_id=queue, max_turns=2000, run_config=config
        )
        wall, worked = time.time() - began, cpu() - used
    history = await client.get_workflow_handle(queue).fetch_history()
    said = {"result": result.final_output, "events": len(history.events), "wall_s": wall}
    said |= {"bytes": sum(each.ByteSize() for each in history.events), "cpu_s": worked}
    print(json.dumps(said))


if __name__ == "__main__":
    asyncio.run(main())
