"""A text for the instructions of agents that hand the conversation to each other."""

from __future__ import annotations

RECOMMENDED_PROMPT_PREFIX = (
    "# System context\n"
    "You are one of several agents that work together on one conversation. An agent has"
    " instructions and tools, and passes the conversation on when another agent is better suited."
    " It does so by calling a handoff function, whose name usually is"
    " `transfer_to_<agent_name>`. The user does not see handoffs: do not mention them and do not"
    " announce them.\n"
)


def prompt_with_handoff_instructions(prompt: str) -> str:
    """Instructions that begin with what an agent has to know about handoffs."""
    return f"{RECOMMENDED_PROMPT_PREFIX}\n\n{prompt}"
