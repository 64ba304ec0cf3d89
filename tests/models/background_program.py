"""A program that runs one agent once: `background_program.py URL JOURNAL plain|streamed on|off`."""

from __future__ import annotations

import asyncio
import sys

from openai import AsyncOpenAI

from outlast import Agent, ModelSettings, OpenAIResponsesModel, RunConfig, Runner


async def main(url: str, journal: str, way: str, background: str) -> None:
    async with AsyncOpenAI(api_key="sk-test", base_url=url) as client:
        settings = ModelSettings(extra_args={"background": True} if background == "on" else None)
        model = OpenAIResponsesModel("gpt-5", client)
        agent = Agent(name="Clerk", model=model, model_settings=settings)
        options = {"run_config": RunConfig(journal=journal), "run_id": "order-17"}
        if way == "plain":
            result = await Runner.run(agent, "Hello", **options)
        else:
            result = Runner.run_streamed(agent, "Hello", **options)
            async for _ in result.stream_events():
                pass
        print(result.final_output)


asyncio.run(main(*sys.argv[1:]))
