"""`outlast chat`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.chatting import chat as talk
from outlast.cli.command import command
from outlast.cli.program import load_program
from outlast.cli.running import need_key


@command("""
outlast chat guide.py
outlast chat desk.py:triage
""")
def chat(
    place: Annotated[
        str, typer.Argument(metavar="FILE[:AGENT]", help="A Python file that makes an agent.")
    ],
) -> int:
    """Talk with an agent of a Python file, in the terminal.

    Tool calls, handoffs and approvals are shown. Each message is a run of its own, and the next one goes on with what was said. Ctrl-C stops an
    answer and not the conversation.
    """
    program = load_program(place)
    need_key(program.agent)
    return talk(program)
