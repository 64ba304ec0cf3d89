"""openai-agents. As it comes, tracing is on; without a key its exporter drops what it has built.

Variant `notrace` turns tracing off. The durable scenarios keep the conversation in SQLiteSession.
"""

from agents_api import AgentsDriver


class OpenAIAgentsDriver(AgentsDriver):
    MODULE = "agents"
    IMPORT = "from agents import Agent, Runner, function_tool"
    DISTS = ("openai-agents", "openai", "pydantic")

    def __init__(self, variant: str) -> None:
        super().__init__(variant)
        self.sdk.set_tracing_disabled(variant == "notrace")


DRIVER = OpenAIAgentsDriver
