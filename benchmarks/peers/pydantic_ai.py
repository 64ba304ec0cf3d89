"""Pydantic AI, with its own function model."""

import asyncio
from typing import Any

from common import ARGS_JSON, INSTRUCTIONS, PROMPT, TEXT, Driver, Shape, make_functions, next_step


class PydanticAIDriver(Driver):
    IMPORT = "from pydantic_ai import Agent"
    DISTS = ("pydantic-ai-slim", "pydantic")
    UNSUPPORTED = frozenset({"durable_loop", "durable_conc", "fsyncs", "size200"})

    def __init__(self, variant: str) -> None:
        super().__init__(variant)
        import pydantic_ai
        from pydantic_ai import messages, usage
        from pydantic_ai.models.function import FunctionModel

        self.sdk, self.messages, self.usage = pydantic_ai, messages, usage
        self.model = FunctionModel

    def tools(self, count: int) -> list[Any]:
        return [self.sdk.Tool(function) for function in make_functions(count)]

    def agent(self, tools: list[Any], script: list[Any], delay: float = 0.0) -> Any:
        async def answer(_messages: Any, _info: Any) -> Any:
            if delay:
                await asyncio.sleep(delay)
            return script[next_step()]

        model = self.model(answer)
        return self.sdk.Agent(model, instructions=INSTRUCTIONS, tools=tools, name="bench")

    def script(self, steps: Shape) -> list[Any]:
        text, call = self.messages.TextPart(TEXT), self.messages.ToolCallPart
        usage = self.usage.RequestUsage(input_tokens=10, output_tokens=5)
        parts = [
            [text] if ids is None else [call("tool_0", ARGS_JSON, i) for i in ids] for ids in steps
        ]
        return [self.messages.ModelResponse(parts=each, usage=usage) for each in parts]

    async def run(self, agent: Any, max_turns: int) -> str:
        del max_turns
        limits = self.usage.UsageLimits(request_limit=None)
        return (await agent.run(PROMPT, usage_limits=limits)).output

    def stream_agent(self, events: int) -> Any:
        async def words(_messages: Any, _info: Any) -> Any:
            for _ in range(events):
                yield "word "

        model = self.model(stream_function=words)
        return self.sdk.Agent(model, instructions=INSTRUCTIONS, name="bench")

    async def run_stream(self, agent: Any) -> int:
        count = 0
        async with agent.iter(PROMPT) as run:
            async for node in run:
                if self.sdk.Agent.is_model_request_node(node):
                    count += await _deltas(node, run.ctx)
        return count


async def _deltas(node: Any, context: Any) -> int:
    count = 0
    async with node.stream(context) as stream:
        async for event in stream:
            count += event.event_kind in ("part_delta", "part_start")
    return count


DRIVER = PydanticAIDriver
