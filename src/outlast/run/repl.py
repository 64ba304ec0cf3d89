"""A conversation with an agent in the terminal, for trying it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outlast.definitions.run_items import ToolCallItem, ToolCallOutputItem
from outlast.definitions.stream_events import (
    AgentUpdatedStreamEvent,
    RawResponsesStreamEvent,
    RunItemStreamEvent,
    StreamEvent,
)
from outlast.run.runner import Runner

if TYPE_CHECKING:
    from outlast.definitions.agent import Agent
    from outlast.run.result import RunResultBase


async def run_demo_loop(
    agent: Agent,
    *,
    stream: bool = True,
    context: Any | None = None,
    max_turns: int | None = 10,
) -> None:
    """Talk with ``agent`` until ``exit``, ``quit``, Ctrl-D or Ctrl-C.

    What was said, and to whom the conversation was handed, is kept from prompt to prompt.
    Waits for input on the event loop's own thread, so nothing else runs meanwhile.

    Args:
        agent: The agent that answers first.
        stream: Print the answer as it comes, with tool calls and handoffs between.
        context: The context of each run.
        max_turns: The most turns of each run; None for any number.
    """
    items: list[Any] = []
    while True:
        said = _prompt()
        if said is None or said.casefold() in ("exit", "quit"):
            return
        if not said:
            continue
        items.append({"role": "user", "content": said})
        result: RunResultBase
        if stream:
            result = streamed = Runner.run_streamed(
                agent, items, context=context, max_turns=max_turns
            )
            async for event in streamed.stream_events():
                print(_shown(event), end="", flush=True)  # noqa: T201 (a terminal program)
            print()  # noqa: T201 (a terminal program)
        else:
            result = await Runner.run(agent, items, context=context, max_turns=max_turns)
            if result.final_output is not None:
                print(result.final_output)  # noqa: T201 (a terminal program)
        items = result.to_input_list()
        agent = result.last_agent


def _prompt() -> str | None:
    try:
        return input(" > ").strip()
    except (EOFError, KeyboardInterrupt):
        print()  # noqa: T201 (a terminal program)
        return None


def _shown(event: StreamEvent) -> str:
    match event:
        case RawResponsesStreamEvent(data=data) if data.type == "response.output_text.delta":
            return data.delta
        case RunItemStreamEvent(item=ToolCallItem()):
            return "\n[tool called]\n"
        case RunItemStreamEvent(item=ToolCallOutputItem(output=output)):
            return f"\n[tool output: {output}]\n"
        case AgentUpdatedStreamEvent(new_agent=agent):
            return f"\n[Agent updated: {agent.name}]\n"
        case _:
            return ""
