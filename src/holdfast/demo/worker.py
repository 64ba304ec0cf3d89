"""The process that performs the desk's run, and tells its parent what happens in lines of JSON.

Started with `HOLDFAST_DEMO_KILL=1` it kills itself in its first refund: after the ledger has it,
and before the tool has returned.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from holdfast import Runner
from holdfast.cli.keys import has_key, is_offline
from holdfast.demo.desk import Desk, triage
from holdfast.demo.model import DeskModel
from holdfast.demo.orders import Shop
from holdfast.testing.crashing import kill_this_process

KILL = "HOLDFAST_DEMO_KILL"


async def work(run_id: str, database: Path, message: str) -> None:
    """Start the run, or go on with it: the same call does both."""
    model = None if uses_real_model() else DeskModel()
    desk = Desk(Shop(database), _posted)
    result = Runner.run_streamed(triage(model), message, context=desk, run_id=run_id)
    async for event in result.stream_events():
        _report(event)
    tell(kind="done", text=str(result.final_output))


def uses_real_model() -> bool:
    """Whether there is a key to call a real model with, and no wish to stay offline."""
    return has_key() and not is_offline()


def tell(**facts: Any) -> None:
    """Write one line to the parent, past all buffers: the next moment may be the last."""
    os.write(1, (json.dumps(facts) + "\n").encode())


def _posted(order_id: str, key: str, is_new: bool) -> None:
    tell(kind="posted", order=order_id, key=key, new=is_new)
    if os.environ.get(KILL):
        kill_this_process()


def _report(event: Any) -> None:
    if event.type == "agent_updated_stream_event":
        tell(kind="agent", name=event.new_agent.name)
    elif event.type == "raw_response_event":
        if event.data.type == "response.output_text.delta":
            tell(kind="token", text=event.data.delta)
    elif event.name == "handoff_occured":
        tell(kind="handoff", name=event.item.target_agent.name)
    elif event.name == "tool_called":
        item = event.item.raw_item
        tell(kind="call", name=item.name, arguments=item.arguments)
    elif event.name == "tool_output":
        tell(kind="answer", text=str(event.item.output))


def main() -> None:
    """Run as `python -m holdfast.demo.worker RUN DATABASE MESSAGE`."""
    run_id, database, message = sys.argv[1:]
    asyncio.run(work(run_id, Path(database), message))


if __name__ == "__main__":
    main()
