"""An agent with a tool.    python examples/hello.py"""

import os

from outlast import Agent, Runner, function_tool

MODEL = None if os.environ.get("OPENAI_API_KEY") else "offline"


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"sunny in {city}, 24 degrees"


agent = Agent(
    name="Assistant", instructions="Answer in one sentence.", tools=[get_weather], model=MODEL
)

if __name__ == "__main__":
    result = Runner.run_sync(agent, "How is the weather in Lisbon?")
    print(result.final_output)
