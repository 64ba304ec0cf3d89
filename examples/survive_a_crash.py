"""A run that is killed, started again, and does nothing twice.

python examples/survive_a_crash.py

The program starts itself as a child. The child kills itself while its second tool runs; started
again, it goes on: the first tool is not called again, the second one is, under the same key.
"""

import os
import signal
import subprocess
import sys
import uuid

from outlast import Agent, Runner, function_tool
from outlast.definitions.context import ToolContext

MODEL = None if os.environ.get("OPENAI_API_KEY") else "offline"


@function_tool
def find_order(number: str) -> str:
    """Find an order."""
    print(f"  process {os.getpid()} looks order {number} up", flush=True)
    return f"order {number}: EUR 80, arrived broken"


@function_tool(on_uncertain="retry")
def refund_order(ctx: ToolContext, number: str) -> str:
    """Refund an order."""
    print(f"  process {os.getpid()} refunds it under key {ctx.idempotency_key[:16]}", flush=True)
    if os.environ.get("CRASH"):
        os.kill(os.getpid(), signal.SIGKILL)
    return "refunded"


agent = Agent(
    name="Desk",
    instructions="Find the order, then refund it.",
    tools=[find_order, refund_order],
    model=MODEL,
)


def main() -> None:
    run_id = f"refund-{uuid.uuid4().hex[:6]}"
    for environment in ({"CRASH": "1"}, {}):
        print("starting", run_id, flush=True)
        child = [sys.executable, __file__, run_id]
        code = subprocess.run(child, env=os.environ | environment, check=False).returncode
        print("  killed" if code < 0 else f"  ended with status {code}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(Runner.run_sync(agent, "Refund order 1007", run_id=sys.argv[1]).final_output)
    else:
        main()
