"""A process that spends: `python spenders.py JOURNAL TENANT NAME [CALLS]`, and says what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from outlast import (
    Agent,
    Budget,
    BudgetExceeded,
    Price,
    PriceTable,
    RunConfig,
    Runner,
    Usage,
    function_tool,
)
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call

PRICES = PriceTable([Price(model="ScriptedModel", input=10.0, output=20.0)], knows_public=False)
"""A call of `step` costs four cents."""
CENTS_PER_CALL = 4


def step(*output: Any) -> ModelStep:
    """A reply that costs four cents."""
    usage = Usage(requests=1, input_tokens=1000, output_tokens=1500, total_tokens=2500)
    return ModelStep(output=list(output), usage=usage)


def boss(branches: int, rounds: int, calls_each: int = 1) -> Agent[Any]:
    """An agent that asks so many others at once, so often."""

    @function_tool
    async def look() -> str:
        await asyncio.sleep(0)
        return "seen"

    def helper(number: int) -> Any:
        one = [
            *(step(function_call("look", {}, call_id=f"l{n}")) for n in range(calls_each - 1)),
            step(assistant_message(f"answer {number}")),
        ]
        steps = [each for _ in range(rounds) for each in one]
        agent = Agent(name=f"helper {number}", tools=[look], model=ScriptedModel(steps))
        return agent.as_tool(tool_name=f"ask_{number}", tool_description="")

    turns = [
        step(
            *(
                function_call(f"ask_{n}", {"input": "hi"}, call_id=f"r{turn}-{n}")
                for n in range(branches)
            )
        )
        for turn in range(rounds)
    ]
    model = ScriptedModel([*turns, step(assistant_message("done"))])
    return Agent(name="boss", tools=[helper(n) for n in range(branches)], model=model)


async def main(journal: str, tenant: str, name: str, dies: str) -> None:
    """Spend of a tenant's dollar, with five branches, until it is used up."""
    config = RunConfig(
        journal=journal,
        budgets=Budget(cost_usd=1.0, per="tenant", window="month"),
        prices=PRICES,
        metadata={"tenant": tenant},
        tracing_disabled=True,
    )
    if dies:
        die = function_tool(lambda: os.kill(os.getpid(), signal.SIGKILL), name_override="die")
        model = ScriptedModel([step(function_call("die", {}, call_id="d"))])
        await Runner.run(Agent(name="mortal", tools=[die], model=model), "hi", run_config=config)
    word = "completed"
    try:
        await Runner.run(boss(5, 4), "go", run_id=name, run_config=config)
    except BudgetExceeded:
        word = "exceeded"
    print(json.dumps({"name": name, "word": word}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], "".join(sys.argv[4:])))
