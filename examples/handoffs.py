"""A first agent that hands over to others, watched live.    python examples/handoffs.py"""

import asyncio
import os

from outlast import Agent, Runner, function_tool

MODEL = None if os.environ.get("OPENAI_API_KEY") else "offline"


@function_tool
def find_invoice(number: str) -> str:
    """Find an invoice."""
    return f"invoice {number}: EUR 120, paid in May"


@function_tool
def reset_password(user: str) -> str:
    """Send a user a link to reset the password."""
    return f"a link is on its way to {user}"


billing = Agent(
    name="Billing",
    handoff_description="Questions about invoices and payments.",
    tools=[find_invoice],
    model=MODEL,
)
support = Agent(
    name="Support",
    handoff_description="Problems with passwords and accounts.",
    tools=[reset_password],
    model=MODEL,
)
triage = Agent(
    name="Triage",
    instructions="Hand over to the agent that can help.",
    handoffs=[billing, support],
    model=MODEL,
)


async def main() -> None:
    result = Runner.run_streamed(triage, "Was invoice 2024-17 paid?")
    async for event in result.stream_events():
        if event.type == "agent_updated_stream_event":
            print(f"[{event.new_agent.name}]")
        elif event.type == "run_item_stream_event" and event.name == "tool_output":
            print(f"  tool: {event.item.output}")
    print(result.final_output)


if __name__ == "__main__":
    asyncio.run(main())
