"""The command line: `outlast demo | run | runs | show | resume | doctor`."""

from __future__ import annotations


def main() -> None:
    """Run the command line; the entry point of the `outlast` script."""
    from outlast.cli.app import app  # typer and rich load only when they are needed

    app()
