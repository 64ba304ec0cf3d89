"""A program whose agent asks for a price and orders, each time under the same run id.

It is killed where OUTLAST_CRASH_AT says, and writes what the run came to.
"""

import asyncio
import os
import sys
from pathlib import Path

from outlast import Agent, RunConfig, Runner
from outlast.journal import open_journal
from outlast.mcp import MCPServerStdio
from outlast.testing import CrashingJournal, ScriptedModel, assistant_message, function_call

SHOP = Path(__file__).with_name("shop.py")
TURNS = (
    (("price", "c1"), ("order", "c2")),
    (("order", "c3"),),
    (),
)


class Buyer(ScriptedModel):
    """Makes the calls of the turn that the conversation has come to."""

    async def get_response(self, *args, **more):
        self.prepare(args, more)
        return await super().get_response(*args, **more)

    def stream_response(self, *args, **more):
        self.prepare(args, more)
        return super().stream_response(*args, **more)

    def prepare(self, args, more):
        given = args[1] if len(args) > 1 else more["input"]
        answers = (
            []
            if isinstance(given, str)
            else [each for each in given if each.get("type") == "function_call_output"]
        )
        done, turn = len(answers), 0
        while TURNS[turn] and done >= len(TURNS[turn]):
            done -= len(TURNS[turn])
            turn += 1
        calls = [function_call(name, {"item": key}, call_id=key) for name, key in TURNS[turn]]
        self.enqueue(calls or [assistant_message("done")])


async def main() -> None:
    journal = CrashingJournal.from_environment(open_journal())
    env = {key: os.environ[key] for key in ("SHOP_LOG",)}
    server = MCPServerStdio(
        {"command": sys.executable, "args": [str(SHOP), "stdio"], "env": env}, name="shop"
    )
    async with server:
        agent = Agent(name="Buyer", model=Buyer(), mcp_servers=[server])
        result = await Runner.run(agent, "buy", run_id="r", run_config=RunConfig(journal=journal))
    print(result.final_output, journal.appends)


if __name__ == "__main__":
    asyncio.run(main())
