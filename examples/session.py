"""A conversation that spans runs.    python examples/session.py"""

import asyncio
import os

from outlast import Agent, Runner, SQLiteSession

MODEL = None if os.environ.get("OPENAI_API_KEY") else "offline"

agent = Agent(name="Assistant", instructions="Answer in one sentence.", model=MODEL)


async def main() -> None:
    session = SQLiteSession("ada")  # In memory; give a file's name to keep it.
    for message in ("My name is Ada.", "What is my name?"):
        result = await Runner.run(agent, message, session=session)
        print(f"> {message}\n{result.final_output}")
    print(len(await session.get_items()), "items in the session")


if __name__ == "__main__":
    asyncio.run(main())
