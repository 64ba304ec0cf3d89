"""Microsoft Agent Framework, with all the layers of a usual chat client."""

import asyncio
import logging
import warnings
from typing import Any

from common import ARGS_JSON, INSTRUCTIONS, PROMPT, TEXT, Driver, Shape, make_functions, next_step

warnings.filterwarnings("ignore")


class AgentFrameworkDriver(Driver):
    IMPORT = "from agent_framework import Agent, BaseChatClient, tool"
    DISTS = ("agent-framework-core", "pydantic")
    UNSUPPORTED = frozenset({"durable_loop", "durable_conc", "fsyncs", "size200"})

    def __init__(self, variant: str) -> None:
        super().__init__(variant)
        import agent_framework

        logging.getLogger("agent_framework").setLevel(logging.CRITICAL)
        self.sdk = agent_framework
        self.client = _fake_client(agent_framework)

    def tools(self, count: int) -> list[Any]:
        return [self.sdk.tool(function) for function in make_functions(count)]

    def agent(self, tools: list[Any], script: list[Any], delay: float = 0.0) -> Any:
        client = self.client(script, delay)
        return self.sdk.Agent(client=client, instructions=INSTRUCTIONS, tools=tools, name="bench")

    def script(self, steps: Shape) -> list[Any]:
        # The function layer rewrites what it is given, so each answer is built when asked for.
        return [lambda ids=ids: self._response(ids) for ids in steps]

    def _response(self, ids: list[str] | None) -> Any:
        content = self.sdk.Content
        contents = (
            [content.from_text(TEXT)]
            if ids is None
            else [content.from_function_call(i, "tool_0", arguments=ARGS_JSON) for i in ids]
        )
        message = self.sdk.Message(role="assistant", contents=contents)
        return self.sdk.ChatResponse(messages=[message])

    async def run(self, agent: Any, max_turns: int) -> str:
        del max_turns
        return (await agent.run(PROMPT)).text

    def stream_agent(self, events: int) -> Any:
        client = self.client(events=events)
        return self.sdk.Agent(client=client, instructions=INSTRUCTIONS, name="bench")

    async def run_stream(self, agent: Any) -> int:
        count = 0
        async for update in agent.run(PROMPT, stream=True):
            count += bool(update.text)
        return count


def _fake_client(sdk: Any) -> Any:
    from agent_framework import _middleware, _tools, observability

    class FakeClient(
        _tools.FunctionInvocationLayer,
        _middleware.ChatMiddlewareLayer,
        observability.ChatTelemetryLayer,
        sdk.BaseChatClient,
    ):
        def __init__(self, script: Any = None, delay: float = 0.0, events: int = 0) -> None:
            super().__init__()
            self.script, self.delay, self.events = script, delay, events
            self.function_invocation_configuration["max_iterations"] = 1000

        def _inner_get_response(self, *, stream: bool, **_: Any) -> Any:
            return self._build_response_stream(self._words()) if stream else self._answer()

        async def _words(self) -> Any:
            for _ in range(self.events):
                word = sdk.Content.from_text("word ")
                yield sdk.ChatResponseUpdate(role="assistant", contents=[word])

        async def _answer(self) -> Any:
            if self.delay:
                await asyncio.sleep(self.delay)
            return self.script[next_step()]()

    return FakeClient


DRIVER = AgentFrameworkDriver
