"""What an exception says of the run that it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from outlast.core.growing import new_list


@dataclass
class RunErrorDetails:
    """What a run had done when it failed; hangs on the exception as `run_data`."""

    input: Any
    new_items: list[Any]
    raw_responses: list[Any]
    last_agent: Any
    context_wrapper: Any
    input_guardrail_results: list[Any]
    output_guardrail_results: list[Any]
    tool_input_guardrail_results: list[Any] = field(default_factory=new_list)
    tool_output_guardrail_results: list[Any] = field(default_factory=new_list)

    def __str__(self) -> str:
        name = getattr(self.last_agent, "name", None)
        lines = ["RunErrorDetails:", f'- Last agent: Agent(name="{name}", ...)']
        checks = [
            f"{of}_guardrail_result" for of in ("input", "output", "tool_input", "tool_output")
        ]
        for each in ("new_item", "raw_response", *checks):
            lines += [f"- {len(getattr(self, f'{each}s'))} {each.replace('_', ' ')}(s)"]
        return "\n".join([*lines, "(See `RunErrorDetails` for more details)"])
