"""A call that waits for a person, for as long as that takes.    python examples/approval.py

The run is in the journal while it waits: the process may end, and another one may go on.
"""

import asyncio
import os
import sys

from outlast import Agent, Runner, function_tool

MODEL = None if os.environ.get("OPENAI_API_KEY") else "offline"


@function_tool(needs_approval=True)
def send_money(account: str, amount: float) -> str:
    """Send money to an account."""
    return f"sent {amount} to {account}"


agent = Agent(name="Bank", instructions="Do what you are asked.", tools=[send_money], model=MODEL)


def is_fine(question: str) -> bool:
    """Ask whoever sits there. Without a terminal this example says yes."""
    return not sys.stdin.isatty() or input(f"{question} [y/N] ").lower() == "y"


async def main() -> None:
    result = await Runner.run(agent, "Send money: amount 25 to account DE-77")
    while result.interruptions:
        state = result.to_state()
        for call in result.interruptions:
            print("waits for a person:", call.tool_name, call.arguments)
            decide = state.approve if is_fine("Do it?") else state.reject
            decide(call)
        result = await Runner.run(agent, state)
    print(result.final_output)


if __name__ == "__main__":
    asyncio.run(main())
