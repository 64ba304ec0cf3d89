"""A server of one agent: `python serving_app.py outlast|agents PORT [durability]`.

The agent calls a tool, then answers with 20 deltas. Told to hold, its model never goes on behind the
first of them. openai-agents is served by the smallest app that does it; nothing there outlives the
process.
"""

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn

sys.path.insert(0, str(Path(__file__).parent))
from agents_api import AgentsDriver, stream_of

DELTAS = 20
HOLD = "hold"


class Driver(AgentsDriver):
    def __init__(self, module: str) -> None:
        self.MODULE = module
        super().__init__("")

    def served_agent(self) -> Any:
        call, text = self.script([["call_1"], None])
        streamed = stream_of(self.types, self._text("word " * DELTAS), DELTAS)
        done = streamed[-1].response.model_copy(update={"output": call.output})
        called = [streamed[0], streamed[-1].model_copy(update={"response": done})]

        class Model(self.sdk.Model):
            async def get_response(self, *args: Any, **options: Any) -> Any:
                return text if _is_answered(args, options) else call

            async def stream_response(self, *args: Any, **options: Any) -> AsyncIterator[Any]:
                holds = HOLD in str(_items(args, options))
                for event in streamed if holds or _is_answered(args, options) else called:
                    yield event
                    if holds and event.type == "response.output_text.delta":
                        await asyncio.Event().wait()

        self.sdk.set_tracing_disabled(True)
        tools = self.tools(1)
        return self.sdk.Agent(name="bench", instructions="Help.", tools=tools, model=Model())


def _items(args: Any, options: Any) -> Any:
    return options["input"] if "input" in options else args[1]


def _is_answered(args: Any, options: Any) -> bool:
    items = _items(args, options)
    return isinstance(items, list) and items[-1].get("type") == "function_call_output"


def smallest_app(agent: Any) -> Any:
    from fastapi import Body, FastAPI
    from fastapi.responses import StreamingResponse

    sdk = importlib.import_module("agents")
    api = FastAPI()

    @api.post("/runs")
    async def run(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008, FAST002
        result = await sdk.Runner.run(agent, body["input"])
        return {"output": result.final_output}

    @api.post("/stream")
    async def stream(body: dict[str, Any] = Body()) -> Any:  # noqa: B008, FAST002
        async def frames() -> AsyncIterator[str]:
            async for event in sdk.Runner.run_streamed(agent, body["input"]).stream_events():
                is_raw = event.type == "raw_response_event"
                if is_raw and event.data.type == "response.output_text.delta":
                    yield f"data: {event.data.delta}\n\n"

        return StreamingResponse(frames(), media_type="text/event-stream")

    return api


def durable_app(agent: Any, durability: str) -> Any:
    from outlast import RunConfig
    from outlast.server import App, Caller

    return App(
        agents=[agent],
        auth=lambda _: Caller("bench"),
        concurrency=4000,
        grace_s=0.1,
        run_config=RunConfig(durability=durability),
    )


def main() -> None:
    module, port, *more = sys.argv[1:]
    agent = Driver(module).served_agent()
    app = smallest_app(agent) if module == "agents" else durable_app(agent, *more)
    uvicorn.run(app, port=int(port), log_level="error", access_log=False, backlog=4096)


if __name__ == "__main__":
    main()
