"""LangChain's create_agent on LangGraph. The durable scenarios use its AsyncSqliteSaver."""

import asyncio
import warnings
from pathlib import Path
from typing import Any

from common import ARGS, INSTRUCTIONS, PROMPT, TEXT, Driver, Shape, make_functions, next_step

warnings.filterwarnings("ignore")


class LangGraphDriver(Driver):
    IMPORT = (
        "from langchain.agents import create_agent; "
        "from langchain_core.language_models.chat_models import BaseChatModel"
    )
    DISTS = ("langgraph", "langchain", "langchain-core", "langgraph-checkpoint-sqlite")

    def __init__(self, variant: str) -> None:
        super().__init__(variant)
        from langchain.agents import create_agent
        from langchain_core import messages, tools

        self.create, self.messages, self.tool = create_agent, messages, tools.StructuredTool
        self.model, self.streaming_model = _fake_models()
        self.opened: Any = None

    def tools(self, count: int) -> list[Any]:
        make = self.tool.from_function
        return [make(coroutine=each, parse_docstring=True) for each in make_functions(count)]

    def agent(self, tools: list[Any], script: list[Any], delay: float = 0.0, **more: Any) -> Any:
        model = self.model(script=script, delay=delay)
        return self.create(model, tools, system_prompt=INSTRUCTIONS, **more)

    def script(self, steps: Shape) -> list[Any]:
        message = self.messages.AIMessage
        return [
            message(content=TEXT, id="final")
            if ids is None
            else message(content="", id=f"message_{index}", tool_calls=[_call(i) for i in ids])
            for index, ids in enumerate(steps)
        ]

    async def run(self, agent: Any, max_turns: int, **config: Any) -> str:
        config["recursion_limit"] = 4 * max_turns + 10
        result = await agent.ainvoke(_input(), config)
        return result["messages"][-1].content

    def stream_agent(self, events: int) -> Any:
        return self.create(self.streaming_model(events=events), [])

    async def run_stream(self, agent: Any) -> int:
        count = 0
        async for _ in agent.astream(_input(), stream_mode="messages"):
            count += 1
        return count

    async def durable(self, tools: list[Any], script: list[Any], folder: str) -> Any:
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        self.opened = AsyncSqliteSaver.from_conn_string(str(Path(folder) / "graph.db"))
        agent = self.agent(tools, script, checkpointer=await self.opened.__aenter__())

        async def run(run_id: str, max_turns: int) -> str:
            return await self.run(agent, max_turns, configurable={"thread_id": run_id})

        return run

    async def close(self) -> None:
        if self.opened is not None:
            await self.opened.__aexit__(None, None, None)
            self.opened = None


def _input() -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": PROMPT}]}


def _call(call_id: str) -> dict[str, Any]:
    return {"name": "tool_0", "args": dict(ARGS), "id": call_id, "type": "tool_call"}


def _fake_models() -> tuple[Any, Any]:
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
    from langchain_core.utils.function_calling import convert_to_openai_tool

    class FakeModel(BaseChatModel):
        script: list[Any] = []  # noqa: RUF012 (a pydantic field)
        delay: float = 0.0
        events: int = 0

        @property
        def _llm_type(self) -> str:
            return "fake"

        def bind_tools(self, tools: Any, **_: Any) -> Any:
            return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools])

        def _generate(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

        async def _agenerate(self, *_: Any, **__: Any) -> Any:
            if self.delay:
                await asyncio.sleep(self.delay)
            return ChatResult(generations=[ChatGeneration(message=self.script[next_step()])])

    class FakeStreamingModel(FakeModel):
        async def _astream(self, *_: Any, run_manager: Any = None, **__: Any) -> Any:
            for _word in range(self.events):
                chunk = ChatGenerationChunk(message=AIMessageChunk(content="word ", id="m1"))
                if run_manager:
                    await run_manager.on_llm_new_token("word ", chunk=chunk)
                yield chunk

    return FakeModel, FakeStreamingModel


DRIVER = LangGraphDriver
