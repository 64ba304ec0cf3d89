"""The driver for every SDK with the API of openai-agents. `peers/` names the module."""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from common import ARGS_JSON, INSTRUCTIONS, PROMPT, TEXT, Driver, Shape, make_functions, next_step


class AgentsDriver(Driver):
    MODULE = "agents"

    def __init__(self, variant: str) -> None:
        super().__init__(variant)
        self.sdk = importlib.import_module(self.MODULE)
        self.types = importlib.import_module("openai.types.responses")
        logging.getLogger("openai.agents").setLevel(logging.CRITICAL)
        self.model = _fake_model(self.sdk)
        self.options: dict[str, Any] = {}  # what every run is given besides

    def tools(self, count: int) -> list[Any]:
        return [self.sdk.function_tool(function) for function in make_functions(count)]

    def agent(self, tools: list[Any], script: list[Any], delay: float = 0.0) -> Any:
        model = self.model(script, delay)
        return self.sdk.Agent(name="bench", instructions=INSTRUCTIONS, tools=tools, model=model)

    def script(self, steps: Shape) -> list[Any]:
        return [
            self._response([self._text()] if ids is None else self._calls(ids)) for ids in steps
        ]

    def _response(self, output: list[Any]) -> Any:
        usage = self.sdk.Usage(requests=1, input_tokens=10, output_tokens=5, total_tokens=15)
        return self.sdk.ModelResponse(output=output, usage=usage, response_id=None)

    def _text(self, text: str = TEXT) -> Any:
        part = self.types.ResponseOutputText(
            text=text, type="output_text", annotations=[], logprobs=[]
        )
        return self.types.ResponseOutputMessage(
            id="msg_1", type="message", role="assistant", status="completed", content=[part]
        )

    def _calls(self, ids: list[str]) -> list[Any]:
        call = self.types.ResponseFunctionToolCall
        return [
            call(
                id=f"fc_{call_id}",
                call_id=call_id,
                type="function_call",
                name="tool_0",
                arguments=ARGS_JSON,
                status="completed",
            )
            for call_id in ids
        ]

    async def run(self, agent: Any, max_turns: int) -> str:
        runner = self.sdk.Runner
        return (await runner.run(agent, PROMPT, max_turns=max_turns, **self.options)).final_output

    def stream_agent(self, events: int) -> Any:
        model = self.model([], 0.0, stream_of(self.types, self._text("word " * events), events))
        return self.sdk.Agent(name="bench", instructions=INSTRUCTIONS, model=model)

    def wire_agent(self, api: str, model: str, url: str) -> Any:
        client = importlib.import_module("openai").AsyncOpenAI(api_key="sk-bench", base_url=url)
        sdk = self.sdk
        kind = sdk.OpenAIChatCompletionsModel if api == "chat" else sdk.OpenAIResponsesModel
        behind = kind(model=model, openai_client=client)
        return sdk.Agent(name="bench", instructions=INSTRUCTIONS, model=behind)

    async def run_stream(self, agent: Any) -> int:
        count = 0
        async for event in self._streamed(agent):
            is_raw = event.type == "raw_response_event"
            count += is_raw and event.data.type == "response.output_text.delta"
        return count

    def _streamed(self, agent: Any) -> Any:
        return self.sdk.Runner.run_streamed(agent, PROMPT, **self.options).stream_events()

    async def durable(self, tools: list[Any], script: list[Any], folder: str) -> Any:
        agent = self.agent(tools, script)
        database = Path(folder) / "session.db"

        async def run(run_id: str, max_turns: int) -> str:
            session = self.sdk.SQLiteSession(run_id, database)
            try:
                result = await self.sdk.Runner.run(
                    agent, PROMPT, max_turns=max_turns, session=session
                )
            finally:
                session.close()
            return result.final_output

        return run


def _fake_model(sdk: Any) -> Any:
    class FakeModel(sdk.Model):
        def __init__(self, script: list[Any], delay: float, events: list[Any] | None = None):
            self.script, self.delay, self.events = script, delay, events or []

        async def get_response(self, *_: Any, **__: Any) -> Any:
            if self.delay:
                await asyncio.sleep(self.delay)
            return self.script[next_step()]

        async def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
            for event in self.events:
                yield event

    return FakeModel


def stream_of(types: Any, final: Any, count: int) -> list[Any]:
    """Return the events of a streamed answer of `count` deltas, as the Responses API has them."""
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    empty = types.ResponseOutputText(text="", type="output_text", annotations=[], logprobs=[])
    begun = types.ResponseOutputMessage(
        id="msg_1", type="message", role="assistant", status="in_progress", content=[]
    )
    head = [
        types.ResponseCreatedEvent(
            type="response.created",
            response=_response(types, [], "in_progress"),
            sequence_number=0,
        ),
        types.ResponseOutputItemAddedEvent(
            type="response.output_item.added", item=begun, output_index=0, sequence_number=1
        ),
        types.ResponseContentPartAddedEvent(
            type="response.content_part.added", part=empty, sequence_number=2, **at
        ),
    ]
    deltas = [
        types.ResponseTextDeltaEvent(
            type="response.output_text.delta",
            delta="word ",
            logprobs=[],
            sequence_number=3 + index,
            **at,
        )
        for index in range(count)
    ]
    tail = [
        types.ResponseOutputItemDoneEvent(
            type="response.output_item.done", item=final, output_index=0, sequence_number=count + 3
        ),
        types.ResponseCompletedEvent(
            type="response.completed",
            response=_response(types, [final], "completed"),
            sequence_number=count + 4,
        ),
    ]
    return head + deltas + tail


def _response(types: Any, output: list[Any], status: str) -> Any:
    usage = types.ResponseUsage(
        input_tokens=1,
        output_tokens=1,
        total_tokens=2,
        input_tokens_details={"cached_tokens": 0, "cache_write_tokens": 0},
        output_tokens_details={"reasoning_tokens": 0},
    )
    return types.Response(
        id="resp_1",
        created_at=0,
        model="fake",
        object="response",
        output=output,
        tool_choice="auto",
        tools=[],
        parallel_tool_calls=False,
        status=status,
        usage=usage,
    )
