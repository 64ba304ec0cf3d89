"""`outlast demo`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from outlast.cli.command import command
from outlast.demo.screen import play


@command("""
outlast demo
outlast demo "Order A-1023 arrived broken, please refund it."
outlast demo --live                the real model, with OPENAI_API_KEY
""")
def demo(
    message: Annotated[str, typer.Argument(help="What the customer writes.")] = "",
    home: Annotated[Path | None, typer.Option(help="Where to play it.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Let the real model play the desk.")] = False,
) -> int:
    """A support desk that is killed in the middle of a refund, and goes on."""
    return play(message or os.environ.get("MSG", ""), home, is_live=live)
