"""Agents that an agent asks, at the same time.    python examples/agents_as_tools.py

Each is a run of its own, with its own log: `outlast show` prints them inside the first.
"""

import asyncio
import os

from outlast import Agent, Runner, function_tool

MODEL = None if os.environ.get("OPENAI_API_KEY") else "offline"


@function_tool
def get_price(product: str) -> str:
    """Look up what a product costs."""
    return f"{product}: EUR 49"


@function_tool
def get_stock(product: str) -> str:
    """Look up how many pieces of a product there are."""
    return f"{product}: 12 pieces"


prices = Agent(name="Prices", instructions="Look up prices.", tools=[get_price], model=MODEL)
stock = Agent(name="Stock", instructions="Look up the stock.", tools=[get_stock], model=MODEL)
clerk = Agent(
    name="Clerk",
    instructions="Ask both, then answer.",
    tools=[
        prices.as_tool("ask_price", "Finds out the price of a product."),
        stock.as_tool("ask_stock", "Finds out the stock of a product."),
    ],
    model=MODEL,
)


async def main() -> None:
    result = await Runner.run(clerk, 'What is the price and the stock of product "kettle"?')
    print(result.final_output)


if __name__ == "__main__":
    asyncio.run(main())
