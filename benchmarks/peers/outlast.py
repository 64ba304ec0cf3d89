"""Outlast. Every run is journaled, also where the peers keep nothing.

The variant is how durable: `process` (the default here: survives kill -9), `power` (survives a
power cut) or `memory` (the same code path, nothing on disk).
"""

import os
import tempfile
from typing import Any

from agents_api import AgentsDriver
from common import PROMPT


class OutlastDriver(AgentsDriver):
    MODULE = "outlast"
    IMPORT = "from outlast import Agent, Runner, function_tool"
    DISTS = ("outlast", "openai", "pydantic")

    def __init__(self, variant: str) -> None:
        super().__init__(variant)
        os.environ["OUTLAST_HOME"] = tempfile.mkdtemp(dir=os.environ.get("BENCH_TMP"))
        limits = self.sdk.ModelLimits(tool_calls=800)
        config = self.sdk.RunConfig(durability=variant or "process", model_limits=limits)
        self.options = {"run_config": config}

    async def durable(self, tools: list[Any], script: list[Any], folder: str) -> Any:
        os.environ["OUTLAST_HOME"] = folder
        agent = self.agent(tools, script)

        async def run(run_id: str, max_turns: int) -> str:
            runner = self.sdk.Runner
            result = await runner.run(
                agent, PROMPT, max_turns=max_turns, run_id=run_id, **self.options
            )
            return result.final_output

        return run

    async def close(self) -> None:
        """Close the journal, so that its size is that of whole files."""
        from outlast.journal.opening import open_journal

        await open_journal(durability=self.options["run_config"].durability).close()


DRIVER = OutlastDriver
