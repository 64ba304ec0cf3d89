"""The same with Temporal's plug-in for openai-agents, in an environment of its own:  plugin.py N TOOL_BYTES"""

import asyncio
import json
import os
import resource
import sys
import time
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from agents import Agent, Runner
    from agents.items import ModelResponse
    from agents.models.interface import Model, ModelProvider
    from agents.usage import Usage
    from openai.types.responses import (
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseOutputText,
    )
    from temporalio.openai_agents import ModelActivityParameters, OpenAIAgentsPlugin
    from temporalio.openai_agents.workflow import activity_as_tool

TURNS, TOOL_BYTES = int(sys.argv[1]), int(sys.argv[2])
LIMIT = timedelta(seconds=30)


class Scripted(Model):
    """Calls `search` until it has as many results as turns are wanted."""

    async def get_response(self, *args: Any, **said: Any) -> Any:
        given = said.get("input", args[1] if len(args) > 1 else "")
        items = [] if isinstance(given, str) else given
        n = sum(item.get("type") == "function_call_output" for item in items)
        if n < TURNS:
            item: Any = ResponseFunctionToolCall(
                type="function_call",
                id=f"fc{n}",
                call_id=f"c{n}",
                name="search",
                arguments=json.dumps({"i": n}),
                status="completed",
            )
        else:
            text = ResponseOutputText(type="output_text", text=f"done {n}", annotations=[])
            item = ResponseOutputMessage(
                id="m", type="message", role="assistant", status="completed", content=[text]
            )
        return ModelResponse(output=[item], usage=Usage(requests=1), response_id=None)

    def stream_response(self, *args: Any, **more: Any) -> Any:
        raise NotImplementedError


class Provider(ModelProvider):
    """Knows one model."""

    def get_model(self, model_name: str | None) -> Model:
        return Scripted()


@activity.defn
async def search(i: int) -> str:
    """search"""
    return f"r{i} " * (TOOL_BYTES // len(f"r{i} "))


@workflow.defn
class Chat:
    """One run."""

    @workflow.run
    async def run(self, text: str) -> str:
        tools = [activity_as_tool(search, start_to_close_timeout=LIMIT)]
        agent = Agent(name="a", instructions="x" * 3000, model="fake", tools=tools)
        return (await Runner.run(agent, text, max_turns=2000)).final_output


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main() -> None:
    params = ModelActivityParameters(start_to_close_timeout=LIMIT)
    plugin = OpenAIAgentsPlugin(model_params=params, model_provider=Provider())
    client = await Client.connect(
        os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"), plugins=[plugin]
    )
    queue = f"plugin{os.getpid()}"
    async with Worker(client, task_queue=queue, workflows=[Chat], activities=[search]):
        began, used = time.time(), cpu()
        handle = await client.start_workflow(Chat.run, "hello " * 50, id=queue, task_queue=queue)
        try:
            result = await handle.result()
        except Exception as error:  # noqa: BLE001  # the limit of a history, in long runs
            result = f"{type(error).__name__}: {error.__cause__}"
        wall, worked = time.time() - began, cpu() - used
    history = await handle.fetch_history()
    said = {"result": result, "events": len(history.events), "wall_s": wall, "cpu_s": worked}
    print(json.dumps(said | {"bytes": sum(each.ByteSize() for each in history.events)}))


if __name__ == "__main__":
    asyncio.run(main())
