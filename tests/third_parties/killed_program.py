"""A run that is killed in the middle of a tool and resumed by another process, sent to a collector.

python killed_program.py COLLECTOR start|resume
"""

import asyncio
import os
import signal
import sys

from outlast import Agent, Runner, export_to_otlp, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call

COLLECTOR, ACT = sys.argv[1:]
EXPORT = export_to_otlp(COLLECTOR, service_name="desk", metrics=False, logs=False)


@function_tool
def add(a: int, b: int) -> int:
    """Add."""
    if ACT == "start":
        EXPORT.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return a + b


CALL = [function_call("add", {"a": 1, "b": 2}, call_id="c1")]
HAND_OVER = [function_call("transfer_to_closer", {}, call_id="c2")]
CLOSER = Agent(name="closer", model=ScriptedModel([[assistant_message("done")]], emit_traces=True))
SCRIPT = ScriptedModel([CALL, HAND_OVER] if ACT == "start" else [HAND_OVER], emit_traces=True)
DESK = Agent(name="desk", tools=[add], handoffs=[CLOSER], model=SCRIPT)


async def main() -> None:
    if ACT == "start":
        await Runner.run(DESK, "Add.", run_id="order-1")
    else:
        print((await Runner.resume("order-1", DESK)).final_output)


asyncio.run(main())
EXPORT.flush()
