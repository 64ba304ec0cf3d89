"""`outlast demo`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from outlast.cli.command import command
from outlast.cli.key import has_key
from outlast.cli.problem import Missing
from outlast.demo.screen import play


@command("""
outlast demo
outlast demo "Order A-1023 arrived broken, please refund it."
outlast demo --live                the real model, with OPENAI_API_KEY
""")
def demo(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="MESSAGE", help="What the customer writes.")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="A folder to play it in.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Let the real model play the desk.")] = False,
) -> int:
    """Watch a support desk that is killed in a refund, and goes on.

    It needs no key.
    """
    if live and not has_key():
        raise Missing(
            "No API key",
            "--live asks the real model, and OPENAI_API_KEY is not set.",
            "Without --live, the demo asks none.",
        )
    return play(" ".join(words or ()) or os.environ.get("MSG", ""), home, is_live=live)
