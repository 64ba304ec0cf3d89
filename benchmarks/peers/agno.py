"""Agno. The durable scenarios keep the session in its AsyncSqliteDb."""

import asyncio
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import ARGS_JSON, INSTRUCTIONS, PROMPT, TEXT, Driver, Shape, make_functions, next_step

os.environ.setdefault("AGNO_TELEMETRY", "false")


class AgnoDriver(Driver):
    IMPORT = (
        "from agno.agent import Agent; from agno.models.openai import OpenAIChat; "
        "from agno.tools import tool"
    )
    DISTS = ("agno", "pydantic")

    def __init__(self, variant: str) -> None:
        super().__init__(variant)
        from agno.agent import Agent
        from agno.models.response import ModelResponse
        from agno.tools import tool

        for name in ("agno", "agno-team", "agno-workflow"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.make_agent, self.response, self.tool = Agent, ModelResponse, tool
        self.model = _fake_model()

    def tools(self, count: int) -> list[Any]:
        return [self.tool(function) for function in make_functions(count)]

    def agent(self, tools: list[Any], script: list[Any], delay: float = 0.0, **more: Any) -> Any:
        model = self.model(script=script, delay=delay)
        return self.make_agent(
            model=model, instructions=INSTRUCTIONS, tools=tools, name="bench", **more
        )

    def script(self, steps: Shape) -> list[Any]:
        return [lambda ids=ids: self._answer(ids) for ids in steps]

    def _answer(self, ids: list[str] | None) -> Any:
        if ids is None:
            return self.response(role="assistant", content=TEXT)
        function = {"name": "tool_0", "arguments": ARGS_JSON}
        calls = [{"id": call_id, "type": "function", "function": function} for call_id in ids]
        return self.response(role="assistant", tool_calls=calls)

    async def run(self, agent: Any, max_turns: int) -> str:
        del max_turns
        return (await agent.arun(PROMPT)).content

    def stream_agent(self, events: int) -> Any:
        return self.make_agent(
            model=self.model(events=events), instructions=INSTRUCTIONS, name="bench"
        )

    async def run_stream(self, agent: Any) -> int:
        count = 0
        async for event in agent.arun(PROMPT, stream=True):
            count += event.event == "RunContent"
        return count

    async def durable(self, tools: list[Any], script: list[Any], folder: str) -> Any:
        from agno.db.sqlite import AsyncSqliteDb

        db = AsyncSqliteDb(db_file=str(Path(folder) / "agno.db"))
        agent = self.agent(tools, script, db=db)

        async def run(run_id: str, max_turns: int) -> str:
            del max_turns
            return (await agent.arun(PROMPT, session_id=run_id)).content

        return run


def _fake_model() -> Any:
    from agno.models.base import Model
    from agno.models.response import ModelResponse

    @dataclass
    class FakeModel(Model):
        id: str = "fake"
        script: list[Any] = field(default_factory=list)
        delay: float = 0.0
        events: int = 0

        def invoke(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

        def invoke_stream(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

        async def ainvoke(self, *_: Any, **__: Any) -> Any:
            if self.delay:
                await asyncio.sleep(self.delay)
            return self.script[next_step()]()

        async def ainvoke_stream(self, *_: Any, **__: Any) -> Any:
            for _word in range(self.events):
                yield ModelResponse(content="word ")

        def _parse_provider_response(self, response: Any, **_: Any) -> Any:
            return response

        def _parse_provider_response_delta(self, response: Any) -> Any:
            return response

    return FakeModel


DRIVER = AgnoDriver
